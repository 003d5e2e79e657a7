// Two threads compute, argument 1 million steps each, while a third sends bytes through a socketpair and back until they are done.
// Reports the time of the slower one and its steps.
#include "clock.h"
#include <stdatomic.h>

static uint64_t steps, took[2], results[2];
static atomic_int done;

static void *computes(void *argument) {
    int which = (int)(intptr_t)argument;
    uint64_t start = now(), value = 1;
    for (uint64_t i = 0; i < steps; i++) value = value * 6364136223846793005u + 1442695040888963407u;
    results[which] = value;
    took[which] = now() - start;
    return NULL;
}

static void *chats(void *argument) {
    int ends[2];
    char byte = 'x';
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    while (!done) {
        for (int from = 0; from < 2; from++) {
            MUST(write(ends[from], &byte, 1));
            CHECK(read(ends[1 - from], &byte, 1) == 1 && byte == 'x');
        }
    }
    return argument;
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    steps = atol(argv[1]) * UINT64_C(1000000);
    pthread_t threads[3];
    CHECK(pthread_create(&threads[2], NULL, chats, NULL) == 0);
    for (intptr_t i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, computes, (void *)i) == 0);
    for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    done = 1;
    CHECK(pthread_join(threads[2], NULL) == 0);
    CHECK(results[0] == results[1]);
    report(took[0] > took[1] ? took[0] : took[1], steps);
    return 0;
}
