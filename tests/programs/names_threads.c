// 50 threads ask the resolver at once, while one of them blocks all signals, and signals come to the process without end.
#include "check.h"
#include <netdb.h>

enum { THREADS = 50, TIMES = 20 };
static volatile sig_atomic_t seen;
static void count(int signal) { seen++; }

static void *ask(void *number) {
    sigset_t all, before, after;
    sigfillset(&all);
    if ((long)number == 0) pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    long right = 0;
    for (int at = 0; at < TIMES; at++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
        if (getaddrinfo("localhost", "80", &hints, &found) == 0) {
            right++;
            freeaddrinfo(found);
        }
        struct hostent host, *result;
        char place[8192];
        int error;
        right += gethostbyname_r("127.0.0.7", &host, place, sizeof place, &result, &error) == 0 && result;
    }
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    int same = 1;
    for (int signal = 1; signal < 32; signal++) same &= sigismember(&before, signal) == sigismember(&after, signal);
    if (!same) SAY("the mask has changed\n");
    return (void *)right;
}

int main(void) {
    struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};
    MUST(sigaction(SIGUSR1, &action, NULL));
    pthread_t threads[THREADS];
    for (long at = 0; at < THREADS; at++) pthread_create(&threads[at], NULL, ask, (void *)at);
    for (int at = 0; at < 2000; at++) kill(getpid(), SIGUSR1);
    long right = 0;
    for (int at = 0; at < THREADS; at++) {
        void *one;
        pthread_join(threads[at], &one);
        right += (long)one;
    }
    SAY("%ld answers, signals %s\n", right, seen > 0 ? "came" : "did not come");
}
