#include "tests/sim/node.h"

#include "dataplane/pipeline/clock.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "tests/sim/actor.h"
#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "tests/sim/report.h"
#include "tests/sim/witness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WALL_EPOCH_MS       UINT64_C(1800000000000)
#define LOCAL_EPOCH_NS      (1000 * SECOND_NS) /* machines have been up for a while */
#define TURN_NS             2000u              /* what a turn that found work takes */
#define LAGGING_NS          MILLISECOND_NS
#define DUCT_FRAMES         64u
#define GRACE_POLLS         64u
#define ROOMS_GO_ON_PERCENT 60u /* of a split lane, within a turn */
#define LOG_BYTES           (UINT64_C(16) << 20)
#define LOG_ENTRIES         (1u << 17)
#define KEYS_MAX            1024u
#define STATE_BYTES         (8u << 20)
#define PARTS_PER_MILLION   1000000

/* ---- clocks ---------------------------------------------------------------------------------- */

static uint64_t local_at(const struct node_clock *clock, uint64_t virtual_ns)
{
    int64_t passed = (int64_t)(virtual_ns - clock->base_virtual_ns);
    return clock->base_local_ns +
           (uint64_t)(passed + passed / PARTS_PER_MILLION * clock->rate_ppm +
                      passed % PARTS_PER_MILLION * clock->rate_ppm / PARTS_PER_MILLION);
}

/* No earlier than when the node's clock shows `local_ns`. */
static uint64_t virtual_at(const struct node_clock *clock, uint64_t local_ns)
{
    if (local_ns == UINT64_MAX)
        return UINT64_MAX;
    if (local_ns <= clock->base_local_ns)
        return clock->base_virtual_ns;
    double passed = (double)(local_ns - clock->base_local_ns);
    uint64_t guess = (uint64_t)(passed / (1.0 + (double)clock->rate_ppm / PARTS_PER_MILLION));
    while (local_at(clock, clock->base_virtual_ns + guess) < local_ns)
        guess++;
    return clock->base_virtual_ns + guess;
}

void node_set_clock(struct node *node, int64_t rate_ppm, int64_t wall_offset_ms)
{
    uint64_t now_ns = node->world->now_ns;
    uint64_t local_ns = local_at(&node->clock, now_ns);
    node->clock = (struct node_clock){now_ns, local_ns, rate_ppm, wall_offset_ms};
    world_note(node->world, TRACE_CLOCK, node->number, (uint64_t)rate_ppm, (uint64_t)wall_offset_ms,
               0);
    node_wake(node); /* its wake-up was computed with the old rate */
}

uint64_t node_local_ns(const struct node *node)
{
    return local_at(&node->clock, node->world->now_ns);
}

