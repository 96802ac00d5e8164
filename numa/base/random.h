/* random.h: chance from a seed (xoshiro256** seeded by SplitMix64; Blackman and Vigna, 2018).
 *
 * Same seed, same numbers, on every machine: the simulator rests on it. Not for keys. Memory: the
 * caller's 32 bytes. Threads: one owner. Limits: period 2^256 - 1. Refusals: none. Cost: about 1
 * ns.
 */
#ifndef NUMA_BASE_RANDOM_H
#define NUMA_BASE_RANDOM_H

#include "numa/base/types.h"

__extension__ typedef unsigned __int128 random_wide; /* no ISO C type holds the product */

struct random_state {
    uint64_t word[4];
};

static inline void random_init(struct random_state *state, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        state->word[i] = z ^ (z >> 31);
    }
}

static inline uint64_t random_next(struct random_state *state)
{
    uint64_t *s = state->word;
    uint64_t x = s[1] * 5;
    uint64_t result = ((x << 7) | (x >> 57)) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

/* Uniform enough in [0, bound): the bias is below bound / 2^64. bound > 0. */
static inline uint64_t random_below(struct random_state *state, uint64_t bound)
{
    return (uint64_t)(((random_wide)random_next(state) * bound) >> 64);
}

#endif
