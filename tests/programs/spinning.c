// Proves that a socket is told wherever it is used first, even if its user made no call since it was made elsewhere: two threads
// (argument 1: thread), or two processes with one memory and one descriptor table (process), hand sockets to each other through memory
// alone. Says how often it read from and wrote to sockets.
#include "check.h"
#include <stdatomic.h>

enum { ROUNDS = 150 };

static atomic_int turn, given[2];
static int reads, writes, file;

// Without a call, but where the other one needs this processor to get on.
static int until_other_than(int whose) {
    for (int tries = 1; turn == whose; tries++)
        if (tries % 100000 == 0) sched_yield();
    return turn;
}

static void use(int fd, int peer) {
    char byte = 'x';
    writes += MUST(write(fd, &byte, 1)) == 1;
    reads += MUST(read(peer, &byte, 1)) == 1;
}

// Uses files at whatever numbers sockets had.
static void use_file(int at) {
    char zeros[4];
    if (at != file) MUST(dup2(file, at));
    if (MUST(read(at, zeros, sizeof zeros)) != sizeof zeros) _exit(97);
    if (at != file) MUST(close(at));
}

// Makes sockets, at other numbers each time, and uses those that come back.
static int maker(void *unused) {
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        int pair[2], base = 20 + i * 3;
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        given[0] = MUST(dup2(pair[0], base));
        given[1] = MUST(dup2(pair[1], base + 1));
        turn = 1;
        until_other_than(1);
        // A copy that the other has made.
        use(given[0], base + 1);
        MUST(close(given[0]));
        MUST(close(base));
        MUST(close(base + 1));
        MUST(close(pair[0]));
        MUST(close(pair[1]));
        use_file(base);
    }
    turn = 2;
    return 0;
}

static void *maker_thread(void *unused) {
    maker(unused);
    return NULL;
}

static char stack[65536] __attribute__((aligned(16)));

int main(int argc, char **argv) {
    alarm(200); // nobody is left behind by a test that failed
    file = MUST(open("/dev/zero", O_RDONLY));
    turn = 0;
    pthread_t thread;
    pid_t pid = 0;
    if (argc > 1 && strcmp(argv[1], "thread") == 0) {
        if (pthread_create(&thread, NULL, maker_thread, NULL)) return 98;
    } else {
        pid = MUST(clone(maker, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, NULL));
    }
    for (int copy = 600; until_other_than(0) != 2; copy++) {
        use(given[0], given[1]);
        use_file(copy);
        // One that this side has made goes back.
        given[0] = MUST(dup2(given[0], copy));
        turn = 0;
    }
    if (pid)
        SAY("child %s\n", ended(pid));
    else
        pthread_join(thread, NULL);
    SAY("reads %d, writes %d\n", reads, writes);
    return 0;
}
