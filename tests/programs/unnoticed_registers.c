// Proves that a call changes nothing but its result: general registers, flags, vector registers and the memory below the stack
// pointer are as before, whichever call it is, also with a stack pointer that leads nowhere. Says what differs.
#include "check.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

struct registers {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, flags;
};

// What the call is made with, and what it leaves. Not on the stack: while the call runs, no register is free to find it by.
struct registers given, left;
uint64_t vectors_given[16][2], vectors_left[16][2], own_stack, flags_stack[32];

// The stack is full of marks from here down to where marked_call looks again.
enum { BELOW = 128 + 1024, MARK = 0x5a };
unsigned char below[BELOW];

// void marked_call(void): makes the call that `given` describes. With rsp 0, the stack stays the caller's.
__asm__(".text\n"
        "marked_call:\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "  mov %rsp, own_stack(%rip)\n"
        "  lea -1152(%rsp), %rdi\n"
        "  mov $1152, %ecx\n"
        "  mov $0x5a, %eax\n"
        "  rep stosb\n"
        "  lea vectors_given(%rip), %rax\n"
        "  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "  movdqu 16*\\n(%rax), %xmm\\n\n"
        "  .endr\n"
        "  cmpq $0, given+56(%rip)\n"
        "  je 1f\n"
        "  mov given+56(%rip), %rsp\n"
        "1:\n"
        "  mov given(%rip), %rax; mov given+8(%rip), %rbx; mov given+24(%rip), %rdx; mov given+32(%rip), %rsi\n"
        "  mov given+40(%rip), %rdi; mov given+48(%rip), %rbp; mov given+64(%rip), %r8; mov given+72(%rip), %r9\n"
        "  mov given+80(%rip), %r10; mov given+96(%rip), %r12; mov given+104(%rip), %r13; mov given+112(%rip), %r14\n"
        "  mov given+120(%rip), %r15\n"
        "  std; stc\n"
        "  syscall\n"
        "  mov %rax, left(%rip); mov %rbx, left+8(%rip); mov %rdx, left+24(%rip); mov %rsi, left+32(%rip)\n"
        "  mov %rdi, left+40(%rip); mov %rbp, left+48(%rip); mov %rsp, left+56(%rip); mov %r8, left+64(%rip)\n"
        "  mov %r9, left+72(%rip); mov %r10, left+80(%rip); mov %r12, left+96(%rip); mov %r13, left+104(%rip)\n"
        "  mov %r14, left+112(%rip); mov %r15, left+120(%rip)\n"
        // The flags by a stack of their own: what lies below the other one is to be looked at.
        "  lea flags_stack+256(%rip), %rsp\n"
        "  pushfq; pop left+128(%rip)\n"
        "  cld\n"
        "  mov own_stack(%rip), %rsp\n"
        "  lea -1152(%rsp), %rsi\n"
        "  lea below(%rip), %rdi\n"
        "  mov $1152, %ecx\n"
        "  rep movsb\n"
        "  lea vectors_left(%rip), %rax\n"
        "  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "  movdqu %xmm\\n, 16*\\n(%rax)\n"
        "  .endr\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "  ret\n");
extern void marked_call(void);

static int differences;

static void differs(const char *call, const char *what, uint64_t before, uint64_t after) {
    differences++;
    SAY("%s: %s was %#lx, is %#lx\n", call, what, before, after);
}

// Makes a call with marks in all registers that are no arguments, first on this stack, or with a stack pointer that leads nowhere.
static long raw(const char *name, bool no_stack, long number, const long *arguments) {
    static uint64_t round;
    const uint64_t mark = 0x1122334455667700 + ++round * 0x0101010000000000;
    const long *a = arguments;
    given = (struct registers){number, mark, mark + 1, a[2], a[1], a[0], mark + 2, no_stack ? 8 : 0, a[4], a[5], a[3],
        mark + 3, mark + 4, mark + 5, mark + 6, mark + 7, 0};
    for (int i = 0; i < 16; i++) {
        vectors_given[i][0] = mark + i;
        vectors_given[i][1] = ~mark + i;
    }
    marked_call();
#define SAME(field) \
    if (given.field != left.field) differs(name, #field, given.field, left.field)
    SAME(rbx); SAME(rdx); SAME(rsi); SAME(rdi); SAME(rbp); SAME(r8); SAME(r9); SAME(r10); SAME(r12); SAME(r13); SAME(r14); SAME(r15);
    uint64_t stack = no_stack ? 8 : own_stack;
    if (left.rsp != stack) differs(name, "rsp", stack, left.rsp);
    // The carry and the direction as they were set; no trap flag.
    if ((left.flags & 0x501) != 0x401) differs(name, "flags", 0x401, left.flags);
    for (int i = 0; i < 16; i++)
        if (memcmp(vectors_given[i], vectors_left[i], 16)) differs(name, "a vector register", i, vectors_left[i][0]);
    for (int i = 0; i < BELOW; i++)
        if (below[i] != MARK) {
            differs(name, "the stack below", i, below[i]);
            break;
        }
    return left.rax;
}

#define ARGUMENTS(...) ((long[6]){__VA_ARGS__})
#define CALL(name, ...) raw(#name, no_stack, SYS_##name, ARGUMENTS(__VA_ARGS__))

static void expect(const char *what, long expected, long result) {
    if (expected != result) differs(what, "result", expected, result);
}

// A call of each kind that a tracer may stop, may not stop, or may stop for the number that it had been made with once.
static void round_of_calls(bool no_stack) {
    char data[16] = "";
    int pair[2] = {-1, -1};
    expect("getppid", getppid(), CALL(getppid));
    int file = CALL(openat, AT_FDCWD, (long)"/dev/zero", O_RDONLY);
    int first = CALL(socket, AF_INET, SOCK_DGRAM, 0);
    expect("socket", file + 1, first);
    for (int i = 0; i < A_WHILE; i++) expect("getppid", getppid(), CALL(getppid));
    expect("socketpair", 0, CALL(socketpair, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, (long)pair));
    expect("read of nothing", -EAGAIN, CALL(read, pair[0], (long)data, 4));
    expect("write", 4, CALL(write, pair[0], (long)"four", 4));
    expect("read", 4, CALL(read, pair[1], (long)data, sizeof data));
    expect("the bytes", 0, memcmp(data, "four", 5));
    int copy = CALL(dup, pair[0]);
    expect("dup", pair[1] + 1, copy);
    static int higher = 100;
    higher++;
    expect("dup3", higher, CALL(dup3, pair[0], higher, O_CLOEXEC));
    for (int i = 0; i < A_WHILE; i++) expect("read of a file", 3, CALL(read, file, (long)data, 3));
    expect("close", 0, CALL(close, higher));
    expect("fcntl", O_RDWR | O_NONBLOCK, CALL(fcntl, copy, F_GETFL));
    expect("read of a file", 5, CALL(read, file, (long)data, 5));
    expect("dup2", pair[0], CALL(dup2, file, pair[0]));
    expect("read of a file at a socket's number", 6, CALL(read, pair[0], (long)data, 6));
    expect("sendto", 2, CALL(sendto, copy, (long)"to", 2, MSG_NOSIGNAL, 0, 0));
    expect("recvfrom", 2, CALL(recvfrom, pair[1], (long)data, 2, MSG_PEEK, 0, 0));
    struct pollfd ready = {.fd = pair[1], .events = POLLIN};
    expect("poll", 1, CALL(poll, (long)&ready, 1, -1));
    struct sockaddr_in peer = loopback(9);
    expect("connect", 0, CALL(connect, first, (long)&peer, sizeof peer));
    expect("mmap", -EBADF, CALL(mmap, 0, 4096, PROT_READ, MAP_PRIVATE, -1, 0));
    expect("unknown call", -ENOSYS, raw("an unknown call", no_stack, 0x12345, ARGUMENTS(0)));
    expect("socket of no family", -EAFNOSUPPORT, CALL(socket, 999, SOCK_DGRAM, 0));
    for (int fd = file; fd <= copy; fd++) expect("close", 0, CALL(close, fd));
    expect("read after close", -EBADF, CALL(read, pair[1], (long)data, 4));
    expect("close after close", -EBADF, CALL(close, pair[1]));
}

int main(void) {
    SAY("begins\n"); // stdio has its buffer
    round_of_calls(true);
    for (int i = 0; i < 3; i++) round_of_calls(i % 2);
    SAY("differences: %d\n", differences);
    return 0;
}
