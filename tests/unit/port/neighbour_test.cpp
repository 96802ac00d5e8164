#include "tests/unit/port/harness.h"

#include <map>
#include <memory>

extern "C" {
#include "dataplane/port/neighbour.h"
#include "numa/base/random.h"
}

namespace
{

struct Neighbours : testing::Test {
    std::unique_ptr<struct neighbour_table> table = std::make_unique<struct neighbour_table>();
    bool ask = false;
    const uint8_t *resolve(uint32_t ip, uint64_t now_ns)
    {
        return neighbour_resolve(table.get(), ip, now_ns, &ask);
    }
};

TEST_F(Neighbours, AsksOncePerSecondUntilAnswered)
{
    EXPECT_EQ(resolve(ip_b, 0), nullptr);
    EXPECT_TRUE(ask);
    EXPECT_EQ(resolve(ip_b, NEIGHBOUR_ASK_NS - 1), nullptr);
    EXPECT_FALSE(ask);
    EXPECT_EQ(resolve(ip_b, NEIGHBOUR_ASK_NS), nullptr);
    EXPECT_TRUE(ask);
    EXPECT_TRUE(neighbour_learn(table.get(), ip_b, mac_tap.data(), false, NEIGHBOUR_ASK_NS + 5));
    ASSERT_NE(resolve(ip_b, NEIGHBOUR_ASK_NS + 6), nullptr);
    EXPECT_FALSE(ask);
    EXPECT_EQ(memcmp(resolve(ip_b, NEIGHBOUR_ASK_NS + 6), mac_tap.data(), 6), 0);
}

TEST_F(Neighbours, AreAskedAgainWhenNoLongerFreshAndForgottenWhenStale)
{
    ASSERT_TRUE(neighbour_learn(table.get(), ip_b, mac_tap.data(), true, 1000));
    EXPECT_NE(resolve(ip_b, 1000 + NEIGHBOUR_FRESH_NS - 1), nullptr);
    EXPECT_FALSE(ask);
    EXPECT_NE(resolve(ip_b, 1000 + NEIGHBOUR_FRESH_NS), nullptr);
    EXPECT_TRUE(ask);
    EXPECT_NE(resolve(ip_b, 1000 + NEIGHBOUR_FRESH_NS + 1), nullptr);
    EXPECT_FALSE(ask);
    EXPECT_NE(resolve(ip_b, 1000 + NEIGHBOUR_STALE_NS - 1), nullptr);
    EXPECT_EQ(resolve(ip_b, 1000 + NEIGHBOUR_STALE_NS), nullptr);
    ASSERT_TRUE(
        neighbour_learn(table.get(), ip_b, mac_tap.data(), false, 1000 + NEIGHBOUR_STALE_NS + 1));
    EXPECT_NE(resolve(ip_b, 1000 + NEIGHBOUR_STALE_NS + 2), nullptr);
}

TEST_F(Neighbours, OfOthersAreNotLearntButCorrected)
{
    EXPECT_FALSE(neighbour_learn(table.get(), ip_b, mac_tap.data(), false, 0));
    EXPECT_EQ(neighbour_find(table.get(), ip_b), nullptr);
    EXPECT_TRUE(neighbour_learn(table.get(), ip_b, mac_tap.data(), true, 0));
    Mac moved = mac_of(ip_b);
    EXPECT_TRUE(neighbour_learn(table.get(), ip_b, moved.data(), false, 1));
    EXPECT_EQ(memcmp(neighbour_find(table.get(), ip_b), moved.data(), 6), 0);
}

TEST_F(Neighbours, SetByHandAreNeitherOverriddenNorAgedNorEvicted)
{
    ASSERT_TRUE(neighbour_fix(table.get(), ip_b, mac_tap.data()));
    EXPECT_FALSE(neighbour_learn(table.get(), ip_b, mac_of(ip_b).data(), true, 5));
    for (uint32_t i = 0; i < 100000; i++)
        (void)resolve(0x0b000000 + i, i);
    ASSERT_NE(resolve(ip_b, UINT64_C(1) << 60), nullptr);
    EXPECT_EQ(memcmp(resolve(ip_b, 0), mac_tap.data(), 6), 0);
    Mac other = mac_of(ip_b);
    EXPECT_TRUE(neighbour_fix(table.get(), ip_b, other.data()))
        << "by hand one may change one's mind";
    EXPECT_EQ(memcmp(resolve(ip_b, 0), other.data(), 6), 0);
}

TEST_F(Neighbours, FullSetForgetsTheOneConfirmedLongestAgo)
{
    std::vector<uint32_t> same_set; // as many as fit, and one more, found by filling an empty table
    for (uint32_t ip = ip_b; same_set.size() < NEIGHBOUR_WAYS + 1; ip++)
        if ((ip * 0x9e3779b1u) >> 26 == (ip_b * 0x9e3779b1u) >> 26)
            same_set.push_back(ip);
    for (uint32_t way = 0; way < NEIGHBOUR_WAYS; way++)
        ASSERT_TRUE(neighbour_learn(table.get(), same_set[way], mac_tap.data(), true, 100 + way));
    ASSERT_TRUE(neighbour_learn(table.get(), same_set[0], mac_tap.data(), true, 200));
    ASSERT_TRUE(neighbour_learn(table.get(), same_set[NEIGHBOUR_WAYS], mac_tap.data(), true, 300));
    EXPECT_NE(neighbour_find(table.get(), same_set[0]), nullptr);
    EXPECT_EQ(neighbour_find(table.get(), same_set[1]), nullptr);
    for (uint32_t way = 2; way <= NEIGHBOUR_WAYS; way++)
        EXPECT_NE(neighbour_find(table.get(), same_set[way]), nullptr);
}

TEST_F(Neighbours, SetFullOfFixedOnesMakesNoEntry)
{
    uint32_t ip = ip_b, fixed = 0;
    for (; fixed < NEIGHBOUR_WAYS; ip++)
        if ((ip * 0x9e3779b1u) >> 26 == (ip_b * 0x9e3779b1u) >> 26) {
            ASSERT_TRUE(neighbour_fix(table.get(), ip, mac_tap.data()));
            fixed++;
        }
    while ((ip * 0x9e3779b1u) >> 26 != (ip_b * 0x9e3779b1u) >> 26)
        ip++;
    EXPECT_FALSE(neighbour_fix(table.get(), ip, mac_tap.data()));
    EXPECT_FALSE(neighbour_learn(table.get(), ip, mac_tap.data(), true, 1));
    EXPECT_EQ(resolve(ip, 1), nullptr);
    EXPECT_FALSE(ask) << "nowhere to put the answer";
}

} // namespace
