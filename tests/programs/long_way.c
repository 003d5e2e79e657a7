// Two hosts a long way apart: packets take their time both ways, and of the segments with data from the near host every so many get lost.
//
//     long_way MILLISECONDS EVERY SERVER... -- PROGRAM...
//
// SERVER runs at 192.0.2.2 and says so by a line; PROGRAM, at 192.0.2.1, starts then, and its status is ours. EVERY 0 loses nothing.
// Both hosts are network namespaces, the near one is ours, which nobody else should be in.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MUST(call) must((call), #call)
#define MTU 1500
#define UNDERWAY 1024

static long long delay;
static long every, segments;

// One direction: what is read from the one interface comes out of the other one, in this order.
struct way {
    int from, to;
    int loses;
    unsigned first, count;
    struct packet {
        long long due;
        ssize_t length;
        uint8_t bytes[MTU];
    } packets[UNDERWAY];
};
static struct way there = {.loses = 1}, back;

static long must(long result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(125);
    }
    return result;
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int interface(const char *own, const char *other)
{
    struct ifreq request = {.ifr_name = "way", .ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = MUST(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    MUST(ioctl(fd, TUNSETIFF, &request));
    char line[200];
    snprintf(line, sizeof line, "ip link set lo up && ip address add %s peer %s dev way && ip link set way up", own, other);
    if (system(line) != 0)
        exit(125);
    return fd;
}

// IPv4 (RFC 791), TCP (RFC 9293): header lengths are counted in words of four bytes.
static int has_data(const uint8_t *packet, ssize_t length)
{
    if (length < 40 || packet[0] >> 4 != 4 || packet[9] != 6)
        return 0;
    int head = (packet[0] & 15) * 4;
    return length > head + (packet[head + 12] >> 4) * 4;
}

static void take(struct way *way)
{
    while (way->count < UNDERWAY) {
        struct packet *packet = &way->packets[(way->first + way->count) % UNDERWAY];
        packet->length = read(way->from, packet->bytes, MTU);
        if (packet->length <= 0)
            return;
        if (way->loses && every > 0 && has_data(packet->bytes, packet->length) && ++segments % every == 0)
            continue;
        packet->due = now() + delay;
        way->count++;
    }
}

// Gives what is due; how long the next one has to wait.
static long long give(struct way *way)
{
    while (way->count > 0) {
        struct packet *packet = &way->packets[way->first];
        long long left = packet->due - now();
        if (left > 0)
            return left;
        if (write(way->to, packet->bytes, packet->length) < 0 && errno != EINVAL)
            perror("a packet");
        way->first = (way->first + 1) % UNDERWAY;
        way->count--;
    }
    return 1000000000;
}

static void *relay(void *unused)
{
    for (;;) {
        long long left = give(&there), other = give(&back);
        if (other < left)
            left = other;
        struct timespec time = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        struct pollfd fds[] = {{.fd = there.from, .events = POLLIN}, {.fd = back.from, .events = POLLIN}};
        ppoll(fds, 2, &time, NULL);
        take(&there);
        take(&back);
    }
    return unused;
}

int main(int count, char **arguments)
{
    int split = 3;
    while (split < count && strcmp(arguments[split], "--") != 0)
        split++;
    if (split == 3 || split + 1 >= count)
        return 125;
    delay = atoi(arguments[1]) * 1000000LL;
    every = atoi(arguments[2]);
    arguments[split] = NULL;

    int near = MUST(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    there.from = back.to = interface("192.0.2.1", "192.0.2.2");
    MUST(unshare(CLONE_NEWNET));
    back.from = there.to = interface("192.0.2.2", "192.0.2.1");
    int ready[2];
    MUST(pipe2(ready, O_CLOEXEC));
    pid_t server = MUST(fork());
    if (server == 0) {
        dup2(ready[1], 1);
        execvp(arguments[3], arguments + 3);
        MUST(-1);
    }
    MUST(setns(near, CLONE_NEWNET));
    pthread_t thread;
    pthread_create(&thread, NULL, relay, NULL);
    close(ready[1]);
    char byte = 0;
    while (byte != '\n')
        if (read(ready[0], &byte, 1) != 1)
            return 125;
    pid_t program = MUST(fork());
    if (program == 0) {
        execvp(arguments[split + 1], arguments + split + 1);
        MUST(-1);
    }
    int status;
    MUST(waitpid(program, &status, 0));
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
