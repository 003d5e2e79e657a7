// Proves that socket addresses of every odd length get the kernel's own answer: 0, 1, 2, 15, 16, 110, 127, 128, 129, 65,535.
#include "check.h"

int main(void) {
    static const socklen_t lengths[] = {0, 1, 2, 3, 15, 16, 27, 28, 108, 110, 111, 127, 128, 129, 65535};
    static const int families[] = {AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, 77, 65535};
    static char memory[65536];
    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            int udp = MUST(socket(AF_INET, SOCK_DGRAM, 0)), local = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
            // A path full of slashes exists but is no socket; its length has no NUL to end it.
            memset(memory, '/', sizeof memory);
            *(uint16_t *)memory = families[f];
            const struct sockaddr *address = (void *)memory;
            if (families[f] != AF_UNIX && families[f] != AF_UNSPEC) memset(memory + 2, 0, sizeof memory - 2);
            SAY("family %d length %u:", families[f], lengths[i]);
            SAY(" connect %s", outcome(connect(udp, address, lengths[i])));
            SAY(" sendto %s", outcome(sendto(udp, "x", 1, 0, address, lengths[i])));
            SAY(" bind %s", outcome(bind(udp, address, lengths[i])));
            SAY(" unix connect %s", outcome(connect(local, address, lengths[i])));
            SAY(" unix bind %s\n", outcome(bind(local, address, lengths[i])));
            socklen_t got = lengths[i];
            char answer[256] = "";
            SAY(" getsockname %s", outcome(getsockname(udp, (void *)answer, got > 256 ? (got = 256, &got) : &got)));
            SAY(" %u\n", got);
            close(udp);
            close(local);
        }
    return 0;
}
