// Proves that dup2 over a socket and over a file is understood: whether a descriptor is a socket changes with it.
#include "check.h"

int main(void) {
    int pair[2], file = MUST(open("/dev/null", O_WRONLY)); // 3
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));       // 4 and 5
    MUST(write(file, "into the file", 13));
    MUST(dup2(pair[0], file)); // 3 is the socket now
    SAY("3: %s\n", outcome(write(file, "socket as 3", 11)));
    char back[32] = "";
    MUST(read(pair[1], back, sizeof back));
    SAY("peer read: %s\n", back);
    file = MUST(open("/dev/null", O_WRONLY)); // 6
    MUST(dup3(file, 3, O_CLOEXEC));           // 3 is a file again
    SAY("3: %s\n", outcome(write(3, "file as 3", 9)));
    int high = MUST(fcntl(pair[0], F_DUPFD, 20));
    SAY("F_DUPFD gives %d: %s\n", high, outcome(write(high, "socket as 20", 12)));
    MUST(close(pair[0]));
    SAY("4 is closed, 20 is open: %s\n", outcome(write(high, "by 20 alone", 11)));
    // The last descriptor of one socket goes because another takes its place.
    int lonely = MUST(socket(AF_INET, SOCK_DGRAM, 0));
    MUST(dup2(high, lonely));
    SAY("%d: %s\n", lonely, outcome(write(lonely, "in its place", 12)));
    return 0;
}
