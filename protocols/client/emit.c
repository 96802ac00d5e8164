#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "protocols/client/machine.h"

#define PIECES_PER_BURST 32u /* fits the receive buffers of ports and kernels */
#define PIECES_PAUSE_NS                                                                            \
    500000u /* between bursts: 32 pieces of 1,400 bytes each 0.5 ms are 90 MB/s */

static uint64_t fresh_nonce(client *c, uint16_t id)
{
    return NONCE_BIT | random_next(&c->random) << NONCE_SLOT_BITS | id;
}

static struct wire_request request_of(const client *c, uint64_t session)
{
    return (struct wire_request){
        .group = c->config.group,
        .client = c->config.client,
        .session = session,
        .route = c->config.route,
    };
}

static void begin_frame(client *c, struct wire_writer *writer, void *payload, uint32_t capacity)
{
    struct wire_frame frame = {
        .from = WIRE_NODE_CLIENT,
        .cluster = c->config.cluster,
        .sequence = c->frame_sequence + 1,
    };
    wire_frame_begin(writer, payload, capacity, &frame);
}

static bool frame_empty(const struct wire_writer *writer)
{
    return writer->bytes == WIRE_FRAME_BYTES;
}

/* Starts to send a command in pieces. Its id names its bytes: the sequence in its session, or the
 * nonce. */
static void start_cut(client *c, uint16_t id, uint32_t capacity, uint64_t now_ns)
{
    struct slot *slot = &c->slot[id];
    struct wire_request request = request_of(c, slot->kind == SLOT_WRITE ? c->session : 0);
    uint64_t name = slot->sequence;
    if (slot->kind == SLOT_WRITE)
        name += c->session * UINT64_C(0x9e3779b97f4a7c15);
    wire_request_head(c->cut_head, &request, slot->sequence, slot->body_bytes);
    wire_cut_begin(&c->cut, name, c->cut_head, sizeof c->cut_head, slot_body(c, id),
                   slot->body_bytes, capacity);
    c->cut_slot = id;
    c->cut_piece = 0;
    c->cut_resume_ns = now_ns;
}

static void put_piece(client *c, struct wire_writer *writer, uint64_t now_ns)
{
    bool put = wire_put_fragment(writer, &c->cut, c->cut_piece);
    ENSURE(put); /* the piece was cut for this capacity */
    c->cut_piece++;
    if (c->cut_piece == c->cut.count) {
        client_slot_sent(c, c->cut_slot, now_ns);
        c->cut_slot = SLOT_NONE;
    } else if (c->cut_piece % PIECES_PER_BURST == 0) {
        c->cut_resume_ns = now_ns + PIECES_PAUSE_NS;
    }
}

static bool may_number(const client *c)
{
    return !list_empty(&c->unsent) && c->next_sequence - c->oldest < CLIENT_WINDOW_MAX;
}

/* The write that is next in order; SLOT_NONE: none may leave now. */
static uint16_t next_write(const client *c)
{
    if (!c->confirmed || !session_ready(c))
        return SLOT_NONE;
    uint16_t id = client_slot_lowest_resend(c);
    if (c->oldest <= c->barrier && (id == SLOT_NONE || c->slot[id].sequence > c->barrier))
        return SLOT_NONE;
    if (id != SLOT_NONE)
        return id;
    return may_number(c) ? c->unsent.head : SLOT_NONE;
}

/* Packs writes in order. What does not fit an empty frame is cut. */
static void put_writes(client *c, struct wire_writer *writer, uint64_t now_ns)
{
    struct wire_request request = request_of(c, c->session);
    struct wire_writer before = *writer;
    uint32_t count = 0;
    uint16_t id = next_write(c);
    if (id == SLOT_NONE || c->cut_slot != SLOT_NONE || !wire_put_request(writer, &request))
        return;
    for (; id != SLOT_NONE; id = next_write(c), count++) {
        struct slot *slot = &c->slot[id];
        uint64_t sequence = slot->state == SLOT_WAITING ? c->next_sequence : slot->sequence;
        if (!wire_put_body(writer, sequence, slot_body(c, id), slot->body_bytes))
            break;
        if (slot->state == SLOT_WAITING)
            client_slot_number(c, id);
        client_slot_sent(c, id, now_ns);
    }
    if (count != 0)
        return;
    *writer = before;
    if (!frame_empty(writer))
        return;
    if (c->slot[id].state == SLOT_WAITING)
        client_slot_number(c, id);
    start_cut(c, id, writer->capacity, now_ns);
}

