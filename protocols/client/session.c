#include "numa/base/bits.h"
#include "protocols/client/machine.h"

#define HASTY_ATTEMPTS 8u

/* Registration and probe are reads to the servers' sessions: they do no harm, so they may go to
 * anybody. */
static enum slot_kind control_kind(const client *c)
{
    return session_ready(c) ? SLOT_PROBE : SLOT_REGISTER;
}

bool client_session_wants_control(const client *c)
{
    if (list_empty(&c->unsent) && c->resend_count == 0)
        return false;
    return !c->confirmed || !session_ready(c);
}

static uint64_t fresh_nonce(client *c)
{
    return NONCE_BIT | random_next(&c->random) << NONCE_SLOT_BITS | control_slot(c);
}

static void start_control(client *c)
{
    struct slot *slot = &c->slot[control_slot(c)];
    struct wire_command command = {.op = WIRE_OP_SIZE};
    slot->kind = (uint8_t)control_kind(c);
    if (slot->kind == SLOT_REGISTER) {
        if (c->session_nonce == 0)
            c->session_nonce = fresh_nonce(c);
        command =
            (struct wire_command){.op = WIRE_OP_REGISTER, .argument = (int64_t)c->session_nonce};
        slot->sequence = c->session_nonce;
    } else {
        slot->sequence = fresh_nonce(c);
    }
    wire_command_encode(&command, slot_body(c, control_slot(c)));
    slot->body_bytes = wire_command_size(&command);
    slot->attempts = 0;
    slot->state = SLOT_RESEND;
}

void client_session_settle_control(client *c)
{
    const struct slot *slot = &c->slot[control_slot(c)];
    bool wanted = client_session_wants_control(c);
    if (slot->state != SLOT_FREE && (!wanted || slot->kind != control_kind(c)))
        client_slot_release(c, control_slot(c));
    if (wanted && slot->state == SLOT_FREE)
        start_control(c);
}

void client_session_adopt(client *c, uint64_t session, uint64_t now_ns)
{
    if (c->session != session) {
        c->session = session;
        c->oldest = 1;
        c->next_sequence = 1;
        c->barrier = 0;
        c->counter[CLIENT_SESSION_OPENED]++;
    }
    c->session_checked = true;
    c->session_heard_ns = now_ns;
}

void client_session_lose(client *c, struct outcome_list *out)
{
    for (uint64_t sequence = c->oldest; sequence != c->next_sequence; sequence++) {
        uint16_t id = c->slot_of[sequence & SEQUENCE_MASK];
        if (id != SLOT_NONE)
            client_slot_complete(c, id, CLIENT_UNCERTAIN, NULL, out);
    }
    c->session = 0;
    c->session_nonce = 0;
    c->session_checked = false;
}

/* The attempt was refused; what the servers miss, and what left in an earlier frame than it, is
 * lost or late. Whatever comes behind that would be refused as well, so it waits: sent at once, it
 * would overtake once more. When nothing here can be what the servers miss, asking at once is soon
 * given up for asking in time: question and answer would keep each other going at the speed of the
 * wire. */
void client_session_rewind(client *c, uint16_t id, uint64_t expected)
{
    const struct slot *refused = &c->slot[id];
    bool found = false;
    c->counter[CLIENT_OUT_OF_ORDER]++;
    if (refused->state != SLOT_FLIGHT)
        return;
    for (uint64_t i = expected; i >= c->oldest && i < refused->sequence; i++) {
        uint16_t missing = c->slot_of[i & SEQUENCE_MASK];
        if (missing == SLOT_NONE || c->slot[missing].state != SLOT_FLIGHT)
            continue;
        bool earlier = c->slot[missing].frame < refused->frame;
        found |= i == expected || earlier;
        if (i == expected || earlier)
            c->barrier = max_u64(c->barrier, i);
        if (earlier)
            client_slot_resend(c, missing);
    }
    if (found || refused->attempts < HASTY_ATTEMPTS)
        client_slot_resend(c, id);
}
