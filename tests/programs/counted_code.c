// Counts calls from code that comes and goes: argument 1 says how. libraries: two of them (arguments 2 and 3), loaded and unloaded in
// turns, mostly to the same address. rewritten: code that the program writes anew in place, as a compiler of JavaScript does. mapped:
// code that lies in a file, and is mapped shared and privately: the file's bytes stay what they were. doubled: one piece of memory
// with two addresses, one to write to and one to run from.
#include "counting.h"
#include <dlfcn.h>

enum { TURNS = 12, CALLS = 40, PAGE = 4096 };

typedef long site_function(long number, long a, long b, long c);
static int pair[2];

static void use(site_function *site) {
    char byte;
    for (int i = 0; i < CALLS; i++) {
        EXACTLY(1, write, pair[0], or_errno(site(SYS_write, pair[0], (long)"x", 1)));
        EXACTLY(1, read, pair[1], or_errno(site(SYS_read, pair[1], (long)&byte, 1)));
        if (byte != 'x' || site(SYS_getppid, 0, 0, 0) != getppid()) _exit(94);
    }
}

static void *use_in_thread(void *site) {
    use(site);
    return NULL;
}

static void libraries(char *const *paths) {
    void *before[2] = {NULL, NULL};
    int moved = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        void *library = dlopen(paths[turn % 2], RTLD_NOW);
        if (!library) _exit(93);
        site_function *site = (site_function *)dlsym(library, "site");
        int (*version)(void) = (int (*)(void))dlsym(library, "version");
        if (turn > 1 && before[turn % 2] != (void *)site) moved++;
        before[turn % 2] = site;
        int expected = version();
        use(site);
        if (turn % 3 == 0) pthread_join(begin_thread(use_in_thread, site), NULL);
        if (version() != expected) _exit(92);
        dlclose(library);
    }
    SAY("%s\n", moved ? "elsewhere at times" : "always at the same addresses");
}

// A function as in site.c, with its call at this offset, and how long it is.
static size_t write_code(unsigned char *at, int before) {
    static const unsigned char head[] = {0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x48, 0x89, 0xca, 0x45, 0x31, 0xd2, 0x45, 0x31, 0xc0,
        0x45, 0x31, 0xc9};
    memcpy(at, head, sizeof head);
    memset(at + sizeof head, 0x90, 24);
    memcpy(at + sizeof head + before, (unsigned char[]){0x0f, 0x05}, 2);
    at[sizeof head + 24] = 0xc3;
    return sizeof head + 25;
}

static const int places[] = {0, 1, 2, 3, 4, 5, 7, 9, 1, 0};
enum { PLACES = sizeof places / sizeof *places };

static void rewritten(void) {
    unsigned char *code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < PLACES; i++) {
        write_code(code, places[i]);
        use((site_function *)code);
    }
    // The same by other means of writing: the page made writable for a while, put in place of another, and read from a file.
    for (int i = 0; i < PLACES; i++) {
        unsigned char *next = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), bytes[PAGE] = {0};
        switch (i % 4) {
        case 0:
            MUST(mprotect(code, PAGE, PROT_READ | PROT_WRITE));
            write_code(code, places[i]);
            MUST(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
            break;
        case 1:
            write_code(next, places[i]);
            MUST(mprotect(next, PAGE, PROT_READ | PROT_EXEC));
            if (mremap(next, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, code) != code) _exit(91);
            next = NULL;
            break;
        case 2:
            MUST(munmap(code, PAGE));
            if (mmap(code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != code) _exit(91);
            write_code(code, places[i]);
            break;
        default: {
            int file = MUST(memfd_create("code", 0));
            size_t length = write_code(bytes, places[i]);
            MUST(write(file, bytes, length));
            MUST(mprotect(code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
            MUST(pread(file, code, length, 0));
            MUST(close(file));
        }
        }
        if (next) MUST(munmap(next, PAGE));
        use((site_function *)code);
    }
}

static void mapped(void) {
    for (int i = 0; i < 4; i++) {
        char path[] = "/tmp/counted-code-XXXXXX";
        unsigned char bytes[PAGE] = {0}, now[PAGE];
        int file = i < 2 ? MUST(memfd_create("code", 0)) : MUST(mkstemp(path));
        if (i >= 2) MUST(unlink(path));
        write_code(bytes, places[i]);
        MUST(write(file, bytes, PAGE));
        unsigned char *code = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, i % 2 ? MAP_SHARED : MAP_PRIVATE, file, 0);
        if (code == MAP_FAILED) _exit(91);
        use((site_function *)code);
        MUST(pread(file, now, PAGE, 0));
        SAY("the file %s\n", memcmp(bytes, now, PAGE) ? "has changed" : "is as it was");
        MUST(munmap(code, PAGE));
        MUST(close(file));
    }
}

static void doubled(void) {
    int file = MUST(memfd_create("code", 0));
    MUST(ftruncate(file, PAGE));
    unsigned char *to_write = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    unsigned char *to_run = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
    MUST(close(file));
    for (int i = 0; i < PLACES; i++) {
        unsigned char expected[PAGE];
        size_t length = write_code(to_write, places[i]);
        write_code(expected, places[i]);
        use((site_function *)to_run);
        if (memcmp(expected, to_write, length)) SAY("what was written has changed\n");
    }
}

int main(int argc, char **argv) {
    if (argc < 2) return 98;
    begin_counting();
    counted_pair(SOCK_STREAM, pair);
    if (strcmp(argv[1], "libraries") == 0 && argc > 3) libraries(argv + 2);
    if (strcmp(argv[1], "rewritten") == 0) rewritten();
    if (strcmp(argv[1], "mapped") == 0) mapped();
    if (strcmp(argv[1], "doubled") == 0) doubled();
    say_counts();
    return 0;
}
