#include "tests/unit/log/log_fixture.h"

TEST_F(LogFixture, RefusesConfigurationsThatCanNotWork)
{
    log_config good = {};
    good.bytes = kBytes;
    good.entries_max = 1024;
    good.first_index = 1;
    EXPECT_NE(log_footprint(&good), 0u);
    log_config bad = good;
    bad.bytes = kBytes + 64;
    EXPECT_EQ(log_footprint(&bad), 0u);
    bad = good;
    bad.bytes = 1u << 22;
    EXPECT_EQ(log_footprint(&bad), 0u) << "below four of the largest bodies";
    bad = good;
    bad.entries_max = 1000;
    EXPECT_EQ(log_footprint(&bad), 0u);
    bad = good;
    bad.first_index = 0;
    EXPECT_EQ(log_footprint(&bad), 0u);
}

TEST_F(LogFixture, FreshLogIsEmpty)
{
    open(1024, 41);
    EXPECT_EQ(log_first_index(log_), 41u);
    EXPECT_EQ(log_last_index(log_), 40u);
    EXPECT_EQ(log_bytes_used(log_), 0u);
    EXPECT_EQ(log_entry(log_, 40), nullptr);
    EXPECT_EQ(log_entry(log_, 41), nullptr);
}

TEST_F(LogFixture, AppendedEntriesAreFoundByIndex)
{
    open(1024);
    for (uint64_t index = 1; index <= 100; index++)
        ASSERT_TRUE(append(index, 1, static_cast<uint32_t>(index)));
    for (uint64_t index = 1; index <= 100; index++)
        expect_entry(index, 1, static_cast<uint32_t>(index));
    EXPECT_EQ(log_last_index(log_), 100u);
    EXPECT_EQ(log_entry(log_, 101), nullptr);
    EXPECT_EQ(log_entry(log_, 0), nullptr);
}

TEST_F(LogFixture, RunIsOneCopyInAndOneCopyOut)
{
    open(1024);
    std::vector<uint32_t> sizes = {0, 1, 7, 8, 9, 500};
    ASSERT_TRUE(append_run(1, 3, sizes));
    std::vector<uint8_t> sent = run(1, 3, sizes);
    std::vector<uint8_t> got(sent.size());
    EXPECT_EQ(log_copy(log_, 1, 6, 3, got.data(), static_cast<uint32_t>(got.size())), sent.size());
    EXPECT_EQ(got, sent);
}

TEST_F(LogFixture, CopyRefusesWhatIsMissingReplacedOrTooLarge)
{
    open(1024);
    ASSERT_TRUE(append_run(1, 3, {100, 100}));
    std::vector<uint8_t> to(4096);
    EXPECT_EQ(log_copy(log_, 1, 0, 3, to.data(), 4096), 0u) << "nothing asked for";
    EXPECT_EQ(log_copy(log_, 1, 3, 3, to.data(), 4096), 0u) << "third is missing";
    EXPECT_EQ(log_copy(log_, 0, 2, 3, to.data(), 4096), 0u) << "index 0";
    EXPECT_EQ(log_copy(log_, 1, 2, 2, to.data(), 4096), 0u) << "another term";
    EXPECT_EQ(log_copy(log_, 1, 2, 3, to.data(), 2 * wire_entry_size(100) - 1), 0u) << "capacity";
    EXPECT_EQ(log_copy(log_, 1, 2, 3, to.data(), 2 * wire_entry_size(100)),
              2 * wire_entry_size(100));
    ASSERT_TRUE(append(2, 4, 100));
    EXPECT_EQ(log_copy(log_, 1, 2, 3, to.data(), 4096), 0u) << "replaced";
    EXPECT_EQ(log_copy(log_, 1, 2, 4, to.data(), 4096), 2 * wire_entry_size(100));
}

TEST_F(LogFixture, AppendAtALowerIndexTruncates)
{
    open(1024);
    for (uint64_t index = 1; index <= 10; index++)
        ASSERT_TRUE(append(index, 1, 40));
    ASSERT_TRUE(append(4, 2, 60));
    EXPECT_EQ(log_last_index(log_), 4u);
    expect_entry(3, 1, 40);
    expect_entry(4, 2, 60);
    EXPECT_EQ(log_entry(log_, 5), nullptr);
    ASSERT_TRUE(append_run(2, 3, {1, 2, 3}));
    EXPECT_EQ(log_last_index(log_), 4u);
    expect_entry(1, 1, 40);
    expect_entry(2, 3, 1);
    expect_entry(4, 3, 3);
}

