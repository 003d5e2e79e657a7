// Copies from /dev/zero to /dev/null, argument 1 bytes a call, for argument 2 milliseconds, beside an open TCP pair, argument 3 more
// sockets and argument 4 sleeping threads. Reports the loop's time and how often it went round: what came before does not count.
#include "clock.h"
#include <sys/resource.h>

static char buffer[1 << 16];

static void *sleeps(void *argument) {
    for (;;) pause();
    return argument;
}

int main(int argc, char **argv) {
    CHECK(argc == 5);
    size_t bytes = atol(argv[1]);
    uint64_t wanted = atol(argv[2]) * UINT64_C(1000000);
    CHECK(bytes <= sizeof buffer);
    struct rlimit files;
    MUST(getrlimit(RLIMIT_NOFILE, &files));
    files.rlim_cur = files.rlim_max;
    MUST(setrlimit(RLIMIT_NOFILE, &files));

    struct sockaddr_in address;
    int pair[2], listener = listening(&address); // stays open: its number is not to become a file's
    connection(listener, &address, pair);
    for (int more = atoi(argv[3]); more > 0; more--) MUST(socket(AF_INET, SOCK_STREAM, 0));
    for (int more = atoi(argv[4]); more > 0; more--) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, sleeps, NULL) == 0);
    }
    int zero = MUST(open("/dev/zero", O_RDONLY)), null = MUST(open("/dev/null", O_WRONLY));

    uint64_t rounds = 0, spent, start = now();
    do {
        // So many between two looks at the clock that these do not count.
        for (int i = 0; i < 200; i++) {
            CHECK(read(zero, buffer, bytes) == (ssize_t)bytes);
            CHECK(write(null, buffer, bytes) == (ssize_t)bytes);
        }
        rounds += 200;
        spent = now() - start;
    } while (spent < wanted);
    report(spent, rounds);
    return 0;
}
