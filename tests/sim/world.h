/* world.h: one simulated cluster: virtual time, nodes with disks and clocks, clients, a network
 * between.
 *
 * Shape: one thread. A step moves time to the next thing that is due (a frame, a fault, a node's
 *   turn, a client's turn) and lets it happen; after each turn of a node the witness looks. Each
 *   node is a real
 *   lane; port, disk and clock underneath are simulated (network.h, disk.h, node.h).
 *
 *   actors ─► network ─► node: lane_poll ─► disk          faults ─► network, nodes, disks, clocks
 *      └──── history           └──────────► witness       witness, linearize ─► violation
 *
 * Memory: grows by malloc, freed by world_close. Threads: one. Time: now_ns, virtual, from 0.
 * Chance: the seed alone, through one stream per module, so that a change in one does not shift
 * others.
 * Limits: the maxima below. Refusals: a broken promise ends the program (report.h).
 * Cost: not measured.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "dataplane/pipeline/lane.h"
#include "tests/sim/faults.h"
#include "tests/sim/history.h"
#include "tests/sim/trace.h"

#define ACTORS_MAX 16u
#define GROUPS_MAX 4u
#define HOSTS_MAX  (NODES_MAX + ACTORS_MAX)

#define MICROSECOND_NS UINT64_C(1000)
#define MILLISECOND_NS UINT64_C(1000000)
#define SECOND_NS      UINT64_C(1000000000)

struct actor;
struct network;
struct node;
struct witness;

struct world_options {
    uint64_t seed;
    uint32_t replicas; /* 0: by seed */
    double minutes;
    struct fault_plan faults;
    FILE *live_trace;
};

/* What the seed makes of a run. */
struct shape {
    uint32_t replicas;
    uint32_t groups;
    uint32_t network_actors;
    uint32_t edge_actors; /* on nodes' ducts */
    uint32_t payload_max;
    uint32_t drift_ppm;
    uint64_t link_ns;  /* a frame's usual way */
    uint64_t retry_ns; /* an actor's first retry */
    uint64_t election_timeout_max_ns;
    uint64_t key_epoch_ns; /* keys are fresh that often, so that a key's history can be judged */
    uint64_t think_ns;     /* an actor's longest pause */
    uint64_t disk_ns;      /* a write's usual time */
    uint64_t session_ttl_ms;
    uint64_t time_jump_max_ms;
    bool lease_reads;
    bool clocks_matter; /* leases, very wrong clocks, and the faults that make them matter */
    bool split_rooms;   /* rooms are polled one by one, in any order, as on several cores */
    bool large_values;
};

struct world {
    uint64_t now_ns;
    uint64_t end_ns; /* of the faults */
    uint64_t cluster;
    struct world_options options;
    struct shape shape;
    struct random_state random;
    struct trace trace;
    struct faults faults;
    struct network *network;
    struct node *node[NODES_MAX];
    struct actor *actor[ACTORS_MAX];
    uint32_t actor_count;
    uint32_t processes; /* names given to clients so far */
    struct witness *witness;
    struct history *history;
    uint64_t events;
};

struct world_result {
    double simulated_seconds;
    uint64_t events;
    uint64_t commits;
    uint64_t elections;
    uint64_t operations;
    uint64_t undecided; /* keys whose history the linearizability checker gave up on */
    uint64_t faults[FAULT_COUNT];
    uint64_t struck[FAULT_COUNT][ROLE_COUNT];
    uint64_t digest;
};

struct world *world_open(const struct world_options *options);
void world_run(struct world *, struct world_result *result);
void world_close(struct world *);

static inline bool chance(struct random_state *random, uint32_t percent)
{
    return random_below(random, 100) < percent;
}

static inline uint64_t between(struct random_state *random, uint64_t low, uint64_t high)
{
    return low + random_below(random, high - low + 1);
}

static inline void world_note(struct world *world, enum trace_kind kind, uint64_t a, uint64_t b,
                              uint64_t c, uint64_t d)
{
    trace_note(&world->trace, world->now_ns, kind, a, b, c, d);
}

#endif
