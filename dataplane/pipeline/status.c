/* status.c: what other threads may know of a lane. Groups are copied out under a sequence lock (one
 * writer); meters and counters are single-writer words that are read as they stand. */
#include "dataplane/pipeline/internal.h"

static void fill(const struct lane *lane, const struct group *group,
                 struct lane_group_status *status)
{
    memset(status, 0, offsetof(struct lane_group_status, member));
    status->group = group->number;
    status->leader = RAFT_NOBODY;
    if (!lane->started)
        return;
    struct raft_status machine;
    raft_status(group->raft, &machine);
    status->role = machine.role;
    status->leader = machine.leader;
    status->term = machine.term;
    status->last_index = machine.last_index;
    status->commit = machine.commit;
    status->applied = state_applied_index(group->state);
    status->keys = state_key_count(group->state);
    status->sessions = state_session_count(group->state);
    status->log_first = log_first_index(group->log);
    status->votes_granted = group->votes_granted;
    status->doubtful = machine.doubtful;
    status->digest = state_digest(group->state);
    status->time_ms = state_time_ms(group->state);
    status->joint = machine.joint;
    status->full_copies = machine.full_copies;
    status->members_index = machine.members_index;
    status->level = group->members.force.level;
    status->member_count = (uint16_t)machine.member_count;
    memcpy(status->member, machine.member, status->member_count * sizeof status->member[0]);
}

void status_publish(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->group_count; i++) {
        struct group *group = &lane->group[i];
        uint64_t version = atomic_load_explicit(&group->status_version, memory_order_relaxed);
        atomic_store_explicit(&group->status_version, version + 1, memory_order_relaxed);
        atomic_thread_fence(memory_order_release);
        fill(lane, group, &group->status);
        atomic_store_explicit(&group->status_version, version + 2, memory_order_release);
    }
}

bool lane_group_status(const struct lane *lane, uint16_t group, struct lane_group_status *status)
{
    uint32_t slot;
    if (!group_slot(lane, group, &slot))
        return false;
    const struct group *from = &lane->group[slot];
    uint64_t before, after;
    do {
        before = atomic_load_explicit(&from->status_version, memory_order_acquire);
        *status = from->status;
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&from->status_version, memory_order_relaxed);
    } while (before != after || (before & 1) != 0);
    return true;
}

uint64_t lane_heard_configuration(const struct lane *lane)
{
    return atomic_load_explicit(&lane->heard_hash, memory_order_relaxed);
}

void lane_rooms(const struct lane *lane, struct lane_room_meter meter[ROOM_COUNT])
{
    memcpy(meter, lane->meter, sizeof lane->meter);
}

void lane_counters(const struct lane *lane, uint64_t counters[LANE_EVENT_COUNT])
{
    memcpy(counters, lane->counter, sizeof lane->counter);
}

uint64_t lane_operations(const struct lane *lane)
{
    return lane->apply.operations;
}

void lane_raft_counters(const struct lane *lane, uint64_t counters[RAFT_EVENT_COUNT])
{
    memset(counters, 0, RAFT_EVENT_COUNT * sizeof counters[0]);
    for (uint32_t i = 0; lane->started && i < lane->group_count; i++) {
        const uint64_t *of_group = raft_counters(lane->group[i].raft);
        for (uint32_t e = 0; e < RAFT_EVENT_COUNT; e++)
            counters[e] += of_group[e];
    }
}

void lane_wire_counters(const struct lane *lane, uint64_t counters[WIRE_REFUSAL_COUNT])
{
    memcpy(counters, lane->open.refused, sizeof lane->open.refused);
}

const uint64_t *lane_fragment_counters(const struct lane *lane)
{
    return lane->order.assemblies->counter;
}

void lane_state_counters(const struct lane *lane, uint64_t counters[STATE_EVENT_COUNT])
{
    memset(counters, 0, STATE_EVENT_COUNT * sizeof counters[0]);
    for (uint32_t i = 0; i < lane->group_count; i++) {
        const uint64_t *of_group = state_counters(lane->group[i].state);
        for (uint32_t e = 0; e < STATE_EVENT_COUNT; e++)
            counters[e] += of_group[e];
    }
}

static const struct group *group_of(const struct lane *lane, uint16_t group)
{
    uint32_t slot;
    return group_slot(lane, group, &slot) ? &lane->group[slot] : NULL;
}

const struct state *lane_state(const struct lane *lane, uint16_t group)
{
    const struct group *here = group_of(lane, group);
    return here == NULL ? NULL : here->state;
}

const struct log *lane_log(const struct lane *lane, uint16_t group)
{
    const struct group *here = group_of(lane, group);
    return here == NULL ? NULL : here->log;
}

raft *lane_raft(const struct lane *lane, uint16_t group)
{
    const struct group *here = group_of(lane, group);
    return here == NULL || !lane->started ? NULL : here->raft;
}

bool lane_next_hello(struct lane *lane, uint16_t *from, uint64_t *incarnation,
                     struct wire_hello *hello)
{
    uint32_t bytes;
    const struct lane_hello *record = doorway_next(lane->hellos, &bytes);
    if (record == NULL)
        return false;
    *from = record->from;
    *incarnation = record->incarnation;
    *hello = record->hello;
    doorway_done(lane->hellos);
    return true;
}

struct event_text {
    const char *name;
    const char *sentence;
};

static const struct event_text event_text[LANE_EVENT_COUNT] = {
#define LANE_EVENT(name, sentence) {#name, sentence},
#include "dataplane/pipeline/lane_events.def"
#undef LANE_EVENT
};

const char *lane_event_name(enum lane_event event)
{
    ENSURE(event < LANE_EVENT_COUNT);
    return event_text[event].name;
}

const char *lane_event_sentence(enum lane_event event)
{
    ENSURE(event < LANE_EVENT_COUNT);
    return event_text[event].sentence;
}
