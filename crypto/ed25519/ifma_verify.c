#include "crypto/ed25519/ifma_digit.h"
#include "crypto/ed25519/ifma_point.h"
#include "crypto/ed25519/lanes.h"
#include "crypto/ed25519/table.h"
#include "crypto/ed25519/work.h"

#define AHEAD     2u /* additions between a prefetch and its use */
#define STEPS_MAX (2 * TABLE_WINDOWS_MAX)
#define GROUPS    (WORK_MAX / IFMA_LANES)

/* The entries that each lane adds, one a step. */
struct steps {
    uint32_t count;
    const uint8_t *entry[STEPS_MAX + AHEAD][IFMA_LANES];
    uint8_t minus[STEPS_MAX];
};

struct group {
    struct ifma_point sum;
    struct ifma_field z2, before; /* 2Z, and the product of those of earlier groups */
    uint32_t first, count;        /* jobs */
    uint32_t stride;              /* lanes a job */
};

/* ---- hashes ---------------------------------------------------------------------------------- */

IFMA_INLINE void hash_lanes(struct work *work, uint32_t first, uint32_t count)
{
    struct lanes_text text[IFMA_LANES];
    if (count == 1) {
        ed25519_work_hash(work, first);
        return;
    }
    for (uint32_t l = 0; l < count; l++) {
        const struct ed25519_job *job = work->job[first + l];
        text[l] = (struct lanes_text){
            {job->signature, work->key[first + l]}, job->message, job->message_bytes};
    }
    ed25519_ifma_hash_scalar(&work->h[first], text, count);
}

/* ---- digits ---------------------------------------------------------------------------------- */

/* table.h's recoding in eight lanes: appends a step for each window of the scalars. */
IFMA_INLINE void append_steps(struct steps *steps, const __m512i scalar[SCALAR_WORDS],
                              __m512i table, uint32_t window)
{
    const __m512i zero = _mm512_setzero_si512();
    uint32_t windows = table_windows(window);
    __mmask8 minus = 0;
    for (uint32_t i = 0; i < windows; i++) {
        __m512i digit = ifma_digit(scalar, window, i, i + 1 == windows, &minus);
        __mmask8 some = _mm512_cmpneq_epu64_mask(digit, zero);
        __m512i index = _mm512_add_epi64(digit, ifma_all((uint64_t)i << (window - 1)));
        __m512i offset = _mm512_maskz_add_epi64(some, _mm512_slli_epi64(index, 6),
                                                _mm512_slli_epi64(index, 5)); /* times 96 */
        _mm512_storeu_si512((void *)steps->entry[steps->count], _mm512_add_epi64(table, offset));
        steps->minus[steps->count++] = minus;
    }
}

/* Deals each job's steps out to its lanes, from one lane of eight before. */
static void split_steps(struct steps *to, const struct steps *from, uint32_t count, uint32_t stride,
                        const uint8_t *neutral)
{
    to->count = (from->count + stride - 1) / stride;
    memset(to->minus, 0, to->count);
    for (uint32_t step = 0; step < to->count; step++) {
        for (uint32_t l = 0; l < IFMA_LANES; l++) {
            uint32_t job = l / stride, source = step * stride + l % stride;
            bool some = job < count && source < from->count;
            to->entry[step][l] = some ? from->entry[source][job] : neutral;
            if (some && (from->minus[source] >> job & 1) != 0)
                to->minus[step] = (uint8_t)(to->minus[step] | 1u << l);
        }
    }
}

IFMA_INLINE void list_steps(struct steps *steps, const struct work *work, const struct group *group)
{
    static const struct scalar none = {{0}};
    const uint8_t *s[IFMA_LANES], *h[IFMA_LANES], *table[IFMA_LANES];
    __m512i scalar[SCALAR_WORDS];
    for (uint32_t l = 0; l < IFMA_LANES; l++) {
        bool some = l < group->count;
        s[l] = (const uint8_t *)(some ? &work->s[group->first + l] : &none);
        h[l] = (const uint8_t *)(some ? &work->h[group->first + l] : &none);
        table[l] = some ? work->table[group->first + l] : work->base->table;
    }
    steps->count = 0;
    ifma_gather(scalar, s, 0);
    append_steps(steps, scalar, ifma_all((uintptr_t)work->base->table), work->base->window);
    ifma_gather(scalar, h, 0);
    append_steps(steps, scalar, _mm512_loadu_si512((const void *)table), work->key_window);
}

/* ---- sums ------------------------------------------------------------------------------------ */

IFMA_INLINE void prefetch_step(const uint8_t *const entry[IFMA_LANES])
{
    for (uint32_t l = 0; l < IFMA_LANES; l++) {
        __builtin_prefetch(entry[l]);
        __builtin_prefetch(entry[l] + CACHE_LINE_BYTES);
    }
}

