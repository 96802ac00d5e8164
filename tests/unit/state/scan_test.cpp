#include "tests/unit/state/state_fixture.h"

#include <algorithm>
#include <map>
#include <set>

extern "C" {
#include "dataplane/state/internal.h"
}

class ScanTest : public StateTest
{
  protected:
    static std::vector<std::string> keys_of(const answer &a)
    {
        std::vector<std::string> keys;
        for (size_t at = 0; at < a.value.size();) {
            uint32_t bytes = load_u32(a.value.data() + at);
            keys.push_back(a.value.substr(at + 4, bytes));
            at += 4 + bytes;
        }
        return keys;
    }

    std::vector<std::string> all(uint32_t count, const std::string &pattern = "",
                                 uint32_t scratch_bytes = 65536)
    {
        std::vector<std::string> keys;
        int64_t cursor = 0;
        do {
            answer a = r.read(scan(cursor, count, pattern), scratch_bytes);
            EXPECT_EQ(a.status, WIRE_DONE);
            EXPECT_EQ(a.type, WIRE_BYTES);
            for (auto &key : keys_of(a))
                keys.push_back(key);
            cursor = a.integer;
        } while (cursor != 0);
        std::sort(keys.begin(), keys.end());
        return keys;
    }
};

TEST_F(ScanTest, EveryKeyOnce)
{
    EXPECT_TRUE(all(10).empty());
    std::vector<std::string> keys;
    for (int i = 0; i < 1000; i++) {
        keys.push_back("key:" + std::to_string(i));
        r.run(set(keys.back(), "v"));
    }
    std::sort(keys.begin(), keys.end());
    for (uint32_t count : {0u, 1u, 10u, 5000u, UINT32_MAX})
        EXPECT_EQ(all(count), keys) << count;
    EXPECT_EQ(all(5000, "", SCAN_BYTES_MIN), keys) << "smallest scratch";
    EXPECT_EQ(all(10, "key:99*").size(), 11u);
    EXPECT_TRUE(all(10, "nothing*").empty());
}

TEST_F(ScanTest, StopsNearTheCount)
{
    for (int i = 0; i < 1000; i++)
        r.run(set("key:" + std::to_string(i), "v"));
    answer a = r.read(scan(0, 10));
    EXPECT_GE(keys_of(a).size(), 10u);
    EXPECT_LT(keys_of(a).size(), 10u + 7u);
    EXPECT_GT(a.integer, 0);
}

TEST_F(ScanTest, WorkPerCallIsBounded)
{
    r.open(1u << 16);
    r.run(set("only", "v"));
    answer a = r.read(scan(0, 10, "nothing"));
    EXPECT_EQ(a.integer, SCAN_BUCKETS_MAX);
}

TEST_F(ScanTest, KeysThatStayAreFoundWhileOthersComeAndGo)
{
    std::set<std::string> stay;
    for (int i = 0; i < 300; i++) {
        stay.insert("stay" + std::to_string(i));
        r.run(set("stay" + std::to_string(i), "v"));
    }
    std::map<std::string, int> seen;
    int64_t cursor = 0;
    int round = 0;
    do {
        answer a = r.read(scan(cursor, 5));
        for (auto &key : keys_of(a))
            seen[key]++;
        for (int i = 0; i < 20; i++)
            r.run(set("come" + std::to_string(round * 20 + i), "v"));
        for (int i = 0; i < 20; i++)
            r.run(on(WIRE_OP_DEL, "come" + std::to_string(round * 20 + i)));
        r.run(set("stay" + std::to_string(round % 300), "w"));
        round++;
        cursor = a.integer;
    } while (cursor != 0);
    for (auto &key : stay)
        EXPECT_EQ(seen[key], 1) << key;
}

TEST_F(ScanTest, AsAnEntryItAnswersAtItsPlace)
{
    r.run(set("a", "1"));
    r.run(set("b", "1"));
    answer a = r.run(scan(0, 100));
    std::vector<std::string> keys = keys_of(a);
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(keys, (std::vector<std::string>{"a", "b"}));
}

TEST_F(ScanTest, Refusals)
{
    EXPECT_EQ(r.read(scan(0, 10), SCAN_BYTES_MIN - 1), refused(WIRE_TOO_BIG));
    EXPECT_EQ(r.read(scan(0, 10, std::string(SCAN_PATTERN_MAX + 1, '?'))), refused(WIRE_TOO_BIG));
    command bare = scan(0, 10);
    bare.value = "abc";
    EXPECT_EQ(r.read(bare), refused(WIRE_BAD_COMMAND));
    r.run(set("k", "v"));
    for (int64_t cursor : {int64_t{-1}, INT64_MIN, INT64_MAX, int64_t{256}}) {
        answer a = r.read(scan(cursor, 10));
        EXPECT_EQ(a.integer, 0) << cursor;
        EXPECT_EQ(a.value, "");
    }
    EXPECT_EQ(r.run(scan(0, 10, std::string(SCAN_PATTERN_MAX + 1, '?'))), refused(WIRE_TOO_BIG));
    EXPECT_EQ(r.count(STATE_TOO_BIG), 1u);
}

