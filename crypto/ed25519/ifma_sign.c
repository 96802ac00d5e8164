#include "crypto/ed25519/ifma_digit.h"
#include "crypto/ed25519/ifma_point.h"
#include "crypto/ed25519/lanes.h"
#include "crypto/ed25519/sign.h"

#include "crypto/ed25519/keyset.h"

#include <sodium.h>

#define STRETCH 64u /* signatures that share an inversion */
#define GROUPS  (STRETCH / IFMA_LANES)

/* All of it is secret until R and S are out, and wiped. */
struct stretch {
    struct scalar r[STRETCH];
    struct ifma_point sum[GROUPS];
    struct ifma_field z2[GROUPS], before[GROUPS];
    struct scalar h[IFMA_LANES];
};

IFMA_INLINE __m512i select_limb(const uint64_t *row, __m512i index, __mmask8 upper, __mmask8 some)
{
    __m512i low =
        _mm512_permutex2var_epi64(_mm512_loadu_si512(row), index, _mm512_loadu_si512(row + 8));
    __m512i high = _mm512_permutex2var_epi64(_mm512_loadu_si512(row + 16), index,
                                             _mm512_loadu_si512(row + 24));
    return _mm512_maskz_mov_epi64(some, _mm512_mask_blend_epi64(upper, low, high));
}

/* Entry `digit` of the window in each lane: every row is read, permutations pick; 0 is the neutral
 * point (1, 1, 0). */
IFMA_INLINE void select_entry(struct ifma_entry *entry, const uint64_t *window, __m512i digit,
                              __mmask8 minus)
{
    const __m512i one = ifma_all(1);
    __mmask8 some = _mm512_test_epi64_mask(digit, digit);
    __m512i index = _mm512_sub_epi64(digit, one);
    __mmask8 upper = _mm512_test_epi64_mask(index, ifma_all(16));
    for (size_t i = 0; i < FIELD_LIMBS; i++) {
        __m512i sum = select_limb(window + i * SIGN_ROW, index, upper, some);
        __m512i difference = select_limb(window + (FIELD_LIMBS + i) * SIGN_ROW, index, upper, some);
        if (i == 0) {
            sum = _mm512_mask_mov_epi64(one, some, sum);
            difference = _mm512_mask_mov_epi64(one, some, difference);
        }
        entry->y_plus_x.row[i] = _mm512_mask_blend_epi64(minus, sum, difference);
        entry->y_minus_x.row[i] = _mm512_mask_blend_epi64(minus, difference, sum);
        entry->t2d.row[i] =
            select_limb(window + (2 * FIELD_LIMBS + i) * SIGN_ROW, index, upper, some);
    }
}

/* [r]B in each lane. */
IFMA_TARGET static void multiply_base(struct ifma_point *sum, const uint64_t *sign_table,
                                      const struct scalar r[IFMA_LANES])
{
    const uint8_t *from[IFMA_LANES];
    __m512i scalar[SCALAR_WORDS];
    __mmask8 minus = 0;
    for (uint32_t l = 0; l < IFMA_LANES; l++)
        from[l] = (const uint8_t *)&r[l];
    ifma_gather(scalar, from, 0);
    for (uint32_t i = 0; i < SIGN_WINDOWS; i++) {
        struct ifma_entry entry;
        __m512i digit = ifma_digit(scalar, SIGN_WINDOW, i, false, &minus);
        select_entry(&entry, sign_table + i * (size_t)(3 * FIELD_LIMBS) * SIGN_ROW, digit, minus);
        if (i == 0)
            ifma_point_begin(sum, &entry);
        else
            ifma_point_add_entry(sum, &entry, minus);
    }
}

/* r = SHA-512(prefix M) mod L; lanes without a job take r = 0. */
static void make_r(struct stretch *stretch, uint32_t group, const struct ed25519_signer *signer,
                   const struct ed25519_sign_job *jobs, uint32_t count)
{
    struct lanes_text text[IFMA_LANES] = {0};
    for (uint32_t l = 0; l < count; l++)
        text[l] =
            (struct lanes_text){{signer->prefix, NULL}, jobs[l].message, jobs[l].message_bytes};
    memset(&stretch->r[group * IFMA_LANES], 0, IFMA_LANES * sizeof stretch->r[0]);
    ed25519_ifma_hash_scalar(&stretch->r[group * IFMA_LANES], text, count);
}

