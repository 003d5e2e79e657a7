// Counts the calls that a program makes on sockets, in memory that it shares with its children, and says at the end what a trace of it
// must tell: a line for each call's name and descriptor with how many were begun, how many came back, the sum of their results where
// they succeeded, and how many failed with which error.
#ifndef COUNTING_H
#define COUNTING_H
#include "check.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

enum { DESCRIPTORS = 700, ERRORS = 7 };
#define COUNTED_CALLS(row)                                                                                                           \
    row(read) row(write) row(readv) row(writev) row(recvfrom) row(sendto) row(recvmsg) row(sendmsg) row(recvmmsg) row(sendmmsg)      \
    row(close) row(accept) row(accept4) row(connect) row(shutdown) row(socket) row(socketpair) row(dup) row(dup2) row(dup3)          \
    row(fcntl) row(getsockopt) row(setsockopt)
#define COUNTED_NUMBER(name) COUNTED_##name,
#define COUNTED_NAME(name) #name,
enum { COUNTED_CALLS(COUNTED_NUMBER) COUNTED_COUNT };
static const char *const counted_names[] = {COUNTED_CALLS(COUNTED_NAME)};
static const int counted_errors[ERRORS] = {EINTR, EAGAIN, EBADF, EFAULT, EPIPE, ECONNRESET, ENOTSOCK};

struct tally {
    atomic_long begun, done, sum, errors[ERRORS];
};
static struct tally (*tallies)[DESCRIPTORS];

static inline void begin_counting(void) {
    size_t size = sizeof *tallies * COUNTED_COUNT;
    tallies = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tallies == MAP_FAILED) _exit(98);
    alarm(200); // nobody is left behind by a test that failed
}

// The row of a call; those that take no descriptor have the first one.
static inline struct tally *tally_of(int name, int fd) {
    if (fd < -1 || fd >= DESCRIPTORS - 1) _exit(97);
    return &tallies[name][fd + 1];
}

static inline void came_back(struct tally *tally, long result) {
    int error = errno, kind = 0;
    if (result >= 0) tally->sum += result;
    else {
        while (kind < ERRORS && counted_errors[kind] != error) kind++;
        if (kind == ERRORS) {
            fprintf(stderr, "%s: unexpected %s\n", counted_names[(tally - tallies[0]) / DESCRIPTORS], strerrorname_np(error));
            _exit(96);
        }
        tally->errors[kind]++;
    }
    tally->done++;
    errno = error;
}

// Makes a call by whatever means, and counts it: COUNTED(recvfrom, fd, recv(fd, buffer, 1, 0)).
#define COUNTED(name, fd, call)                                          \
    ({                                                                   \
        struct tally *counted_tally = tally_of(COUNTED_##name, fd);      \
        counted_tally->begun++;                                          \
        long counted_result = (call);                                    \
        came_back(counted_tally, counted_result);                        \
        counted_result;                                                  \
    })

// What a call made without a C library gives, as that would give it.
static inline long or_errno(long result) {
    if (result < 0) errno = -result;
    return result < 0 ? -1 : result;
}

// The same for a call that must give this.
#define EXACTLY(expected, name, fd, call)                                                                                  \
    ({                                                                                                                     \
        long exactly_result = COUNTED(name, fd, call);                                                                     \
        if (exactly_result != (expected)) {                                                                                \
            fprintf(stderr, "%s:%d: %s gives %ld %s\n", __FILE__, __LINE__, #call, exactly_result, outcome(exactly_result)); \
            _exit(95);                                                                                                     \
        }                                                                                                                  \
        exactly_result;                                                                                                    \
    })

static inline void counted_pair(int type, int pair[2]) { EXACTLY(0, socketpair, -1, socketpair(AF_UNIX, type, 0, pair)); }
static inline void counted_close(int fd) { EXACTLY(0, close, fd, close(fd)); }

// A TCP connection over loopback: the client's end and the server's.
static inline void counted_connection(int pair[2]) {
    struct sockaddr_in address;
    int server = listening(&address);
    COUNTED(socket, -1, server);
    pair[0] = COUNTED(socket, -1, socket(AF_INET, SOCK_STREAM, 0));
    EXACTLY(0, connect, pair[0], connect(pair[0], (struct sockaddr *)&address, sizeof address));
    pair[1] = COUNTED(accept, server, accept(server, NULL, NULL));
    counted_close(server);
}

static inline pthread_t begin_thread(void *(*work)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, argument)) _exit(98);
    return thread;
}

// Every byte that the kernel took at one descriptor came out at the other, whether or not the thread that received it ever learned of it:
// a trace must come to that too. What is left in between is taken out here.
static inline void say_conserved(int from, int to) {
    char rest[4096];
    while (COUNTED(recvfrom, to, recv(to, rest, sizeof rest, MSG_DONTWAIT)) > 0) continue;
    SAY("conserved %d %d\n", from, to);
}

static inline void say_counts(void) {
    for (int name = 0; name < COUNTED_COUNT; name++)
        for (int row = 0; row < DESCRIPTORS; row++) {
            struct tally *tally = &tallies[name][row];
            if (tally->begun == 0) continue;
            SAY("counted %s %d %ld %ld %ld", counted_names[name], row - 1, tally->begun, tally->done, tally->sum);
            for (int i = 0; i < ERRORS; i++)
                if (tally->errors[i]) SAY(" %s %ld", strerrorname_np(counted_errors[i]), tally->errors[i]);
            SAY("\n");
        }
}
#endif