void clock_read(void *domain, struct clock_sample *sample)
{
    const struct node *node = domain;
    sample->now_ns = node_local_ns(node);
    sample->wall_ms = WALL_EPOCH_MS + (uint64_t)((int64_t)(node->world->now_ns / MILLISECOND_NS) +
                                                 node->clock.wall_offset_ms);
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct view_cell *open_view(const struct world *world, uint16_t self)
{
    struct view view = {
        .epoch = 1,
        .cluster = world->cluster,
        .config_hash = trace_mix(world->cluster, world->shape.replicas),
        .self = self,
        .member_count = (uint16_t)world->shape.replicas,
        .first = {.count = (uint16_t)world->shape.replicas},
        .group_count = (uint16_t)world->shape.groups,
    };
    for (uint32_t i = 0; i < world->shape.replicas; i++) {
        struct endpoint endpoint = network_endpoint(i);
        view.first.member[i] = (struct wire_member){
            .id = (uint16_t)(i + 1),
            .role = WIRE_ROLE_VOTER,
            .nonce = trace_mix(world->cluster, i + 1),
        };
        view.member[i] = (struct view_member){
            .id = (uint16_t)(i + 1),
            .known = true,
            .incarnation = trace_mix(world->cluster, i + 1),
            .ip = endpoint.ip,
            .lane_count = 1,
            .port = {endpoint.port},
        };
    }
    return view_cell_init(sim_allocate(view_cell_footprint()), &view);
}

struct node *node_open(struct world *world, uint32_t number)
{
    struct node *node = sim_allocate(sizeof *node);
    node->world = world;
    node->number = number;
    node->state = NODE_DOWN;
    node->poll_at_ns = UINT64_MAX;
    node->incarnation = trace_mix(world->cluster, number + 1);
    random_init(&node->random, random_next(&world->random));
    node->clock.base_local_ns = LOCAL_EPOCH_NS + random_below(&node->random, 10 * SECOND_NS);
    node->disk = disk_open(world, number);
    node->view = open_view(world, node_id(node));
    return node;
}

void node_close(struct node *node)
{
    if (node->lane != NULL)
        lane_fini(node->lane);
    free(node->duct);
    free(node->view);
    disk_close(node->disk);
    free(node);
}

static struct lane_config config_of(struct node *node, struct storage *storage)
{
    const struct shape *shape = &node->world->shape;
    struct lane_config config = {
        .self = node_id(node),
        .lane_count = 1,
        .group_count = (uint16_t)shape->groups,
        .incarnation = node->incarnation,
        .seed = random_next(&node->random),
        .heartbeat_ns = 20 * MILLISECOND_NS,
        .election_timeout_ns = 100 * MILLISECOND_NS,
        .election_timeout_max_ns = shape->election_timeout_max_ns,
        .drift_ppm = shape->drift_ppm,
        .lease_reads = shape->lease_reads,
        .log_bytes = LOG_BYTES,
        .entries_max = LOG_ENTRIES,
        .state = {.keys_max = KEYS_MAX,
                  .bytes_max = STATE_BYTES,
                  .session_ttl_ms = shape->session_ttl_ms},
        .time_jump_max_ms = shape->time_jump_max_ms,
        .view = node->view,
        .queue = network_queue(node->world->network, node->number),
        .storage = storage,
        .duct = {node->duct},
        .duct_count = 1,
        .clock = node,
        .recover = wal_recover,
        .recover_entry = wal_recover_entry,
        .recover_domain = disk_recovery(node->disk),
    };
    return config;
}

static void shuffle_rooms(struct node *node)
{
    for (uint32_t i = 0; i < ROOM_COUNT; i++)
        node->room_order[i] = (uint8_t)i;
    for (uint32_t i = ROOM_COUNT - 1; i > 0; i--) {
        uint32_t j = (uint32_t)random_below(&node->random, i + 1);
        uint8_t room = node->room_order[i];
        node->room_order[i] = node->room_order[j];
        node->room_order[j] = room;
    }
    node->room_step = 0;
    node->room_work = 0;
}

/* A lane expects fresh memory (its origins are not cleared). The pages that the last life touched
 * are cleared where they are: a page fault each would be a fifth of the time of a run. */
static void clear_memory(uint8_t *memory, size_t bytes)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = (bytes + page_bytes - 1) / page_bytes;
    uint8_t *resident = sim_allocate(pages);
    ENSURE(mincore(memory, bytes, resident) == 0);
    for (size_t i = 0; i < pages; i++)
        if ((resident[i] & 1) != 0)
            memset(memory + i * page_bytes, 0, page_bytes);
    free(resident);
}

/* Regions outlive nodes and worlds: one for each number, as large as it ever had to be. */
static struct {
    void *memory;
    size_t bytes;
} regions[NODES_MAX];

static void take_memory(struct node *node, size_t bytes)
{
    ENSURE(bytes != 0);
    void *memory = regions[node->number].memory;
    if (memory != NULL && regions[node->number].bytes < bytes) {
        ENSURE(munmap(memory, regions[node->number].bytes) == 0);
        memory = NULL;
    }
    if (memory != NULL) {
        clear_memory(memory, bytes);
    } else {
        memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ENSURE(memory != MAP_FAILED);
        regions[node->number].memory = memory;
        regions[node->number].bytes = bytes;
    }
    node->memory = memory;
}

void node_boot(struct node *node)
{
    struct world *world = node->world;
    ENSURE(node->state == NODE_DOWN);
    node->boots++;
    world_note(world, TRACE_BOOT, node->number, node->boots, 0, 0);
    uint32_t payload_max = world->shape.payload_max;
    size_t duct_bytes = round_up(duct_footprint(DUCT_FRAMES, payload_max), CACHE_LINE_BYTES);
    ENSURE(duct_bytes != 0);
    node->duct = aligned_alloc(CACHE_LINE_BYTES, duct_bytes);
    ENSURE(node->duct != NULL);
    node->duct = duct_init(node->duct, DUCT_FRAMES, payload_max);
    struct storage *storage;
    while ((storage = disk_start(node->disk)) == NULL)
        disk_crash(node->disk); /* it went down again before it was up */
    struct lane_config config = config_of(node, storage);
    take_memory(node, lane_footprint(&config, NULL));
    node->lane = lane_init(node->memory, &config);
    const char *wrong = lane_recover(node->lane);
    if (wrong != NULL)
        report_violation(world, "node %u does not start: %s", node_id(node), wrong);
    disk_started(node->disk);
    for (uint16_t g = 0; g < world->shape.groups; g++)
        node->behind[g] = witness_committed(world->witness, g);
    node->state = NODE_UP;
    node->poll_at_ns = world->now_ns;
    shuffle_rooms(node);
    witness_booted(world->witness, node);
    for (uint32_t i = 0; i < world->actor_count; i++)
        if (actor_node(world->actor[i]) == node->number)
            actor_restart(world->actor[i]);
}

