// What all the programs here share: calls that must succeed, loopback addresses, and the name of an errno.
#ifndef CHECK_H
#define CHECK_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// Ends the program with status 99 when a call that must succeed does not.
#define MUST(call)                                                                  \
    ({                                                                              \
        __typeof__(call) must_result = (call);                                      \
        if ((long)must_result < 0) {                                                \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, strerror(errno)); \
            _exit(99);                                                              \
        }                                                                           \
        must_result;                                                                \
    })

// Prints at once: what a program has said is there even if it is killed later.
#define SAY(...) (printf(__VA_ARGS__), fflush(stdout))

// Calls that concern no descriptor. A tracer may take a while to find out which calls it need not see: this many times, at most.
enum { A_WHILE = 300 };
static inline void idle(int calls) {
    while (calls-- > 0) syscall(SYS_getppid);
}

// "ok" for a result that is no error, the errno's name otherwise.
static inline const char *outcome(long result) { return result < 0 ? strerrorname_np(errno) : "ok"; }

// 127.0.0.1 with this port.
static inline struct sockaddr_in loopback(unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// A TCP socket that listens on loopback, on a port that the kernel chooses; the address comes back too.
static inline int listening(struct sockaddr_in *address) {
    socklen_t length = sizeof *address;
    int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
    *address = loopback(0);
    MUST(bind(fd, (struct sockaddr *)address, sizeof *address));
    MUST(listen(fd, 5));
    MUST(getsockname(fd, (struct sockaddr *)address, &length));
    return fd;
}

// Waits for a child and describes how it ended.
static inline const char *ended(pid_t pid) {
    static char text[64];
    int status;
    MUST(waitpid(pid, &status, __WALL));
    if (WIFEXITED(status))
        snprintf(text, sizeof text, "exited with %d", WEXITSTATUS(status));
    else
        snprintf(text, sizeof text, "killed by signal %d", WTERMSIG(status));
    return text;
}

// The state letter of a thread in /proc: S sleeps in a call.
static inline char state(pid_t tid) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", tid);
    FILE *file = fopen(path, "r");
    if (!file) return '?';
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = 0;
    char *end = strrchr(line, ')');
    return end ? end[2] : '?';
}

// Waits until a thread has slept for a while, as one that is blocked in a call does.
static inline void until_asleep(pid_t tid) {
    for (int asleep = 0, tries = 0; asleep < 10 && tries < 10000; tries++) {
        asleep = state(tid) == 'S' ? asleep + 1 : 0;
        usleep(2000);
    }
}
#endif
