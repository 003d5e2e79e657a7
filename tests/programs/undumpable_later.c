// Proves that a program that has sockets when it closes itself to all eyes (PR_SET_DUMPABLE), and makes more then, has all of its calls
// told: as many as it says.
#include "check.h"
#include <sys/prctl.h>

static int calls;

static void use(int number) {
    int pair[2];
    char data[8];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    MUST(dup2(pair[0], number));
    MUST(write(number, "hidden", 6));
    MUST(read(pair[1], data, sizeof data));
    calls += 2;
    int file = MUST(open("/dev/zero", O_RDONLY));
    MUST(read(file, data, sizeof data));
    close(file);
    close(number);
    close(pair[0]);
    close(pair[1]);
}

int main(void) {
    use(20);
    MUST(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
    use(30);
    use(40);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        use(50);
        _exit(0);
    }
    calls += 2;
    SAY("child %s\n", ended(pid));
    SAY("calls: %d\n", calls);
    return 0;
}
