// Counts what threads do until all of them end at once in the middle of it, by argument 1: exit (one of them ends the process), kill (it
// kills the process), exec (one that is not the first becomes another program), last (the first thread ends before the others).
#include "counting.h"

enum { ROUNDS = 5, THREADS = 6 };

static pthread_barrier_t together;
static atomic_int calls;
static const char *how;
static char *name;
static int enough;

static void *work(void *argument) {
    int *pair = argument;
    char bytes[16];
    pthread_barrier_wait(&together);
    for (int i = 0;; i++) {
        EXACTLY(9, write, pair[0], write(pair[0], "some data", 9));
        EXACTLY(4, recvfrom, pair[1], recv(pair[1], bytes, 4, 0));
        EXACTLY(5, read, pair[1], read(pair[1], bytes, sizeof bytes));
        if (strcmp(how, "last") == 0 && i == enough / THREADS) break;
        if (++calls != enough || strcmp(how, "last") == 0) continue;
        if (strcmp(how, "exit") == 0) exit(7);
        if (strcmp(how, "kill") == 0) kill(getpid(), SIGKILL);
        execl("/proc/self/exe", name, "again", NULL);
        _exit(96);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 2) return 98;
    how = argv[1];
    name = argv[0];
    if (strcmp(how, "again") == 0) return 7;
    begin_counting();
    int pairs[THREADS][2];
    for (int i = 0; i < THREADS; i++) counted_pair(SOCK_STREAM, pairs[i]);
    pthread_barrier_init(&together, NULL, THREADS);
    for (int round = 0; round < ROUNDS; round++) {
        enough = 50 + 13 * round;
        pid_t pid = MUST(fork());
        if (pid == 0) {
            // What the one before left unread is not this one's.
            for (int i = 0; i < THREADS; i++) {
                counted_close(pairs[i][0]);
                counted_close(pairs[i][1]);
            }
            for (int i = 0; i < THREADS; i++) counted_pair(SOCK_STREAM, pairs[i]);
            for (int i = 1; i < THREADS; i++) begin_thread(work, pairs[i]);
            if (strcmp(how, "last") == 0) {
                begin_thread(work, pairs[0]);
                pthread_exit(NULL);
            }
            work(pairs[0]);
        }
        const char *end = ended(pid), *expected = strcmp(how, "kill") == 0 ? "killed by signal 9" : strcmp(how, "last") ? "exited with 7" : "exited with 0";
        if (strcmp(end, expected)) {
            SAY("child %s\n", end);
            _exit(94);
        }
    }
    // Whatever they left behind is still theirs to use.
    char byte;
    for (int i = 0; i < THREADS; i++) {
        EXACTLY(1, write, pairs[i][0], write(pairs[i][0], "x", 1));
        EXACTLY(1, read, pairs[i][1], read(pairs[i][1], &byte, 1));
    }
    say_counts();
    return 0;
}
