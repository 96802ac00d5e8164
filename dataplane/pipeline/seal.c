/* seal: writes what order and apply have to say into frames. A promise is sealed only once storage
 * holds what it rests on. */
#include "dataplane/pipeline/internal.h"

#define REPLY_MESSAGE_BYTES (WIRE_MESSAGE_BYTES + 32u)

static uint64_t stored_now(const struct lane *lane)
{
    return atomic_load_explicit(&lane->stored, memory_order_acquire);
}

static void retract(struct outgoing *out, const struct wire_writer *before)
{
    out->writer =
        *before; /* an empty frame may remain: filled by the next message, or it leaves as it is */
}

static void seal_raft(struct lane *lane, const struct parcel *parcel)
{
    const struct wire_raft *message = &parcel->as.raft.send.message;
    if (UNLIKELY(parcel->as.raft.lean) && message->entry_count != 0) {
        seal_lean(lane, parcel);
        return;
    }
    struct outgoing *out = seal_to_member(lane, message->to, parcel->group,
                                          WIRE_RAFT_HEAD_BYTES + message->entry_bytes);
    if (out == NULL)
        return;
    struct wire_writer before = out->writer;
    uint8_t *entries = wire_put_raft(&out->writer, message);
    ENSURE(entries != NULL); /* room was asked for */
    out->reply = false;
    if (message->entry_count == 0)
        return;
    const struct log *log = lane->group[parcel->slot].log;
    uint32_t copied = log_copy(log, message->index + 1, message->entry_count,
                               parcel->as.raft.last_term, entries, message->entry_bytes);
    /* On a split lane order may have moved on while this was copied. */
    if (copied != message->entry_bytes || log_first_index(log) > message->index + 1) {
        count_event(lane, LANE_ENTRY_GONE);
        retract(out, &before);
    }
}

/* One large entry, in pieces. True: all are sealed. */
static bool seal_pieces(struct lane *lane, const struct parcel *parcel)
{
    const struct wire_raft *message = &parcel->as.raft.send.message;
    struct seal_room *seal = &lane->seal;
    const struct wire_entry *entry = log_entry(lane->group[parcel->slot].log, message->index + 1);
    if (entry == NULL || entry->index != message->index + 1 ||
        entry->term != parcel->as.raft.last_term) {
        count_event(lane, LANE_ENTRY_GONE);
        return true;
    }
    uint8_t head[WIRE_RAFT_HEAD_BYTES];
    struct wire_cut cut;
    wire_raft_head(head, message);
    if (seal->next_piece == 0)
        seal->piece_id++;
    wire_cut_begin(&cut, seal->piece_id, head, sizeof head, (const uint8_t *)entry,
                   message->entry_bytes, port_payload_max(lane->config.queue));
    for (uint32_t sent = 0; seal->next_piece < cut.count; seal->next_piece++, sent++) {
        /* What the device can not take now would push out what waits for it. */
        if (sent == LANE_BURST ||
            atomic_load_explicit(&lane->tx_waiting, memory_order_relaxed) != 0)
            return false;
        uint32_t whole_frame = port_payload_max(lane->config.queue) - WIRE_FRAME_BYTES;
        struct outgoing *out = seal_to_member(lane, message->to, parcel->group, whole_frame);
        if (out == NULL)
            return sent == 0; /* without a single frame give up: it is sent again */
        bool fits = wire_put_fragment(&out->writer, &cut, seal->next_piece);
        ENSURE(fits); /* pieces are cut to a frame */
    }
    return true;
}

static void leader_hint(const struct lane *lane, const struct parcel *parcel,
                        struct wire_reply *reply)
{
    uint16_t id = parcel->as.reply.leader;
    const struct view_member *leader =
        id == RAFT_NOBODY ? NULL : view_member_find(lane->look[ROOM_SEAL]->view, id);
    reply->leader = WIRE_NODE_CLIENT;
    if (leader == NULL || leader->lane_count == 0)
        return;
    reply->leader = id;
    reply->leader_ip = leader->ip;
    reply->leader_port = leader->port[parcel->group % leader->lane_count];
}

static struct outgoing *frame_for(struct lane *lane, const struct endpoint *peer, uint16_t member,
                                  uint16_t group, uint32_t bytes)
{
    return member == WIRE_NODE_CLIENT ? seal_to_client(lane, peer, bytes)
                                      : seal_to_member(lane, member, group, bytes);
}

