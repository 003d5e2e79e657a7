// Proves that whatever a program does with its descriptors, each of its calls on sockets is told, and nothing of it changes: as many
// steps as argument 2 says, chosen by the seed that is argument 1, on random numbers that lead to sockets, files, pipes or nothing.
// Nothing ever blocks, and whoever makes a child or a thread waits for it: the same arguments give the same calls. Says what each
// step gave. After an exec, argument 3 says how deep children may still go, argument 4 who goes on.
#include "check.h"
#include <linux/close_range.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>

enum { FIRST = 3, OFTEN = 9, NUMBERS = 30, LIMIT = 44, NAMES = 4 };

// What one line of execution has: a child or a thread gets its own.
struct life {
    uint64_t random;
    int depth;
    char name[64]; // of whoever it is, in what it says
};

static char *program;

// Knuth's MMIX.
static unsigned next(struct life *life, unsigned below) {
    life->random = life->random * 6364136223846793005u + 1442695040888963407u;
    return (life->random >> 33) % below;
}

static int some(struct life *life) { return FIRST + next(life, next(life, 3) ? OFTEN : NUMBERS); }

// By write, not printf: a process that is made has nothing in a buffer, and descriptors that are no sockets are used too.
__attribute__((format(printf, 2, 3))) static void say(struct life *life, const char *format, ...) {
    int saved = errno;
    char text[512];
    int length = snprintf(text, sizeof text, "%s ", life->name);
    va_list arguments;
    va_start(arguments, format);
    length += vsnprintf(text + length, sizeof text - length, format, arguments);
    va_end(arguments);
    text[length++] = '\n';
    MUST(write(1, text, length));
    errno = saved;
}

// "4", "EBADF".
static const char *gave(long result) {
    static _Thread_local char text[32];
    if (result < 0) return outcome(result);
    snprintf(text, sizeof text, "%ld", result);
    return text;
}

#define DO(call, format, ...)                                               \
    ({                                                                      \
        long do_result = (call);                                            \
        say(life, format " = %s", ##__VA_ARGS__, gave(do_result));          \
        do_result;                                                          \
    })

static struct sockaddr_un listener(unsigned number) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "listener-%u", number);
    return address;
}

static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};

static void make(struct life *life) {
    int pair[2] = {-1, -1}, type = types[next(life, 3)] | SOCK_NONBLOCK | (next(life, 4) ? 0 : SOCK_CLOEXEC);
    switch (next(life, 12)) {
    case 0: case 1: case 2:
        DO(socketpair(AF_UNIX, type, 0, pair), "socketpair");
        say(life, "got %d %d", pair[0], pair[1]);
        break;
    case 3: DO(socket(AF_UNIX, type, 0), "socket UNIX"); break;
    case 4: DO(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), "socket INET"); break;
    case 5: DO(socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0), "socket INET6"); break;
    case 6: DO(pipe2(pair, O_NONBLOCK), "pipe2"); break;
    case 7: DO(open("/dev/zero", O_RDWR), "open zero"); break;
    case 8: DO(open("data", O_RDWR | O_CLOEXEC), "open data"); break;
    case 9: DO(open("data", O_RDWR), "open data"); break;
    case 10: DO(eventfd(next(life, 3), EFD_NONBLOCK), "eventfd"); break;
    case 11: DO(epoll_create1(0), "epoll_create1"); break;
    }
}

static void name(struct life *life, int fd) {
    struct sockaddr_un address = listener(next(life, NAMES));
    struct sockaddr_storage any;
    socklen_t length = sizeof any;
    int value = 1;
    switch (next(life, 8)) {
    case 0:
        unlink(address.sun_path);
        DO(bind(fd, (void *)&address, sizeof address), "bind %d %s", fd, address.sun_path);
        break;
    case 1: DO(listen(fd, 2), "listen %d", fd); break;
    case 2: case 3: DO(connect(fd, (void *)&address, sizeof address), "connect %d %s", fd, address.sun_path); break;
    case 4: DO(accept4(fd, NULL, NULL, SOCK_NONBLOCK), "accept4 %d", fd); break;
    case 5: DO(getsockname(fd, (void *)&any, &length), "getsockname %d", fd); break;
    case 6:
        length = sizeof value;
        DO(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length), "getsockopt %d", fd);
        break;
    case 7: DO(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){0}, sizeof(int)), "setsockopt %d", fd); break;
    }
}

