// A TLS library is loaded, used and unloaded again and again.
#include "check.h"
#include <dlfcn.h>

int main(void) {
    int right = 0;
    for (int at = 0; at < 50; at++) {
        void *library = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
        if (!library) {
            SAY("%s\n", dlerror());
            return 1;
        }
        const void *(*method)(void) = (const void *(*)(void))dlsym(library, "TLS_client_method");
        void *(*new_context)(const void *) = (void *(*)(const void *))dlsym(library, "SSL_CTX_new");
        void *(*new_session)(void *) = (void *(*)(void *))dlsym(library, "SSL_new");
        int (*read_it)(void *, void *, int) = (int (*)(void *, void *, int))dlsym(library, "SSL_read");
        void (*free_session)(void *) = (void (*)(void *))dlsym(library, "SSL_free");
        void (*free_context)(void *) = (void (*)(void *))dlsym(library, "SSL_CTX_free");
        void *context = new_context(method());
        void *session = new_session(context);
        char byte;
        right += read_it(session, &byte, 1) == -1;
        free_session(session);
        free_context(context);
        dlclose(library);
    }
    SAY("%d times\n", right);
}
