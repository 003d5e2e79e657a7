// Proves that a socket put by dup2 where another thread writes all the time is seen from its first moment: says how many bytes came out
// of its other end.
#include "check.h"

static volatile int stop;

static void *write_on(void *fd) {
    while (!stop)
        if (write(*(int *)fd, "x", 1) != 1 && errno != EAGAIN) _exit(97); // the other end is read later
    return NULL;
}

int main(void) {
    int null = MUST(open("/dev/null", O_WRONLY)), pair[2];
    pthread_t thread;
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
    if (pthread_create(&thread, NULL, write_on, &null)) return 98;
    // Until the thread runs past its calls.
    for (int i = 0; i < 2000; i++) syscall(SYS_getppid);
    MUST(dup2(pair[0], null));
    usleep(5000);
    stop = 1;
    pthread_join(thread, NULL);
    MUST(close(pair[0]));
    MUST(close(null));
    char byte;
    int count = 0;
    while (MUST(recv(pair[1], &byte, 1, 0)) == 1) count++;
    SAY("%d\n", count);
    return 0;
}
