// Takes away memory that is none of its own, as a program may that unmaps all that it does not know: first what it finds at the recorder's
// addresses, in the order that argument 1 names (memory, code), while its calls go on. Says how many of them went well.
#include "check.h"
#include <sys/mman.h>

#define CODE ((void *)0x551000000000UL)
#define MEMORY ((void *)0x551080000000UL)

static int pair[2], good;

static void use(int rounds) {
    char byte;
    for (int i = 0; i < rounds; i++)
        if (write(pair[0], "x", 1) == 1 && read(pair[1], &byte, 1) == 1 && byte == 'x') good++;
}

int main(int argc, char **argv) {
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    use(50);
    if (argc > 1 && strcmp(argv[1], "code") == 0) munmap(CODE, 8192);
    else munmap(MEMORY, 32 << 20);
    use(50);
    SAY("%d\n", good);
    return 0;
}