TEST_F(ScanTest, DueKeysAreHidden)
{
    for (int i = 0; i < 60; i++)
        r.run(set("due" + std::to_string(i), "v", 10));
    r.run(set("k", "v"));
    r.tick(r.time_ms + 10);
    ASSERT_GT(state_key_count(r.get_state()), 1u);
    EXPECT_EQ(all(10), std::vector<std::string>{"k"});
}

static bool glob(const std::string &pattern, const std::string &text, uint64_t *steps = nullptr)
{
    uint64_t taken = 0;
    bool matches = state_glob(
        reinterpret_cast<const uint8_t *>(pattern.data()), static_cast<uint32_t>(pattern.size()),
        reinterpret_cast<const uint8_t *>(text.data()), static_cast<uint32_t>(text.size()), &taken);
    if (steps != nullptr)
        *steps = taken;
    return matches;
}

TEST(Glob, RulesOfRedis)
{
    struct row {
        const char *pattern;
        const char *matches;
        const char *fails;
    };
    for (row c : {row{"", "", "a"},
                  row{"abc", "abc", "abcd"},
                  row{"abc", "abc", "ab"},
                  row{"*", "", nullptr},
                  row{"*", "anything", nullptr},
                  row{"a*", "a", "ba"},
                  row{"*a", "bba", "ab"},
                  row{"a*b*c", "aXbYc", "aXcYb"},
                  row{"a**b", "ab", "a"},
                  row{"?", "x", ""},
                  row{"a?c", "abc", "ac"},
                  row{"[abc]", "b", "d"},
                  row{"[^abc]", "d", "b"},
                  row{"[a-c]x", "bx", "dx"},
                  row{"[c-a]", "b", "d"},
                  row{"[a-]", "^", "-"},
                  row{"h[ae]llo", "hallo", "hillo"},
                  row{"\\*", "*", "a"},
                  row{"\\[a]", "[a]", "a"},
                  row{"[\\]]", "]", "\\"},
                  row{"[a\\-c]", "-", "b"},
                  row{"[\\a-c]", "-", "b"},
                  row{"a\\", "a\\", "a"},
                  row{"[abc", "a", "d"},
                  row{"*[0-9]", "key7", "key"},
                  row{"[]a", nullptr, "]"}}) {
        if (c.matches != nullptr) {
            EXPECT_TRUE(glob(c.pattern, c.matches)) << c.pattern << " " << c.matches;
        }
        if (c.fails != nullptr) {
            EXPECT_FALSE(glob(c.pattern, c.fails)) << c.pattern << " " << c.fails;
        }
    }
}

/* The dumb twin: tries every length for every star; no sets. */
static bool dumb_glob(const char *pattern, const char *text)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '*')
        return dumb_glob(pattern + 1, text) || (*text != '\0' && dumb_glob(pattern, text + 1));
    return *text != '\0' && (*pattern == '?' || *pattern == *text) &&
           dumb_glob(pattern + 1, text + 1);
}

TEST(Glob, AgreesWithItsDumbTwin)
{
    random_state random;
    random_init(&random, 3);
    int matches = 0;
    for (int i = 0; i < 100000; i++) {
        std::string pattern, text;
        for (uint64_t n = random_below(&random, 7); n > 0; n--)
            pattern += "ab?**"[random_below(&random, 5)];
        for (uint64_t n = random_below(&random, 8); n > 0; n--)
            text += "ab"[random_below(&random, 2)];
        bool expected = dumb_glob(pattern.c_str(), text.c_str());
        ASSERT_EQ(glob(pattern, text), expected) << pattern << " " << text;
        matches += expected;
    }
    EXPECT_GT(matches, 1000);
    EXPECT_LT(matches, 99000);
}

TEST(Glob, EvilPatternsCostNoMoreThanTheProduct)
{
    std::string pattern;
    for (int i = 0; i < 100; i++)
        pattern += "*a";
    pattern += "b";
    uint64_t steps;
    EXPECT_FALSE(glob(pattern, std::string(512, 'a'), &steps));
    EXPECT_LT(steps, 512u * pattern.size());
}
