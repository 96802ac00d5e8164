/* forward.c: what is not for this lane's machines: requests of a local edge go to the leader, the
 * answers come home to the edge, hellos go to the control thread. */
#include "dataplane/pipeline/internal.h"

/* The message as it lay in its frame, header and padding included. */
static const uint8_t *encoded(const struct wire_view *view, uint32_t *bytes)
{
    *bytes = (uint32_t)round_up(WIRE_MESSAGE_BYTES + view->bytes, 8);
    return view->body - WIRE_MESSAGE_BYTES;
}

/* A node without a role is told by nobody who leads: it asks one member after the other, and the
 * answer to its clients' requests says it. So the clients of a node that was removed still hear
 * what became of their last commands. */
static uint16_t guide(struct group *group, uint16_t self)
{
    const struct wire_members *force = &group->members.force;
    if (++group->guide_unanswered > GUIDE_SILENT_MAX)
        group->guide = RAFT_NOBODY;
    for (uint32_t i = 0; group->guide == RAFT_NOBODY && i < force->count; i++) {
        const struct wire_member *member = &force->member[group->guides_tried++ % force->count];
        if (member->id != self && member->role == WIRE_ROLE_VOTER)
            return member->id;
    }
    return group->guide;
}

bool order_forward(struct lane *lane, const struct arrival *arrival)
{
    if (arrival->frame.peer.ip != 0 || !lane->started)
        return false; /* clients on the network are told who leads and go there themselves */
    struct group *group = &lane->group[arrival->slot];
    uint16_t leader = raft_leader(group->raft);
    if (leader == RAFT_NOBODY && group->out)
        leader = guide(group, lane->config.self);
    if (leader == RAFT_NOBODY || leader == lane->config.self)
        return false;
    uint32_t bytes;
    const uint8_t *message = encoded(&arrival->view, &bytes);
    struct parcel *parcel = doorway_reserve(lane->parcels, (uint32_t)sizeof *parcel + bytes);
    if (parcel == NULL)
        return false;
    parcel->kind = PARCEL_FORWARD;
    parcel->group = arrival->view.group;
    parcel->as.forward.member = leader;
    parcel->as.forward.bytes = bytes;
    memcpy(parcel + 1, message, bytes);
    count_event(lane, LANE_CLIENT_FORWARDED);
    return true;
}

static void send_home(struct lane *lane, const struct arrival *arrival, uint32_t route)
{
    uint32_t duct = route >> 16, bytes;
    if (!arrival->member || duct >= lane->config.duct_count) {
        lane->open.refused[WIRE_REFUSED_MESSAGE_KIND]++;
        return;
    }
    const uint8_t *message = encoded(&arrival->view, &bytes);
    struct parcel *parcel = doorway_reserve(lane->parcels, (uint32_t)sizeof *parcel + bytes);
    if (parcel == NULL)
        return; /* the client machine asks again */
    parcel->kind = PARCEL_ENCODED;
    parcel->group = arrival->view.group;
    parcel->as.encoded.peer = (struct endpoint){.port = (uint16_t)duct};
    parcel->as.encoded.member = WIRE_NODE_CLIENT;
    parcel->as.encoded.bytes = bytes;
    memcpy(parcel + 1, message, bytes);
}

static void be_guided(struct group *group, uint16_t self, uint16_t leader)
{
    group->guide = leader == self ? RAFT_NOBODY : leader;
    group->guide_unanswered = 0;
}

void order_reply_home(struct lane *lane, const struct arrival *arrival)
{
    struct wire_reply reply;
    enum wire_refusal refusal = WIRE_OK;
    if (arrival->view.kind == WIRE_FRAGMENT) {
        struct wire_fragment fragment;
        refusal = wire_get_fragment(&arrival->view, &fragment);
        reply.route = (uint32_t)(fragment.id >> 32); /* apply numbers pieces so */
    } else {
        refusal = wire_get_reply(&arrival->view, &reply);
        if (refusal == WIRE_OK && arrival->member && lane->started)
            be_guided(&lane->group[arrival->slot], lane->config.self, reply.leader);
    }
    if (refusal != WIRE_OK)
        lane->open.refused[refusal]++;
    else
        send_home(lane, arrival, reply.route);
}

void order_hello(struct lane *lane, const struct arrival *arrival)
{
    struct lane_hello record = {.from = arrival->from, .incarnation = arrival->incarnation};
    enum wire_refusal refusal = wire_get_hello(&arrival->view, &record.hello);
    if (refusal != WIRE_OK || !arrival->member) {
        lane->open.refused[refusal != WIRE_OK ? refusal : WIRE_REFUSED_MESSAGE_KIND]++;
        return;
    }
    struct lane_hello *space = doorway_reserve(lane->hellos, sizeof *space);
    if (space == NULL)
        return; /* it is said again within a second */
    *space = record;
    doorway_publish(lane->hellos);
}
