// Counts what a busy parent of many threads and its children do with the same sockets. Argument 1 says how these come: fork, vfork, spawn
// (posix_spawn), memory (clone with CLONE_VM: one memory, two descriptor tables). They make calls at once and close what they inherit, and
// the parent's stay open; and what is a socket in one and a file in the other at the same number is so at the same moment.
#include "counting.h"
#include <spawn.h>

enum { THREADS = 4, CHILDREN = 10, PER_CHILD = 6 };
extern char **environ;

static atomic_int over;
static int shared[2], kept[2], file;

// Stays busy until the children are done.
static void *work(void *argument) {
    int pair[2];
    char byte;
    counted_pair(SOCK_STREAM, pair);
    for (int i = 0; i < 20 || (!over && i < 150); i++) {
        EXACTLY(1, sendto, pair[0], send(pair[0], "p", 1, 0));
        EXACTLY(1, recvfrom, pair[1], recv(pair[1], &byte, 1, 0));
        if (byte != 'p') _exit(93);
    }
    counted_close(pair[0]);
    counted_close(pair[1]);
    return argument;
}

// What a child does first of all: it sends what the parent then receives, and closes sockets that are the parent's too.
static int as_child(void *unused) {
    char byte;
    for (int i = 0; i < PER_CHILD; i++) EXACTLY(1, sendto, shared[0], send(shared[0], "c", 1, 0));
    counted_close(kept[1]);
    // A file at the number of a socket that the parent uses: not a byte of it is told.
    char first[5];
    EXACTLY(kept[0], dup2, file, dup2(file, kept[0]));
    for (int i = 0; i < 20; i++)
        if (pread(kept[0], first, 5, 0) != 5 || lseek(kept[0], 0, SEEK_SET) || read(kept[0], first, 5) != 5 || memcmp(first, "FILE!", 5)) _exit(92);
    EXACTLY(1, recvfrom, shared[0], recv(shared[0], &byte, 1, MSG_WAITALL));
    return 7;
}

static char stack[1 << 16] __attribute__((aligned(16)));

static pid_t begin(const char *how, const char *self) {
    pid_t pid;
    if (strcmp(how, "fork") == 0) {
        if ((pid = MUST(fork())) == 0) _exit(as_child(NULL));
    } else if (strcmp(how, "vfork") == 0) {
        // No room for the child's end: the parent waits for it.
        if ((pid = MUST(vfork())) == 0) {
            for (int i = 0; i < PER_CHILD; i++) EXACTLY(1, sendto, shared[0], send(shared[0], "c", 1, 0));
            counted_close(kept[0]);
            counted_close(kept[1]);
            EXACTLY(1, recvfrom, shared[0], recv(shared[0], &(char){0}, 1, 0));
            _exit(7);
        }
    } else if (strcmp(how, "memory") == 0) {
        pid = MUST(clone(as_child, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL));
    } else {
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addclose(&actions, kept[0]);
        posix_spawn_file_actions_addclose(&actions, kept[1]);
        posix_spawn_file_actions_adddup2(&actions, shared[0], 0);
        COUNTED(close, kept[0], 0);
        COUNTED(close, kept[1], 0);
        COUNTED(dup2, shared[0], 0);
        char *words[] = {(char *)self, "spawned", NULL};
        if (posix_spawn(&pid, "/proc/self/exe", &actions, NULL, words, environ)) _exit(91);
        posix_spawn_file_actions_destroy(&actions);
        for (int i = 0; i < PER_CHILD; i++) COUNTED(sendto, 0, 1);
        COUNTED(recvfrom, 0, 1);
    }
    return pid;
}

int main(int argc, char **argv) {
    if (argc < 2) return 98;
    if (strcmp(argv[1], "spawned") == 0) {
        for (int i = 0; i < PER_CHILD; i++) MUST(send(0, "c", 1, 0));
        MUST(recv(0, &(char){0}, 1, MSG_WAITALL));
        return 7;
    }
    begin_counting();
    char path[] = "/tmp/counted-forks-XXXXXX";
    file = MUST(mkstemp(path));
    MUST(unlink(path));
    MUST(write(file, "FILE!", 5));
    pthread_t threads[THREADS];
    counted_pair(SOCK_STREAM, shared);
    counted_pair(SOCK_STREAM, kept);
    for (int i = 0; i < THREADS; i++) threads[i] = begin_thread(work, NULL);
    for (int i = 0; i < CHILDREN; i++) {
        char bytes[PER_CHILD];
        if (strcmp(argv[1], "vfork") == 0) EXACTLY(1, sendto, shared[1], send(shared[1], "p", 1, 0));
        pid_t pid = begin(argv[1], argv[0]);
        EXACTLY(PER_CHILD, recvfrom, shared[1], recv(shared[1], bytes, PER_CHILD, MSG_WAITALL));
        // The child has closed them, or does so at this moment.
        EXACTLY(4, sendto, kept[0], send(kept[0], "kept", 4, 0));
        EXACTLY(4, recvfrom, kept[1], recv(kept[1], bytes, 4, 0));
        if (memcmp(bytes, "kept", 4)) _exit(90);
        if (strcmp(argv[1], "vfork") != 0) EXACTLY(1, sendto, shared[1], send(shared[1], "p", 1, 0));
        const char *end = ended(pid);
        if (strcmp(end, "exited with 7")) {
            SAY("child %s\n", end);
            _exit(89);
        }
    }
    over = 1;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    counted_close(kept[0]);
    counted_close(kept[1]);
    say_counts();
    return 0;
}
