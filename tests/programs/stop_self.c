// Proves that stops and continues are those of an untraced process, as its parent sees them by waitpid.
#include "check.h"

int main(void) {
    // A child that stops itself: we must see it stop, continue and exit, each once.
    int seen[2];
    char byte = '!';
    MUST(pipe(seen));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
        raise(SIGSTOP);
        MUST(read(seen[0], &byte, 1)); // it must not end before its parent has seen it continue
        SAY("child goes on, close: %s\n", outcome(close(fd)));
        _exit(5);
    }
    int status;
    MUST(waitpid(pid, &status, WUNTRACED));
    SAY("child stopped: %s by signal %d\n", WIFSTOPPED(status) ? "yes" : "no", WSTOPSIG(status));
    usleep(20000);
    SAY("nothing more to report: %s\n", waitpid(pid, &status, WUNTRACED | WCONTINUED | WNOHANG) == 0 ? "yes" : "no");
    MUST(kill(pid, SIGCONT));
    MUST(waitpid(pid, &status, WCONTINUED));
    SAY("child continued: %s\n", WIFCONTINUED(status) ? "yes" : "no");
    MUST(write(seen[1], &byte, 1));
    SAY("child %s\n", ended(pid));

    // A child that ignores SIGTSTP does not stop; one that gets SIGTSTP with its default action does.
    pid = MUST(fork());
    if (pid == 0) {
        signal(SIGTSTP, SIG_IGN);
        raise(SIGTSTP);
        _exit(6);
    }
    SAY("child that ignores SIGTSTP %s\n", ended(pid));

    // A stopped child that is killed.
    pid = MUST(fork());
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(97);
    }
    MUST(waitpid(pid, &status, WUNTRACED));
    MUST(kill(pid, SIGKILL));
    SAY("stopped child %s\n", ended(pid));

    // A stopped process that gets another signal sees it only when it is continued.
    pid = MUST(fork());
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(97);
    }
    MUST(waitpid(pid, &status, WUNTRACED));
    MUST(kill(pid, SIGTERM));
    usleep(20000);
    SAY("SIGTERM waits: %s\n", waitpid(pid, &status, WNOHANG) == 0 ? "yes" : "no");
    MUST(kill(pid, SIGCONT));
    SAY("continued child %s\n", ended(pid));
    return 0;
}
