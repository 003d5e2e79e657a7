// Proves that vfork is followed: the parent waits until the child has become another program, and both are traced.
#include "check.h"

int main(int argc, char **argv) {
    if (argc > 1) {
        int pair[2];
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        MUST(write(pair[0], "after exec", 10));
        char back[16] = "";
        MUST(read(pair[1], back, sizeof back));
        SAY("%s: %s\n", argv[1], back);
        return 7;
    }
    int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/proc/self/exe", argv[0], "vfork child", NULL);
        _exit(97);
    }
    SAY("child %s\n", ended(pid));
    // A child that cannot become anything.
    pid = vfork();
    if (pid == 0) {
        execl("/nonexistent/program", "program", NULL);
        _exit(96);
    }
    SAY("child %s\n", ended(pid));
    SAY("close: %s\n", outcome(close(fd)));
    return 0;
}