/* Registration or probe, in a message of its own: a follower answers reads, and passes this on. */
static void put_control(client *c, struct wire_writer *writer, uint64_t now_ns)
{
    struct wire_request request = request_of(c, 0);
    uint16_t control = control_slot(c);
    const struct slot *slot = &c->slot[control];
    if (slot->state != SLOT_RESEND)
        return;
    bool put = wire_put_request(writer, &request) &&
               wire_put_body(writer, slot->sequence, slot_body(c, control), slot->body_bytes);
    ENSURE(put); /* it is first in its frame, and small */
    client_slot_sent(c, control, now_ns);
}

static void put_reads(client *c, struct wire_writer *writer, uint64_t now_ns)
{
    struct wire_request request = request_of(c, 0);
    struct wire_writer before = *writer;
    bool any = false;
    if (list_empty(&c->reads) || !wire_put_request(writer, &request))
        return;
    while (!list_empty(&c->reads)) {
        uint16_t id = c->reads.head;
        struct slot *slot = &c->slot[id];
        uint64_t nonce = fresh_nonce(c, id);
        if (id == c->cut_slot || !wire_put_body(writer, nonce, slot_body(c, id), slot->body_bytes))
            break;
        slot->sequence = nonce;
        client_slot_sent(c, id, now_ns);
        any = true;
    }
    if (any)
        return;
    *writer = before;
    if (c->cut_slot != SLOT_NONE || !frame_empty(writer))
        return;
    c->slot[c->reads.head].sequence = fresh_nonce(c, c->reads.head);
    start_cut(c, c->reads.head, writer->capacity, now_ns);
}

bool client_emit(client *c, void *payload, uint32_t capacity, uint64_t now_ns, uint32_t *bytes,
                 uint16_t *target)
{
    ENSURE(capacity >= WIRE_FRAGMENT_FRAME_BYTES_MIN);
    client_pace_collect_due(c, now_ns);
    if (now_ns < c->pause_until_ns)
        return false;
    client_session_settle_control(c);
    struct wire_writer writer;
    begin_frame(c, &writer, payload, capacity);
    if (c->cut_slot == SLOT_NONE || now_ns < c->cut_resume_ns) {
        put_control(c, &writer, now_ns);
        if (!c->config.one_message || frame_empty(&writer))
            put_reads(c, &writer, now_ns);
        if (!c->config.one_message || frame_empty(&writer))
            put_writes(c, &writer, now_ns);
    }
    if (frame_empty(&writer) && c->cut_slot != SLOT_NONE && now_ns >= c->cut_resume_ns)
        put_piece(c, &writer, now_ns);
    if (frame_empty(&writer))
        return false;
    c->frame_sequence++;
    *bytes = writer.bytes;
    *target = current_target(c);
    return true;
}

uint64_t client_wake_ns(const client *c)
{
    uint64_t wake_ns = UINT64_MAX;
    if (!list_empty(&c->age))
        wake_ns = c->slot[c->age.head].submitted_ns + c->config.deadline_ns;
    if (!list_empty(&c->flight))
        wake_ns = min_u64(wake_ns, c->slot[c->flight.head].sent_ns + c->retry_ns);
    bool control = client_session_wants_control(c) && c->slot[control_slot(c)].state != SLOT_FLIGHT;
    bool reads = !list_empty(&c->reads) && c->reads.head != c->cut_slot;
    bool writes = c->cut_slot == SLOT_NONE && next_write(c) != SLOT_NONE;
    if (control || reads || writes)
        wake_ns = min_u64(wake_ns, c->pause_until_ns);
    else if (c->cut_slot != SLOT_NONE)
        wake_ns = min_u64(wake_ns, max_u64(c->cut_resume_ns, c->pause_until_ns));
    return wake_ns;
}
