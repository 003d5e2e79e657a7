// Proves that sockets that were there from the start, at descriptors 0, 1 and 5, are told though nothing but read and write is called on
// them: sends on what it reads from 0 by 1, and what it reads from 5 by 5. Files in between are its own affair.
#include "check.h"

int main(void) {
    char text[64];
    int file = MUST(open("/dev/zero", O_RDONLY));
    ssize_t length = MUST(read(0, text, sizeof text));
    MUST(write(1, text, length));
    MUST(read(file, text, sizeof text));
    length = MUST(read(5, text, sizeof text));
    MUST(write(5, text, length));
    idle(A_WHILE);
    // Once more where the file was.
    MUST(dup2(5, file));
    length = MUST(read(file, text, sizeof text));
    MUST(write(file, text, length));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        idle(A_WHILE);
        length = MUST(read(0, text, sizeof text));
        MUST(write(1, text, length));
        _exit(0);
    }
    ended(pid);
    return 0;
}
