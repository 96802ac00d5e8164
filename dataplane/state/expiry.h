/* expiry.h: which key is due next: a binary heap by log time, with a timer per key that has a time
 * to live.
 *
 * Shape: an item knows its timer, a timer knows its place in the heap and its item's newest
 *   version, so a new version takes the timer along and a deadline moves in place. Of two equal
 *   deadlines the lesser hash comes first, then the lesser key: the order follows from what is in
 *   the heap alone, so that a state that was loaded deletes the same keys next.
 * Memory: a part of the state's region: keys_max timers. Threads: the owner. Time: log time.
 * Limits: keys_max. Refusals: none. Cost: O(log timers) to set, move or clear; O(1) to ask for the
 * next.
 */
#ifndef DATAPLANE_STATE_EXPIRY_H
#define DATAPLANE_STATE_EXPIRY_H

#include "dataplane/state/memory.h"

struct expiry_timer {
    item_ref ref;
    uint32_t place; /* in the heap; of a free timer: the next free one */
    uint32_t spare;
};

struct expiry_due {
    uint64_t when_ms;
    uint32_t timer;
    uint32_t tie; /* half of the key's hash */
};

struct state_expiry {
    uint8_t *base;              /* items' */
    struct expiry_timer *timer; /* number 0 stays unused */
    struct expiry_due *heap;
    uint32_t count;
    uint32_t used; /* timers handed out so far */
    uint32_t free; /* 0: none */
    uint32_t spare;
};

void state_expiry_lay_out(struct state_expiry *expiry, uint8_t *base, struct layout *layout,
                          uint32_t keys_max);

/* Returns its number; `hash` is the key's. */
uint32_t state_expiry_set(struct state_expiry *expiry, item_ref ref, uint64_t hash,
                          uint64_t when_ms);
void state_expiry_move(struct state_expiry *expiry, uint32_t timer, uint64_t when_ms);
void state_expiry_follow(struct state_expiry *expiry, uint32_t timer,
                         item_ref ref); /* a new version */
void state_expiry_clear(struct state_expiry *expiry, uint32_t timer);

static inline uint64_t state_expiry_next_ms(const struct state_expiry *expiry)
{
    return expiry->count == 0 ? UINT64_MAX : expiry->heap[0].when_ms;
}

/* Item of the earliest timer; there must be one. */
static inline item_ref state_expiry_next_ref(const struct state_expiry *expiry)
{
    return expiry->timer[expiry->heap[0].timer].ref;
}

#endif
