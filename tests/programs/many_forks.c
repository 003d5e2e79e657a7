// Proves that no event is lost: as many children as argument 1 says, one after the other, each of which makes and closes a socket.
#include "check.h"

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 10, status;
    for (int i = 0; i < count; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            MUST(close(MUST(socket(AF_INET, SOCK_DGRAM, 0))));
            _exit(0);
        }
        MUST(waitpid(pid, &status, 0));
        if (status) return 98;
    }
    return 5;
}
