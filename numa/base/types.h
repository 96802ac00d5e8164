/* types.h: the words every chapter shares.
 *
 * Nothing here allocates, blocks or keeps state. Sizes are bytes, `count` is how many, `index` is
 * which one, `max` is a limit that is itself allowed; units come last in a name (`_ns`, `_bytes`).
 */
#ifndef NUMA_BASE_TYPES_H
#define NUMA_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Distance that keeps two writers out of each other's cache line (x86-64: 64; prefetch pairs:
 * 128). */
#define CACHE_LINE_BYTES 64u
#define CACHE_ALIGNED    __attribute__((aligned(CACHE_LINE_BYTES)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The result must be looked at. */
#define CHECK_RESULT __attribute__((warn_unused_result))

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

static inline uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#endif
