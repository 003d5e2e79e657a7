// Proves how often a signal arrives: counts SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGWINCH until a byte (or the end) comes
// on standard input or SIGUSR2 arrives, and prints the counts. Says "ready" and its number when it counts, and each signal as it comes.
#include "check.h"

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGWINCH};
static volatile int counts[65], done;

static void handler(int number) {
    char text[] = "got 00\n";
    if (number == SIGUSR2) {
        done = 1;
        return;
    }
    counts[number]++;
    text[4] += number / 10;
    text[5] += number % 10;
    ssize_t ignored = write(1, text, 7); // a terminal that hung up takes nothing
    (void)ignored;
}

int main(int argc, char **argv) {
    alarm(200); // nobody is left behind by a test that failed
    // Blocked but in ppoll, so that none comes between the question and the wait.
    struct sigaction action = {.sa_handler = handler};
    sigset_t handled;
    sigemptyset(&handled);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaction(numbers[i], &action, NULL);
        sigaddset(&handled, numbers[i]);
    }
    sigaction(SIGUSR2, &action, NULL);
    sigaddset(&handled, SIGUSR2);
    sigprocmask(SIG_BLOCK, &handled, NULL);
    int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
    FILE *file = argc > 1 ? fopen(argv[1], "w") : NULL;
    SAY("ready %d\n", getpid());
    sigset_t none;
    sigemptyset(&none);
    struct pollfd input = {.fd = argc > 2 ? 0 : -1, .events = POLLIN};
    while (!done && ppoll(&input, 1, NULL, &none) <= 0) continue;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (counts[numbers[i]]) {
            SAY("signal %d: %d\n", numbers[i], counts[numbers[i]]);
            if (file) fprintf(file, "signal %d: %d\n", numbers[i], counts[numbers[i]]), fflush(file);
        }
    close(fd);
    return 0;
}
