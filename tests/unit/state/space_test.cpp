#include "tests/unit/state/state_fixture.h"

using SpaceTest = StateTest;

TEST_F(SpaceTest, KeysAreLimited)
{
    r.open(16, 1u << 20);
    for (int i = 0; i < 16; i++)
        ASSERT_EQ(r.run(set("k" + std::to_string(i), "v")), ok());
    uint64_t digest = state_digest(r.get_state());
    EXPECT_EQ(r.run(set("more", "v")), refused(WIRE_NO_SPACE));
    EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "more", 1)), refused(WIRE_NO_SPACE));
    EXPECT_EQ(r.run(append("more", "v")), refused(WIRE_NO_SPACE));
    EXPECT_EQ(r.run(mset({{"k1", "x"}, {"more", "v"}})), refused(WIRE_NO_SPACE));
    EXPECT_EQ(state_digest(r.get_state()), digest) << "a refusal changes nothing";
    EXPECT_EQ(r.run(set("k1", "w")), ok()) << "replacing needs no further key";
    EXPECT_EQ(r.run(mset({{"k1", "x"}, {"k2", "y"}})), ok());
    r.run(on(WIRE_OP_DEL, "k3"));
    EXPECT_EQ(r.run(set("more", "v")), ok());
    EXPECT_EQ(r.count(STATE_NO_SPACE), 4u);
}

/* Key 1, value 8, header 28: one unit of 64 bytes. */
TEST_F(SpaceTest, BytesAreLimitedBySizeClass)
{
    r.open(1024, 10 * 64);
    for (char c = 'a'; c < 'k'; c++)
        ASSERT_EQ(r.run(set(std::string(1, c), "12345678")), ok());
    EXPECT_EQ(r.run(set("z", "")), refused(WIRE_NO_SPACE));
    EXPECT_EQ(r.run(set("a", std::string(35, 'x'))), ok()) << "fills its unit";
    EXPECT_EQ(r.run(set("a", std::string(36, 'x'))), refused(WIRE_NO_SPACE)) << "one over";
    EXPECT_EQ(r.run(append("a", "x")), refused(WIRE_NO_SPACE));
    EXPECT_EQ(r.run(cas("a", std::string(35, 'x'), std::string(36, 'y'))), refused(WIRE_NO_SPACE));
    EXPECT_EQ(r.read(get("a")), bytes(std::string(35, 'x')));
    r.run(on(WIRE_OP_DEL, "b"));
    EXPECT_EQ(r.run(set("a", std::string(36, 'x'))), ok());
    EXPECT_EQ(r.run(set("z", "")), refused(WIRE_NO_SPACE));
    EXPECT_EQ(r.run(set("a", "")), ok()) << "shrinking always fits";
    EXPECT_EQ(r.run(set("z", "")), ok());
}

TEST_F(SpaceTest, MsetAsksAsIfNothingShrank)
{
    r.open(1024, 4 * 64);
    r.run(set("a", std::string(100, 'x')));
    EXPECT_EQ(r.run(mset({{"a", ""}, {"b", ""}, {"c", ""}})), refused(WIRE_NO_SPACE))
        << "3 units and 2 more";
    EXPECT_EQ(r.read(get("a")).value.size(), 100u);
    EXPECT_EQ(r.run(mset({{"a", ""}, {"b", ""}})), ok());
    EXPECT_EQ(r.run(mset({{"b", ""}, {"c", ""}, {"d", ""}})), ok());
    EXPECT_EQ(r.run(mset({{"e", ""}})), refused(WIRE_NO_SPACE));
}

TEST_F(SpaceTest, ExpiredKeysGiveTheirRoomBack)
{
    r.open(16, 64);
    r.run(set("a", "v", 10));
    EXPECT_EQ(r.run(set("b", "v")), refused(WIRE_NO_SPACE));
    r.tick(r.time_ms + 10);
    EXPECT_EQ(r.run(set("b", "v")), ok());
}

