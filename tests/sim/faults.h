/* faults.h: what goes wrong, how much of it, and when.
 *
 * Shape: each kind has an intensity in percent: of the frames for loss, duplicate and reorder; of
 *   the time for the others, which come in episodes: one of each kind at a time, begun and ended by
 *   the
 *   schedule. Half of the episodes that pick one node pick a leader. A partition cuts two sides at
 *   random, or a leader off with some clients, or leaves one node that hears both sides; when a
 *   node is stopped, a partition around it may follow, since a leader that slept through its own
 *   deposition is the hardest test of reads; when leadership is handed over, the old leader may
 *   stop hearing the new one. "all" leaves it to the seed which kinds a run has, and how strong
 *   they are, so that runs differ in character.
 * Memory: embedded in the world. Threads: one owner. Time: virtual. Limits: names in faults.def,
 * 1 to 100 percent. Refusals: fault_plan_parse says which word it does not know.
 * Cost: O(kinds) per step; not measured.
 */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include "numa/base/random.h"

#define NODES_MAX 9u

struct world;

enum fault_kind {
#define FAULT(name, text, percent, of) FAULT_##name,
#include "tests/sim/faults.def"
#undef FAULT
    FAULT_COUNT
};

/* What a node is when it is struck. */
enum fault_role {
    ROLE_LEADER,
    ROLE_FOLLOWER,
    ROLE_CANDIDATE,
    ROLE_LEARNER,
    ROLE_RECOVERING, /* damaged, or not yet as far as the group was when it started */
    ROLE_STOPPED,
    ROLE_DOWN,
    ROLE_COUNT
};

struct fault_plan {
    bool by_seed; /* "all" */
    uint8_t percent[FAULT_COUNT];
};

struct faults {
    struct random_state random;
    uint8_t percent[FAULT_COUNT];
    bool active[FAULT_COUNT];
    uint64_t due_ns[FAULT_COUNT];             /* next begin or end; UINT64_MAX: never */
    uint64_t next_ns;                         /* the earliest of them */
    uint64_t count[FAULT_COUNT];              /* frames hit, or episodes */
    uint64_t struck[FAULT_COUNT][ROLE_COUNT]; /* by what the victim was, in each of its groups */
    uint32_t doubtful;                        /* nodes whose disks were damaged, ever */
    uint64_t asked_ns[NODES_MAX]; /* whoever was asked for its vote goes, or comes back, then */
    uint64_t asked_rest_ns;       /* not before */
    uint32_t away;                /* ... and is gone */
    bool hit[FAULT_COUNT];        /* the episode has done something */
    uint32_t victim[FAULT_COUNT]; /* of the episode: a node */
    uint32_t peer;                /* cut: the receiving host, or all */
    uint32_t side[2];             /* partition: hosts */
    uint32_t isolate;    /* the next partition is around this node; NODES_MAX: around none */
    uint32_t silence[2]; /* the next cut is from this node to that; NODES_MAX: any */
};

const char *fault_name(enum fault_kind kind);
const char *fault_role_name(enum fault_role role);

/* "none", "all", or "loss=30,partition,crash". False: `word` is the one that is wrong. */
bool fault_plan_parse(const char *list, struct fault_plan *plan, char word[32]);

void faults_begin(struct world *, const struct fault_plan *plan);
uint64_t faults_next_ns(const struct world *);
void faults_run(struct world *); /* what is due now */
void faults_heal(struct world *);

/* Chance for one frame, or one write of a node that crashes; counts it. `node`: whose; other hosts
 * count in no state. */
bool faults_hits(struct world *, enum fault_kind kind, uint32_t node);

void faults_note(struct world *, enum fault_kind kind, uint32_t node);
void faults_keep_next(struct faults *);

/* A pre-vote is asked of this node. */
void faults_asked(struct world *, uint32_t node);

#endif
