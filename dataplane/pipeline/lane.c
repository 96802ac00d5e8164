#include "dataplane/pipeline/internal.h"

#include "numa/base/layout.h"

#include <x86intrin.h>

static const char *const room_name[ROOM_COUNT] = {"rx",      "open",  "verify", "order",
                                                  "persist", "apply", "seal",   "tx"};

const char *lane_room_name(enum lane_room room)
{
    ENSURE(room < ROOM_COUNT);
    return room_name[room];
}

/* Doorway sizes. doorway_fits and records may use an eighth: each line says what that eighth must
 * hold. */
#define ARRIVED_BYTES  (512u << 10) /* a burst of the port and of each duct: 9 * 64 frames        */
#define OPENED_BYTES   (1u << 20)   /* the messages of one 9,000-byte frame                       */
#define VERIFIED_BYTES (1u << 20)   /* VERIFY_BURST messages */
#define WRITES_BYTES   (64u << 10)
#define WORK_BYTES     (1u << 20)   /* ADMIT_BATCH reads with their keys                          */
#define PARCELS_BYTES  (1u << 20)   /* one raft_ready and the refusals of one frame               */
#define REPLIES_BYTES  (256u << 10) /* one piece of a frame's size                                */
#define SEALED_BYTES   (256u << 10) /* a frame for every member and client, and a burst of pieces */
#define HELLOS_BYTES   (64u << 10)
#define NOTES_BYTES    (2u << 20) /* a chunk, and what is to stay free behind it                  */
#define ERRANDS_BYTES  (1u << 20)

/* Where everything lies in the region; footprint and init walk the same sum. */
struct plan {
    size_t lane, group, step_entries, scratch, held, assemblies;
    size_t keys, arrived, opened, verified, writes, work, parcels, replies, sealed, hellos, notes,
        errands;
    size_t reads[LANE_GROUPS_MAX], origins[LANE_GROUPS_MAX], admissions[LANE_GROUPS_MAX];
    size_t raft[LANE_GROUPS_MAX], log[LANE_GROUPS_MAX], state[LANE_GROUPS_MAX];
    size_t bytes;
};

static uint32_t groups_here(const struct lane_config *config)
{
    if (config->index >= config->group_count)
        return 0;
    return (config->group_count - 1u - config->index) / config->lane_count + 1;
}

static struct log_config log_config_of(const struct lane_config *config, uint16_t group)
{
    return (struct log_config){
        .group = group,
        .bytes = config->log_bytes,
        .entries_max = config->entries_max,
        .first_index = 1,
    };
}

static struct raft_config raft_config_of(const struct lane_config *config, uint16_t group)
{
    uint32_t frame_bytes = port_payload_max(config->queue);
    uint32_t entry_bytes = frame_bytes - WIRE_FRAME_BYTES - WIRE_RAFT_HEAD_BYTES;
    struct raft_config machine = {
        .group = group,
        .self = config->self,
        .seed =
            config->seed ^ ((uint64_t)group << 32 | config->self) * UINT64_C(0x9e3779b97f4a7c15),
        .heartbeat_ns = config->heartbeat_ns,
        .election_timeout_ns = config->election_timeout_ns,
        .election_timeout_max_ns = config->election_timeout_max_ns,
        .write_age_max_ns = config->write_age_max_ns,
        .handover_ns = config->handover_ns,
        .drift_ppm = config->drift_ppm,
        .entries_max = config->entries_max,
        .message_entries_max = entry_bytes / WIRE_ENTRY_BYTES,
        .message_bytes_max = entry_bytes & ~7u,
        .inflight_messages_max = 256,
        .inflight_bytes_max = 4u << 20,
        .uncommitted_bytes_max = (uint32_t)min_u64(config->log_bytes / 4, 1u << 30),
        .pre_vote = true,
        .check_quorum = true,
        .lease_reads = config->lease_reads,
        .voters_max = config->voters_max,
        .member_count = QUORUM_MEMBERS_MAX,
    };
    /* As many members as there can be: lane_start puts the real ones in. */
    uint32_t first = config->self > QUORUM_MEMBERS_MAX ? config->self - QUORUM_MEMBERS_MAX + 1u : 1;
    for (uint32_t i = 0; i < QUORUM_MEMBERS_MAX; i++)
        machine.member[i] = (uint16_t)(first + i);
    return machine;
}

