// Proves that what a program inherits reaches it unchanged: prints signal masks and actions, descriptors, limits and the like.
#include "check.h"
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

int main(int argc, char **argv) {
    (void)argc;
    // Standard output may be closed: the answer goes to the file named in ANSWER, opened last.
    char text[16384];
    size_t used = 0;
#define ADD(...) (used += snprintf(text + used, sizeof text - used, __VA_ARGS__))
    ADD("descriptors:");
    for (int fd = 0; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0) ADD(" %d/%d/%o", fd, flags, fcntl(fd, F_GETFL));
    }
    ADD("\nargv[0]: %s\n", argv[0]);
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int signal = 1; signal < 65; signal++) {
        struct sigaction action = {0};
        if (syscall(SYS_rt_sigaction, signal, NULL, &action, 8)) continue;
        if (action.sa_handler != SIG_DFL) ADD("signal %d ignored\n", signal);
        if (sigismember(&blocked, signal) == 1) ADD("signal %d blocked\n", signal);
    }
    sigset_t pending;
    sigpending(&pending);
    ADD("pending: %s\n", sigisemptyset(&pending) ? "none" : "some");
    mode_t mask = umask(0);
    char directory[4096];
    ADD("umask %o, directory %s, nice %d, root %s\n", mask, getcwd(directory, sizeof directory), getpriority(PRIO_PROCESS, 0),
        access("/proc/self/root/.", F_OK) ? "odd" : "fine");
    for (int limit = 0; limit < RLIM_NLIMITS; limit++) {
        struct rlimit values;
        if (getrlimit(limit, &values) == 0) ADD("limit %d: %ld %ld\n", limit, (long)values.rlim_cur, (long)values.rlim_max);
    }
    int death = 0;
    prctl(PR_GET_PDEATHSIG, &death);
    ADD("death signal %d, subreaper %d, timer slack %d, dumpable %d\n", death, 0, prctl(PR_GET_TIMERSLACK), prctl(PR_GET_DUMPABLE));
    ADD("uid %d %d gid %d %d, groups %d\n", getuid(), geteuid(), getgid(), getegid(), getgroups(0, NULL));
    ADD("session: %s, group: %s, leader: %s, foreground: %d\n", getsid(0) == getsid(getppid()) ? "the parent's" : "another",
        getpgrp() == getpgid(getppid()) ? "the parent's" : "another", getpid() == getpgrp() ? "yes" : "no", tcgetpgrp(0) == getpgrp());
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    ADD("cpus %d, scheduler %d\n", CPU_COUNT(&cpus), sched_getscheduler(0));
    for (char **entry = environ; *entry; entry++) ADD("environment: %s\n", *entry);
    const char *answer = getenv("ANSWER");
    int fd = answer ? open(answer, O_WRONLY | O_CREAT | O_TRUNC, 0600) : 1;
    return write(fd, text, used) == (ssize_t)used ? 0 : 98;
}
