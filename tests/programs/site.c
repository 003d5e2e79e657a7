// A library with a place of its own that makes calls, for counted_code.c: SYSCALL_AT says how many bytes of other code come before the
// instruction in a page that is otherwise alike. What one version has there is something else in the other.
#ifndef SYSCALL_AT
#define SYSCALL_AT 0
#endif
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

// long site(long number, long a, long b, long c): 16 bytes of nops in all, and the call among them.
__asm__(".text\n"
        ".p2align 12\n"
        ".globl site\n"
        ".type site, @function\n"
        "site:\n"
        "  mov %rdi, %rax\n"
        "  mov %rsi, %rdi\n"
        "  mov %rdx, %rsi\n"
        "  mov %rcx, %rdx\n"
        "  xor %r10d, %r10d\n"
        "  xor %r8d, %r8d\n"
        "  xor %r9d, %r9d\n"
        "  .fill " TEXT(SYSCALL_AT) ", 1, 0x90\n"
        "  syscall\n"
        "  .fill 16 - " TEXT(SYSCALL_AT) ", 1, 0x90\n"
        "  ret\n"
        // A number that code of this library computes from bytes that are a call's in the other one.
        ".p2align 6\n"
        ".globl version\n"
        ".type version, @function\n"
        "version:\n"
        "  mov $" TEXT(SYSCALL_AT) ", %eax\n"
        "  ret\n"
        ".section .note.GNU-stack,\"\",@progbits\n");
