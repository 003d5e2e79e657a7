// Counts calls on sockets whose numbers go from one to another at once, and to files and back, whose bytes (FILE) must never be told.
// Argument 1: handed (two threads hand a number to each other through memory alone, and use at once what has come there by each way
// there is), raced (threads make, use and close whatever they get, side by side), rights (by SCM_RIGHTS), closed (used after its close).
#include "counting.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

enum { ROUNDS = 8, RACERS = 6, RACES = 40 };

static int file, server;
static struct sockaddr_in address;

// Bytes of a file, by calls that sockets have too.
static void use_file(int fd) {
    char bytes[5];
    struct iovec place = {bytes, 5};
    if (lseek(fd, 0, SEEK_SET) || read(fd, bytes, 5) != 5 || memcmp(bytes, "FILE!", 5)) _exit(94);
    if (lseek(fd, 0, SEEK_SET) || readv(fd, &place, 1) != 5 || memcmp(bytes, "FILE!", 5)) _exit(94);
    if (lseek(fd, 0, SEEK_SET) || write(fd, "FILE!", 5) != 5) _exit(94);
    EXACTLY(-1, recvfrom, fd, recv(fd, bytes, 5, 0));
}

static void use_socket(int fd, int peer) {
    char bytes[8];
    EXACTLY(4, write, fd, write(fd, "sock", 4));
    EXACTLY(4, read, peer, read(peer, bytes, sizeof bytes));
    EXACTLY(5, sendto, peer, send(peer, "other", 5, 0));
    EXACTLY(5, recvfrom, fd, recv(fd, bytes, sizeof bytes, 0));
    if (memcmp(bytes, "other", 5)) _exit(93);
}

