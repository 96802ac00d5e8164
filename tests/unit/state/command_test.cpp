#include "tests/unit/state/state_fixture.h"

extern "C" {
#include "dataplane/state/internal.h"
}

TEST_F(StateTest, RefusesConfigurationsThatCanNotWork)
{
    state_config good = {16, 64, 0};
    EXPECT_NE(state_footprint(&good), 0u);
    for (state_config bad : {state_config{8, 64, 0}, state_config{48, 64, 0},
                             state_config{16, 0, 0}, state_config{16, (uint64_t{1} << 40) + 1, 0}})
        EXPECT_EQ(state_footprint(&bad), 0u);
}

TEST_F(StateTest, SetThenGet)
{
    EXPECT_EQ(r.run(get("k")), nil());
    EXPECT_EQ(r.run(set("k", "v")), ok());
    EXPECT_EQ(r.run(get("k")), bytes("v"));
    EXPECT_EQ(r.read(get("k")), bytes("v"));
    EXPECT_EQ(r.run(set("k", "")), ok());
    EXPECT_EQ(r.read(get("k")), bytes("")) << "an empty value is a value";
    EXPECT_EQ(r.read(get("K")), nil());
    EXPECT_EQ(state_key_count(r.get_state()), 1u);
}

TEST_F(StateTest, SetWithConditions)
{
    EXPECT_EQ(r.run(set("k", "1", 0, WIRE_SET_IF_PRESENT)), nil());
    EXPECT_EQ(r.read(get("k")), nil());
    EXPECT_EQ(r.run(set("k", "2", 0, WIRE_SET_IF_ABSENT)), ok());
    EXPECT_EQ(r.run(set("k", "3", 0, WIRE_SET_IF_ABSENT)), nil());
    EXPECT_EQ(r.read(get("k")), bytes("2"));
    EXPECT_EQ(r.run(set("k", "4", 0, WIRE_SET_IF_PRESENT)), ok());
    EXPECT_EQ(r.read(get("k")), bytes("4"));
}

TEST_F(StateTest, SetReturnsTheOldValue)
{
    EXPECT_EQ(r.run(set("k", "1", 0, WIRE_SET_RETURN_OLD)), nil());
    EXPECT_EQ(r.run(set("k", "2", 0, WIRE_SET_RETURN_OLD)), bytes("1"));
    EXPECT_EQ(r.run(set("k", "3", 0, WIRE_SET_RETURN_OLD | WIRE_SET_IF_ABSENT)), bytes("2"));
    EXPECT_EQ(r.read(get("k")), bytes("2"));
    EXPECT_EQ(r.run(set("x", "3", 0, WIRE_SET_RETURN_OLD | WIRE_SET_IF_PRESENT)), nil());
    EXPECT_EQ(r.read(get("x")), nil());
}

TEST_F(StateTest, DeleteAndExists)
{
    EXPECT_EQ(r.run(on(WIRE_OP_DEL, "k")), integer(0));
    r.run(set("k", "v"));
    EXPECT_EQ(r.read(on(WIRE_OP_EXISTS, "k")), integer(1));
    EXPECT_EQ(r.run(on(WIRE_OP_DEL, "k")), integer(1));
    EXPECT_EQ(r.read(on(WIRE_OP_EXISTS, "k")), integer(0));
    EXPECT_EQ(r.run(on(WIRE_OP_SIZE, "")), integer(0));
}

