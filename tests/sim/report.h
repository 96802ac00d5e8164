/* report.h: how a run that broke a promise ends: what was broken, the last events, the line that
 * replays it.
 *
 * Shape: one world at a time is watched; a violation, a broken ENSURE or a fatal signal while it
 *   runs print and end the program with status 70. Memory: static. Threads: one. Time, limits:
 *   none.
 * Refusals: none. Cost: none until then.
 */
#ifndef TESTS_SIM_REPORT_H
#define TESTS_SIM_REPORT_H

#include "tests/sim/world.h"

/* `replay` is printed as the line that brings this run back; `json`: print the result object
 * too. */
void report_watch(struct world *, const char *replay, bool json);
void report_unwatch(void);

_Noreturn void report_violation(struct world *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void report_result(FILE *file, uint64_t seed, uint32_t runs, const struct world_result *result,
                   uint32_t violations);

/* While set, the history so far is written there when a run ends, by whatever cause. */
void report_history(FILE *file);

#endif
