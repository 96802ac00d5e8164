#include "crypto/ed25519/ifma_point.h"
#include "crypto/ed25519/table.h"

#define BLOCK 32u /* multiples that share an inversion */

/* Eight windows at once: each lane adds its window's point again and again. */
struct builder {
    uint8_t *to[IFMA_LANES]; /* the lane's next entry */
    uint32_t left[IFMA_LANES];
    struct ifma_point step_sum, sum[BLOCK];
    struct ifma_field before[BLOCK];
    struct ifma_entry step;
};

/* Writes a number of each lane's entry, the lanes that have all their entries aside. */
IFMA_INLINE void write_number(struct builder *builder, size_t offset, const struct ifma_field *a)
{
    __m512i word[4];
    uint64_t words[4][IFMA_LANES];
    ifma_pack(word, a);
    for (int i = 0; i < 4; i++)
        _mm512_storeu_si512(words[i], word[i]);
    for (uint32_t l = 0; l < IFMA_LANES; l++) {
        for (uint32_t i = 0; builder->left[l] > 0 && i < 4; i++)
            store_u64(builder->to[l] + offset + (size_t)8 * i, words[i][l]);
    }
}

/* (Y+X)/Z, (Y-X)/Z and 2d T/Z, which is 2dxy. */
IFMA_TARGET static void write_entry(struct builder *builder, const struct ifma_point *sum,
                                    const struct ifma_field *inverse)
{
    struct ifma_field value, twice_d;
    for (int i = 0; i < FIELD_LIMBS; i++)
        twice_d.row[i] = ifma_all(ed25519_field_2d.limb[i]);
    ifma_product(&value, &sum->y_plus_x, inverse);
    write_number(builder, 0, &value);
    ifma_product(&value, &sum->y_minus_x, inverse);
    write_number(builder, 32, &value);
    ifma_product(&value, &sum->t, inverse);
    ifma_product(&value, &value, &twice_d);
    write_number(builder, 64, &value);
}

/* The next BLOCK multiples of each lane. */
IFMA_TARGET static void write_block(struct builder *builder)
{
    struct ifma_field product, inverse[BLOCK], all;
    ifma_set(&product, 1);
    for (uint32_t i = 0; i < BLOCK; i++) {
        builder->sum[i] = builder->step_sum;
        builder->before[i] = product;
        ifma_carry(&builder->sum[i].z, &builder->step_sum.z);
        ifma_product(&product, &product, &builder->sum[i].z);
        ifma_point_add_entry(&builder->step_sum, &builder->step, 0);
    }
    ed25519_ifma_invert(&all, &product, true);
    for (uint32_t i = BLOCK; i-- > 0;) {
        ifma_product(&inverse[i], &all, &builder->before[i]);
        ifma_product(&all, &all, &builder->sum[i].z);
    }
    for (uint32_t i = 0; i < BLOCK; i++) {
        write_entry(builder, &builder->sum[i], &inverse[i]);
        for (uint32_t l = 0; l < IFMA_LANES; l++) {
            builder->to[l] += POINT_ENTRY_BYTES;
            builder->left[l] -= builder->left[l] > 0;
        }
    }
}

/* Up to eight windows from `first` on, whose points' entries are in `power`. */
IFMA_TARGET static void build_windows(uint8_t *table, uint32_t window, uint32_t first,
                                      uint8_t power[][POINT_ENTRY_BYTES])
{
    struct builder builder;
    const uint8_t *from[IFMA_LANES];
    uint32_t windows = table_windows(window), most = 0;
    for (uint32_t l = 0; l < IFMA_LANES; l++) {
        uint32_t own = min_u32(first + l, windows - 1);
        from[l] = power[own];
        builder.to[l] = table + (((size_t)own << (window - 1)) + 1) * POINT_ENTRY_BYTES;
        builder.left[l] =
            own + 1 < windows ? UINT32_C(1) << (window - 1) : table_last_digit(window);
        if (first + l > own)
            builder.left[l] = 0;
        most = most > builder.left[l] ? most : builder.left[l];
    }
    ifma_entry_load(&builder.step, from, 0);
    ifma_point_begin(&builder.step_sum, &builder.step);
    for (uint32_t done = 0; done < most; done += BLOCK)
        write_block(&builder);
}

void ed25519_ifma_table_build(uint8_t *table, uint32_t window, const struct point *point)
{
    uint8_t power[TABLE_WINDOWS_MAX][POINT_ENTRY_BYTES];
    struct point next = *point;
    uint32_t windows = table_windows(window);
    for (uint32_t i = 0; i < windows; i++) {
        ed25519_table_multiples(power[i], &next, 1);
        for (uint32_t bit = 0; bit < window; bit++)
            ed25519_point_double(&next, &next);
    }
    for (uint32_t first = 0; first < windows; first += IFMA_LANES)
        build_windows(table, window, first, power);
}
