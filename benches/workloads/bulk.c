// Sends argument 1 MiB to another process over TCP, 64 KiB a call. Reports the time and the number of writes.
#include "clock.h"

static char buffer[1 << 16];

int main(int argc, char **argv) {
    CHECK(argc == 2);
    uint64_t writes = atol(argv[1]) * 16, received = 0;
    struct sockaddr_in address;
    int ends[2], listener = listening(&address);
    connection(listener, &address, ends);
    uint64_t start = now();
    pid_t child = MUST(fork());
    if (child == 0) {
        for (uint64_t i = 0; i < writes; i++) CHECK(write(ends[0], buffer, sizeof buffer) == sizeof buffer);
        _exit(0);
    }
    MUST(close(ends[0]));
    for (ssize_t got; (got = MUST(read(ends[1], buffer, sizeof buffer))) > 0;) received += got;
    CHECK(received == writes * sizeof buffer);
    CHECK(strcmp(ended(child), "exited with 0") == 0);
    report(now() - start, writes);
    return 0;
}