static void release(struct life *life, int fd) {
    unsigned last = fd + next(life, 3);
    switch (next(life, 12)) {
    case 0: DO(close_range(fd, last, 0), "close_range %d %u", fd, last); break;
    case 1: DO(close_range(fd, last, CLOSE_RANGE_CLOEXEC), "close_range %d %u CLOEXEC", fd, last); break;
    case 2: DO(shutdown(fd, next(life, 3)), "shutdown %d", fd); break;
    default: DO(close(fd), "close %d", fd);
    }
}

static void copy(struct life *life, int fd) {
    int to = some(life);
    switch (next(life, 7)) {
    case 0: DO(dup(fd), "dup %d", fd); break;
    case 1: case 2: DO(dup2(fd, to), "dup2 %d %d", fd, to); break;
    case 3: DO(dup3(fd, to, next(life, 2) ? O_CLOEXEC : 0), "dup3 %d %d", fd, to); break;
    case 4: DO(fcntl(fd, F_DUPFD, to), "F_DUPFD %d %d", fd, to); break;
    case 5: DO(fcntl(fd, F_DUPFD_CLOEXEC, to), "F_DUPFD_CLOEXEC %d %d", fd, to); break;
    case 6: DO(fcntl(fd, F_SETFD, next(life, 2)), "F_SETFD %d", fd); break;
    }
}

static void send_some(struct life *life, int fd) {
    char text[40];
    memset(text, 'a' + next(life, 26), sizeof text);
    size_t length = 1 + next(life, sizeof text);
    struct iovec vector[2] = {{text, length / 2}, {text, length - length / 2}};
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
    switch (next(life, 7)) {
    case 0: case 1: case 2: DO(write(fd, text, length), "write %d", fd); break;
    case 3: DO(writev(fd, vector, 2), "writev %d", fd); break;
    case 4: DO(send(fd, text, length, 0), "send %d", fd); break;
    case 5: DO(sendmsg(fd, &message, 0), "sendmsg %d", fd); break;
    case 6: DO(pwrite(fd, text, length, 7), "pwrite %d", fd); break;
    }
}

static void receive_some(struct life *life, int fd) {
    char text[64] = "", control[64];
    size_t length = 1 + next(life, sizeof text);
    struct iovec vector[2] = {{text, length / 2}, {text + length / 2, length - length / 2}};
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof control};
    int waiting = 0;
    switch (next(life, 8)) {
    case 0: case 1: case 2: DO(read(fd, text, length), "read %d", fd); break;
    case 3: DO(readv(fd, vector, 2), "readv %d", fd); break;
    case 4: DO(recv(fd, text, length, next(life, 2) ? MSG_PEEK : 0), "recv %d", fd); break;
    case 5: DO(recvmsg(fd, &message, 0), "recvmsg %d", fd); break;
    case 6: DO(pread(fd, text, length, 3), "pread %d", fd); break;
    case 7: DO(ioctl(fd, FIONREAD, &waiting), "FIONREAD %d %d", fd, waiting); break;
    }
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof text; i++) sum = sum * 31 + (unsigned char)text[i];
    say(life, "sum %u", sum);
}

static void move(struct life *life, int fd) {
    int to = some(life);
    size_t length = 1 + next(life, 30);
    switch (next(life, 3)) {
    case 0: DO(sendfile(to, fd, NULL, length), "sendfile %d %d", to, fd); break;
    case 1: DO(splice(fd, NULL, to, NULL, length, SPLICE_F_NONBLOCK), "splice %d %d", fd, to); break;
    case 2: DO(tee(fd, to, length, SPLICE_F_NONBLOCK), "tee %d %d", fd, to); break;
    }
}

