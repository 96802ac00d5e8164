/* Majority and joint arithmetic against a dumb twin, over every small configuration. */
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

extern "C" {
#include "protocols/core/quorum.h"
}

/* ---- the twin: lists and loops, straight from the definition */

static bool twin_majority(member_set voters, member_set yes)
{
    int all = 0, agree = 0;
    for (int i = 0; i < 64; i++) {
        bool voter = voters >> i & 1;
        all += voter;
        agree += voter && (yes >> i & 1);
    }
    return 2 * agree > all;
}

static bool twin_reached(const quorum_rule &rule, member_set yes)
{
    if (rule.incoming == 0)
        return false;
    return twin_majority(rule.incoming, yes) &&
           (rule.outgoing == 0 || twin_majority(rule.outgoing, yes));
}

/* The largest value v such that those who have reached v are a quorum. */
static uint64_t twin_value(const quorum_rule &rule, const std::vector<uint64_t> &value)
{
    uint64_t best = 0;
    for (uint64_t v : value) {
        member_set reached = 0;
        for (size_t i = 0; i < value.size(); i++)
            if (value[i] >= v)
                reached |= member_set{1} << i;
        if (twin_reached(rule, reached))
            best = std::max(best, v);
    }
    return best;
}

TEST(Quorum, MajorityIsTheSmallestNumberThatTwoGroupsCanNotBothReach)
{
    for (uint32_t n = 1; n <= QUORUM_MEMBERS_MAX; n++) {
        EXPECT_GT(2 * quorum_majority(n), n);
        EXPECT_LE(2 * (quorum_majority(n) - 1), n);
    }
}

TEST(Quorum, EqualsItsTwinOverAllConfigurationsAndVotesOfFiveMembers)
{
    for (member_set incoming = 0; incoming < 32; incoming++)
        for (member_set outgoing = 0; outgoing < 32; outgoing++)
            for (member_set yes = 0; yes < 32; yes++) {
                quorum_rule rule{incoming, outgoing};
                ASSERT_EQ(quorum_reached(&rule, yes), twin_reached(rule, yes))
                    << incoming << " " << outgoing << " " << yes;
                ASSERT_EQ(quorum_possible(&rule, yes), twin_reached(rule, ~yes));
            }
}

TEST(Quorum, AnyTwoQuorumsOfARuleMeet)
{
    for (member_set incoming = 1; incoming < 32; incoming++)
        for (member_set outgoing = 0; outgoing < 32; outgoing++) {
            quorum_rule rule{incoming, outgoing};
            for (member_set one = 0; one < 32; one++)
                for (member_set two = one & 31; quorum_reached(&rule, one) && two < 32; two++)
                    if (quorum_reached(&rule, two)) {
                        ASSERT_NE(one & two & incoming, 0u);
                        ASSERT_TRUE(outgoing == 0 || (one & two & outgoing));
                    }
        }
}

TEST(Quorum, ValueEqualsItsTwinOverAllSmallValues)
{
    uint64_t value[QUORUM_MEMBERS_MAX] = {};
    for (member_set incoming = 0; incoming < 16; incoming++)
        for (member_set outgoing = 0; outgoing < 16; outgoing++)
            for (int digits = 0; digits < 256; digits++) {
                for (int i = 0; i < 4; i++)
                    value[i] = static_cast<uint64_t>(digits >> (2 * i) & 3);
                quorum_rule rule{incoming, outgoing};
                ASSERT_EQ(quorum_value(&rule, value), twin_value(rule, {value, value + 4}))
                    << incoming << " " << outgoing << " " << digits;
            }
}

TEST(Quorum, ValueEqualsItsTwinOverLargeConfigurations)
{
    std::mt19937_64 chance(1);
    for (int round = 0; round < 2000; round++) {
        std::vector<uint64_t> value(QUORUM_MEMBERS_MAX);
        for (uint64_t &v : value)
            v = chance() >> (chance() % 64);
        quorum_rule rule{chance() & chance(), round % 2 ? chance() & chance() : 0};
        ASSERT_EQ(quorum_value(&rule, value.data()), twin_value(rule, value));
    }
}

TEST(Quorum, NobodySatisfiesAnEmptyRule)
{
    uint64_t value[QUORUM_MEMBERS_MAX];
    std::fill_n(value, QUORUM_MEMBERS_MAX, UINT64_MAX);
    quorum_rule rule{0, 0};
    EXPECT_FALSE(quorum_reached(&rule, UINT64_MAX));
    EXPECT_EQ(quorum_value(&rule, value), 0u);
    rule.outgoing = 7;
    EXPECT_FALSE(quorum_reached(&rule, UINT64_MAX));
    EXPECT_EQ(quorum_value(&rule, value), 0u);
}

TEST(Quorum, VotesOfStrangersCountNothing)
{
    quorum_rule rule{0b0111, 0};
    EXPECT_FALSE(quorum_reached(&rule, 0b11111001));
    EXPECT_TRUE(quorum_reached(&rule, 0b011));
}
