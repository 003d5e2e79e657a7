// Proves that a program that nobody but root may look into (PR_SET_DUMPABLE) has its calls told all the same.
#include "check.h"
#include <sys/prctl.h>

int main(void) {
    MUST(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
    int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0)); // 3
    struct sockaddr_in address = loopback(9);
    SAY("connect: %s\n", outcome(connect(fd, (struct sockaddr *)&address, sizeof address)));
    SAY("write: %s\n", outcome(write(fd, "hidden", 6)));
    SAY("close: %s\n", outcome(close(fd)));
    return 0;
}
