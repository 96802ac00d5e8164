/* field.h: arithmetic modulo p = 2^255 - 19, one number at a time.
 *
 * Shape: five limbs of 51 bits in 64; 128-bit products. Each function states what its limbs may
 * reach:
 *    tight  limbs below 2^51 + 2^13: what products and carries give
 *    loose  limbs below 2^54:        what products take
 * FIELD_BOUND checks it in builds with ED25519_CHECK_BOUNDS (tests, fuzzing).
 * Memory: the caller's; outputs may be inputs. Threads: any. Time: constant, but for
 * field_invert_public.
 * Limits: as said. Refusals: none. Cost: a product about 35 cycles on Zen 4, not measured alone.
 */
#ifndef CRYPTO_ED25519_FIELD_H
#define CRYPTO_ED25519_FIELD_H

#include "numa/base/assert.h"
#include "numa/base/bits.h"

__extension__ typedef unsigned __int128 field_wide; /* no ISO C type holds a product */

#define FIELD_LIMBS 5
#define FIELD_MASK  ((UINT64_C(1) << 51) - 1)
#define FIELD_TIGHT ((UINT64_C(1) << 51) + (UINT64_C(1) << 13))
#define FIELD_LOOSE (UINT64_C(1) << 54)

struct field {
    uint64_t limb[FIELD_LIMBS];
};

extern const struct field ed25519_field_one;
extern const struct field ed25519_field_d;       /* -121665 / 121666 */
extern const struct field ed25519_field_2d;      /* twice that */
extern const struct field ed25519_field_sqrt_m1; /* the even root of -1 */

#ifdef ED25519_CHECK_BOUNDS
static inline void field_bound(const struct field *a, uint64_t limit)
{
    for (int i = 0; i < FIELD_LIMBS; i++)
        ENSURE(a->limb[i] < limit);
}
#define FIELD_BOUND(a, limit) field_bound(a, limit)
#else
#define FIELD_BOUND(a, limit) ((void)0)
#endif

/* Tight + tight: below 2^52 + 2^14. In general the sum of the bounds. */
static inline void field_add(struct field *out, const struct field *a, const struct field *b)
{
    for (int i = 0; i < FIELD_LIMBS; i++)
        out->limb[i] = a->limb[i] + b->limb[i];
    FIELD_BOUND(out, FIELD_LOOSE);
}

/* b below 2^53 - 76: out below a + 2^53, by adding 4p. */
static inline void field_sub(struct field *out, const struct field *a, const struct field *b)
{
    FIELD_BOUND(b, (UINT64_C(1) << 53) - 76);
    out->limb[0] = a->limb[0] + ((UINT64_C(1) << 53) - 76) - b->limb[0];
    for (int i = 1; i < FIELD_LIMBS; i++)
        out->limb[i] = a->limb[i] + ((UINT64_C(1) << 53) - 4) - b->limb[i];
    FIELD_BOUND(out, FIELD_LOOSE);
}

/* Columns below 2^115 to tight limbs: the carry of the last is below 2^60, 19 times that below
 * 2^64. */
static inline void field_carry_wide(struct field *out, field_wide r[FIELD_LIMBS])
{
    for (int i = 0; i < FIELD_LIMBS - 1; i++) {
        r[i + 1] += (uint64_t)(r[i] >> 51);
        out->limb[i] = (uint64_t)r[i] & FIELD_MASK;
    }
    out->limb[4] = (uint64_t)r[4] & FIELD_MASK;
    out->limb[0] += (uint64_t)(r[4] >> 51) * 19;
    out->limb[1] += out->limb[0] >> 51;
    out->limb[0] &= FIELD_MASK;
    FIELD_BOUND(out, FIELD_TIGHT);
}

/* Loose limbs to tight ones. */
static inline void field_carry(struct field *out, const struct field *a)
{
    uint64_t carry = 0;
    for (int i = 0; i < FIELD_LIMBS; i++) {
        uint64_t limb = a->limb[i] + carry;
        out->limb[i] = limb & FIELD_MASK;
        carry = limb >> 51;
    }
    out->limb[0] += carry * 19;
    FIELD_BOUND(out, FIELD_TIGHT);
}

