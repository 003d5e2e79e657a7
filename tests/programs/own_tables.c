// Proves that close_range(CLOSE_RANGE_UNSHARE) parts two threads' descriptors though there is no socket yet: one then has a file where
// the other has a socket.
#include "check.h"
#include <linux/close_range.h>

static pthread_barrier_t turn;

static void *with_file(void *unused) {
    MUST(syscall(SYS_close_range, 100, 200, CLOSE_RANGE_UNSHARE));
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    int file = MUST(open("/dev/null", O_RDWR));
    MUST(write(file, "to a file", 9));
    MUST(close(file));
    SAY("file %d\n", file);
    pthread_barrier_wait(&turn);
    return unused;
}

int main(void) {
    pthread_t thread;
    int pair[2];
    pthread_barrier_init(&turn, NULL, 2);
    if (pthread_create(&thread, NULL, with_file, NULL)) return 98;
    pthread_barrier_wait(&turn);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    MUST(write(pair[0], "to a socket", 11));
    SAY("socket %d\n", pair[0]);
    pthread_join(thread, NULL);
    return 0;
}
