// Proves that children that outlive the program are seen through: one waits for a byte from FIFO argument 1, then works with a
// socket, and writes what it saw to file argument 2. The program itself exits with 3 at once.
#include "check.h"

int main(int argc, char **argv) {
    if (argc < 3) return 98;
    pid_t pid = MUST(fork());
    if (pid != 0) {
        SAY("the program ends\n");
        return 3;
    }
    alarm(200); // not left behind by a test that failed
    char byte = '?', back[16] = "";
    int fifo = MUST(open(argv[1], O_RDONLY));
    MUST(read(fifo, &byte, 1));
    struct sockaddr_in address;
    int server = listening(&address), client = MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(connect(client, (struct sockaddr *)&address, sizeof address));
    int peer = MUST(accept(server, NULL, NULL));
    MUST(write(client, "outlived", 8));
    MUST(read(peer, back, sizeof back));
    int file = MUST(open(argv[2], O_WRONLY | O_CREAT, 0600));
    dprintf(file, "%c %s\n", byte, back);
    return 0;
}
