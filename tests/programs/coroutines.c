// Counts calls of coroutines, which wait in them on small stacks of their own and go on in whichever thread has time for them: between
// two calls of a coroutine, its thread may have become another one.
#include "counting.h"
#include <semaphore.h>
#include <ucontext.h>

enum { COROUTINES = 24, THREADS = 3, ROUNDS = 12, STACK = 16384 };

struct coroutine {
    ucontext_t here, *back;
    int pair[2], number;
    bool over;
    atomic_bool waits;
};
static sem_t somebody_waits;
static struct coroutine all[COROUTINES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ready[COROUTINES], readies, left = COROUTINES;

__attribute__((noinline)) static void give_way(struct coroutine *self) { swapcontext(&self->here, self->back); }

static void run(unsigned low, unsigned high) {
    struct coroutine *self = (struct coroutine *)(((unsigned long)high << 32) | low);
    char text[16], came[16];
    for (int i = 0; i < ROUNDS; i++) {
        int length = snprintf(text, sizeof text, "%d:%d", self->number, i);
        EXACTLY(length, write, self->pair[0], write(self->pair[0], text, length));
        give_way(self);
        EXACTLY(length, recvfrom, self->pair[1], recv(self->pair[1], came, sizeof came, 0));
        if (memcmp(text, came, length)) _exit(94);
        give_way(self);
        // Now it waits in its call, and its thread with it, for what the first thread sends.
        struct iovec place = {came, sizeof came};
        self->waits = true;
        sem_post(&somebody_waits);
        EXACTLY(3, readv, self->pair[0], readv(self->pair[0], &place, 1));
        if (memcmp(came, "all", 3)) _exit(93);
    }
    self->over = true;
    give_way(self);
}

static void *work(void *unused) {
    ucontext_t here;
    for (;;) {
        pthread_mutex_lock(&lock);
        struct coroutine *next = readies ? &all[ready[0]] : NULL;
        if (next) memmove(ready, ready + 1, --readies * sizeof *ready);
        bool over = left == 0;
        pthread_mutex_unlock(&lock);
        if (over) return unused;
        if (!next) {
            sched_yield();
            continue;
        }
        next->back = &here;
        swapcontext(&here, &next->here);
        pthread_mutex_lock(&lock);
        if (next->over) left--;
        else ready[readies++] = next->number;
        pthread_mutex_unlock(&lock);
    }
}

int main(void) {
    begin_counting();
    for (int i = 0; i < COROUTINES; i++) {
        struct coroutine *each = &all[i];
        each->number = i;
        counted_pair(SOCK_STREAM, each->pair);
        // With a page that is nobody's below.
        char *stack = mmap(NULL, STACK + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        MUST(mprotect(stack, 4096, PROT_NONE));
        MUST(getcontext(&each->here));
        each->here.uc_stack = (stack_t){.ss_sp = stack + 4096, .ss_size = STACK};
        makecontext(&each->here, (void (*)(void))run, 2, (unsigned)(unsigned long)each, (unsigned)((unsigned long)each >> 32));
        ready[readies++] = i;
    }
    pthread_t threads[THREADS];
    sem_init(&somebody_waits, 0, 0);
    for (int i = 0; i < THREADS; i++) threads[i] = begin_thread(work, NULL);
    for (int i = 0; i < COROUTINES * ROUNDS; i++) {
        while (sem_wait(&somebody_waits)) continue;
        for (int j = 0; j < COROUTINES; j++)
            if (atomic_exchange(&all[j].waits, false)) EXACTLY(3, sendto, all[j].pair[1], send(all[j].pair[1], "all", 3, 0));
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    say_counts();
    return 0;
}
