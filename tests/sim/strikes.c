#include "tests/sim/strikes.h"

#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/platter.h"
#include "tests/sim/witness.h"

#define ALL_HOSTS         UINT32_MAX
#define WALL_OFFSET_MS    400
#define JUMP_MS_MAX       5000
#define SILENCE_NS_MAX    MILLISECOND_NS
#define ISOLATE_NS_MAX    (60 * MILLISECOND_NS)
#define VOTER_DOWN_NS_MAX (20 * MILLISECOND_NS)
#define VOTER_REST_NS_MAX (4 * SECOND_NS) /* a start costs more than a minute without any */
#define BALK_PERCENT      5u
#define BALK_WRITES       2u /* of the superblock's two copies */
#define FAILS_PERCENT     10u

static uint32_t pick_node(struct world *world)
{
    struct faults *faults = &world->faults;
    uint16_t group = (uint16_t)random_below(&faults->random, world->shape.groups);
    uint32_t leader = witness_leader(world->witness, group);
    if (leader != NODES_MAX && chance(&faults->random, 50))
        return leader;
    return (uint32_t)random_below(&faults->random, world->shape.replicas);
}

static uint32_t host_count(const struct world *world)
{
    return world->shape.replicas + world->shape.network_actors;
}

/* ---- episodes -------------------------------------------------------------------------------- */

/* One direction: to one host, or everything that a node says. */
static void cut(struct world *world, int change)
{
    struct faults *faults = &world->faults;
    uint32_t from = faults->victim[FAULT_CUT];
    for (uint32_t to = 0; to < host_count(world); to++)
        if (faults->peer == ALL_HOSTS || faults->peer == to)
            network_cut(world->network, from, to, change);
    world_note(world, change > 0 ? TRACE_CUT : TRACE_MEND, from, faults->peer, 0, 0);
}

static uint32_t some_of(struct faults *faults, uint32_t hosts)
{
    return hosts & (uint32_t)random_next(&faults->random);
}

/* Hosts of neither side hear both. */
static void draw_sides(struct world *world, uint32_t side[2])
{
    struct faults *faults = &world->faults;
    uint32_t all = (1u << host_count(world)) - 1, nodes = (1u << world->shape.replicas) - 1;
    uint32_t alone = faults->isolate != NODES_MAX ? faults->isolate : pick_node(world);
    if (faults->isolate != NODES_MAX || chance(&faults->random, 40)) {
        side[0] = 1u << alone | some_of(faults, all & ~nodes);
        side[1] = all & ~side[0];
    } else {
        uint32_t bridge = 1u << random_below(&faults->random, world->shape.replicas);
        side[0] = some_of(faults, all);
        side[1] = all & ~side[0];
        if (chance(&faults->random, 60)) {
            side[0] &= ~bridge;
            side[1] &= ~bridge;
        }
    }
    faults->isolate = NODES_MAX;
}

static void partition(struct world *world, int change)
{
    const uint32_t *side = world->faults.side;
    for (uint32_t a = 0; a < host_count(world); a++) {
        for (uint32_t b = 0; b < host_count(world); b++) {
            if ((side[0] >> a & 1) == 0 || (side[1] >> b & 1) == 0)
                continue;
            network_cut(world->network, a, b, change);
            network_cut(world->network, b, a, change);
        }
    }
    world_note(world, change > 0 ? TRACE_PARTITION : TRACE_REUNION, side[0], side[1], 0, 0);
}

/* The node sleeps, and by the time it wakes nobody may reach it. */
static bool stop(struct world *world, uint32_t victim, uint64_t length_ns)
{
    struct faults *faults = &world->faults;
    if (world->node[victim]->state != NODE_UP)
        return false;
    node_stop(world->node[victim], length_ns);
    if (faults->percent[FAULT_PARTITION] == 0 || faults->active[FAULT_PARTITION] ||
        !chance(&faults->random, 50))
        return true;
    faults->isolate = victim;
    faults->due_ns[FAULT_PARTITION] =
        world->now_ns + 1 + random_below(&faults->random, ISOLATE_NS_MAX);
    return true;
}

static bool transfer(struct world *world)
{
    struct faults *faults = &world->faults;
    uint16_t group = (uint16_t)random_below(&faults->random, world->shape.groups);
    uint32_t leader = witness_leader(world->witness, group);
    uint16_t to = (uint16_t)(1 + random_below(&faults->random, world->shape.replicas));
    if (leader == NODES_MAX || world->node[leader]->state != NODE_UP)
        return false;
    raft *machine = lane_raft(world->node[leader]->lane, group);
    bool accepted = machine != NULL && to != leader + 1 && raft_transfer(machine, to);
    world_note(world, TRACE_TRANSFER, leader + 1, group, to, accepted);
    if (!accepted || faults->percent[FAULT_CUT] == 0 || faults->active[FAULT_CUT] ||
        !chance(&faults->random, 50))
        return accepted;
    faults->silence[0] = to - 1u;
    faults->silence[1] = leader;
    faults->due_ns[FAULT_CUT] = world->now_ns + 1 + random_below(&faults->random, SILENCE_NS_MAX);
    return true;
}