static bool plan_groups(const struct lane_config *config, struct layout *layout, struct plan *plan)
{
    for (uint32_t i = 0; i < groups_here(config); i++) {
        struct log_config log = log_config_of(config, 0);
        struct raft_config machine = raft_config_of(config, 0);
        size_t raft_bytes = raft_footprint(&machine), log_bytes = log_footprint(&log);
        if (raft_bytes == 0 || log_bytes == 0 || state_footprint(&config->state) == 0)
            return false;
        plan->raft[i] = layout_add(layout, raft_bytes);
        plan->reads[i] = layout_add(layout, doorway_footprint(READS_BYTES));
        plan->admissions[i] = layout_add(layout, SESSIONS_MAX * sizeof(struct admission));
        plan->origins[i] = layout_add(layout, ORIGINS_MAX * sizeof(struct origin));
        plan->log[i] = layout_add(layout, log_bytes);
    }
    /* States come last: their pages are touched as keys come, all others soon. */
    for (uint32_t i = 0; i < groups_here(config); i++)
        plan->state[i] = layout_add(layout, state_footprint(&config->state));
    return true;
}

static bool plan_lane(const struct lane_config *config, struct plan *plan)
{
    struct layout layout = {0};
    *plan = (struct plan){0};
    if (config->lane_count == 0 || config->lane_count > WIRE_LANES_MAX ||
        config->index >= config->lane_count || groups_here(config) > LANE_GROUPS_MAX ||
        config->group_count == 0 || config->duct_count > LANE_DUCTS_MAX || config->queue == NULL ||
        config->view == NULL || config->storage == NULL)
        return false;
    plan->lane = layout_add(&layout, sizeof(struct lane));
    plan->group = layout_add(&layout, groups_here(config) * sizeof(struct group));
    plan->step_entries = layout_add(&layout, port_payload_max(config->queue) / WIRE_ENTRY_BYTES *
                                                 sizeof(struct raft_entry));
    plan->scratch = layout_add(&layout, (1 + CUTTINGS_MAX) * (size_t)APPLY_SCRATCH_BYTES);
    plan->held = layout_add(&layout, HELD_MAX * sizeof(struct parcel));
    plan->assemblies = layout_add(&layout, sizeof(struct wire_assembly_table));
    if (config->clients.base != NULL) {
        size_t bytes = ed25519_cache_footprint(config->clients.tables, config->clients.window);
        if (bytes == 0)
            return false;
        plan->keys = layout_add(&layout, bytes);
        plan->verified = layout_add(&layout, doorway_footprint(VERIFIED_BYTES));
    }
    plan->arrived = layout_add(&layout, doorway_footprint(ARRIVED_BYTES));
    plan->opened = layout_add(&layout, doorway_footprint(OPENED_BYTES));
    plan->writes = layout_add(&layout, doorway_footprint(WRITES_BYTES));
    plan->work = layout_add(&layout, doorway_footprint(WORK_BYTES));
    plan->parcels = layout_add(&layout, doorway_footprint(PARCELS_BYTES));
    plan->replies = layout_add(&layout, doorway_footprint(REPLIES_BYTES));
    plan->sealed = layout_add(&layout, doorway_footprint(SEALED_BYTES));
    plan->hellos = layout_add(&layout, doorway_footprint(HELLOS_BYTES));
    plan->notes = layout_add(&layout, doorway_footprint(NOTES_BYTES));
    plan->errands = layout_add(&layout, doorway_footprint(ERRANDS_BYTES));
    if (!plan_groups(config, &layout, plan))
        return false;
    plan->bytes = layout.bytes;
    return true;
}

size_t lane_footprint(const struct lane_config *config, size_t *steady_bytes)
{
    struct plan plan;
    bool acceptable = plan_lane(config, &plan);
    if (steady_bytes != NULL)
        *steady_bytes = acceptable ? plan.state[0] : 0;
    return acceptable ? plan.bytes : 0;
}

static void init_groups(struct lane *lane, uint8_t *base, const struct plan *plan)
{
    lane->group = (void *)(base + plan->group);
    lane->group_count = groups_here(&lane->config);
    for (uint32_t i = 0; i < lane->group_count; i++) {
        struct group *group = &lane->group[i];
        *group = (struct group){
            .guide = RAFT_NOBODY,
            .number = (uint16_t)(i * lane->config.lane_count + lane->config.index),
            .raft = (void *)(base + plan->raft[i]),
            .reads = doorway_init(base + plan->reads[i], READS_BYTES),
            .origins = (void *)(base + plan->origins[i]),
            .admissions = (void *)(base + plan->admissions[i]),
        };
        struct log_config log = log_config_of(&lane->config, group->number);
        group->log = log_init(base + plan->log[i], &log);
        group->state = state_init(base + plan->state[i], &lane->config.state);
        group->first_told = log_first_index(group->log);
    }
}

