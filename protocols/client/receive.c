#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "protocols/client/machine.h"

/* The slot that this result answers; SLOT_NONE: none, or an attempt that is over. */
static uint16_t find_slot(const client *c, uint64_t sequence, uint64_t session)
{
    if (sequence & NONCE_BIT) {
        uint64_t id = sequence & ((1u << NONCE_SLOT_BITS) - 1);
        if (id > c->config.window)
            return SLOT_NONE;
        const struct slot *slot = &c->slot[id];
        bool awaited = slot->kind != SLOT_WRITE && slot->attempts != 0 &&
                       slot->sequence == sequence && slot->state != SLOT_FREE;
        return awaited ? (uint16_t)id : SLOT_NONE;
    }
    if (session != c->session || sequence < c->oldest || sequence >= c->next_sequence)
        return SLOT_NONE;
    return c->slot_of[sequence & SEQUENCE_MASK];
}

static void refuse(client *c, uint16_t id, const struct wire_result *result, uint64_t now_ns,
                   struct outcome_list *out)
{
    struct slot *slot = &c->slot[id];
    if (slot->kind != SLOT_WRITE) {
        client_slot_complete(c, id, CLIENT_REFUSED, result, out);
        return;
    }
    if (slot->silent) {
        c->counter
            [CLIENT_REPLY_STALE]++; /* the refused command once more, not what stands in for it */
        return;
    }
    /* The servers wait for this number: something must use it up. */
    out->completions[out->count++] = (struct client_completion){
        .cookie = slot->cookie,
        .submitted_ns = slot->submitted_ns,
        .attempts = slot->attempts,
        .outcome = CLIENT_REFUSED,
        .result = *result,
    };
    client_slot_stand_in(c, id, now_ns);
}

static void control_answered(client *c, uint16_t id, const struct wire_result *result,
                             uint64_t now_ns)
{
    const struct slot *slot = &c->slot[id];
    bool opened = slot->kind == SLOT_REGISTER && result->status == WIRE_DONE;
    if (slot->kind == SLOT_REGISTER && (result->status != WIRE_DONE || result->integer == 0)) {
        client_pace_busy(c, now_ns); /* the answer makes no sense: ask again, but not at once */
        if (slot->state == SLOT_FLIGHT)
            client_slot_resend(c, id);
        return;
    }
    client_pace_answered(c, slot, now_ns);
    if (opened)
        client_session_adopt(c, (uint64_t)result->integer, now_ns);
    client_slot_release(c, id);
}

/* An answer that no other attempt can change. */
static void final_result(client *c, uint16_t id, const struct wire_result *result, uint64_t now_ns,
                         struct outcome_list *out)
{
    const struct slot *slot = &c->slot[id];
    if (id == control_slot(c)) {
        control_answered(c, id, result, now_ns);
        return;
    }
    client_pace_answered(c, slot, now_ns);
    if (slot->kind == SLOT_WRITE)
        c->session_heard_ns = now_ns;
    if (result->status == WIRE_TOO_BIG || result->status == WIRE_BAD_COMMAND)
        refuse(c, id, result, now_ns, out);
    else
        client_slot_complete(c, id, result->status == WIRE_REPLY_GONE ? CLIENT_GONE : CLIENT_DONE,
                             result, out);
}

/* What the results of one reply have in common is acted on once. */
struct reply_mood {
    bool busy;
    bool not_leader;
};

/* The attempt came to nothing: again, later or elsewhere. */
static void failed_attempt(client *c, uint16_t id, const struct wire_result *result,
                           struct reply_mood *mood, struct outcome_list *out)
{
    bool write = c->slot[id].kind == SLOT_WRITE;
    switch (result->status) {
    case WIRE_SESSION_EXPIRED:
        if (write) {
            c->counter[CLIENT_SESSION_LOST]++;
            client_session_lose(c, out);
        }
        return;
    case WIRE_OUT_OF_ORDER:
        if (write)
            client_session_rewind(c, id, (uint64_t)result->integer);
        return;
    case WIRE_NOT_LEADER:
        mood->not_leader = true;
        break;
    case WIRE_UNAUTHORIZED:
        /* Not the end: another member may know the key, or this one the next time, when the
         * signature is for the cluster that its answer named. */
        c->counter[CLIENT_UNAUTHORIZED]++;
        c->unauthorized = true;
        mood->busy = true;
        break;
    default:
        mood->busy = true;
        break;
    }
    if (c->slot[id].state == SLOT_FLIGHT)
        client_slot_resend(c, id);
}

