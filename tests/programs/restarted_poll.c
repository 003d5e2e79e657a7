// Proves that a poll that a stop has interrupted (the kernel goes on with it as restart_syscall(2)) is seen to its end.
#include "check.h"

int main(void) {
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair)); // 3 and 4
    pid_t parent = getpid(), pid = MUST(fork());
    if (pid == 0) {
        until_asleep(parent);
        MUST(kill(parent, SIGSTOP));
        while (state(parent) != 'T' && state(parent) != 't') usleep(1000); // t: under a tracer
        MUST(kill(parent, SIGCONT));
        until_asleep(parent);
        MUST(write(pair[1], "!", 1));
        _exit(0);
    }
    struct pollfd input = {.fd = pair[0], .events = POLLIN};
    SAY("poll: %d\n", MUST(poll(&input, 1, 100000)));
    SAY("child %s\n", ended(pid));
    return 0;
}
