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

struct world;

enum fault_kind {
#define FAULT(name, text, percent, of) FAULT_##name,
#include "tests/sim/faults.def"
#undef FAULT
    FAULT_COUNT
};

struct fault_plan {
    bool by_seed; /* "all" */
    uint8_t percent[FAULT_COUNT];
};

struct faults {
    struct random_state random;
    uint8_t percent[FAULT_COUNT];
    bool active[FAULT_COUNT];
    uint64_t due_ns[FAULT_COUNT]; /* next begin or end; UINT64_MAX: never */
    uint64_t next_ns;             /* the earliest of them */
    uint64_t count[FAULT_COUNT];  /* frames hit, or episodes */
    uint32_t victim[FAULT_COUNT]; /* of the episode: a node */
    uint32_t peer;                /* cut: the receiving host, or all */
    uint32_t side[2];             /* partition: hosts */
    uint32_t isolate;    /* the next partition is around this node; NODES_MAX: around none */
    uint32_t silence[2]; /* the next cut is from this node to that; NODES_MAX: any */
};

const char *fault_name(enum fault_kind kind);

/* "none", "all", or "loss=30,partition,crash". False: `word` is the one that is wrong. */
bool fault_plan_parse(const char *list, struct fault_plan *plan, char word[32]);

void faults_begin(struct world *, const struct fault_plan *plan);
uint64_t faults_next_ns(const struct world *);
void faults_run(struct world *); /* what is due now */
void faults_heal(struct world *);

/* Chance for one frame; counts it. */
bool faults_hits_frame(struct world *, enum fault_kind kind);

#endif
