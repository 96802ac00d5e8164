/* witness.h: sees every node at once, and so what no node can see: the promises of the paper's
 * figure 3.
 *
 * Shape: looked at after each turn of a node, at each write to a disk and at each frame that leaves
 *   a node; keeps what it needs to compare in O(what changed).
 *
 *   election safety       one leader per term; a majority of disks holds its votes
 *   log matching          same (index, term), same entry and same entries before it
 *   leader completeness   a new leader's log holds every entry committed in earlier terms
 *   state machine safety  one entry per committed index; same state at the same applied index
 *   durability            what is committed lies on a majority of disks; a vote or an
 *                         acknowledgement that leaves a node lies on its disk
 *   commit by counting    a leader commits entries of its own term, and others with them alone
 *   read safety           a ticket that is ready covers what was committed when it was taken: taken
 *                         as soon as a leader knows less than has been committed
 *   monotony              term, commit and applied index of a running node never fall; terms not
 *                         even over a restart
 *
 * Memory: grows by malloc. Threads: one. Time: virtual. Limits: none. Refusals: violation
 * (report.h).
 * Cost: O(groups) per turn and O(1) per entry; not measured.
 */
#ifndef TESTS_SIM_WITNESS_H
#define TESTS_SIM_WITNESS_H

#include "tests/sim/node.h"

struct witness *witness_open(struct world *);
void witness_close(struct witness *);

void witness_booted(struct witness *, const struct node *);
void witness_turned(struct witness *, const struct node *, bool idle);
/* A start has read the log back, and takes what is up to `commit` as committed. */
void witness_found(struct witness *, const struct node *, uint16_t group, uint64_t commit);
/* Before and after entries from `first` on are handed to the disk (0: hard state alone). */
uint64_t witness_held(const struct witness *, const struct node *, uint16_t group);
void witness_wrote(struct witness *, const struct node *, uint16_t group, uint64_t first,
                   uint64_t held);
void witness_sent(struct witness *, const struct node *, uint32_t to, const uint8_t *payload,
                  uint32_t bytes);

/* A leader that knows less than is committed: worth looking at often. */
bool witness_lags(const struct witness *, const struct node *);

uint32_t witness_leader(const struct witness *, uint16_t group); /* node; NODES_MAX: none known */
uint64_t witness_elections(const struct witness *);
uint64_t witness_commits(const struct witness *);
uint64_t witness_committed(const struct witness *, uint16_t group);

/* After healing: does every node have everything that is committed, applied? */
struct witness_laggard {
    uint32_t node;
    uint16_t group;
    uint64_t applied;
    uint64_t commit;
};
bool witness_converged(const struct witness *, struct witness_laggard *laggard);

#endif
