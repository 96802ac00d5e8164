#include <gtest/gtest.h>

#include <random>

extern "C" {
#include "bench/calibrate.h"
#include "bench/schedule.h"
}

namespace
{

uint64_t exact(const schedule &plan, uint64_t number)
{
    __extension__ typedef unsigned __int128 wide;
    return plan.start_ns + (uint64_t)((wide)number * 1000000000u / plan.rate);
}

TEST(Schedule, FirstIsDueAtTheStart)
{
    schedule plan = {123, 7};
    EXPECT_EQ(schedule_due_ns(&plan, 0), 123u);
}

TEST(Schedule, ARateDoesNotDrift)
{
    schedule plan = {0, 3};
    EXPECT_EQ(schedule_due_ns(&plan, 1), 333333333u);
    EXPECT_EQ(schedule_due_ns(&plan, 2), 666666666u);
    EXPECT_EQ(schedule_due_ns(&plan, 3), 1000000000u);
    EXPECT_EQ(schedule_due_ns(&plan, 3000000), 1000000000000000u);
}

TEST(Schedule, HighestRateIsOneEachNanosecond)
{
    schedule plan = {5, SCHEDULE_RATE_MAX};
    for (uint64_t number = 0; number < 2000; number++)
        ASSERT_EQ(schedule_due_ns(&plan, number), 5 + number);
}

TEST(Schedule, AgreesWithWideArithmetic)
{
    std::mt19937_64 random(3);
    for (int i = 0; i < 100000; i++) {
        schedule plan = {random() >> 20, 1 + random() % SCHEDULE_RATE_MAX};
        uint64_t number = random() >> 34;
        ASSERT_EQ(schedule_due_ns(&plan, number), exact(plan, number))
            << plan.rate << " " << number;
    }
}

TEST(Schedule, NeverFallsAndIssuesAsManyAsItsRate)
{
    schedule plan = {1000, 999983};
    uint64_t before = 0;
    uint64_t within_a_second = 0;
    for (uint64_t number = 0; number < 1200000; number++) {
        uint64_t due = schedule_due_ns(&plan, number);
        ASSERT_GE(due, before);
        before = due;
        within_a_second += due < plan.start_ns + 1000000000u;
    }
    EXPECT_EQ(within_a_second, plan.rate);
}

TEST(Calibrate, MedianOfOddAndEvenCounts)
{
    double odd[] = {9, 1, 5};
    double even[] = {8, 2, 4, 100};
    double one[] = {3};
    EXPECT_EQ(calibrate_median(odd, 3), 5);
    EXPECT_EQ(calibrate_median(even, 4), 6);
    EXPECT_EQ(calibrate_median(one, 1), 3);
}

TEST(Calibrate, NoDirectoryNoFigure)
{
    double write_ns = -7;
    EXPECT_FALSE(calibrate_fdatasync_ns("/nonexistent", &write_ns));
    EXPECT_EQ(write_ns, -7);
}

} // namespace
