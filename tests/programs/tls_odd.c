// Odd things amid a TLS library's functions: forks in a callback, and a jump out of one.
#include "tls_client.h"
#include <setjmp.h>
#include <spawn.h>

extern char **environ;
static jmp_buf out;
static int forks, jumps;

static long watch(BIO *bio, int what, const char *data, size_t length, int argi, long argl, int result, size_t *done) {
    if (what == BIO_CB_READ && forks > 0) {
        forks--;
        pid_t child = MUST(fork());
        if (child == 0) _exit(7);
        SAY("in the callback: a child %s\n", ended(child));
        char *arguments[] = {"true", NULL};
        MUST(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ));
        SAY("in the callback: true %s\n", ended(child));
        child = MUST(vfork());
        if (child == 0) _exit(8);
        SAY("in the callback: a vfork's child %s\n", ended(child));
    }
    if (what == BIO_CB_READ && jumps > 0) {
        jumps--;
        longjmp(out, 1);
    }
    return result;
}

int main(int argc, char **argv) {
    unsigned port = atoi(argv[1]);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = tls_connect(context, port);
    BIO_set_callback_ex(SSL_get_rbio(ssl), watch);
    forks = 1;
    SAY("%ld bytes\n", tls_get(ssl, 1000));
    jumps = 1;
    if (setjmp(out) == 0) {
        tls_get(ssl, 2000);
        SAY("it came back\n");
    } else {
        SAY("jumped out\n");
    }
    SSL *other = tls_connect(context, port);
    SAY("%ld bytes\n", tls_get(other, 3000));
    tls_end(other);
}
