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
        storage_submit(storage_, &write, 1, nullptr);
    }
};

TEST_F(VolatileStorage, StoresAtOnceAndSaysWhatItIs)
{
    EXPECT_EQ(storage_poll(storage_), 0u);
    submit(3);
    submit(9);
    EXPECT_EQ(storage_poll(storage_), 9u);
    EXPECT_FALSE(storage_failed(storage_));
    EXPECT_STREQ(storage_durability(storage_), "volatile");
}

TEST_F(VolatileStorage, NumbersNeverRepeat)
{
    submit(3);
    EXPECT_DEATH(submit(3), "broken");
}
