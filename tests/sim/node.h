/* node.h: one replica: its lane, its disk, its clocks, and what can happen to them.
 *
 * Shape: up, stopped (its clocks run on, its inbox fills) or down (nothing of it is left but the
 *   disk). A node that is up is polled while it finds work, then sleeps until its lane, disk or
 *   inbox wants it.
 * Memory: the lane's region, cleared for each boot and kept for the next world. Threads: one.
 * Time: virtual; clock_read shows the node its own: monotonic at a rate that is off by some ppm,
 *   and a wall clock that is wrong.
 * Limits: one lane, ducts for EDGES_PER_NODE clients. Refusals: none. Cost: lane_poll; not
 * measured.
 */
#ifndef TESTS_SIM_NODE_H
#define TESTS_SIM_NODE_H

#include "tests/sim/world.h"

enum node_state { NODE_UP, NODE_STOPPED, NODE_DOWN };

struct node_clock {
    uint64_t base_virtual_ns;
    uint64_t base_local_ns;
    int64_t rate_ppm;
    int64_t wall_offset_ms;
};

struct node {
    struct world *world;
    uint32_t number; /* id is number + 1 */
    enum node_state state;
    uint64_t poll_at_ns; /* UINT64_MAX: not up */
    uint64_t boots;
    uint64_t incarnation;
    uint64_t polls;
    uint32_t room_step; /* split rooms: position in the round */
    uint32_t room_work; /* ... and work found in it */
    uint8_t room_order[ROOM_COUNT];
    struct node_clock clock;
    struct random_state random;
    struct disk *disk;
    uint64_t behind[GROUPS_MAX]; /* what was committed when it started */
    struct lane *lane;
    void *memory;
    struct duct *duct;
    struct view_cell *view;
};

struct node *node_open(struct world *, uint32_t number);
void node_close(struct node *);

static inline uint16_t node_id(const struct node *node)
{
    return (uint16_t)(node->number + 1);
}

void node_boot(struct node *);
void node_crash(struct node *);
void node_stop(struct node *, uint64_t ns);
void node_poll(struct node *); /* its turn, at poll_at_ns */
void node_wake(struct node *); /* something is there for it */
void node_set_clock(struct node *, int64_t rate_ppm, int64_t wall_offset_ms);
uint64_t node_local_ns(const struct node *);
enum fault_role node_role(const struct node *, uint16_t group);

#endif
