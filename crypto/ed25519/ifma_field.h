/* ifma_field.h: arithmetic modulo p = 2^255 - 19 on eight numbers at once, with AVX-512 IFMA.
 *
 * Shape: limb i of lane l is element l of row i; limbs of 51 bits. Products give columns, which are
 * combined before they are carried, so that sums and differences of products cost no carry of their
 * own:
 *    tight    limbs below 2^51 + 2^17: what a carry gives
 *    factor   limbs below 2^52: what a product takes, as vpmadd52 looks no further
 *    column   below 2^61: what a product gives (300 x 2^52 at most)
 *    carried  from 0 to 2^63: what a carry takes
 * IFMA_BOUND checks it in builds with ED25519_CHECK_BOUNDS.
 * Memory: registers, and the caller's. Threads: any. Time: constant. Limits: as said; only
 * functions with IFMA_TARGET may call, after ed25519_backend_runs(ED25519_IFMA). Refusals: none.
 * Cost: docs/ed25519.md.
 */
#ifndef CRYPTO_ED25519_IFMA_FIELD_H
#define CRYPTO_ED25519_IFMA_FIELD_H

#include "crypto/ed25519/field.h"

#include <immintrin.h>

#define IFMA_TARGET                                                                                \
    __attribute__((target("avx2,bmi2,avx512f,avx512bw,avx512dq,avx512vl,avx512ifma")))
#define IFMA_INLINE static inline __attribute__((always_inline)) IFMA_TARGET

/* Of vpternlog: (a | b) & c. */
#define IFMA_EITHER_MASKED 0xa8

#if defined(__has_feature)
#define IFMA_TAINT __has_feature(memory_sanitizer)
#else
#define IFMA_TAINT 0
#endif

#define IFMA_LANES  8u
#define IFMA_TIGHT  ((UINT64_C(1) << 51) + (UINT64_C(1) << 17))
#define IFMA_FACTOR (UINT64_C(1) << 52)
#define IFMA_COLUMN (UINT64_C(1) << 61)
#define IFMA_CARRY  (UINT64_C(1) << 63)
#define IFMA_LIFT   1024u /* times p: limbs of about 2^61 */

struct ifma_field {
    __m512i row[FIELD_LIMBS];
};

#ifdef ED25519_CHECK_BOUNDS
IFMA_INLINE void ifma_bound(const struct ifma_field *a, uint64_t limit)
{
    for (int i = 0; i < FIELD_LIMBS; i++)
        ENSURE(_mm512_cmpge_epu64_mask(a->row[i], _mm512_set1_epi64((int64_t)limit)) == 0);
}
#define IFMA_BOUND(a, limit) ifma_bound(a, limit)
#else
#define IFMA_BOUND(a, limit) ((void)0)
#endif

IFMA_INLINE __m512i ifma_all(uint64_t value)
{
    return _mm512_set1_epi64((int64_t)value);
}

#if IFMA_TAINT
/* vpternlog's table, term by term: MemorySanitizer takes the instruction itself for a use of its
 * operands. */
IFMA_INLINE __m512i ifma_logic(__m512i a, __m512i b, __m512i c, int truth)
{
    __m512i out = _mm512_setzero_si512(), ones = _mm512_set1_epi64(-1);
    for (int i = 0; i < 8; i++) {
        __m512i term = (i & 4) != 0 ? a : _mm512_xor_si512(a, ones);
        term = _mm512_and_si512(term, (i & 2) != 0 ? b : _mm512_xor_si512(b, ones));
        term = _mm512_and_si512(term, (i & 1) != 0 ? c : _mm512_xor_si512(c, ones));
        if ((truth >> i & 1) != 0)
            out = _mm512_or_si512(out, term);
    }
    return out;
}
#else
#define ifma_logic(a, b, c, truth) _mm512_ternarylogic_epi64(a, b, c, truth)
#endif

