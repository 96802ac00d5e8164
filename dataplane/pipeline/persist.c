/* persist: hands writes to the storage and tells how far it has come; and what order makes of a
 * storage that is full or has failed. */
#include "dataplane/pipeline/internal.h"

uint32_t lane_persist_poll(struct lane *lane)
{
    uint64_t now_ns = lane->look[ROOM_PERSIST]->clock.now_ns;
    uint32_t count = 0, bytes;
    const struct storage_write *write;
    while ((write = doorway_next(lane->writes, &bytes)) != NULL) {
        struct log *log = lane->group[write->group / lane->config.lane_count].log;
        if (UNLIKELY(write->release))
            storage_release(lane->config.storage, write->group, write->last, write->term);
        else if (storage_submit(lane->config.storage, write, 1, &log, now_ns) == 0) {
            doorway_done_before(lane->writes, write); /* offered again next turn */
            break;
        }
        count++;
    }
    if (count != 0 && write == NULL)
        doorway_done(lane->writes);
    uint64_t stored = storage_poll(lane->config.storage, now_ns);
    if (stored != atomic_load_explicit(&lane->stored, memory_order_relaxed)) {
        atomic_store_explicit(&lane->stored, stored, memory_order_release);
        count++;
    }
    return count;
}

bool order_proposals_stored(struct lane *lane)
{
    if (LIKELY(!lane->order.storage_refuses))
        return true;
    count_event(lane, LANE_STORAGE_FULL);
    return false;
}

/* The leader stops first. What it had under way finds room, unless this log is the fuller one: then
 * writes pile up before the storage, until it takes them. */
bool order_appends_stored(struct lane *lane)
{
    const struct order_room *order = &lane->order;
    if (LIKELY(!order->storage_refuses) ||
        order->pending_tail - order->pending_head < PENDING_REFUSED)
        return true;
    count_event(lane, LANE_STORAGE_FULL);
    return false;
}

/* A leader whose own writes fail would lead on by its followers' storage, and refuse proposals. */
void order_give_up_leading(struct lane *lane)
{
    uint64_t now_ns = lane->look[ROOM_ORDER]->clock.now_ns;
    if (!storage_failed(lane->config.storage) || now_ns < lane->order.give_up_ns)
        return;
    lane->order.give_up_ns = now_ns + lane->config.election_timeout_max_ns;
    for (uint32_t slot = 0; slot < lane->group_count; slot++)
        if (raft_is_leader(lane->group[slot].raft))
            (void)lane_transfer(lane, lane->group[slot].number, RAFT_NOBODY);
}
