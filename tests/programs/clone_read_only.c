// Proves that CLONE_UNTRACED in memory that nobody may write harms no child: clone3 makes one whose calls work, or is unknown, as on
// older kernels, so that clone does. Which of them it was is not said.
#include "check.h"

static const struct clone_args arguments = {.flags = CLONE_UNTRACED, .exit_signal = SIGCHLD};

int main(void) {
    pid_t pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0 && errno == ENOSYS) pid = syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, NULL, NULL, NULL, NULL);
    if (MUST(pid) == 0) {
        int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
        struct sockaddr_in address = loopback(9);
        address.sin_addr.s_addr = htonl(0x7f010205);
        SAY("child connect: %s\n", outcome(connect(fd, (struct sockaddr *)&address, sizeof address)));
        _exit(13);
    }
    SAY("child %s\n", ended(pid));
    return 0;
}
