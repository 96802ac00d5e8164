/* ifma_point.h: points of the curve in eight lanes.
 *
 * Shape: a sum is kept as (Y-X, Y+X, Z, T): the two that the next addition multiplies are made from
 * the columns of X and Y, which are never carried themselves. Z stays in columns, lifted by half of
 * IFMA_LIFT, as it is only doubled, and added to what is subtracted from it. An addition of an
 * entry (point.h) is 7 products and 7 carries.
 * Memory, threads, limits, refusals: ifma_field.h. Time: constant, the signs included; entries come
 * in registers.
 * Cost: docs/ed25519.md. Source: point.h.
 */
#ifndef CRYPTO_ED25519_IFMA_POINT_H
#define CRYPTO_ED25519_IFMA_POINT_H

#include "crypto/ed25519/ifma_field.h"
#include "crypto/ed25519/point.h"

struct ifma_point {
    struct ifma_field y_minus_x, y_plus_x, t; /* tight */
    struct ifma_field z;                      /* below 2^61 + 2^60 */
};

/* Below 2^52 each. */
struct ifma_entry {
    struct ifma_field y_plus_x, y_minus_x, t2d;
};

/* An entry alone, whose y+x and y-x are exchanged already: times 4, so that T = 2x 2y needs no
 * division. */
IFMA_INLINE void ifma_point_begin(struct ifma_point *point, const struct ifma_entry *entry)
{
    struct ifma_field x, y, column;
    ifma_sum(&column, &entry->y_minus_x, &entry->y_minus_x);
    ifma_sum(&column, &column, &column);
    ifma_carry(&point->y_minus_x, &column);
    ifma_sum(&column, &entry->y_plus_x, &entry->y_plus_x);
    ifma_sum(&column, &column, &column);
    ifma_carry(&point->y_plus_x, &column);
    ifma_difference(&column, &entry->y_plus_x, &entry->y_minus_x);
    ifma_carry(&x, &column);
    ifma_sum(&column, &entry->y_plus_x, &entry->y_minus_x);
    ifma_carry(&y, &column);
    ifma_product(&point->t, &x, &y);
    ifma_set(&point->z, 4);
    ifma_lift(&point->z, IFMA_LIFT / 2);
}

/* a - b and a + b, tight; a is lifted, b is not: below 2^62 + 2^61. */
IFMA_INLINE void ifma_apart(struct ifma_field *minus, struct ifma_field *plus,
                            const struct ifma_field *a, const struct ifma_field *b)
{
    struct ifma_field column;
    for (int i = 0; i < FIELD_LIMBS; i++)
        column.row[i] = _mm512_sub_epi64(a->row[i], b->row[i]);
    ifma_carry(minus, &column);
    ifma_sum(&column, a, b);
    ifma_carry(plus, &column);
}

/* X = E F, Y = G H, Z = F G, T = E H. */
IFMA_INLINE void ifma_point_close(struct ifma_point *point, const struct ifma_field *e,
                                  const struct ifma_field *f, const struct ifma_field *g,
                                  const struct ifma_field *h)
{
    struct ifma_field x, y;
    ifma_multiply(&x, e, f);
    ifma_multiply_lifted(&y, g, h, IFMA_LIFT);
    ifma_apart(&point->y_minus_x, &point->y_plus_x, &y, &x);
    ifma_multiply_lifted(&point->z, f, g, IFMA_LIFT / 2);
    ifma_product(&point->t, e, h);
}

/* Adds an entry; in the lanes of `minus` its y+x and y-x are exchanged already, and 2dxy counts as
 * negative. 2Z is lifted by IFMA_LIFT and below 2^62 + 2^61, so F and G stay below 2^63. */
IFMA_INLINE void ifma_point_add_entry(struct ifma_point *point, const struct ifma_entry *entry,
                                      __mmask8 minus)
{
    const __m512i zero = _mm512_setzero_si512();
    struct ifma_field a, b, c, d, e, f, g, h;
    ifma_multiply(&a, &point->y_minus_x, &entry->y_minus_x);
    ifma_multiply_lifted(&b, &point->y_plus_x, &entry->y_plus_x, IFMA_LIFT);
    ifma_apart(&e, &h, &b, &a);
    ifma_multiply(&c, &point->t, &entry->t2d);
    for (int i = 0; i < FIELD_LIMBS; i++)
        c.row[i] = _mm512_mask_sub_epi64(c.row[i], minus, zero, c.row[i]);
    ifma_sum(&d, &point->z, &point->z);
    ifma_apart(&f, &g, &d, &c);
    ifma_point_close(point, &e, &f, &g, &h);
}

/* Adds a sum; D = 2 Z Z'. */
IFMA_INLINE void ifma_point_add(struct ifma_point *point, const struct ifma_point *other)
{
    struct ifma_field a, b, c, d, e, f, g, h, z, other_z, twice_d;
    for (int i = 0; i < FIELD_LIMBS; i++)
        twice_d.row[i] = ifma_all(ed25519_field_2d.limb[i]);
    ifma_multiply(&a, &point->y_minus_x, &other->y_minus_x);
    ifma_multiply_lifted(&b, &point->y_plus_x, &other->y_plus_x, IFMA_LIFT);
    ifma_apart(&e, &h, &b, &a);
    ifma_product(&c, &point->t, &other->t);
    ifma_multiply(&c, &c, &twice_d);
    ifma_carry(&z, &point->z);
    ifma_carry(&other_z, &other->z);
    ifma_multiply_lifted(&d, &z, &other_z, IFMA_LIFT / 2);
    ifma_sum(&d, &d, &d);
    ifma_apart(&f, &g, &d, &c);
    ifma_point_close(point, &e, &f, &g, &h);
}

/* The entries at from[l], with y+x and y-x exchanged in the lanes of `minus`. */
IFMA_INLINE void ifma_entry_load(struct ifma_entry *entry, const uint8_t *const from[IFMA_LANES],
                                 __mmask8 minus)
{
    __m512i sum[4], difference[4], t2d[4], first[4], second[4];
    ifma_gather(sum, from, 0);
    ifma_gather(difference, from, 32);
    ifma_gather(t2d, from, 64);
    for (int i = 0; i < 4; i++) {
        first[i] = _mm512_mask_blend_epi64(minus, sum[i], difference[i]);
        second[i] = _mm512_mask_blend_epi64(minus, difference[i], sum[i]);
    }
    ifma_unpack(&entry->y_plus_x, first);
    ifma_unpack(&entry->y_minus_x, second);
    ifma_unpack(&entry->t2d, t2d);
}

/* (Y+X)/2Z and (Y-X)/2Z give x and y: words of the affine numbers, `inverse` being that of 2Z. */
IFMA_INLINE void ifma_point_affine(__m512i x[4], __m512i y[4], const struct ifma_point *point,
                                   const struct ifma_field *inverse)
{
    struct ifma_field plus, minus, column;
    ifma_multiply(&plus, &point->y_plus_x, inverse);
    ifma_multiply(&minus, &point->y_minus_x, inverse);
    ifma_difference(&column, &plus, &minus);
    ifma_carry(&column, &column);
    ifma_pack(x, &column);
    ifma_sum(&column, &plus, &minus);
    ifma_carry(&column, &column);
    ifma_pack(y, &column);
}

#endif
