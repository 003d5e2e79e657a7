// Counts the calls of threads that are cancelled while they wait in or run through recv, read, accept and others, time and again.
// Argument 1: deferred or asynchronous. What the kernel did for a call from which its thread never came back is no more than was begun,
// and what goes on without it is complete.
#include "counting.h"

enum { ROUNDS = 20, VICTIMS = 5 };

static bool asynchronous;
static int server, quiet[2], busy[VICTIMS][2];
static struct sockaddr_in address;
static atomic_int calls[VICTIMS], cleaned;
static atomic_int tids[VICTIMS];

static void clean(void *unused) { cleaned++; }

static void once(int which) {
    char bytes[8];
    switch (which) {
    case 0: COUNTED(recvfrom, quiet[0], recv(quiet[0], bytes, sizeof bytes, 0)); break;
    case 1: COUNTED(accept, server, accept(server, NULL, NULL)); break;
    case 2: // through calls that have nothing to wait for
        EXACTLY(1, write, busy[2][0], write(busy[2][0], "w", 1));
        COUNTED(read, busy[2][1], read(busy[2][1], bytes, sizeof bytes));
        break;
    case 3: {
        struct iovec place = {bytes, sizeof bytes};
        struct msghdr message = {.msg_iov = &place, .msg_iovlen = 1};
        EXACTLY(2, sendmsg, busy[3][0], sendmsg(busy[3][0], &(struct msghdr){.msg_iov = &(struct iovec){"mm", 2}, .msg_iovlen = 1}, 0));
        COUNTED(recvmsg, busy[3][1], recvmsg(busy[3][1], &message, 0));
        break;
    }
    default: // past calls that are no place to be cancelled at
        COUNTED(sendto, busy[4][0], syscall(SYS_sendto, busy[4][0], "s", 1, MSG_DONTWAIT, NULL, 0));
        COUNTED(recvfrom, busy[4][1], syscall(SYS_recvfrom, busy[4][1], bytes, sizeof bytes, MSG_DONTWAIT, NULL, NULL));
        pthread_testcancel();
    }
}

static void *victim(void *argument) {
    int which = *(int *)argument, old;
    tids[which] = gettid();
    pthread_cleanup_push(clean, NULL);
    if (asynchronous) pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
    for (;;) {
        // However fast calls are: after so many, those that run wait as well.
        once(++calls[which] > 60 ? 0 : which);
    }
    pthread_cleanup_pop(1);
    return NULL;
}

// The same sockets go on as if nothing had been; what was left in them comes first.
static void use_afterwards(void) {
    char bytes[64];
    int got = 0;
    for (int i = 2; i < VICTIMS; i++) {
        while (COUNTED(recvfrom, busy[i][1], recv(busy[i][1], bytes, sizeof bytes, MSG_DONTWAIT)) > 0) got++;
        EXACTLY(5, sendto, busy[i][0], send(busy[i][0], "after", 5, 0));
        EXACTLY(5, recvfrom, busy[i][1], recv(busy[i][1], bytes, sizeof bytes, 0));
        if (memcmp(bytes, "after", 5)) _exit(93);
    }
    int client = EXACTLY(busy[VICTIMS - 1][1] + 1, socket, -1, socket(AF_INET, SOCK_STREAM, 0));
    EXACTLY(0, connect, client, connect(client, (struct sockaddr *)&address, sizeof address));
    int peer = EXACTLY(client + 1, accept, server, accept(server, NULL, NULL));
    counted_close(client);
    counted_close(peer);
}

int main(int argc, char **argv) {
    if (argc < 2) return 98;
    begin_counting();
    asynchronous = strcmp(argv[1], "asynchronous") == 0;
    server = listening(&address);
    COUNTED(socket, -1, server);
    counted_pair(SOCK_STREAM, quiet);
    for (int i = 0; i < VICTIMS; i++) counted_pair(SOCK_STREAM, busy[i]);
    int numbers[VICTIMS] = {0, 1, 2, 3, 4};
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[VICTIMS];
        for (int i = 0; i < VICTIMS; i++) {
            calls[i] = 0;
            threads[i] = begin_thread(victim, &numbers[i]);
        }
        for (int i = 0; i < VICTIMS; i++) {
            // Those that run get on to another moment each time; every other time, those that wait do so.
            while (calls[i] < (i < 2 ? 1 : 1 + round % 17)) sched_yield();
            while (i < 2 && round % 2 && state(tids[i]) != 'S') sched_yield();
            if (pthread_cancel(threads[i])) _exit(92);
        }
        for (int i = 0; i < VICTIMS; i++) {
            void *result;
            pthread_join(threads[i], &result);
            if (result != PTHREAD_CANCELED) _exit(91);
        }
        use_afterwards();
    }
    if (cleaned != ROUNDS * VICTIMS) _exit(90);
    for (int i = 2; i < VICTIMS; i++) say_conserved(busy[i][0], busy[i][1]);
    say_counts();
    return 0;
}
