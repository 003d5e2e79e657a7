// Proves that close-on-exec is honoured: after execve one socket is gone, one is still known, and a file has a socket's number.
#include "check.h"

int main(int argc, char **argv) {
    if (argc > 1) {
        SAY("kept: %s\n", outcome(write(3, "kept over exec", 14)));
        SAY("closed: %s\n", outcome(write(4, "closed by exec", 14)));
        SAY("set later: %s\n", outcome(write(5, "closed by FD_CLOEXEC", 20)));
        int file = MUST(open("/dev/null", O_WRONLY)); // 4, which was a socket before
        SAY("file %d: %s\n", file, outcome(write(file, "into the file", 13)));
        return 0;
    }
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    int high = MUST(fcntl(pair[1], F_DUPFD, 30));
    MUST(close(pair[1]));
    MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); // 4
    int later = MUST(socket(AF_INET, SOCK_DGRAM, 0));     // 5
    MUST(fcntl(later, F_SETFD, FD_CLOEXEC));
    SAY("peer is %d\n", high);
    execl("/proc/self/exe", argv[0], "again", NULL);
    return 97;
}
