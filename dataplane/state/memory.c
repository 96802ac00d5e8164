#include "dataplane/state/memory.h"

#include "numa/base/assert.h"

_Static_assert(WIRE_BODY_BYTES_MAX / STATE_PAIR_BYTES_MIN * STATE_UNIT_BYTES <
                   STATE_ENTRY_BYTES_MAX,
               "one entry never takes more");
_Static_assert(STATE_ENTRY_DEFERRED_MAX > WIRE_BODY_BYTES_MAX / STATE_PAIR_BYTES_MIN + 1024,
               "one entry never replaces more: the pairs of an MSET, and the keys that are due");

/* Up to here classes are one unit apart, from here on four to a doubling. */
#define FINE_UNITS      8u
#define RECLAIM_AT_MOST 4096u
#define TAKEN_AHEAD     4u
#define HELD_BYTES_MIN  (UINT64_C(8) << 20)

uint32_t state_class_bytes(uint32_t size_class)
{
    if (size_class < FINE_UNITS)
        return (size_class + 1) * STATE_UNIT_BYTES;
    uint32_t doubling = (size_class - FINE_UNITS) / 4;
    uint32_t quarter = (size_class - FINE_UNITS) % 4;
    return (STATE_UNIT_BYTES * FINE_UNITS / 4 * (5 + quarter)) << doubling;
}

uint32_t state_class_of(uint64_t bytes)
{
    uint32_t units = (uint32_t)((bytes + STATE_UNIT_BYTES - 1) / STATE_UNIT_BYTES);
    if (units <= FINE_UNITS)
        return units == 0 ? 0 : units - 1;
    /* units - 1 in [2^n, 2^(n+1)): its two bits below the highest name the quarter. */
    uint32_t highest = 31u - (uint32_t)__builtin_clz(units - 1);
    return FINE_UNITS + (highest - 3) * 4 + (((units - 1) >> (highest - 2)) & 3u);
}

void state_memory_lay_out(struct state_memory *memory, uint8_t *base, struct layout *layout,
                          uint64_t bytes_max)
{
    uint64_t capacity = bytes_max + bytes_max / 2 + 2 * STATE_ENTRY_BYTES_MAX;
    uint64_t held_max = bytes_max / 4 + HELD_BYTES_MIN;
    size_t queue = layout_add(layout, STATE_DEFERRED_MAX * sizeof(uint64_t));
    if (memory != NULL)
        *memory = (struct state_memory){
            .base = base,
            .capacity = capacity,
            .held_max = held_max,
            .queue = (uint64_t *)(void *)(base + queue),
        };
    for (uint32_t i = 0; i < STATE_CLASS_COUNT; i++) {
        uint32_t bytes = state_class_bytes(i);
        uint64_t count = (capacity + held_max) / bytes;
        size_t free = layout_add(layout, count * sizeof(item_ref));
        size_t items = layout_add(layout, count * bytes);
        if (memory != NULL)
            memory->classes[i] = (struct state_class){
                .next = items,
                .free = (item_ref *)(void *)(base + free),
                .bytes = bytes,
            };
    }
}

bool state_memory_has_room(const struct state_memory *memory)
{
    return memory->live_bytes + memory->deferred_bytes + STATE_ENTRY_BYTES_MAX <=
               memory->capacity &&
           memory->queue_head - memory->queue_tail + STATE_ENTRY_DEFERRED_MAX <= STATE_DEFERRED_MAX;
}

/* The first two lines of a place that the class hands out soon: by then they have come. */
static void prefetch_soon(const struct state_memory *memory, const struct state_class *class)
{
    if (class->free_count < TAKEN_AHEAD)
        return;
    const uint8_t *next = memory->base + class->free[class->free_count - TAKEN_AHEAD];
    __builtin_prefetch(next, 1);
    __builtin_prefetch(next + CACHE_LINE_BYTES, 1);
}

struct item *state_memory_take(struct state_memory *memory, uint32_t size_class)
{
    struct state_class *class = &memory->classes[size_class];
    item_ref ref;
    memory->live_bytes += class->bytes;
    ENSURE(memory->live_bytes + memory->deferred_bytes <= memory->capacity);
    if (class->free_count > 0) {
        ref = class->free[--class->free_count];
        prefetch_soon(memory, class);
    } else {
        ref = class->next;
        class->next += class->bytes;
    }
    struct item *item = item_at(memory->base, ref);
    item->size_class = (uint8_t)size_class;
    return item;
}

static void enqueue(struct state_memory *memory, const struct item *item)
{
    memory->deferred_bytes += memory->classes[item->size_class].bytes;
    memory->queue[memory->queue_head++ % STATE_DEFERRED_MAX] =
        item_to_ref(memory->base, item) | (uint64_t)item->size_class << ITEM_REF_BITS;
}

void state_memory_defer(struct state_memory *memory, struct item *item)
{
    memory->live_bytes -= memory->classes[item->size_class].bytes;
    enqueue(memory, item);
}

bool state_memory_hold(struct state_memory *memory, const struct item *item)
{
    uint32_t bytes = memory->classes[item->size_class].bytes;
    if (memory->held_bytes + bytes > memory->held_max)
        return false;
    memory->live_bytes -= bytes;
    memory->held_bytes += bytes;
    return true;
}

bool state_memory_back(struct state_memory *memory, struct item *item)
{
    uint32_t bytes = memory->classes[item->size_class].bytes;
    if (memory->live_bytes + memory->deferred_bytes + bytes + STATE_ENTRY_BYTES_MAX >
            memory->capacity ||
        memory->queue_head - memory->queue_tail >= STATE_ENTRY_DEFERRED_MAX)
        return false;
    memory->held_bytes -= bytes;
    enqueue(memory, item);
    return true;
}

void state_memory_reclaim(struct state_memory *memory, uint64_t started_epoch,
                          uint64_t completed_epoch)
{
    if (memory->queue_tail != memory->queue_tagged && completed_epoch > memory->tag) {
        uint64_t end = min_u64(memory->queue_tagged, memory->queue_tail + RECLAIM_AT_MOST);
        for (; memory->queue_tail < end; memory->queue_tail++) {
            uint64_t word = memory->queue[memory->queue_tail % STATE_DEFERRED_MAX];
            struct state_class *class = &memory->classes[word >> ITEM_REF_BITS];
            class->free[class->free_count++] = word & ((UINT64_C(1) << ITEM_REF_BITS) - 1);
            memory->deferred_bytes -= class->bytes;
        }
    }
    /* One tag for all that was replaced since the last stretch: it was read after they were
     * unlinked. */
    if (memory->queue_tail == memory->queue_tagged) {
        memory->queue_tagged = memory->queue_head;
        memory->tag = started_epoch;
    }
}