TEST_F(StateTest, IncrementCountsFromZeroAndRefusesWhatIsNoInteger)
{
    EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "n", 5)), integer(5));
    EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "n", -7)), integer(-2));
    EXPECT_EQ(r.read(get("n")), bytes("-2"));
    for (const char *text :
         {"", "-", "+1", "01", "-0", " 1", "1 ", "1a", "9223372036854775808",
          "-9223372036854775809", "99999999999999999999", "123456789012345678901"}) {
        r.run(set("n", text));
        EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "n", 1)), refused(WIRE_WRONG_TYPE)) << text;
        EXPECT_EQ(r.read(get("n")), bytes(text));
    }
    r.run(set("n", "0"));
    EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "n", INT64_MIN)), integer(INT64_MIN));
    EXPECT_EQ(r.read(get("n")), bytes("-9223372036854775808"));
    EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "n", -1)), refused(WIRE_WRONG_TYPE));
    EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "n", INT64_MAX)), integer(-1));
    r.run(set("n", "9223372036854775807"));
    EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "n", 1)), refused(WIRE_WRONG_TYPE));
    EXPECT_EQ(r.count(STATE_WRONG_TYPE), 14u);
}

TEST_F(StateTest, AppendGrowsToOneMebibyte)
{
    EXPECT_EQ(r.run(append("k", "ab")), integer(2));
    EXPECT_EQ(r.run(append("k", "")), integer(2));
    EXPECT_EQ(r.run(append("k", std::string(WIRE_VALUE_BYTES_MAX - 3, 'x'))),
              integer(WIRE_VALUE_BYTES_MAX - 1));
    EXPECT_EQ(r.run(append("k", "cd")), refused(WIRE_TOO_BIG));
    EXPECT_EQ(r.run(append("k", "c")), integer(WIRE_VALUE_BYTES_MAX));
    EXPECT_EQ(r.run(append("k", "d")), refused(WIRE_TOO_BIG));
    EXPECT_EQ(r.read(on(WIRE_OP_STRLEN, "k")), integer(WIRE_VALUE_BYTES_MAX));
    answer whole = r.read(get("k"));
    EXPECT_EQ(whole.value.substr(0, 3), "abx");
    EXPECT_EQ(whole.value.back(), 'c');
    EXPECT_EQ(r.run(append("empty", "")), integer(0));
    EXPECT_EQ(r.read(on(WIRE_OP_EXISTS, "empty")), integer(1));
}

TEST_F(StateTest, CompareAndSwap)
{
    EXPECT_EQ(r.run(cas("k", "", "v")), integer(0)) << "an absent key matches nothing";
    EXPECT_EQ(r.read(get("k")), nil());
    r.run(set("k", "a", 5000));
    EXPECT_EQ(r.run(cas("k", "b", "c")), integer(0));
    EXPECT_EQ(r.run(cas("k", "aa", "c")), integer(0));
    EXPECT_EQ(r.run(cas("k", "a", "c")), integer(1));
    EXPECT_EQ(r.read(get("k")), bytes("c"));
    EXPECT_EQ(r.read(on(WIRE_OP_TTL, "k")), integer(5000)) << "keeps its time to live";
    r.run(set("k", ""));
    EXPECT_EQ(r.run(cas("k", "", "d")), integer(1));
}

TEST_F(StateTest, MsetSetsAllAndTheLastOfEqualKeysWins)
{
    r.run(set("b", "old", 5000));
    EXPECT_EQ(r.run(mset({{"a", "1"}, {"b", "2"}, {"a", "3"}, {"c", ""}})), ok());
    EXPECT_EQ(r.read(get("a")), bytes("3"));
    EXPECT_EQ(r.read(get("b")), bytes("2"));
    EXPECT_EQ(r.read(get("c")), bytes(""));
    EXPECT_EQ(r.read(on(WIRE_OP_TTL, "b")), integer(-1));
    EXPECT_EQ(r.run(on(WIRE_OP_SIZE, "")), integer(3));
    EXPECT_EQ(r.run(append("a", "4")), integer(2));
    EXPECT_EQ(r.run(get("a")), bytes("34"));
}

