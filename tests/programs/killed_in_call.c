// Proves that a process that is killed from outside in the middle of a call is just gone: its parent sees SIGKILL, its peer EOF.
#include "check.h"

int main(void) {
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        char byte;
        close(pair[0]);
        recv(pair[1], &byte, 1, 0);
        _exit(97);
    }
    close(pair[1]);
    until_asleep(pid);
    MUST(kill(pid, SIGKILL));
    char byte;
    SAY("recv gives %zd\n", recv(pair[0], &byte, 1, 0));
    SAY("child %s\n", ended(pid));

    // The same with threads: all of them blocked, in calls of different kinds.
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    pid = MUST(fork());
    if (pid == 0) {
        pthread_t thread;
        void *receive(void *fd) {
            char one;
            recv((int)(long)fd, &one, 1, 0);
            return NULL;
        }
        close(pair[0]);
        for (int i = 0; i < 10; i++) pthread_create(&thread, NULL, receive, (void *)(long)pair[1]);
        struct sockaddr_in address;
        accept(listening(&address), NULL, NULL);
        _exit(97);
    }
    close(pair[1]);
    until_asleep(pid);
    MUST(kill(pid, SIGKILL));
    SAY("recv gives %zd\n", recv(pair[0], &byte, 1, 0));
    SAY("child with threads %s\n", ended(pid));
    return 0;
}
