#include "tests/sim/faults.h"

#include "numa/base/assert.h"
#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/witness.h"

#include <stdlib.h>
#include <string.h>

#define ALL_HOSTS      UINT32_MAX
#define WALL_OFFSET_MS 400
#define SILENCE_NS_MAX MILLISECOND_NS
#define ISOLATE_NS_MAX (60 * MILLISECOND_NS)

static const struct {
    const char *text;
    uint8_t percent;
} kinds[FAULT_COUNT] = {
#define FAULT(name, text, percent, of) {text, percent},
#include "tests/sim/faults.def"
#undef FAULT
};

/* Longest episode; they are drawn from an eighth of it upwards. */
static const uint64_t episode_ns[FAULT_COUNT] = {
    [FAULT_CUT] = 3 * SECOND_NS,   [FAULT_PARTITION] = 4 * SECOND_NS, [FAULT_PAUSE] = SECOND_NS,
    [FAULT_CRASH] = 2 * SECOND_NS, [FAULT_SKEW] = 4 * SECOND_NS,      [FAULT_DISK] = 2 * SECOND_NS,
    [FAULT_TRANSFER] = SECOND_NS,
};

const char *fault_name(enum fault_kind kind)
{
    return kinds[kind].text;
}

static bool parse_word(const char *text, struct fault_plan *plan)
{
    size_t name = strcspn(text, "=");
    for (int kind = 0; kind < FAULT_COUNT; kind++) {
        if (strlen(kinds[kind].text) != name || strncmp(kinds[kind].text, text, name) != 0)
            continue;
        plan->percent[kind] = kinds[kind].percent;
        if (text[name] == '\0')
            return true;
        char *end;
        long percent = strtol(text + name + 1, &end, 10);
        plan->percent[kind] = (uint8_t)percent;
        return end != text + name + 1 && *end == '\0' && percent >= 1 && percent <= 100;
    }
    return false;
}

bool fault_plan_parse(const char *list, struct fault_plan *plan, char word[32])
{
    *plan = (struct fault_plan){0};
    if (strcmp(list, "none") == 0)
        return true;
    if (strcmp(list, "all") == 0) {
        plan->by_seed = true;
        return true;
    }
    for (;;) {
        size_t length = strcspn(list, ",");
        size_t kept = length < 31 ? length : 31;
        memcpy(word, list, kept);
        word[kept] = '\0';
        if (!parse_word(word, plan))
            return false;
        if (list[length] == '\0')
            return true;
        list += length + 1;
    }
}

/* ---- schedule -------------------------------------------------------------------------------- */

static bool is_episodic(int kind)
{
    return episode_ns[kind] != 0;
}

/* Pauses between episodes are drawn so that episodes take their share of the time. */
static uint64_t pause_ns(struct faults *faults, int kind)
{
    uint64_t mean_ns = episode_ns[kind] * 9 / 16;
    uint64_t wait_ns = mean_ns * (100u - faults->percent[kind]) / faults->percent[kind];
    return 1 + random_below(&faults->random, 2 * wait_ns + 1);
}

static void keep_next(struct faults *faults)
{
    faults->next_ns = UINT64_MAX;
    for (int kind = 0; kind < FAULT_COUNT; kind++)
        faults->next_ns = min_u64(faults->next_ns, faults->due_ns[kind]);
}

static void draw_plan(struct faults *faults, bool clocks_matter)
{
    uint32_t any = 0;
    for (int kind = 0; kind < FAULT_COUNT; kind++) {
        faults->percent[kind] = 0;
        if (chance(&faults->random, 50))
            faults->percent[kind] =
                (uint8_t)between(&faults->random, 1, 2 * (uint64_t)kinds[kind].percent);
        any += faults->percent[kind] != 0 && is_episodic(kind) && kind != FAULT_SKEW &&
               kind != FAULT_TRANSFER;
    }
    if (clocks_matter) {
        faults->percent[FAULT_SKEW] = 100;
        faults->percent[FAULT_PARTITION] = (uint8_t)between(&faults->random, 20, 40);
        faults->percent[FAULT_TRANSFER] = (uint8_t)between(&faults->random, 20, 50);
        faults->percent[FAULT_CUT] = (uint8_t)between(&faults->random, 5, 20);
    } else if (any == 0)
        faults->percent[FAULT_CRASH] = kinds[FAULT_CRASH].percent;
}

void faults_begin(struct world *world, const struct fault_plan *plan)
{
    struct faults *faults = &world->faults;
    random_init(&faults->random, random_next(&world->random));
    faults->isolate = faults->silence[0] = NODES_MAX;
    memcpy(faults->percent, plan->percent, sizeof faults->percent);
    if (plan->by_seed)
        draw_plan(faults, world->shape.clocks_matter);
    for (int kind = 0; kind < FAULT_COUNT; kind++) {
        faults->due_ns[kind] = UINT64_MAX;
        if (is_episodic(kind) && faults->percent[kind] != 0)
            faults->due_ns[kind] = SECOND_NS / 2 + pause_ns(faults, kind);
    }
    keep_next(faults);
}

bool faults_hits_frame(struct world *world, enum fault_kind kind)
{
    struct faults *faults = &world->faults;
    if (faults->percent[kind] == 0 || !chance(&faults->random, faults->percent[kind]))
        return false;
    faults->count[kind]++;
    return true;
}