/* So that it is as if it had never heard of a leader, while that one lives. */
void faults_asked(struct world *world, uint32_t number)
{
    struct faults *faults = &world->faults;
    if (number >= world->shape.replicas || world->node[number]->state == NODE_DOWN ||
        faults->asked_ns[number] != UINT64_MAX || world->now_ns < faults->asked_rest_ns ||
        !faults_hits(world, FAULT_VOTER, number))
        return;
    /* Later, not in the midst of somebody else's turn. */
    faults->asked_ns[number] = world->now_ns + 1;
    faults->asked_rest_ns = world->now_ns + random_below(&faults->random, VOTER_REST_NS_MAX);
    faults->next_ns = min_u64(faults->next_ns, faults->asked_ns[number]);
}

void strikes_asked(struct world *world)
{
    struct faults *faults = &world->faults;
    for (uint32_t n = 0; n < world->shape.replicas; n++) {
        if (faults->asked_ns[n] > world->now_ns)
            continue;
        bool goes = (faults->away >> n & 1) == 0;
        faults->away ^= 1u << n;
        faults->asked_ns[n] = UINT64_MAX;
        if (goes)
            faults->asked_ns[n] =
                world->now_ns + 1 + random_below(&faults->random, VOTER_DOWN_NS_MAX);
        if (goes && world->node[n]->state != NODE_DOWN)
            node_crash(world->node[n]);
        else if (!goes && world->node[n]->state == NODE_DOWN)
            node_boot(world->node[n]);
    }
}

static void crash(struct world *world, uint32_t number)
{
    faults_note(world, FAULT_CRASH, number);
    node_crash(world->node[number]);
}

/* Mostly one; sometimes all of them: the power went. */
static void crash_some(struct world *world)
{
    struct faults *faults = &world->faults;
    uint32_t chosen = 1u << pick_node(world);
    if (chance(&faults->random, 15))
        chosen = (1u << world->shape.replicas) - 1;
    else if (chance(&faults->random, 20))
        chosen |= 1u << random_below(&faults->random, world->shape.replicas);
    for (uint32_t n = 0; n < world->shape.replicas; n++)
        if ((chosen >> n & 1) != 0 && world->node[n]->state != NODE_DOWN)
            crash(world, n);
}

static void boot_all(struct world *world)
{
    for (uint32_t n = 0; n < world->shape.replicas; n++) {
        if (world->node[n]->state != NODE_DOWN)
            continue;
        if (chance(&world->faults.random, BALK_PERCENT) && world->faults.percent[FAULT_TORN] != 0)
            platter_balk(disk_platter(world->node[n]->disk),
                         (uint32_t)random_below(&world->faults.random, BALK_WRITES));
        node_boot(world->node[n]);
    }
}

static void skew(struct world *world, struct node *node)
{
    struct faults *faults = &world->faults;
    int64_t rate_max = world->shape.drift_ppm / 2;
    int64_t rate = (int64_t)between(&faults->random, 0, 2 * (uint64_t)rate_max) - rate_max;
    if (chance(&faults->random, world->shape.clocks_matter ? 70 : 30))
        rate = chance(&faults->random, 50) ? rate_max : -rate_max;
    int64_t wall = (int64_t)between(&faults->random, 0, 2 * WALL_OFFSET_MS) - WALL_OFFSET_MS;
    node_set_clock(node, rate, wall);
}

/* Its clocks keep their rate. */
static void jump(struct node *node, bool begins)
{
    struct faults *faults = &node->world->faults;
    int64_t wall = (int64_t)between(&faults->random, 0, 2 * (uint64_t)JUMP_MS_MAX) - JUMP_MS_MAX;
    node_set_clock(node, node->clock.rate_ppm, begins ? wall : 0);
}

/* ---- disks ----------------------------------------------------------------------------------- */

/* Whatever is damaged beyond less than half of the members is beyond what docs/log-format.md
 * promises: who is damaged counts for good. */
static bool may_damage(struct world *world, uint32_t number)
{
    uint32_t doubtful = world->faults.doubtful | 1u << number;
    if ((uint32_t)__builtin_popcount(doubtful) > (world->shape.replicas - 1) / 2)
        return false;
    world->faults.doubtful = doubtful;
    return true;
}

static bool damage(struct world *world, enum fault_kind kind, uint32_t number)
{
    struct platter *platter = disk_platter(world->node[number]->disk);
    if (!may_damage(world, number) || (kind == FAULT_ROT && !platter_rot(platter)))
        return false;
    if (kind == FAULT_STRAY)
        platter_stray(platter);
    return true;
}

