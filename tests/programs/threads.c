// Proves that every one of a hundred threads is followed: each makes a socket, sends itself a datagram and closes it.
#include "check.h"

#define COUNT 100
static pthread_barrier_t together;

static void *work(void *argument) {
    char text[16] = "", back[16] = "";
    snprintf(text, sizeof text, "thread %ld", (long)argument);
    pthread_barrier_wait(&together);
    int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    MUST(bind(fd, (struct sockaddr *)&address, sizeof address));
    MUST(getsockname(fd, (struct sockaddr *)&address, &length));
    MUST(sendto(fd, text, sizeof text, 0, (struct sockaddr *)&address, length));
    MUST(recv(fd, back, sizeof back, 0));
    MUST(close(fd));
    return (void *)(long)(strcmp(text, back) == 0);
}

int main(void) {
    pthread_t threads[COUNT];
    long good = 0;
    pthread_barrier_init(&together, NULL, COUNT);
    for (long i = 0; i < COUNT; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)i)) return 98;
    for (int i = 0; i < COUNT; i++) {
        void *result;
        pthread_join(threads[i], &result);
        good += (long)result;
    }
    SAY("%ld threads got their own words back\n", good);
    return 0;
}
