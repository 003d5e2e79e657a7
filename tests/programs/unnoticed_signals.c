// Proves that signals stay the program's own while it makes and uses sockets: a timer's come at any moment and disturb no call, masks
// are kept, queued ones arrive in their order with all they carry, pending ones stay so, and whoever waits for one gets it.
#include "check.h"
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/time.h>

static int differences;

#define EXPECT(condition)                                   \
    do                                                      \
        if (!(condition)) {                                 \
            differences++;                                  \
            SAY("line %d: not so: %s\n", __LINE__, #condition); \
        }                                                   \
    while (0)

static sigset_t set_of(int one, int other) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, one);
    if (other) sigaddset(&set, other);
    return set;
}

static bool blocked(int signal) {
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    return sigismember(&now, signal) == 1;
}

static void on(int signal, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    MUST(sigaction(signal, &action, NULL));
}

// Calls of many kinds on sockets and on files that have sockets' numbers, none of which has to wait.
static void churn(int rounds) {
    char data[8];
    for (int i = 0; i < rounds; i++) {
        struct sockaddr_un name = {.sun_family = AF_UNIX}; // the kernel gives it one
        socklen_t length = sizeof name;
        int pair[2], server = MUST(socket(AF_UNIX, SOCK_STREAM, 0)), client = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
        MUST(bind(server, (void *)&name, sizeof(sa_family_t)));
        MUST(listen(server, 1));
        MUST(getsockname(server, (void *)&name, &length));
        MUST(connect(client, (void *)&name, length));
        int peer = MUST(accept(server, NULL, NULL));
        MUST(close(server));
        int file = MUST(open("/dev/zero", O_RDONLY));
        EXPECT(file == server);
        MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
        EXPECT(write(client, "stream", 6) == 6);
        EXPECT(read(peer, data, 6) == 6 && memcmp(data, "stream", 6) == 0);
        EXPECT(send(pair[0], "packet", 6, 0) == 6);
        EXPECT(recv(pair[1], data, 8, 0) == 6 && memcmp(data, "packet", 6) == 0);
        EXPECT(read(file, data, 8) == 8 && data[0] == 0);
        static int higher = 50;
        int copy = MUST(fcntl(pair[0], F_DUPFD, ++higher));
        idle(i % 2 ? 12 : 0);
        MUST(dup2(file, copy));
        EXPECT(read(copy, data, 4) == 4);
        int all[] = {client, peer, file, pair[0], pair[1], copy};
        for (size_t j = 0; j < sizeof all / sizeof *all; j++) MUST(close(all[j]));
    }
}

// A timer that goes off as often as it can, until it has so often that nothing else might get its turn.
enum { ENOUGH = 120 };
static volatile int ticks, wrong_in_handler;
static struct itimerval off, often = {{0, 200}, {0, 200}};

static void tick(int signal, siginfo_t *info, void *context) {
    int saved = errno;
    (void)context;
    if (++ticks == ENOUGH) setitimer(ITIMER_REAL, &off, NULL);
    if (signal != SIGALRM || info->si_signo != SIGALRM || info->si_code != SI_KERNEL) wrong_in_handler = 1;
    if (!blocked(SIGALRM) || !blocked(SIGUSR1) || blocked(SIGUSR2)) wrong_in_handler = 2;
    // A call on a socket in here, too.
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || close(fd)) wrong_in_handler = 3;
    errno = saved;
}

static void timer(int flags) {
    sigset_t usr1 = set_of(SIGUSR1, 0), before, after;
    MUST(sigprocmask(SIG_BLOCK, &usr1, &before));
    ticks = 0;
    on(SIGALRM, tick, flags);
    MUST(setitimer(ITIMER_REAL, &often, NULL));
    churn(8);
    // Until it has come at least once, however fast the machine is.
    while (ticks == 0) churn(10);
    MUST(setitimer(ITIMER_REAL, &off, NULL));
    MUST(sigprocmask(SIG_SETMASK, &before, &after));
    EXPECT(sigismember(&after, SIGUSR1) == 1 && sigismember(&after, SIGALRM) == 0);
    EXPECT(wrong_in_handler == 0);
}

enum { QUEUED = 400 };
static volatile int queued, out_of_order;
static pid_t sender;

static void take(int signal, siginfo_t *info, void *context) {
    (void)context;
    if (signal != SIGRTMIN || info->si_code != SI_QUEUE || info->si_pid != sender || info->si_uid != getuid() ||
        info->si_value.sival_int != queued)
        out_of_order = 1;
    queued++;
}

static void queue(void) {
    on(SIGRTMIN, take, SA_RESTART);
    // By ourselves while they are blocked, sockets in between.
    sigset_t blocks = set_of(SIGRTMIN, 0);
    MUST(sigprocmask(SIG_BLOCK, &blocks, NULL));
    sender = getpid();
    for (int i = 0; i < 50; i++) {
        MUST(sigqueue(sender, SIGRTMIN, (union sigval){i}));
        if (i % 10 == 0) churn(1);
    }
    EXPECT(queued == 0);
    MUST(sigprocmask(SIG_UNBLOCK, &blocks, NULL));
    EXPECT(queued == 50);
    // By a child, at any moment.
    queued = 0;
    int begin[2];
    MUST(pipe(begin));
    pid_t parent = getpid(), pid = MUST(fork());
    if (pid == 0) {
        char byte;
        MUST(read(begin[0], &byte, 1));
        for (int i = 0; i < QUEUED; i++) MUST(sigqueue(parent, SIGRTMIN, (union sigval){i}));
        _exit(0);
    }
    sender = pid;
    MUST(write(begin[1], "!", 1));
    while (queued < QUEUED) churn(1);
    SAY("child %s\n", ended(pid));
    EXPECT(queued == QUEUED && !out_of_order);
    close(begin[0]);
    close(begin[1]);
}

