// Proves that a program's i386 calls (int $0x80) do what they do untraced, beside its x86_64 calls, which are told: also on sockets that
// an i386 call made. Without such calls in the kernel it says so.
#include "check.h"
#include <setjmp.h>
#include <sys/mman.h>

// Numbers of arch/x86/entry/syscalls/syscall_32.tbl. What they point to must lie in the first 4 GiB.
enum { I386_READ = 3, I386_WRITE = 4, I386_CLOSE = 6, I386_DUP = 41, I386_SOCKETCALL = 102, I386_SOCKETPAIR = 360 };

static long i386(long number, long a, long b, long c, long d) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "r8", "r9", "r10", "r11", "memory");
    return (int)result;
}

static sigjmp_buf back;
static void no_such_call(int signal) { siglongjmp(back, signal); }

int main(void) {
    char *low = mmap((void *)0x20000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (low == MAP_FAILED) return 98;
    int *pair = (int *)low, *arguments = pair + 2, own[2];
    char *text = low + 64, data[64] = "";
    SAY("begins\n");
    signal(SIGSEGV, no_such_call);
    if (sigsetjmp(back, 1)) {
        SAY("no i386 calls here\n");
        return 0;
    }
    SAY("socketpair: %ld\n", i386(I386_SOCKETPAIR, AF_UNIX, SOCK_STREAM, 0, (long)pair));
    int one = pair[0], other = pair[1];
    strcpy(text, "i386 to i386");
    SAY("write: %ld\n", i386(I386_WRITE, one, (long)text, 12, 0));
    SAY("read: %ld\n", i386(I386_READ, other, (long)text, 64, 0));
    strcpy(text, "i386 to x86_64");
    SAY("write: %ld\n", i386(I386_WRITE, one, (long)text, 14, 0));
    SAY("read: %zd %s\n", read(other, data, sizeof data), data);
    // Its own, beside them.
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, own));
    MUST(write(own[0], "x86_64 to i386", 14));
    SAY("read: %ld %.14s\n", i386(I386_READ, own[1], (long)text, 64, 0), text);
    long copy = i386(I386_DUP, own[0], 0, 0, 0);
    SAY("dup: %d\n", copy == own[1] + 1);
    SAY("write: %zd\n", write(copy, "by its copy", 11));
    SAY("read: %zd\n", read(own[1], data, sizeof data));
    arguments[0] = AF_INET;
    arguments[1] = SOCK_DGRAM;
    arguments[2] = 0;
    long inet = i386(I386_SOCKETCALL, 1, (long)arguments, 0, 0); // SYS_SOCKET
    struct sockaddr_in address = loopback(9);
    SAY("socketcall: %d, connect: %s\n", inet > 0, outcome(connect(inet, (void *)&address, sizeof address)));
    SAY("close: %ld\n", i386(I386_CLOSE, own[0], 0, 0, 0));
    SAY("and again: %ld\n", i386(I386_CLOSE, own[0], 0, 0, 0));
    int file = MUST(open("/dev/zero", O_RDONLY));
    SAY("file: %d, read: %zd\n", file == own[0], read(file, data, 4));
    MUST(close(file));
    MUST(close(one));
    return 7;
}
