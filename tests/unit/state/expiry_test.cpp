#include "tests/unit/state/state_fixture.h"

using ExpiryTest = StateTest;

TEST_F(ExpiryTest, KeyIsGoneWhenLogTimeReachesItsDeadline)
{
    r.time_ms = 1000;
    r.run(set("k", "v", 50));
    EXPECT_EQ(state_next_expiry_ms(r.get_state()), 1050u);
    EXPECT_EQ(r.read(on(WIRE_OP_TTL, "k")), integer(50));
    r.tick(1049);
    EXPECT_EQ(r.read(get("k")), bytes("v"));
    EXPECT_EQ(r.read(on(WIRE_OP_TTL, "k")), integer(1));
    r.tick(1050);
    EXPECT_EQ(r.read(get("k")), nil());
    EXPECT_EQ(r.read(on(WIRE_OP_TTL, "k")), integer(-2));
    EXPECT_EQ(state_key_count(r.get_state()), 0u) << "deleted, not only hidden";
    EXPECT_EQ(state_next_expiry_ms(r.get_state()), UINT64_MAX);
    EXPECT_EQ(r.count(STATE_KEY_EXPIRED), 1u);
}

TEST_F(ExpiryTest, TimeNeverFalls)
{
    r.tick(5000);
    r.tick(4000);
    EXPECT_EQ(state_time_ms(r.get_state()), 5000u);
}

TEST_F(ExpiryTest, WritesThatEndOrKeepATimeToLive)
{
    auto ttl = [&](const char *key) { return r.read(on(WIRE_OP_TTL, key)).integer; };
    r.run(set("k", "1", 500));
    r.run(on(WIRE_OP_INCRBY, "k", 1));
    EXPECT_EQ(ttl("k"), 500);
    r.run(append("k", "0"));
    EXPECT_EQ(ttl("k"), 500);
    r.run(set("k", "2", 0, WIRE_SET_KEEP_TTL));
    EXPECT_EQ(ttl("k"), 500);
    r.run(set("k", "2", 700));
    EXPECT_EQ(ttl("k"), 700);
    r.run(set("k", "2"));
    EXPECT_EQ(ttl("k"), -1);
    EXPECT_EQ(state_next_expiry_ms(r.get_state()), UINT64_MAX);
    r.run(set("new", "2", 0, WIRE_SET_KEEP_TTL));
    EXPECT_EQ(ttl("new"), -1);
}

TEST_F(ExpiryTest, ExpireAndPersist)
{
    EXPECT_EQ(r.run(on(WIRE_OP_EXPIRE, "k", 10)), integer(0));
    EXPECT_EQ(r.run(on(WIRE_OP_PERSIST, "k")), integer(0));
    r.run(set("k", "v"));
    EXPECT_EQ(r.run(on(WIRE_OP_PERSIST, "k")), integer(0));
    EXPECT_EQ(r.run(on(WIRE_OP_EXPIRE, "k", 10)), integer(1));
    EXPECT_EQ(r.run(on(WIRE_OP_EXPIRE, "k", 20)), integer(1));
    EXPECT_EQ(state_next_expiry_ms(r.get_state()), r.time_ms + 20);
    EXPECT_EQ(r.run(on(WIRE_OP_PERSIST, "k")), integer(1));
    EXPECT_EQ(r.read(on(WIRE_OP_TTL, "k")), integer(-1));
    EXPECT_EQ(r.run(on(WIRE_OP_EXPIRE, "k", 0)), integer(1));
    EXPECT_EQ(r.read(get("k")), nil());
    r.run(set("k", "v"));
    EXPECT_EQ(r.run(on(WIRE_OP_EXPIRE, "k", INT64_MIN)), integer(1));
    EXPECT_EQ(r.read(get("k")), nil());
}

TEST_F(ExpiryTest, DeadlinesDoNotOverflow)
{
    r.tick(UINT64_MAX - 10);
    r.run(set("k", "v"));
    EXPECT_EQ(r.run(on(WIRE_OP_EXPIRE, "k", INT64_MAX)), integer(1));
    EXPECT_EQ(r.read(get("k")), bytes("v"));
    r.open();
    r.time_ms = 1;
    r.run(set("k", "v", INT64_MAX));
    EXPECT_EQ(r.read(on(WIRE_OP_TTL, "k")), integer(INT64_MAX));
}

/* More keys are due than one entry deletes: hidden at once, deleted little by little, absent for
 * every command. */
TEST_F(ExpiryTest, DeletionIsBoundedPerEntryAndNeverVisible)
{
    for (int i = 0; i < 100; i++)
        r.run(set("k" + std::to_string(i), "1", 50));
    r.run(set("stays", "1"));
    r.tick(r.time_ms + 50);
    uint64_t left = state_key_count(r.get_state());
    EXPECT_GT(left, 1u);
    EXPECT_LT(left, 101u);
    EXPECT_LE(state_next_expiry_ms(r.get_state()), r.time_ms) << "says that more is due";
    for (int i = 0; i < 100; i++)
        ASSERT_EQ(r.read(get("k" + std::to_string(i))), nil());
    EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "k99", 5)), integer(5)) << "from nothing";
    EXPECT_EQ(r.run(on(WIRE_OP_PERSIST, "k98")), integer(0));
    while (state_next_expiry_ms(r.get_state()) <= r.time_ms)
        r.tick(r.time_ms);
    EXPECT_EQ(state_key_count(r.get_state()), 2u);
    EXPECT_EQ(r.count(STATE_KEY_EXPIRED), 100u);
}

TEST_F(ExpiryTest, EveryWriteSeesADueKeyAsAbsent)
{
    /* 40 keys are due before the one under test, so that it is still there when the command
     * runs. */
    auto with_due = [&](const command &c) {
        r.open();
        r.time_ms = 1000;
        for (int i = 0; i < 40; i++)
            r.run(set("a" + std::to_string(i), "1", 10));
        r.run(set("k", "7", 20));
        r.time_ms = 1020;
        r.run(get("other"));
        EXPECT_EQ(state_key_count(r.get_state()), 9u);
        return r.run(c);
    };
    EXPECT_EQ(with_due(on(WIRE_OP_DEL, "k")), integer(0));
    EXPECT_EQ(with_due(on(WIRE_OP_INCRBY, "k", 1)), integer(1));
    EXPECT_EQ(with_due(append("k", "x")), integer(1));
    EXPECT_EQ(with_due(cas("k", "7", "x")), integer(0));
    EXPECT_EQ(with_due(on(WIRE_OP_EXPIRE, "k", 100)), integer(0));
    EXPECT_EQ(with_due(on(WIRE_OP_PERSIST, "k")), integer(0));
    EXPECT_EQ(with_due(get("k")), nil());
    EXPECT_EQ(with_due(on(WIRE_OP_EXISTS, "k")), integer(0));
    EXPECT_EQ(with_due(set("k", "x", 0, WIRE_SET_IF_PRESENT)), nil());
    EXPECT_EQ(with_due(set("k", "x", 0, WIRE_SET_IF_ABSENT)), ok());
    EXPECT_EQ(with_due(set("k", "x", 0, WIRE_SET_RETURN_OLD)), nil());
    EXPECT_EQ(with_due(set("k", "x", 0, WIRE_SET_KEEP_TTL)), ok());
    EXPECT_EQ(r.read(on(WIRE_OP_TTL, "k")), integer(-1));
    EXPECT_EQ(with_due(mset({{"k", "x"}})), ok());
}
