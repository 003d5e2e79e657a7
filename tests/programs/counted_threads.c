// Counts what many threads do at once by every call that sends and receives: over socketpairs or TCP (argument 1: pairs, tcp), from
// libc's code and from the program's own; or in threads that live for a few calls only, on stacks that others had before (short).
#include "counting.h"

enum { THREADS = 64, ROUNDS = 3, SPAWNERS = 4, LIVES = 60 };

static pthread_barrier_t together;

static long own(long number, long a, long b, long c, long d) {
    long result;
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = 0;
    register long sixth __asm__("r9") = 0;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth) : "rcx", "r11", "memory");
    return or_errno(result);
}

static void expect(const char *text, const char *came, size_t length) {
    if (memcmp(text, came, length)) _exit(94);
}

static void all_kinds(int a, int b, int thread, int round) {
    char text[40], came[80];
    int length = snprintf(text, sizeof text, "thread %d in round %d", thread, round);
    struct iovec parts[2] = {{text, 5}, {text + 5, length - 5}}, places[2] = {{came, 3}, {came + 3, sizeof came - 3}};
    struct msghdr out = {.msg_iov = parts, .msg_iovlen = 2}, in = {.msg_iov = places, .msg_iovlen = 2};
    struct mmsghdr several_out = {.msg_hdr = out}, several_in = {.msg_hdr = in};
    EXACTLY(length, write, a, write(a, text, length));
    EXACTLY(length, read, b, read(b, came, sizeof came));
    expect(text, came, length);
    EXACTLY(length, sendto, b, send(b, text, length, MSG_NOSIGNAL));
    EXACTLY(length, recvfrom, a, recv(a, came, sizeof came, 0));
    EXACTLY(length, writev, a, writev(a, parts, 2));
    EXACTLY(length, readv, b, readv(b, places, 2));
    expect(text, came, length);
    EXACTLY(length, sendmsg, b, sendmsg(b, &out, 0));
    EXACTLY(length, recvmsg, a, recvmsg(a, &in, 0));
    EXACTLY(1, sendmmsg, a, sendmmsg(a, &several_out, 1, 0));
    EXACTLY(1, recvmmsg, b, recvmmsg(b, &several_in, 1, 0, NULL));
    expect(text, came, length);
    EXACTLY(length, write, b, own(SYS_write, b, (long)text, length, 0));
    EXACTLY(4, read, a, own(SYS_read, a, (long)came, 4, 0));
    EXACTLY(length - 4, recvfrom, a, own(SYS_recvfrom, a, (long)came, sizeof came, 0));
    EXACTLY(-1, recvfrom, a, recv(a, came, sizeof came, MSG_DONTWAIT));
}

struct work {
    int thread, a, b;
};

static void *work(void *argument) {
    struct work *mine = argument;
    pthread_barrier_wait(&together);
    for (int round = 0; round < ROUNDS; round++) all_kinds(mine->a, mine->b, mine->thread, round);
    counted_close(mine->a);
    counted_close(mine->b);
    return NULL;
}

static void *short_life(void *argument) {
    struct work *mine = argument;
    char byte = 'x', came;
    EXACTLY(1, write, mine->a, write(mine->a, &byte, 1));
    EXACTLY(1, read, mine->b, own(SYS_read, mine->b, (long)&came, 1, 0));
    EXACTLY(1, sendto, mine->b, send(mine->b, &byte, 1, 0));
    return NULL;
}

static void *spawner(void *argument) {
    struct work *mine = argument;
    pthread_barrier_wait(&together);
    for (int i = 0; i < LIVES; i++) {
        char came;
        pthread_join(begin_thread(short_life, mine), NULL);
        EXACTLY(1, recvfrom, mine->a, recv(mine->a, &came, 1, 0));
    }
    counted_close(mine->a);
    counted_close(mine->b);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 2) return 98;
    begin_counting();
    bool lives_short = strcmp(argv[1], "short") == 0, by_tcp = strcmp(argv[1], "tcp") == 0;
    int count = lives_short ? SPAWNERS : THREADS, pair[2];
    pthread_t threads[THREADS];
    struct work all[THREADS];
    pthread_barrier_init(&together, NULL, count);
    for (int i = 0; i < count; i++) {
        if (by_tcp) counted_connection(pair);
        else counted_pair(SOCK_STREAM, pair);
        all[i] = (struct work){i, pair[0], pair[1]};
        threads[i] = begin_thread(lives_short ? spawner : work, &all[i]);
    }
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
    say_counts();
    return 0;
}
