/* bits.h: little-endian loads and stores at any alignment, and power-of-two arithmetic.
 *
 * Canonical bytes are little-endian everywhere but inside Ethernet, IP and UDP headers. Shape,
 * memory, threads, refusals: none. Cost: one move each on x86-64.
 */
#ifndef NUMA_BASE_BITS_H
#define NUMA_BASE_BITS_H

#include "numa/base/types.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "canonical bytes are little-endian"
#endif

static inline uint16_t load_u16(const void *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint32_t load_u32(const void *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint64_t load_u64(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void store_u16(void *to, uint16_t value)
{
    memcpy(to, &value, sizeof value);
}

static inline void store_u32(void *to, uint32_t value)
{
    memcpy(to, &value, sizeof value);
}

static inline void store_u64(void *to, uint64_t value)
{
    memcpy(to, &value, sizeof value);
}

static inline bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* Smallest multiple of `unit` (a power of two) that is not below `value`. */
static inline uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

/* Smallest power of two that is not below `value`; 1 for 0. value <= 2^63. */
static inline uint64_t power_of_two_at_least(uint64_t value)
{
    return value <= 1 ? 1 : (uint64_t)1 << (64 - __builtin_clzll(value - 1));
}

#endif
