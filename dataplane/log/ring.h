/* ring.h: the inside of a log: positions, the index ring, and what the oldest needed byte is.
 *
 * Shape: a position counts bytes ever placed, so it never wraps; its low bits are the place in the
 *   ring. Records of rising index lie at rising positions, but for adopted ones: those lie where
 *   their slot was reserved.
 *   `floor` therefore keeps, for adopted entries alone, the running minimum that a sliding window
 *   needs: a queue of (index, position) with both rising, whose front is the lowest position still
 *   to be kept.
 *
 *   index ring cell: position of the record (8-aligned), low bit: it was adopted
 *
 * Memory, threads, limits, refusals: log.h. Time: none. Cost: O(1) amortised per entry.
 */
#ifndef DATAPLANE_LOG_RING_H
#define DATAPLANE_LOG_RING_H

#include "dataplane/log/log.h"
#include "numa/base/assert.h"
#include "numa/base/layout.h"

#define LOG_ADOPTED      UINT64_C(1)
#define LOG_NO_POSITION  UINT64_MAX
#define LOG_RECORD_ALIGN 8u

struct log_slot {
    uint64_t position;
    uint32_t bytes;
    uint32_t spare;
};

struct log_floor {
    uint64_t index;
    uint64_t position;
};

struct log {
    uint8_t *data;
    uint64_t *cell;
    struct log_floor *floor;
    uint64_t bytes;
    uint64_t entries_max;
    uint16_t group;

    /* Looked at by other cores. */
    CACHE_ALIGNED uint64_t first;
    uint64_t last;
    uint64_t truncations;

    /* The writer's own. */
    CACHE_ALIGNED uint64_t released;
    uint64_t head;
    uint64_t tail;
    uint64_t floor_front;    /* of everything in memory */
    uint64_t floor_released; /* of what is not released */
    uint64_t floor_back;
    uint32_t slot_count;
    struct log_slot slot[LOG_SLOTS_MAX]; /* by rising position */
};

/* Where `bytes` for `count` entries behind entry `last` would go; false: no room. Changes
 * nothing. */
bool log_find_room(const struct log *, uint64_t last, uint32_t count, uint64_t bytes,
                   uint64_t *start);

/* Lowest position that is still needed, by entries that are not released or by slots;
 * LOG_NO_POSITION: none. */
uint64_t log_lowest_needed(const struct log *);

/* Makes the room that log_find_room found: forgets released entries until it is free, moves the
 * head. */
void log_take_room(struct log *, uint32_t count, uint64_t bytes, uint64_t start);

/* Forgets released indexes until `count` more behind the last fit the index ring. */
void log_take_indexes(struct log *, uint32_t count);

/* Entries above `last` are forgotten; none of them may be released. */
void log_truncate(struct log *, uint64_t last);

/* Index `index` = last + 1 is the record at `position`. */
void log_publish(struct log *, uint64_t index, uint64_t position, bool adopted);

/* Where the head stands when entries above `last` are gone: where it was, or, with more than half
 * of the ring in use, behind the last needed byte. A function of what is needed, so that log_fits
 * promises for the truncation to come. */
uint64_t log_head_without(const struct log *, uint64_t last);

static inline struct wire_entry *log_record(const struct log *log, uint64_t position)
{
    return (struct wire_entry *)(void *)(log->data + (position & (log->bytes - 1)));
}

static inline uint64_t log_cell(const struct log *log, uint64_t index)
{
    return __atomic_load_n(&log->cell[index & (log->entries_max - 1)], __ATOMIC_ACQUIRE);
}

static inline uint64_t log_position(const struct log *log, uint64_t index)
{
    return log_cell(log, index) & ~LOG_ADOPTED;
}

#endif
