// Proves that bad pointers in every pointer argument of every socket call give the program the kernel's own errors.
#include "check.h"
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>

#define TRY(call) SAY("%-60s %s\n", #call, outcome((long)(call)))

int main(void) {
    // NULL, the first page, a page without rights, the last bytes before such a page, and the kernel's half.
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages + 4096, 4096, PROT_NONE);
    char *bad[] = {NULL, (char *)8, pages + 4096, pages + 4094, (char *)0xffff800000000000, (char *)-1};
    char good[256] = "payload";
    signal(SIGPIPE, SIG_IGN);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        void *p = bad[i];
        int pair[2], udp = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
        MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
        int a = pair[0], b = pair[1], epoll = MUST(epoll_create1(0)), file = MUST(open("/proc/self/exe", O_RDONLY));
        struct sockaddr_in address;
        int server = listening(&address);
        MUST(fcntl(server, F_SETFL, O_NONBLOCK));
        socklen_t length = sizeof address;
        struct msghdr message;
        struct mmsghdr messages;
        struct iovec vector = {.iov_base = good, .iov_len = sizeof good};
        SAY("-- pointer %zu\n", i);

        TRY(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, p));
        TRY(syscall(SYS_bind, udp, p, 16));
        TRY(syscall(SYS_connect, udp, p, 16));
        TRY(syscall(SYS_accept, server, p, &length));
        TRY(syscall(SYS_accept, server, &address, p));
        TRY(syscall(SYS_accept4, server, p, p, SOCK_CLOEXEC));
        TRY(syscall(SYS_getsockname, server, p, &length));
        TRY(syscall(SYS_getsockname, server, &address, p));
        TRY(syscall(SYS_getpeername, a, p, &length));
        TRY(syscall(SYS_getpeername, a, &address, p));
        TRY(syscall(SYS_sendto, a, p, 8, 0, NULL, 0));
        TRY(syscall(SYS_sendto, udp, good, 8, 0, p, 16));
        MUST(send(b, good, 8, 0));
        TRY(syscall(SYS_recvfrom, a, p, 8, 0, NULL, NULL));
        TRY(syscall(SYS_recvfrom, a, good, 8, 0, p, p));
        TRY(syscall(SYS_write, a, p, 8));
        TRY(syscall(SYS_read, a, p, 8));
        TRY(syscall(SYS_writev, a, p, 1));
        TRY(syscall(SYS_readv, a, p, 1));
        vector.iov_base = p;
        TRY(syscall(SYS_writev, a, &vector, 1));
        TRY(syscall(SYS_readv, a, &vector, 1));
        TRY(syscall(SYS_sendmsg, a, p, 0));
        TRY(syscall(SYS_recvmsg, a, p, 0));
        message = (struct msghdr){.msg_iov = p, .msg_iovlen = 1};
        TRY(syscall(SYS_sendmsg, a, &message, 0));
        TRY(syscall(SYS_recvmsg, a, &message, 0));
        message = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1};
        TRY(syscall(SYS_sendmsg, a, &message, 0));
        TRY(syscall(SYS_recvmsg, a, &message, 0));
        vector.iov_base = good;
        message = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1, .msg_name = p, .msg_namelen = 16};
        TRY(syscall(SYS_sendmsg, udp, &message, 0));
        TRY(syscall(SYS_recvmsg, udp, &message, 0));
        message = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1, .msg_control = p, .msg_controllen = 64};
        TRY(syscall(SYS_sendmsg, a, &message, 0));
        TRY(syscall(SYS_recvmsg, a, &message, 0));
        TRY(syscall(SYS_sendmmsg, a, p, 2, 0));
        TRY(syscall(SYS_recvmmsg, a, p, 2, 0, NULL));
        messages = (struct mmsghdr){.msg_hdr = {.msg_iov = p, .msg_iovlen = 3}};
        TRY(syscall(SYS_sendmmsg, a, &messages, 1, 0));
        TRY(syscall(SYS_recvmmsg, a, &messages, 1, MSG_DONTWAIT, NULL));
        if (p) TRY(syscall(SYS_recvmmsg, a, &messages, 1, MSG_DONTWAIT, p));
        TRY(syscall(SYS_setsockopt, udp, SOL_SOCKET, SO_BROADCAST, p, 4));
        TRY(syscall(SYS_getsockopt, udp, SOL_SOCKET, SO_TYPE, p, &length));
        TRY(syscall(SYS_getsockopt, udp, SOL_SOCKET, SO_TYPE, good, p));
        TRY(syscall(SYS_ioctl, udp, FIONREAD, p));
        TRY(syscall(SYS_ioctl, udp, FIONBIO, p));
        TRY(syscall(SYS_fcntl, udp, F_GETLK, p));
        TRY(syscall(SYS_poll, p, 1, 0));
        TRY(syscall(SYS_ppoll, p, 1, p, p, 8));
        if (p) TRY(syscall(SYS_select, 3, p, p, p, p));
        if (p) TRY(syscall(SYS_pselect6, 3, NULL, NULL, NULL, p, p));
        TRY(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, a, p));
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT};
        MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, b, &event));
        TRY(syscall(SYS_epoll_wait, epoll, p, 1, 0));
        TRY(syscall(SYS_epoll_pwait, epoll, p, 1, 0, p, 8));
        if (p) TRY(syscall(SYS_sendfile, a, file, p, 8));
        if (p) TRY(syscall(SYS_splice, file, p, a, p, 8, 0));
        for (int fd = 3; fd < 40; fd++) close(fd);
    }
    return 0;
}
