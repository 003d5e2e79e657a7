// Proves that two processes that share one descriptor table (CLONE_FILES without CLONE_THREAD) are understood: a socket made
// by one is written to and closed by the other; after unshare(CLONE_FILES) no longer.
#include "check.h"

static int to_child[2], to_parent[2];

static void tell(int fd) { MUST(write(fd, "!", 1)); }
static void hear(int fd) {
    char byte;
    MUST(read(fd, &byte, 1));
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    MUST(pipe(to_child));
    MUST(pipe(to_parent));
    pid_t pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        int pair[2];
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair)); // 7 and 8 in both processes
        tell(to_parent[1]);
        hear(to_child[0]);
        SAY("child: write to what the parent closed: %s\n", outcome(write(pair[0], "x", 1)));
        MUST(unshare(CLONE_FILES));
        tell(to_parent[1]);
        hear(to_child[0]);
        SAY("child: write after unshare: %s\n", outcome(write(pair[1], "after unshare", 13)));
        _exit(0);
    }
    hear(to_parent[0]);
    SAY("parent: write to the child's socket: %s\n", outcome(write(7, "shared table", 12)));
    SAY("parent: close of the child's socket: %s\n", outcome(close(7)));
    tell(to_child[1]);
    hear(to_parent[0]);
    SAY("parent: close after unshare: %s\n", outcome(close(8)));
    tell(to_child[1]);
    SAY("child %s\n", ended(pid));
    return 0;
}
