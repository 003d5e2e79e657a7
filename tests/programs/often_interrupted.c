// Proves that signals in a loop without calls are no obstacle to a filter: after the last of twenty it makes many calls that concern
// nobody, beside a socket.
#include "check.h"
#include <sys/time.h>

static volatile sig_atomic_t count;
static void handler(int signal) { count += signal == SIGALRM; }

int main(void) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 2000}, {0, 2000}}, never = {};
    int pair[2];
    MUST(sigaction(SIGALRM, &action, NULL));
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    MUST(setitimer(ITIMER_REAL, &often, NULL));
    while (count < 20) continue;
    MUST(setitimer(ITIMER_REAL, &never, NULL));
    for (int i = 0; i < 10000; i++) syscall(SYS_getppid);
    MUST(write(pair[0], "still", 5));
    SAY("done\n");
    return 0;
}
