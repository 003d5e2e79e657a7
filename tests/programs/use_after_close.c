// A descriptor that was a socket is used after its close: each use fails, until the number leads to a file.
#include "check.h"

// A failure that is meant.
#define FAILS(call) MUST((call) == -1 ? 0 : -1)

int main(void) {
    int number = MUST(socket(AF_INET, SOCK_DGRAM, 0));
    char byte = 'x';
    MUST(close(number));
    FAILS(write(number, &byte, 1));
    FAILS(read(number, &byte, 1));
    FAILS(close(number));
    FAILS(close(99));
    MUST(open("/dev/zero", O_RDONLY) == number ? 0 : -1);
    MUST(read(number, &byte, 1));
    MUST(close(number));
    return 0;
}
