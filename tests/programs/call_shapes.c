// Proves that a call leaves alone whatever it must, and does what it should, from code of every shape around the instruction: other
// instructions at once behind it, of all kinds that depend on where they stand, jumps to them and to it, data, the end of a page, another
// call; and on every kind of stack: small, odd, not to be written, nowhere. Argument "signals": a timer's handler also looks, thousands
// of times a second, whether the program is where its own code is. Argument "kernel": whether rcx and r11 are what the kernel leaves in them.
#include "registers.h"
#include <sys/time.h>
#include <ucontext.h>

enum { PAGE = 4096, TIMES = 12 };

// A shape's name, whether it pushes something itself, and its code. 99 is where the kernel returns to.
struct shape {
    const char *name;
    void *begin, *next;
    long pushes;
};
extern struct shape __start_shapes[], __stop_shapes[];
#define SHAPE(name, pushes, code)                                                                                             \
    __asm__(".text; .p2align 6; 97: " code "\n"                                                                              \
            ".pushsection .rodata; 96: .asciz \"" name "\"; .popsection\n"                                                   \
            ".pushsection shapes, \"aw\"; .balign 8; .quad 96b, 97b, 99b, " #pushes "; .popsection\n");

SHAPE("a short jump", 0, "syscall; 99: jmp 1f; .byte 0x0f, 0x0b; 1: jmp marked_done")
SHAPE("a comparison", 0, "syscall; 99: cmp $-4095, %rax; jae 1f; 1: stc; jmp marked_done")
SHAPE("a move of the result", 0, "syscall; 99: mov %rax, %rbx; xchg %rax, %rbx; mov given+8(%rip), %rbx; jmp marked_done")
SHAPE("an operand nearby", 0, "syscall; 99: cmpl $0x1234567, shape_constant(%rip); jne shape_wrong; stc; jmp marked_done")
SHAPE("an address nearby", 0, "syscall; 99: lea shape_constant(%rip), %rbx; cmpl $0x1234567, (%rbx); jne shape_wrong; stc\n"
                              "mov given+8(%rip), %rbx; jmp marked_done")
SHAPE("memory nearby", 0, "syscall; 99: decl shape_count(%rip); incl shape_count(%rip); jmp marked_done")
SHAPE("a jump if", 0, "syscall; 99: jc 1f; jmp shape_wrong; 1: jnc 2f; jmp marked_done; 2: jmp shape_wrong")
SHAPE("a jump by count", 0, "syscall; 99: jrcxz 1f; jmp marked_done; 1: jmp shape_wrong")
SHAPE("a loop", 0, "syscall; 99: loop 1f; jmp shape_wrong; 1: inc %rcx; stc; jmp marked_done")
SHAPE("a jump through memory", 0, "syscall; 99: jmp *shape_back(%rip)")
SHAPE("a call behind", 1, "syscall; 99: call 1f; jmp marked_done; 1: ret")
SHAPE("a return", 1, "call 1f; jmp marked_done; 1: syscall; 99: ret; .byte 0xcc, 0xcc, 0xcc, 0xcc")
SHAPE("a return, then another function", 1, "call 1f; call 2f; jmp marked_done; 1: syscall; 99: ret; 2: ret")
SHAPE("pushes", 1, "syscall; 99: push %rbx; push %rbp; pop %rbp; pop %rbx; jmp marked_done")
SHAPE("flags on the stack", 1, "syscall; 99: pushfq; testl $1, (%rsp); jz shape_wrong; popfq; jmp marked_done")
SHAPE("another call behind", 0, "syscall; mov %rax, %rbx; mov $39, %eax; syscall; 99: cmp %eax, shape_pid(%rip); jne shape_wrong\n"
                                "mov %rbx, %rax; stc; mov given+8(%rip), %rbx; jmp marked_done")
SHAPE("another call before", 0, "mov %rax, %rbx; mov $39, %eax; syscall; mov %rbx, %rax; syscall; 99: mov given+8(%rip), %rbx; jmp marked_done")
SHAPE("a target right behind", 0, "jmp 3f; 1: mov given(%rip), %rax; syscall; 99: 3: nop; decl shape_count(%rip); jnz 1b\n"
                                  "movl $2, shape_count(%rip); jmp marked_done")
SHAPE("a target one byte behind", 0, "jmp 3f; 1: mov given(%rip), %rax; syscall; 99: nop; 3: decl shape_count(%rip); jnz 1b\n"
                                     "movl $2, shape_count(%rip); jmp marked_done")
SHAPE("a target two bytes behind", 0, "jmp 3f; 1: mov given(%rip), %rax; syscall; 99: xchg %ax, %ax; 3: decl shape_count(%rip); jnz 1b\n"
                                      "movl $2, shape_count(%rip); jmp marked_done")
SHAPE("itself a target", 0, "mov $39, %eax; jmp 1f; 2: mov given(%rip), %rax; 1: syscall; 99: decl shape_count(%rip); jnz 2b\n"
                            "movl $2, shape_count(%rip); jmp marked_done")
SHAPE("data behind", 0, "syscall; 99: jmp 1f; 3: .long 0x11223344; 1: cmpl $0x11223344, 3b(%rip); jne shape_wrong; stc; jmp marked_done")
SHAPE("data before", 0, "jmp 1f; 3: .long 0x11223344; 1: syscall; 99: cmpl $0x11223344, 3b(%rip); jne shape_wrong; stc; jmp marked_done")
SHAPE("itself data of another", 0, "mov %rax, %rbx; 1: .byte 0xb8, 0x0f, 0x05; 99: .byte 0x90, 0x90; cmp $0x9090050f, %eax; je 2f\n"
                                   "mov given+8(%rip), %rbx; stc; jmp marked_done\n"
                                   "2: mov %rbx, %rax; stc; jmp 1b + 1")
SHAPE("a prefix", 0, ".byte 0x48; syscall; 99: jmp marked_done")
SHAPE("another prefix", 0, ".byte 0xf3; syscall; 99: nopl 0(%rax, %rax); jmp marked_done")
SHAPE("long nops", 0, "syscall; 99: nopw 0x0(%rax, %rax, 1); endbr64; jmp marked_done")
SHAPE("a vector", 0, "syscall; 99: movdqu %xmm3, shape_vector(%rip); jmp marked_done")
SHAPE("a locked instruction", 0, "syscall; 99: lock incl shape_changes(%rip); stc; jmp marked_done")
SHAPE("shifts", 0, "syscall; 99: rol $1, %rbx; ror $1, %rbx; stc; jmp marked_done")

// What a shape finds wrong itself gives a result that no call has.
__asm__(".text; shape_wrong: mov $-9999, %rax; mov given+8(%rip), %rbx; stc; jmp marked_done");

uint32_t shape_constant = 0x1234567, shape_count = 2, shape_pid, shape_changes;
uint64_t shape_vector[2];
extern char marked_done[];
void *shape_back = marked_done;

static struct {
    unsigned long start, end;
} own_code[64];
static int own_codes;
static volatile long strange, looks;

static void know(void *start, size_t length) {
    own_code[own_codes].start = (unsigned long)start;
    own_code[own_codes++].end = (unsigned long)start + length;
}

// Every place that has code now is the program's or a library's.
static void know_own_code(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512], rights[5];
    unsigned long start, end;
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3 && rights[2] == 'x') know((void *)start, end - start);
    fclose(maps);
}

