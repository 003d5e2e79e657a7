// 32 threads are in SSL_read at once, each by a session of its own: every one gets all of its bytes.
#include "tls_client.h"

enum { THREADS = 32, TIMES = 20, SIZE = 3000 };
static SSL_CTX *context;
static unsigned port;

static void *get(void *unused) {
    SSL *ssl = tls_connect(context, port);
    long all = 0;
    for (int at = 0; at < TIMES; at++) all += tls_get(ssl, SIZE + at);
    tls_end(ssl);
    return (void *)all;
}

int main(int argc, char **argv) {
    port = atoi(argv[1]);
    context = SSL_CTX_new(TLS_client_method());
    pthread_t threads[THREADS];
    for (int at = 0; at < THREADS; at++) pthread_create(&threads[at], NULL, get, NULL);
    long all = 0;
    for (int at = 0; at < THREADS; at++) {
        void *one;
        pthread_join(threads[at], &one);
        all += (long)one;
    }
    SAY("%ld bytes\n", all);
}
