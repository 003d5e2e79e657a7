// Proves that thousands of sockets at once, and at numbers far apart, are all told, and that files among them are read as they are.
// Makes as many pairs as argument 1 says; says how often it read from and wrote to sockets.
#include "check.h"
#include <sys/resource.h>

static long reads, writes;

static void talk(int fd, int peer) {
    unsigned sent = fd * 2654435761u, got = 0;
    writes += MUST(write(fd, &sent, sizeof sent)) == sizeof sent;
    reads += MUST(read(peer, &got, sizeof got)) == sizeof got;
    if (got != sent) _exit(97);
}

// Reads its own number from the file: the place in it is the number.
static void check_file(int fd) {
    int number = -1;
    MUST(lseek(fd, fd * sizeof number, SEEK_SET));
    if (MUST(read(fd, &number, sizeof number)) != sizeof number || number != fd) _exit(96);
}

static int numbers(void) {
    char name[] = "/tmp/many-sockets-XXXXXX";
    int fd = MUST(mkstemp(name)), values[4096];
    MUST(unlink(name));
    for (int block = 0; block < 4; block++) {
        for (int i = 0; i < 4096; i++) values[i] = block * 4096 + i;
        MUST(write(fd, values, sizeof values));
    }
    return fd;
}

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 1000, file = numbers();
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
    int (*pairs)[2] = calloc(count, sizeof *pairs), *files = calloc(count, sizeof *files), opened = 0;
    for (int i = 0; i < count; i++) {
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]));
        if (i % 3 == 0) files[opened++] = MUST(dup(file));
        talk(pairs[i][0], pairs[i][1]);
    }
    for (int i = 0; i < opened; i++) check_file(files[i]);
    for (int i = count - 1; i >= 0; i -= 7) talk(pairs[i][1], pairs[i][0]);
    SAY("%d pairs and %d files\n", count, opened);
    // Every second pair becomes two files.
    for (int i = 0; i < count; i += 2)
        for (int side = 0; side < 2; side++) {
            MUST(close(pairs[i][side]));
            MUST(dup2(file, pairs[i][side]));
        }
    for (int i = 0; i < count; i += 2) check_file(pairs[i][i / 2 % 2]);
    for (int i = 1; i < count; i += 2) talk(pairs[i][0], pairs[i][1]);
    // Far apart, as far as the limit allows.
    for (long far = 16; far < (long)limit.rlim_cur && far < 1 << 20; far = far * 3 + 1) {
        int fd = MUST(fcntl(pairs[1][0], F_DUPFD, (int)far));
        talk(fd, pairs[1][1]);
        MUST(close(fd));
    }
    SAY("reads %ld, writes %ld\n", reads, writes);
    return 0;
}
