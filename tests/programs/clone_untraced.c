// Proves that a child made with CLONE_UNTRACED, which would escape a tracer, is seen all the same.
#include "check.h"

int main(void) {
    pid_t pid = syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
        struct sockaddr_in address = loopback(9);
        address.sin_addr.s_addr = htonl(0x7f010203);
        SAY("child connect: %s\n", outcome(connect(fd, (struct sockaddr *)&address, sizeof address)));
        _exit(11);
    }
    SAY("child %s\n", ended(pid));
    struct clone_args arguments = {.flags = CLONE_UNTRACED, .exit_signal = SIGCHLD};
    pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) {
        int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
        struct sockaddr_in address = loopback(9);
        address.sin_addr.s_addr = htonl(0x7f010204);
        SAY("child connect: %s\n", outcome(connect(fd, (struct sockaddr *)&address, sizeof address)));
        _exit(12);
    }
    // Some sandboxes know no clone3.
    if (pid < 0)
        SAY("clone3: %s\n", outcome(pid));
    else
        SAY("child %s\n", ended(pid));
    return 0;
}
