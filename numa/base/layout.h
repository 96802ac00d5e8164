/* layout.h: how a footprint is added up, and how the same sum is carved again.
 *
 * Shape: a module that lives in one flat region of the caller's memory writes one function that
 * walks its parts with layout_add. X_footprint walks it for the size, X_init walks it for the
 * offsets, so the two can not disagree. Memory, threads, time: none. Limits: 2^63 bytes. Refusals:
 * none. Cost: adds.
 */
#ifndef NUMA_BASE_LAYOUT_H
#define NUMA_BASE_LAYOUT_H

#include "numa/base/bits.h"

struct layout {
    size_t bytes; /* so far; start with 0 */
};

/* Places `bytes` at the next multiple of a cache line and returns the offset. */
static inline size_t layout_add(struct layout *layout, size_t bytes)
{
    size_t offset = (size_t)round_up(layout->bytes, CACHE_LINE_BYTES);
    layout->bytes = offset + bytes;
    return offset;
}

#endif
