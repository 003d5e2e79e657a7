// Proves that every entry of the environment comes through: prints them, or runs its arguments with some that are no variables.
#include "check.h"

int main(int argc, char **argv) {
    char *odd[] = {"FIRST=1", "no_equals_sign", "=starts with it", "", "TWICE=one", "TWICE=two", "LC_ALL=C.UTF-8", NULL};
    if (argc > 1) {
        execve(argv[1], argv + 1, odd);
        return 97;
    }
    for (char **entry = environ; *entry; entry++) SAY("%s\n", *entry);
    return 0;
}
