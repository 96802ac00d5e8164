/* Figure 3 of the paper as properties of a whole cluster under faults from a seed. */
#include "tests/unit/raft/story.h"

#include <gtest/gtest.h>

using namespace cluster;

TEST(RaftCluster, Figure3HoldsUnderFaultsAndProgressReturnsWithPeace)
{
    constexpr uint64_t seeds = 60;
    uint64_t elections = 0, writes = 0, rounds = 0, leases = 0, changes = 0, installs = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        Story story(seed);
        ASSERT_NO_THROW(story.live(3000 * ms)) << "seed " << seed;
        elections += story.elections;
        writes += story.acknowledged;
        leases += story.leases;
        changes += story.changes;
        installs += story.installs;
        rounds += story.reads - story.leases;
    }
    /* a test in which nothing happened would pass as well */
    EXPECT_GT(elections, seeds * 5);
    EXPECT_GT(writes, seeds * 500);
    EXPECT_GT(rounds, seeds * 100);
    EXPECT_GT(leases, seeds * 100);
    EXPECT_GT(changes, seeds * 5);
    EXPECT_GT(installs, seeds / 2);
}
