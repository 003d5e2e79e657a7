// A program's own traps are its own: its handler sees each, however many breakpoints of others its threads meet in between.
#include "check.h"
#include <netdb.h>

static volatile sig_atomic_t traps;
static void trapped(int signal, siginfo_t *info, void *context) { traps++; }

static void ask(void) {
    struct addrinfo *found;
    if (getaddrinfo("127.0.0.1", "80", NULL, &found) == 0) freeaddrinfo(found);
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO}, now;
    MUST(sigaction(SIGTRAP, &action, NULL));
    for (int at = 0; at < 10; at++) {
        ask();
        __asm__ volatile("int3");
        raise(SIGTRAP);
    }
    MUST(sigaction(SIGTRAP, NULL, &now));
    SAY("%d traps, the handler is %s\n", (int)traps, now.sa_sigaction == trapped ? "there" : "gone");
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    MUST(sigaction(SIGTRAP, &action, NULL));
    ask();
    MUST(sigaction(SIGTRAP, NULL, &now));
    SAY("ignored: %s\n", now.sa_handler == SIG_IGN ? "still" : "no more");
}
