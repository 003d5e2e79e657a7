// Proves that bad pointers and odd lengths give a program the kernel's own answers, in calls that it has made often before from the same
// place, and every time. Argument 1: unix or tcp. Says what each call gave, and what was in the buffers then.
#include "check.h"
#include <sys/ioctl.h>
#include <sys/mman.h>

// What the compiler sees wrong here is meant.
#pragma GCC diagnostic ignored "-Wnonnull"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"

enum { PAGE = 4096, TIMES = 6 };

static int a, b;
static char *pages, *hole, *end;

// What the call gives; where all times are alike, once.
static void tell(const char *what, const long *results, const int *errors) {
    for (int i = 0; i < TIMES; i++)
        if (i == 0 || results[i] != results[i - 1] || errors[i] != errors[i - 1])
            SAY("%-64s %ld %s\n", what, results[i], results[i] < 0 ? strerrorname_np(errors[i]) : "ok");
}

// Makes the call time and again; what has come to b or lies there beforehand is the same each time.
#define TRY(call)                                                                 \
    do {                                                                          \
        long results[TIMES];                                                      \
        int errors[TIMES];                                                        \
        for (int i = 0; i < TIMES; i++) {                                         \
            fill();                                                               \
            errno = 0;                                                            \
            results[i] = (call);                                                  \
            errors[i] = errno;                                                    \
        }                                                                         \
        tell(#call, results, errors);                                             \
    } while (0)

static void drain(int fd) {
    static char rest[1 << 16];
    while (recv(fd, rest, sizeof rest, MSG_DONTWAIT) > 0) continue;
}

// Both are empty but for ten bytes at b; the buffers hold what they did at first.
static void fill(void) {
    drain(a);
    drain(b);
    memset(pages, 'p', 2 * PAGE);
    memset(end - 8, 'e', 8);
    MUST(send(a, "ten bytes!", 10, 0));
    // TCP brings them at once over loopback, but not always before send is over.
    MUST(poll(&(struct pollfd){.fd = b, .events = POLLIN}, 1, -1));
}

static struct iovec *vector(int which) {
    static struct iovec vectors[][3] = {
        {{NULL, 4}, {NULL, 4}, {NULL, 2}},
        {{NULL, 0}, {NULL, 4}, {NULL, 2}},
        {{NULL, 4}, {NULL, -1}, {NULL, 2}},
        {{NULL, 4}, {(void *)8, 4}, {NULL, 2}},
    };
    vectors[which][0].iov_base = pages;
    if (which != 3) vectors[which][1].iov_base = hole - 2;
    vectors[which][2].iov_base = pages + 100;
    return vectors[which];
}

static struct msghdr *message(int which) {
    static struct msghdr header;
    header = (struct msghdr){.msg_iov = vector(which), .msg_iovlen = 3};
    return &header;
}

int main(int argc, char **argv) {
    if (argc < 2) return 98;
    alarm(200); // nobody is left behind by a test that failed
    signal(SIGPIPE, SIG_IGN);
    // Two pages, a hole, a page, and nothing behind it.
    pages = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hole = pages + 2 * PAGE;
    end = pages + 4 * PAGE;
    MUST(munmap(hole, PAGE));
    MUST(mprotect(end, PAGE, PROT_NONE));
    if (strcmp(argv[1], "tcp") == 0) {
        struct sockaddr_in address;
        int server = listening(&address);
        a = MUST(socket(AF_INET, SOCK_STREAM, 0));
        MUST(connect(a, (struct sockaddr *)&address, sizeof address));
        b = MUST(accept(server, NULL, NULL));
        MUST(close(server));
    } else {
        int pair[2];
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        a = pair[0];
        b = pair[1];
    }
    // Nothing waits.
    int yes = 1;
    MUST(ioctl(a, FIONBIO, &yes));
    MUST(ioctl(b, FIONBIO, &yes));

    TRY(recv(b, NULL, 0, 0));
    TRY(recv(b, NULL, 0, MSG_PEEK | MSG_TRUNC));
    TRY(recv(b, NULL, 4096, MSG_TRUNC));
    TRY(recv(b, NULL, 4096, MSG_PEEK | MSG_TRUNC));
    TRY(recv(b, (void *)8, 3, MSG_TRUNC));
    TRY(recv(b, NULL, 10, 0));
    TRY(recv(b, pages, 10, MSG_PEEK));
    TRY(recv(b, end - 4, 4, 0));
    TRY(memcmp(end - 4, "eeee", 4) ? -1 : 0);
    TRY(recv(b, end - 4, 10, 0));
    TRY(recv(b, hole - 4, 10, 0));
    TRY(recv(b, hole - 4, 4, 0) == 4 ? memcmp(hole - 4, "ten ", 4) : -1);
    TRY(recv(b, pages, SIZE_MAX, 0));
    TRY(recv(b, pages, SIZE_MAX >> 1, 0));
    TRY(recv(b, (void *)-1, 4, 0));
    TRY(recv(b, (void *)0xffff800000000000, 4, 0));
    TRY(read(b, NULL, 0));
    TRY(read(b, NULL, 4));
    TRY(read(b, hole - 4, 10));
    TRY(read(b, end - 4, 10));
    TRY(read(b, pages, SIZE_MAX));
    TRY(read(b, pages, 0x7ffff000));
    TRY(read(b, (char *)&main, 4));
    TRY(write(a, NULL, 0));
    TRY(write(a, NULL, 4));
    TRY(write(a, hole - 4, 10));
    TRY(write(a, end - 4, 4));
    TRY(write(a, end - 4, 8));
    TRY(write(a, hole, PAGE));
    TRY(write(a, hole - PAGE, 2 * PAGE));
    TRY(write(a, pages, SIZE_MAX));
    TRY(send(a, NULL, 4, MSG_NOSIGNAL));
    TRY(send(a, pages, SIZE_MAX, 0));
    TRY(send(a, "x", 1, MSG_OOB | 0x40000000));
    for (int which = 0; which < 4; which++) {
        SAY("-- vectors %d\n", which);
        TRY(readv(b, vector(which), 3));
        TRY(writev(a, vector(which), 3));
        TRY(recvmsg(b, message(which), 0));
        TRY(recvmsg(b, message(which), MSG_TRUNC | MSG_PEEK));
        TRY(sendmsg(a, message(which), 0));
    }
    TRY(readv(b, vector(0), -1));
    TRY(readv(b, vector(0), 0));
    TRY(readv(b, (void *)8, 2));
    TRY(readv(b, NULL, 1024));
    TRY(writev(a, vector(0), 1025));
    TRY(writev(a, (struct iovec *)(hole - 8), 1));
    TRY(writev(a, (struct iovec *)(end - 16), 2));
    TRY(recvmsg(b, NULL, 0));
    TRY(recvmsg(b, (void *)(hole - 8), 0));
    TRY(sendmsg(a, (void *)(end - 8), 0));
    TRY(recvfrom(b, pages, 10, 0, (void *)8, (void *)8));
    TRY(recvfrom(b, pages, 10, 0, (void *)pages, (void *)(hole - 2)));
    TRY(sendto(a, "y", 1, 0, (void *)(hole - 2), 16));
    TRY(syscall(SYS_sendmmsg, a, hole - 8, 3, 0));
    TRY(syscall(SYS_recvmmsg, b, hole - 8, 3, 0, NULL));
    // The numbers' upper halves are nobody's.
    TRY(syscall(SYS_read, (1L << 32) | b, pages, 10));
    TRY(syscall(SYS_recvfrom, b, pages, 10, 1L << 40, NULL, NULL));
    TRY(syscall(SYS_write, (-1L << 32) | a, "upper", 5));
    return 0;
}
