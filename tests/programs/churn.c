// Proves nothing alone: makes, uses and closes sockets in as many threads as argument 1 says, and says a dot after every few, until it
// has said as many as argument 2 says; to be stopped, continued and killed at any moment. Where argument 3 is "exec", a thread that is
// not the first then becomes another program, which does the same alone, once.
#include "check.h"

static int threads, dots, executes;
static char *name;

static void *churn(void *first) {
    for (int i = 0;; i++) {
        int pair[2], back = -1;
        MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        idle(i % 10);
        MUST(write(pair[0], &i, sizeof i));
        MUST(read(pair[1], &back, sizeof back));
        if (back != i) _exit(97);
        MUST(close(pair[0]));
        int file = MUST(open("/dev/zero", O_RDONLY | O_CLOEXEC));
        MUST(read(file, &back, sizeof back));
        if (back != 0) _exit(96);
        MUST(close(file));
        MUST(close(pair[1]));
        if (!first || i % 5 != 0) continue;
        MUST(write(1, ".", 1));
        if (i / 5 + 1 < dots) continue;
        if (executes) {
            execl("/proc/self/exe", name, "1", "1", NULL);
            _exit(95);
        }
        _exit(9);
    }
    return NULL;
}

int main(int argc, char **argv) {
    alarm(200); // nobody is left behind by a test that failed
    name = argv[0];
    threads = argc > 1 ? atoi(argv[1]) : 1;
    dots = argc > 2 ? atoi(argv[2]) : 1;
    executes = argc > 3;
    pthread_t thread;
    for (int i = 1; i < threads; i++)
        if (pthread_create(&thread, NULL, churn, executes && i == 1 ? "first" : NULL)) return 98;
    churn(executes ? NULL : "first");
}
