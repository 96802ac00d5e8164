/* avx2_field.h: arithmetic modulo p = 2^255 - 19 on four numbers at once, with AVX2.
 *
 * Shape: ten limbs of 26 and 25 bits in turn, as products are of 32-bit numbers; limb i of lane l
 * is element l of row i. As in ifma_field.h, products give columns, which are added and subtracted
 * before they are carried:
 *    tight    limbs below 2^26 + 2^18: what a carry gives and a product takes
 *    column   below 2^61: ten terms of at most 2 x 19 x 2^52.1
 *    carried  below 2^63: what a carry takes
 * AVX2_BOUND checks it in builds with ED25519_CHECK_BOUNDS.
 * Memory: registers, and the caller's. Threads: any. Time: constant. Limits: as said; only
 * functions with AVX2_TARGET may call, after ed25519_backend_runs(ED25519_AVX2). Refusals: none.
 * Cost: docs/ed25519.md.
 */
#ifndef CRYPTO_ED25519_AVX2_FIELD_H
#define CRYPTO_ED25519_AVX2_FIELD_H

#include "crypto/ed25519/field.h"

#include <immintrin.h>

#define AVX2_TARGET __attribute__((target("avx2,bmi2")))
#define AVX2_INLINE static inline __attribute__((always_inline)) AVX2_TARGET

#define AVX2_LANES  4u
#define AVX2_LIMBS  10
#define AVX2_TIGHT  ((UINT64_C(1) << 26) + (UINT64_C(1) << 18))
#define AVX2_COLUMN (UINT64_C(1) << 61)
#define AVX2_CARRY  (UINT64_C(1) << 63)

struct avx2_field {
    __m256i row[AVX2_LIMBS];
};

#ifdef ED25519_CHECK_BOUNDS
AVX2_INLINE void avx2_bound(const struct avx2_field *a, uint64_t limit)
{
    for (int i = 0; i < AVX2_LIMBS; i++) {
        uint64_t limb[AVX2_LANES];
        _mm256_storeu_si256((void *)limb, a->row[i]);
        for (uint32_t l = 0; l < AVX2_LANES; l++)
            ENSURE(limb[l] < limit);
    }
}
#define AVX2_BOUND(a, limit) avx2_bound(a, limit)
#else
#define AVX2_BOUND(a, limit) ((void)0)
#endif

AVX2_INLINE __m256i avx2_all(uint64_t value)
{
    return _mm256_set1_epi64x((int64_t)value);
}

AVX2_INLINE void avx2_set(struct avx2_field *out, uint64_t value)
{
    for (int i = 0; i < AVX2_LIMBS; i++)
        out->row[i] = avx2_all(i == 0 ? value : 0);
}

/* Bits of a limb. */
#define AVX2_BITS(i) ((i) % 2 == 0 ? 26 : 25)

/* Moves what limb `from` has too much to the next one; 19 times, if that is the first. */
AVX2_INLINE void avx2_carry_one(struct avx2_field *a, int from)
{
    int bits = AVX2_BITS(from), to = (from + 1) % AVX2_LIMBS;
    __m256i carry = _mm256_srli_epi64(a->row[from], bits);
    a->row[from] = _mm256_and_si256(a->row[from], avx2_all((UINT64_C(1) << bits) - 1));
    if (to == 0) {
        __m256i three = _mm256_add_epi64(carry, _mm256_slli_epi64(carry, 1));
        carry = _mm256_add_epi64(three, _mm256_slli_epi64(carry, 4));
    }
    a->row[to] = _mm256_add_epi64(a->row[to], carry);
}

/* Carried limbs to tight ones: two chains, 0 to 5 and 4 to 9, then from 9 to 0 (below 19 x 2^39)
 * and on to 1. */
AVX2_INLINE void avx2_carry(struct avx2_field *out, const struct avx2_field *a)
{
    struct avx2_field r = *a;
    AVX2_BOUND(a, AVX2_CARRY);
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) {
        avx2_carry_one(&r, i);
        avx2_carry_one(&r, i + 4);
    }
    avx2_carry_one(&r, 9);
    avx2_carry_one(&r, 0);
    *out = r;
    AVX2_BOUND(out, AVX2_TIGHT);
}

/* Tight to columns: limbs i and j meet at i + j, twice if both are odd (their weights have half a
 * bit too much), 19 times if that is beyond the last. */
