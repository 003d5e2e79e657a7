// A program without a dynamic loader asks the resolver that is linked into it; its symbols may be stripped.
#include "check.h"
#include <netdb.h>

int main(void) {
    const char *names[] = {"localhost", "127.0.0.1", "::1"};
    for (int i = 0; i < 3; i++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
        int error = getaddrinfo(names[i], "80", &hints, &found);
        SAY("%s:", names[i]);
        for (struct addrinfo *each = error ? NULL : found; each; each = each->ai_next) {
            char address[64], port[8];
            getnameinfo(each->ai_addr, each->ai_addrlen, address, sizeof address, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
            SAY(" %s:%s", address, port);
        }
        SAY("%s\n", error ? " nothing" : "");
        if (!error) freeaddrinfo(found);
    }
    return 0;
}