/* Whatever the class, a full table can be replaced by one of another class, over and over. */
TEST_F(SpaceTest, EveryClassHasRoomForTheWholeTable)
{
    constexpr uint64_t bytes_max = 4u << 20;
    r.open(1u << 16, bytes_max);
    for (uint32_t value_bytes : {10u, 1000u, 100u, WIRE_VALUE_BYTES_MAX, 5000u, 10u}) {
        uint32_t stored = 0;
        while (r.run(set("k" + std::to_string(stored), std::string(value_bytes, 'x'))).status ==
               WIRE_DONE)
            stored++;
        EXPECT_GE((stored + 1) * (value_bytes + 128.0) * 1.3, bytes_max) << value_bytes;
        for (uint32_t i = 0; i < stored; i++)
            ASSERT_EQ(r.run(on(WIRE_OP_DEL, "k" + std::to_string(i))), integer(1));
    }
    EXPECT_EQ(state_key_count(r.get_state()), 0u);
}

/* Without grace periods replaced versions pile up: the state asks to wait, and goes on when some
 * have been freed. */
TEST_F(SpaceTest, WaitsWhenGracePeriodsDoNotCome)
{
    r.open(16, 1u << 20);
    r.reclaiming = false;
    std::string value(100000, 'x');
    int writes = 0;
    while (state_can_apply(r.get_state())) {
        ASSERT_EQ(r.run(set("k", value)), ok());
        writes++;
    }
    EXPECT_GT(writes, 100) << "16 MiB at least";
    EXPECT_EQ(r.read(get("k")), bytes(value));
    wire_entry entry = {};
    entry.kind = WIRE_ENTRY_NOOP;
    entry.index = state_applied_index(r.get_state()) + 1;
    wire_result result;
    EXPECT_DEATH(state_apply(r.get_state(), &entry, &result), "broken");
    state_reclaim(r.get_state(), 5, 5);
    EXPECT_FALSE(state_can_apply(r.get_state())) << "tagged now, not yet unseen";
    state_reclaim(r.get_state(), 5, 5);
    EXPECT_FALSE(state_can_apply(r.get_state()));
    state_reclaim(r.get_state(), 6, 6);
    EXPECT_TRUE(state_can_apply(r.get_state()));
    EXPECT_EQ(r.run(set("k", "w")), ok());
}

TEST_F(SpaceTest, LateGracePeriodsStillFreeUnderConstantWrites)
{
    r.open(16, 1u << 20);
    r.reclaiming = false;
    std::string value(100000, 'x');
    for (uint64_t epoch = 10; epoch < 2000; epoch++) {
        ASSERT_TRUE(state_can_apply(r.get_state())) << epoch;
        r.run(set("k", value));
        state_reclaim(r.get_state(), epoch, epoch - 3);
    }
}

TEST_F(SpaceTest, ReplacedVersionStaysUntilTheGracePeriod)
{
    r.reclaiming = false;
    r.run(set("k", "old"));
    command g = get("k");
    wire_command c = g.wire();
    wire_result held;
    state_read(r.get_state(), &c, &held, nullptr, 0);
    r.run(set("k", "new"));
    state_reclaim(r.get_state(), 10, 10);
    for (int i = 0; i < 1000; i++) {
        r.run(set("x", "abc"));
        state_reclaim(r.get_state(), 10, 10);
    }
    EXPECT_EQ(std::string(reinterpret_cast<const char *>(held.value), held.value_bytes), "old");
    state_reclaim(r.get_state(), 11, 11);
    for (int i = 0; i < 1000; i++)
        r.run(set("y" + std::to_string(i % 600), "zzz"));
    EXPECT_NE(std::string(reinterpret_cast<const char *>(held.value), 3), "old")
        << "its place was used again";
}

TEST_F(SpaceTest, LargestMsetFitsTheRoomOfOneEntry)
{
    r.open(1u << 18, 64u << 20);
    std::vector<std::pair<std::string, std::string>> pairs;
    std::string key(3, ' ');
    for (uint32_t i = 0; pairs.size() * (8 + 3) < WIRE_BODY_BYTES_MAX - 64; i++) {
        key[0] = static_cast<char>(i);
        key[1] = static_cast<char>(i >> 8);
        key[2] = static_cast<char>(i >> 16);
        pairs.push_back({key, ""});
    }
    EXPECT_EQ(r.run(mset(pairs)), ok());
    EXPECT_EQ(r.run(mset(pairs)), ok());
    EXPECT_EQ(state_key_count(r.get_state()), pairs.size());
}
