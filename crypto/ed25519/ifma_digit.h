/* ifma_digit.h: table.h's recoding of scalars, in eight lanes.
 *
 * Shape: one window after the other, the carry of the last in hand. Memory: registers. Threads:
 * any. Time: constant in the scalars. Limits: table.h. Refusals: none. Cost: about ten instructions
 * a window.
 */
#ifndef CRYPTO_ED25519_IFMA_DIGIT_H
#define CRYPTO_ED25519_IFMA_DIGIT_H

#include "crypto/ed25519/ifma_field.h"
#include "crypto/ed25519/scalar.h"

/* The size of digit `index`; *minus: in which lanes it is negative, and on entry, in which the one
 * before was (0 for the first). The last digit takes all that is left. */
IFMA_INLINE __m512i ifma_digit(const __m512i scalar[SCALAR_WORDS], uint32_t window, uint32_t index,
                               bool last, __mmask8 *minus)
{
    uint32_t word = index * window / 64, bit = index * window % 64;
    __m512i digit = _mm512_srl_epi64(scalar[word], _mm_cvtsi32_si128((int)bit));
    if (bit + window > 64 && word + 1 < SCALAR_WORDS)
        digit = _mm512_or_si512(
            digit, _mm512_sll_epi64(scalar[word + 1], _mm_cvtsi32_si128((int)(64 - bit))));
    if (!last)
        digit = _mm512_and_si512(digit, ifma_all((UINT64_C(1) << window) - 1));
    digit = _mm512_mask_add_epi64(digit, *minus, digit, ifma_all(1));
    *minus = 0;
    if (!last) {
        *minus = _mm512_cmpgt_epu64_mask(digit, ifma_all(UINT64_C(1) << (window - 1)));
        digit = _mm512_mask_sub_epi64(digit, *minus, ifma_all(UINT64_C(1) << window), digit);
    }
    return digit;
}

#endif