/* Where clients have to sign. Those who are known beforehand have their tables before the first
 * burst, as many as there are tables. */
static void furnish_verify(struct lane *lane, uint8_t *base, const struct plan *plan)
{
    const struct lane_clients *clients = &lane->config.clients;
    uint8_t seed[16] = {0};
    store_u64(seed, lane->config.seed);
    store_u64(seed + 8, lane->config.incarnation);
    lane->verify.cache = ed25519_cache_init(base + plan->keys, clients->base, clients->tables,
                                            clients->window, seed);
    lane->verified = doorway_init(base + plan->verified, VERIFIED_BYTES);
    for (uint32_t i = 0; i < min_u32(clients->key_count, clients->tables); i++) {
        uint32_t slot;
        enum ed25519_refusal refusal =
            ed25519_cache_admit(lane->verify.cache, clients->key[i], &slot);
        ENSURE(refusal == ED25519_ADDED); /* the list was checked when it was read */
    }
}

static void fuse(struct lane *lane, bool fused)
{
    lane->fused = fused;
    for (uint32_t room = 0; room < ROOM_COUNT; room++)
        lane->look[room] = &lane->looks[fused ? 0 : room];
}

struct lane *lane_init(void *memory, const struct lane_config *config)
{
    struct plan plan;
    bool acceptable = plan_lane(config, &plan);
    ENSURE(acceptable);
    uint8_t *base = memory;
    struct lane *lane = (void *)(base + plan.lane);
    memset(lane, 0, sizeof *lane);
    lane->config = *config;
    fuse(lane, false);
    lane->raft_entry_bytes_max = raft_config_of(config, 0).message_bytes_max;
    lane->step_entries = (void *)(base + plan.step_entries);
    lane->apply.scratch = base + plan.scratch;
    for (uint32_t i = 0; i < CUTTINGS_MAX; i++)
        lane->apply.cutting[i].copy = lane->apply.scratch + (i + 1) * (size_t)APPLY_SCRATCH_BYTES;
    lane->seal.held = (void *)(base + plan.held);
    lane->order.assemblies = (void *)(base + plan.assemblies);
    lane->order.next_seq = 1;
    wire_assembly_table_init(lane->order.assemblies, REASSEMBLY_NS);
    lane->order.assemblies->patience_ns = REASSEMBLY_QUIET_NS;
    lane->arrived = doorway_init(base + plan.arrived, ARRIVED_BYTES);
    lane->opened = doorway_init(base + plan.opened, OPENED_BYTES);
    lane->verified = lane->opened;
    if (config->clients.base != NULL)
        furnish_verify(lane, base, &plan);
    lane->writes = doorway_init(base + plan.writes, WRITES_BYTES);
    lane->work = doorway_init(base + plan.work, WORK_BYTES);
    lane->parcels = doorway_init(base + plan.parcels, PARCELS_BYTES);
    lane->replies = doorway_init(base + plan.replies, REPLIES_BYTES);
    lane->sealed = doorway_init(base + plan.sealed, SEALED_BYTES);
    lane->hellos = doorway_init(base + plan.hellos, HELLOS_BYTES);
    lane->notes = doorway_init(base + plan.notes, NOTES_BYTES);
    lane->errands = doorway_init(base + plan.errands, ERRANDS_BYTES);
    init_groups(lane, base, &plan);
    return lane;
}

static void begin_with(struct raft_config *machine, const struct wire_members *first)
{
    machine->member_count = first->count;
    machine->joining = true;
    for (uint32_t i = 0; i < first->count; i++) {
        machine->member[i] = first->member[i].id;
        machine->nonce[i] = first->member[i].nonce;
        machine->role[i] = first->member[i].role;
        machine->joining &= first->member[i].id != machine->self;
    }
}

bool lane_start(struct lane *lane)
{
    const struct view *view = lane->look[ROOM_ORDER]->view;
    lane->cluster = view->cluster;
    lane->config_hash = view->config_hash;
    for (uint32_t i = 0; i < lane->group_count; i++) {
        struct group *group = &lane->group[i];
        struct raft_config machine = raft_config_of(&lane->config, group->number);
        machine.now_ns = lane->look[ROOM_ORDER]->clock.now_ns;
        begin_with(&machine, &view->first);
        recover_machine(group, &machine);
        order_prefer(lane, group);
        group->wake_ns = lane->look[ROOM_ORDER]->clock.now_ns;
        group->time.last_seen_ns = lane->look[ROOM_ORDER]->clock.now_ns;
    }
    lane->order.wake_ns = lane->look[ROOM_ORDER]->clock.now_ns;
    lane->started = true;
    return true;
}

