// Proves that calls on files are not stopped beside sockets: argument 1 says how many sockets are held while a megabyte of zeroes is
// copied byte by byte, argument 2 whether other threads ("threads") are there. Says what the last socket gave at the end.
#include "check.h"
#include <sys/resource.h>

static void *sleep_on(void *end) {
    char byte;
    MUST(read(*(int *)end, &byte, 1));
    return NULL;
}

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 1, pair[2] = {-1, -1}, way[2];
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
    pthread_t thread;
    MUST(pipe(way));
    if (argc > 2 && pthread_create(&thread, NULL, sleep_on, &way[0])) return 98;
    for (int i = 0; i < count; i += 2) MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    int from = MUST(open("/dev/zero", O_RDONLY)), to = MUST(open("/dev/null", O_WRONLY));
    char byte;
    for (int i = 0; i < 100000; i++) {
        MUST(read(from, &byte, 1));
        MUST(write(to, &byte, 1));
    }
    MUST(write(pair[0], "all", 3));
    char back[8] = "";
    MUST(read(pair[1], back, sizeof back));
    SAY("%s\n", back);
    MUST(write(way[1], "x", 1));
    if (argc > 2) pthread_join(thread, NULL);
    return 0;
}
