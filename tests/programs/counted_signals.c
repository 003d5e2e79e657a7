// Counts calls that signals come into the middle of, a thousand times a second: each of three readers waits for a byte that is sent only
// once another signal has come. Argument 1: restart or interrupt (SA_RESTART or not). Argument 2: thread (a timer of each reader's own),
// process (one for all, to whichever thread the kernel chooses) or abandon (as thread, but the handler jumps out of the call).
#include "counting.h"
#include <semaphore.h>
#include <setjmp.h>
#include <sys/time.h>
#include <time.h>

enum { READERS = 3, ROUNDS = 45, TALKERS = 4 };

struct reader {
    int own, peer;
    sem_t signalled, waiting;
    atomic_int round;
};
static struct reader readers[READERS];
static bool restarts, abandons, for_all;
static int bell[2];
static _Thread_local struct reader *volatile mine;
static _Thread_local volatile sig_atomic_t may_jump;
static _Thread_local sigjmp_buf out;

static void on_signal(int signal) {
    int error = errno;
    // A call on its own, between, before or after the instructions of the one that it came into.
    COUNTED(sendto, bell[0], send(bell[0], "!", 1, MSG_DONTWAIT));
    COUNTED(recvfrom, bell[1], recv(bell[1], &(char){0}, 1, MSG_DONTWAIT));
    if (for_all)
        for (int i = 0; i < READERS; i++) sem_post(&readers[i].signalled);
    else if (mine) sem_post(&mine->signalled);
    if (may_jump) {
        may_jump = 0;
        siglongjmp(out, 1);
    }
    errno = error;
}

static void down(sem_t *semaphore) {
    while (sem_wait(semaphore)) continue;
}

static long receive(int how, int fd) {
    char byte;
    struct iovec place = {&byte, 1};
    struct msghdr message = {.msg_iov = &place, .msg_iovlen = 1};
    switch (how) {
    case 0: return COUNTED(read, fd, read(fd, &byte, 1));
    case 1: return COUNTED(recvfrom, fd, recv(fd, &byte, 1, 0));
    default: return COUNTED(recvmsg, fd, recvmsg(fd, &message, 0));
    }
}

static void *read_on(void *argument) {
    struct reader *self = argument;
    timer_t timer;
    mine = self;
    struct sigevent event = {.sigev_notify = for_all ? SIGEV_NONE : SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    event._sigev_un._tid = gettid();
    MUST(timer_create(CLOCK_MONOTONIC, &event, &timer));
    MUST(timer_settime(timer, 0, &(struct itimerspec){{0, 1000000}, {0, 1000000}}, NULL));
    for (volatile int round = 1; round <= ROUNDS; round++) {
        self->round = round;
        sem_post(&self->waiting);
        for (;;) {
            if (abandons && sigsetjmp(out, 1)) continue;
            may_jump = abandons;
            long got = receive(round % 3, self->own);
            may_jump = 0;
            if (got == 1) break;
            if (restarts || got == 0 || errno != EINTR) _exit(94);
        }
    }
    MUST(timer_delete(timer));
    mine = NULL;
    self->round = ROUNDS + 1;
    sem_post(&self->signalled);
    return NULL;
}

// A byte for each round, once a signal has come in it. A call that was abandoned may have taken it along: then another one.
static void *send_on(void *argument) {
    struct reader *to = argument;
    for (int round = 1; round <= ROUNDS; round++) {
        down(&to->waiting);
        while (sem_trywait(&to->signalled) == 0) continue;
        // Where it has come further already, by a byte too many, its last post may be among those just taken.
        while (to->round == round) {
            down(&to->signalled);
            if (to->round > round) break;
            EXACTLY(1, sendto, to->peer, send(to->peer, "x", 1, 0));
            if (!abandons) break;
        }
    }
    return NULL;
}

static void *talk(void *argument) {
    int pair[2];
    char byte;
    counted_pair(SOCK_STREAM, pair);
    for (int i = 0; i < 200; i++) {
        EXACTLY(1, sendto, pair[0], send(pair[0], "y", 1, 0));
        EXACTLY(1, recvfrom, pair[1], recv(pair[1], &byte, 1, 0));
    }
    return argument;
}

int main(int argc, char **argv) {
    if (argc < 3) return 98;
    begin_counting();
    restarts = strcmp(argv[1], "restart") == 0;
    for_all = strcmp(argv[2], "process") == 0;
    abandons = strcmp(argv[2], "abandon") == 0;
    pthread_t threads[2 * READERS + TALKERS];
    int count = 0;
    counted_pair(SOCK_DGRAM, bell);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = restarts ? SA_RESTART : 0};
    MUST(sigaction(SIGUSR1, &action, NULL));
    MUST(sigaction(SIGALRM, &action, NULL));
    for (int i = 0; i < READERS; i++) {
        int pair[2];
        counted_pair(SOCK_STREAM, pair);
        readers[i].own = pair[0];
        readers[i].peer = pair[1];
        sem_init(&readers[i].signalled, 0, 0);
        sem_init(&readers[i].waiting, 0, 0);
    }
    alarm(0);
    if (for_all) MUST(setitimer(ITIMER_REAL, &(struct itimerval){{0, 1000}, {0, 1000}}, NULL));
    for (int i = 0; i < READERS; i++) {
        threads[count++] = begin_thread(read_on, &readers[i]);
        threads[count++] = begin_thread(send_on, &readers[i]);
    }
    for (int i = 0; i < TALKERS; i++) threads[count++] = begin_thread(talk, NULL);
    while (count > 0) pthread_join(threads[--count], NULL);
    if (for_all) MUST(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL));
    for (int i = 0; i < READERS; i++) say_conserved(readers[i].peer, readers[i].own);
    say_counts();
    return 0;
}
