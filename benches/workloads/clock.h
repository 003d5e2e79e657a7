// What the workloads share beyond tests/programs/check.h: a clock, and the one line that each may say of itself.
#include "check.h"
#include <time.h>

// Nanoseconds since some moment.
static inline uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * UINT64_C(1000000000) + time.tv_nsec;
}

// Says how long the part that counts took, and how many operations it made.
static inline void report(uint64_t nanoseconds, uint64_t operations) {
    SAY("%llu %llu\n", (unsigned long long)nanoseconds, (unsigned long long)operations);
}

// Ends the program with status 98 when its work is not what it should be.
#define CHECK(condition) \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: %s is not so\n", __FILE__, __LINE__, #condition), _exit(98)))

// A TCP connection to a listener of ours: both ends.
static inline void connection(int listener, const struct sockaddr_in *address, int ends[2]) {
    ends[0] = MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(connect(ends[0], (const struct sockaddr *)address, sizeof *address));
    ends[1] = MUST(accept(listener, NULL, NULL));
}
