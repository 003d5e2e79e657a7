// Proves what io_uring_setup answers: a descriptor where the kernel has it, ENOSYS under --no-io-uring.
#include "check.h"

int main(void) {
    char parameters[120] = "";
    for (int i = 0; i < 2; i++) {
        long fd = syscall(SYS_io_uring_setup, 4, parameters);
        SAY("io_uring_setup: %s\n", outcome(fd));
        if (fd >= 0) close(fd);
    }
    SAY("with a bad pointer: %s\n", outcome(syscall(SYS_io_uring_setup, 4, (void *)8)));
    int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
    SAY("close: %s\n", outcome(close(fd)));
    return 0;
}
