// Proves that no call on a socket is missed and no call on a file taken for one while threads do all of it at once: one makes sockets
// and closes them, seven read and write files at numbers that come and go, others are begun and forked meanwhile. Says how many
// sockets' reads and writes there were, in all processes.
#include "check.h"
#include <stdatomic.h>
#include <sys/mman.h>

enum { FILES = 7, LATER = 12, FORKS = 8 };

static atomic_long *counts; // writes, reads: shared with the children
static atomic_int over;

static void talk(int fd, int peer) {
    int sent = fd, got = -1;
    MUST(write(fd, &sent, sizeof sent));
    counts[0]++;
    MUST(read(peer, &got, sizeof got));
    counts[1]++;
    if (got != sent) _exit(97);
}

static void make_sockets(int rounds) {
    for (int i = 0; i < rounds; i++) {
        int pair[2];
        MUST(socketpair(AF_UNIX, SOCK_STREAM | (i % 2 ? SOCK_CLOEXEC : 0), 0, pair));
        for (int j = 0; j < 3; j++) talk(pair[j % 2], pair[1 - j % 2]);
        int copy = MUST(dup(pair[0]));
        talk(copy, pair[1]);
        MUST(close(pair[0]));
        talk(pair[1], copy);
        MUST(close(copy));
        MUST(close(pair[1]));
    }
}

// Opens and closes, too: its files get the numbers that sockets had a moment ago.
static void *use_files(void *unused) {
    char data[64];
    while (!over) {
        int zero = MUST(open("/dev/zero", O_RDONLY)), null = MUST(open("/dev/null", O_WRONLY));
        for (int i = 0; i < 20; i++) {
            if (MUST(read(zero, data, sizeof data)) != sizeof data || data[i] != 0) _exit(96);
            if (MUST(write(null, data, sizeof data)) != sizeof data) _exit(95);
        }
        MUST(close(zero));
        MUST(close(null));
    }
    return unused;
}

static void *later(void *unused) {
    make_sockets(5);
    return unused;
}

static void *fork_some(void *unused) {
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            make_sockets(3);
            _exit(0);
        }
        int status;
        MUST(waitpid(pid, &status, 0));
        if (status) _exit(94);
    }
    return unused;
}

int main(void) {
    alarm(200); // nobody is left behind by a test that failed
    counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_t files[FILES], forker, others[LATER];
    for (int i = 0; i < FILES; i++)
        if (pthread_create(&files[i], NULL, use_files, NULL)) return 98;
    if (pthread_create(&forker, NULL, fork_some, NULL)) return 98;
    for (int i = 0; i < LATER; i++) {
        make_sockets(15);
        if (pthread_create(&others[i], NULL, later, NULL)) return 98;
    }
    for (int i = 0; i < LATER; i++) pthread_join(others[i], NULL);
    pthread_join(forker, NULL);
    over = 1;
    for (int i = 0; i < FILES; i++) pthread_join(files[i], NULL);
    SAY("writes %ld, reads %ld\n", counts[0], counts[1]);
    return 0;
}
