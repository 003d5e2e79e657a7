// Proves that calls are told wherever they are made from, and that a program may map whatever addresses it likes: it maps a page at
// 64 KiB and at every TiB, before and after its first socket, and writes to a socket by code in each. Where something has appeared in
// its memory with its first socket, others of its kind then have a page of their own there, from the start or in the other's place,
// or take the other away. The last message on each socket says how many there were before it.
#include "check.h"
#include <stdbool.h>
#include <sys/mman.h>

enum { PAGE = 4096, MAPPINGS = 256, PLACES = 4, FAR = 128, MARK = 0x5a };

static int pair[2], made;

// call(number, a, b, c): mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; mov %rcx, %rdx; syscall; ret.
static const unsigned char code[] = {0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x48, 0x89, 0xca, 0x0f, 0x05, 0xc3};
typedef long stub(long number, long a, const void *b, long c);

static char *map(unsigned long at, int flags) {
    return mmap((void *)at, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static void sockets(void) {
    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    idle(A_WHILE);
}

static void write_from(unsigned long at) {
    char text[64], back[64], *page = (char *)at;
    memcpy(page, code, sizeof code);
    long length = snprintf(text, sizeof text, "from %#lx", at);
    if (((stub *)page)(SYS_write, pair[0], text, length) != length || MUST(read(pair[1], back, sizeof back)) != length) _exit(97);
    made++;
}

static void finish(void) {
    char text[64];
    MUST(write(pair[0], text, snprintf(text, sizeof text, "that were %d", made)));
    made = 0;
    close(pair[0]);
    close(pair[1]);
}

// Where mappings begin.
static int mappings(unsigned long *starts) {
    static char text[1 << 16];
    int count = 0, fd = MUST(open("/proc/self/maps", O_RDONLY));
    size_t used = 0;
    for (ssize_t more; (more = MUST(read(fd, text + used, sizeof text - 1 - used))) > 0;) used += more;
    close(fd);
    text[used] = 0;
    for (char *line = strtok(text, "\n"); line && count < MAPPINGS; line = strtok(NULL, "\n")) starts[count++] = strtoul(line, NULL, 16);
    return count;
}

// A page of our own where the tracer's was, or would be.
static void own_pages(unsigned long *places, int count) {
    for (int i = 0; i < count; i++) {
        char *page = map(places[i], MAP_FIXED);
        if (page == MAP_FAILED) _exit(96);
        memset(page, MARK, PAGE);
    }
}

// Nobody else has written there.
static void still_own(unsigned long *places, int count) {
    for (int i = 0; i < count; i++)
        for (unsigned at = sizeof code; at < PAGE; at++)
            if (((char *)places[i])[at] != MARK) _exit(95);
}

static int one_of_its_kind(const char *how, unsigned long *places, int count) {
    bool own = strcmp(how, "from the start") == 0 || strcmp(how, "in its place") == 0;
    if (strcmp(how, "from the start") == 0) {
        own_pages(places, count);
        sockets();
    } else {
        sockets();
        write_from((unsigned long)map(0, 0));
        for (int i = 0; i < count; i++)
            if (strcmp(how, "taken away") == 0)
                munmap((void *)places[i], PAGE);
            else if (strcmp(how, "closed") == 0)
                mprotect((void *)places[i], PAGE, PROT_NONE);
        if (own) own_pages(places, count);
    }
    // From there, and from elsewhere; then with a number that was none before, and in a child.
    for (int round = 0; round < 2; round++) {
        for (int i = 0; own && i < count; i++) write_from(places[i]);
        write_from((unsigned long)map(0, 0));
        pair[0] = MUST(dup2(pair[0], 50 + round));
        idle(A_WHILE);
        if (own) still_own(places, count);
    }
    pid_t pid = MUST(fork());
    if (pid == 0) {
        sockets();
        MUST(dup2(pair[0], 60));
        idle(A_WHILE);
        made = 0;
        for (int i = 0; own && i < count; i++) write_from(places[i]);
        write_from((unsigned long)map(0, 0));
        if (own) still_own(places, count);
        finish();
        _exit(0);
    }
    SAY("child %s\n", ended(pid));
    finish();
    return 0;
}

static void another(char **argv, const char *how, unsigned long *places, int count) {
    pid_t pid = MUST(fork());
    if (pid == 0) {
        char text[PLACES][24], *arguments[PLACES + 3] = {argv[0], (char *)how};
        for (int i = 0; i < count; i++) {
            snprintf(text[i], sizeof text[i], "%#lx", places[i]);
            arguments[i + 2] = text[i];
        }
        execv("/proc/self/exe", arguments);
        _exit(98);
    }
    SAY("%s: %s\n", how, ended(pid));
}

// From pages all over, made before the first socket and after it.
static int far(void) {
    unsigned long pages[FAR];
    int count = 0, again = 0;
    for (int i = 0; i < FAR; i++) {
        unsigned long at = i ? (unsigned long)i << 40 : 0x10000;
        if (map(at, MAP_FIXED_NOREPLACE) != MAP_FAILED) pages[count++] = at;
    }
    sockets();
    for (int i = 0; i < count; i++) write_from(pages[i]);
    for (int i = 0; i < count; i++) {
        munmap((void *)pages[i], PAGE);
        again += map(pages[i] + (1 << 16), i % 2 ? MAP_FIXED : MAP_FIXED_NOREPLACE) != MAP_FAILED;
    }
    for (int i = 0; i < count; i++) write_from(pages[i] + (1 << 16));
    SAY("mapped %d and %d\n", count, again);
    finish();
    return 0;
}

int main(int argc, char **argv) {
    unsigned long places[PLACES], before[MAPPINGS], after[MAPPINGS];
    int count = 0;
    if (argc > 1) {
        for (int i = 2; i < argc && count < PLACES; i++) places[count++] = strtoul(argv[i], NULL, 0);
        return strcmp(argv[1], "far") == 0 ? far() : one_of_its_kind(argv[1], places, count);
    }
    SAY("begins\n"); // stdio has its buffer
    int was = mappings(before);
    sockets();
    int is = mappings(after);
    for (int i = 0; i < is && count < PLACES; i++) {
        bool known = false;
        for (int j = 0; j < was; j++) known |= before[j] == after[i];
        if (!known) places[count++] = after[i];
    }
    write_from((unsigned long)map(0, 0));
    finish();
    another(argv, "far", places, 0);
    const char *const ways[] = {"from the start", "in its place", "taken away", "closed"};
    for (int i = 0; i < 4; i++) another(argv, ways[i], places, count);
    return 0;
}
