#include "crypto/ed25519/table.h"

#define BLOCK 64u /* entries that share an inversion */

struct block {
    struct point point[BLOCK];
    struct field product[BLOCK + 1]; /* of the Zs before */
};

static void write_block(uint8_t *to, struct block *block, uint32_t count)
{
    struct field inverse, z, x, y;
    block->product[0] = ed25519_field_one;
    for (uint32_t i = 0; i < count; i++)
        field_mul(&block->product[i + 1], &block->product[i], &block->point[i].z);
    ed25519_field_invert_public(&inverse, &block->product[count]);
    for (uint32_t i = count; i-- > 0;) {
        field_mul(&z, &inverse, &block->product[i]);
        field_mul(&inverse, &inverse, &block->point[i].z);
        field_mul(&x, &block->point[i].x, &z);
        field_mul(&y, &block->point[i].y, &z);
        ed25519_point_entry(to + (size_t)i * POINT_ENTRY_BYTES, &x, &y);
    }
}

void ed25519_table_multiples(uint8_t *to, const struct point *point, uint32_t count)
{
    struct block block;
    struct point_cached step;
    struct point next = *point;
    ed25519_point_cache(&step, point);
    while (count > 0) {
        uint32_t some = min_u32(count, BLOCK);
        for (uint32_t i = 0; i < some; i++) {
            block.point[i] = next;
            ed25519_point_add(&next, &next, &step);
        }
        write_block(to, &block, some);
        to += (size_t)some * POINT_ENTRY_BYTES;
        count -= some;
    }
}

void ed25519_table_build(uint8_t *table, uint32_t window, const struct point *point,
                         enum ed25519_backend backend)
{
    const struct field zero = {{0}};
    struct point power = *point;
    uint32_t windows = table_windows(window);
    ed25519_point_entry(table, &zero, &ed25519_field_one);
    if (backend == ED25519_IFMA) {
        ed25519_ifma_table_build(table, window, point);
        return;
    }
    for (uint32_t i = 0; i < windows; i++) {
        uint8_t *to = table + ((size_t)i * ((size_t)1 << (window - 1)) + 1) * POINT_ENTRY_BYTES;
        ed25519_table_multiples(
            to, &power, i + 1 < windows ? UINT32_C(1) << (window - 1) : table_last_digit(window));
        for (uint32_t bit = 0; bit < window; bit++)
            ed25519_point_double(&power, &power);
    }
}

void ed25519_table_digits(int16_t digits[TABLE_WINDOWS_MAX], const struct scalar *scalar,
                          uint32_t window)
{
    uint32_t windows = table_windows(window);
    int32_t carry = 0;
    for (uint32_t i = 0; i < windows; i++) {
        uint32_t bit = i * window;
        uint64_t value = scalar->word[bit / 64] >> (bit % 64);
        if (bit % 64 != 0 && bit / 64 + 1 < SCALAR_WORDS)
            value |= scalar->word[bit / 64 + 1] << (64 - bit % 64);
        if (i + 1 == windows) {
            digits[i] = (int16_t)((int32_t)value + carry);
            return;
        }
        int32_t digit = (int32_t)(value & ((UINT64_C(1) << window) - 1)) + carry;
        carry = digit > INT32_C(1) << (window - 1);
        digits[i] = (int16_t)(digit - carry * (INT32_C(1) << window));
    }
}
