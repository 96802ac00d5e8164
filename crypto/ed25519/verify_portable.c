#include "crypto/ed25519/table.h"
#include "crypto/ed25519/work.h"

#define AHEAD 3u /* additions between a prefetch and its use */

struct term {
    const uint8_t *entry;
    bool minus;
};

static uint32_t list_terms(struct term *terms, const uint8_t *table, const struct scalar *scalar,
                           uint32_t window)
{
    int16_t digits[TABLE_WINDOWS_MAX];
    uint32_t windows = table_windows(window);
    uint32_t count = 0;
    ed25519_table_digits(digits, scalar, window);
    for (uint32_t i = 0; i < windows; i++) {
        uint32_t size = (uint32_t)(digits[i] < 0 ? -digits[i] : digits[i]);
        if (size == 0)
            continue;
        terms[count].entry = table + (((size_t)i << (window - 1)) + size) * POINT_ENTRY_BYTES;
        terms[count++].minus = digits[i] < 0;
    }
    return count;
}

/* [S]B + [h](-A) of one job. */
static void multiply(struct point *sum, const struct work *work, uint32_t index)
{
    struct term terms[2 * TABLE_WINDOWS_MAX];
    uint32_t count = list_terms(terms, work->base->table, &work->s[index], work->base->window);
    count += list_terms(terms + count, work->table[index], &work->h[index], work->key_window);
    *sum = ed25519_point_neutral;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *ahead = terms[i + AHEAD < count ? i + AHEAD : i].entry;
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + CACHE_LINE_BYTES);
        point_add_entry(sum, terms[i].entry, terms[i].minus);
    }
}

uint64_t ed25519_work_compare(const struct work *work, const struct point *sum)
{
    struct field product[WORK_MAX + 1], inverse, z;
    uint64_t good = 0;
    product[0] = ed25519_field_one;
    for (uint32_t i = 0; i < work->count; i++)
        field_mul(&product[i + 1], &product[i], &sum[i].z);
    ed25519_field_invert_public(&inverse, &product[work->count]);
    for (uint32_t i = work->count; i-- > 0;) {
        uint8_t bytes[32];
        field_mul(&z, &inverse, &product[i]);
        field_mul(&inverse, &inverse, &sum[i].z);
        ed25519_point_encode(bytes, &sum[i].x, &sum[i].y, &z);
        if (memcmp(bytes, work->job[i]->signature, sizeof bytes) == 0)
            good |= UINT64_C(1) << i;
    }
    return good;
}

uint64_t ed25519_portable_verify(struct work *work)
{
    struct point sum[WORK_MAX];
    for (uint32_t i = 0; i < work->count; i++) {
        ed25519_work_hash(work, i);
        multiply(&sum[i], work, i);
    }
    return ed25519_work_compare(work, sum);
}
