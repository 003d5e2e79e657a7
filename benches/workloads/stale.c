// Reads /dev/zero argument 1 times at the very number where a socket was before. Reports the time of the reads.
#include "clock.h"

int main(int argc, char **argv) {
    CHECK(argc == 2);
    int socket_was_here = MUST(socket(AF_INET, SOCK_STREAM, 0));
    // Long enough for a tracer to have prepared itself for calls on it.
    for (int i = 0; i < 1000; i++) syscall(SYS_getppid);
    MUST(close(socket_was_here));
    int zero = MUST(open("/dev/zero", O_RDONLY));
    CHECK(zero == socket_was_here);
    uint64_t count = atol(argv[1]), start = now();
    for (uint64_t i = 0; i < count; i++) {
        char byte = 1;
        CHECK(read(zero, &byte, 1) == 1 && byte == 0);
    }
    report(now() - start, count);
    return 0;
}
