// Argument 1 threads at once, each sends a byte through a socketpair of its own and back, argument 2 times. Reports the time of all
// and the number of round trips.
#include "clock.h"

static uint64_t count;

static void *work(void *argument) {
    int ends[2];
    char byte = 'x';
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    for (uint64_t i = 0; i < count; i++) {
        for (int from = 0; from < 2; from++) {
            MUST(write(ends[from], &byte, 1));
            CHECK(read(ends[1 - from], &byte, 1) == 1 && byte == 'x');
        }
    }
    return argument;
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    int number = atoi(argv[1]);
    count = atol(argv[2]);
    CHECK(number > 0 && number <= 64);
    pthread_t threads[number];
    uint64_t start = now();
    for (int i = 0; i < number; i++) CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
    for (int i = 0; i < number; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    report(now() - start, number * count);
    return 0;
}