/* Writes R, which is public from here on, then S = h a + r with h = SHA-512(R A M) mod L. */
IFMA_TARGET static void finish_group(struct stretch *stretch, uint32_t group,
                                     const struct ed25519_signer *signer, const struct scalar *a,
                                     const struct ed25519_sign_job *jobs, uint32_t count,
                                     const struct ifma_field *inverse)
{
    struct lanes_text text[IFMA_LANES] = {0};
    uint64_t encoded[SCALAR_WORDS][IFMA_LANES];
    __m512i x[4], y[4];
    ifma_point_affine(x, y, &stretch->sum[group], inverse);
    y[3] = _mm512_or_si512(y[3], _mm512_slli_epi64(x[0], 63));
    for (int i = 0; i < SCALAR_WORDS; i++)
        _mm512_storeu_si512(encoded[i], y[i]);
    for (uint32_t l = 0; l < count; l++) {
        for (int i = 0; i < SCALAR_WORDS; i++)
            store_u64(jobs[l].signature + 8 * i, encoded[i][l]);
        text[l] = (struct lanes_text){
            {jobs[l].signature, signer->key}, jobs[l].message, jobs[l].message_bytes};
    }
    ed25519_ifma_hash_scalar(stretch->h, text, count);
    for (uint32_t l = 0; l < count; l++) {
        struct scalar *h = &stretch->h[l];
        ed25519_scalar_multiply_add(h, h, a, &stretch->r[group * IFMA_LANES + l]);
        ed25519_scalar_store(jobs[l].signature + 32, h);
    }
    sodium_memzero(x, sizeof x);
}

IFMA_TARGET static void sign_stretch(struct stretch *stretch, const struct ed25519_base *base,
                                     const struct ed25519_signer *signer,
                                     const struct ed25519_sign_job *jobs, uint32_t count)
{
    struct ifma_field product, inverse, own;
    struct scalar a;
    uint32_t groups = (count + IFMA_LANES - 1) / IFMA_LANES;
    ifma_set(&product, 1);
    for (uint32_t g = 0; g < groups; g++) {
        uint32_t first = g * IFMA_LANES;
        make_r(stretch, g, signer, jobs + first, min_u32(count - first, IFMA_LANES));
        multiply_base(&stretch->sum[g], base->sign_table, &stretch->r[first]);
        ifma_sum(&own, &stretch->sum[g].z, &stretch->sum[g].z);
        ifma_carry(&stretch->z2[g], &own);
        stretch->before[g] = product;
        ifma_product(&product, &product, &stretch->z2[g]);
    }
    ed25519_ifma_invert(&inverse, &product, false);
    ed25519_scalar_load(&a, signer->scalar);
    for (uint32_t g = groups; g-- > 0;) {
        uint32_t first = g * IFMA_LANES;
        ifma_product(&own, &inverse, &stretch->before[g]);
        ifma_product(&inverse, &inverse, &stretch->z2[g]);
        finish_group(stretch, g, signer, &a, jobs + first, min_u32(count - first, IFMA_LANES),
                     &own);
    }
    sodium_memzero(&a, sizeof a);
    sodium_memzero(&product, sizeof product);
    sodium_memzero(&inverse, sizeof inverse);
    sodium_memzero(&own, sizeof own);
}

void ed25519_ifma_sign(const struct ed25519_base *base, const struct ed25519_signer *signer,
                       const struct ed25519_sign_job *jobs, uint32_t count)
{
    struct stretch stretch;
    for (size_t done = 0; done < count; done += STRETCH)
        sign_stretch(&stretch, base, signer, jobs + done, min_u32(count - (uint32_t)done, STRETCH));
    sodium_memzero(&stretch, sizeof stretch);
    sodium_stackzero(SIGN_STACK_BYTES);
}
