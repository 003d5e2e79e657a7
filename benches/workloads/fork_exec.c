// Forks, executes argument 2 and waits for it, argument 1 times. Reports the time of all and how often.
#include "clock.h"

int main(int argc, char **argv) {
    CHECK(argc == 3);
    uint64_t count = atol(argv[1]), start = now();
    for (uint64_t i = 0; i < count; i++) {
        pid_t child = MUST(fork());
        if (child == 0) {
            execl(argv[2], argv[2], NULL);
            _exit(97);
        }
        CHECK(strcmp(ended(child), "exited with 0") == 0);
    }
    report(now() - start, count);
    return 0;
}
