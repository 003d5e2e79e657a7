// Proves that a connection lives on while it is on its way to another process (SCM_RIGHTS): its sender closes it before the other
// has received it, and only the other's close ends it.
#include "check.h"

int main(void) {
    int channel[2], closed[2];
    struct sockaddr_in address;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, channel)); // 3 and 4
    MUST(pipe(closed));                                 // 5 and 6
    pid_t pid = MUST(fork());
    char byte = '!', back[32] = "", space[CMSG_SPACE(sizeof(int))] = "";
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    if (pid == 0) {
        MUST(dup2(closed[0], 20)); // so that the number differs
        MUST(read(closed[0], &byte, 1));
        MUST(recvmsg(channel[1], &message, 0));
        int fd = *(int *)CMSG_DATA(CMSG_FIRSTHDR(&message)); // 7
        MUST(write(fd, "by the receiver", 15));
        _exit(close(fd));
    }
    int server = listening(&address), client = MUST(socket(AF_INET, SOCK_STREAM, 0)); // 7 and 8
    MUST(connect(client, (struct sockaddr *)&address, sizeof address));
    int peer = MUST(accept(server, NULL, NULL)); // 9
    MUST(write(client, "by the sender, ", 15));
    struct cmsghdr *control = CMSG_FIRSTHDR(&message);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    *(int *)CMSG_DATA(control) = client;
    MUST(sendmsg(channel[0], &message, 0));
    MUST(close(client));
    MUST(write(closed[1], &byte, 1));
    MUST(recv(peer, back, 30, MSG_WAITALL));
    SAY("read: %s\n", back);
    SAY("then: %zd\n", read(peer, back, sizeof back));
    SAY("child %s\n", ended(pid));
    return 0;
}
