// Proves that negative and huge lengths and counts give the program the kernel's own results, and us no trouble.
#include "check.h"
#include <sys/epoll.h>
#include <sys/mman.h>

#define TRY(call)                                                     \
    do {                                                              \
        long try_result = (long)(call);                               \
        SAY("%-70s %s %ld\n", #call, outcome(try_result), try_result); \
    } while (0)

int main(void) {
    static const long lengths[] = {-1, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, INT64_MIN, INT64_MAX};
    // At a fixed address: whether address plus length leaves the address space must not differ from run to run.
    char *data = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    MUST((long)data == 0x10000000 ? 0 : -1);
    strcpy(data, "payload");
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        long n = lengths[i];
        int pair[2], udp = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
        MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
        int a = pair[0], b = pair[1], epoll = MUST(epoll_create1(0));
        struct sockaddr_in address = loopback(9);
        socklen_t length = n;
        struct iovec vector = {.iov_base = data, .iov_len = n};
        struct msghdr message;
        SAY("-- length %ld\n", n);
        TRY(syscall(SYS_bind, udp, &address, n));
        TRY(syscall(SYS_connect, udp, &address, n));
        TRY(syscall(SYS_getsockname, udp, &address, &length));
        length = n;
        TRY(syscall(SYS_getsockopt, udp, SOL_SOCKET, SO_TYPE, data, &length));
        TRY(syscall(SYS_setsockopt, udp, SOL_SOCKET, SO_BROADCAST, data, n));
        TRY(syscall(SYS_sendto, a, data, n, 0, NULL, 0));
        TRY(syscall(SYS_sendto, udp, data, 4, 0, &address, n));
        MUST(send(b, "four", 4, 0));
        TRY(syscall(SYS_recvfrom, a, data, n, MSG_DONTWAIT, NULL, NULL));
        TRY(syscall(SYS_write, a, data, n));
        TRY(syscall(SYS_read, a, data, n));
        TRY(syscall(SYS_writev, a, &vector, 1));
        TRY(syscall(SYS_readv, a, &vector, 1));
        TRY(syscall(SYS_writev, a, &vector, n));
        TRY(syscall(SYS_readv, a, &vector, n));
        message = (struct msghdr){.msg_iov = &vector, .msg_iovlen = n};
        TRY(syscall(SYS_sendmsg, a, &message, 0));
        TRY(syscall(SYS_recvmsg, a, &message, 0));
        vector.iov_len = 4;
        message = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1, .msg_name = &address, .msg_namelen = n};
        TRY(syscall(SYS_sendmsg, udp, &message, 0));
        TRY(syscall(SYS_recvmsg, udp, &message, 0));
        message = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1, .msg_control = data, .msg_controllen = n};
        TRY(syscall(SYS_sendmsg, a, &message, 0));
        TRY(syscall(SYS_sendmmsg, a, NULL, n, 0));
        TRY(syscall(SYS_poll, NULL, n, 0));
        TRY(syscall(SYS_select, n, NULL, NULL, NULL, (long[2]){0, 0}));
        TRY(syscall(SYS_epoll_wait, epoll, data, n, 0));
        TRY(syscall(SYS_listen, udp, n));
        TRY(syscall(SYS_socket, n, n, n));
        TRY(syscall(SYS_close, n));
        TRY(syscall(SYS_dup, n));
        TRY(syscall(SYS_shutdown, n, n));
        for (int fd = 3; fd < 40; fd++) close(fd);
    }
    return 0;
}
