// Proves that a program may confine itself however and whenever it likes: it installs a seccomp filter of its own by argument 1
// (prctl, seccomp, tsync, or thread: by another thread for itself alone), before its first socket or between two of them (argument
// 2). Argument 3 is what the filter does to mmap, mprotect and seccomp, none of which the program calls then: allow, errno, trap,
// trace or kill; or strict, which kills whatever the program does not call itself. Then it uses sockets and files.
#include "check.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>

static volatile int trapped;
static void on_trap(int signal) { trapped = signal; }

static const int needed[] = {SYS_socket, SYS_socketpair, SYS_read, SYS_write, SYS_close, SYS_dup2, SYS_openat, SYS_clone, SYS_wait4, SYS_futex,
    SYS_exit_group, SYS_exit, SYS_set_robust_list, SYS_rt_sigreturn, SYS_madvise, SYS_rt_sigprocmask, SYS_rseq, SYS_newfstatat};
static const int foreign[] = {SYS_mmap, SYS_mprotect, SYS_seccomp, SYS_munmap};

static void install(const char *how, const char *what) {
    bool strict = strcmp(what, "strict") == 0;
    unsigned kill = SECCOMP_RET_KILL_PROCESS, answer = strcmp(what, "errno") == 0 ? SECCOMP_RET_ERRNO | ENOMEM
        : strcmp(what, "trap") == 0                                              ? SECCOMP_RET_TRAP
        : strcmp(what, "trace") == 0                                             ? SECCOMP_RET_TRACE
        : strcmp(what, "kill") == 0                                              ? kill
                                                                                 : SECCOMP_RET_ALLOW;
    const int *numbers = strict ? needed : foreign;
    size_t count = strict ? sizeof needed / sizeof *needed : sizeof foreign / sizeof *foreign, length = 0;
    struct sock_filter code[64];
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < count; i++) {
        code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, numbers[i], 0, 1);
        code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, strict ? SECCOMP_RET_ALLOW : answer);
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, strict ? kill : SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = length, .filter = code};
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if (strcmp(how, "prctl") == 0)
        MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
    else
        MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, strcmp(how, "tsync") == 0 ? SECCOMP_FILTER_FLAG_TSYNC : 0, &program));
}

static const char *how, *what;
static pthread_barrier_t installed, over;
static pthread_mutex_t begin = PTHREAD_MUTEX_INITIALIZER;

static void use(const char *text) {
    char back[32] = "";
    int pair[2], file = MUST(open("/dev/zero", O_RDONLY));
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    MUST(dup2(pair[0], 40));
    idle(strcmp(what, "strict") == 0 ? 0 : A_WHILE);
    MUST(write(40, text, strlen(text)));
    MUST(read(pair[1], back, sizeof back));
    // And files where sockets were.
    MUST(dup2(file, pair[0]));
    MUST(close(40));
    char zeros[8];
    for (int i = 0; i < 20; i++) MUST(read(pair[0], zeros, sizeof zeros));
    SAY("%s\n", back);
    MUST(close(pair[0]));
    MUST(close(pair[1]));
    MUST(close(file));
}

static void *second(void *unused) {
    pthread_mutex_lock(&begin);
    if (strcmp(how, "thread") == 0) install(how, what);
    pthread_barrier_wait(&installed);
    pthread_barrier_wait(&over);
    use("in the other thread");
    return unused;
}

int main(int argc, char **argv) {
    if (argc < 4) return 98;
    how = argv[1];
    what = argv[3];
    bool between = strcmp(argv[2], "between") == 0;
    pthread_t thread;
    signal(SIGSYS, on_trap);
    pthread_barrier_init(&installed, NULL, 2);
    pthread_barrier_init(&over, NULL, 2);
    pthread_mutex_lock(&begin);
    if (pthread_create(&thread, NULL, second, NULL)) return 98;
    SAY("begins\n"); // stdio has its buffer
    if (between) use("before the filter");
    // For tsync the other thread is there already.
    if (strcmp(how, "thread") != 0) install(how, what);
    pthread_mutex_unlock(&begin);
    pthread_barrier_wait(&installed);
    use("under the filter");
    int kept[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, kept));
    pid_t pid = MUST(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
    if (pid == 0) {
        use("in a child");
        MUST(write(kept[0], "by the child", 12));
        _exit(3);
    }
    char back[16] = "";
    SAY("child %s\n", ended(pid));
    MUST(read(kept[1], back, sizeof back));
    SAY("%s, trapped by %d\n", back, trapped);
    pthread_barrier_wait(&over);
    pthread_join(thread, NULL);
    _exit(9);
}