static bool slow_or_fail(struct world *world, uint32_t number)
{
    struct faults *faults = &world->faults;
    struct platter *platter = disk_platter(world->node[number]->disk);
    if (world->node[number]->state != NODE_DOWN && faults->percent[FAULT_CRASH] != 0 &&
        chance(&faults->random, FAILS_PERCENT)) {
        world_note(world, TRACE_DISK_FAILS, number + 1, 0, 0, 0);
        platter_fail(platter);
        return true;
    }
    uint64_t write_ns = between(&faults->random, 1, 100) * MILLISECOND_NS;
    world_note(world, TRACE_DISK_SLOW, number + 1, write_ns / MICROSECOND_NS, 0, 0);
    platter_slow(platter, write_ns);
    return true;
}

static void restart(struct node *node)
{
    if (node->state != NODE_DOWN)
        node_crash(node);
    node_boot(node);
}

/* ---- one of each kind ------------------------------------------------------------------------ */

static void begin_cut(struct world *world, uint32_t victim)
{
    struct faults *faults = &world->faults;
    faults->peer = chance(&faults->random, 30)
                       ? ALL_HOSTS
                       : (uint32_t)random_below(&faults->random, host_count(world));
    if (faults->silence[0] != NODES_MAX) {
        victim = faults->silence[0];
        faults->peer = faults->silence[1];
        faults->silence[0] = NODES_MAX;
    }
    faults->victim[FAULT_CUT] = victim;
    cut(world, 1);
}

/* False: nobody was hit, or it was noted already. */
static bool strike(struct world *world, enum fault_kind kind, uint32_t victim, uint64_t length_ns)
{
    struct node *node = world->node[victim];
    switch (kind) {
    case FAULT_CUT:
        begin_cut(world, victim);
        return true;
    case FAULT_PARTITION:
        draw_sides(world, world->faults.side);
        partition(world, 1);
        return true;
    case FAULT_PAUSE:
        return stop(world, victim, length_ns);
    case FAULT_TRANSFER:
        return transfer(world);
    case FAULT_CRASH:
        crash_some(world);
        return false;
    case FAULT_SKEW:
        for (uint32_t n = 0; n < world->shape.replicas; n++)
            skew(world, world->node[n]);
        return true;
    case FAULT_JUMP:
        jump(node, true);
        return true;
    case FAULT_DISK:
        return slow_or_fail(world, victim);
    case FAULT_STALL:
        world_note(world, TRACE_DISK_HANGS, victim + 1, 1, 0, 0);
        platter_hang(disk_platter(node->disk), true);
        return true;
    case FAULT_FULL:
        world_note(world, TRACE_DISK_FULL, victim + 1, 1, 0, 0);
        disk_fill(node->disk, true);
        return true;
    case FAULT_ROT:
    case FAULT_STRAY:
        return node->state != NODE_DOWN && damage(world, kind, victim);
    default:
        return false;
    }
}

void strikes_begin(struct world *world, enum fault_kind kind, uint64_t length_ns)
{
    uint32_t victim = pick_node(world);
    enum fault_role role[GROUPS_MAX];
    for (uint16_t g = 0; g < world->shape.groups; g++)
        role[g] = node_role(world->node[victim], g);
    world->faults.victim[kind] = victim;
    world->faults.hit[kind] = strike(world, kind, victim, length_ns);
    if (!world->faults.hit[kind])
        return;
    world->faults.count[kind]++;
    for (uint16_t g = 0; g < world->shape.groups; g++)
        world->faults.struck[kind][role[g]]++;
}

void strikes_end(struct world *world, enum fault_kind kind)
{
    struct node *victim = world->node[world->faults.victim[kind]];
    struct platter *platter = disk_platter(victim->disk);
    switch (kind) {
    case FAULT_CUT:
        cut(world, -1);
        break;
    case FAULT_PARTITION:
        partition(world, -1);
        break;
    case FAULT_CRASH:
        boot_all(world);
        break;
    case FAULT_JUMP:
        jump(victim, false);
        break;
    case FAULT_DISK:
        platter_slow(platter, 0);
        world_note(world, TRACE_DISK_WELL, node_id(victim), 0, 0, 0);
        if (platter_failed(platter)) /* whether it was noticed or not */
            restart(victim);
        break;
    case FAULT_STALL:
        world_note(world, TRACE_DISK_HANGS, node_id(victim), 0, 0, 0);
        platter_hang(platter, false);
        node_wake(victim);
        break;
    case FAULT_FULL:
        world_note(world, TRACE_DISK_FULL, node_id(victim), 0, 0, 0);
        disk_fill(victim->disk, false);
        node_wake(victim);
        break;
    case FAULT_ROT:
    case FAULT_STRAY:
        if (world->faults.hit[kind])
            restart(victim);
        break;
    default:
        break; /* a stopped node resumes by itself, clocks stay wrong until they are set again */
    }
}

void strikes_mend(struct world *world)
{
    world->faults.away = 0;
    for (uint32_t n = 0; n < world->shape.replicas; n++) {
        struct node *node = world->node[n];
        if (node->state == NODE_DOWN)
            node_boot(node);
        node_set_clock(node, 0, 0);
        if (node->state == NODE_STOPPED)
            node->poll_at_ns = world->now_ns;
    }
}
