/* open: is it ours, from whom, and for which group? The cheapest question comes first. */
#include "dataplane/pipeline/internal.h"

#include <stdlib.h>

/* Refusal of a member's frame, LANE_EVENT_COUNT: none. *stranger: of no member here, though of this
 * cluster: it may say hello. */
static enum lane_event check_member(struct lane *lane, const struct wire_frame *frame,
                                    bool *stranger)
{
    const struct view *view = lane->look[ROOM_OPEN]->view;
    if (view->cluster == 0) {
        atomic_store_explicit(&lane->heard_hash, frame->config_hash, memory_order_relaxed);
        return LANE_NOT_BOOTSTRAPPED;
    }
    if (frame->cluster != view->cluster)
        return LANE_FOREIGN_CLUSTER;
    const struct view_member *member = view_member_find(view, frame->from);
    if (frame->from == view->self || frame->lane >= WIRE_LANES_MAX)
        return LANE_STRANGER;
    if (member == NULL || (member->guest && frame->incarnation != member->incarnation)) {
        *stranger = frame->config_hash == view->config_hash;
        return *stranger ? LANE_EVENT_COUNT : LANE_STRANGER;
    }
    if (frame->incarnation != member->incarnation)
        return LANE_INCARNATION;
    if (frame->config_hash != view->config_hash)
        return LANE_CONFIGURATION;
    uint32_t seat = lane->open.seats.seat[member - view->member];
    if (!replay_accept(&lane->open.window[seat][frame->lane], frame->sequence))
        return LANE_REPLAY;
    return LANE_EVENT_COUNT;
}

static enum lane_event check_client(const struct lane *lane, const struct wire_frame *frame)
{
    bool foreign = frame->cluster != 0 && frame->cluster != lane->look[ROOM_OPEN]->view->cluster;
    return foreign ? LANE_FOREIGN_CLUSTER : LANE_EVENT_COUNT;
}

static bool client_may_send(const struct wire_view *view)
{
    return view->kind == WIRE_REQUEST ||
           (view->kind == WIRE_FRAGMENT && view->flags == WIRE_REQUEST);
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, ED25519_KEY_BYTES);
}

static bool is_listed(const struct lane_clients *clients, const uint8_t *key)
{
    return clients->key_count == 0 ||
           bsearch(key, clients->key, clients->key_count, ED25519_KEY_BYTES, compare_keys) != NULL;
}

/* What becomes of a message: it goes on, once its signature was checked or because it needs none;
 * its client is told that it may not ask; nobody is told. */
enum welcome { WELCOME, WELCOME_IF_SIGNED, UNWELCOME, IGNORED };

/* A client's message from the network, where clients have to sign. */
static enum welcome judge_client(struct lane *lane, const struct wire_signed *envelope)
{
    if (envelope == NULL) {
        count_event(lane, LANE_CLIENT_UNSIGNED);
        return UNWELCOME;
    }
    uint64_t cluster = lane->look[ROOM_OPEN]->view->cluster;
    if (cluster != 0 && envelope->cluster != cluster) {
        count_event(lane, LANE_FOREIGN_CLUSTER);
        /* Who names none does not know ours yet; the answer bears it. */
        return envelope->cluster == 0 ? UNWELCOME : IGNORED;
    }
    if (!is_listed(&lane->config.clients, envelope->key)) {
        count_event(lane, LANE_CLIENT_UNLISTED);
        return UNWELCOME;
    }
    return WELCOME_IF_SIGNED;
}

/* Takes a message out of its envelope. *found is `envelope`, or NULL where there is none. False:
 * counted. */
static bool take_out(struct lane *lane, bool member, struct wire_view *view,
                     struct wire_signed *envelope, const struct wire_signed **found)
{
    *found = NULL;
    if (view->kind == WIRE_SIGNED) {
        enum wire_refusal refusal = wire_get_signed(view, envelope);
        if (refusal != WIRE_OK) {
            lane->open.refused[refusal]++;
            return false;
        }
        *view = envelope->inner;
        *found = envelope;
    }
    if (member ? *found != NULL : !client_may_send(view)) {
        lane->open.refused[WIRE_REFUSED_MESSAGE_KIND]++;
        return false;
    }
    return true;
}