IFMA_INLINE void ifma_set(struct ifma_field *out, uint64_t value)
{
    for (int i = 0; i < FIELD_LIMBS; i++)
        out->row[i] = i == 0 ? ifma_all(value) : _mm512_setzero_si512();
}

/* Carried limbs to tight ones: the carries are below 2^12, 19 times one below 2^17. */
IFMA_INLINE void ifma_carry(struct ifma_field *out, const struct ifma_field *a)
{
    const __m512i mask = ifma_all(FIELD_MASK);
    IFMA_BOUND(a, IFMA_CARRY);
    __m512i c0 = _mm512_srli_epi64(a->row[0], 51), c1 = _mm512_srli_epi64(a->row[1], 51);
    __m512i c2 = _mm512_srli_epi64(a->row[2], 51), c3 = _mm512_srli_epi64(a->row[3], 51);
    __m512i c4 = _mm512_srli_epi64(a->row[4], 51);
    out->row[0] = _mm512_madd52lo_epu64(_mm512_and_si512(a->row[0], mask), c4, ifma_all(19));
    out->row[1] = _mm512_add_epi64(_mm512_and_si512(a->row[1], mask), c0);
    out->row[2] = _mm512_add_epi64(_mm512_and_si512(a->row[2], mask), c1);
    out->row[3] = _mm512_add_epi64(_mm512_and_si512(a->row[3], mask), c2);
    out->row[4] = _mm512_add_epi64(_mm512_and_si512(a->row[4], mask), c3);
    IFMA_BOUND(out, IFMA_TIGHT);
}

/* gcc makes two shifts and two additions of vpmullq by 19, and is slower by a twentieth. */
#if defined(__clang__)
#define ifma_times(a, b) _mm512_mullo_epi64(a, b)
#else
IFMA_INLINE __m512i ifma_times(__m512i a, __m512i b)
{
    __m512i out;
    __asm__("vpmullq %2, %1, %0" : "=v"(out) : "v"(a), "v"(b));
    return out;
}
#endif

/* Factors to columns: the upper halves of products weigh 2^52, twice a limb's 2^51, so their sums
 * are doubled before the lower halves join them; columns from the fifth on come back times 19. A
 * column is at most 5 x 2^52 + 2 x 5 x 2^52, with the one that comes back 20 times that. The sums
 * begin at `lift` p, an even multiple, so that something can be subtracted from them: below 2^61 +
 * 2^51 lift. */
IFMA_INLINE void ifma_multiply_lifted(struct ifma_field *out, const struct ifma_field *a,
                                      const struct ifma_field *b, uint64_t lift)
{
    const __m512i nineteen = ifma_all(19);
    __m512i c[2 * FIELD_LIMBS];
    IFMA_BOUND(a, IFMA_FACTOR);
    IFMA_BOUND(b, IFMA_FACTOR);
#pragma GCC unroll 10
    for (int i = 0; i < 2 * FIELD_LIMBS; i++)
        c[i] = ifma_all(i < FIELD_LIMBS ? lift / 2 * FIELD_MASK : 0);
    c[0] = ifma_all(lift * (FIELD_MASK - 18));
#pragma GCC unroll 5
    for (int i = 0; i < FIELD_LIMBS; i++) {
#pragma GCC unroll 5
        for (int j = 0; j < FIELD_LIMBS; j++)
            c[i + j + 1] = _mm512_madd52hi_epu64(c[i + j + 1], a->row[i], b->row[j]);
    }
#pragma GCC unroll 10
    for (int i = 1; i < 2 * FIELD_LIMBS; i++)
        c[i] = _mm512_add_epi64(c[i], c[i]);
#pragma GCC unroll 5
    for (int i = 0; i < FIELD_LIMBS; i++) {
#pragma GCC unroll 5
        for (int j = 0; j < FIELD_LIMBS; j++)
            c[i + j] = _mm512_madd52lo_epu64(c[i + j], a->row[i], b->row[j]);
    }
#pragma GCC unroll 5
    for (int i = 0; i < FIELD_LIMBS; i++)
        out->row[i] = _mm512_add_epi64(c[i], ifma_times(c[i + FIELD_LIMBS], nineteen));
    IFMA_BOUND(out, IFMA_COLUMN + (lift << 51));
}

