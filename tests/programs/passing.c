// Proves that sockets that come by a message, several at once, or by pidfd_getfd are told though the receiver, which has none of its
// own but the one that brought them, only reads and writes.
#include "check.h"
#include <sys/prctl.h>
#include <sys/wait.h>

enum { COUNT = 3 };

static void talk(int fd, int peer, const char *text) {
    char back[64] = "";
    idle(A_WHILE);
    MUST(write(fd, text, strlen(text)));
    MUST(read(peer, back, sizeof back));
    SAY("%s\n", back);
}

// Sends descriptors by one message of sendmmsg each time.
static void send_descriptors(int channel, const int *fds, int count) {
    char byte = '!', space[CMSG_SPACE(sizeof(int) * COUNT)] = "";
    struct iovec vector = {&byte, 1};
    struct mmsghdr message = {{.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_SPACE(sizeof(int) * count)}, 0};
    struct cmsghdr *control = CMSG_FIRSTHDR(&message.msg_hdr);
    *control = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * count)};
    memcpy(CMSG_DATA(control), fds, sizeof(int) * count);
    MUST(sendmmsg(channel, &message, 1, 0));
}

static void receive_descriptors(int channel, int *fds, int flags) {
    char byte, space[CMSG_SPACE(sizeof(int) * COUNT)] = "";
    struct iovec vector = {&byte, 1};
    struct mmsghdr message = {{.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space}, 0};
    MUST(recvmmsg(channel, &message, 1, flags, NULL));
    struct cmsghdr *control = CMSG_FIRSTHDR(&message.msg_hdr);
    if (!control) _exit(96);
    memcpy(fds, CMSG_DATA(control), control->cmsg_len - CMSG_LEN(0));
}

static void by_messages(void) {
    int channel[2], pair[2], fds[COUNT];
    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        MUST(close(channel[0]));
        for (int i = 0; i < 20; i++) MUST(open("/dev/zero", O_RDONLY)); // so that the numbers differ
        receive_descriptors(channel[1], fds, 0);
        MUST(close(channel[1]));
        talk(fds[0], fds[1], "one of three");
        talk(fds[1], fds[0], "another of three");
        char zero[4];
        MUST(read(fds[2], zero, sizeof zero)); // a file
        // At the number of a file, in another process.
        MUST(dup2(fds[0], 5));
        talk(5, fds[1], "its copy");
        pid = MUST(fork());
        if (pid == 0) {
            talk(fds[1], 5, "in a child of the receiver");
            _exit(0);
        }
        SAY("receiver's child %s\n", ended(pid));
        _exit(0);
    }
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    int file = MUST(open("/dev/zero", O_RDONLY));
    send_descriptors(channel[0], (int[]){pair[0], pair[1], file}, 3);
    MUST(close(pair[0]));
    MUST(close(pair[1]));
    SAY("receiver %s\n", ended(pid));
    close(file);
    close(channel[0]);
    close(channel[1]);
}

static void by_pidfd(void) {
    int made[2], pair[2];
    MUST(pipe(made));
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); // where Yama asks for it
    pid_t parent = getpid(), pid = MUST(fork());
    if (pid == 0) {
        int numbers[2];
        MUST(read(made[0], numbers, sizeof numbers));
        int pidfd = MUST(syscall(SYS_pidfd_open, parent, 0));
        int one = syscall(SYS_pidfd_getfd, pidfd, numbers[0], 0), other = syscall(SYS_pidfd_getfd, pidfd, numbers[1], 0);
        SAY("pidfd_getfd: %s\n", outcome(other));
        if (one >= 0) talk(one, other, "by pidfd_getfd");
        _exit(0);
    }
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    MUST(write(made[1], pair, sizeof pair));
    SAY("taker %s\n", ended(pid));
}

int main(void) {
    SAY("begins\n"); // stdio has its buffer
    by_messages();
    by_pidfd();
    return 0;
}
