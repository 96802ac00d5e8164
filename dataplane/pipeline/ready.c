/* ready: everything a machine has to say, handed on in its order: persist, send, commit. */
#include "dataplane/pipeline/internal.h"

/* Room for the worst that one input can bring: an answer to the asker, and one full raft_ready. */
bool order_has_room(struct lane *lane)
{
    const struct order_room *order = &lane->order;
    uint32_t frame_bytes = port_payload_max(lane->config.queue);
    return order->pending_tail - order->pending_head < PENDING_WRITES_MAX - 2 &&
           doorway_fits(lane->writes, 2, sizeof(struct storage_write)) &&
           doorway_fits(lane->work, ADMIT_BATCH, sizeof(struct work) + WIRE_COMMAND_BYTES + 512) &&
           doorway_fits(lane->parcels, RAFT_SEND_MAX + frame_bytes / 32, sizeof(struct parcel)) &&
           doorway_fits(lane->parcels, 2, (uint32_t)sizeof(struct parcel) + frame_bytes);
}

static void hand_write(struct lane *lane, struct group *group, uint32_t slot,
                       const struct raft_ready *ready)
{
    struct order_room *order = &lane->order;
    struct storage_write *write = doorway_reserve(lane->writes, sizeof *write);
    ENSURE(write != NULL);
    *write = (struct storage_write){
        .seq = order->next_seq,
        .term = ready->term,
        .first = ready->persist_first,
        .last = ready->persist_last,
        .commit = raft_commit(group->raft),
        .group = group->number,
        .vote = ready->vote,
        .hard_state_changed = ready->hard_state_changed,
    };
    order->pending[order->pending_tail++ % PENDING_WRITES_MAX] =
        (struct pending_write){.seq = order->next_seq, .slot = slot};
    order->next_seq++;
}

static void hand_send(struct lane *lane, struct group *group, uint32_t slot,
                      const struct raft_send *send)
{
    if (UNLIKELY(send->message.kind == WIRE_SNAPSHOT)) {
        order_offer(lane, group, send);
        return;
    }
    struct parcel *parcel = doorway_reserve(lane->parcels, sizeof *parcel);
    ENSURE(parcel != NULL);
    parcel->kind = PARCEL_RAFT;
    parcel->group = group->number;
    parcel->slot = slot;
    parcel->as.raft.send = *send;
    const struct wire_raft *message = &send->message;
    parcel->as.raft.lean =
        UNLIKELY(group->has_witness) && raft_is_witness(group->raft, message->to);
    if (message->entry_count != 0)
        parcel->as.raft.last_term =
            raft_entry_term(group->raft, message->index + message->entry_count);
    if (message->kind == WIRE_VOTE_REPLY && (message->flags & WIRE_RAFT_GRANTED) != 0)
        group->votes_granted++;
}

static void hand_commit(struct lane *lane, struct group *group, uint32_t slot,
                        const struct raft_ready *ready)
{
    struct work *work = doorway_reserve(lane->work, sizeof *work);
    ENSURE(work != NULL);
    *work = (struct work){
        .kind = WORK_COMMIT,
        /* A leader that steps down in this very turn still answers for what it has committed. */
        .leading = group->led || raft_is_leader(group->raft),
        .slot = slot,
        .first = ready->commit_first,
        .last = ready->commit_last,
    };
    group->handed = ready->commit_last;
}

/* On one core, apply can fetch what these entries will need long before they are committed. */
static void hand_appended(struct lane *lane, uint32_t slot, const struct raft_ready *ready)
{
    struct work *work = doorway_reserve(lane->work, sizeof *work);
    ENSURE(work != NULL);
    work->kind = WORK_APPENDED;
    work->slot = slot;
    work->first = ready->persist_first;
    work->last = ready->persist_last;
}

bool order_ready(struct lane *lane, uint32_t slot)
{
    struct group *group = &lane->group[slot];
    struct raft_ready ready;
    do {
        if (!order_has_room(lane))
            return false;
        order_noop(lane, group);
        if (UNLIKELY(group->joint))
            order_leave_joint(lane, group);
        raft_ready(group->raft, lane->order.next_seq, &ready);
        if (UNLIKELY(ready.members_changed)) {
            order_tell_members(group, lane->config.self);
            order_prefer(lane, group);
        }
        if (ready.must_persist)
            hand_write(lane, group, slot, &ready);
        if (ready.persist_first != 0 && lane->fused)
            hand_appended(lane, slot, &ready);
        for (uint32_t i = 0; i < ready.send_count; i++)
            hand_send(lane, group, slot, &ready.send[i]);
        if (ready.commit_first != 0)
            hand_commit(lane, group, slot, &ready);
        if (UNLIKELY(ready.snapshot_wanted))
            order_snapshot_wanted(lane, group);
        group->led = raft_is_leader(group->raft);
        group->wake_ns = ready.wake_ns;
    } while (ready.more || raft_dirty(group->raft));
    return true;
}