static void wait_for(struct life *life, int fd) {
    int other = some(life);
    struct pollfd polled[2] = {{.fd = fd, .events = POLLIN}, {.fd = other, .events = POLLIN | POLLOUT}};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.fd = fd}, events[8];
    struct timespec now = {0};
    fd_set read_set;
    FD_ZERO(&read_set);
    FD_SET(fd, &read_set);
    switch (next(life, 7)) {
    case 0:
        DO(poll(polled, 2, 0), "poll %d %d", fd, other);
        say(life, "ready %x %x", polled[0].revents, polled[1].revents);
        break;
    case 1: DO(ppoll(polled, 2, &now, NULL), "ppoll %d %d", fd, other); break;
    case 2: DO(select(LIMIT, &read_set, NULL, NULL, &(struct timeval){0}), "select %d", fd); break;
    case 3: case 4: DO(epoll_ctl(other, EPOLL_CTL_ADD, fd, &event), "EPOLL_CTL_ADD %d %d", other, fd); break;
    case 5: DO(epoll_ctl(other, EPOLL_CTL_DEL, fd, NULL), "EPOLL_CTL_DEL %d %d", other, fd); break;
    case 6: DO(epoll_wait(fd, events, 8, 0), "epoll_wait %d", fd); break;
    }
}

// A descriptor goes through a pair of its own, so that none is ever on its way when a socket ends: the kernel would let go of it later.
static void pass(struct life *life, int fd) {
    int pair[2];
    char byte = '!', control[CMSG_SPACE(sizeof fd)] = "";
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    *(int *)CMSG_DATA(header) = fd;
    if (DO(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), "socketpair to pass %d", fd) < 0) return;
    if (DO(sendmsg(pair[0], &message, 0), "pass %d", fd) > 0) {
        DO(recvmsg(pair[1], &message, 0), "receive");
        header = CMSG_FIRSTHDR(&message);
        say(life, "got %d", header ? *(int *)CMSG_DATA(header) : -1);
    }
    DO(close(pair[1]), "close the receiver's");
    if (next(life, 2)) DO(close(pair[0]), "close the sender's");
}

// Blocking, so that no softirq that comes late changes what a call gives. Ports are the kernel's choice.
static void connection(struct life *life) {
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    char text[8];
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), peer = -1;
    if (server >= 0 && client >= 0) {
        MUST(bind(server, (void *)&address, length));
        MUST(listen(server, 1));
        MUST(getsockname(server, (void *)&address, &length));
        MUST(connect(client, (void *)&address, length));
        peer = accept(server, NULL, NULL);
    }
    say(life, "connection %d %d %d", server, client, peer);
    DO(close(server), "close listener");
    if (peer >= 0) {
        int other = open("data", O_RDWR); // it has the listener's number
        DO(write(client, "request", 7), "request");
        DO(read(peer, text, 7), "it came");
        DO(read(other, text, 5), "read of the file");
        DO(writev(peer, &(struct iovec){"reply", 5}, 1), "reply");
        DO(read(client, text, 5), "it came back");
        DO(close(other), "close file");
    }
    DO(close(client), "close client");
    DO(close(peer), "close peer");
}

static void steps(struct life *life, int count);

static struct life child_of(struct life *life, const char *kind) {
    struct life child = {.depth = life->depth - 1, .random = next(life, 1u << 30)};
    snprintf(child.name, sizeof child.name, "%.50s/%s", life->name, kind);
    return child;
}

static void *thread(void *life) {
    steps(life, 12);
    return NULL;
}

static void *apart(void *argument) {
    struct life *life = argument;
    DO(unshare(CLONE_FILES), "unshare");
    steps(life, 12);
    *(volatile pid_t *)&life->depth = gettid();
    return NULL;
}

