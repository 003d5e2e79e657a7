// Proves that a 32-bit program runs as untraced, sockets and all; it is built without a C library (-m32 -nostdlib).
static int call(int number, int a, int b, int c, int d) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
    return result;
}

enum { EXIT = 1, FORK = 2, READ = 3, WRITE = 4, OPEN = 5, CLOSE = 6, WAITPID = 7, SOCKETPAIR = 360 };

static void say(const char *text) {
    int length = 0;
    while (text[length]) length++;
    call(WRITE, 1, (int)text, length, 0);
}

static int use(void) {
    int pair[2];
    char data[8];
    if (call(SOCKETPAIR, 1, 1, 0, (int)pair)) return 1; // AF_UNIX, SOCK_STREAM
    if (call(WRITE, pair[0], (int)"i386", 4, 0) != 4 || call(READ, pair[1], (int)data, 8, 0) != 4 || data[3] != '6') return 2;
    int file = (call(CLOSE, pair[0], 0, 0, 0), call(OPEN, (int)"/dev/zero", 0, 0, 0));
    if (file != pair[0] || call(READ, file, (int)data, 8, 0) != 8 || data[3] != 0) return 3;
    return call(CLOSE, file, 0, 0, 0) | call(CLOSE, pair[1], 0, 0, 0);
}

void _start(void) {
    int status = use(), pid = call(FORK, 0, 0, 0, 0);
    if (pid == 0) call(EXIT, use() + 5, 0, 0, 0);
    int child = 0;
    call(WAITPID, pid, (int)&child, 0, 0);
    say(status == 0 && child == 5 << 8 ? "all as it should be\n" : "something is wrong\n");
    call(EXIT, 7, 0, 0, 0);
}
