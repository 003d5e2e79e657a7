// Proves that a tracee that wants to ptrace its own child is told no, as under any tracer, and goes on.
#include "check.h"
#include <sys/ptrace.h>

int main(void) {
    pid_t pid = MUST(fork());
    if (pid == 0) {
        long result = ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        SAY("PTRACE_TRACEME: %s\n", outcome(result));
        _exit(0);
    }
    SAY("child %s\n", ended(pid));
    pid = MUST(fork());
    if (pid == 0) {
        pause();
        _exit(97);
    }
    long result = ptrace(PTRACE_SEIZE, pid, NULL, NULL);
    SAY("PTRACE_SEIZE: %s\n", outcome(result));
    MUST(kill(pid, SIGKILL));
    SAY("child %s\n", ended(pid));
    int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
    SAY("close: %s\n", outcome(close(fd)));
    return 0;
}
