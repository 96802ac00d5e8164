/* hash.h: a fast 64-bit hash of bytes, the same on every machine.
 *
 * Shape: words are folded by a 64 x 64 -> 128 bit product whose halves are added bitwise; the last
 *   16 bytes are taken from the end, overlapping. Keys' place in the table and the state's digest
 *   rest on it.
 * Memory, threads, time, refusals: none. Limits: the constants are public, so whoever chooses keys
 *   can make them collide: that costs time (probing), never correctness. Not for secrets. Cost: one
 *   product per 16 bytes; not
 *   measured.
 */
#ifndef DATAPLANE_STATE_HASH_H
#define DATAPLANE_STATE_HASH_H

#include "numa/base/bits.h"

__extension__ typedef unsigned __int128 hash_wide; /* no ISO C type holds the product */

/* Odd words with half of their bits set, from the fractions of square roots of primes. */
#define HASH_SEED UINT64_C(0x6a09e667f3bcc909)
#define HASH_A    UINT64_C(0xbb67ae8584caa73b)
#define HASH_B    UINT64_C(0x3c6ef372fe94f82b)

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
    hash_wide product = (hash_wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_bytes(const uint8_t *at, size_t bytes, uint64_t seed)
{
    uint64_t a = 0, b = 0;
    size_t left = bytes;
    for (; left > 16; left -= 16, at += 16)
        seed = hash_fold(load_u64(at) ^ HASH_A, load_u64(at + 8) ^ seed);
    if (bytes > 16) {
        a = load_u64(at + left - 16);
        b = load_u64(at + left - 8);
    } else if (bytes >= 8) {
        a = load_u64(at);
        b = load_u64(at + bytes - 8);
    } else if (bytes >= 4) {
        a = load_u32(at);
        b = load_u32(at + bytes - 4);
    } else if (bytes > 0) {
        a = (uint64_t)at[0] | (uint64_t)at[bytes / 2] << 8 | (uint64_t)at[bytes - 1] << 16;
    }
    return hash_fold(HASH_B ^ bytes, hash_fold(a ^ HASH_A, b ^ seed));
}

#endif
