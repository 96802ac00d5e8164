#include "crypto/ed25519/point.h"

const struct point ed25519_point_neutral = {.x = {{0}}, .y = {{1}}, .z = {{1}}, .t = {{0}}};

/* x = (u/v)^((p+3)/8) = u v^3 (u v^7)^((p-5)/8), times sqrt(-1) if that is a root of -u/v (RFC
 * 8032, 5.1.3). */
bool ed25519_point_decompress(struct point *point, const uint8_t bytes[32])
{
    struct field u, v, v3, x, check, zero = {{0}};
    uint8_t parity[32];
    field_load(&point->y, bytes);
    field_square(&u, &point->y);
    field_mul(&v, &u, &ed25519_field_d);
    field_sub(&u, &u, &ed25519_field_one);
    field_carry(&u, &u);
    field_add(&v, &v, &ed25519_field_one);
    field_square(&v3, &v);
    field_mul(&v3, &v3, &v);
    field_square(&x, &v3);
    field_mul(&x, &x, &v);
    field_mul(&x, &x, &u);
    ed25519_field_root_power(&x, &x);
    field_mul(&x, &x, &v3);
    field_mul(&x, &x, &u);
    field_square(&check, &x);
    field_mul(&check, &check, &v);
    if (!ed25519_field_equal(&check, &u)) {
        field_sub(&u, &zero, &u);
        field_carry(&u, &u);
        if (!ed25519_field_equal(&check, &u))
            return false;
        field_mul(&x, &x, &ed25519_field_sqrt_m1);
    }
    ed25519_field_store(parity, &x);
    if ((parity[0] & 1) != bytes[31] >> 7) {
        field_sub(&x, &zero, &x);
        field_carry(&x, &x);
    }
    point->x = x;
    point->z = ed25519_field_one;
    field_mul(&point->t, &point->x, &point->y);
    return true;
}

void ed25519_point_negate(struct point *out, const struct point *point)
{
    const struct field zero = {{0}};
    *out = *point;
    field_sub(&out->x, &zero, &point->x);
    field_carry(&out->x, &out->x);
    field_sub(&out->t, &zero, &point->t);
    field_carry(&out->t, &out->t);
}

void ed25519_point_double(struct point *out, const struct point *point)
{
    struct field a, b, c, e, f, g, h;
    field_square(&a, &point->x);
    field_square(&b, &point->y);
    field_square(&c, &point->z);
    field_add(&c, &c, &c);
    field_add(&h, &a, &b);
    field_add(&e, &point->x, &point->y);
    field_square(&e, &e);
    field_sub(&e, &h, &e);
    field_carry(&e, &e);
    field_sub(&g, &a, &b);
    field_carry(&g, &g);
    field_add(&f, &c, &g);
    field_mul(&out->x, &e, &f);
    field_mul(&out->y, &g, &h);
    field_mul(&out->z, &f, &g);
    field_mul(&out->t, &e, &h);
}

void ed25519_point_cache(struct point_cached *out, const struct point *point)
{
    field_add(&out->y_plus_x, &point->y, &point->x);
    field_sub(&out->y_minus_x, &point->y, &point->x);
    field_add(&out->z2, &point->z, &point->z);
    field_mul(&out->t2d, &point->t, &ed25519_field_2d);
}

void ed25519_point_add(struct point *out, const struct point *point,
                       const struct point_cached *other)
{
    struct field a, b, c, d, e, f, g, h;
    field_sub(&a, &point->y, &point->x);
    field_add(&b, &point->y, &point->x);
    field_mul(&a, &a, &other->y_minus_x);
    field_mul(&b, &b, &other->y_plus_x);
    field_mul(&c, &point->t, &other->t2d);
    field_mul(&d, &point->z, &other->z2);
    field_sub(&e, &b, &a);
    field_sub(&f, &d, &c);
    field_add(&g, &d, &c);
    field_add(&h, &b, &a);
    field_mul(&out->x, &e, &f);
    field_mul(&out->y, &g, &h);
    field_mul(&out->z, &f, &g);
    field_mul(&out->t, &e, &h);
}

void ed25519_point_entry(uint8_t entry[POINT_ENTRY_BYTES], const struct field *x,
                         const struct field *y)
{
    struct field value;
    field_add(&value, y, x);
    ed25519_field_store(entry, &value);
    field_sub(&value, y, x);
    ed25519_field_store(entry + 32, &value);
    field_mul(&value, x, y);
    field_mul(&value, &value, &ed25519_field_2d);
    ed25519_field_store(entry + 64, &value);
}

void ed25519_point_encode(uint8_t bytes[32], const struct field *x, const struct field *y,
                          const struct field *z)
{
    struct field affine;
    uint8_t parity[32];
    field_mul(&affine, x, z);
    ed25519_field_store(parity, &affine);
    field_mul(&affine, y, z);
    ed25519_field_store(bytes, &affine);
    bytes[31] = (uint8_t)(bytes[31] | (parity[0] & 1) << 7);
}
