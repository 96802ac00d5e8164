/* strikes.h: what each kind of fault does to whom, when its episode begins and ends.
 *
 * Shape: faults.c has the schedule and says when; this knows how. Memory: struct faults. Threads:
 *   one. Time: virtual. Limits: damage to disks of less than half of the members, over a run.
 * Refusals: none. Cost: not measured.
 */
#ifndef TESTS_SIM_STRIKES_H
#define TESTS_SIM_STRIKES_H

#include "tests/sim/world.h"

void strikes_begin(struct world *, enum fault_kind kind, uint64_t length_ns);
void strikes_end(struct world *, enum fault_kind kind);
void strikes_asked(struct world *); /* who was asked for its vote, and is due */
void strikes_mend(struct world *);  /* nobody is down, stopped, or has a wrong clock */

#endif
