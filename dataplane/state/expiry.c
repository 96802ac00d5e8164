#include "dataplane/state/expiry.h"

void state_expiry_lay_out(struct state_expiry *expiry, uint8_t *base, struct layout *layout,
                          uint32_t keys_max)
{
    size_t timers = layout_add(layout, ((size_t)keys_max + 1) * sizeof(struct expiry_timer));
    size_t heap = layout_add(layout, (size_t)keys_max * sizeof(struct expiry_due));
    if (expiry != NULL)
        *expiry = (struct state_expiry){
            .base = base,
            .timer = (struct expiry_timer *)(void *)(base + timers),
            .heap = (struct expiry_due *)(void *)(base + heap),
        };
}

static bool key_less(const struct state_expiry *expiry, uint32_t a, uint32_t b)
{
    const struct item *left = item_at(expiry->base, expiry->timer[a].ref);
    const struct item *right = item_at(expiry->base, expiry->timer[b].ref);
    size_t common = left->key_bytes < right->key_bytes ? left->key_bytes : right->key_bytes;
    int order = memcmp(left->bytes, right->bytes, common);
    return order != 0 ? order < 0 : left->key_bytes < right->key_bytes;
}

static bool sooner(const struct state_expiry *expiry, const struct expiry_due *a,
                   const struct expiry_due *b)
{
    if (LIKELY(a->when_ms != b->when_ms))
        return a->when_ms < b->when_ms;
    return a->tie != b->tie ? a->tie < b->tie : key_less(expiry, a->timer, b->timer);
}

static void put(struct state_expiry *expiry, uint32_t place, struct expiry_due due)
{
    expiry->heap[place] = due;
    expiry->timer[due.timer].place = place;
}

static void sift(struct state_expiry *expiry, uint32_t place, struct expiry_due due)
{
    while (place > 0 && sooner(expiry, &due, &expiry->heap[(place - 1) / 2])) {
        put(expiry, place, expiry->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= expiry->count)
            break;
        if (child + 1 < expiry->count &&
            sooner(expiry, &expiry->heap[child + 1], &expiry->heap[child]))
            child++;
        if (!sooner(expiry, &expiry->heap[child], &due))
            break;
        put(expiry, place, expiry->heap[child]);
        place = child;
    }
    put(expiry, place, due);
}

uint32_t state_expiry_set(struct state_expiry *expiry, item_ref ref, uint64_t hash,
                          uint64_t when_ms)
{
    uint32_t timer = expiry->free;
    if (timer != 0)
        expiry->free = expiry->timer[timer].place;
    else
        timer = ++expiry->used;
    expiry->timer[timer].ref = ref;
    expiry->count++;
    sift(expiry, expiry->count - 1,
         (struct expiry_due){.when_ms = when_ms, .timer = timer, .tie = (uint32_t)(hash >> 32)});
    return timer;
}

void state_expiry_move(struct state_expiry *expiry, uint32_t timer, uint64_t when_ms)
{
    uint32_t place = expiry->timer[timer].place;
    struct expiry_due due = {.when_ms = when_ms, .timer = timer, .tie = expiry->heap[place].tie};
    sift(expiry, place, due);
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
