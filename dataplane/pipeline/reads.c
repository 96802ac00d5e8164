/* reads.c: linearizable reads wait here for their ticket (Raft thesis §6.4), then go to apply
 * behind the entries that they must see. Reads of a follower's own edge are its own: the leader is
 * asked for an index only, once for all that wait, and executes none of them.
 *
 * An edge relies on reads being executed in the order in which it sent them. So none goes to the
 * leader while others wait here: it is to be asked again. The other way round, a leader answers a
 * question with what is committed when it answers, which no read that came to it before has passed.
 */
#include "dataplane/pipeline/internal.h"

/* A follower further behind than this leaves reads to its leader until it has caught up. */
#define READ_LAG_MAX 16384u

/* ---- asked ----------------------------------------------------------------------------------- */

static bool take_ticket(raft *machine, struct raft_ticket *ticket)
{
    return raft_is_leader(machine) ? raft_read(machine, ticket)
                                   : raft_read_follower(machine, ticket);
}

void order_await_read(struct lane *lane, struct group *group, const struct asker *asker,
                      const uint8_t *body, uint32_t body_bytes, bool stale)
{
    struct waiting_read *read =
        body_bytes <= READ_BODY_MAX
            ? doorway_reserve(group->reads, (uint32_t)sizeof *read + body_bytes)
            : NULL;
    if (read == NULL) {
        count_event(lane, LANE_CLIENT_READS_FULL);
        order_refuse(lane, group, asker, body_bytes <= READ_BODY_MAX ? WIRE_BUSY : WIRE_TOO_BIG, 0);
        return;
    }
    read->asker = *asker;
    read->body_bytes = body_bytes;
    memcpy(read + 1, body, body_bytes);
    read->ticket = (struct raft_ticket){0}; /* is ready, for whatever is applied */
    if (!stale && !take_ticket(group->raft, &read->ticket))
        read->ticket.round = UINT64_MAX; /* of no term: lost */
    group->reads_waiting++;
    doorway_publish(group->reads);
}

/* It is asked again at once. */
static void give_up(struct lane *lane, struct group *group, const struct asker *asker,
                    enum lane_event event)
{
    count_event(lane, event);
    order_refuse(lane, group, asker, WIRE_NOT_LEADER, 0);
}

/* Are they all? *stale: and all may be. */
static bool are_reads(const struct wire_request *request, bool *stale)
{
    const uint8_t *at = request->commands;
    uint64_t sequence;
    uint32_t body_bytes;
    *stale = true;
    for (uint32_t i = 0; i < request->count; i++) {
        struct wire_command command;
        const uint8_t *body = wire_next_command(&at, &sequence, &body_bytes);
        if (wire_command_decode(body, body_bytes, &command) != WIRE_OK ||
            command.op <= WIRE_OP_WRITE_LAST || command.op == WIRE_OP_REGISTER ||
            body_bytes > READ_BODY_MAX)
            return false;
        *stale &= (command.flags & WIRE_READ_STALE) != 0;
    }
    return request->session == 0;
}

static bool is_behind(const struct group *group)
{
    return group->handed < group->reads_from;
}

static bool has_leader(const struct group *group, uint16_t self)
{
    uint16_t leader = raft_leader(group->raft);
    return leader != RAFT_NOBODY && leader != self;
}

bool order_read_here(struct lane *lane, const struct arrival *arrival,
                     const struct wire_request *request)
{
    struct group *group = &lane->group[arrival->slot];
    bool stale, local = arrival->frame.peer.ip == 0;
    if (!lane->started || group->out || raft_is_witness(group->raft, lane->config.self) ||
        !are_reads(request, &stale))
        return false;
    bool here = stale || (local && has_leader(group, lane->config.self) && !is_behind(group));
    if (!here && !(local && group->reads_waiting != 0))
        return false;
    struct asker asker = order_asker(arrival, request);
    const uint8_t *at = request->commands;
    uint32_t body_bytes;
    for (uint32_t i = 0; i < request->count; i++) {
        const uint8_t *body = wire_next_command(&at, &asker.sequence, &body_bytes);
        if (!here) {
            give_up(lane, group, &asker,
                    is_behind(group) ? LANE_CLIENT_READ_BEHIND : LANE_CLIENT_READ_LOST);
            continue;
        }
        count_event(lane, stale ? LANE_CLIENT_READ_STALE : LANE_CLIENT_READ_HERE);
        order_await_read(lane, group, &asker, body, body_bytes, stale);
    }
    return true;
}

/* ---- answered -------------------------------------------------------------------------------- */

static void hand_read(struct lane *lane, uint32_t slot, const struct waiting_read *read)
{
    struct work *work = doorway_reserve(lane->work, (uint32_t)sizeof *work + read->body_bytes);
    ENSURE(work != NULL); /* order_has_room was asked */
    *work = (struct work){
        .kind = WORK_READ,
        .leader = raft_leader(lane->group[slot].raft),
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
    bool any = false, leave = false;
    while ((read = doorway_next(group->reads, &bytes)) != NULL) {
        struct raft_ticket ticket = read->ticket;
        enum raft_ticket_state state = raft_ticket_state(group->raft, &ticket);
        bool behind = state == RAFT_TICKET_READY && group->handed < ticket.index;
        if (UNLIKELY(behind && ticket.index - group->handed > READ_LAG_MAX)) {
            group->reads_from = ticket.index;
            leave = true; /* and so do all behind it */
        }
        bool wait = !leave && (state == RAFT_TICKET_WAIT || behind);
        if (wait || !order_has_room(lane)) {
            doorway_done_before(group->reads, read);
            return;
        }
        if (leave)
            give_up(lane, group, &read->asker, LANE_CLIENT_READ_BEHIND);
        else if (state == RAFT_TICKET_READY)
            hand_read(lane, slot, read);
        else
            give_up(lane, group, &read->asker, LANE_CLIENT_READ_LOST);
        group->reads_waiting--;
        any = true;
    }
    if (any)
        doorway_done(group->reads);
}
