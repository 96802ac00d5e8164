#include "dataplane/pipeline/doorway.h"

#include "numa/base/assert.h"
#include "numa/base/bits.h"

#include <stdatomic.h>

/* Each record is preceded by its size; SKIP marks the unused end of a lap. */
#define HEADER_BYTES 8u
#define SKIP         UINT32_MAX

struct doorway {
    CACHE_ALIGNED _Atomic uint64_t published;  /* writer's, read by the reader */
    uint64_t head;                             /* writer's own, ahead of published */
    uint64_t tail_seen;                        /* writer's copy of given_back */
    CACHE_ALIGNED _Atomic uint64_t given_back; /* reader's, read by the writer */
    uint64_t tail;                             /* reader's own, ahead of given_back */
    uint64_t head_seen;                        /* reader's copy of published */
    CACHE_ALIGNED uint32_t capacity;
    uint8_t *data;
};

size_t doorway_footprint(uint32_t capacity_bytes)
{
    if (capacity_bytes < 1024 || !is_power_of_two(capacity_bytes))
        return 0;
    return sizeof(struct doorway) + capacity_bytes;
}

struct doorway *doorway_init(void *memory, uint32_t capacity_bytes)
{
    ENSURE(doorway_footprint(capacity_bytes) != 0);
    struct doorway *doorway = memory;
    *doorway = (struct doorway){.capacity = capacity_bytes, .data = (uint8_t *)(doorway + 1)};
    return doorway;
}

static uint32_t record_span(uint32_t bytes)
{
    return HEADER_BYTES + (uint32_t)round_up(bytes, 8);
}

static uint64_t room_now(struct doorway *doorway, uint64_t wanted)
{
    uint64_t room = doorway->capacity - (doorway->head - doorway->tail_seen);
    if (room < wanted) {
        doorway->tail_seen = atomic_load_explicit(&doorway->given_back, memory_order_acquire);
        room = doorway->capacity - (doorway->head - doorway->tail_seen);
    }
    return room;
}

static void skip_lap(struct doorway *doorway, uint32_t offset)
{
    store_u32(doorway->data + offset, SKIP);
    doorway->head += doorway->capacity - offset;
}

void *doorway_reserve(struct doorway *doorway, uint32_t bytes)
{
    uint32_t span = record_span(bytes);
    ENSURE(span <= doorway->capacity / 8);
    uint32_t offset = (uint32_t)doorway->head & (doorway->capacity - 1);
    uint32_t to_end = doorway->capacity - offset;
    /* An empty ring restarts at its beginning, where the lines are warm. What it skips counts as
     * used until the reader has passed: an eighth behind it is still free then, which is all that
     * doorway_fits promises. */
    bool restart =
        offset >= doorway->capacity / 8 &&
        atomic_load_explicit(&doorway->given_back, memory_order_acquire) == doorway->head;
    uint64_t wanted = span > to_end || restart ? (uint64_t)span + to_end : span;
    if (room_now(doorway, wanted) < wanted)
        return NULL;
    if (wanted != span) {
        skip_lap(doorway, offset);
        offset = 0;
    }
    store_u32(doorway->data + offset, bytes);
    doorway->head += span;
    return doorway->data + offset + HEADER_BYTES;
}

void doorway_publish(struct doorway *doorway)
{
    atomic_store_explicit(&doorway->published, doorway->head, memory_order_release);
}

bool doorway_fits(struct doorway *doorway, uint32_t count, uint32_t bytes)
{
    /* Worst case: the lap ends in the middle, and one record's worth of its end is skipped. */
    uint64_t span = record_span(bytes);
    uint64_t wanted = span * count + span;
    ENSURE(wanted <= doorway->capacity / 8);
    return room_now(doorway, wanted) >= wanted;
}

void *doorway_next(struct doorway *doorway, uint32_t *bytes)
{
    for (;;) {
        if (doorway->tail == doorway->head_seen) {
            doorway->head_seen = atomic_load_explicit(&doorway->published, memory_order_acquire);
            if (doorway->tail == doorway->head_seen)
                return NULL;
        }
        uint32_t offset = (uint32_t)doorway->tail & (doorway->capacity - 1);
        uint32_t size = load_u32(doorway->data + offset);
        if (size != SKIP) {
            doorway->tail += record_span(size);
            *bytes = size;
            return doorway->data + offset + HEADER_BYTES;
        }
        doorway->tail += doorway->capacity - offset;
    }
}

void doorway_again(struct doorway *doorway)
{
    doorway->tail = atomic_load_explicit(&doorway->given_back, memory_order_relaxed);
}

void doorway_done(struct doorway *doorway)
{
    atomic_store_explicit(&doorway->given_back, doorway->tail, memory_order_release);
}

void doorway_done_before(struct doorway *doorway, const void *record)
{
    uint64_t offset = (uint64_t)((const uint8_t *)record - doorway->data) - HEADER_BYTES;
    uint64_t lap = doorway->tail & ~(uint64_t)(doorway->capacity - 1);
    uint64_t position = lap + offset;
    /* tail is behind the record, at most one lap further on. */
    if (position >= doorway->tail)
        position -= doorway->capacity;
    doorway->tail = position;
    doorway_done(doorway);
}
