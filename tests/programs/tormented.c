// Proves that the first moments of a process with sockets can be cut anywhere: children without any make their first ones while their
// parent stops and continues them, sends them signals or kills them, each a little later than the one before. Says how many ended
// otherwise than they had to.
#include "check.h"
#include <stdatomic.h>
#include <sys/mman.h>

enum { CHILDREN = 240 };

static volatile int handled;
static void handler(int signal) { handled += signal == SIGUSR1; }

static void *use_files(void *unused) {
    char zeros[8];
    for (;;) {
        int file = MUST(open("/dev/zero", O_RDONLY));
        for (int i = 0; i < 50; i++) MUST(read(file, zeros, sizeof zeros));
        MUST(close(file));
    }
    return unused;
}

static void child(int with_thread) {
    pthread_t thread;
    if (with_thread && pthread_create(&thread, NULL, use_files, NULL)) _exit(98);
    for (int i = 0; i < 4; i++) {
        int pair[2], back = -1;
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        idle(6);
        if (MUST(write(pair[0], &i, sizeof i)) != sizeof i) _exit(97);
        if (MUST(read(pair[1], &back, sizeof back)) != sizeof back || back != i) _exit(96);
        MUST(close(pair[0]));
        MUST(close(pair[1]));
    }
    _exit(0);
}

int main(void) {
    int wrong = 0, status;
    atomic_int *begun = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    signal(SIGUSR1, handler);
    for (int i = 0; i < CHILDREN; i++) {
        *begun = 0;
        pid_t pid = MUST(fork());
        if (pid == 0) {
            alarm(100); // not left behind by a test that failed
            *begun = 1;
            child(i % 8 >= 4);
        }
        while (!*begun) sched_yield();
        // A moment that is a little longer each time.
        for (volatile int spin = 0; spin < i * i * 20; spin++) continue;
        switch (i % 4) {
        case 0:
            kill(pid, SIGSTOP);
            for (volatile int spin = 0; spin < 20000; spin++) continue;
            kill(pid, SIGCONT);
            break;
        case 1:
            for (int times = 0; times < 10; times++) kill(pid, SIGUSR1);
            break;
        case 2: kill(pid, SIGKILL); break;
        case 3:
            kill(pid, SIGSTOP);
            kill(pid, SIGKILL);
            break;
        }
        MUST(waitpid(pid, &status, 0));
        int killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        // A kill may come after the end.
        if (!(finished || (i % 4 >= 2 && killed))) {
            wrong++;
            SAY("child %d: status %#x\n", i, status);
        }
    }
    SAY("wrong: %d\n", wrong);
    return 0;
}