static void look(int signal, siginfo_t *info, void *context) {
    unsigned long at = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    bool known = false;
    for (int i = 0; i < own_codes; i++) known |= own_code[i].start <= at && at < own_code[i].end;
    if (!known) strange = at;
    looks++;
}

static bool ask_kernel;
static int pair[2];

static void expect(const char *name, const char *what, long expected, long result) {
    if (expected == result) return;
    differences++;
    SAY("%s: %s gives %ld, not %ld\n", name, what, result, expected);
}

static void check(const char *name, void *begin, void *next, bool pushes, const uint64_t *stacks, int count) {
    char bytes[16];
    shape = begin;
    shape_pushes = pushes;
    for (int i = 0; i < TIMES; i++) {
        uint64_t stack = stacks[i % count];
#define CALL(number, ...) raw(name, stack, number, ARGUMENTS(__VA_ARGS__))
        expect(name, "write", 4, COUNTED(write, pair[0], CALL(SYS_write, pair[0], (long)"four", 4)));
        expect(name, "recvfrom", 4, CALL(SYS_recvfrom, pair[1], (long)bytes, sizeof bytes));
        expect(name, "the bytes", 0, memcmp(bytes, "four", 4));
        expect(name, "read", -EAGAIN, CALL(SYS_read, pair[1], (long)bytes, 1));
        expect(name, "getppid", getppid(), CALL(SYS_getppid, 0));
        if (ask_kernel && next) {
            expect(name, "rcx", (long)next, left.rcx);
            expect(name, "r11", 0x401, left.r11 & 0x501);
        }
    }
}

