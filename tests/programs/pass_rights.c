// Proves that a socket passed to another process by SCM_RIGHTS is known there: its read and write are shown.
#include "check.h"

int main(void) {
    int channel[2], pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, channel)); // 3 and 4
    pid_t pid = MUST(fork());
    char byte, space[CMSG_SPACE(sizeof(int))] = "";
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    if (pid == 0) {
        for (int i = 0; i < 5; i++) MUST(open("/dev/null", O_WRONLY)); // so that the number differs
        MUST(recvmsg(channel[1], &message, 0));
        int fd = *(int *)CMSG_DATA(CMSG_FIRSTHDR(&message));
        SAY("child got descriptor %d\n", fd);
        MUST(write(fd, "by the passed one", 17));
        MUST(recv(channel[1], &byte, 1, 0)); // the parent has read it
        _exit(close(fd));
    }
    byte = '!';
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair)); // 5 and 6
    struct cmsghdr *control = CMSG_FIRSTHDR(&message);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    *(int *)CMSG_DATA(control) = pair[0];
    MUST(sendmsg(channel[0], &message, 0));
    MUST(close(pair[0]));
    char back[32] = "";
    MUST(read(pair[1], back, sizeof back));
    SAY("parent read: %s\n", back);
    MUST(send(channel[0], "!", 1, 0));
    SAY("then: %zd\n", read(pair[1], back, sizeof back));
    SAY("child %s\n", ended(pid));
    return 0;
}
