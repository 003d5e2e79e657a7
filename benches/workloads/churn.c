// Makes argument 1 connections, one after the other, each with argument 2 messages from one end to the other. Reports the time of
// all, and how many calls it made.
#include "clock.h"

int main(int argc, char **argv) {
    CHECK(argc == 3);
    long connections = atol(argv[1]), messages = atol(argv[2]);
    struct sockaddr_in address;
    int listener = listening(&address);
    // Accepted sockets inherit that their close resets the connection: none stays in TIME_WAIT, where it would hold a port, and where
    // strace -yy would look at it each time that it looks for a socket.
    struct linger none = {.l_onoff = 1};
    MUST(setsockopt(listener, SOL_SOCKET, SO_LINGER, &none, sizeof none));
    uint64_t start = now();
    for (long i = 0; i < connections; i++) {
        int ends[2];
        char byte;
        connection(listener, &address, ends);
        for (long j = 0; j < messages; j++) {
            MUST(send(ends[0], "x", 1, 0));
            CHECK(recv(ends[1], &byte, 1, 0) == 1 && byte == 'x');
        }
        MUST(close(ends[1]));
        MUST(close(ends[0]));
    }
    report(now() - start, connections * (5 + 2 * messages));
    return 0;
}
