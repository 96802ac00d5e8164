/* ledger.h: exactly once, counted: what each process was told about the two keys of its own against
 * what they hold.
 *
 * Shape: after healing, on every node: a counter holds every increment that was acknowledged, none
 *   that was refused, and each uncertain one once or not at all; a list likewise, token by token.
 *   linearize.h says the same in general; this one can not be undecided.
 * Memory: malloc during the call. Threads: one. Time, limits: none. Refusals: violation (report.h).
 * Cost: O(operations * own keys * nodes); not measured.
 */
#ifndef TESTS_SIM_LEDGER_H
#define TESTS_SIM_LEDGER_H

#include "tests/sim/world.h"

/* Names of own keys: group, process. */
#define LEDGER_COUNTER "g%u.counter.%u"
#define LEDGER_LIST    "g%u.list.%u"

void ledger_check(struct world *);

#endif
