/* reads.c: linearizable reads wait here for their ticket (Raft thesis §6.4), then go to apply
 * behind the entries that they must see. */
#include "dataplane/pipeline/internal.h"

static void hand_read(struct lane *lane, uint32_t slot, const struct waiting_read *read)
{
    struct work *work = doorway_reserve(lane->work, (uint32_t)sizeof *work + read->body_bytes);
    ENSURE(work != NULL); /* order_has_room was asked */
    *work = (struct work){
        .kind = WORK_READ,
        .slot = slot,
        .asker = read->asker,
        .body_bytes = read->body_bytes,
    };
    memcpy(work + 1, read + 1, read->body_bytes);
}

void order_reads(struct lane *lane, uint32_t slot)
{
    struct group *group = &lane->group[slot];
    const struct waiting_read *read;
    uint32_t bytes;
    bool any = false;
    while ((read = doorway_next(group->reads, &bytes)) != NULL) {
        struct raft_ticket ticket = read->ticket;
        enum raft_ticket_state state = raft_ticket_state(group->raft, &ticket);
        bool wait = state == RAFT_TICKET_WAIT ||
                    (state == RAFT_TICKET_READY && group->handed < ticket.index);
        if (wait || !order_has_room(lane)) {
            doorway_done_before(group->reads, read);
            return;
        }
        if (state == RAFT_TICKET_READY) {
            hand_read(lane, slot, read);
        } else {
            count_event(lane, LANE_CLIENT_READ_LOST);
            order_refuse(lane, group, &read->asker, WIRE_NOT_LEADER, 0);
        }
        any = true;
    }
    if (any)
        doorway_done(group->reads);
}
