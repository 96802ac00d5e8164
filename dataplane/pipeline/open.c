/* open: is it ours, from whom, and for which group? The cheapest question comes first. */
#include "dataplane/pipeline/internal.h"

/* Refusal of a member's frame, LANE_EVENT_COUNT: none. */
static enum lane_event check_member(struct lane *lane, const struct wire_frame *frame)
{
    const struct view *view = lane->look[ROOM_OPEN]->view;
    if (view->cluster == 0) {
        atomic_store_explicit(&lane->heard_hash, frame->config_hash, memory_order_relaxed);
        return LANE_NOT_BOOTSTRAPPED;
    }
    if (frame->cluster != view->cluster)
        return LANE_FOREIGN_CLUSTER;
    const struct view_member *member = view_member_find(view, frame->from);
    if (member == NULL || frame->from == view->self || frame->lane >= WIRE_LANES_MAX)
        return LANE_STRANGER;
    if (frame->incarnation != member->incarnation)
        return LANE_INCARNATION;
    if (frame->config_hash != view->config_hash)
        return LANE_CONFIGURATION;
    uint32_t index = (uint32_t)(member - view->member);
    if (!replay_accept(&lane->open.window[index][frame->lane], frame->sequence))
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

static void push_message(struct lane *lane, const struct frame *frame,
                         const struct wire_frame *header, const struct wire_view *view)
{
    bool member = header->from != WIRE_NODE_CLIENT;
    uint32_t slot = 0;
    if (!member && !client_may_send(view)) {
        lane->open.refused[WIRE_REFUSED_MESSAGE_KIND]++;
        return;
    }
    if (view->kind != WIRE_HELLO && !group_slot(lane, view->group, &slot)) {
        count_event(lane, LANE_FOREIGN_GROUP);
        return;
    }
    struct arrival *arrival = doorway_reserve(lane->opened, sizeof *arrival);
    ENSURE(arrival != NULL);
    arrival->kind = ARRIVAL_MESSAGE;
    arrival->member = member;
    arrival->from = header->from;
    arrival->slot = slot;
    arrival->view = *view;
    arrival->frame.peer = frame->peer;
}

static void open_frame(struct lane *lane, const struct frame *frame)
{
    struct wire_frame header;
    enum wire_refusal refusal = wire_frame_decode(frame->data, frame->bytes, &header);
    if (refusal != WIRE_OK) {
        lane->open.refused[refusal]++;
        return;
    }
    enum lane_event event =
        header.from == WIRE_NODE_CLIENT ? check_client(lane, &header) : check_member(lane, &header);
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
        push_message(lane, frame, &header, &view);
    }
}

uint32_t lane_open_poll(struct lane *lane)
{
    uint32_t opened = 0, bytes;
    const struct frame *frame;
    /* The most messages that one frame can hold: headers alone. */
    uint32_t messages_max = port_payload_max(lane->config.queue) / WIRE_MESSAGE_BYTES + 1;
    while (opened < LANE_BURST) {
        if (!doorway_fits(lane->opened, messages_max, sizeof(struct arrival)))
            break;
        if ((frame = doorway_next(lane->arrived, &bytes)) == NULL)
            break;
        open_frame(lane, frame);
        struct arrival *done = doorway_reserve(lane->opened, sizeof *done);
        ENSURE(done != NULL);
        done->kind = ARRIVAL_FRAME_DONE;
        done->frame = *frame;
        opened++;
    }
    if (opened != 0) {
        doorway_done(lane->arrived);
        doorway_publish(lane->opened);
    }
    return opened;
}
