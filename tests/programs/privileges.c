// Proves what privileges a program has: effective user, whether a setuid program would gain any.
#include "check.h"
#include <sys/prctl.h>

int main(void) {
    int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
    SAY("effective user %s, no_new_privs %d\n", geteuid() == getuid() ? "as real" : "other", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    close(fd);
    return 0;
}