IFMA_INLINE void ifma_multiply(struct ifma_field *out, const struct ifma_field *a,
                               const struct ifma_field *b)
{
    ifma_multiply_lifted(out, a, b, 0);
}

/* The sum of columns: below 2^62. */
IFMA_INLINE void ifma_sum(struct ifma_field *out, const struct ifma_field *a,
                          const struct ifma_field *b)
{
    for (int i = 0; i < FIELD_LIMBS; i++)
        out->row[i] = _mm512_add_epi64(a->row[i], b->row[i]);
}

/* Adds `lift` p. */
IFMA_INLINE void ifma_lift(struct ifma_field *a, uint64_t lift)
{
    a->row[0] = _mm512_add_epi64(a->row[0], ifma_all(lift * (FIELD_MASK - 18)));
    for (int i = 1; i < FIELD_LIMBS; i++)
        a->row[i] = _mm512_add_epi64(a->row[i], ifma_all(lift * FIELD_MASK));
}

/* Of columns: adds 1024 p, whose limbs are about 2^61, so that it is not negative: below 2^62 +
 * 2^61. */
IFMA_INLINE void ifma_difference(struct ifma_field *out, const struct ifma_field *a,
                                 const struct ifma_field *b)
{
    for (int i = 0; i < FIELD_LIMBS; i++)
        out->row[i] = _mm512_sub_epi64(a->row[i], b->row[i]);
    ifma_lift(out, IFMA_LIFT);
}

/* Factors to tight. */
IFMA_INLINE void ifma_product(struct ifma_field *out, const struct ifma_field *a,
                              const struct ifma_field *b)
{
    struct ifma_field column;
    ifma_multiply(&column, a, b);
    ifma_carry(out, &column);
}

/* Four words of each lane, below 2^255, to limbs below 2^51. */
IFMA_INLINE void ifma_unpack(struct ifma_field *out, const __m512i word[4])
{
    const __m512i mask = ifma_all(FIELD_MASK);
    out->row[0] = _mm512_and_si512(word[0], mask);
    out->row[1] = ifma_logic(_mm512_srli_epi64(word[0], 51), _mm512_slli_epi64(word[1], 13), mask,
                             IFMA_EITHER_MASKED);
    out->row[2] = ifma_logic(_mm512_srli_epi64(word[1], 38), _mm512_slli_epi64(word[2], 26), mask,
                             IFMA_EITHER_MASKED);
    out->row[3] = ifma_logic(_mm512_srli_epi64(word[2], 25), _mm512_slli_epi64(word[3], 39), mask,
                             IFMA_EITHER_MASKED);
    out->row[4] = _mm512_srli_epi64(word[3], 12);
}

