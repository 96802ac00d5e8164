/* outgoing.c: the frames that seal has open: one per member and one per client, so that a burst for
 * one receiver leaves in as few frames as it fits in. */
#include "dataplane/pipeline/internal.h"

static void push_frame(struct lane *lane, struct outgoing *out)
{
    struct frame *record = doorway_reserve(lane->sealed, sizeof *record);
    ENSURE(record != NULL); /* seal stops while fewer than all open frames would fit */
    out->frame.bytes = out->writer.bytes;
    *record = out->frame;
    out->open = false;
}

static bool take_frame(struct lane *lane, struct outgoing *out, const struct endpoint *peer)
{
    struct seal_room *seal = &lane->seal;
    if (peer->ip == 0) {
        if (duct_take(lane->config.duct[peer->port], DUCT_LANE, &out->frame, 1) == 0)
            return false;
    } else {
        if (seal->stash_count == 0)
            seal->stash_count = port_tx_take(lane->config.queue, seal->stash, FRAME_STASH);
        if (seal->stash_count == 0)
            return false;
        out->frame = seal->stash[--seal->stash_count];
    }
    out->frame.peer = *peer;
    return true;
}

static bool open_frame(struct lane *lane, struct outgoing *out, const struct endpoint *peer,
                       uint64_t number)
{
    if (!take_frame(lane, out, peer)) {
        count_event(lane, LANE_NO_FRAME);
        return false;
    }
    struct wire_frame header = {
        .from = lane->config.self,
        .lane = lane->config.index,
        .cluster = lane->cluster,
        .incarnation = lane->config.incarnation,
        .sequence = number,
        .config_hash = lane->config_hash,
    };
    wire_frame_begin(&out->writer, out->frame.data, out->frame.capacity, &header);
    out->open = true;
    out->reply = false;
    return true;
}

static bool has_room(const struct outgoing *out, uint32_t bytes)
{
    return out->open && out->writer.capacity - out->writer.bytes >= bytes;
}

struct outgoing *seal_to_member(struct lane *lane, uint16_t id, uint16_t group, uint32_t bytes)
{
    struct seal_room *seal = &lane->seal;
    const struct view_member *member = view_member_find(lane->look[ROOM_SEAL]->view, id);
    if (member == NULL || member->ip == 0 || member->lane_count == 0) {
        count_event(lane, LANE_UNROUTABLE);
        return NULL;
    }
    uint32_t index = seal->seats.seat[member - lane->look[ROOM_SEAL]->view->member];
    uint32_t their_lane = group % member->lane_count;
    struct outgoing *out = &seal->member[index];
    /* Groups of one lane here may be spread over several lanes there. */
    if (out->open && (!has_room(out, bytes) || out->frame.peer.port != member->port[their_lane])) {
        push_frame(lane, out);
        seal->open_members &= ~((uint64_t)1 << index);
    }
    if (!out->open) {
        struct endpoint peer = {member->ip, member->port[their_lane],
                                member->source_port[their_lane]};
        if (!open_frame(lane, out, &peer, lane->frame_number_base + ++seal->frame_number[index]))
            return NULL;
        seal->open_members |= (uint64_t)1 << index;
    }
    return has_room(out, bytes) ? out : NULL;
}

/* A seat's new member starts above all numbers given out so far: if it was here before, under
 * whatever seat, it has seen lower ones only. */
void seal_follow(struct lane *lane)
{
    struct seal_room *seal = &lane->seal;
    uint64_t fresh = seats_follow(&seal->seats, lane->look[ROOM_SEAL]->view), highest = 0;
    if (LIKELY(fresh == 0))
        return;
    ENSURE(seal->open_members == 0);
    for (uint32_t i = 0; i < VIEW_MEMBERS_MAX; i++)
        highest = max_u64(highest, seal->frame_number[i]);
    for (; fresh != 0; fresh &= fresh - 1)
        seal->frame_number[__builtin_ctzll(fresh)] = highest;
}

static struct outgoing *client_frame(struct lane *lane, const struct endpoint *peer)
{
    struct seal_room *seal = &lane->seal;
    for (uint32_t open = seal->open_clients; open != 0; open &= open - 1) {
        struct outgoing *out = &seal->client[__builtin_ctz(open)];
        const struct endpoint *to = &out->frame.peer;
        if (to->ip == peer->ip && to->port == peer->port && to->source_port == peer->source_port)
            return out;
    }
    struct outgoing *out = &seal->client[seal->next_client++ % CLIENT_FRAMES_MAX];
    if (out->open)
        push_frame(lane, out);
    return out;
}

struct outgoing *seal_to_client(struct lane *lane, const struct endpoint *peer, uint32_t bytes)
{
    struct seal_room *seal = &lane->seal;
    struct outgoing *out = client_frame(lane, peer);
    uint32_t bit = 1u << (uint32_t)(out - seal->client);
    if (out->open && !has_room(out, bytes))
        push_frame(lane, out);
    if (!out->open) {
        seal->open_clients &= ~bit;
        if (!open_frame(lane, out, peer, WIRE_SEQUENCE_NONE))
            return NULL;
        seal->open_clients |= bit;
    }
    return has_room(out, bytes) ? out : NULL;
}

uint32_t seal_flush(struct lane *lane)
{
    struct seal_room *seal = &lane->seal;
    uint32_t count = 0;
    for (; seal->open_members != 0; seal->open_members &= seal->open_members - 1, count++)
        push_frame(lane, &seal->member[__builtin_ctzll(seal->open_members)]);
    for (; seal->open_clients != 0; seal->open_clients &= seal->open_clients - 1, count++)
        push_frame(lane, &seal->client[__builtin_ctz(seal->open_clients)]);
    return count;
}
