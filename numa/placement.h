/* placement.h: which room runs on which core. A pure function of the topology and of what is
 * wanted.
 *
 * Shape: a replica has lanes, a lane polls one queue of its replica's port and runs the eight rooms
 * in stages. Every stage gets a physical core of its own while there are cores; fewer cores than
 * stages merge neighbouring stages; fewer cores than lanes make lanes take turns. Rules, in order
 * of strength:
 *
 *    1. never two workers on one physical core; its SMT siblings stay empty
 *    2. control threads stay off the workers' cores; only a machine without a spare core breaks
 *       this (warning)
 *    3. near the card: another node is used only when the card's node has too few free cores
 *       (warning)
 *    4. a lane stays on one node, and within one L3 cache, if any has room for it
 *    5. the core of PU 0, where the kernel keeps its chores, is taken last
 *
 *    lane 0:  rx open verify │ order persist apply │ seal tx        a cut begins a stage
 *             worker 0         worker 1              worker 2
 *
 * Memory: the caller's struct placement; nothing of the topology or request is kept. Threads: any.
 * Time: none; the same input gives the same plan.
 * Limits: PLACEMENT_LANE_MAX lanes over all replicas; PLACEMENT_WORKER_MAX workers: EAL as packaged
 * knows 128 lcores, and one is the main lcore. Refusals: placement_refusals.def; what had to be
 * accepted: placement_warnings.def.
 * Cost: workers times cores; at start only.
 */
#ifndef NUMA_PLACEMENT_H
#define NUMA_PLACEMENT_H

#include "numa/topology.h"

#include <stdio.h>

#define PLACEMENT_LANE_MAX    64u
#define PLACEMENT_WORKER_MAX  127u
#define PLACEMENT_CONTROL_MAX 64u /* PUs that control threads may float over; more are left alone */
#define PLACEMENT_LCORES_MAX                                                                       \
    2048u /* bytes of the longest --lcores, its end included: 15 a worker or PU */

enum placement_room {
#define PLACEMENT_ROOM(name, word) PLACEMENT_##name,
#include "numa/placement_rooms.def"
#undef PLACEMENT_ROOM
    PLACEMENT_ROOM_COUNT
};

enum placement_refusal {
    PLACEMENT_BUILT = 0, /* not refused */
#define PLACEMENT_REFUSAL(name, sentence) PLACEMENT_##name,
#include "numa/placement_refusals.def"
#undef PLACEMENT_REFUSAL
    PLACEMENT_REFUSAL_COUNT
};

enum placement_warning {
#define PLACEMENT_WARNING(name, sentence) PLACEMENT_##name,
#include "numa/placement_warnings.def"
#undef PLACEMENT_WARNING
    PLACEMENT_WARNING_COUNT
};

/* Cuts are a set of rooms that begin a stage; 0 fuses all rooms (run to completion). */
#define PLACEMENT_CUT(room)   (UINT32_C(1) << (room))
#define PLACEMENT_CUT_ALL     (PLACEMENT_CUT(PLACEMENT_ROOM_COUNT) - 2)
#define PLACEMENT_CORES_SPARE 0u /* as cores_max: all that are useful, but leave one for control */

struct placement_request {
    const char *nic;          /* PCI address of the one replica's port; NULL: rings, or no matter */
    uint32_t replicas;        /* in this process */
    uint32_t lanes;           /* per replica */
    uint32_t groups;          /* per replica */
    uint32_t cuts;            /* PLACEMENT_CUT(...) | ... */
    uint32_t cores_max;       /* polling cores over all replicas; PLACEMENT_CORES_SPARE */
    uint32_t control_threads; /* that want to run at once, the main lcore included */
};

struct placement_worker {
    uint32_t core; /* index into topology->cores */
    uint32_t node; /* index into topology->nodes */
    uint32_t pu;   /* OS index: what the lcore is pinned to */
    bool yields;   /* control threads share the PU: sched_yield in every turn that found nothing */
};

struct placement_lane {
    uint32_t replica;
    uint32_t queue;                        /* of the replica's port */
    uint32_t memory_node;                  /* machines, log, state: near the core that orders */
    uint32_t pool_node;                    /* frames: near the card, or near the core of rx */
    uint32_t worker[PLACEMENT_ROOM_COUNT]; /* room -> index into workers */
};

struct placement {
    uint32_t replica_count, lane_count, worker_count, control_count;
    uint32_t lanes_per_replica, groups_per_replica;
    uint32_t nic_node; /* TOPOLOGY_NONE: no card, or the machine does not say */
    uint32_t warnings; /* bit w: enum placement_warning w */
    bool may_start;    /* false: a foreign topology */
    struct placement_lane lanes[PLACEMENT_LANE_MAX]; /* by replica, then by queue */
    struct placement_worker workers[PLACEMENT_WORKER_MAX];
    uint32_t control[PLACEMENT_CONTROL_MAX]; /* OS indexes of PUs */
};

/* Fills the plan, or refuses and leaves it empty. */
CHECK_RESULT enum placement_refusal placement_build(const struct topology *topology,
                                                    const struct placement_request *request,
                                                    struct placement *plan);

/* The index of the lane that serves `group` of `replica`: groups go round the lanes. */
uint32_t placement_lane_of(const struct placement *plan, uint32_t replica, uint32_t group);

/* EAL's id of the lcore that runs a worker; 0 is the main lcore, which does control. */
uint32_t placement_lcore_of(uint32_t worker);

/* Writes the value of EAL's --lcores, such as "0@(0,1),1@2,2@4", and returns its length. 0: a
 * foreign topology, or `bytes` are too few (PLACEMENT_LCORES_MAX never are). */
size_t placement_lcores(const struct placement *plan, char *text, size_t bytes);

/* Draws nodes, cores and who works where, then the lanes and the warnings. The plan was built from
 * `topology`. */
void placement_draw(const struct placement *plan, const struct topology *topology, FILE *out);

/* "no", or names of rooms that begin a stage, with commas or blanks between. False: something
 * else. */
bool placement_parse_cuts(const char *text, uint32_t *cuts);

const char *placement_room_name(enum placement_room room);
const char *placement_refusal_sentence(enum placement_refusal refusal); /* "" for PLACEMENT_BUILT */
const char *placement_warning_sentence(enum placement_warning warning);

#endif
