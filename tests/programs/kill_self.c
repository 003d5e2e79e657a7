// Proves that a program that kills itself by a signal (argument 1) after some socket work ends just so.
#include "check.h"

int main(int argc, char **argv) {
    if (argc < 2) return 98;
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    MUST(write(pair[0], "last words", 10));
    SAY("about to go\n");
    kill(getpid(), atoi(argv[1]));
    // Signals that do not kill by default come past here.
    SAY("still here\n");
    return 3;
}