void lane_fini(struct lane *lane)
{
    /* Empty frames and those that wait in doorways go back; the frames of ducts die with their
     * duct. */
    port_frame_free(lane->config.queue, lane->seal.stash, lane->seal.stash_count);
    lane->seal.stash_count = 0;
    uint32_t bytes;
    const struct frame *frame;
    while ((frame = doorway_next(lane->arrived, &bytes)) != NULL)
        if (frame->peer.ip != 0)
            port_frame_free(lane->config.queue, frame, 1);
    while ((frame = doorway_next(lane->sealed, &bytes)) != NULL)
        if (frame->peer.ip != 0)
            port_frame_free(lane->config.queue, frame, 1);
    const struct arrival *arrival;
    while ((arrival = doorway_next(lane->opened, &bytes)) != NULL ||
           (arrival = doorway_next(lane->verified, &bytes)) != NULL)
        if (arrival->kind == ARRIVAL_FRAME_DONE && arrival->frame.peer.ip != 0)
            port_frame_free(lane->config.queue, &arrival->frame, 1);
}

static uint32_t (*const room_poll[ROOM_COUNT])(struct lane *) = {
    [ROOM_RX] = lane_rx_poll,           [ROOM_OPEN] = lane_open_poll,
    [ROOM_VERIFY] = lane_verify_poll,   [ROOM_ORDER] = lane_order_poll,
    [ROOM_PERSIST] = lane_persist_poll, [ROOM_APPLY] = lane_apply_poll,
    [ROOM_SEAL] = lane_seal_poll,       [ROOM_TX] = lane_tx_poll,
};

static uint32_t metered(struct lane *lane, enum lane_room room, uint32_t work, uint64_t *since)
{
    struct lane_room_meter *meter = &lane->meter[room];
    if (work == 0)
        return 0; /* an idle look costs next to nothing and is not worth a second reading */
    uint64_t now = __rdtsc();
    meter->cycles += now - *since;
    meter->polls_with_work++;
    meter->items += work;
    *since = now;
    return work;
}

uint32_t lane_room_poll(struct lane *lane, enum lane_room room)
{
    uint64_t since = __rdtsc();
    if (UNLIKELY(lane->fused)) /* between two turns */
        fuse(lane, false);
    struct look *look = lane->look[room];
    clock_read(lane->config.clock, &look->clock);
    look->view = view_read(lane->config.view);
    return metered(lane, room, room_poll[room](lane), &since);
}

uint32_t lane_poll(struct lane *lane)
{
    uint64_t since = __rdtsc();
    if (UNLIKELY(!lane->fused))
        fuse(lane, true);
    uint32_t total = metered(lane, ROOM_RX, lane_rx_poll(lane), &since);
    struct look *look = lane->look[ROOM_RX];
    look->view = view_read(lane->config.view);
    /* After the burst: no lease is judged by an older time. */
    clock_read(lane->config.clock, &look->clock);
    total += metered(lane, ROOM_OPEN, lane_open_poll(lane), &since);
    if (lane->verify.cache != NULL)
        total += metered(lane, ROOM_VERIFY, lane_verify_poll(lane), &since);
    total += metered(lane, ROOM_ORDER, lane_order_poll(lane), &since);
    total += metered(lane, ROOM_PERSIST, lane_persist_poll(lane), &since);
    total += metered(lane, ROOM_SEAL, lane_seal_poll(lane), &since);
    total += metered(lane, ROOM_TX, lane_tx_poll(lane), &since);
    /* Behind tx: what members wait for does not wait for the state. */
    uint32_t applied = metered(lane, ROOM_APPLY, lane_apply_poll(lane), &since);
    if (applied != 0) {
        total += metered(lane, ROOM_SEAL, lane_seal_poll(lane), &since);
        total += metered(lane, ROOM_TX, lane_tx_poll(lane), &since);
    }
    return total + applied;
}

uint64_t lane_wake_ns(const struct lane *lane)
{
    if (!lane->started)
        return lane->look[ROOM_ORDER]->clock.now_ns + STATUS_PERIOD_NS;
    uint64_t cut_ns = lane->apply.cutting_count != 0 ? lane->apply.cut_resume_ns : UINT64_MAX;
    return min_u64(cut_ns, min_u64(lane->order.wake_ns, lane->seal.next_hello_ns));
}
