// Proves that a program with a seccomp filter of its own runs as untraced. Argument 1 is the filter: errno (getpeername fails
// with EACCES, by SECCOMP_RET_ERRNO), strict (any call but the few that it needs kills it) or mode1 (SECCOMP_SET_MODE_STRICT).
#include "check.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#define LOAD BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define WHEN(number, answer) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, answer)
#define ELSE(answer) BPF_STMT(BPF_RET | BPF_K, answer)

static void install(struct sock_filter *filter, size_t bytes) {
    struct sock_fprog program = {.len = bytes / sizeof *filter, .filter = filter};
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "errno";
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int server = listening(&address), client = MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(connect(client, (struct sockaddr *)&address, sizeof address));
    int peer = MUST(accept(server, NULL, NULL));
    char back[16] = "";
    SAY("getpeername before: %s\n", outcome(getpeername(client, (struct sockaddr *)&address, &length)));
    if (strcmp(mode, "errno") == 0) {
        struct sock_filter filter[] = {LOAD, WHEN(SYS_getpeername, SECCOMP_RET_ERRNO | EACCES), WHEN(SYS_socket, SECCOMP_RET_ERRNO | EMFILE),
            ELSE(SECCOMP_RET_ALLOW)};
        install(filter, sizeof filter);
        SAY("getpeername after: %s\n", outcome(getpeername(client, (struct sockaddr *)&address, &length)));
        SAY("socket after: %s\n", outcome(socket(AF_INET, SOCK_STREAM, 0)));
    } else if (strcmp(mode, "strict") == 0) {
        struct sock_filter filter[] = {LOAD, WHEN(SYS_write, SECCOMP_RET_ALLOW), WHEN(SYS_read, SECCOMP_RET_ALLOW), WHEN(SYS_socket, SECCOMP_RET_ALLOW),
            WHEN(SYS_sendto, SECCOMP_RET_ALLOW), WHEN(SYS_close, SECCOMP_RET_ALLOW), WHEN(SYS_exit_group, SECCOMP_RET_ALLOW),
            ELSE(SECCOMP_RET_KILL_PROCESS)};
        install(filter, sizeof filter);
        // A new socket under the strict filter: nothing may be asked of the kernel in this process's name.
        SAY("socket: %s\n", outcome(socket(AF_INET, SOCK_DGRAM, 0)));
    } else {
        MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0));
    }
    MUST(write(client, "filtered", 8));
    MUST(read(peer, back, sizeof back));
    SAY("read: %s\n", back);
    // Plain exit: mode 1 knows no exit_group.
    syscall(strcmp(mode, "mode1") == 0 ? SYS_exit : SYS_exit_group, 9);
}