static void begin(struct life *life) {
    if (life->depth == 0) return;
    pthread_t id;
    pid_t pid;
    struct life child;
    switch (next(life, 6)) {
    case 0:
        child = child_of(life, "fork");
        if ((pid = MUST(fork())) == 0) {
            steps(&child, 15);
            _exit(next(&child, 50));
        }
        say(life, "child %s", ended(pid));
        break;
    case 1:
        child = child_of(life, "clone");
        if ((pid = MUST(syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL))) == 0) {
            steps(&child, 15);
            _exit(next(&child, 50));
        }
        say(life, "child %s", ended(pid));
        break;
    case 2:
        child = child_of(life, "thread");
        if (pthread_create(&id, NULL, thread, &child)) _exit(98);
        pthread_join(id, NULL);
        break;
    case 3:
        child = child_of(life, "apart");
        if (pthread_create(&id, NULL, apart, &child)) _exit(98);
        pthread_join(id, NULL);
        // Its descriptors go a little after it has said that it ends.
        while (syscall(SYS_tgkill, getpid(), child.depth, 0) == 0) sched_yield();
        break;
    case 4: case 5: {
        char seed[24], depth[12];
        child = child_of(life, "exec");
        snprintf(seed, sizeof seed, "%llu", (unsigned long long)child.random);
        snprintf(depth, sizeof depth, "%d", child.depth);
        // The new program needs some numbers to begin with.
        DO(close_range(FIRST + NUMBERS, LIMIT, 0), "close_range for exec");
        if ((pid = vfork()) == 0) {
            execl("/proc/self/exe", program, seed, "20", depth, child.name, NULL);
            _exit(97);
        }
        say(life, "child %s", ended(pid));
    }
    }
}

static void steps(struct life *life, int count) {
    for (int step = 0; step < count; step++) {
        int fd = some(life);
        switch (next(life, 20)) {
        case 0: case 1: case 2: case 3: make(life); break;
        case 4: idle(next(life, 20) ? next(life, 8) : A_WHILE); // fall through
        case 5: name(life, fd); break;
        case 6: case 7: release(life, fd); break;
        case 8: case 9: copy(life, fd); break;
        case 10: case 11: case 12: send_some(life, fd); break;
        case 13: case 14: case 15: receive_some(life, fd); break;
        case 16: move(life, fd); break;
        case 17: wait_for(life, fd); break;
        case 18: next(life, 2) ? pass(life, fd) : connection(life); break;
        case 19: begin(life); break;
        }
    }
}

// A directory of its own to work in: the names of files are the same each time.
static void enter(char *directory) {
    const char *place = getenv("TMPDIR");
    snprintf(directory, 4096, "%s/random-descriptors-XXXXXX", place ? place : "/tmp");
    if (!mkdtemp(directory)) _exit(98);
    MUST(chdir(directory));
    int fd = MUST(open("data", O_RDWR | O_CREAT, 0600));
    for (int i = 0; i < 200; i++) MUST(write(fd, "what the file holds\n", 20));
    MUST(close(fd));
}

static void leave(const char *directory) {
    for (unsigned number = 0; number < NAMES; number++) unlink(listener(number).sun_path);
    unlink("data");
    rmdir(directory);
}

int main(int argc, char **argv) {
    if (argc < 3) return 98;
    program = argv[0];
    alarm(200); // nobody is left behind by a test that failed
    char directory[4096];
    struct life life = {.random = strtoull(argv[1], NULL, 10), .depth = argc > 4 ? atoi(argv[3]) : 2};
    snprintf(life.name, sizeof life.name, "%s", argc > 4 ? argv[4] : "main");
    if (argc == 3) {
        struct rlimit limit = {LIMIT, LIMIT};
        MUST(setrlimit(RLIMIT_NOFILE, &limit));
        signal(SIGPIPE, SIG_IGN);
        enter(directory);
    }
    steps(&life, atoi(argv[2]));
    if (argc == 3) leave(directory);
    return next(&life, 50);
}
