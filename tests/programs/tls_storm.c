// Sixty small requests by TLS, with signals amid the library's functions as fast as they can be taken.
#include "tls_client.h"
#include <stdatomic.h>

enum { TRIPS = 60, BODY = 64, AT_ONCE = 20 };
static atomic_long signals, steps;
static atomic_int over;

static void handler(int number) { signals++; }

// A thread that takes nothing but signals would never get any further: after so many of them it has to come to its next call.
static void *send_signals(void *unused) {
    long step = 0, sent = 0;
    while (!over) {
        if (steps != step) step = steps, sent = 0;
        if (sent++ < AT_ONCE)
            MUST(kill(getpid(), SIGUSR1));
        else
            sched_yield();
    }
    return NULL;
}

// Amid SSL_read, before it reads, at least one signal comes.
static long wait_for_one(BIO *bio, int what, const char *data, size_t length, int argi, long argl, int result, size_t *done) {
    long before = signals;
    steps++;
    while (what == BIO_CB_READ && signals == before) sched_yield();
    return result;
}

int main(int argc, char **argv) {
    SSL *ssl = tls_connect(SSL_CTX_new(TLS_client_method()), atoi(argv[1]));
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    MUST(sigaction(SIGUSR1, &action, NULL));
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    pthread_t sender;
    pthread_create(&sender, NULL, send_signals, NULL);
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    BIO_set_callback_ex(SSL_get_rbio(ssl), wait_for_one);
    long all = 0;
    for (int trip = 0; trip < TRIPS; trip++) all += tls_get(ssl, BODY);
    over = 1;
    pthread_join(sender, NULL);
    SAY("%ld bytes, %s signals\n", all, signals >= TRIPS ? "many" : "few");
    tls_end(ssl);
}
