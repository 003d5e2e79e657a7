// Proves that a socket is told wherever it is used first, even if its user made no call since it was made elsewhere: two processes with
// one memory and one descriptor table (argument 1: process), or as many pairs of threads as argument 1 says, hand sockets to each other
// through memory alone. Says how often they read from and wrote to sockets.
#include "check.h"
#include <stdatomic.h>

enum { ROUNDS = 70, PAIRS = 3, NUMBERS = 300 };

struct both {
    atomic_int turn; // the maker's is 0, the other's 1; 2 is the end
    int given[2], first;
};

static struct both all[PAIRS];
static atomic_int reads, writes;
static int file;

// Without a call, but where the other one needs this processor to get on.
static int until_other_than(struct both *both, int whose) {
    for (int tries = 1; both->turn == whose; tries++)
        if (tries % 20000 == 0) sched_yield();
    return both->turn;
}

static void use(int fd, int peer) {
    char byte = 'x';
    writes += MUST(write(fd, &byte, 1)) == 1;
    reads += MUST(read(peer, &byte, 1)) == 1;
}

// A file where a socket was.
static void use_file(int at) {
    char zeros[4];
    MUST(dup2(file, at));
    if (MUST(read(at, zeros, sizeof zeros)) != sizeof zeros) _exit(97);
    MUST(close(at));
}

// Makes sockets, at other numbers each time, and uses the copies that come back.
static int maker(void *argument) {
    struct both *both = argument;
    for (int i = 0; i < ROUNDS; i++) {
        int pair[2], base = both->first + i * 3;
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        both->given[0] = MUST(dup2(pair[0], base));
        both->given[1] = MUST(dup2(pair[1], base + 1));
        both->turn = 1;
        until_other_than(both, 1);
        use(both->given[0], base + 1);
        MUST(close(both->given[0]));
        MUST(close(base));
        MUST(close(base + 1));
        MUST(close(pair[0]));
        MUST(close(pair[1]));
        use_file(base);
    }
    both->turn = 2;
    return 0;
}

static int user(void *argument) {
    struct both *both = argument;
    for (int copy = both->first + 3 * ROUNDS; until_other_than(both, 0) != 2; copy++) {
        use(both->given[0], both->given[1]);
        use_file(copy);
        // One that this side has made goes back.
        both->given[0] = MUST(dup2(both->given[0], copy));
        both->turn = 0;
    }
    return 0;
}

static void *maker_thread(void *both) { return (void *)(long)maker(both); }
static void *user_thread(void *both) { return (void *)(long)user(both); }

static char stack[65536] __attribute__((aligned(16)));

int main(int argc, char **argv) {
    alarm(200); // nobody is left behind by a test that failed
    file = MUST(open("/dev/zero", O_RDONLY));
    for (int i = 0; i < PAIRS; i++) all[i].first = 40 + i * NUMBERS;
    if (argc > 1 && strcmp(argv[1], "process") == 0) {
        pid_t pid = MUST(clone(maker, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, &all[0]));
        user(&all[0]);
        SAY("child %s\n", ended(pid));
    } else {
        int pairs = argc > 1 ? atoi(argv[1]) : 1;
        pthread_t threads[2 * PAIRS];
        for (int i = 0; i < pairs && i < PAIRS; i++)
            if (pthread_create(&threads[2 * i], NULL, maker_thread, &all[i]) || pthread_create(&threads[2 * i + 1], NULL, user_thread, &all[i]))
                return 98;
        for (int i = 0; i < 2 * pairs; i++) pthread_join(threads[i], NULL);
    }
    SAY("reads %d, writes %d\n", reads, writes);
    return 0;
}
