// Proves that a child forked after the program has had a thread is a process of its own: its close leaves the parent its socket,
// and its end, which comes last, is not the program's.
#include "check.h"

static void *work(void *unused) { return unused; }

int main(void) {
    int ready[2];
    char byte = '!';
    struct sockaddr_in address;
    MUST(pipe(ready));                                                                // 3 and 4
    int server = listening(&address), client = MUST(socket(AF_INET, SOCK_STREAM, 0)); // 5 and 6
    MUST(connect(client, (struct sockaddr *)&address, sizeof address));
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL)) return 98;
    pthread_join(thread, NULL);
    // No call on a socket comes between the thread and the fork.
    pid_t parent = getpid();
    if (MUST(fork()) == 0) {
        MUST(close(client));
        MUST(close(server));
        MUST(write(ready[1], &byte, 1));
        while (getppid() == parent) usleep(1000);
        _exit(3);
    }
    MUST(read(ready[0], &byte, 1));
    SAY("write: %s\n", outcome(write(client, "still open", 10)));
    MUST(close(client));
    MUST(close(server));
    return 7;
}
