/* quorum.h: majorities and joint majorities, the arithmetic under every safety proof.
 *
 * Shape: a voter set is an immutable value; who answers is a bit set over the members of one
 * configuration, so membership is decided once, when a sender is looked up, and counting is
 * popcount.
 * Memory: the caller's. Threads: pure functions. Time: none.
 * Limits: QUORUM_MEMBERS_MAX members in a configuration, so that a set is one word.
 * Refusals: none. Cost: O(members), quorum_value O(members^2) at worst; measured: not measured.
 * Source: Raft (Ongaro, thesis 2014) §4.3 for joint majorities.
 */
#ifndef PROTOCOLS_CORE_QUORUM_H
#define PROTOCOLS_CORE_QUORUM_H

#include "numa/base/types.h"

#define QUORUM_MEMBERS_MAX 64u

/* Bit i stands for member i of the configuration that the set belongs to. */
typedef uint64_t member_set;

/* Both must agree while `outgoing` is not empty (joint consensus); a stable configuration has
 * one. */
struct quorum_rule {
    member_set incoming;
    member_set outgoing;
};

/* Smallest number of equal votes that no two disjoint groups can both reach: floor(n/2) + 1. */
static inline uint32_t quorum_majority(uint32_t member_count)
{
    return member_count / 2 + 1;
}

/* Do the members in `yes` form a quorum? An empty rule is satisfied by nobody. */
bool quorum_reached(const struct quorum_rule *rule, member_set yes);

/* Can the members that have not said no still form a quorum? */
bool quorum_possible(const struct quorum_rule *rule, member_set no);

/* The largest value that a quorum has reached, given what each member has reached (0: nothing):
 * commit index from match indexes, confirmed round from echoed rounds, lease from send times. */
uint64_t quorum_value(const struct quorum_rule *rule, const uint64_t value[QUORUM_MEMBERS_MAX]);

#endif
