// Proves that a signal handler interrupts a blocking accept as untraced: EINTR without SA_RESTART, no trace of it with it.
#include "check.h"
#include <sys/mman.h>

static volatile int handled;
static void handler(int signal) { handled += signal == SIGUSR1; }

// Sends SIGUSR1 to its parent when that sleeps in accept; with `port`, connects once the handler has run.
static pid_t helper(pid_t parent, const struct sockaddr_in *address, volatile int *seen) {
    pid_t pid = MUST(fork());
    if (pid != 0) return pid;
    until_asleep(parent);
    MUST(kill(parent, SIGUSR1));
    if (address) {
        while (!*seen) usleep(1000);
        int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
        MUST(connect(fd, (const struct sockaddr *)address, sizeof *address));
    }
    _exit(0);
}

static volatile int *shared;
static void shared_handler(int signal) { *shared = signal; }

int main(void) {
    struct sockaddr_in address;
    int server = listening(&address);
    struct sigaction action = {.sa_handler = handler};
    MUST(sigaction(SIGUSR1, &action, NULL));
    pid_t pid = helper(getpid(), NULL, NULL);
    SAY("without SA_RESTART: %s\n", outcome(accept(server, NULL, NULL)));
    SAY("handled %d, helper %s\n", handled, ended(pid));

    // The helper must see that the handler has run: its flag lies in shared memory.
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    action.sa_handler = shared_handler;
    action.sa_flags = SA_RESTART;
    MUST(sigaction(SIGUSR1, &action, NULL));
    pid = helper(getpid(), &address, shared);
    SAY("with SA_RESTART: %s\n", outcome(accept(server, NULL, NULL)));
    SAY("handled %s, helper %s\n", *shared == SIGUSR1 ? "yes" : "no", ended(pid));

    // poll is never restarted, whatever the flags.
    pid = helper(getpid(), NULL, NULL);
    struct pollfd poll_server = {.fd = server, .events = POLLIN};
    SAY("poll: %s\n", outcome(poll(&poll_server, 1, -1)));
    ended(pid);
    return 0;
}
