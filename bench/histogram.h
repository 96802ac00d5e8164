/* histogram.h: durations counted in buckets that grow with the value, for percentiles without
 * samples.
 *
 * Shape: log-linear (the layout of HDR histograms): values below 32 have a bucket each; above,
 * every power of two is cut into 32 equal buckets, so that a bucket is never wider than 1/32 of its
 * lowest value. A percentile is answered with the highest value of its bucket, but never above the
 * highest one recorded: it may be up to 3.2 % too high and is never too low.
 *
 *   0 1 2 ... 31 | 32 33 ... 63 | 64 66 ... 126 | 128 132 ... 252 | ... | 2^63 ... 2^64-1
 *
 * Memory: the caller's struct, 15 KiB. Threads: one owner. Time: none. Limits: every uint64_t
 * value; 2^64 - 1 records. Refusals: none. Cost: record is one count-leading-zeros and two stores;
 * a percentile walks the buckets.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include "numa/base/types.h"

#define HISTOGRAM_STEP_BITS    5u
#define HISTOGRAM_STEPS        (1u << HISTOGRAM_STEP_BITS)
#define HISTOGRAM_BUCKET_COUNT ((64u - HISTOGRAM_STEP_BITS + 1u) * HISTOGRAM_STEPS)

struct histogram {
    uint64_t count;
    uint64_t highest;
    uint64_t bucket[HISTOGRAM_BUCKET_COUNT];
};

void histogram_init(struct histogram *histogram);

static inline uint32_t histogram_bucket(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (uint32_t)value;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
    return (shift << HISTOGRAM_STEP_BITS) + (uint32_t)(value >> shift);
}

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->bucket[histogram_bucket(value)]++;
    histogram->count++;
    if (value > histogram->highest)
        histogram->highest = value;
}

/* Highest value that falls into the bucket. */
uint64_t histogram_bucket_last(uint32_t bucket);

/* The value at rank ceil(count * per_million / 1,000,000), counted from 1 in ascending order; rank
 * 0 reads as 1. 500,000 is the median, 1,000,000 the maximum. 0 when nothing was recorded. */
uint64_t histogram_value(const struct histogram *histogram, uint32_t per_million);

#endif
