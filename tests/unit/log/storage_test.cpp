#include <gtest/gtest.h>

extern "C" {
#include "dataplane/log/storage.h"
}

class VolatileStorage : public ::testing::Test
{
  protected:
    alignas(64) uint8_t memory_[256];
    storage *storage_ = nullptr;

    void SetUp() override
    {
        ASSERT_LE(storage_volatile_footprint(), sizeof memory_);
        storage_ = storage_volatile_init(memory_);
    }

    void submit(uint64_t seq)
    {
        storage_write write = {};
        write.seq = seq;
        EXPECT_EQ(storage_submit(storage_, &write, 1, nullptr, 0), 1u);
    }
};

TEST_F(VolatileStorage, StoresAtOnceAndSaysWhatItIs)
{
    EXPECT_EQ(storage_poll(storage_, 0), 0u);
    submit(3);
    submit(9);
    EXPECT_EQ(storage_poll(storage_, 0), 9u);
    EXPECT_FALSE(storage_failed(storage_));
    EXPECT_FALSE(storage_full(storage_));
    EXPECT_EQ(storage_age_ns(storage_, 1000), 0u);
    EXPECT_STREQ(storage_durability(storage_), "volatile");
}

TEST(StorageAge, StepsTileTheAges)
{
    EXPECT_EQ(storage_age_step(0), 0u);
    for (uint32_t step = 0; step + 1 < STORAGE_AGES; step++) {
        uint64_t end = storage_age_step_ns(step);
        EXPECT_EQ(storage_age_step(end - 1), step);
        EXPECT_EQ(storage_age_step(end), step + 1);
    }
    EXPECT_EQ(storage_age_step(UINT64_MAX), STORAGE_AGES - 1);
}

TEST_F(VolatileStorage, NumbersNeverRepeat)
{
    submit(3);
    EXPECT_DEATH(submit(3), "broken");
}