AVX2_INLINE void avx2_multiply(struct avx2_field *out, const struct avx2_field *a,
                               const struct avx2_field *b)
{
    const __m256i nineteen = avx2_all(19);
    struct avx2_field twice, back, r;
    AVX2_BOUND(a, AVX2_TIGHT);
    AVX2_BOUND(b, AVX2_TIGHT);
    for (int i = 0; i < AVX2_LIMBS; i++) {
        twice.row[i] = _mm256_add_epi64(a->row[i], a->row[i]);
        back.row[i] = _mm256_mul_epu32(b->row[i], nineteen);
    }
#pragma GCC unroll 10
    for (int k = 0; k < AVX2_LIMBS; k++) {
        __m256i sum = _mm256_setzero_si256();
#pragma GCC unroll 10
        for (int i = 0; i < AVX2_LIMBS; i++) {
            int j = (k + AVX2_LIMBS - i) % AVX2_LIMBS;
            __m256i left = i % 2 == 1 && j % 2 == 1 ? twice.row[i] : a->row[i];
            __m256i right = i > k ? back.row[j] : b->row[j];
            sum = _mm256_add_epi64(sum, _mm256_mul_epu32(left, right));
        }
        r.row[k] = sum;
    }
    *out = r;
    AVX2_BOUND(out, AVX2_COLUMN);
}

AVX2_INLINE void avx2_sum(struct avx2_field *out, const struct avx2_field *a,
                          const struct avx2_field *b)
{
    for (int i = 0; i < AVX2_LIMBS; i++)
        out->row[i] = _mm256_add_epi64(a->row[i], b->row[i]);
}

/* Adds 5 x 2^34 p, whose odd limbs are above 2^61 and whose even ones below 2^63 - 2^61. */
AVX2_INLINE void avx2_lift(struct avx2_field *a)
{
    for (int i = 0; i < AVX2_LIMBS; i++) {
        uint64_t limb = (UINT64_C(1) << AVX2_BITS(i)) - (i == 0 ? 19 : 1);
        a->row[i] = _mm256_add_epi64(a->row[i], avx2_all(limb * 5 << 34));
    }
}

AVX2_INLINE void avx2_difference(struct avx2_field *out, const struct avx2_field *a,
                                 const struct avx2_field *b)
{
    for (int i = 0; i < AVX2_LIMBS; i++)
        out->row[i] = _mm256_sub_epi64(a->row[i], b->row[i]);
    avx2_lift(out);
}

AVX2_INLINE void avx2_product(struct avx2_field *out, const struct avx2_field *a,
                              const struct avx2_field *b)
{
    struct avx2_field column;
    avx2_multiply(&column, a, b);
    avx2_carry(out, &column);
}

/* Four words of each lane, below 2^255, to limbs. */
AVX2_INLINE void avx2_unpack(struct avx2_field *out, const __m256i word[4])
{
#pragma GCC unroll 10
    for (int i = 0; i < AVX2_LIMBS; i++) {
        int from = (51 * i + 1) / 2, at = from / 64, shift = from % 64;
        __m256i limb = _mm256_srli_epi64(word[at], shift);
        if (shift + AVX2_BITS(i) > 64)
            limb = _mm256_or_si256(limb, _mm256_slli_epi64(word[at + 1], 64 - shift));
        out->row[i] = _mm256_and_si256(limb, avx2_all((UINT64_C(1) << AVX2_BITS(i)) - 1));
    }
}

/* Word i of the 32 bytes at from[l] + offset to element l of word[i]. */
AVX2_INLINE void avx2_gather(__m256i word[4], const uint8_t *const from[AVX2_LANES], size_t offset)
{
    __m256i row[4];
    for (int i = 0; i < 4; i++)
        row[i] = _mm256_loadu_si256((const void *)(from[i] + offset));
    __m256i even0 = _mm256_unpacklo_epi64(row[0], row[1]);
    __m256i odd0 = _mm256_unpackhi_epi64(row[0], row[1]);
    __m256i even1 = _mm256_unpacklo_epi64(row[2], row[3]);
    __m256i odd1 = _mm256_unpackhi_epi64(row[2], row[3]);
    word[0] = _mm256_permute2x128_si256(even0, even1, 0x20);
    word[1] = _mm256_permute2x128_si256(odd0, odd1, 0x20);
    word[2] = _mm256_permute2x128_si256(even0, even1, 0x31);
    word[3] = _mm256_permute2x128_si256(odd0, odd1, 0x31);
}

/* Carried limbs of pairs below 2^53 together, as field.h's loose limbs. */
AVX2_INLINE void avx2_to_lanes(struct field *const lane[AVX2_LANES], const struct avx2_field *a)
{
    for (int i = 0; i < FIELD_LIMBS; i++) {
        uint64_t limb[AVX2_LANES];
        __m256i odd = _mm256_slli_epi64(a->row[2 * i + 1], 26);
        _mm256_storeu_si256((void *)limb, _mm256_add_epi64(a->row[2 * i], odd));
        for (uint32_t l = 0; l < AVX2_LANES; l++)
            lane[l]->limb[i] = limb[l];
    }
}

#endif
