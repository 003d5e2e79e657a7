// Proves that a close_range that fails closes nothing: the sockets in its range are used and closed afterwards.
#include "check.h"

int main(void) {
    int pair[2];
    char back[16] = "";
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair)); // 3 and 4
    SAY("close_range: %s\n", outcome(syscall(SYS_close_range, 3, ~0U, 0xff0)));
    MUST(write(pair[0], "not closed", 10));
    MUST(read(pair[1], back, sizeof back));
    SAY("read: %s\n", back);
    MUST(close(pair[0]));
    MUST(close(pair[1]));
    return 0;
}
