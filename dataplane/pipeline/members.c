/* members: who belongs to a group. Changes that somebody asks for go to the machine and, as an
 * entry, into the log; configurations that others have appended come out of it; what is in force is
 * told to the control thread, which publishes the view. */
#include "dataplane/pipeline/internal.h"

/* ---- into the log and out of it -------------------------------------------------------------- */

bool order_bring(struct lane *lane, const uint8_t *body, uint32_t bytes, struct raft_entry *entry)
{
    struct order_room *order = &lane->order;
    if (order->brought_count == BROUGHT_MAX)
        return false;
    struct wire_members *members = &order->brought[order->brought_count];
    enum wire_refusal refusal = wire_members_decode(body, bytes, members);
    if (refusal != WIRE_OK) {
        lane->open.refused[refusal]++;
        return false;
    }
    entry->members = ++order->brought_count;
    return true;
}

static bool log_has_room(struct lane *lane, struct group *group)
{
    return !lane->order.storage_refuses &&
           order_log_fits(lane, group, 1, wire_entry_size(WIRE_MEMBERS_BYTES_MAX));
}

/* The machine has appended it already, as its last entry. */
static void write_members(struct lane *lane, struct group *group,
                          const struct wire_members *members)
{
    uint64_t time_ms = order_entry_time_ms(lane, group);
    struct wire_entry *entry =
        log_append(group->log, raft_last_index(group->raft), wire_members_size(members->count));
    ENSURE(entry != NULL); /* log_has_room was asked */
    entry->kind = WIRE_ENTRY_CONFIG;
    entry->flags = 0;
    entry->term = raft_term(group->raft);
    entry->time_ms = time_ms;
    entry->session = 0;
    entry->sequence = 0;
    wire_members_encode(members, (uint8_t *)(entry + 1));
}

void order_leave_joint(struct lane *lane, struct group *group)
{
    struct wire_members members;
    if (raft_leave_due(group->raft) && log_has_room(lane, group) &&
        raft_leave(group->raft, &members))
        write_members(lane, group, &members);
}

/* ---- what is asked for ----------------------------------------------------------------------- */

static void change(struct lane *lane, struct group *group, struct change_box *box)
{
    struct lane_change_answer *answer = &box->answer;
    struct wire_members members;
    *answer = (struct lane_change_answer){.event = RAFT_CHANGE_REFUSED_WINDOW_FULL};
    if (!log_has_room(lane, group)) {
        count_event(lane, lane->order.storage_refuses ? LANE_STORAGE_FULL : LANE_LOG_FULL);
        return;
    }
    answer->event = raft_change(group->raft, box->change, box->count, &members);
    if (answer->event != RAFT_CHANGE_STARTED)
        return;
    write_members(lane, group, &members);
    answer->index = raft_last_index(group->raft);
}

uint32_t order_change(struct lane *lane, uint32_t slot)
{
    struct change_box *box = &lane->group[slot].change;
    uint32_t asked = CHANGE_ASKED;
    if (!atomic_compare_exchange_strong(&box->state, &asked, CHANGE_TAKEN))
        return 0;
    order_touch(lane, slot);
    change(lane, &lane->group[slot], box);
    atomic_store(&box->state, box->answer_wanted ? CHANGE_ANSWERED : CHANGE_FREE);
    return 1;
}

bool lane_change(struct lane *lane, uint16_t group, const struct raft_change *changes,
                 uint32_t count, bool answer_wanted)
{
    uint32_t slot, state = CHANGE_FREE;
    if (!group_slot(lane, group, &slot) || count > LANE_CHANGES_MAX)
        return false;
    struct change_box *box = &lane->group[slot].change;
    if (!atomic_compare_exchange_strong(&box->state, &state, CHANGE_CLAIMED))
        return false;
    box->answer_wanted = answer_wanted;
    box->count = count;
    memcpy(box->change, changes, count * sizeof changes[0]);
    atomic_store(&box->state, CHANGE_ASKED);
    wish(lane);
    return true;
}

bool lane_change_answer(struct lane *lane, uint16_t group, struct lane_change_answer *answer)
{
    uint32_t slot;
    if (!group_slot(lane, group, &slot))
        return false;
    struct change_box *box = &lane->group[slot].change;
    if (atomic_load(&box->state) != CHANGE_ANSWERED)
        return false;
    *answer = box->answer;
    atomic_store(&box->state, CHANGE_FREE);
    return true;
}

bool lane_change_forget(struct lane *lane, uint16_t group)
{
    uint32_t slot, state = CHANGE_ASKED;
    return group_slot(lane, group, &slot) &&
           atomic_compare_exchange_strong(&lane->group[slot].change.state, &state, CHANGE_FREE);
}

/* ---- what control is told -------------------------------------------------------------------- */

static bool listed(const struct wire_member *members, uint32_t count,
                   const struct wire_member *member)
{
    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == member->id && members[i].nonce == member->nonce)
            return true;
    return false;
}

/* Keeps who belonged before and does not now. */
static void remember(struct lane_members *known, const struct wire_member *members, uint32_t count,
                     const struct wire_members *force)
{
    for (uint32_t i = 0; i < count; i++)
        if (known->other_count < VIEW_MEMBERS_MAX &&
            !listed(force->member, force->count, &members[i]) &&
            !listed(known->other, known->other_count, &members[i]))
            known->other[known->other_count++] = members[i];
}

void order_tell_members(struct group *group, uint16_t self)
{
    struct lane_members *known = &group->members, before = *known;
    uint64_t index, version = atomic_load_explicit(&group->members_version, memory_order_relaxed);
    const struct wire_members *force = raft_members(group->raft, &index);
    atomic_store_explicit(&group->members_version, version + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    known->index = index;
    known->committed = index <= raft_commit(group->raft);
    known->force = *force;
    known->other_count = 0;
    if (!known->committed) {
        remember(known, before.other, before.other_count, force);
        remember(known, before.force.member, before.force.count, force);
    }
    atomic_store_explicit(&group->members_version, version + 2, memory_order_release);
    group->joint = force->joint;
    group->has_witness = false;
    group->out = true;
    for (uint32_t i = 0; i < force->count; i++) {
        const struct wire_member *member = &force->member[i];
        group->has_witness |= raft_is_witness(group->raft, member->id);
        group->out &= member->id != self || member->role == WIRE_ROLE_NONE;
    }
}

bool lane_members(const struct lane *lane, uint16_t group, uint64_t *seen,
                  struct lane_members *members)
{
    uint32_t slot;
    if (!group_slot(lane, group, &slot))
        return false;
    const struct group *from = &lane->group[slot];
    uint64_t before = atomic_load_explicit(&from->members_version, memory_order_acquire), after;
    if (LIKELY(before == *seen))
        return false;
    do {
        before = atomic_load_explicit(&from->members_version, memory_order_acquire);
        *members = from->members;
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&from->members_version, memory_order_relaxed);
    } while (before != after || (before & 1) != 0);
    *seen = after;
    return true;
}
