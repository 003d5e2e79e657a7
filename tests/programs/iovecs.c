// Proves that 1,024 iovecs, the most there can be, go through whole, and 1,025 fail as they must.
#include "check.h"

#define COUNT 1025

int main(void) {
    static char out[COUNT][3], in[COUNT][3];
    struct iovec to[COUNT], from[COUNT];
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    for (int i = 0; i < COUNT; i++) {
        snprintf(out[i], 3, "%02d", i % 100);
        to[i] = (struct iovec){out[i], 2};
        from[i] = (struct iovec){in[i], 2};
    }
    SAY("writev: %zd\n", writev(pair[0], to, 1024));
    SAY("readv: %zd\n", readv(pair[1], from, 1024));
    SAY("same: %s\n", memcmp(out, in, sizeof out - 3) == 0 ? "yes" : "no");
    struct msghdr message = {.msg_iov = to, .msg_iovlen = 1024};
    SAY("sendmsg: %zd\n", sendmsg(pair[0], &message, 0));
    message.msg_iov = from;
    SAY("recvmsg: %zd\n", recvmsg(pair[1], &message, 0));
    SAY("writev of 1025: %s\n", outcome(writev(pair[0], to, 1025)));
    message = (struct msghdr){.msg_iov = to, .msg_iovlen = 1025};
    SAY("sendmsg of 1025: %s\n", outcome(sendmsg(pair[0], &message, 0)));
    struct mmsghdr many[1024];
    for (int i = 0; i < 1024; i++) many[i].msg_hdr = (struct msghdr){.msg_iov = &to[i], .msg_iovlen = 1};
    SAY("sendmmsg: %d\n", sendmmsg(pair[0], many, 1024, MSG_DONTWAIT));
    return 0;
}
