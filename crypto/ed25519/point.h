/* point.h: points of the curve -x^2 + y^2 = 1 + d x^2 y^2, one at a time.
 *
 * Shape: extended coordinates x = X/Z, y = Y/Z, XY = ZT; tables hold entries (y+x, y-x, 2dxy) of 96
 * bytes, each number canonical, so that an addition of an entry is 7 products. The formulas are
 * complete on this curve: they hold for the neutral point, for doubling and for points with a part
 * of small order, and Z is never 0.
 * Memory: the caller's; outputs may be inputs. Threads: any. Time: constant but for decompression
 * and point_add_entry's sign and address, which are public. Limits: field.h; limbs are tight
 * between calls.
 * Refusals: a y without a point. Cost: an addition 7 or 8 products, a doubling 4 and 4 squares.
 * Source: Hisil, Wong, Carter, Dawson, "Twisted Edwards Curves Revisited", 3.1 and 3.3; RFC 8032,
 * 5.1.
 */
#ifndef CRYPTO_ED25519_POINT_H
#define CRYPTO_ED25519_POINT_H

#include "crypto/ed25519/field.h"

#define POINT_ENTRY_BYTES 96u

struct point {
    struct field x, y, z, t;
};

/* An entry on its way: (Y+X, Y-X, 2Z, 2dT). */
struct point_cached {
    struct field y_plus_x, y_minus_x, z2, t2d;
};

extern const struct point ed25519_point_neutral;

/* False: no point has this y. The sign bit chooses x; y is below p, by the caller's check. */
CHECK_RESULT bool ed25519_point_decompress(struct point *point, const uint8_t bytes[32]);

void ed25519_point_negate(struct point *out, const struct point *point);
void ed25519_point_double(struct point *out, const struct point *point);
void ed25519_point_cache(struct point_cached *out, const struct point *point);
void ed25519_point_add(struct point *out, const struct point *point,
                       const struct point_cached *other);

/* The entry of an affine point (Z = 1), given by its x and y. */
void ed25519_point_entry(uint8_t entry[POINT_ENTRY_BYTES], const struct field *x,
                         const struct field *y);

/* The 32 bytes of the affine point (X z, Y z), where z is 1/Z. */
void ed25519_point_encode(uint8_t bytes[32], const struct field *x, const struct field *y,
                          const struct field *z);

/* Adds, or with `minus` subtracts, an entry. */
static inline void point_add_entry(struct point *point, const uint8_t *entry, bool minus)
{
    struct field sum, difference, t2d, a, b, c, e, f, g, h;
    field_load(minus ? &difference : &sum, entry);
    field_load(minus ? &sum : &difference, entry + 32);
    field_load(&t2d, entry + 64);
    field_sub(&a, &point->y, &point->x);
    field_add(&b, &point->y, &point->x);
    field_mul(&a, &a, &difference);
    field_mul(&b, &b, &sum);
    field_mul(&c, &point->t, &t2d);
    field_sub(&e, &b, &a);
    field_add(&h, &b, &a);
    field_add(&b, &point->z, &point->z);
    field_sub(minus ? &g : &f, &b, &c);
    field_add(minus ? &f : &g, &b, &c);
    field_mul(&point->x, &e, &f);
    field_mul(&point->y, &g, &h);
    field_mul(&point->z, &f, &g);
    field_mul(&point->t, &e, &h);
}

#endif