static int send_number(int way, int fd) {
    char control[CMSG_SPACE(sizeof fd)] = "";
    struct iovec vector = {"!", 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return EXACTLY(1, sendmsg, way, sendmsg(way, &message, 0));
}

static int receive_number(int way) {
    char byte, control[CMSG_SPACE(sizeof(int))];
    int fd;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    EXACTLY(1, recvmsg, way, recvmsg(way, &message, 0));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

static int another_file(int how, int number) {
    int fd, both[2];
    switch (how % 5) {
    case 0: fd = open("/proc/self/fd/3", O_RDWR); break;
    case 1: fd = COUNTED(dup2, file, dup2(file, number)); break;
    case 2: fd = COUNTED(dup3, file, dup3(file, number, O_CLOEXEC)); break;
    case 3: fd = fcntl(file, F_DUPFD, number); break;
    default:
        // Others first, one of each kind; all let go again.
        fd = eventfd(1, 0);
        if (fd != number || read(fd, &(uint64_t){0}, 8) != 8 || close(fd)) _exit(92);
        if (pipe(both) || both[0] != number || write(both[1], "FILE!", 5) != 5 || read(number, &(uint64_t){0}, 5) != 5 || close(both[1]) || close(number))
            _exit(92);
        fd = epoll_create1(0);
        if (fd != number || close(fd)) _exit(92);
        fd = timerfd_create(CLOCK_MONOTONIC, 0);
        if (fd != number || close(fd)) _exit(92);
        fd = open("/proc/self/fd/3", O_RDWR);
    }
    if (fd != number) _exit(92);
    return fd;
}

// The number is free; then it is one of a socket that is joined to the peer that comes back.
static int another_socket(int how, int number, int way[2]) {
    int pair[2], spare;
    if (how % 6 == 0) {
        int client = EXACTLY(number, socket, -1, socket(AF_INET, SOCK_STREAM, 0));
        EXACTLY(0, connect, client, connect(client, (struct sockaddr *)&address, sizeof address));
        return COUNTED(accept, server, accept(server, NULL, NULL));
    }
    if (how % 6 == 1) {
        // The client elsewhere, so that accept gets the number.
        spare = EXACTLY(number, socket, -1, socket(AF_INET, SOCK_STREAM, 0));
        int client = EXACTLY(number + 100, fcntl, spare, fcntl(spare, F_DUPFD_CLOEXEC, number + 100));
        counted_close(spare);
        EXACTLY(0, connect, client, connect(client, (struct sockaddr *)&address, sizeof address));
        EXACTLY(number, accept4, server, accept4(server, NULL, NULL, SOCK_CLOEXEC));
        return client;
    }
    counted_pair(SOCK_STREAM, pair);
    if (pair[0] != number) _exit(91);
    if (how % 6 == 2) return pair[1];
    // It moves away, and comes back by another way.
    spare = EXACTLY(pair[1] + 1, dup, number, dup(number));
    counted_close(number);
    switch (how % 6) {
    case 3: EXACTLY(number, dup2, spare, dup2(spare, number)); break;
    case 4: EXACTLY(number, fcntl, spare, fcntl(spare, F_DUPFD, number)); break;
    default:
        send_number(way[0], spare);
        if (receive_number(way[1]) != number) _exit(91);
    }
    counted_close(spare);
    return pair[1];
}

static atomic_int turn, number, its_peer;

static int until_other_than(int whose) {
    for (int tries = 1; turn == whose; tries++)
        if (tries % 20000 == 0) sched_yield();
    return turn;
}

// The other thread: uses a socket, ends it in one way or another, and puts a file in its place, until it is handed back.
static void *other(void *argument) {
    for (int i = 0; until_other_than(0) == 1; i++) {
        use_socket(number, its_peer);
        // dup2 and dup3 let go of it themselves.
        if (i % 5 != 1 && i % 5 != 2) counted_close(number);
        another_file(i, number);
        use_file(number);
        turn = 0;
    }
    return argument;
}

static void handed(void) {
    int way[2];
    counted_pair(SOCK_DGRAM, way);
    number = way[1] + 1;
    pthread_t thread = begin_thread(other, NULL);
    for (int i = 0; i < ROUNDS * 6; i++) {
        int peer = another_socket(i, number, way);
        its_peer = peer;
        if (i % 3) use_socket(number, peer);
        turn = 1;
        until_other_than(1);
        use_file(number);
        MUST(close(number));
        counted_close(peer);
    }
    turn = 2;
    pthread_join(thread, NULL);
}

static void *race(void *argument) {
    // Copies share their place in the file: each thread has one of its own.
    int self = *(int *)argument, own_file = MUST(open("/proc/self/fd/3", O_RDWR));
    for (int i = 0; i < RACES; i++) {
        int pair[2], fd = MUST(open("/proc/self/fd/3", O_RDWR));
        use_file(fd);
        if ((i + self) % 4 == 0) {
            pair[0] = COUNTED(socket, -1, socket(AF_INET, SOCK_DGRAM, 0));
            struct sockaddr_in own = loopback(0);
            MUST(bind(pair[0], (struct sockaddr *)&own, sizeof own));
            MUST(getsockname(pair[0], (struct sockaddr *)&own, &(socklen_t){sizeof own}));
            EXACTLY(0, connect, pair[0], connect(pair[0], (struct sockaddr *)&own, sizeof own));
            pair[1] = COUNTED(dup, pair[0], dup(pair[0]));
        } else counted_pair(SOCK_STREAM, pair);
        use_socket(pair[0], pair[1]);
        MUST(close(fd));
        int copy = COUNTED(dup, pair[1], dup(pair[1]));
        counted_close(pair[1]);
        fd = MUST(dup(own_file));
        int high = MUST(fcntl(own_file, F_DUPFD, 40 + self));
        use_socket(copy, pair[0]);
        use_file(fd);
        counted_close(copy);
        use_file(high);
        MUST(close(high));
        MUST(close(fd));
        counted_close(pair[0]);
    }
    return NULL;
}

static void raced(void) {
    pthread_t threads[RACERS];
    int numbers[RACERS];
    for (int i = 0; i < RACERS; i++) {
        numbers[i] = i;
        threads[i] = begin_thread(race, &numbers[i]);
    }
    for (int i = 0; i < RACERS; i++) pthread_join(threads[i], NULL);
}

static void rights(void) {
    int way[2], pair[2];
    counted_pair(SOCK_DGRAM, way);
    counted_pair(SOCK_STREAM, pair);
    for (int i = 0; i < 60; i++) {
        send_number(way[0], pair[0]);
        send_number(way[0], file);
        send_number(way[0], pair[1]);
        int one = receive_number(way[1]), between = receive_number(way[1]), two = receive_number(way[1]);
        use_file(between);
        use_socket(one, two);
        // Next time they come in another order.
        if (i % 2) MUST(close(between));
        counted_close(two);
        if (i % 2 == 0) MUST(close(between));
        counted_close(one);
        if (i % 3) {
            int fd = MUST(dup(file));
            use_file(fd);
            MUST(close(fd));
        }
    }
}

static void closed(void) {
    char byte;
    for (int i = 0; i < 60; i++) {
        int pair[2];
        counted_pair(SOCK_STREAM, pair);
        use_socket(pair[0], pair[1]);
        counted_close(pair[0]);
        counted_close(pair[1]);
        for (int times = 0; times < 2; times++) {
            EXACTLY(-1, write, pair[0], write(pair[0], "x", 1));
            EXACTLY(-1, read, pair[0], read(pair[0], &byte, 1));
            EXACTLY(-1, sendto, pair[1], send(pair[1], "x", 1, 0));
            EXACTLY(-1, recvfrom, pair[1], recv(pair[1], &byte, 1, 0));
            EXACTLY(-1, close, pair[0], close(pair[0]));
        }
        int fd = MUST(dup(file));
        use_file(fd);
        MUST(close(fd));
    }
}

int main(int argc, char **argv) {
    if (argc < 2) return 98;
    begin_counting();
    char path[] = "/tmp/counted-numbers-XXXXXX";
    file = MUST(mkstemp(path));
    MUST(unlink(path));
    MUST(write(file, "FILE!", 5));
    if (file != 3) _exit(99);
    server = listening(&address);
    COUNTED(socket, -1, server);
    if (strcmp(argv[1], "handed") == 0) handed();
    if (strcmp(argv[1], "raced") == 0) raced();
    if (strcmp(argv[1], "rights") == 0) rights();
    if (strcmp(argv[1], "closed") == 0) closed();
    say_counts();
    return 0;
}