void node_crash(struct node *node)
{
    struct world *world = node->world;
    ENSURE(node->state != NODE_DOWN);
    node->state = NODE_DOWN;
    node->poll_at_ns = UINT64_MAX;
    lane_fini(node->lane);
    if (!network_reset(world->network, node->number))
        report_violation(world, "node %u kept frames of its port over its end", node_id(node));
    free(node->duct);
    node->lane = NULL;
    node->duct = NULL;
    disk_crash(node->disk);
    for (uint32_t i = 0; i < world->actor_count; i++)
        if (actor_node(world->actor[i]) == node->number)
            actor_crash(world->actor[i]);
}

enum fault_role node_role(const struct node *node, uint16_t group)
{
    const raft *machine = node->state != NODE_DOWN ? lane_raft(node->lane, group) : NULL;
    if (machine == NULL)
        return ROLE_DOWN;
    if (node->state == NODE_STOPPED)
        return ROLE_STOPPED;
    if (raft_is_leader(machine))
        return ROLE_LEADER;
    if (disk_written(node->disk, group)->damaged ||
        state_applied_index(lane_state(node->lane, group)) < node->behind[group])
        return ROLE_RECOVERING;
    uint64_t index;
    const struct wire_members *members = raft_members(machine, &index);
    for (uint32_t i = 0; i < members->count; i++)
        if (members->member[i].id == node_id(node) && members->member[i].role == WIRE_ROLE_LEARNER)
            return ROLE_LEARNER;
    if (raft_leader(machine) != RAFT_NOBODY)
        return ROLE_FOLLOWER;
    struct raft_status status;
    raft_status(machine, &status);
    return status.role == RAFT_FOLLOWER ? ROLE_FOLLOWER : ROLE_CANDIDATE;
}

void node_stop(struct node *node, uint64_t ns)
{
    ENSURE(node->state == NODE_UP);
    node->state = NODE_STOPPED;
    node->poll_at_ns = node->world->now_ns + ns;
    world_note(node->world, TRACE_PAUSE, node->number, ns / MICROSECOND_NS, 0, 0);
}

void node_wake(struct node *node)
{
    if (node->state == NODE_UP)
        node->poll_at_ns = min_u64(node->poll_at_ns, node->world->now_ns);
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* A fused turn, or some rooms of a split one. True: nothing was found, in any room. */
static bool take_turn(struct node *node)
{
    if (!node->world->shape.split_rooms)
        return lane_poll(node->lane) == 0;
    do {
        node->room_work += lane_room_poll(node->lane, node->room_order[node->room_step++]);
    } while (node->room_step < ROOM_COUNT && chance(&node->random, ROOMS_GO_ON_PERCENT));
    if (node->room_step < ROOM_COUNT)
        return false;
    bool idle = node->room_work == 0;
    shuffle_rooms(node);
    return idle;
}

static void take_edge_frames(struct node *node)
{
    struct world *world = node->world;
    struct frame frame;
    while (duct_receive(node->duct, DUCT_EDGE, &frame, 1) != 0) {
        for (uint32_t i = 0; i < world->actor_count; i++)
            if (actor_node(world->actor[i]) == node->number)
                actor_receive(world->actor[i], frame.data, frame.bytes);
        duct_free(node->duct, DUCT_EDGE, &frame, 1);
    }
}

/* Lets grace periods pass; this one thread is reader and control thread in turn. */
static void pass_grace_period(void)
{
    view_offline();
    view_synchronize();
    view_online();
}

void node_poll(struct node *node)
{
    struct world *world = node->world;
    if (node->state == NODE_STOPPED) {
        node->state = NODE_UP;
        world_note(world, TRACE_RESUME, node->number, 0, 0, 0);
    }
    bool idle = take_turn(node);
    view_quiescent();
    if (++node->polls % GRACE_POLLS == 0)
        pass_grace_period();
    struct wire_hello hello;
    uint64_t incarnation;
    uint16_t from;
    while (node->polls % GRACE_POLLS == 0 &&
           lane_next_hello(node->lane, &from, &incarnation, &hello)) {
    }
    witness_turned(world->witness, node, idle);
    take_edge_frames(node);
    if (!idle || network_waiting(world->network, node->number)) {
        node->poll_at_ns = world->now_ns + 1 + random_below(&node->random, TURN_NS);
        return;
    }
    uint64_t wake_ns = virtual_at(&node->clock, lane_wake_ns(node->lane));
    node->poll_at_ns = max_u64(world->now_ns + 1, min_u64(wake_ns, disk_next_ns(node->disk)));
    if (witness_lags(world->witness, node))
        node->poll_at_ns = min_u64(node->poll_at_ns, world->now_ns + LAGGING_NS);
}
