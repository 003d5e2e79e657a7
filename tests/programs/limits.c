// Proves that sockets work, and are told, where the program can have no more of something: descriptors, address space, locked memory
// while all of its memory is locked, mappings (argument 1: nofile, as, lock, maps), or no memory that is once writable and executable
// (mdwe).
#include "check.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static void use(const char *text) {
    char back[32] = "";
    int pair[2], file;
    SAY("%s: socketpair %s\n", text, outcome(socketpair(AF_UNIX, SOCK_STREAM, 0, pair)));
    idle(A_WHILE);
    SAY("%s: write %s\n", text, outcome(write(pair[0], text, strlen(text))));
    SAY("%s: read %s", text, outcome(read(pair[1], back, sizeof back)));
    SAY(" %s\n", back);
    MUST(close(pair[1]));
    SAY("%s: a file at its number %s\n", text, outcome(file = open("/dev/zero", O_RDONLY)));
    SAY("%s: read %s %d\n", text, outcome(read(file, back, 4)), file == pair[1]);
    MUST(close(file));
    MUST(close(pair[0]));
}

static long mapping(void) {
    return (long)mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void limit(int which, rlim_t value) {
    struct rlimit limit;
    MUST(getrlimit(which, &limit));
    limit.rlim_cur = value;
    MUST(setrlimit(which, &limit));
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    SAY("begins\n"); // stdio has its buffer
    if (strcmp(what, "nofile") == 0) {
        int pair[2];
        limit(RLIMIT_NOFILE, 5);
        use("room for two");
        limit(RLIMIT_NOFILE, 4);
        int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
        SAY("one more: %s\n", outcome(socket(AF_INET, SOCK_DGRAM, 0)));
        SAY("a pair: %s\n", outcome(socketpair(AF_UNIX, SOCK_STREAM, 0, pair)));
        SAY("a copy: %s\n", outcome(dup(fd)));
        SAY("a file: %s\n", outcome(open("/dev/null", O_RDONLY)));
        MUST(close(fd));
        limit(RLIMIT_NOFILE, 3);
        SAY("none: %s\n", outcome(socket(AF_INET, SOCK_DGRAM, 0)));
        limit(RLIMIT_NOFILE, 0);
        SAY("none at all: %s\n", outcome(socket(AF_INET, SOCK_DGRAM, 0)));
        limit(RLIMIT_NOFILE, 60);
    } else if (strcmp(what, "as") == 0) {
        limit(RLIMIT_AS, 4096); // what it has it keeps
        SAY("mmap: %s\n", outcome(mapping()));
        use("no address space");
    } else if (strcmp(what, "lock") == 0) {
        SAY("all locked: %s\n", outcome(mlockall(MCL_CURRENT | MCL_FUTURE)));
        limit(RLIMIT_MEMLOCK, 0);
        SAY("mmap: %s\n", outcome(mapping()));
        use("no more locked memory");
    } else if (strcmp(what, "mdwe") == 0) {
        SAY("refused: %s\n", outcome(prctl(65 /* PR_SET_MDWE */, 1 /* PR_MDWE_REFUSE_EXEC_GAIN */, 0, 0, 0)));
        use("no executable memory");
    } else {
        // No two neighbours are alike, so none become one.
        long made = 0;
        while (mmap(NULL, 4096, made % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) made++;
        SAY("mappings: %s, then %s\n", made > 1000 ? "many" : "few", outcome(-1));
        use("no more mappings");
    }
    pid_t pid = MUST(fork());
    if (pid == 0) {
        use("in a child");
        _exit(3);
    }
    SAY("child %s\n", ended(pid));
    use("still");
    return 0;
}
