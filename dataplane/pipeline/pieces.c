/* pieces.c: messages that outgrew a frame are put together in a slot of the log, reserved at the
 * first piece, and become an entry where they lie. */
#include "dataplane/pipeline/internal.h"

static void give_back(struct lane *lane, const struct wire_abandoned *abandoned,
                      enum lane_event event)
{
    count_event(lane, event);
    log_abandon(lane->group[abandoned->group / lane->config.lane_count].log, abandoned->buffer);
}

void order_expire_fragments(struct lane *lane)
{
    struct wire_abandoned abandoned;
    while (wire_assembly_expire(lane->order.assemblies, lane->look[ROOM_ORDER]->clock.now_ns,
                                &abandoned))
        give_back(lane, &abandoned, LANE_REASSEMBLY_TIMEOUT);
}

/* Entries come before messages in pieces: the one that holds up the tail of a full log is given
 * up. */
bool order_log_fits(struct lane *lane, struct group *group, uint32_t count, uint64_t bytes)
{
    while (!log_fits(group->log, count, bytes)) {
        const bool indexes = log_fits(group->log, count, 0);
        uint8_t *slot = indexes ? log_slot_in_the_way(group->log) : NULL;
        struct wire_assembly *assembly =
            slot == NULL ? NULL : wire_assembly_filling(lane->order.assemblies, slot);
        if (assembly == NULL)
            return false;
        wire_assembly_close(lane->order.assemblies, assembly);
        log_abandon(group->log, slot);
        count_event(lane, LANE_REASSEMBLY_FULL);
    }
    return true;
}

/* Senders whose ids could collide: members by id, group and what they send, clients by address. */
static uint64_t sender_of(const struct arrival *arrival)
{
    const struct endpoint *peer = &arrival->frame.peer;
    if (arrival->member)
        return (uint64_t)arrival->view.flags << 32 | (uint64_t)arrival->view.group << 16 |
               arrival->from;
    return (uint64_t)1 << 63 | (uint64_t)peer->ip << 16 | peer->port;
}

/* The first piece says who is to be told; its sender will come again with all of them. */
static void refuse_piece(struct lane *lane, const struct arrival *arrival,
                         const struct wire_fragment *fragment)
{
    struct wire_request request;
    uint64_t sequence;
    count_event(lane, LANE_REASSEMBLY_FULL);
    if (!wire_peek_request(fragment, &request, &sequence))
        return;
    struct asker asker = {
        .peer = arrival->frame.peer,
        .client = request.client,
        .session = request.session,
        .sequence = sequence,
        .route = request.route,
        .member = arrival->from,
    };
    order_refuse(lane, &lane->group[arrival->slot], &asker, WIRE_BUSY, 0);
}

static struct wire_assembly *find_or_open(struct lane *lane, const struct arrival *arrival,
                                          const struct wire_fragment *fragment)
{
    struct wire_assembly_table *table = lane->order.assemblies;
    uint64_t sender = sender_of(arrival), now_ns = lane->look[ROOM_ORDER]->clock.now_ns;
    struct wire_assembly *assembly = wire_assembly_find(table, sender, fragment, now_ns);
    if (assembly != NULL)
        return assembly;
    struct wire_abandoned abandoned;
    while (wire_assembly_make_room(table, sender, now_ns, &abandoned))
        give_back(lane, &abandoned, LANE_REASSEMBLY_FULL);
    bool stored =
        fragment->kind == WIRE_REQUEST ? order_proposals_stored(lane) : order_appends_stored(lane);
    uint8_t *memory = stored && wire_assembly_has_room(table, sender)
                          ? log_reserve(lane->group[arrival->slot].log, fragment->total)
                          : NULL;
    if (memory == NULL) {
        refuse_piece(lane, arrival, fragment);
        return NULL;
    }
    return wire_assembly_open(table, sender, fragment, memory, now_ns);
}

/* True: the slot has become an entry. */
static bool deliver(struct lane *lane, const struct arrival *arrival, struct wire_view *view,
                    uint8_t *memory)
{
    struct wire_request request;
    struct wire_raft message;
    const uint8_t *entries;
    enum wire_refusal refusal;
    if (view->kind == WIRE_REQUEST) {
        refusal = wire_get_request(view, &request);
        if (refusal == WIRE_OK)
            return order_request_in_place(lane, arrival, &request, memory);
    } else {
        refusal = wire_get_raft(view, &message, &entries);
        message.from = arrival->from;
        message.to = lane->config.self;
        if (refusal == WIRE_OK && message.entry_count == 1)
            return order_append_in_place(lane, arrival->slot, &message, memory);
        if (refusal == WIRE_OK)
            refusal = WIRE_REFUSED_ENTRIES; /* several entries never need pieces */
    }
    lane->open.refused[refusal]++;
    return false;
}

void order_fragment(struct lane *lane, const struct arrival *arrival)
{
    struct wire_fragment fragment;
    enum wire_refusal refusal = wire_get_fragment(&arrival->view, &fragment);
    bool may = fragment.kind == WIRE_REQUEST || (arrival->member && fragment.kind == WIRE_APPEND);
    if (refusal == WIRE_OK && fragment.kind == WIRE_REPLY && arrival->member) {
        order_reply_home(lane, arrival);
        return;
    }
    if (refusal != WIRE_OK || !may || !lane->started) {
        lane->open.refused[refusal != WIRE_OK ? refusal : WIRE_REFUSED_MESSAGE_KIND]++;
        return;
    }
    if (fragment.kind == WIRE_REQUEST && !raft_leader_ready(lane->group[arrival->slot].raft)) {
        (void)order_forward(lane, arrival); /* or dropped: the asker tries another member */
        return;
    }
    struct wire_assembly *assembly = find_or_open(lane, arrival, &fragment);
    if (assembly == NULL)
        return;
    refusal = wire_assembly_add(assembly, &fragment);
    if (refusal != WIRE_OK)
        lane->open.refused[refusal]++;
    if (refusal != WIRE_OK || assembly->missing_bytes != 0)
        return;
    struct wire_view view;
    uint8_t *memory = assembly->buffer;
    refusal = wire_assembly_view(assembly, &view);
    if (refusal != WIRE_OK)
        lane->open.refused[refusal]++;
    wire_assembly_close(lane->order.assemblies, assembly);
    if (refusal != WIRE_OK || !deliver(lane, arrival, &view, memory))
        log_abandon(lane->group[arrival->slot].log, memory);
}
