/* guard.h: the mark a core wears while it polls: no allocation, no system call, no lock until it
 * takes it off.
 *
 * Shape: one byte per thread. The program only sets and clears it; who watches is up to the test,
 * which links tests/interpose and counts what the thread did while it wore the mark. The byte is
 * laid out so that the kernel can read it (syscall user dispatch: 0 lets calls pass, 1 hands them
 * to the watcher).
 *
 *    lane loop:  begin ─ turn ─ turn ─ end, sleep, begin ─ turn ─ ...
 *
 * Memory: one thread-local byte. Threads: each its own. Time, limits: none.
 * Refusals: none; begin twice, or end without begin, aborts. Cost: a store.
 */
#ifndef NUMA_BASE_GUARD_H
#define NUMA_BASE_GUARD_H

#include "numa/base/types.h"

void guard_polling_begin(void);
void guard_polling_end(void);
bool guard_polling(void);

/* Tests: `watch` is called by each begin with the address of the calling thread's mark, before it
 * is set. Set while no thread polls. NULL: nobody watches, which is how the program starts. */
void guard_watch_set(void (*watch)(volatile uint8_t *mark));

#endif
