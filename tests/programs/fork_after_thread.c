// Proves that a child forked after the program has had a thread is a process of its own: its close leaves the parent its socket,
// and its end, which comes last, is not the program's.
#include "check.h"

static void *work(void *unused) { return unused; }

int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL)) return 98;
    pthread_join(thread, NULL);
    struct sockaddr_in address;
    int server = listening(&address), client = MUST(socket(AF_INET, SOCK_STREAM, 0)); // 3 and 4
    MUST(connect(client, (struct sockaddr *)&address, sizeof address));
    pid_t parent = getpid(), pid = MUST(fork());
    if (pid == 0) {
        close(client);
        _exit(0);
    }
    SAY("first child %s\n", ended(pid));
    MUST(write(client, "still open", 10));
    MUST(close(client));
    MUST(close(server));
    if (MUST(fork()) == 0) {
        while (getppid() == parent) usleep(1000);
        _exit(3);
    }
    return 7;
}
