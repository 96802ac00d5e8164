#include "numa/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

static void (*last_words)(void);

void assert_dump_set(void (*dump)(void))
{
    last_words = dump;
}

_Noreturn void assert_broken(const char *file, int line, const char *function, const char *text)
{
    void (*dump)(void) = last_words;
    last_words = NULL; /* a dump that breaks in turn must not recurse */
    (void)fprintf(stderr, "%s:%d: %s: broken: %s\n", file, line, function, text);
    if (dump != NULL)
        dump();
    abort();
}
