// Proves that a call changes nothing but its result: general registers, flags, vector registers and the memory below the stack
// pointer are as before, whichever call it is, also with a stack pointer that leads nowhere. Says what differs.
#include "registers.h"

#define CALL(name, ...) raw(#name, no_stack ? 8 : 0, SYS_##name, ARGUMENTS(__VA_ARGS__))

static void expect(const char *what, long expected, long result) {
    if (expected != result) differs(what, "result", expected, result);
}

// A call of each kind that a tracer may stop, may not stop, or may stop for the number that it had been made with once.
static void round_of_calls(bool no_stack) {
    char data[16] = "";
    int pair[2] = {-1, -1};
    expect("getppid", getppid(), CALL(getppid));
    int file = CALL(openat, AT_FDCWD, (long)"/dev/zero", O_RDONLY);
    int first = CALL(socket, AF_INET, SOCK_DGRAM, 0);
    expect("socket", file + 1, first);
    for (int i = 0; i < A_WHILE; i++) expect("getppid", getppid(), CALL(getppid));
    expect("socketpair", 0, CALL(socketpair, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, (long)pair));
    expect("read of nothing", -EAGAIN, CALL(read, pair[0], (long)data, 4));
    expect("write", 4, CALL(write, pair[0], (long)"four", 4));
    expect("read", 4, CALL(read, pair[1], (long)data, sizeof data));
    expect("the bytes", 0, memcmp(data, "four", 5));
    int copy = CALL(dup, pair[0]);
    expect("dup", pair[1] + 1, copy);
    static int higher = 100;
    higher++;
    expect("dup3", higher, CALL(dup3, pair[0], higher, O_CLOEXEC));
    for (int i = 0; i < A_WHILE; i++) expect("read of a file", 3, CALL(read, file, (long)data, 3));
    expect("close", 0, CALL(close, higher));
    expect("fcntl", O_RDWR | O_NONBLOCK, CALL(fcntl, copy, F_GETFL));
    expect("read of a file", 5, CALL(read, file, (long)data, 5));
    expect("dup2", pair[0], CALL(dup2, file, pair[0]));
    expect("read of a file at a socket's number", 6, CALL(read, pair[0], (long)data, 6));
    expect("sendto", 2, CALL(sendto, copy, (long)"to", 2, MSG_NOSIGNAL, 0, 0));
    expect("recvfrom", 2, CALL(recvfrom, pair[1], (long)data, 2, MSG_PEEK, 0, 0));
    struct pollfd ready = {.fd = pair[1], .events = POLLIN};
    expect("poll", 1, CALL(poll, (long)&ready, 1, -1));
    struct sockaddr_in peer = loopback(9);
    expect("connect", 0, CALL(connect, first, (long)&peer, sizeof peer));
    expect("mmap", -EBADF, CALL(mmap, 0, 4096, PROT_READ, MAP_PRIVATE, -1, 0));
    expect("unknown call", -ENOSYS, raw("an unknown call", no_stack ? 8 : 0, 0x12345, ARGUMENTS(0)));
    expect("socket of no family", -EAFNOSUPPORT, CALL(socket, 999, SOCK_DGRAM, 0));
    for (int fd = file; fd <= copy; fd++) expect("close", 0, CALL(close, fd));
    expect("read after close", -EBADF, CALL(read, pair[1], (long)data, 4));
    expect("close after close", -EBADF, CALL(close, pair[1]));
}

int main(void) {
    SAY("begins\n"); // stdio has its buffer
    round_of_calls(true);
    for (int i = 0; i < 3; i++) round_of_calls(i % 2);
    SAY("differences: %d\n", differences);
    return 0;
}
