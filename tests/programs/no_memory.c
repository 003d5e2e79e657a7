// Proves that sockets are seen where no filter can be added to those of the program: it may map no more memory. One thread waits in
// epoll_wait, another in read, while the first makes a socketpair; then they use it by plain read and write.
#include "check.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

static int waker, ends[2], way[2];
static pid_t waits;
static pthread_barrier_t together;

static void *wait_for_events(void *unused) {
    int all = MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    MUST(epoll_ctl(all, EPOLL_CTL_ADD, waker, &event));
    __atomic_store_n(&waits, gettid(), __ATOMIC_SEQ_CST);
    pthread_barrier_wait(&together);
    int ready = epoll_wait(all, &event, 1, -1);
    SAY("epoll_wait: %d %s\n", ready, outcome(ready));
    SAY("write: %zd\n", write(ends[0], "hello", 5));
    return unused;
}

static void *wait_for_bytes(void *unused) {
    char byte;
    pthread_barrier_wait(&together);
    MUST(read(way[0], &byte, 1));
    SAY("read: %zd\n", read(ends[1], (char[8]){0}, 8));
    return unused;
}

int main(void) {
    SAY("begins\n");
    MUST(waker = eventfd(0, 0));
    MUST(pipe(way));
    pthread_barrier_init(&together, NULL, 3);
    pthread_t threads[2];
    if (pthread_create(&threads[0], NULL, wait_for_events, NULL)) return 98;
    if (pthread_create(&threads[1], NULL, wait_for_bytes, NULL)) return 98;
    pthread_barrier_wait(&together);
    until_asleep(waits);
    struct rlimit none = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
    MUST(setrlimit(RLIMIT_AS, &none));
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    MUST(write(waker, &(uint64_t){1}, 8));
    pthread_join(threads[0], NULL);
    MUST(write(way[1], "x", 1));
    pthread_join(threads[1], NULL);
    return 0;
}