TEST_F(LogFixture, PaddingDoesNotTellWhatLayThereBefore)
{
    open(1024);
    wire_entry *before = log_append(log_, 1, 0);
    uint8_t *behind = reinterpret_cast<uint8_t *>(before) + wire_entry_size(0);
    std::fill_n(behind, wire_entry_size(3), 0xff);
    wire_entry *after = log_append(log_, 2, 3);
    ASSERT_EQ(reinterpret_cast<uint8_t *>(after), behind);
    const uint8_t *body = reinterpret_cast<const uint8_t *>(after + 1);
    EXPECT_EQ(std::vector<uint8_t>(body + 3, body + 8), std::vector<uint8_t>(5, 0));
}

TEST_F(LogFixture, HoldsExactlyWhatFitsAndForgetsOnlyReleased)
{
    open(1u << 16);
    constexpr uint32_t body = 4096 - WIRE_ENTRY_BYTES;
    constexpr uint64_t capacity = kBytes / 4096;
    for (uint64_t index = 1; index <= capacity; index++)
        ASSERT_TRUE(append(index, 1, body));
    EXPECT_EQ(log_bytes_used(log_), kBytes);
    EXPECT_FALSE(log_fits(log_, 1, 8));
    EXPECT_EQ(log_append(log_, capacity + 1, 0), nullptr);
    EXPECT_FALSE(append_run(capacity + 1, 1, {0}));
    EXPECT_EQ(log_reserve(log_, 8), nullptr);
    EXPECT_EQ(log_last_index(log_), capacity) << "refusals change nothing";
    EXPECT_EQ(log_first_index(log_), 1u);

    log_release(log_, 2);
    EXPECT_EQ(log_first_index(log_), 1u) << "released entries stay until room is needed";
    EXPECT_TRUE(log_fits(log_, 2, 8192));
    EXPECT_FALSE(log_fits(log_, 2, 8200));
    ASSERT_TRUE(append(capacity + 1, 1, body));
    EXPECT_EQ(log_first_index(log_), 2u);
    EXPECT_EQ(log_entry(log_, 1), nullptr);
    expect_entry(2, 1, body);
    expect_entry(capacity + 1, 1, body);
}

TEST_F(LogFixture, IndexRingIsALimitOfItsOwn)
{
    open(16);
    for (uint64_t index = 1; index <= 16; index++)
        ASSERT_TRUE(append(index, 1, 8));
    EXPECT_FALSE(log_fits(log_, 1, 8));
    EXPECT_EQ(log_append(log_, 17, 8), nullptr);
    EXPECT_TRUE(append_run(16, 2, {8})) << "replacing needs no further index";
    log_release(log_, 3);
    EXPECT_TRUE(append_run(17, 2, {8, 8, 8}));
    EXPECT_FALSE(log_fits(log_, 1, 8));
    EXPECT_EQ(log_first_index(log_), 4u);
}

TEST_F(LogFixture, RunLargerThanHalfTheRingIsRefused)
{
    open(1024);
    EXPECT_TRUE(log_fits(log_, 1, kBytes / 2));
    EXPECT_FALSE(log_fits(log_, 1, kBytes / 2 + 8));
}

TEST_F(LogFixture, RepeatedTruncationNeverLocksTheLog)
{
    open(1u << 16);
    ASSERT_TRUE(append(1, 1, 100));
    /* Entry 1 is never released; each new leader replaces what follows it. */
    for (uint64_t term = 2; term < 200; term++)
        ASSERT_TRUE(append(2, term, 1u << 20)) << term;
    expect_entry(1, 1, 100);
    expect_entry(2, 199, 1u << 20);
}

TEST_F(LogFixture, LargestEntriesKeepPassingThrough)
{
    open(1024);
    for (uint64_t index = 1; index <= 50; index++) {
        ASSERT_TRUE(append(index, 1, WIRE_BODY_BYTES_MAX));
        log_release(log_, index - 1);
        expect_entry(index, 1, WIRE_BODY_BYTES_MAX);
    }
}
