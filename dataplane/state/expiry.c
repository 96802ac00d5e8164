#include "dataplane/state/expiry.h"

void state_expiry_lay_out(struct state_expiry *expiry, uint8_t *base, struct layout *layout,
                          uint32_t keys_max)
{
    size_t timers = layout_add(layout, ((size_t)keys_max + 1) * sizeof(struct expiry_timer));
    size_t heap = layout_add(layout, (size_t)keys_max * sizeof(struct expiry_due));
    if (expiry != NULL)
        *expiry = (struct state_expiry){
            .timer = (struct expiry_timer *)(void *)(base + timers),
            .heap = (struct expiry_due *)(void *)(base + heap),
        };
}

static void put(struct state_expiry *expiry, uint32_t place, struct expiry_due due)
{
    expiry->heap[place] = due;
    expiry->timer[due.timer].place = place;
}

static void sift(struct state_expiry *expiry, uint32_t place, struct expiry_due due)
{
    while (place > 0 && expiry->heap[(place - 1) / 2].when_ms > due.when_ms) {
        put(expiry, place, expiry->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= expiry->count)
            break;
        if (child + 1 < expiry->count &&
            expiry->heap[child + 1].when_ms < expiry->heap[child].when_ms)
            child++;
        if (expiry->heap[child].when_ms >= due.when_ms)
            break;
        put(expiry, place, expiry->heap[child]);
        place = child;
    }
    put(expiry, place, due);
}

uint32_t state_expiry_set(struct state_expiry *expiry, item_ref ref, uint64_t when_ms)
{
    uint32_t timer = expiry->free;
    if (timer != 0)
        expiry->free = expiry->timer[timer].place;
    else
        timer = ++expiry->used;
    expiry->timer[timer].ref = ref;
    expiry->count++;
    sift(expiry, expiry->count - 1, (struct expiry_due){.when_ms = when_ms, .timer = timer});
    return timer;
}

void state_expiry_move(struct state_expiry *expiry, uint32_t timer, uint64_t when_ms)
{
    sift(expiry, expiry->timer[timer].place,
         (struct expiry_due){.when_ms = when_ms, .timer = timer});
}

void state_expiry_follow(struct state_expiry *expiry, uint32_t timer, item_ref ref)
{
    expiry->timer[timer].ref = ref;
}

void state_expiry_clear(struct state_expiry *expiry, uint32_t timer)
{
    uint32_t place = expiry->timer[timer].place;
    struct expiry_due last = expiry->heap[--expiry->count];
    if (place != expiry->count)
        sift(expiry, place, last);
    expiry->timer[timer].place = expiry->free;
    expiry->free = timer;
}
