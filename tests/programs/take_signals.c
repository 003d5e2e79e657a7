// Proves how often a signal arrives at a program that takes its signals by sigwait(3) or signalfd(2) (argument 1), so that no
// delivery shows. Says "ready" and its number, each signal as it comes, and after SIGUSR2 how often each came.
#include "check.h"
#include <sys/signalfd.h>

int main(int argc, char **argv) {
    int by_descriptor = argc > 1 && strcmp(argv[1], "signalfd") == 0, counts[65] = {0}, number = 0;
    alarm(200); // nobody is left behind by a test that failed
    sigset_t taken;
    sigfillset(&taken);
    sigdelset(&taken, SIGALRM);
    sigprocmask(SIG_BLOCK, &taken, NULL);
    int fd = MUST(signalfd(-1, &taken, 0));
    SAY("ready %d\n", getpid());
    for (;;) {
        if (by_descriptor) {
            struct signalfd_siginfo info;
            MUST(read(fd, &info, sizeof info));
            number = info.ssi_signo;
        } else if (sigwait(&taken, &number)) {
            return 98;
        }
        if (number == SIGUSR2) break;
        counts[number]++;
        SAY("got %02d\n", number);
    }
    for (number = 1; number < 65; number++)
        if (counts[number]) SAY("signal %d: %d\n", number, counts[number]);
    return 0;
}
