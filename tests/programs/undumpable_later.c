// Proves that a program that has sockets when it closes itself to all eyes (PR_SET_DUMPABLE), and makes more then, has all of its calls
// told: as many as it says.
#include "check.h"
#include <sys/prctl.h>

static int calls;

// A socket that talks to itself. (What socketpair stores in memory, nobody could see.)
static void use(int number) {
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    char data[8];
    int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
    MUST(bind(fd, (void *)&address, length));
    MUST(getsockname(fd, (void *)&address, &length));
    MUST(connect(fd, (void *)&address, length));
    MUST(dup2(fd, number));
    idle(A_WHILE);
    MUST(write(number, "hidden", 6));
    MUST(read(fd, data, sizeof data));
    calls += 2;
    MUST(close(fd));
    int file = MUST(open("/dev/zero", O_RDONLY));
    if (file != fd || MUST(read(file, data, sizeof data)) != sizeof data) _exit(97);
    MUST(close(file));
    MUST(close(number));
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
