#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "protocols/client/machine.h"

uint16_t client_slot_take(client *c)
{
    uint16_t id = c->free.head;
    ENSURE(id != SLOT_NONE);
    list_remove(c->slot, &c->free, BY_STATE, id);
    c->free_count--;
    return id;
}

void client_slot_wait(client *c, uint16_t id)
{
    struct slot *slot = &c->slot[id];
    slot->state = SLOT_WAITING;
    list_append(c->slot, slot->kind == SLOT_WRITE ? &c->unsent : &c->reads, BY_STATE, id);
    list_append(c->slot, &c->age, BY_AGE, id);
}

static uint64_t *resend_word(client *c, uint64_t sequence)
{
    return &c->resend[(sequence & SEQUENCE_MASK) / 64];
}

static uint64_t resend_bit(uint64_t sequence)
{
    return UINT64_C(1) << (sequence % 64);
}

static void resend_set(client *c, uint64_t sequence)
{
    *resend_word(c, sequence) |= resend_bit(sequence);
    c->resend_count++;
}

/* Takes the slot out of whatever its state keeps it in. */
static void leave_state(client *c, uint16_t id)
{
    struct slot *slot = &c->slot[id];
    if (slot->state == SLOT_FLIGHT) {
        list_remove(c->slot, &c->flight, BY_STATE, id);
    } else if (slot->kind == SLOT_READ) {
        list_remove(c->slot, &c->reads, BY_STATE, id);
    } else if (slot->kind == SLOT_WRITE && slot->state == SLOT_WAITING) {
        list_remove(c->slot, &c->unsent, BY_STATE, id);
    } else if (slot->kind == SLOT_WRITE) {
        *resend_word(c, slot->sequence) &= ~resend_bit(slot->sequence);
        c->resend_count--;
    }
}

void client_slot_sent(client *c, uint16_t id, uint64_t now_ns)
{
    struct slot *slot = &c->slot[id];
    leave_state(c, id);
    slot->state = SLOT_FLIGHT;
    slot->sent_ns = now_ns;
    slot->frame = c->frame_sequence;
    slot->attempts++;
    c->counter[CLIENT_RETRIED] += slot->attempts > 1;
    list_append(c->slot, &c->flight, BY_STATE, id);
}

void client_slot_resend(client *c, uint16_t id)
{
    struct slot *slot = &c->slot[id];
    ENSURE(slot->state == SLOT_FLIGHT);
    leave_state(c, id);
    slot->state = SLOT_RESEND;
    if (slot->kind == SLOT_WRITE)
        resend_set(c, slot->sequence);
    else if (slot->kind == SLOT_READ)
        list_append(c->slot, &c->reads, BY_STATE, id);
}

void client_slot_number(client *c, uint16_t id)
{
    struct slot *slot = &c->slot[id];
    leave_state(c, id);
    slot->sequence = c->next_sequence++;
    slot->state = SLOT_RESEND;
    c->slot_of[slot->sequence & SEQUENCE_MASK] = id;
    resend_set(c, slot->sequence);
}

static bool numbered(const struct slot *slot)
{
    return slot->kind == SLOT_WRITE && slot->state >= SLOT_FLIGHT;
}

void client_slot_release(client *c, uint16_t id)
{
    struct slot *slot = &c->slot[id];
    leave_state(c, id);
    if (id == c->cut_slot)
        c->cut_slot = SLOT_NONE;
    if (numbered(slot)) {
        c->slot_of[slot->sequence & SEQUENCE_MASK] = SLOT_NONE;
        while (c->oldest != c->next_sequence && c->slot_of[c->oldest & SEQUENCE_MASK] == SLOT_NONE)
            c->oldest++;
    }
    slot->state = SLOT_FREE;
    if (id == control_slot(c))
        return;
    c->silent_count -= slot->silent;
    list_remove(c->slot, &c->age, BY_AGE, id);
    list_append(c->slot, &c->free, BY_STATE, id);
    c->free_count++;
}

uint16_t client_slot_lowest_resend(const client *c)
{
    if (c->resend_count == 0)
        return SLOT_NONE;
    uint32_t start = (uint32_t)(c->oldest & SEQUENCE_MASK);
    uint64_t mask = UINT64_MAX << (start % 64);
    for (uint32_t i = 0; i < RESEND_WORDS; i++) {
        uint32_t word = (start / 64 + i) % RESEND_WORDS;
        uint64_t bits = c->resend[word] & mask;
        if (bits != 0)
            return c->slot_of[word * 64 + (uint32_t)__builtin_ctzll(bits)];
        mask = UINT64_MAX;
    }
    /* Around the ring: what lies below the start in its own word is the highest. */
    uint64_t bits = c->resend[start / 64];
    ENSURE(bits != 0);
    return c->slot_of[start / 64 * 64 + (uint32_t)__builtin_ctzll(bits)];
}

void client_slot_stand_in(client *c, uint16_t id, uint64_t now_ns)
{
    static const struct wire_command harmless = {.op = WIRE_OP_SIZE};
    struct slot *slot = &c->slot[id];
    if (id == c->cut_slot)
        c->cut_slot = SLOT_NONE;
    wire_command_encode(&harmless, slot_body(c, id));
    slot->body_bytes = wire_command_size(&harmless);
    slot->silent = true;
    slot->submitted_ns = now_ns;
    c->silent_count++;
    list_remove(c->slot, &c->age, BY_AGE, id);
    list_append(c->slot, &c->age, BY_AGE, id);
    if (slot->state == SLOT_FLIGHT)
        client_slot_resend(c, id);
}

void client_slot_complete(client *c, uint16_t id, enum client_outcome outcome,
                          const struct wire_result *result, struct outcome_list *out)
{
    const struct slot *slot = &c->slot[id];
    if (!slot->silent)
        out->completions[out->count++] = (struct client_completion){
            .cookie = slot->cookie,
            .submitted_ns = slot->submitted_ns,
            .attempts = slot->attempts,
            .outcome = outcome,
            .result = result != NULL ? *result : (struct wire_result){0},
        };
    client_slot_release(c, id);
}
