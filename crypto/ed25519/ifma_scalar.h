/* ifma_scalar.h: scalar.h's reduction modulo L, in eight lanes.
 *
 * Shape: limbs of 52 bits, as vpmadd52 multiplies; the same cuts at bit 252 as in scalar.c. Memory:
 * registers.
 * Threads: any. Time: constant. Limits: any 512 bits. Refusals: none. Cost: about 60 products of
 * limbs for eight lanes.
 */
#ifndef CRYPTO_ED25519_IFMA_SCALAR_H
#define CRYPTO_ED25519_IFMA_SCALAR_H

#include "crypto/ed25519/ifma_field.h"
#include "crypto/ed25519/scalar.h"

#define IFMA_SCALAR_LIMBS 5 /* of a number below 2^260 */
#define IFMA_SCALAR_MASK  ((UINT64_C(1) << 52) - 1)
#define IFMA_SCALAR_TOP   ((UINT64_C(1) << 44) - 1) /* limb 4 holds bits 208 to 251 */

/* L = 2^252 + c, by limbs; and 2 L. */
static const uint64_t ifma_scalar_c[3] = {UINT64_C(0x2631a5cf5d3ed), UINT64_C(0xdea2f79cd6581),
                                          UINT64_C(0x14def9)};
static const uint64_t ifma_scalar_twice[IFMA_SCALAR_LIMBS] = {
    UINT64_C(0x4c634b9eba7da), UINT64_C(0xbd45ef39acb02), UINT64_C(0x29bdf3), 0, UINT64_C(1) << 45};
static const uint64_t ifma_scalar_once[IFMA_SCALAR_LIMBS] = {
    UINT64_C(0x2631a5cf5d3ed), UINT64_C(0xdea2f79cd6581), UINT64_C(0x14def9), 0, UINT64_C(1) << 44};

/* Bits `from` to from + 51 of eight words, 0 beyond. */
IFMA_INLINE __m512i ifma_scalar_limb(const __m512i wide[8], uint32_t from)
{
    uint32_t word = from / 64, shift = from % 64;
    __m512i limb = _mm512_srli_epi64(wide[word], shift);
    if (shift > 12 && word + 1 < 8)
        limb = _mm512_or_si512(limb, _mm512_slli_epi64(wide[word + 1], 64 - shift));
    return _mm512_and_si512(limb, ifma_all(IFMA_SCALAR_MASK));
}

/* column, of count + 3 limbs, = c times a; carried, the last takes the rest. */
IFMA_INLINE void ifma_scalar_by_c(__m512i *column, const __m512i *a, int count)
{
#pragma GCC unroll 8
    for (int i = 0; i < count + 3; i++)
        column[i] = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int i = 0; i < count; i++) {
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++) {
            __m512i factor = ifma_all(ifma_scalar_c[j]);
            column[i + j] = _mm512_madd52lo_epu64(column[i + j], a[i], factor);
            column[i + j + 1] = _mm512_madd52hi_epu64(column[i + j + 1], a[i], factor);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < count + 2; i++) {
        column[i + 1] = _mm512_add_epi64(column[i + 1], _mm512_srli_epi64(column[i], 52));
        column[i] = _mm512_and_si512(column[i], ifma_all(IFMA_SCALAR_MASK));
    }
}

/* Limbs from bit 252 on of `count` limbs, which keep what is below in the first five. */
IFMA_INLINE void ifma_scalar_cut(__m512i *high, __m512i *limb, int count)
{
#pragma GCC unroll 8
    for (int i = 0; i + 4 < count; i++) {
        high[i] = _mm512_srli_epi64(limb[4 + i], 44);
        if (5 + i < count)
            high[i] = _mm512_or_si512(high[i], _mm512_slli_epi64(limb[5 + i], 8));
        high[i] = _mm512_and_si512(high[i], ifma_all(IFMA_SCALAR_MASK));
    }
    limb[4] = _mm512_and_si512(limb[4], ifma_all(IFMA_SCALAR_TOP));
}

/* Signed limbs to limbs of 52 bits, the last signed. */
IFMA_INLINE void ifma_scalar_carry(__m512i r[IFMA_SCALAR_LIMBS])
{
#pragma GCC unroll 4
    for (int i = 0; i < IFMA_SCALAR_LIMBS - 1; i++) {
        r[i + 1] = _mm512_add_epi64(r[i + 1], _mm512_srai_epi64(r[i], 52));
        r[i] = _mm512_and_si512(r[i], ifma_all(IFMA_SCALAR_MASK));
    }
}

IFMA_INLINE void ifma_scalar_subtract_if_not_below(__m512i r[IFMA_SCALAR_LIMBS],
                                                   const uint64_t modulus[IFMA_SCALAR_LIMBS])
{
    __m512i less[IFMA_SCALAR_LIMBS];
    for (int i = 0; i < IFMA_SCALAR_LIMBS; i++)
        less[i] = _mm512_sub_epi64(r[i], ifma_all(modulus[i]));
    ifma_scalar_carry(less);
    __mmask8 below = _mm512_movepi64_mask(less[IFMA_SCALAR_LIMBS - 1]);
    for (int i = 0; i < IFMA_SCALAR_LIMBS; i++)
        r[i] = _mm512_mask_mov_epi64(less[i], below, r[i]);
}

/* Word i of each lane's 512 bits in wide[i]; of the result in word[i]. */
IFMA_INLINE void ifma_scalar_reduce(__m512i word[SCALAR_WORDS], const __m512i wide[8])
{
    __m512i x1[5], y[8], y1[4], z[6], z1[2], w[4], r[IFMA_SCALAR_LIMBS];
#pragma GCC unroll 5
    for (uint32_t i = 0; i < 5; i++) {
        r[i] = ifma_scalar_limb(wide, 52 * i);
        x1[i] = ifma_scalar_limb(wide, 252 + 52 * i);
    }
    r[4] = _mm512_and_si512(r[4], ifma_all(IFMA_SCALAR_TOP));
    ifma_scalar_by_c(y, x1, 5);
    ifma_scalar_cut(y1, y, 8); /* 133 bits: y1[3] is 0 */
    ifma_scalar_by_c(z, y1, 3);
    ifma_scalar_cut(z1, z, 6); /* 6 bits: z1[1] is 0 */
    ifma_scalar_by_c(w, z1, 1);
    for (int i = 0; i < IFMA_SCALAR_LIMBS; i++) {
        r[i] = _mm512_add_epi64(r[i], _mm512_add_epi64(z[i], ifma_all(ifma_scalar_twice[i])));
        r[i] = _mm512_sub_epi64(r[i], i < 4 ? _mm512_add_epi64(y[i], w[i]) : y[i]);
    }
    ifma_scalar_carry(r);
    ifma_scalar_subtract_if_not_below(r, ifma_scalar_twice);
    ifma_scalar_subtract_if_not_below(r, ifma_scalar_once);
    word[0] = _mm512_or_si512(r[0], _mm512_slli_epi64(r[1], 52));
    word[1] = _mm512_or_si512(_mm512_srli_epi64(r[1], 12), _mm512_slli_epi64(r[2], 40));
    word[2] = _mm512_or_si512(_mm512_srli_epi64(r[2], 24), _mm512_slli_epi64(r[3], 28));
    word[3] = _mm512_or_si512(_mm512_srli_epi64(r[3], 36), _mm512_slli_epi64(r[4], 16));
}

#endif
