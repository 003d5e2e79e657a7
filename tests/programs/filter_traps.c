// Proves that a program that confines itself gets what its filter says, and for the place where it made the call, before its calls are
// hot (argument 2: before) or once they have been for long, in threads that go on meanwhile (hot). Argument 1 is the filter's answer to
// some of these calls: trap (the handler looks where the call was made and gives its result), errno, kill (to memfd_create and to mmap
// and mprotect with PROT_EXEC, none of which the program makes) or place (errno where the call comes from another place than the program's
// own). With dispatch, each thread allows calls from its own code only, now and then (PR_SET_SYSCALL_USER_DISPATCH).
#include "counting.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <ucontext.h>

enum { THREADS = 3, ROUNDS = 25, PEEK_AT = 0x77 };

static atomic_int differences, trapped;
static atomic_bool confined;
static const char *answer;
extern char own_call_begin[], own_site_next[], own_call_end[];

#define DIFFERS(...)      \
    do {                  \
        differences++;    \
        SAY(__VA_ARGS__); \
    } while (0)

// The program's own place for calls.
__asm__(".text\n"
        ".globl own_call, own_call_begin, own_site_next, own_call_end\n"
        "own_call_begin:\n"
        "own_call:\n"
        "  mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; mov %rcx, %rdx; mov %r8, %r10; xor %r8d, %r8d; xor %r9d, %r9d\n"
        "  syscall\n"
        "own_site_next:\n"
        "  ret\n"
        "own_call_end:\n");
extern long own_call(long number, long a, long b, long c, long d);

static void on_trap(int signal, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    trapped++;
    if (info->si_code != 1 || info->si_arch != AUDIT_ARCH_X86_64) DIFFERS("si_code %d, si_arch %#x\n", info->si_code, info->si_arch);
    if (info->si_call_addr != own_site_next) DIFFERS("the call was made at %p, not %p\n", info->si_call_addr, own_site_next);
    if (registers[REG_RIP] != (greg_t)own_site_next) DIFFERS("RIP is %#llx\n", registers[REG_RIP]);
    if (info->si_syscall != SYS_recvfrom) DIFFERS("the call was %d\n", info->si_syscall);
    if (registers[REG_R10] != PEEK_AT) DIFFERS("its fourth argument was %#llx\n", registers[REG_R10]);
    // What recvfrom with these flags gives here.
    registers[REG_RAX] = 1000 + registers[REG_RDX];
}

static void confine(void) {
    unsigned kill = SECCOMP_RET_KILL_PROCESS;
    unsigned to_peek = strcmp(answer, "trap") == 0 ? SECCOMP_RET_TRAP
        : strcmp(answer, "errno") == 0             ? SECCOMP_RET_ERRNO | EXDEV
                                                   : SECCOMP_RET_ALLOW;
    unsigned from_elsewhere = strcmp(answer, "place") == 0 ? SECCOMP_RET_ERRNO | EXDEV : to_peek;
    unsigned to_code = strcmp(answer, "kill") == 0 ? kill : SECCOMP_RET_ALLOW;
#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
    struct sock_filter code[] = {
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 7, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_recvfrom, 5, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        LOAD(args[2]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, to_code),
        LOAD(args[3]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PEEK_AT, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        LOAD(instruction_pointer),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(uint64_t)own_site_next, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, from_elsewhere),
        BPF_STMT(BPF_RET | BPF_K, to_peek),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program));
    confined = true;
}

static void use(int pair[2], int rounds) {
    char bytes[8];
    for (int i = 0; i < rounds; i++) {
        EXACTLY(4, write, pair[0], or_errno(own_call(SYS_write, pair[0], (long)"mine", 4, 0)));
        if (own_call(SYS_recvfrom, pair[1], (long)bytes, 8, 0) != 4 || memcmp(bytes, "mine", 4)) DIFFERS("recvfrom\n");
        if (EXACTLY(5, sendto, pair[1], send(pair[1], "other", 5, 0)) != 5 || recv(pair[0], bytes, 8, 0) != 5) DIFFERS("send and recv\n");
        // A call that the filter knows by its argument. The kernel knows no such flags for these sockets, or nothing is there to read.
        bool known = confined;
        long result = own_call(SYS_recvfrom, pair[1], (long)bytes, 8, PEEK_AT);
        long expected = !known ? result : strcmp(answer, "trap") == 0 ? 1008 : strcmp(answer, "errno") == 0 ? -EXDEV : result;
        if (result != expected) DIFFERS("recvfrom with flags gives %ld, not %ld\n", result, expected);
    }
}

static atomic_int running;

// Calls from elsewhere would be SIGSYS, as long as they are blocked.
static void use_dispatched(int pair[2]) {
    static _Thread_local volatile char selector;
    char bytes[8];
    MUST(prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, own_call_begin, own_call_end - own_call_begin, &selector));
    for (int i = 0; i < ROUNDS; i++) {
        selector = SYSCALL_DISPATCH_FILTER_BLOCK;
        long wrote = COUNTED(write, pair[0], or_errno(own_call(SYS_write, pair[0], (long)"mine", 4, 0))), came = own_call(SYS_recvfrom, pair[1], (long)bytes, 8, 0);
        selector = SYSCALL_DISPATCH_FILTER_ALLOW;
        if (wrote != 4 || came != 4) DIFFERS("write gives %ld, recvfrom %ld\n", wrote, came);
    }
    MUST(prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0));
}

static void *work(void *pair) {
    use(pair, ROUNDS);
    if (strcmp(answer, "dispatch") == 0) use_dispatched(pair);
    running++;
    while (!confined) use(pair, 1);
    use(pair, ROUNDS);
    return pair;
}

int main(int argc, char **argv) {
    if (argc < 3) return 98;
    begin_counting();
    answer = argv[1];
    SAY("begins\n"); // stdio has its buffer
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    MUST(sigaction(SIGSYS, &action, NULL));
    int pairs[THREADS + 1][2];
    for (int i = 0; i <= THREADS; i++) MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]));
    pthread_t threads[THREADS];
    if (strcmp(argv[2], "before") == 0) confine();
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, pairs[i])) return 98;
    use(pairs[THREADS], ROUNDS);
    while (running < THREADS) sched_yield();
    if (!confined) confine();
    use(pairs[THREADS], ROUNDS);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    if ((trapped > 0) != (strcmp(answer, "trap") == 0)) DIFFERS("trapped %d times\n", trapped);
    // A child has the filter too.
    pid_t pid = MUST(fork());
    if (pid == 0) {
        use(pairs[0], 30);
        _exit(3);
    }
    SAY("child %s\n", ended(pid));
    say_counts();
    SAY("differences: %d\n", differences);
    return 0;
}
