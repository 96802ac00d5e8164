#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

extern "C" {
#include "bench/histogram.h"
}

namespace
{

std::unique_ptr<histogram> make()
{
    auto made = std::make_unique<histogram>();
    histogram_init(made.get());
    return made;
}

/* The dumb twin: the sample at rank ceil(n * per_million / 10^6). */
uint64_t exact(std::vector<uint64_t> samples, uint32_t per_million)
{
    std::sort(samples.begin(), samples.end());
    __extension__ typedef unsigned __int128 wide;
    wide rank = ((wide)samples.size() * per_million + 999999) / 1000000;
    return samples[rank == 0 ? 0 : (size_t)(rank - 1)];
}

void expect_close(uint64_t answer, uint64_t truth)
{
    EXPECT_GE(answer, truth);
    EXPECT_LE(answer - truth, truth / 32);
}

TEST(Histogram, EmptyAnswersZero)
{
    auto h = make();
    EXPECT_EQ(histogram_value(h.get(), 500000), 0u);
    EXPECT_EQ(histogram_value(h.get(), 1000000), 0u);
}

TEST(Histogram, BucketsTileAllValues)
{
    uint64_t next = 0; /* the value that the bucket must begin with */
    for (uint32_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        uint64_t last = histogram_bucket_last(i);
        ASSERT_GE(last, next);
        ASSERT_EQ(histogram_bucket(next), i);
        ASSERT_EQ(histogram_bucket(last), i);
        ASSERT_LE(last - next, next / 32) << "bucket " << i << " is too wide";
        next = last + 1;
    }
    EXPECT_EQ(next, 0u) << "the last bucket ends at 2^64 - 1";
}

TEST(Histogram, EdgesAreExact)
{
    const uint64_t edges[] = {0,
                              1,
                              31,
                              32,
                              63,
                              64,
                              (uint64_t(1) << 63) - 1,
                              uint64_t(1) << 63,
                              (uint64_t(1) << 63) + 1,
                              UINT64_MAX};
    for (uint64_t edge : edges) {
        auto h = make();
        histogram_record(h.get(), edge);
        EXPECT_EQ(histogram_value(h.get(), 0), edge);
        EXPECT_EQ(histogram_value(h.get(), 500000), edge);
        EXPECT_EQ(histogram_value(h.get(), 1000000), edge);
        EXPECT_EQ(h->highest, edge);
    }
}

TEST(Histogram, SmallValuesAreNotRounded)
{
    auto h = make();
    for (uint64_t value = 1; value <= 10; value++)
        histogram_record(h.get(), value);
    EXPECT_EQ(histogram_value(h.get(), 100000), 1u);
    EXPECT_EQ(histogram_value(h.get(), 500000), 5u);
    EXPECT_EQ(histogram_value(h.get(), 500001), 6u);
    EXPECT_EQ(histogram_value(h.get(), 900000), 9u);
    EXPECT_EQ(histogram_value(h.get(), 999999), 10u);
}

TEST(Histogram, AgreesWithSortedSamples)
{
    std::mt19937_64 random(7);
    for (int round = 0; round < 200; round++) {
        auto h = make();
        std::vector<uint64_t> samples;
        size_t count = 1 + random() % 3000;
        for (size_t i = 0; i < count; i++) {
            uint64_t value = random() >> (random() % 64); /* all magnitudes alike */
            samples.push_back(value);
            histogram_record(h.get(), value);
        }
        for (uint32_t per_million : {0u, 1u, 500000u, 900000u, 990000u, 999000u, 999999u, 1000000u})
            expect_close(histogram_value(h.get(), per_million), exact(samples, per_million));
        EXPECT_EQ(histogram_value(h.get(), 1000000),
                  *std::max_element(samples.begin(), samples.end()));
    }
}

TEST(Histogram, RankOfManyRecordsDoesNotOverflow)
{
    auto h = make();
    h->bucket[3] = uint64_t(1) << 62; /* as if recorded 2^62 times */
    h->bucket[5] = uint64_t(1) << 62;
    h->count = uint64_t(1) << 63;
    h->highest = 5;
    EXPECT_EQ(histogram_value(h.get(), 500000), 3u);
    EXPECT_EQ(histogram_value(h.get(), 500001), 5u);
}

} // namespace
