// Proves nothing alone: a fixed sequence of calls of every kind, whose story other tools tell too (strace, ss, the kernel).
#include "check.h"
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>

int main(void) {
    struct sockaddr_in address, other;
    socklen_t length = sizeof other;
    char data[64] = "hello, peer", back[64] = "";
    int one = 1;

    // TCP, both ends in one process.
    int server = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    MUST(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
    address = loopback(0);
    MUST(bind(server, (struct sockaddr *)&address, sizeof address));
    MUST(listen(server, 7));
    MUST(getsockname(server, (struct sockaddr *)&address, &length));
    int client = MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(connect(client, (struct sockaddr *)&address, sizeof address));
    length = sizeof other;
    int peer = MUST(accept4(server, (struct sockaddr *)&other, &length, SOCK_NONBLOCK));
    length = sizeof other;
    MUST(getpeername(client, (struct sockaddr *)&other, &length));
    MUST(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    MUST(write(client, data, 11));
    MUST(read(peer, back, sizeof back));
    read(peer, back, sizeof back); // EAGAIN
    MUST(send(peer, "answer", 6, MSG_NOSIGNAL));
    MUST(recv(client, back, 3, MSG_PEEK));
    MUST(recvfrom(client, back, sizeof back, 0, NULL, NULL));
    struct iovec vector[2] = {{data, 5}, {data + 5, 6}};
    MUST(writev(client, vector, 2));
    MUST(readv(peer, vector, 2));
    int waiting;
    MUST(ioctl(client, FIONREAD, &waiting));
    int copy = MUST(dup(client));
    MUST(shutdown(copy, SHUT_WR));
    MUST(read(peer, back, sizeof back)); // end of file
    MUST(close(copy));
    MUST(close(client));
    MUST(close(peer));
    MUST(close(server));

    // Refused.
    client = MUST(socket(AF_INET, SOCK_STREAM, 0));
    connect(client, (struct sockaddr *)&address, sizeof address);
    MUST(close(client));

    // UDP, over IPv6.
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    length = sizeof six;
    int udp = socket(AF_INET6, SOCK_DGRAM, 0);
    if (udp >= 0 && bind(udp, (struct sockaddr *)&six, sizeof six) == 0) {
        MUST(getsockname(udp, (struct sockaddr *)&six, &length));
        MUST(sendto(udp, "datagram", 8, 0, (struct sockaddr *)&six, sizeof six));
        length = sizeof six;
        MUST(recvfrom(udp, back, sizeof back, 0, (struct sockaddr *)&six, &length));
        close(udp);
    }

    // UNIX, abstract, with messages.
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0sockstrace-test-sequence"};
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
    MUST(sendmsg(pair[0], &message, 0));
    MUST(recvmsg(pair[1], &message, 0));
    close(pair[0]);
    close(pair[1]);
    int local = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
    connect(local, (struct sockaddr *)&name, sizeof(sa_family_t) + 25); // ECONNREFUSED
    close(local);

    // Descriptors that never were.
    connect(99, (struct sockaddr *)&address, sizeof address);
    listen(-1, 1);
    return 0;
}
