// A call made with marks in everything that it must leave alone, from a piece of code of any shape; says what it has changed: general
// registers, flags, the state of x87, SSE and AVX, and the memory below the stack pointer.
#ifndef REGISTERS_H
#define REGISTERS_H
#include "counting.h"
#include <stddef.h>

struct registers {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, flags;
};

// What the call is made with, and what it leaves. Not on the stack: while the call runs, no register is free to find it by.
struct registers given, left;
uint64_t vectors_given[16][4], own_stack, flags_stack[32];
unsigned char state_given[1024] __attribute__((aligned(64))), state_left[1024] __attribute__((aligned(64)));
unsigned char has_avx;

// Where the call is made: code that begins with all registers as given, and goes on at marked_done with those that the call has left.
void *shape;

// The stack is full of marks from here down to where marked_call looks again.
enum { BELOW = 128 + 1024, MARK = 0x5a };
unsigned char below[BELOW];

// void marked_call(void): makes the call that `given` describes by the code at `shape`. With rsp 0, the stack stays the caller's.
__asm__(".text\n"
        "marked_call:\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "  mov %rsp, own_stack(%rip)\n"
        "  lea -1152(%rsp), %rdi\n"
        "  mov $1152, %ecx\n"
        "  mov $0x5a, %eax\n"
        "  rep stosb\n"
        "  lea vectors_given(%rip), %rax\n"
        "  cmpb $0, has_avx(%rip)\n"
        "  je 2f\n"
        "  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "  vmovdqu 32*\\n(%rax), %ymm\\n\n"
        "  .endr\n"
        "  fldpi\n"
        "  mov $7, %eax; xor %edx, %edx\n"
        "  xsave state_given(%rip)\n"
        "  jmp 3f\n"
        "2:\n"
        "  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "  movdqu 32*\\n(%rax), %xmm\\n\n"
        "  .endr\n"
        "  fldpi\n"
        "  fxsave state_given(%rip)\n"
        "3:\n"
        "  cmpq $0, given+56(%rip)\n"
        "  je 1f\n"
        "  mov given+56(%rip), %rsp\n"
        "1:\n"
        "  mov given(%rip), %rax; mov given+8(%rip), %rbx; mov given+24(%rip), %rdx; mov given+32(%rip), %rsi\n"
        "  mov given+40(%rip), %rdi; mov given+48(%rip), %rbp; mov given+64(%rip), %r8; mov given+72(%rip), %r9\n"
        "  mov given+80(%rip), %r10; mov given+96(%rip), %r12; mov given+104(%rip), %r13; mov given+112(%rip), %r14\n"
        "  mov given+120(%rip), %r15\n"
        "  std; stc\n"
        "  jmp *shape(%rip)\n"
        ".globl marked_done\n"
        "marked_done:\n"
        "  mov %rax, left(%rip); mov %rbx, left+8(%rip); mov %rdx, left+24(%rip); mov %rsi, left+32(%rip)\n"
        "  mov %rdi, left+40(%rip); mov %rbp, left+48(%rip); mov %rsp, left+56(%rip); mov %r8, left+64(%rip)\n"
        "  mov %r9, left+72(%rip); mov %r10, left+80(%rip); mov %r12, left+96(%rip); mov %r13, left+104(%rip)\n"
        "  mov %r14, left+112(%rip); mov %r15, left+120(%rip); mov %rcx, left+16(%rip); mov %r11, left+88(%rip)\n"
        // The flags by a stack of their own: what lies below the other one is to be looked at.
        "  lea flags_stack+256(%rip), %rsp\n"
        "  pushfq; pop left+128(%rip)\n"
        "  cld\n"
        "  mov own_stack(%rip), %rsp\n"
        "  lea -1152(%rsp), %rsi\n"
        "  lea below(%rip), %rdi\n"
        "  mov $1152, %ecx\n"
        "  rep movsb\n"
        "  cmpb $0, has_avx(%rip)\n"
        "  je 2f\n"
        "  mov $7, %eax; xor %edx, %edx\n"
        "  xsave state_left(%rip)\n"
        "  vzeroupper\n"
        "  jmp 3f\n"
        "2:\n"
        "  fxsave state_left(%rip)\n"
        "3:\n"
        "  fstp %st(0)\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "  ret\n"
        // The plainest of shapes.
        "plain_shape:\n"
        "  syscall\n"
        "  jmp marked_done\n");
extern void marked_call(void);
extern char plain_shape[];

static int differences;

// Whether the code at `shape` itself writes below the stack pointer.
static bool shape_pushes;

static void differs(const char *call, const char *what, uint64_t before, uint64_t after) {
    differences++;
    SAY("%s: %s was %#lx, is %#lx\n", call, what, before, after);
}

// Makes a call with marks in all registers that are no arguments, on this stack (0) or with a stack pointer that leads anywhere.
static long raw(const char *name, uint64_t stack, long number, const long *arguments) {
    static uint64_t round;
    const uint64_t mark = 0x1122334455667700 + ++round * 0x0101010000000000;
    const long *a = arguments;
    given = (struct registers){number, mark, mark + 1, a[2], a[1], a[0], mark + 2, stack, a[4], a[5], a[3],
        mark + 3, mark + 4, mark + 5, mark + 6, mark + 7, 0};
    for (int i = 0; i < 16; i++) {
        vectors_given[i][0] = mark + i;
        vectors_given[i][1] = ~mark + i;
        vectors_given[i][2] = mark << 1;
        vectors_given[i][3] = ~mark << 1;
    }
    has_avx = __builtin_cpu_supports("avx") != 0;
    if (!shape) shape = plain_shape;
    marked_call();
#define SAME(field) \
    if (given.field != left.field) differs(name, #field, given.field, left.field)
    SAME(rbx); SAME(rdx); SAME(rsi); SAME(rdi); SAME(rbp); SAME(r8); SAME(r9); SAME(r10); SAME(r12); SAME(r13); SAME(r14); SAME(r15);
    if (stack == 0) stack = own_stack;
    if (left.rsp != stack) differs(name, "rsp", stack, left.rsp);
    // The carry and the direction as they were set; no trap flag.
    if ((left.flags & 0x501) != 0x401) differs(name, "flags", 0x401, left.flags);
    for (size_t i = 0; i < sizeof state_given; i++)
        if (state_given[i] != state_left[i]) {
            differs(name, "the state of vectors and x87 at a byte", i, i);
            break;
        }
    for (int i = 0; i < BELOW && !shape_pushes; i++)
        if (below[i] != MARK) {
            differs(name, "the stack below", i, below[i]);
            break;
        }
    return left.rax;
}

#define ARGUMENTS(...) ((long[6]){__VA_ARGS__})
#endif
