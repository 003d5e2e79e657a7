// Proves that a signal finds a program only where its own code is, and on its own stack, while its threads make calls without pause:
// argument 1 says what handlers do with that. look: dladdr must know the place. walk: backtrace() must come to where the thread began.
// redirect: as Go's scheduler does, they make the thread go through other code, which comes back to where it was. step: they do so with
// a call of their own on the way. Says what was wrong.
#include "counting.h"
#include <dlfcn.h>
#include <execinfo.h>
#include <time.h>
#include <ucontext.h>

enum { THREADS = 3, ENOUGH = 60, MOST = 1500 };

static atomic_int looks, unknown, lost;
// One detour after the other: signals may come faster than they are gone through.
static _Thread_local volatile sig_atomic_t on_detour;
static const char *how;
static int pairs[THREADS][2], aside[2];

// What the threads do.
extern char __start_busy_code[], __stop_busy_code[];

// Where a thread goes on that was redirected: every register as it was (the library's memcmp may use the widest), then to the address that the handler has put on the stack, the red
// zone of which is left alone.
__asm__(".text\n"
        ".globl detour\n"
        "detour:\n"
        "  pushfq; push %rax; push %rbx; push %rcx; push %rdx; push %rsi; push %rdi; push %rbp\n"
        "  push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15\n"
        "  mov %rsp, %rbp\n"
        "  sub $16384, %rsp\n"
        "  and $-64, %rsp\n"
        "  lea 512(%rsp), %rdi\n" // the header of what xsave writes
        "  xor %eax, %eax\n"
        "  mov $64, %ecx\n"
        "  cld\n"
        "  rep stosb\n"
        "  mov $-1, %eax\n"
        "  mov $-1, %edx\n"
        "  xsave (%rsp)\n"
        "  call on_the_way\n"
        "  mov $-1, %eax\n"
        "  mov $-1, %edx\n"
        "  xrstor (%rsp)\n"
        "  mov %rbp, %rsp\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8\n"
        "  pop %rbp; pop %rdi; pop %rsi; pop %rdx; pop %rcx; pop %rbx; pop %rax; popfq\n"
        "  ret $128\n");
extern char detour[];

__attribute__((used)) void on_the_way(void) {
    int error = errno;
    char byte;
    if (strcmp(how, "step") == 0) {
        COUNTED(sendto, aside[0], send(aside[0], "a", 1, MSG_DONTWAIT));
        if (COUNTED(recvfrom, aside[1], recv(aside[1], &byte, 1, MSG_DONTWAIT)) == 1 && byte != 'a') _exit(94);
    }
    on_detour = 0;
    errno = error;
}

static void on_signal(int signal, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    int error = errno;
    Dl_info place;
    looks++;
    if (!dladdr((void *)registers[REG_RIP], &place)) unknown++;
    if (strcmp(how, "walk") == 0) {
        void *frames[64];
        int count = backtrace(frames, 64);
        bool found = false;
        for (int i = 0; i < count; i++) found |= __start_busy_code <= (char *)frames[i] && (char *)frames[i] <= __stop_busy_code;
        if (!found) lost++;
    } else if (strcmp(how, "look") && !on_detour) {
        on_detour = 1;
        // Below the red zone: the way back, which `ret $128` takes together with the red zone.
        uint64_t *stack = (uint64_t *)(registers[REG_RSP] - 128) - 1;
        *stack = registers[REG_RIP];
        registers[REG_RSP] = (greg_t)stack;
        registers[REG_RIP] = (greg_t)detour;
    }
    errno = error;
}

__attribute__((section("busy_code"))) static void *busy(void *argument) {
    int *pair = argument;
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
    event._sigev_un._tid = gettid();
    MUST(timer_create(CLOCK_MONOTONIC, &event, &timer));
    MUST(timer_settime(timer, 0, &(struct itimerspec){{0, 200000}, {0, 200000}}, NULL));
    char bytes[8] = "";
    unsigned long count = 0;
    while (looks < ENOUGH * THREADS && count < MOST) {
        count++;
        EXACTLY(8, write, pair[0], write(pair[0], &count, sizeof count));
        EXACTLY(8, recvfrom, pair[1], recv(pair[1], bytes, sizeof bytes, 0));
        if (memcmp(bytes, &count, sizeof count)) _exit(92);
        EXACTLY(-1, recvfrom, pair[1], recv(pair[1], bytes, sizeof bytes, MSG_DONTWAIT));
        if (read(-1, bytes, 1) != -1 || errno != EBADF) _exit(90);
    }
    MUST(timer_delete(timer));
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 2) return 98;
    begin_counting();
    how = argv[1];
    pthread_t threads[THREADS];
    void *frames[4];
    backtrace(frames, 4); // it loads a library the first time
    MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, aside));
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    MUST(sigaction(SIGPROF, &action, NULL));
    for (int i = 0; i < THREADS; i++) {
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]));
        if (pthread_create(&threads[i], NULL, busy, pairs[i])) return 98;
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    if (unknown) SAY("%d of %d signals found a thread outside of the program's code\n", unknown, looks);
    if (lost) SAY("%d of %d times the way back to the thread's beginning was not found\n", lost, looks);
    say_counts();
    SAY("differences: %d\n", unknown + lost);
    return 0;
}
