/* Bytes that are no state: each refused by its name, whatever the rest says. */
#include "tests/unit/state/capture_fixture.h"

extern "C" {
#include "dataplane/state/image.h"
}

namespace
{

constexpr state_config kConfig = {64, 64u << 10, 400};

class Load : public ::testing::Test
{
  protected:
    Replica r, loaded;
    parts good;

    void SetUp() override
    {
        r.open(kConfig.keys_max, kConfig.bytes_max, kConfig.session_ttl_ms);
        uint64_t session = r.register_session(5);
        r.register_session(6);
        for (uint64_t i = 1; i <= 30; i++)
            r.run(set("key" + std::to_string(i), "value", i % 2 ? 0 : 300), session, i);
        good = walk_at_once(r, kConfig);
        ASSERT_EQ(good.size(), 3u);
        ASSERT_EQ(load(loaded, kConfig, good), STATE_LOADED);
    }

    static void put(std::string &part, size_t at, uint64_t value, size_t bytes)
    {
        memcpy(&part[IMAGE_KIND_BYTES + at], &value, bytes);
    }

    state_load_refusal with(size_t part, size_t at, uint64_t value, size_t bytes)
    {
        parts bad = good;
        put(bad[part], at, value, bytes);
        return load(loaded, kConfig, bad);
    }
};

TEST_F(Load, PartsInTheirPlaces)
{
    EXPECT_EQ(load(loaded, kConfig, {}), STATE_LOAD_PART);
    EXPECT_EQ(load(loaded, kConfig, {good[1]}), STATE_LOAD_PART);
    EXPECT_EQ(load(loaded, kConfig, {good[0], good[0]}), STATE_LOAD_PART);
    EXPECT_EQ(load(loaded, kConfig, {good[0], good[2], good[1]}), STATE_LOAD_PART);
    EXPECT_EQ(load(loaded, kConfig, {good[0], good[1], good[2], good[2]}), STATE_LOAD_ITEM);
    EXPECT_EQ(load(loaded, kConfig, {good[0], good[1], good[1], good[2]}), STATE_LOAD_SESSION);
    EXPECT_EQ(load(loaded, kConfig, {good[0], good[2]}), STATE_LOAD_SESSION);
    EXPECT_EQ(load(loaded, kConfig, {good[0], good[1]}), STATE_LOAD_DIGEST);
    EXPECT_EQ(load(loaded, kConfig, {good[0].substr(0, 3)}), STATE_LOAD_PART);
    parts bad = good;
    bad[1][0] = 9;
    EXPECT_EQ(load(loaded, kConfig, bad), STATE_LOAD_PART);
}

TEST_F(Load, OtherLimits)
{
    for (state_config other : {state_config{128, 64u << 10, 400}, state_config{64, 65u << 10, 400},
                               state_config{64, 64u << 10, 401}})
        EXPECT_EQ(load(loaded, other, good), STATE_LOAD_LIMITS);
}

TEST_F(Load, HeadsThatCanNotBe)
{
    EXPECT_EQ(with(0, 8, WIRE_TIME_MS_MAX + 1, 8), STATE_LOAD_HEAD);
    EXPECT_EQ(with(0, 56, UINT64_MAX, 8), STATE_LOAD_HEAD) << "registrations";
    EXPECT_EQ(with(0, 68, SESSIONS_MAX + 1, 4), STATE_LOAD_HEAD);
    EXPECT_EQ(with(0, IMAGE_LIST_AT, 0, 2), STATE_LOAD_HEAD) << "a slot twice";
    EXPECT_EQ(with(0, IMAGE_LIST_AT, SESSIONS_MAX, 2), STATE_LOAD_HEAD);
    EXPECT_EQ(with(0, 16, 1, 8), STATE_LOAD_DIGEST);
    EXPECT_EQ(with(0, 24, 29, 8), STATE_LOAD_DIGEST) << "keys";
    EXPECT_EQ(with(0, 32, 29, 8), STATE_LOAD_DIGEST) << "live bytes";
}

TEST_F(Load, SessionsThatAreNone)
{
    EXPECT_EQ(with(1, 0, 1, 4), STATE_LOAD_SESSION) << "slot is another's";
    EXPECT_EQ(with(1, 4, 29, 4), STATE_LOAD_SESSION) << "answers";
    EXPECT_EQ(with(1, 8, 0, 8), STATE_LOAD_SESSION) << "id";
    EXPECT_EQ(with(1, 8, 3 * SESSIONS_MAX, 8), STATE_LOAD_SESSION) << "not registered yet";
    EXPECT_EQ(with(1, 16, 0, 8), STATE_LOAD_SESSION) << "next";
    EXPECT_EQ(with(1, 24, 6, 8), STATE_LOAD_SESSION) << "nonce twice";
    EXPECT_EQ(with(1, 32, 5000, 8), STATE_LOAD_SESSION) << "used after the last entry";
    EXPECT_EQ(with(1, 32, 1, 8), STATE_LOAD_SESSION) << "used before one that is older";
    EXPECT_EQ(with(1, IMAGE_SESSION_BYTES, WIRE_STATUS_COUNT, 1), STATE_LOAD_SESSION);
    EXPECT_EQ(with(1, IMAGE_SESSION_BYTES + 1, 4, 1), STATE_LOAD_SESSION) << "type";
    EXPECT_EQ(with(1, IMAGE_SESSION_BYTES + 2, 17, 1), STATE_LOAD_SESSION) << "value bytes";
    EXPECT_EQ(with(1, IMAGE_SESSION_BYTES + 3, 1, 1), STATE_LOAD_SESSION) << "spare";
    EXPECT_EQ(with(1, IMAGE_SESSION_BYTES + 20, 1, 1), STATE_LOAD_SESSION) << "behind the value";
}

TEST_F(Load, ItemsThatAreNone)
{
    EXPECT_EQ(with(2, 0, TABLE_BUCKET_SLOTS, 4), STATE_LOAD_ITEM) << "no slot";
    EXPECT_EQ(with(2, 0, 16 * TABLE_BUCKET_WORDS, 4), STATE_LOAD_ITEM) << "behind the table";
    EXPECT_EQ(with(2, 4, WIRE_VALUE_BYTES_MAX + 1, 4), STATE_LOAD_ITEM);
    EXPECT_EQ(with(2, 4, 1u << 19, 4), STATE_LOAD_ITEM) << "longer than the part";
    EXPECT_EQ(with(2, 16, 0, 2), STATE_LOAD_ITEM);
    EXPECT_EQ(with(2, 16, 513, 2), STATE_LOAD_ITEM);
    EXPECT_EQ(with(2, 18, 1, 1), STATE_LOAD_ITEM) << "wide, and yet of the same class";
    EXPECT_EQ(with(2, 18, 2, 1), STATE_LOAD_ITEM);
    EXPECT_EQ(with(2, 19, 1, 1), STATE_LOAD_ITEM);
}

std::string item_record(uint32_t place, const std::string &key, const std::string &value)
{
    std::string record(IMAGE_ITEM_BYTES, '\0');
    auto bytes = static_cast<uint32_t>(value.size());
    memcpy(&record[0], &place, 4);
    memcpy(&record[4], &bytes, 4);
    record[16] = static_cast<char>(key.size());
    return record + key + value;
}

TEST_F(Load, MoreThanTheLimitsAllow)
{
    parts bad = {good[0], good[1], u32(IMAGE_ITEMS)};
    for (uint32_t i = 0; i < 40; i++)
        bad[2] += item_record(i / 7 * 8 + i % 7, "k" + std::to_string(i), std::string(2000, 'x'));
    EXPECT_EQ(load(loaded, kConfig, bad), STATE_LOAD_SPACE) << "bytes";
    bad[2] = u32(IMAGE_ITEMS);
    for (uint32_t i = 0; i < 65; i++)
        bad[2] += item_record(i / 7 * 8 + i % 7, "k" + std::to_string(i), "");
    EXPECT_EQ(load(loaded, kConfig, bad), STATE_LOAD_SPACE) << "keys";
}

TEST_F(Load, KeysThatNobodyWouldFind)
{
    parts bad = {good[0], good[1],
                 u32(IMAGE_ITEMS) + item_record(0, "k", "v") + item_record(1, "k", "w")};
    EXPECT_EQ(load(loaded, kConfig, bad), STATE_LOAD_UNREACHABLE) << "twice";
}

/* A key may lie anywhere behind its home, around the end of the table as well. */
TEST_F(Load, KeysFarFromHome)
{
    for (uint32_t bucket = 0; bucket < 16; bucket++) {
        parts bad = {good[0], good[1], u32(IMAGE_ITEMS) + item_record(bucket * 8, "k", "v")};
        EXPECT_EQ(load(loaded, kConfig, bad), STATE_LOAD_DIGEST) << "found, but not what was said";
        EXPECT_EQ(loaded.read(get("k")), bytes("v"));
        EXPECT_EQ(loaded.read(get("other")), nil());
    }
}

TEST_F(Load, AnyByteFlipped)
{
    for (size_t part = 0; part < good.size(); part++)
        for (size_t at = 0; at < good[part].size(); at += at < 200 ? 1 : 37) {
            parts bad = good;
            bad[part][at] = static_cast<char>(bad[part][at] ^ 0x41);
            state_load_refusal refusal = load(loaded, kConfig, bad);
            /* counters, nonces and answers are in no digest: the file's checksums guard them */
            if (part == 2) {
                EXPECT_NE(refusal, STATE_LOADED) << part << " " << at;
            }
        }
}

TEST(LoadRefusal, HasNameAndSentence)
{
    for (int i = 0; i < STATE_LOAD_REFUSAL_COUNT; i++) {
        auto refusal = static_cast<state_load_refusal>(i);
        EXPECT_STRNE(state_load_refusal_name(refusal), "");
        EXPECT_STRNE(state_load_refusal_sentence(refusal), "");
    }
}

} // namespace
