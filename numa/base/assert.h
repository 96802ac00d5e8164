/* assert.h: broken promises of our own, and nobody else's.
 *
 * ENSURE stays on in every build: it states an invariant whose breach means that this program is
 * wrong, so going on would spread the damage. It is never reachable from a packet, a file or a
 * command line; bad input is refused by name (house rule: whose mistake is it?).
 *
 * Threads: any. Cost: one predicted branch. Refusals: none; a breach prints and aborts.
 */
#ifndef NUMA_BASE_ASSERT_H
#define NUMA_BASE_ASSERT_H

#include "numa/base/types.h"

/* Prints "file:line: function: broken: text", runs the dump set by assert_dump_set, aborts. */
_Noreturn void assert_broken(const char *file, int line, const char *function, const char *text);

/* What to run once before abort: it prints the last events. Not called twice. May be NULL. */
void assert_dump_set(void (*dump)(void));

#define ENSURE(condition)                                                                          \
    (LIKELY(condition) ? (void)0 : assert_broken(__FILE__, __LINE__, __func__, #condition))

#endif