// Where there is no room: at the end or the beginning of what is mapped, or half in one page and half in the next.
static void check_edges(const uint64_t *stacks, int count) {
    unsigned char *pages = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *middle = pages + 2 * PAGE, *end = pages + 3 * PAGE;
    know(pages, 4 * PAGE);
    MUST(mprotect(pages, PAGE, PROT_NONE));
    MUST(mprotect(end, PAGE, PROT_NONE));
    // jmp *marked_done, by an address that lies far from all edges.
    unsigned char *away = pages + PAGE + 256;
    memcpy(away, (unsigned char[]){0xff, 0x25, 0, 0, 0, 0}, 6);
    memcpy(away + 6, &shape_back, 8);
    static const unsigned char call[] = {0x0f, 0x05};
    // syscall; jmp rel8, to the last byte of the mapping; the jump leads to one by rel32 a little before.
    unsigned char *hop = end - 16;
    int distance = away - (hop + 5);
    hop[0] = 0xe9;
    memcpy(hop + 1, &distance, 4);
    memcpy(end - 4, call, 2);
    end[-2] = 0xeb;
    end[-1] = (unsigned char)(hop - end);
    check("at the end of a mapping", end - 4, end - 2, false, stacks, count);
    // syscall; jmp rel32, as the first thing in a mapping.
    unsigned char *first = pages + PAGE;
    memcpy(first, call, 2);
    distance = away - (first + 7);
    first[2] = 0xe9;
    memcpy(first + 3, &distance, 4);
    check("at the beginning of a mapping", first, first + 2, false, stacks, count);
    // At each distance from the border of two pages, which are no longer one mapping the second time.
    for (int twice = 0; twice < 2; twice++) {
        for (int before = 1; before <= 6; before++) {
            unsigned char *at = middle - before;
            MUST(mprotect(middle, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
            memcpy(at, call, 2);
            distance = away - (at + 7);
            at[2] = 0xe9;
            memcpy(at + 3, &distance, 4);
            if (twice) MUST(mprotect(middle, PAGE, PROT_READ | PROT_EXEC));
            check("across two pages", at, at + 2, false, stacks, count);
        }
    }
}

int main(int argc, char **argv) {
    SAY("begins\n"); // stdio has its buffer
    begin_counting();
    shape_pid = getpid();
    ask_kernel = argc > 1 && strcmp(argv[1], "kernel") == 0;
    know_own_code();
    char *pages = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE));
    MUST(mprotect(pages + 2 * PAGE, PAGE, PROT_READ));
    const uint64_t small = (uint64_t)pages + PAGE;
    // The program's own; 16 bytes left; none left; nowhere; odd; where nothing can be written.
    const uint64_t stacks[] = {0, small + 16, small, 8, small + 2001, small + PAGE + 512};
    const uint64_t good[] = {0, small + 16};
    static char for_signals[65536];
    MUST(sigaltstack(&(stack_t){.ss_sp = for_signals, .ss_size = sizeof for_signals}, NULL));
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
    bool signals = argc > 1 && strcmp(argv[1], "signals") == 0;
    if (signals) {
        struct sigaction action = {.sa_sigaction = look, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
        MUST(sigaction(SIGALRM, &action, NULL));
        MUST(setitimer(ITIMER_REAL, &(struct itimerval){{0, 300}, {0, 300}}, NULL));
    }
    int rounds = 0;
    do {
        for (struct shape *each = __start_shapes; each < __stop_shapes; each++) {
            if (each->pushes) check(each->name, each->begin, each->next, true, good, 2);
            else check(each->name, each->begin, each->next, false, stacks, 6);
        }
    } while (signals && looks < 200 && ++rounds < 5);
    check_edges(stacks, 6);
    MUST(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL));
    if (strange) SAY("a signal found the program at %#lx, which is no code of it\n", strange);
    say_counts();
    SAY("differences: %d\n", differences + (strange != 0));
    return 0;
}
