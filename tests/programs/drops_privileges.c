// Proves that a server may give away root's rights at any time: by argument 1 it becomes nobody (user), gives up all capabilities
// (caps), both, or does the first in one thread alone (thread); argument 2 says whether it has sockets before. What it then makes is
// told, whatever descriptors it gets, in the other thread, in its child and after an exec, and it may still gain privileges.
#include "check.h"
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/prctl.h>

static void talk(int fd, int peer, const char *text) {
    char back[64] = "";
    MUST(write(fd, text, strlen(text)));
    MUST(read(peer, back, sizeof back));
    SAY("%s\n", back);
}

// Sockets at numbers that differ each time, and files where they were.
static void use(const char *text) {
    static int times;
    int pair[2], number = 20 + 10 * times++;
    char zero[4];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    MUST(dup2(pair[0], number));
    idle(times % 2 ? A_WHILE : 0);
    talk(number, pair[1], text);
    int file = MUST(open("/dev/zero", O_RDONLY));
    MUST(dup2(file, pair[0]));
    MUST(read(pair[0], zero, sizeof zero));
    for (int i = 0; i < 1000; i++) MUST(read(file, zero, sizeof zero));
    MUST(close(file));
    MUST(close(pair[0]));
    MUST(close(pair[1]));
    MUST(close(number));
}

static void say_who(void) {
    char line[256];
    FILE *file = fopen("/proc/thread-self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "CapEff", 6) == 0) SAY("%s", line);
    if (file) fclose(file);
    SAY("user %d, no_new_privs %d\n", geteuid(), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void give_away(const char *what) {
    if (strcmp(what, "caps") != 0) {
        // The call itself: the C library's function would make every thread do it.
        MUST(syscall(SYS_setresgid, 65534, 65534, 65534));
        MUST(syscall(SYS_setresuid, 65534, 65534, 65534));
    }
    if (strcmp(what, "caps") == 0 || strcmp(what, "both") == 0) {
        struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
        struct __user_cap_data_struct none[2] = {{0}};
        MUST(syscall(SYS_capset, &header, none));
    }
}

static pthread_barrier_t given, used;

static void *other(void *unused) {
    pthread_barrier_wait(&given);
    pthread_barrier_wait(&used);
    use("in the other thread");
    say_who();
    return unused;
}

int main(int argc, char **argv) {
    if (argc < 3) return 98;
    if (strcmp(argv[1], "again") == 0) {
        use("after exec");
        say_who();
        return 5;
    }
    SAY("begins\n"); // stdio has its buffer
    bool in_thread = strcmp(argv[1], "thread") == 0;
    pthread_t thread;
    pthread_barrier_init(&given, NULL, 2);
    pthread_barrier_init(&used, NULL, 2);
    if (in_thread && pthread_create(&thread, NULL, other, NULL)) return 98;
    if (strcmp(argv[2], "before") == 0) use("with all rights");
    give_away(argv[1]);
    if (in_thread) pthread_barrier_wait(&given);
    use("without them");
    use("again");
    say_who();
    if (in_thread) {
        pthread_barrier_wait(&used);
        pthread_join(thread, NULL);
        use("after the other thread");
    }
    pid_t pid = MUST(fork());
    if (pid == 0) {
        use("in a child");
        execl("/proc/self/exe", argv[0], "again", "-", NULL);
        _exit(97);
    }
    SAY("child %s\n", ended(pid));
    use("at last");
    return 0;
}
