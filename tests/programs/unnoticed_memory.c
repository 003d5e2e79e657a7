// Proves that a program's memory stays its own: its map changes by no more than two mappings, close together, when it makes sockets,
// heap and mmap go on where they were (in the program, in its child and after an exec), and, where argument 1 is "stack", code on the
// smallest of stacks leaves all around it untouched. Says what differs.
#include "check.h"
#include <sys/mman.h>
#include <ucontext.h>

enum { TEXT = 1 << 16, MAPPINGS = 256, PAGE = 4096 };

#define OURS 0x551000000000UL

struct map {
    char text[TEXT];
    char *lines[MAPPINGS];
    int count;
};

static struct map before, after;
static int differences;

static void differs(const char *what, const char *which) {
    differences++;
    SAY("%s: %s\n", what, which);
}

// Reads the map without any memory of its own, so that it is not in it.
static void look(struct map *map) {
    int fd = MUST(open("/proc/self/maps", O_RDONLY));
    size_t used = 0;
    for (ssize_t more; (more = MUST(read(fd, map->text + used, TEXT - 1 - used))) > 0;) used += more;
    close(fd);
    map->text[used] = 0;
    map->count = 0;
    for (char *line = strtok(map->text, "\n"); line && map->count < MAPPINGS; line = strtok(NULL, "\n")) map->lines[map->count++] = line;
}

// What was there before must be there still; what is new is a tracer's, and little.
static void compare(const char *when) {
    unsigned long first = -1UL, last = 0, start, end;
    int at = 0, added = 0;
    for (int i = 0; i < after.count; i++) {
        if (at < before.count && strcmp(after.lines[i], before.lines[at]) == 0) {
            at++;
            continue;
        }
        if (sscanf(after.lines[i], "%lx-%lx", &start, &end) != 2) _exit(98);
        // The recorder: its memory at the tracer's own addresses, a page of jumps near the code.
        if (start >= OURS && end <= OURS + (1UL << 32)) continue;
        if (end - start == PAGE && strstr(after.lines[i], " r-xp 00000000 00:00 0")) continue;
        if (start < first) first = start;
        if (end > last) last = end;
        added++;
    }
    if (at < before.count) differs(when, before.lines[at]);
    if (added > 2 || (added && last - first > 65536)) {
        differs(when, "too much is new");
        for (int i = 0; i < after.count; i++) SAY("  %s\n", after.lines[i]);
    }
}

// A page placed by the kernel, of another protection than the one before, so that the two do not become one mapping.
static char *page(void) {
    static int times;
    return mmap(NULL, PAGE, times++ % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void use(int fd, int peer) {
    char byte;
    MUST(write(fd, "x", 1));
    MUST(read(peer, &byte, 1));
    if (byte != 'x') differs("a byte", "is another");
}

static void check(const char *who) {
    char *heap = sbrk(0), *one = page();
    look(&before);
    look(&before); // now with the stack as deep as this goes
    int pair[2], many[40];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    use(pair[0], pair[1]);
    idle(A_WHILE);
    for (int i = 0; i < 40; i++) many[i] = MUST(dup2(pair[i % 2], 100 + 7 * i));
    idle(A_WHILE);
    use(many[0], many[1]);
    for (int i = 0; i < 40; i++) MUST(close(many[i]));
    look(&after);
    compare(who);
    char *two = page(), *three = page();
    if (one == MAP_FAILED || two != one - PAGE || three != two - PAGE) {
        differs(who, "mmap goes on elsewhere");
        SAY("  %p %p %p\n", one, two, three);
    }
    if (sbrk(0) != heap || sbrk(PAGE) != heap || sbrk(0) != heap + PAGE) differs(who, "the heap goes on elsewhere");
    memset(heap, 1, PAGE);
    for (char *each = three; each <= one; each += PAGE) munmap(each, PAGE);
    close(pair[0]);
    close(pair[1]);
}

// A coroutine with one page of stack, between two pages of marks.
static ucontext_t caller, coroutine;
static char area[3 * PAGE] __attribute__((aligned(4096)));
static int small_pair[2];

static long raw(long number, long a, long b, long c, long d) {
    long result;
    register long fourth __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
    return result;
}

static void on_a_small_stack(void) {
    static char byte;
    int fd = raw(SYS_socket, AF_INET, SOCK_DGRAM, 0, 0);
    raw(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (long)small_pair);
    for (int i = 0; i < A_WHILE; i++) raw(SYS_getppid, 0, 0, 0, 0);
    raw(SYS_write, small_pair[0], (long)"y", 1, 0);
    raw(SYS_read, small_pair[1], (long)&byte, 1, 0);
    raw(SYS_close, fd, 0, 0, 0);
    if (byte != 'y') differs("the small stack", "no byte came");
}

static void check_small_stack(void) {
    memset(area, 0x5a, sizeof area);
    MUST(getcontext(&coroutine));
    coroutine.uc_stack.ss_sp = area + PAGE;
    coroutine.uc_stack.ss_size = PAGE;
    coroutine.uc_link = &caller;
    makecontext(&coroutine, on_a_small_stack, 0);
    MUST(swapcontext(&caller, &coroutine));
    for (int i = 0; i < PAGE; i++)
        if (area[i] != 0x5a || area[2 * PAGE + i] != 0x5a) {
            differs("the small stack", "its neighbours have changed");
            break;
        }
    // It took a few hundred bytes; the rest of the page is as it was.
    for (int i = PAGE; i < 2 * PAGE - 2048; i++)
        if (area[i] != 0x5a) {
            differs("the small stack", "it was used further down than it reached");
            break;
        }
    close(small_pair[0]);
    close(small_pair[1]);
}

int main(int argc, char **argv) {
    const char *part = argc > 1 ? argv[1] : "the program";
    SAY("begins\n"); // stdio has its buffer
    if (strcmp(part, "stack") == 0) {
        for (int i = 0; i < 3; i++) check_small_stack();
    } else {
        check(part);
    }
    if (argc == 1) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            check("the child");
            _exit(differences);
        }
        SAY("child %s\n", ended(pid));
        pid = MUST(fork());
        if (pid == 0) {
            execl("/proc/self/exe", argv[0], "after exec", NULL);
            _exit(97);
        }
        SAY("child after exec %s\n", ended(pid));
    }
    SAY("differences: %d\n", differences);
    return differences;
}
