#include "crypto/ed25519/avx2_field.h"
#include "crypto/ed25519/point.h"
#include "crypto/ed25519/table.h"
#include "crypto/ed25519/work.h"

#define AHEAD     3u /* additions between a prefetch and its use */
#define STEPS_MAX (2 * TABLE_WINDOWS_MAX)

/* As of ifma_point.h. */
struct avx2_point {
    struct avx2_field y_minus_x, y_plus_x, z, t;
};

struct avx2_entry {
    struct avx2_field y_plus_x, y_minus_x, t2d;
};

struct steps {
    uint32_t count;
    const uint8_t *entry[STEPS_MAX + AHEAD][AVX2_LANES];
    int64_t minus[STEPS_MAX][AVX2_LANES]; /* -1: subtract */
};

/* ---- digits ---------------------------------------------------------------------------------- */

static void list_lane(struct steps *steps, uint32_t first, uint32_t lane, const uint8_t *table,
                      const struct scalar *scalar, uint32_t window)
{
    int16_t digits[TABLE_WINDOWS_MAX];
    uint32_t windows = table_windows(window);
    ed25519_table_digits(digits, scalar, window);
    for (uint32_t i = 0; i < windows; i++) {
        uint32_t size = (uint32_t)(digits[i] < 0 ? -digits[i] : digits[i]);
        size_t index = size == 0 ? 0 : ((size_t)i << (window - 1)) + size;
        steps->entry[first + i][lane] = table + index * POINT_ENTRY_BYTES;
        steps->minus[first + i][lane] = digits[i] < 0 ? -1 : 0;
    }
}

/* Lanes without a job repeat the last one. */
static void list_steps(struct steps *steps, const struct work *work, uint32_t first)
{
    uint32_t base_windows = table_windows(work->base->window);
    steps->count = base_windows + table_windows(work->key_window);
    for (uint32_t l = 0; l < AVX2_LANES; l++) {
        uint32_t job = min_u32(first + l, work->count - 1);
        list_lane(steps, 0, l, work->base->table, &work->s[job], work->base->window);
        list_lane(steps, base_windows, l, work->table[job], &work->h[job], work->key_window);
    }
    for (uint32_t i = 0; i < AHEAD; i++)
        memcpy((void *)steps->entry[steps->count + i], (const void *)steps->entry[steps->count - 1],
               sizeof steps->entry[0]);
}

/* ---- sums ------------------------------------------------------------------------------------ */

AVX2_INLINE void load_entry(struct avx2_entry *entry, const uint8_t *const from[AVX2_LANES],
                            __m256i minus)
{
    __m256i sum[4], difference[4], t2d[4], first[4], second[4];
    avx2_gather(sum, from, 0);
    avx2_gather(difference, from, 32);
    avx2_gather(t2d, from, 64);
    for (int i = 0; i < 4; i++) {
        first[i] = _mm256_blendv_epi8(sum[i], difference[i], minus);
        second[i] = _mm256_blendv_epi8(difference[i], sum[i], minus);
    }
    avx2_unpack(&entry->y_plus_x, first);
    avx2_unpack(&entry->y_minus_x, second);
    avx2_unpack(&entry->t2d, t2d);
}

/* point.h's addition; in the lanes of `minus` C is negated. */
AVX2_INLINE void add_entry(struct avx2_point *point, const struct avx2_entry *entry, __m256i minus)
{
    struct avx2_field a, b, c, d, e, f, g, h, x, y, column;
    avx2_multiply(&a, &point->y_minus_x, &entry->y_minus_x);
    avx2_multiply(&b, &point->y_plus_x, &entry->y_plus_x);
    avx2_difference(&column, &b, &a);
    avx2_carry(&e, &column);
    avx2_sum(&column, &b, &a);
    avx2_carry(&h, &column);
    avx2_multiply(&c, &point->t, &entry->t2d);
    avx2_sum(&d, &point->z, &point->z);
    avx2_lift(&d);
    for (int i = 0; i < AVX2_LIMBS; i++) {
        __m256i own = _mm256_sub_epi64(_mm256_xor_si256(c.row[i], minus), minus);
        f.row[i] = _mm256_sub_epi64(d.row[i], own);
        g.row[i] = _mm256_add_epi64(d.row[i], own);
    }
    avx2_carry(&f, &f);
    avx2_carry(&g, &g);
    avx2_multiply(&x, &e, &f);
    avx2_multiply(&y, &g, &h);
    avx2_difference(&column, &y, &x);
    avx2_carry(&point->y_minus_x, &column);
    avx2_sum(&column, &y, &x);
    avx2_carry(&point->y_plus_x, &column);
    avx2_product(&point->z, &f, &g);
    avx2_product(&point->t, &e, &h);
}

AVX2_TARGET static void add_steps(struct avx2_point *sum, const struct steps *steps)
{
    avx2_set(&sum->y_minus_x, 1);
    avx2_set(&sum->y_plus_x, 1);
    avx2_set(&sum->z, 1);
    avx2_set(&sum->t, 0);
    for (uint32_t i = 0; i < steps->count; i++) {
        struct avx2_entry entry;
        __m256i minus = _mm256_loadu_si256((const void *)steps->minus[i]);
        for (uint32_t l = 0; l < AVX2_LANES; l++) {
            __builtin_prefetch(steps->entry[i + AHEAD][l]);
            __builtin_prefetch(steps->entry[i + AHEAD][l] + CACHE_LINE_BYTES);
        }
        load_entry(&entry, steps->entry[i], minus);
        add_entry(sum, &entry, minus);
    }
}

/* To points one by one; from (Y+X, Y-X, Z) they are (2X, 2Y, 2Z). */
AVX2_TARGET static void spread(struct point *const to[AVX2_LANES], const struct avx2_point *sum)
{
    struct field *x[AVX2_LANES], *y[AVX2_LANES], *z[AVX2_LANES];
    struct avx2_field value;
    for (uint32_t l = 0; l < AVX2_LANES; l++) {
        x[l] = &to[l]->x;
        y[l] = &to[l]->y;
        z[l] = &to[l]->z;
    }
    avx2_difference(&value, &sum->y_plus_x, &sum->y_minus_x);
    avx2_carry(&value, &value);
    avx2_to_lanes(x, &value);
    avx2_sum(&value, &sum->y_plus_x, &sum->y_minus_x);
    avx2_to_lanes(y, &value);
    avx2_sum(&value, &sum->z, &sum->z);
    avx2_to_lanes(z, &value);
}

uint64_t ed25519_avx2_verify(struct work *work)
{
    struct point sum[WORK_MAX], spare;
    struct avx2_point lanes;
    struct steps steps;
    for (uint32_t i = 0; i < work->count; i++)
        ed25519_work_hash(work, i);
    for (uint32_t first = 0; first < work->count; first += AVX2_LANES) {
        struct point *to[AVX2_LANES];
        for (uint32_t l = 0; l < AVX2_LANES; l++)
            to[l] = first + l < work->count ? &sum[first + l] : &spare;
        list_steps(&steps, work, first);
        add_steps(&lanes, &steps);
        spread(to, &lanes);
    }
    return ed25519_work_compare(work, sum);
}