/* Tight limbs to the four words of the number in [0, p). */
IFMA_INLINE void ifma_pack(__m512i word[4], const struct ifma_field *a)
{
    const __m512i mask = ifma_all(FIELD_MASK), nineteen = ifma_all(19);
    __m512i r[FIELD_LIMBS], q;
    IFMA_BOUND(a, IFMA_TIGHT);
    for (int i = 0; i < FIELD_LIMBS; i++)
        r[i] = a->row[i];
    for (int i = 0; i < FIELD_LIMBS; i++) { /* round, and back to limb 0 */
        int next = (i + 1) % FIELD_LIMBS;
        q = _mm512_srli_epi64(r[i], 51);
        r[i] = _mm512_and_si512(r[i], mask);
        r[next] = _mm512_madd52lo_epu64(r[next], q, next == 0 ? nineteen : ifma_all(1));
    }
    /* q: whether r + 19 passes 2^255, that is, r >= p */
    q = _mm512_srli_epi64(_mm512_add_epi64(r[0], nineteen), 51);
    for (int i = 1; i < FIELD_LIMBS; i++)
        q = _mm512_srli_epi64(_mm512_add_epi64(r[i], q), 51);
    r[0] = _mm512_madd52lo_epu64(r[0], q, nineteen);
    for (int i = 0; i < FIELD_LIMBS - 1; i++) {
        r[i + 1] = _mm512_add_epi64(r[i + 1], _mm512_srli_epi64(r[i], 51));
        r[i] = _mm512_and_si512(r[i], mask);
    }
    r[4] = _mm512_and_si512(r[4], mask);
    word[0] = _mm512_or_si512(r[0], _mm512_slli_epi64(r[1], 51));
    word[1] = _mm512_or_si512(_mm512_srli_epi64(r[1], 13), _mm512_slli_epi64(r[2], 38));
    word[2] = _mm512_or_si512(_mm512_srli_epi64(r[2], 26), _mm512_slli_epi64(r[3], 25));
    word[3] = _mm512_or_si512(_mm512_srli_epi64(r[3], 39), _mm512_slli_epi64(r[4], 12));
}

/* Word i of the 32 bytes at from[l] to element l of word[i]. */
IFMA_INLINE void ifma_gather(__m512i word[4], const uint8_t *const from[IFMA_LANES], size_t offset)
{
    __m512i row[4];
    static const uint8_t first[4] = {0, 1, 4,
                                     5}; /* with its neighbour but one: no permutation is left */
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m256i low = _mm256_loadu_si256((const void *)(from[first[i]] + offset));
        __m256i high = _mm256_loadu_si256((const void *)(from[first[i] + 2] + offset));
        row[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }
    __m512i even0 = _mm512_unpacklo_epi64(row[0], row[1]);
    __m512i odd0 = _mm512_unpackhi_epi64(row[0], row[1]);
    __m512i even1 = _mm512_unpacklo_epi64(row[2], row[3]);
    __m512i odd1 = _mm512_unpackhi_epi64(row[2], row[3]);
    word[0] = _mm512_shuffle_i64x2(even0, even1, 0x88);
    word[1] = _mm512_shuffle_i64x2(odd0, odd1, 0x88);
    word[2] = _mm512_shuffle_i64x2(even0, even1, 0xdd);
    word[3] = _mm512_shuffle_i64x2(odd0, odd1, 0xdd);
}

/* Tight limbs of a lane, which are tight for field.h once carried, and back. */
IFMA_INLINE void ifma_to_lanes(struct field lane[IFMA_LANES], const struct ifma_field *a)
{
    uint64_t rows[FIELD_LIMBS][IFMA_LANES];
    for (int i = 0; i < FIELD_LIMBS; i++)
        _mm512_storeu_si512(rows[i], a->row[i]);
    for (uint32_t l = 0; l < IFMA_LANES; l++) {
        for (int i = 0; i < FIELD_LIMBS; i++)
            lane[l].limb[i] = rows[i][l];
    }
}

IFMA_INLINE void ifma_from_lanes(struct ifma_field *out, const struct field lane[IFMA_LANES])
{
    uint64_t rows[FIELD_LIMBS][IFMA_LANES];
    for (uint32_t l = 0; l < IFMA_LANES; l++) {
        for (int i = 0; i < FIELD_LIMBS; i++)
            rows[i][l] = lane[l].limb[i];
    }
    for (int i = 0; i < FIELD_LIMBS; i++)
        out->row[i] = _mm512_loadu_si512(rows[i]);
}

/* 1/a in each lane, tight, by one inversion for all: no lane is 0. `is_public`: in a time that
 * depends on a. */
void ed25519_ifma_invert(struct ifma_field *out, const struct ifma_field *a, bool is_public);

#endif