IFMA_TARGET static void add_steps(struct ifma_point *out, struct steps *steps)
{
    struct ifma_point sum;
    struct ifma_entry entry;
    for (uint32_t i = 0; i < AHEAD; i++) {
        memcpy((void *)steps->entry[steps->count + i], (const void *)steps->entry[steps->count - 1],
               sizeof steps->entry[0]);
        prefetch_step(steps->entry[i]);
    }
    ifma_entry_load(&entry, steps->entry[0], steps->minus[0]);
    ifma_point_begin(&sum, &entry);
    for (uint32_t i = 1; i < steps->count; i++) {
        prefetch_step(steps->entry[i + AHEAD]);
        ifma_entry_load(&entry, steps->entry[i], steps->minus[i]);
        ifma_point_add_entry(&sum, &entry, steps->minus[i]);
    }
    *out = sum;
}

IFMA_INLINE void permute_field(struct ifma_field *out, const struct ifma_field *a, __m512i order)
{
    for (int i = 0; i < FIELD_LIMBS; i++)
        out->row[i] = _mm512_permutexvar_epi64(order, a->row[i]);
}

/* Adds up the lanes of each job, in all of them. */
IFMA_TARGET static void merge_lanes(struct ifma_point *sum, uint32_t stride)
{
    const __m512i lanes = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    for (uint32_t distance = 1; distance < stride; distance *= 2) {
        __m512i order = _mm512_xor_si512(lanes, ifma_all(distance));
        struct ifma_point other;
        permute_field(&other.y_minus_x, &sum->y_minus_x, order);
        permute_field(&other.y_plus_x, &sum->y_plus_x, order);
        permute_field(&other.z, &sum->z, order);
        permute_field(&other.t, &sum->t, order);
        ifma_point_add(sum, &other);
    }
}

IFMA_TARGET static void sum_group(struct work *work, struct group *group)
{
    struct steps steps, split;
    hash_lanes(work, group->first, group->count);
    list_steps(&steps, work, group);
    group->stride = IFMA_LANES / (uint32_t)power_of_two_at_least(group->count);
    if (group->stride > 1) {
        split_steps(&split, &steps, group->count, group->stride, work->base->table);
        add_steps(&group->sum, &split);
        merge_lanes(&group->sum, group->stride);
    } else {
        add_steps(&group->sum, &steps);
    }
}

/* ---- verdicts -------------------------------------------------------------------------------- */

/* Bit j: the sum of the group's job j encodes to its R. */
IFMA_TARGET static uint64_t compare_group(const struct work *work, const struct group *group,
                                          const struct ifma_field *inverse)
{
    const uint8_t *from[IFMA_LANES];
    __m512i x[4], y[4], r[4];
    uint64_t good = 0;
    for (uint32_t l = 0; l < IFMA_LANES; l++)
        from[l] = work->job[group->first + min_u32(l / group->stride, group->count - 1)]->signature;
    ifma_gather(r, from, 0);
    ifma_point_affine(x, y, &group->sum, inverse);
    y[3] = _mm512_or_si512(y[3], _mm512_slli_epi64(x[0], 63));
    __mmask8 same = _mm512_cmpeq_epi64_mask(y[0], r[0]);
    for (int i = 1; i < 4; i++)
        same = _mm512_mask_cmpeq_epi64_mask(same, y[i], r[i]);
    for (uint32_t j = 0; j < group->count; j++)
        good |= (uint64_t)(same >> (j * group->stride) & 1) << j;
    return good;
}

IFMA_TARGET uint64_t ed25519_ifma_verify(struct work *work)
{
    struct group group[GROUPS];
    struct ifma_field product, inverse, own;
    uint32_t groups = 0;
    uint64_t good = 0;
    ifma_set(&product, 1);
    for (uint32_t first = 0; first < work->count; first += IFMA_LANES, groups++) {
        struct group *next = &group[groups];
        next->first = first;
        next->count = min_u32(work->count - first, IFMA_LANES);
        sum_group(work, next);
        ifma_sum(&next->z2, &next->sum.z, &next->sum.z);
        ifma_carry(&next->z2, &next->z2);
        next->before = product;
        ifma_product(&product, &product, &next->z2);
    }
    ed25519_ifma_invert(&inverse, &product, true);
    while (groups-- > 0) {
        ifma_product(&own, &inverse, &group[groups].before);
        ifma_product(&inverse, &inverse, &group[groups].z2);
        good |= compare_group(work, &group[groups], &own) << group[groups].first;
    }
    return good;
}