static volatile int handled;
static void count(int signal, siginfo_t *info, void *context) {
    (void)info;
    (void)context;
    handled += signal == SIGUSR1;
}

static void pending(void) {
    sigset_t both = set_of(SIGUSR1, SIGUSR2), waiting, none;
    siginfo_t info;
    struct timespec no_time = {0}, long_time = {100, 0};
    sigemptyset(&none);
    on(SIGUSR1, count, 0);
    MUST(sigprocmask(SIG_BLOCK, &both, NULL));
    MUST(raise(SIGUSR1));
    MUST(kill(getpid(), SIGUSR2));
    churn(3);
    MUST(sigpending(&waiting));
    EXPECT(sigismember(&waiting, SIGUSR1) == 1 && sigismember(&waiting, SIGUSR2) == 1 && handled == 0);
    EXPECT(sigtimedwait(&both, &info, &no_time) == SIGUSR1 && info.si_pid == getpid());
    // The other one by a descriptor that has a socket's number.
    int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0)), socket_number = fd;
    MUST(close(fd));
    fd = MUST(signalfd(-1, &both, 0));
    EXPECT(fd == socket_number);
    struct signalfd_siginfo read_info;
    EXPECT(read(fd, &read_info, sizeof read_info) == sizeof read_info);
    EXPECT(read_info.ssi_signo == SIGUSR2 && read_info.ssi_code == SI_USER && read_info.ssi_pid == (uint32_t)getpid());
    close(fd);
    MUST(sigpending(&waiting));
    EXPECT(sigisemptyset(&waiting));

    // With the mask open for as long as a call waits, and no longer.
    int pair[2], epoll = MUST(epoll_create1(0));
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    struct pollfd input = {.fd = pair[0], .events = POLLIN};
    struct epoll_event event = {.events = EPOLLIN};
    MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event));
    for (int i = 0; i < 20; i++) {
        handled = 0;
        MUST(raise(SIGUSR1));
        errno = 0;
        EXPECT(ppoll(&input, 1, &long_time, &none) == -1 && errno == EINTR && handled == 1);
        MUST(raise(SIGUSR1));
        EXPECT(handled == 1);
        EXPECT(epoll_pwait(epoll, &event, 1, 100000, &none) == -1 && errno == EINTR && handled == 2);
        MUST(raise(SIGUSR1));
        EXPECT(sigsuspend(&none) == -1 && errno == EINTR && handled == 3);
        EXPECT(ppoll(&input, 1, &no_time, &none) == 0 && handled == 3);
    }
    EXPECT(blocked(SIGUSR1) && blocked(SIGUSR2));
    MUST(sigprocmask(SIG_UNBLOCK, &both, NULL));
    close(pair[0]);
    close(pair[1]);
    close(epoll);
}

// A handler on a stack of its own, between two pages of marks, makes the first calls on sockets of a new process.
enum { PAGE = 4096, STACK = 16 * PAGE };
static char *area;
static volatile int elsewhere, times;

static void on_own_stack(int signal, siginfo_t *info, void *context) {
    char here;
    (void)signal;
    (void)info;
    (void)context;
    elsewhere += &here < area + PAGE || &here >= area + PAGE + STACK;
    churn(1);
    times++;
}

static void own_stack(void) {
    area = mmap(NULL, STACK + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 0x5a, STACK + 2 * PAGE);
    stack_t stack = {.ss_sp = area + PAGE, .ss_size = STACK};
    MUST(sigaltstack(&stack, NULL));
    on(SIGUSR1, on_own_stack, SA_ONSTACK);
    for (int i = 0; i < 20; i++) {
        MUST(raise(SIGUSR1));
        churn(1);
    }
    EXPECT(times == 20 && elsewhere == 0);
    for (int i = 0; i < PAGE; i++)
        if (area[i] != 0x5a || area[PAGE + STACK + i] != 0x5a) {
            EXPECT(!"the stack's neighbours are as they were");
            break;
        }
    MUST(sigaltstack(NULL, &stack));
    EXPECT(stack.ss_sp == area + PAGE && stack.ss_size == STACK && stack.ss_flags == 0);
}

int main(void) {
    // The first moments of a process with sockets, again and again.
    enum { TIMERS = 40 };
    int failed = 0;
    SAY("begins\n"); // stdio has its buffer
    for (int i = 0; i < 3 + TIMERS; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            switch (i) {
            case 0: pending(); break;
            case 1: queue(); break;
            case 2: own_stack(); break;
            default: timer(i % 2 ? SA_RESTART : 0);
            }
            _exit(differences);
        }
        if (strcmp(ended(pid), "exited with 0") != 0) failed++;
    }
    SAY("differences: %d\n", failed);
    return 0;
}