uint64_t faults_next_ns(const struct world *world)
{
    return world->faults.next_ns;
}

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
static void stop(struct world *world, uint32_t victim, uint64_t length_ns)
{
    struct faults *faults = &world->faults;
    if (world->node[victim]->state != NODE_UP)
        return;
    node_stop(world->node[victim], length_ns);
    if (faults->percent[FAULT_PARTITION] == 0 || faults->active[FAULT_PARTITION] ||
        !chance(&faults->random, 50))
        return;
    faults->isolate = victim;
    faults->due_ns[FAULT_PARTITION] =
        world->now_ns + 1 + random_below(&faults->random, ISOLATE_NS_MAX);
}

static void transfer(struct world *world)
{
    struct faults *faults = &world->faults;
    uint16_t group = (uint16_t)random_below(&faults->random, world->shape.groups);
    uint32_t leader = witness_leader(world->witness, group);
    uint16_t to = (uint16_t)(1 + random_below(&faults->random, world->shape.replicas));
    if (leader == NODES_MAX || world->node[leader]->state != NODE_UP)
        return;
    raft *machine = lane_raft(world->node[leader]->lane, group);
    bool accepted = machine != NULL && to != leader + 1 && raft_transfer(machine, to);
    world_note(world, TRACE_TRANSFER, leader + 1, group, to, accepted);
    if (!accepted || faults->percent[FAULT_CUT] == 0 || faults->active[FAULT_CUT] ||
        !chance(&faults->random, 50))
        return;
    faults->silence[0] = to - 1u;
    faults->silence[1] = leader;
    faults->due_ns[FAULT_CUT] = world->now_ns + 1 + random_below(&faults->random, SILENCE_NS_MAX);
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
            node_crash(world->node[n]);
}

static void boot_all(struct world *world)
{
    for (uint32_t n = 0; n < world->shape.replicas; n++)
        if (world->node[n]->state == NODE_DOWN)
            node_boot(world->node[n]);
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

static void begin(struct world *world, enum fault_kind kind, uint64_t length_ns)
{
    struct faults *faults = &world->faults;
    uint32_t victim = pick_node(world);
    faults->victim[kind] = victim;
    switch (kind) {
    case FAULT_CUT:
        faults->peer = chance(&faults->random, 30)
                           ? ALL_HOSTS
                           : (uint32_t)random_below(&faults->random, host_count(world));
        if (faults->silence[0] != NODES_MAX) {
            faults->victim[kind] = faults->silence[0];
            faults->peer = faults->silence[1];
            faults->silence[0] = NODES_MAX;
        }
        cut(world, 1);
        break;
    case FAULT_PARTITION:
        draw_sides(world, faults->side);
        partition(world, 1);
        break;
    case FAULT_PAUSE:
        stop(world, victim, length_ns);
        break;
    case FAULT_TRANSFER:
        transfer(world);
        break;
    case FAULT_CRASH:
        crash_some(world);
        break;
    case FAULT_SKEW:
        for (uint32_t n = 0; n < world->shape.replicas; n++)
            skew(world, world->node[n]);
        break;
    case FAULT_DISK:
        if (world->node[victim]->state != NODE_DOWN && faults->percent[FAULT_CRASH] != 0 &&
            chance(&faults->random, 10)) {
            world_note(world, TRACE_DISK_FAILS, victim + 1, 0, 0, 0);
            disk_fail(world->node[victim]->disk);
            break;
        }
        uint64_t write_ns = between(&faults->random, 1, 100) * MILLISECOND_NS;
        world_note(world, TRACE_DISK_SLOW, victim + 1, write_ns / MICROSECOND_NS, 0, 0);
        disk_slow(world->node[victim]->disk, write_ns);
        break;
    default:
        break;
    }
}

static void end(struct world *world, enum fault_kind kind)
{
    struct node *victim = world->node[world->faults.victim[kind]];
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
    case FAULT_DISK:
        disk_slow(victim->disk, 0);
        world_note(world, TRACE_DISK_WELL, node_id(victim), 0, 0, 0);
        if (storage_failed(victim->disk) && victim->state != NODE_DOWN) {
            node_crash(victim);
            node_boot(victim);
        }
        break;
    default:
        break; /* a stopped node resumes by itself, clocks stay wrong until they are set again */
    }
}

void faults_run(struct world *world)
{
    struct faults *faults = &world->faults;
    for (int kind = 0; kind < FAULT_COUNT; kind++) {
        if (faults->due_ns[kind] > world->now_ns)
            continue;
        uint64_t after_ns;
        if (faults->active[kind]) {
            end(world, (enum fault_kind)kind);
            after_ns = pause_ns(faults, kind);
        } else {
            after_ns = between(&faults->random, episode_ns[kind] / 8, episode_ns[kind]);
            begin(world, (enum fault_kind)kind, after_ns);
            faults->count[kind]++;
        }
        faults->active[kind] = !faults->active[kind];
        faults->due_ns[kind] = world->now_ns + after_ns;
    }
    keep_next(faults);
}

void faults_heal(struct world *world)
{
    struct faults *faults = &world->faults;
    world_note(world, TRACE_HEAL, 0, 0, 0, 0);
    for (int kind = 0; kind < FAULT_COUNT; kind++) {
        if (faults->active[kind])
            end(world, (enum fault_kind)kind);
        faults->active[kind] = false;
        faults->percent[kind] = 0;
        faults->due_ns[kind] = UINT64_MAX;
    }
    keep_next(faults);
    boot_all(world);
    for (uint32_t n = 0; n < world->shape.replicas; n++) {
        node_set_clock(world->node[n], 0, 0);
        if (world->node[n]->state == NODE_STOPPED)
            world->node[n]->poll_at_ns = world->now_ns;
    }
}
