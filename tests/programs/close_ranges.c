// Proves that close_range is understood, plain, with CLOSE_RANGE_CLOEXEC and with CLOSE_RANGE_UNSHARE.
#include "check.h"
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#endif
#define CLOEXEC_FLAG 4

static void probe(const char *when) {
    SAY("%s:", when);
    for (int fd = 3; fd < 11; fd++) SAY(" %d %s", fd, outcome(sendto(fd, "probe", 5, 0, NULL, 0)));
    SAY("\n");
}

int main(int argc, char **argv) {
    if (argc > 1) {
        probe("after exec");
        return 0;
    }
    for (int i = 0; i < 4; i++) {
        int pair[2];
        MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)); // 3 to 10
    }
    probe("at first");
    SAY("close_range: %s\n", outcome(syscall(SYS_close_range, 4, 5, 0)));
    probe("without 4 and 5");
    SAY("close_range: %s\n", outcome(syscall(SYS_close_range, 9, 8, 0)));
    pid_t pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        SAY("close_range: %s\n", outcome(syscall(SYS_close_range, 6, ~0U, CLOSE_RANGE_UNSHARE)));
        probe("child");
        _exit(0);
    }
    ended(pid);
    probe("parent");
    SAY("close_range: %s\n", outcome(syscall(SYS_close_range, 7, 8, CLOEXEC_FLAG)));
    probe("still");
    execl("/proc/self/exe", argv[0], "again", NULL);
    return 97;
}
