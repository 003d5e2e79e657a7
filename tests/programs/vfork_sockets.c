// Proves that a child in its parent's memory (vfork, clone with CLONE_VM) has its sockets told, before and after it becomes another
// program, and its parent's too, whoever made the first one.
#include "check.h"

static void talk(int fd, int peer, const char *text) {
    char back[64] = "";
    idle(A_WHILE);
    MUST(write(fd, text, strlen(text)));
    MUST(read(peer, back, sizeof back));
    SAY("%s\n", back);
}

static char stack[65536] __attribute__((aligned(16)));
static int kept[2];

static int in_own_table(void *text) {
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    MUST(dup2(pair[0], 30));
    talk(30, pair[1], text);
    return 0;
}

// The descriptors are the parent's as well.
static int in_shared_table(void *text) {
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, kept));
    MUST(dup2(kept[0], 31));
    talk(31, kept[1], text);
    return 0;
}

int main(int argc, char **argv) {
    int pair[2];
    if (argc > 1) {
        // Descriptors 10 and 11 were made before it was this program.
        talk(10, 11, "after exec, what was there before");
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        talk(pair[0], pair[1], "after exec");
        return 5;
    }
    SAY("begins\n"); // stdio has its buffer
    pid_t pid = vfork();
    if (pid == 0) {
        // More than vfork(2) allows a portable program, and less than what clone(2) with the same flags does.
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        talk(pair[0], pair[1], "in the child of vfork");
        MUST(dup2(pair[0], 10));
        MUST(dup2(pair[1], 11));
        execl("/proc/self/exe", argv[0], "again", NULL);
        _exit(97);
    }
    SAY("child %s\n", ended(pid));
    // The numbers that were the child's sockets are files here.
    int file = MUST(open("/dev/zero", O_RDONLY));
    char zero[4];
    MUST(read(file, zero, sizeof zero));
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    MUST(dup2(pair[0], 12));
    talk(12, pair[1], "in the parent");
    pid = MUST(clone(in_own_table, stack + sizeof stack, CLONE_VM | SIGCHLD, "with CLONE_VM"));
    SAY("child %s\n", ended(pid));
    pid = MUST(clone(in_shared_table, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, "with CLONE_VM and CLONE_FILES"));
    SAY("child %s\n", ended(pid));
    talk(31, kept[1], "what the child made");
    pid = MUST(clone(in_own_table, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, "as vfork does"));
    SAY("child %s\n", ended(pid));
    talk(pair[0], pair[1], "in the parent at last");
    return 0;
}