static bool is_final(uint8_t status)
{
    return status != WIRE_NOT_LEADER && status != WIRE_BUSY && status != WIRE_OUT_OF_ORDER &&
           status != WIRE_SESSION_EXPIRED && status != WIRE_UNAUTHORIZED;
}

static void handle_reply(client *c, const struct wire_view *view, uint64_t now_ns,
                         struct outcome_list *out)
{
    struct wire_reply reply;
    if (wire_get_reply(view, &reply) != WIRE_OK) {
        c->counter[CLIENT_REPLY_MALFORMED]++;
        return;
    }
    if (reply.client != c->config.client || reply.group != c->config.group) {
        c->counter[CLIENT_REPLY_FOREIGN]++;
        return;
    }
    struct reply_mood mood = {false, false};
    const uint8_t *at = reply.results;
    for (uint32_t i = 0; i < reply.count; i++) {
        uint64_t sequence;
        struct wire_result result;
        wire_next_result(&at, &sequence, &result);
        uint16_t id = find_slot(c, sequence, reply.session);
        if (id == SLOT_NONE)
            c->counter[CLIENT_REPLY_STALE]++;
        else if (LIKELY(is_final(result.status)))
            final_result(c, id, &result, now_ns, out);
        else
            failed_attempt(c, id, &result, &mood, out);
    }
    if (mood.busy)
        client_pace_busy(c, now_ns);
    if (mood.not_leader)
        client_pace_redirect(c, reply.leader, now_ns);
}

static void handle_fragment(client *c, const struct wire_view *view, uint64_t now_ns,
                            struct outcome_list *out)
{
    struct wire_fragment fragment;
    if (wire_get_fragment(view, &fragment) != WIRE_OK || fragment.kind != WIRE_REPLY ||
        fragment.group != c->config.group) {
        c->counter[CLIENT_REPLY_MALFORMED]++;
        return;
    }
    if (fragment.total > c->config.reply_bytes_max) {
        c->counter[CLIENT_REPLY_TOO_BIG]++;
        return;
    }
    struct wire_assembly *assembly = &c->assembly;
    if (assembly->missing_bytes == 0 || assembly->id != fragment.id) {
        /* One at a time: a second one must wait until the first is whole or silent; its read is
         * retried. */
        if (assembly->missing_bytes != 0 && now_ns - c->assembly_touched_ns < c->config.retry_ns) {
            c->counter[CLIENT_REPLY_STALE]++;
            return;
        }
        wire_assembly_begin(assembly, &fragment, c->reply_buffer);
    }
    struct wire_view whole;
    c->assembly_touched_ns = now_ns;
    if (wire_assembly_add(assembly, &fragment) != WIRE_OK) {
        c->counter[CLIENT_REPLY_MALFORMED]++;
        return;
    }
    if (assembly->missing_bytes != 0)
        return;
    if (wire_assembly_view(assembly, &whole) == WIRE_OK)
        handle_reply(c, &whole, now_ns, out);
    else
        c->counter[CLIENT_REPLY_MALFORMED]++;
}

uint32_t client_receive(client *c, const struct wire_view *message, uint64_t now_ns,
                        struct client_completion *completions, uint32_t capacity)
{
    ENSURE(capacity >= CLIENT_WINDOW_MAX);
    struct outcome_list out = {completions, 0};
    if (LIKELY(message->kind == WIRE_REPLY))
        handle_reply(c, message, now_ns, &out);
    else
        handle_fragment(c, message, now_ns, &out);
    client_session_settle_control(c);
    return out.count;
}
