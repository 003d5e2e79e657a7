// Proves that each of sixteen busy threads has its turns, and that a signal gets through: they send as fast as they can until SIGTERM
// (or the signal that argument 2 names), which the main thread takes. Says "ready" after as many calls as argument 1 says; at the
// end, how many the slowest and the fastest thread made, and all together.
#include "check.h"
#include <semaphore.h>
#include <stdatomic.h>

#define COUNT 16
static atomic_long total, stop;
static long enough, calls[COUNT];
static sem_t ready;
static pthread_barrier_t together;

static void *work(void *argument) {
    long *mine = argument;
    int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
    pthread_barrier_wait(&together);
    while (!stop) {
        if (send(fd, "x", 1, 0) >= 0) _exit(97); // no peer: fails at once
        ++*mine;
        if (++total == enough) sem_post(&ready);
    }
    return NULL;
}

int main(int argc, char **argv) {
    alarm(200); // nobody is left behind by a test that failed
    enough = argc > 1 ? atol(argv[1]) : 1;
    sigset_t taken;
    sigemptyset(&taken);
    sigaddset(&taken, argc > 2 ? atoi(argv[2]) : SIGTERM);
    sigprocmask(SIG_BLOCK, &taken, NULL);
    sem_init(&ready, 0, 0);
    pthread_barrier_init(&together, NULL, COUNT);
    pthread_t threads[COUNT];
    for (int i = 0; i < COUNT; i++)
        if (pthread_create(&threads[i], NULL, work, &calls[i])) return 98;
    sem_wait(&ready);
    SAY("ready\n");
    int number;
    sigwait(&taken, &number);
    SAY("got %d\n", number);
    stop = 1;
    long least = -1UL >> 1, most = 0;
    for (int i = 0; i < COUNT; i++) {
        pthread_join(threads[i], NULL);
        if (calls[i] < least) least = calls[i];
        if (calls[i] > most) most = calls[i];
    }
    SAY("calls %ld %ld %ld\n", least, most, total);
    return 0;
}