static void push_message(struct lane *lane, const struct frame *frame,
                         const struct wire_frame *header, struct wire_view *view)
{
    bool member = header->from != WIRE_NODE_CLIENT;
    bool by_edge = frame->peer.ip == 0;
    uint32_t slot = 0;
    struct wire_signed memory;
    const struct wire_signed *envelope;
    if (!take_out(lane, member, view, &memory, &envelope))
        return;
    if (view->kind != WIRE_HELLO && !group_slot(lane, view->group, &slot)) {
        count_event(lane, LANE_FOREIGN_GROUP);
        return;
    }
    enum welcome welcome = WELCOME;
    if (lane->verify.cache != NULL && !member && !by_edge)
        welcome = judge_client(lane, envelope);
    if (welcome == IGNORED)
        return;
    struct arrival *arrival = doorway_reserve(lane->opened, sizeof *arrival);
    ENSURE(arrival != NULL);
    arrival->kind = ARRIVAL_MESSAGE;
    arrival->member = member;
    arrival->from = header->from;
    arrival->slot = slot;
    arrival->unauthorized = welcome == UNWELCOME;
    arrival->view = *view;
    if (view->kind == WIRE_HELLO)
        arrival->incarnation = header->incarnation;
    arrival->frame.peer = frame->peer;
    arrival->signature = NULL;
    if (welcome != WELCOME_IF_SIGNED)
        return;
    arrival->signature = envelope->signature;
    arrival->key = envelope->key;
    arrival->covered = envelope->covered;
    arrival->covered_bytes = envelope->covered_bytes;
}

static void open_frame(struct lane *lane, const struct frame *frame)
{
    struct wire_frame header;
    enum wire_refusal refusal = wire_frame_decode(frame->data, frame->bytes, &header);
    if (refusal != WIRE_OK) {
        lane->open.refused[refusal]++;
        return;
    }
    bool stranger = false;
    enum lane_event event = header.from == WIRE_NODE_CLIENT
                                ? check_client(lane, &header)
                                : check_member(lane, &header, &stranger);
    if (event != LANE_EVENT_COUNT) {
        count_event(lane, event);
        return;
    }
    uint32_t offset = WIRE_FRAME_BYTES;
    for (;;) {
        struct wire_view view;
        refusal = wire_message_next(frame->data, frame->bytes, &offset, &view);
        if (refusal != WIRE_OK) {
            lane->open.refused[refusal]++;
            return;
        }
        if (view.kind == 0)
            return;
        if (UNLIKELY(stranger) && view.kind != WIRE_HELLO) {
            count_event(lane, LANE_STRANGER);
            return;
        }
        push_message(lane, frame, &header, &view);
    }
}

/* Whoever is new has sent nothing yet that could come again. */
static void follow_view(struct lane *lane)
{
    struct open_room *open = &lane->open;
    uint64_t fresh = seats_follow(&open->seats, lane->look[ROOM_OPEN]->view);
    for (; UNLIKELY(fresh != 0); fresh &= fresh - 1)
        memset(open->window[__builtin_ctzll(fresh)], 0, sizeof open->window[0]);
}

uint32_t lane_open_poll(struct lane *lane)
{
    uint32_t opened = 0, bytes;
    const struct frame *frame;
    /* The most messages that one frame can hold: headers alone. */
    uint32_t messages_max = port_payload_max(lane->config.queue) / WIRE_MESSAGE_BYTES + 1;
    follow_view(lane);
    while (opened < LANE_BURST) {
        if (!doorway_fits(lane->opened, messages_max, sizeof(struct arrival)))
            break;
        if ((frame = doorway_next(lane->arrived, &bytes)) == NULL)
            break;
        open_frame(lane, frame);
        struct arrival *done = doorway_reserve(lane->opened, sizeof *done);
        ENSURE(done != NULL);
        done->kind = ARRIVAL_FRAME_DONE;
        done->signature = NULL;
        done->frame = *frame;
        opened++;
    }
    if (opened != 0) {
        doorway_done(lane->arrived);
        doorway_publish(lane->opened);
    }
    return opened;
}
