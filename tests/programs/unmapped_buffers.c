// Proves that a buffer may go while and right after a call uses it: other threads unmap and map anew what is sent from and received into.
// Argument 1 is what the program does about SIGSEGV: default, handled, blocked or ignored; it never gets one, but for those that it makes
// itself, which it takes as it would. Says what was wrong.
#include "counting.h"
#include <setjmp.h>

enum { PAGE = 4096, ROUNDS = 100, THREADS = 2, SIZE = 64 };

static atomic_int wrong, faults, segv;
static const char *how;
static _Thread_local sigjmp_buf out;
static _Thread_local volatile bool own_fault;

static void on_segv(int signal, siginfo_t *info, void *context) {
    if (!own_fault) wrong++;
    segv++;
    siglongjmp(out, 1);
}

static void differs(const char *what, bool does) {
    if (!does) return;
    wrong++;
    SAY("%s\n", what);
}

struct both {
    int pair[2];
    _Atomic(char *) buffer, to_unmap;
    atomic_bool over;
};

static char *new_page(void) {
    char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) _exit(97);
    memset(page, 'b', SIZE);
    return page;
}

// Takes a page away as soon as it is told, or at any moment if there is none to be told of.
static void *take_away(void *argument) {
    struct both *both = argument;
    for (int i = 0; !both->over; i++) {
        char *page = atomic_exchange(&both->to_unmap, NULL);
        if (page) {
            if (i % 3 == 0) MUST(mprotect(page, PAGE, PROT_NONE));
            MUST(munmap(page, PAGE));
            atomic_compare_exchange_strong(&both->buffer, &page, NULL);
        } else sched_yield();
    }
    return NULL;
}

// Success for all of it, or EFAULT, or what was there of it; nothing else.
static void may_fault(long result) {
    if (result >= 0 && result <= SIZE) return;
    if (result < 0 && errno == EFAULT) {
        faults++;
        return;
    }
    wrong++;
    SAY("a call gave %ld %s\n", result, outcome(result));
}

static void *work(void *argument) {
    struct both *both = argument;
    char rest[4 * SIZE];
    for (int i = 0; i < ROUNDS; i++) {
        char *page = new_page();
        both->buffer = page;
        // In turns: it goes once the call is over, at once afterwards; or while it goes on, or before.
        bool during = i % 2;
        if (during) both->to_unmap = page;
        switch (i / 2 % 4) {
        case 0: may_fault(COUNTED(write, both->pair[0], write(both->pair[0], page, SIZE))); break;
        case 1: may_fault(COUNTED(sendto, both->pair[0], send(both->pair[0], page, SIZE, MSG_NOSIGNAL))); break;
        case 2:
            EXACTLY(SIZE, write, both->pair[0], write(both->pair[0], rest, SIZE));
            may_fault(COUNTED(recvfrom, both->pair[1], recv(both->pair[1], page, SIZE, MSG_DONTWAIT)));
            break;
        default: {
            struct iovec vector = {page, SIZE};
            struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
            may_fault(COUNTED(sendmsg, both->pair[0], sendmsg(both->pair[0], &message, 0)));
        }
        }
        if (!during) {
            // What was received or sent is unmapped by us or by another, and something else may be there then.
            if (i % 4 == 0) {
                MUST(munmap(page, PAGE));
                both->buffer = NULL;
            } else both->to_unmap = page;
        }
        while (both->buffer) sched_yield();
        while (COUNTED(recvfrom, both->pair[1], recv(both->pair[1], rest, sizeof rest, MSG_DONTWAIT)) > 0) continue;
    }
    both->over = true;
    return NULL;
}

// One that it makes itself comes as it does without us.
static void fault(void) {
    pid_t pid = MUST(fork());
    if (pid == 0) {
        char *nothing = new_page();
        MUST(munmap(nothing, PAGE));
        own_fault = true;
        if (sigsetjmp(out, 1) == 0) *(volatile char *)nothing = 1;
        _exit(7);
    }
    SAY("after a fault of its own: %s\n", ended(pid));
}

int main(int argc, char **argv) {
    if (argc < 2) return 98;
    begin_counting();
    how = argv[1];
    SAY("begins\n"); // stdio has its buffer
    struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};
    if (strcmp(how, "ignored") == 0) action = (struct sigaction){.sa_handler = SIG_IGN};
    if (strcmp(how, "handled") == 0 || strcmp(how, "ignored") == 0) MUST(sigaction(SIGSEGV, &action, NULL));
    sigset_t set, now;
    sigemptyset(&set);
    if (strcmp(how, "blocked") == 0) {
        sigaddset(&set, SIGSEGV);
        sigaddset(&set, SIGBUS);
    }
    MUST(sigprocmask(SIG_SETMASK, &set, NULL));
    struct both all[THREADS] = {0};
    pthread_t threads[2 * THREADS];
    for (int i = 0; i < THREADS; i++) {
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, all[i].pair));
        if (pthread_create(&threads[2 * i], NULL, work, &all[i]) || pthread_create(&threads[2 * i + 1], NULL, take_away, &all[i])) return 98;
    }
    for (int i = 0; i < 2 * THREADS; i++) pthread_join(threads[i], NULL);
    MUST(sigprocmask(SIG_SETMASK, NULL, &now));
    differs("SIGSEGV is no longer blocked, or now is", sigismember(&now, SIGSEGV) != (strcmp(how, "blocked") == 0));
    MUST(sigpending(&now));
    differs("SIGSEGV waits", sigismember(&now, SIGSEGV));
    struct sigaction after;
    MUST(sigaction(SIGSEGV, NULL, &after));
    differs("SIGSEGV does something else", after.sa_handler != (strcmp(how, "handled") && strcmp(how, "ignored") ? SIG_DFL : action.sa_handler));
    if (segv) SAY("%d signals\n", segv);
    fault();
    say_counts();
    SAY("differences: %d\n", wrong);
    return 0;
}