/* A reader that began before the entry was applied as a whole sees none of its pairs. */
TEST_F(StateTest, MsetIsSeenAsAWholeOrNotAtAll)
{
    r.reclaiming = false;
    r.run(set("a", "old"));
    uint64_t before = state_applied_index(r.get_state());
    r.run(mset({{"a", "1"}, {"b", "2"}, {"a", "3"}}));
    auto look = [&](const std::string &key, uint64_t index) {
        execution e = {};
        e.index = index;
        uint64_t hash = state_key_hash(reinterpret_cast<const uint8_t *>(key.data()), 1);
        const item *found = state_table_find(
            &r.get_state()->table, reinterpret_cast<const uint8_t *>(key.data()), 1, hash, nullptr);
        found = state_visible(r.get_state(), &e, found);
        return found == nullptr ? std::string("absent")
                                : std::string(reinterpret_cast<const char *>(item_value(found)),
                                              found->value_bytes);
    };
    EXPECT_EQ(look("a", before), "old");
    EXPECT_EQ(look("b", before), "absent");
    EXPECT_EQ(look("a", before + 1), "3");
    EXPECT_EQ(look("b", before + 1), "2");
}

/* The entry that was prefetched may have been replaced by another leader's. */
TEST_F(StateTest, PrefetchedHashBelongsToOneEntryOnly)
{
    std::vector<uint64_t> room[2];
    const char *key[2] = {"a", "b"};
    for (uint64_t term = 1; term <= 2; term++) {
        std::string body = set(key[term - 1], "v").body();
        room[term - 1].resize(wire_entry_size(static_cast<uint32_t>(body.size())) / 8);
        auto *entry = reinterpret_cast<wire_entry *>(room[term - 1].data());
        *entry = wire_entry{};
        entry->kind = WIRE_ENTRY_COMMAND;
        entry->index = 1;
        entry->term = term;
        entry->body_bytes = static_cast<uint32_t>(body.size());
        memcpy(entry + 1, body.data(), body.size());
    }
    wire_result result;
    state_prefetch(r.get_state(), reinterpret_cast<wire_entry *>(room[0].data()));
    state_apply(r.get_state(), reinterpret_cast<wire_entry *>(room[1].data()), &result);
    EXPECT_EQ(r.read(get("b")), bytes("v"));
    EXPECT_EQ(r.read(get("a")), nil());
}

TEST_F(StateTest, StringLength)
{
    EXPECT_EQ(r.read(on(WIRE_OP_STRLEN, "k")), integer(0));
    r.run(set("k", "four"));
    EXPECT_EQ(r.read(on(WIRE_OP_STRLEN, "k")), integer(4));
    EXPECT_EQ(r.run(on(WIRE_OP_STRLEN, "k")), integer(4));
}

TEST_F(StateTest, KeysAndValuesOfEverySize)
{
    r.open(1024, 1u << 28);
    std::vector<size_t> value_sizes = {0,  1,   15,  16,   17,    36,
                                       37, 100, 512, 4095, 65536, WIRE_VALUE_BYTES_MAX};
    for (size_t key_bytes : {1, 7, 8, 9, 16, 17, 33, 511, 512})
        for (size_t value_bytes : value_sizes) {
            std::string key(key_bytes, static_cast<char>('a' + value_bytes % 26));
            std::string value(value_bytes, static_cast<char>(key_bytes));
            ASSERT_EQ(r.run(set(key, value)), ok());
            ASSERT_EQ(r.read(get(key)), bytes(value));
        }
}

