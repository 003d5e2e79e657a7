// Proves that a program's hundredth descendant is traced as it is itself: it becomes itself again by exec as often as argument 1 says,
// each time with sockets at other numbers, and each hands one to the next. Says how often it read from and wrote to sockets.
#include "check.h"
#include <sys/resource.h>

int main(int argc, char **argv) {
    int left = argc > 1 ? atoi(argv[1]) : 10, calls = argc > 2 ? atoi(argv[2]) : 0, kept = argc > 3 ? atoi(argv[3]) : -1, pair[2];
    char byte = 'x', text[3][16];
    if (argc < 3) {
        struct rlimit limit;
        MUST(getrlimit(RLIMIT_NOFILE, &limit));
        limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
        MUST(setrlimit(RLIMIT_NOFILE, &limit));
    }
    if (kept >= 0) {
        // Its peer went with the last one.
        calls += MUST(read(kept, &byte, 1));
        MUST(close(kept));
    }
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    int number = MUST(fcntl(pair[0], F_DUPFD, left % 2 ? 10 + left : 2000 - left * 9));
    idle(A_WHILE);
    calls += MUST(write(pair[1], "y", 1));
    MUST(close(pair[0]));
    int file = MUST(open("/dev/zero", O_RDONLY | O_CLOEXEC));
    if (MUST(read(file, &byte, 1)) != 1 || byte != 0) _exit(97);
    if (left == 0) {
        SAY("calls: %d\n", calls);
        return 5;
    }
    snprintf(text[0], 16, "%d", left - 1);
    snprintf(text[1], 16, "%d", calls);
    snprintf(text[2], 16, "%d", number);
    execl("/proc/self/exe", argv[0], text[0], text[1], text[2], NULL);
    return 98;
}
