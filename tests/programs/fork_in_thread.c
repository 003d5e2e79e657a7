// Proves that a child forked by a thread that is not the leader is followed, and its status unchanged.
#include "check.h"

static void *work(void *unused) {
    (void)unused;
    pid_t pid = MUST(fork());
    if (pid == 0) {
        struct sockaddr_in address;
        int server = listening(&address), client = MUST(socket(AF_INET, SOCK_STREAM, 0));
        MUST(connect(client, (struct sockaddr *)&address, sizeof address));
        int peer = MUST(accept(server, NULL, NULL));
        MUST(write(client, "from the child", 14));
        char back[32] = "";
        MUST(read(peer, back, sizeof back));
        SAY("child read: %s\n", back);
        _exit(42);
    }
    SAY("child %s\n", ended(pid));
    return NULL;
}

int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL)) return 98;
    pthread_join(thread, NULL);
    return 0;
}
