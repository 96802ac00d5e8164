/* arena.h: memory that is carved once, at start, and then sealed.
 *
 * Shape: reserve (the sum of the footprints) -> carve (in the order of the sum) -> seal.
 *
 *    memory  |part a...|..|part b........|.|part c..|   spare   |
 *             ^carve       ^carve           ^carve     seal: from here on a carve aborts
 *
 * Memory: the caller's region, aligned to a cache line; the arena keeps only its bounds, so
 * forgetting the arena frees nothing and the parts stay valid as long as the region. Parts hold
 * whatever the region held (memory_reserve hands out zeroes). Threads: one, at start. Time: none.
 * Limits: the region. The sum is known beforehand (walk the same parts with layout_add), so a
 * region that is too small is a mistake of ours. Refusals: none; overrun and carving after the seal
 * abort.
 * Cost: an addition a carve.
 */
#ifndef NUMA_BASE_ARENA_H
#define NUMA_BASE_ARENA_H

#include "numa/base/layout.h"

struct arena {
    uint8_t *base;
    size_t bytes;
    struct layout carved;
    bool sealed;
};

/* `memory` is aligned to CACHE_LINE_BYTES. */
void arena_init(struct arena *arena, void *memory, size_t bytes);

/* The next `bytes` bytes, at a cache line of their own: the same offset layout_add gives in the
 * sum. */
void *arena_carve(struct arena *arena, size_t bytes);

void arena_seal(struct arena *arena);

#endif
