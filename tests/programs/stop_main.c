// Proves that the first process of a trace can stop itself and be continued by its own child, as untraced.
#include "check.h"

int main(void) {
    int done[2];
    MUST(pipe(done));
    pid_t parent = getpid(), pid = MUST(fork());
    if (pid == 0) {
        // T is stopped, t is stopped as a tracee.
        for (char now = 0; now != 'T' && now != 't'; now = state(parent)) usleep(1000);
        // Again and again: under a tracer, 't' may also have been a stop at a call, before the one that matters.
        struct pollfd ready = {.fd = done[0], .events = POLLIN};
        do kill(parent, SIGCONT);
        while (poll(&ready, 1, 50) == 0);
        _exit(4);
    }
    int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
    raise(SIGSTOP);
    MUST(write(done[1], "!", 1));
    SAY("continued, close: %s\n", outcome(close(fd)));
    SAY("child %s\n", ended(pid));
    return 0;
}
