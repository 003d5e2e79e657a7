// Proves that what a program knows of its own code stays so while it makes calls from it: its map (argument "map"), its right to write to
// that code and take it away again ("write"), and the register that is the program's own, gs, in each thread ("gs"). Says what differs.
#include "counting.h"
#include <asm/prctl.h>
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

enum { THREADS = 4, ROUNDS = 40, PAGE = 4096 };

static int differences;
static atomic_int wrong;

static void use(int rounds) {
    int pair[2];
    char bytes[8];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    for (int i = 0; i < rounds; i++) {
        EXACTLY(4, write, pair[0], write(pair[0], "mine", 4));
        EXACTLY(4, read, pair[1], read(pair[1], bytes, 8));
        if (memcmp(bytes, "mine", 4)) wrong++;
        EXACTLY(5, sendto, pair[1], send(pair[1], "other", 5, 0));
        EXACTLY(5, recvfrom, pair[0], recv(pair[0], bytes, 8, 0));
        if (memcmp(bytes, "other", 5)) wrong++;
    }
    MUST(close(pair[0]));
    MUST(close(pair[1]));
}

// The lines of the map that name a file, but for the recorder's, which says whose it is: these are the program and its libraries, to whoever looks for them.
static int files(char lines[128][256]) {
    FILE *maps = fopen("/proc/self/maps", "r");
    int count = 0;
    while (count < 128 && fgets(lines[count], 256, maps))
        if (strchr(lines[count], '/') && !strstr(lines[count], "/memfd:sockstrace")) count++;
    fclose(maps);
    return count;
}

static int count_object(struct dl_phdr_info *info, size_t size, void *count) {
    ++*(int *)count;
    return 0;
}

static void map(void) {
    static char before[128][256], after[128][256];
    int objects = 0, objects_after = 0, count = files(before);
    dl_iterate_phdr(count_object, &objects);
    use(ROUNDS);
    int now = files(after);
    dl_iterate_phdr(count_object, &objects_after);
    if (now != count || objects != objects_after) {
        SAY("%d lines of files were in the map, %d are; %d objects, %d\n", count, now, objects, objects_after);
        differences++;
    }
    for (int i = 0; i < count && i < now; i++)
        if (strcmp(before[i], after[i])) {
            SAY("%s became\n%s", before[i], after[i]);
            differences++;
        }
}

// All of libc's code, to write to it for a while, as tools do that put their own in place of a function: then other threads' calls go on.
static volatile bool over;
static void *use_on(void *unused) {
    for (int i = 0; i < 60 && !over; i++) use(3);
    return unused;
}

static int find_code(struct dl_phdr_info *info, size_t size, void *found) {
    struct {
        char *at;
        size_t length;
    } *code = found;
    if (!strstr(info->dlpi_name, "libc.so")) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
        char *begin = (char *)((info->dlpi_addr + part->p_vaddr) & ~(PAGE - 1UL));
        code->at = begin;
        code->length = ((info->dlpi_addr + part->p_vaddr + part->p_memsz + PAGE - 1) & ~(PAGE - 1UL)) - (unsigned long)begin;
    }
    return 1;
}

__attribute__((aligned(4096), noinline)) static long replaced(long value) {
    __asm__ volatile("" : "+r"(value));
    return value + 1;
}

static void write_to_it(void) {
    struct {
        char *at;
        size_t length;
    } code = {0};
    dl_iterate_phdr(find_code, &code);
    if (!code.at) _exit(97);
    pthread_t threads[THREADS];
    use(ROUNDS);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, use_on, NULL)) _exit(98);
    for (int i = 0; i < 20; i++) {
        MUST(mprotect(code.at, code.length, PROT_READ | PROT_WRITE | PROT_EXEC));
        use(2);
        // A byte of it as it is, and our own function anew.
        volatile char *last = code.at + code.length - 1;
        *last = *last;
        MUST(mprotect(code.at, code.length, PROT_READ | PROT_EXEC));
        unsigned char *page = (unsigned char *)replaced;
        MUST(mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
        // lea 1(%rdi), %rax or lea 2(%rdi), %rax; ret
        memcpy(page, (unsigned char[]){0x48, 0x8d, 0x47, 1 + i % 2, 0xc3}, 5);
        MUST(mprotect(page, PAGE, PROT_READ | PROT_EXEC));
        if (replaced(i) != i + 1 + i % 2) wrong++;
        use(2);
    }
    over = true;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void *gs_of_its_own(void *argument) {
    static bool by_instruction;
    by_instruction = getauxval(AT_HWCAP2) & 2;
    uint64_t own[4] = {0x1122334455667788, (uint64_t)argument, 3, 4}, seen, base;
    for (int i = 0; i < ROUNDS; i++) {
        // To memory of its own, nowhere, and to numbers that are no addresses.
        uint64_t place = i % 3 == 0 ? (uint64_t)own : i % 3 == 1 ? 0 : 0x123456789000 + (uint64_t)argument;
        if (by_instruction && i % 2) __asm__ volatile("wrgsbase %0" : : "r"(place));
        else MUST(syscall(SYS_arch_prctl, ARCH_SET_GS, place));
        use(2);
        if (i % 3 == 0) {
            __asm__ volatile("mov %%gs:0, %0" : "=r"(seen));
            if (seen != own[0]) wrong++;
            __asm__ volatile("mov %%gs:8, %0" : "=r"(seen));
            if (seen != own[1]) wrong++;
        }
        if (by_instruction) {
            __asm__ volatile("rdgsbase %0" : "=r"(base));
            if (base != place) wrong++;
        }
        MUST(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
        if (base != place) wrong++;
        uint16_t selector;
        __asm__ volatile("mov %%gs, %0" : "=r"(selector));
        if (selector != 0) wrong++;
    }
    return argument;
}

static void gs(void) {
    pthread_t threads[THREADS];
    use(ROUNDS);
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, gs_of_its_own, (void *)(i << 12))) _exit(98);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    gs_of_its_own((void *)0x7000);
}

int main(int argc, char **argv) {
    if (argc < 2) return 98;
    begin_counting();
    SAY("begins\n"); // stdio has its buffer
    if (strcmp(argv[1], "map") == 0) map();
    if (strcmp(argv[1], "write") == 0) write_to_it();
    if (strcmp(argv[1], "gs") == 0) gs();
    say_counts();
    SAY("differences: %d\n", differences + wrong);
    return 0;
}