/* Loose x loose: tight. A column is at most (1 + 4 x 19) 2^108 < 2^115. */
static inline void field_mul(struct field *out, const struct field *a, const struct field *b)
{
    FIELD_BOUND(a, FIELD_LOOSE);
    FIELD_BOUND(b, FIELD_LOOSE);
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3];
    const uint64_t a4 = a->limb[4], b0 = b->limb[0], b1 = b->limb[1], b2 = b->limb[2];
    const uint64_t b3 = b->limb[3], b4 = b->limb[4];
    const uint64_t c1 = b1 * 19, c2 = b2 * 19, c3 = b3 * 19, c4 = b4 * 19;
    field_wide r[FIELD_LIMBS];
    r[0] = (field_wide)a0 * b0 + (field_wide)a1 * c4 + (field_wide)a2 * c3 + (field_wide)a3 * c2 +
           (field_wide)a4 * c1;
    r[1] = (field_wide)a0 * b1 + (field_wide)a1 * b0 + (field_wide)a2 * c4 + (field_wide)a3 * c3 +
           (field_wide)a4 * c2;
    r[2] = (field_wide)a0 * b2 + (field_wide)a1 * b1 + (field_wide)a2 * b0 + (field_wide)a3 * c4 +
           (field_wide)a4 * c3;
    r[3] = (field_wide)a0 * b3 + (field_wide)a1 * b2 + (field_wide)a2 * b1 + (field_wide)a3 * b0 +
           (field_wide)a4 * c4;
    r[4] = (field_wide)a0 * b4 + (field_wide)a1 * b3 + (field_wide)a2 * b2 + (field_wide)a3 * b1 +
           (field_wide)a4 * b0;
    field_carry_wide(out, r);
}

/* Loose: tight. Columns as of the product. */
static inline void field_square(struct field *out, const struct field *a)
{
    FIELD_BOUND(a, FIELD_LOOSE);
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3];
    const uint64_t a4 = a->limb[4], d0 = a0 * 2, d1 = a1 * 2, c3 = a3 * 19, c4 = a4 * 19;
    const uint64_t d2 = a2 * 2, d3 = a3 * 2;
    field_wide r[FIELD_LIMBS];
    r[0] = (field_wide)a0 * a0 + (field_wide)d1 * c4 + (field_wide)d2 * c3;
    r[1] = (field_wide)d0 * a1 + (field_wide)d2 * c4 + (field_wide)a3 * c3;
    r[2] = (field_wide)d0 * a2 + (field_wide)a1 * a1 + (field_wide)d3 * c4;
    r[3] = (field_wide)d0 * a3 + (field_wide)d1 * a2 + (field_wide)a4 * c4;
    r[4] = (field_wide)d0 * a4 + (field_wide)d1 * a3 + (field_wide)a2 * a2;
    field_carry_wide(out, r);
}

/* Four little-endian words to limbs; the top bit is left out. Tight, below p only if the words
 * are. */
static inline void field_load(struct field *out, const void *words)
{
    const uint8_t *from = words;
    uint64_t w0 = load_u64(from), w1 = load_u64(from + 8);
    uint64_t w2 = load_u64(from + 16), w3 = load_u64(from + 24);
    out->limb[0] = w0 & FIELD_MASK;
    out->limb[1] = (w0 >> 51 | w1 << 13) & FIELD_MASK;
    out->limb[2] = (w1 >> 38 | w2 << 26) & FIELD_MASK;
    out->limb[3] = (w2 >> 25 | w3 << 39) & FIELD_MASK;
    out->limb[4] = (w3 >> 12) & FIELD_MASK;
}

/* Loose limbs to the 32 bytes of the number in [0, p). */
void ed25519_field_store(uint8_t bytes[32], const struct field *a);

/* Loose: tight; 0 gives 0. The chain of 254 squarings. */
void ed25519_field_invert(struct field *out, const struct field *a);

/* The same in a time that depends on `a`, for what everybody may know. */
void ed25519_field_invert_public(struct field *out, const struct field *a);

/* a^((p - 5) / 8). */
void ed25519_field_root_power(struct field *out, const struct field *a);

/* Equal modulo p; loose. */
bool ed25519_field_equal(const struct field *a, const struct field *b);

#endif
