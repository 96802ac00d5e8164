#include "bench/histogram.h"

#include "numa/base/assert.h"

#include <string.h>

void histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

uint64_t histogram_bucket_last(uint32_t bucket)
{
    ENSURE(bucket < HISTOGRAM_BUCKET_COUNT);
    if (bucket < HISTOGRAM_STEPS)
        return bucket;
    uint32_t shift = (bucket >> HISTOGRAM_STEP_BITS) - 1;
    uint64_t step = HISTOGRAM_STEPS + (bucket & (HISTOGRAM_STEPS - 1));
    /* The last bucket ends at 2^64, one above what fits: subtract before the shift can overflow. */
    return (step << shift) + (((uint64_t)1 << shift) - 1);
}

uint64_t histogram_value(const struct histogram *histogram, uint32_t per_million)
{
    ENSURE(per_million <= 1000000u);
    if (histogram->count == 0)
        return 0;
    /* ceil(count * per_million / 10^6) without a product that overflows. */
    uint64_t millions = histogram->count / 1000000u;
    uint64_t rest = histogram->count % 1000000u;
    uint64_t rank = millions * per_million + (rest * per_million + 999999u) / 1000000u;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        seen += histogram->bucket[i];
        if (seen >= rank && seen > 0)
            return min_u64(histogram_bucket_last(i), histogram->highest);
    }
    return histogram->highest;
}