static void seal_reply(struct lane *lane, const struct parcel *parcel)
{
    const struct asker *asker = &parcel->as.reply.asker;
    struct wire_result result = parcel->as.reply.result;
    result.value = (const uint8_t *)(parcel + 1);
    uint32_t bytes = REPLY_MESSAGE_BYTES + 8 + wire_result_size(result.value_bytes);
    struct outgoing *out = frame_for(lane, &asker->peer, asker->member, parcel->group, bytes);
    if (out == NULL)
        return;
    bool joins = out->reply && out->client == asker->client && out->session == asker->session &&
                 out->group == parcel->group && out->route == asker->route;
    if (!joins) {
        struct wire_reply reply = {
            .group = parcel->group,
            .client = asker->client,
            .session = asker->session,
            .route = asker->route,
        };
        leader_hint(lane, parcel, &reply);
        bool fits = wire_put_reply(&out->writer, &reply);
        ENSURE(fits); /* room was asked for */
        out->reply = true;
        out->group = parcel->group;
        out->client = asker->client;
        out->session = asker->session;
        out->route = asker->route;
    }
    bool fits = wire_put_result(&out->writer, asker->sequence, &result);
    ENSURE(fits); /* room was asked for */
}

/* A message that is encoded already: forwarded, or a piece. */
static void seal_encoded(struct lane *lane, struct outgoing *out, const uint8_t *message,
                         uint32_t bytes)
{
    if (out == NULL)
        return;
    memcpy(out->writer.data + out->writer.bytes, message, bytes);
    out->writer.bytes += bytes;
    out->reply = false;
    (void)lane;
}

static bool oversize(const struct lane *lane, const struct wire_raft *message)
{
    return message->entry_bytes > lane->raft_entry_bytes_max;
}

/* False: the parcel is not done with. */
static bool seal_parcel(struct lane *lane, const struct parcel *parcel)
{
    const uint8_t *tail = (const uint8_t *)(parcel + 1);
    switch (parcel->kind) {
    case PARCEL_RAFT:
        if (parcel->as.raft.lean || !oversize(lane, &parcel->as.raft.send.message)) {
            seal_raft(lane, parcel);
            return true;
        }
        if (!seal_pieces(lane, parcel))
            return false;
        lane->seal.next_piece = 0;
        return true;
    case PARCEL_REPLY:
        seal_reply(lane, parcel);
        return true;
    case PARCEL_FORWARD:
        seal_encoded(lane,
                     seal_to_member(lane, parcel->as.forward.member, parcel->group,
                                    parcel->as.forward.bytes),
                     tail, parcel->as.forward.bytes);
        return true;
    default:
        seal_encoded(lane,
                     frame_for(lane, &parcel->as.encoded.peer, parcel->as.encoded.member,
                               parcel->group, parcel->as.encoded.bytes),
                     tail, parcel->as.encoded.bytes);
        return true;
    }
}

static uint32_t release_held(struct lane *lane, uint64_t stored)
{
    struct seal_room *seal = &lane->seal;
    uint32_t count = 0;
    while (seal->held_head != seal->held_tail) {
        const struct parcel *parcel = &seal->held[seal->held_head % HELD_MAX];
        if (parcel->as.raft.send.after_seq > stored)
            break;
        seal_raft(lane, parcel);
        seal->held_head++;
        count++;
    }
    return count;
}

/* Promises wait in the order of their numbers, which is the order they come in. */
static bool hold(struct lane *lane, const struct parcel *parcel, uint64_t stored)
{
    struct seal_room *seal = &lane->seal;
    if (parcel->kind != PARCEL_RAFT || parcel->as.raft.send.after_seq <= stored)
        return false;
    if (seal->held_tail - seal->held_head < HELD_MAX)
        seal->held[seal->held_tail++ % HELD_MAX] = *parcel;
    return true; /* with storage that far behind, the protocol's retries speak again */
}

static uint32_t take_parcels(struct lane *lane, struct doorway *from, uint64_t stored)
{
    const struct parcel *parcel;
    uint32_t count = 0, bytes;
    while (doorway_fits(lane->sealed, 2 * (VIEW_MEMBERS_MAX + CLIENT_FRAMES_MAX) + LANE_BURST,
                        sizeof(struct frame)) &&
           (parcel = doorway_next(from, &bytes)) != NULL) {
        uint32_t piece = lane->seal.next_piece;
        count++;
        if (hold(lane, parcel, stored) || seal_parcel(lane, parcel))
            continue;
        doorway_done_before(from, parcel);
        return count - (lane->seal.next_piece == piece); /* one that only waits is no work */
    }
    if (count != 0)
        doorway_done(from);
    return count;
}

uint32_t lane_seal_poll(struct lane *lane)
{
    uint64_t stored = stored_now(lane);
    seal_follow(lane);
    uint32_t count = release_held(lane, stored);
    count += take_parcels(lane, lane->parcels, stored);
    count += take_parcels(lane, lane->replies, stored);
    count += seal_hello(lane);
    if (count != 0) {
        (void)seal_flush(lane);
        doorway_publish(lane->sealed);
    }
    return count;
}
