// Proves that execve by a thread that is not the leader works while the leader and others are blocked in recv.
#include "check.h"

static int pair[2];
static pid_t tids[3];

static void *blocked(void *slot) {
    char byte;
    *(pid_t *)slot = gettid();
    recv(pair[0], &byte, 1, 0);
    return NULL;
}

static void *executes(void *name) {
    for (int i = 0; i < 3; i++) {
        while (!*(volatile pid_t *)&tids[i]) usleep(1000);
        until_asleep(tids[i]);
    }
    execl("/proc/self/exe", name, "again", NULL);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc > 1) {
        int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
        struct sockaddr_in address = loopback(9);
        SAY("one thread: %s, connect: %s\n", getpid() == gettid() ? "yes" : "no",
            outcome(connect(fd, (struct sockaddr *)&address, sizeof address)));
        return 7;
    }
    pthread_t thread;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    for (int i = 1; i < 3; i++)
        if (pthread_create(&thread, NULL, blocked, &tids[i])) return 98;
    if (pthread_create(&thread, NULL, executes, argv[0])) return 98;
    blocked(&tids[0]);
    return 97;
}
