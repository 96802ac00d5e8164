/* exhaustive_canonical.h: regions that mean the same become the same bytes.
 *
 * Shape: after a turn, when all sends are taken, clocks and numbers are set to what
 *   exhaustive_member.h says of them, stale rests to zero. What is behind the third slot is not
 *   used and not saved.
 * Memory: the caller's. Threads: none. Time: virtual. Limits: EXHAUSTIVE_SLOTS members.
 * Refusals: none. Cost: two walks over the region.
 */
#ifndef TESTS_SIM_EXHAUSTIVE_CANONICAL_H
#define TESTS_SIM_EXHAUSTIVE_CANONICAL_H

#include "protocols/raft/raft.h"

#define EXHAUSTIVE_SLOTS 3u

/* Clock and time-outs of a config. */
void exhaustive_canonical_times(struct raft_config *config);
/* When to tick for a heartbeat, or for an election. */
uint64_t exhaustive_canonical_timer(const raft *machine, bool beat);
void exhaustive_canonical(raft *machine);

/* To and from a copy without the outbox, which is empty; `to` has room for the footprint. Returns
 * the bytes written. */
size_t exhaustive_canonical_save(const raft *machine, uint8_t *to);
void exhaustive_canonical_load(raft *machine, const uint8_t *from);

#endif
