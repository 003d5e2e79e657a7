// Sends one byte to another process over TCP and waits for it to come back, argument 1 times. Reports the time of the round trips.
#include "clock.h"
#include <netinet/tcp.h>

int main(int argc, char **argv) {
    CHECK(argc == 2);
    uint64_t count = atol(argv[1]);
    struct sockaddr_in address;
    int ends[2], one = 1, listener = listening(&address);
    char byte = 'x';
    connection(listener, &address, ends);
    for (int i = 0; i < 2; i++) MUST(setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    pid_t child = MUST(fork());
    if (child == 0) {
        MUST(close(ends[0]));
        while (MUST(read(ends[1], &byte, 1)) == 1) MUST(write(ends[1], &byte, 1));
        _exit(0);
    }
    MUST(close(ends[1]));
    uint64_t start = now();
    for (uint64_t i = 0; i < count; i++) {
        MUST(write(ends[0], &byte, 1));
        CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x');
    }
    uint64_t spent = now() - start;
    MUST(close(ends[0]));
    CHECK(strcmp(ended(child), "exited with 0") == 0);
    report(spent, count);
    return 0;
}
