#include "crypto/ed25519/field.h"

const struct field ed25519_field_one = {{1, 0, 0, 0, 0}};
const struct field ed25519_field_d = {{UINT64_C(929955233495203), UINT64_C(466365720129213),
                                       UINT64_C(1662059464998953), UINT64_C(2033849074728123),
                                       UINT64_C(1442794654840575)}};
const struct field ed25519_field_2d = {{UINT64_C(1859910466990425), UINT64_C(932731440258426),
                                        UINT64_C(1072319116312658), UINT64_C(1815898335770999),
                                        UINT64_C(633789495995903)}};
const struct field ed25519_field_sqrt_m1 = {{UINT64_C(1718705420411056), UINT64_C(234908883556509),
                                             UINT64_C(2233514472574048), UINT64_C(2117202627021982),
                                             UINT64_C(765476049583133)}};

void ed25519_field_store(uint8_t bytes[32], const struct field *a)
{
    struct field r;
    field_carry(&r, a);
    field_carry(&r, &r); /* below 2^255 + 19 x 2 now */
    /* q: whether r + 19 passes 2^255, that is, r >= p */
    uint64_t q = (r.limb[0] + 19) >> 51;
    for (int i = 1; i < FIELD_LIMBS; i++)
        q = (r.limb[i] + q) >> 51;
    r.limb[0] += 19 * q;
    for (int i = 0; i < FIELD_LIMBS - 1; i++) {
        r.limb[i + 1] += r.limb[i] >> 51;
        r.limb[i] &= FIELD_MASK;
    }
    r.limb[4] &= FIELD_MASK;
    store_u64(bytes, r.limb[0] | r.limb[1] << 51);
    store_u64(bytes + 8, r.limb[1] >> 13 | r.limb[2] << 38);
    store_u64(bytes + 16, r.limb[2] >> 26 | r.limb[3] << 25);
    store_u64(bytes + 24, r.limb[3] >> 39 | r.limb[4] << 12);
}

static void square_times(struct field *out, const struct field *a, int times)
{
    field_square(out, a);
    while (--times > 0)
        field_square(out, out);
}

/* a^(2^250 - 1), and a^11 on the way. */
static void power_250(struct field *out, struct field *a11, const struct field *a)
{
    struct field a2, a9, r5, r10, r20, r50, r100, t;
    field_square(&a2, a);
    square_times(&t, &a2, 2);
    field_mul(&a9, &t, a);
    field_mul(a11, &a9, &a2);
    field_square(&t, a11);
    field_mul(&r5, &t, &a9); /* 2^5 - 1 */
    square_times(&t, &r5, 5);
    field_mul(&r10, &t, &r5);
    square_times(&t, &r10, 10);
    field_mul(&r20, &t, &r10);
    square_times(&t, &r20, 20);
    field_mul(&t, &t, &r20);
    square_times(&t, &t, 10);
    field_mul(&r50, &t, &r10);
    square_times(&t, &r50, 50);
    field_mul(&r100, &t, &r50);
    square_times(&t, &r100, 100);
    field_mul(&t, &t, &r100);
    square_times(&t, &t, 50);
    field_mul(out, &t, &r50);
}

void ed25519_field_invert(struct field *out, const struct field *a)
{
    struct field t, a11;
    power_250(&t, &a11, a);
    square_times(&t, &t, 5);
    field_mul(out, &t, &a11); /* 2^255 - 21 */
}

void ed25519_field_root_power(struct field *out, const struct field *a)
{
    struct field t, a11;
    power_250(&t, &a11, a);
    square_times(&t, &t, 2);
    field_mul(out, &t, a); /* 2^252 - 3 */
}

bool ed25519_field_equal(const struct field *a, const struct field *b)
{
    uint8_t left[32], right[32];
    ed25519_field_store(left, a);
    ed25519_field_store(right, b);
    return memcmp(left, right, sizeof left) == 0;
}