TEST_F(StateTest, WhatDoesNotDecodeIsABadCommand)
{
    r.tick(r.time_ms);
    uint64_t digest = state_digest(r.get_state());
    EXPECT_EQ(r.entry(WIRE_ENTRY_COMMAND, 0, 0, ""), refused(WIRE_BAD_COMMAND));
    EXPECT_EQ(r.entry(WIRE_ENTRY_COMMAND, 0, 0, "short"), refused(WIRE_BAD_COMMAND));
    EXPECT_EQ(r.entry(WIRE_ENTRY_COMMAND, 0, 0, std::string(16, '\0')), refused(WIRE_BAD_COMMAND));
    EXPECT_EQ(r.entry(77, 0, 0, ""), refused(WIRE_BAD_COMMAND));
    command registration = {WIRE_OP_REGISTER, 0, 5, "", "", ""};
    EXPECT_EQ(r.run(registration), refused(WIRE_BAD_COMMAND))
        << "a session is opened by an entry of its kind";
    EXPECT_EQ(r.run(set("k", "v", -1)), refused(WIRE_BAD_COMMAND));
    std::string truncated = set("key", "").body();
    truncated.resize(truncated.size() - 1);
    EXPECT_EQ(r.entry(WIRE_ENTRY_COMMAND, 0, 0, truncated), refused(WIRE_BAD_COMMAND));
    EXPECT_EQ(r.count(STATE_BAD_COMMAND), 7u);
    EXPECT_EQ(state_digest(r.get_state()), digest);
}

TEST_F(StateTest, ReadersAreRefusedWrites)
{
    EXPECT_EQ(r.read(set("k", "v")), refused(WIRE_BAD_COMMAND));
    EXPECT_EQ(r.read(get("k")), nil());
}

TEST_F(StateTest, RandomBodiesNeverAbort)
{
    random_state random;
    random_init(&random, 7);
    std::string body = set("key", "value").body();
    for (int i = 0; i < 200000; i++) {
        std::string bent = body;
        if (random_below(&random, 2) == 0)
            bent.resize(random_below(&random, body.size() + 8) + 1, 'x');
        for (uint64_t n = random_below(&random, 4); n > 0; n--) {
            size_t at = random_below(&random, 2) ? random_below(&random, bent.size())
                                                 : random_below(&random, min_u64(8, bent.size()));
            bent[at] = static_cast<char>(random_next(&random));
        }
        bent[0] = static_cast<char>(random_below(&random, 34));
        r.entry(WIRE_ENTRY_COMMAND, 0, 0, bent);
    }
    EXPECT_GT(r.count(STATE_BAD_COMMAND), 0u);
    EXPECT_GT(r.count(STATE_EXECUTED), 1000u);
}

TEST_F(StateTest, EntriesComeInOrder)
{
    wire_entry entry = {};
    entry.kind = WIRE_ENTRY_NOOP;
    entry.index = 2;
    wire_result result;
    EXPECT_DEATH(state_apply(r.get_state(), &entry, &result), "broken");
}

TEST_F(StateTest, DigestFollowsContentNotHistory)
{
    uint64_t empty = state_digest(r.get_state());
    r.time_ms = 0;
    r.open();
    r.run(set("a", "1"));
    uint64_t one = state_digest(r.get_state());
    r.run(set("b", "2"));
    r.run(set("a", "3"));
    EXPECT_NE(state_digest(r.get_state()), one);
    r.run(set("a", "1", 50));
    r.run(on(WIRE_OP_DEL, "b"));
    EXPECT_NE(state_digest(r.get_state()), one) << "a deadline counts";
    r.run(on(WIRE_OP_PERSIST, "a"));
    EXPECT_EQ(state_digest(r.get_state()), one);
    r.run(on(WIRE_OP_DEL, "a"));
    EXPECT_EQ(state_digest(r.get_state()), empty);
    r.run(set("a1", ""));
    uint64_t split = state_digest(r.get_state());
    r.run(on(WIRE_OP_DEL, "a1"));
    r.run(set("a", "1"));
    EXPECT_NE(state_digest(r.get_state()), split) << "where the key ends counts";
}

TEST_F(StateTest, EventsHaveNamesAndSentences)
{
    EXPECT_STREQ(state_event_name(STATE_EXECUTED), "EXECUTED");
    for (int i = 0; i < STATE_EVENT_COUNT; i++)
        EXPECT_GT(strlen(state_event_sentence(static_cast<state_event>(i))), 10u);
}
