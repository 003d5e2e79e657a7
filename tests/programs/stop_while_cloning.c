// Proves that a stop stops every thread, those too that are just being made: a child does nothing but make threads that count, and
// once its parent has been told that it is stopped, the count stands still.
#include "check.h"
#include <stdatomic.h>
#include <sys/mman.h>

static atomic_long *count;

static void *work(void *unused) {
    for (int i = 0; i < 100000; i++) ++*count;
    return unused;
}

static void *make(void *unused) {
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, 65536);
    for (pthread_t thread;;)
        if (pthread_create(&thread, &detached, work, NULL)) usleep(1000);
    return unused;
}

int main(void) {
    int ran_on = 0, status;
    count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int round = 0; round < 30; round++) {
        long before = *count;
        pid_t pid = MUST(fork());
        if (pid == 0) {
            pthread_t thread;
            alarm(100); // nobody is left behind by a test that failed
            for (int i = 0; i < 2; i++) pthread_create(&thread, NULL, make, NULL);
            for (;;) pause();
        }
        while (*count < before + 300000 + 7000 * round) usleep(100);
        MUST(kill(pid, SIGSTOP));
        MUST(waitpid(pid, &status, WUNTRACED));
        if (!WIFSTOPPED(status)) return 98;
        before = *count;
        usleep(10000); // a thread that runs on counts meanwhile
        ran_on += *count != before;
        MUST(kill(pid, SIGKILL));
        MUST(waitpid(pid, &status, 0));
    }
    SAY("ran on while stopped: %d\n", ran_on);
    return 0;
}
