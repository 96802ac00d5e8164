/* memory.h: where versions of items lie, and when their memory is used again.
 *
 * Shape: size classes, each with a range of addresses and a stack of free places. A version that is
 *   replaced goes on a queue; a stretch of the queue gets a tag once per reclaim, and its places go
 *   back on their stacks when a later
 *   grace period has completed.
 *
 *   take ─► live ── defer ─► [tagged stretch | not tagged yet] ── grace ─► free stack ─► take
 *
 *   A version that a walk (capture.h) has not seen yet is held for it first, and goes on the queue
 *   when the walk has given it back.
 *
 *   `live_bytes` is a function of the log and decides WIRE_NO_SPACE. `deferred_bytes` is not: it
 *   depends on readers; nor is `held_bytes`. Each class has room for all that may be live, held or
 *   deferred together, so taking never fails while state_memory_has_room, whichever class is asked
 *   for.
 *
 * Memory: a part of the state's region; address space of classes x capacity, pages come when first
 *   used and stay with their class. Threads: the owner; readers look at items only. Time: none.
 * Limits: capacity = bytes_max * 3/2 + 2 * STATE_ENTRY_BYTES_MAX: what is deferred may reach half
 *   of bytes_max and 16 MiB beside a full table; STATE_DEFERRED_MAX versions, in a queue whose
 *   pages are soon all in use. held_max = bytes_max / 4 + 8 MiB, beside the capacity.
 * Refusals: none here. Cost: O(1), free places are not touched.
 */
#ifndef DATAPLANE_STATE_MEMORY_H
#define DATAPLANE_STATE_MEMORY_H

#include "numa/base/layout.h"
#include "protocols/wire/wire.h"

#define STATE_UNIT_BYTES  64u
#define STATE_CLASS_COUNT 53u
/* The most that one entry can take: an MSET of the shortest pairs, each in a version of the
 * smallest class. */
#define STATE_ENTRY_BYTES_MAX (UINT64_C(16) << 20)
#define STATE_PAIR_BYTES_MIN  9u
/* Replaced versions that may wait for a grace period, and the most that one entry can add to
 * them. */
#define STATE_DEFERRED_MAX       (UINT64_C(1) << 19)
#define STATE_ENTRY_DEFERRED_MAX (STATE_DEFERRED_MAX / 2)

/* Offset of an item from the state's first byte; never 0. */
typedef uint64_t item_ref;
#define ITEM_REF_BITS 48u

/* One version of a key and its value. Readers hold it until they report; only expiry_ms ever
 * changes. */
struct item {
    uint64_t expiry_ms; /* log time; 0: none */
    uint64_t content;   /* hash of key and value */
    uint32_t value_bytes;
    uint32_t timer; /* 0: none */
    uint16_t key_bytes;
    uint8_t size_class;
    bool together;   /* written by an MSET: a struct item_before follows the value */
    uint8_t bytes[]; /* key, value */
};
#define ITEM_BYTES offsetof(struct item, bytes)

/* What a reader takes instead while the entry that wrote the version is not applied as a whole. */
struct item_before {
    uint64_t index;
    item_ref before; /* 0: the key was absent */
};

static inline const uint8_t *item_value(const struct item *item)
{
    return item->bytes + item->key_bytes;
}

static inline uint64_t item_expiry(const struct item *item)
{
    return __atomic_load_n(&item->expiry_ms, __ATOMIC_RELAXED);
}

struct state_class {
    item_ref next; /* first never used */
    item_ref *free;
    uint32_t bytes;
    uint32_t free_count;
};

struct state_memory {
    uint8_t *base;
    uint64_t live_bytes;
    uint64_t deferred_bytes;
    uint64_t capacity;
    uint64_t held_bytes;
    uint64_t held_max;
    uint64_t *queue; /* STATE_DEFERRED_MAX of: item_ref, class above it */
    uint64_t queue_head;
    uint64_t queue_tagged; /* up to here the stretch with the tag */
    uint64_t queue_tail;
    uint64_t tag;
    struct state_class classes[STATE_CLASS_COUNT];
};

/* Class of the smallest size that holds `bytes`; bytes <= largest key, value and header. */
uint32_t state_class_of(uint64_t bytes);
uint32_t state_class_bytes(uint32_t size_class);

/* Walks the layout; with `memory` NULL only for the size. `base` is the state. */
void state_memory_lay_out(struct state_memory *memory, uint8_t *base, struct layout *layout,
                          uint64_t bytes_max);

/* May an entry be applied: is there room for the most it can take? */
bool state_memory_has_room(const struct state_memory *memory);

struct item *state_memory_take(struct state_memory *memory, uint32_t size_class);
void state_memory_defer(struct state_memory *memory, struct item *item);
void state_memory_reclaim(struct state_memory *memory, uint64_t started_epoch,
                          uint64_t completed_epoch);

/* False: as much is held as may be, and this version is deferred like any other. */
bool state_memory_hold(struct state_memory *memory, const struct item *item);
/* False: not now, the queue is full enough. */
bool state_memory_back(struct state_memory *memory, struct item *item);

static inline item_ref item_to_ref(const uint8_t *base, const struct item *item)
{
    return (item_ref)((const uint8_t *)item - base);
}

static inline struct item *item_at(uint8_t *base, item_ref ref)
{
    return (struct item *)(void *)(base + ref);
}

#endif
