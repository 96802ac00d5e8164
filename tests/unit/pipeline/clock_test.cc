#include <gtest/gtest.h>

#include <time.h>

extern "C" {
#include "dataplane/pipeline/clock.h"
}

namespace
{

uint64_t raw_ns()
{
    timespec raw;
    clock_gettime(CLOCK_MONOTONIC_RAW, &raw);
    return static_cast<uint64_t>(raw.tv_sec) * 1000000000u + static_cast<uint64_t>(raw.tv_nsec);
}

/* Twenty milliseconds of readings, each between two of the kernel's. Returns how many came from the
 * counter. */
uint64_t follow(clock_sample &sample)
{
    uint64_t counted = 0, end_ns = raw_ns() + 20000000, before_ns;
    while ((before_ns = raw_ns()) < end_ns) {
        uint64_t last_ns = sample.now_ns;
        clock_read(nullptr, &sample);
        uint64_t after_ns = raw_ns();
        EXPECT_GE(sample.now_ns, last_ns);
        EXPECT_GE(sample.now_ns + CLOCK_ERROR_NS, before_ns);
        EXPECT_LE(sample.now_ns, after_ns + CLOCK_ERROR_NS);
        counted += sample.span_ticks != 0;
    }
    return counted;
}

TEST(Clock, FollowsTheRawClock)
{
    clock_sample sample = {};
    clock_read(nullptr, &sample);
    bool trusted = sample.trusted;
    uint64_t counted = follow(sample);
    if (!trusted)
        GTEST_SKIP() << "this machine has no invariant TSC: the kernel is asked every time";
    EXPECT_GT(counted, 0u);
}

TEST(Clock, AsksTheKernelWhereTheCounterIsNotTrusted)
{
    clock_sample sample = {};
    clock_read(nullptr, &sample);
    sample.trusted = false;
    EXPECT_EQ(follow(sample), 0u);
}

TEST(Clock, CounterThatJumpedIsNotBelieved)
{
    clock_sample sample = {};
    follow(sample);
    for (uint64_t jump : {UINT64_C(1) << 20, UINT64_C(1) << 40, UINT64_MAX - (UINT64_C(1) << 40)}) {
        sample.anchor_ticks += jump; /* as if the counter had gone back that far */
        uint64_t before_ns = sample.now_ns;
        clock_read(nullptr, &sample);
        EXPECT_GE(sample.now_ns, before_ns);
        EXPECT_LE(sample.now_ns, raw_ns() + CLOCK_ERROR_NS);
    }
}

TEST(Clock, WallTimeIsTheKernels)
{
    clock_sample sample = {};
    clock_read(nullptr, &sample);
    timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t now_ms =
        static_cast<uint64_t>(wall.tv_sec) * 1000 + static_cast<uint64_t>(wall.tv_nsec) / 1000000;
    EXPECT_LE(sample.wall_ms, now_ms);
    EXPECT_GT(sample.wall_ms + 60000, now_ms);
}

} // namespace
