/* Leaders whose disk hangs (raft.h, write_age_max_ns), and leaders that are forgotten. */
#include "tests/unit/raft/solo.h"

static Solo::Tweak sixty = [](raft_config &c) { c.write_age_max_ns = 60 * ms; };

/* Heartbeats go on, and 2 and 3 answer them. */
static void beat(Solo &s, uint64_t milliseconds)
{
    for (uint64_t i = 0; i < milliseconds && raft_is_leader(s.r); i++) {
        s.pass(1);
        if (raft_dirty(s.r))
            s.ready();
        uint64_t last = raft_last_index(s.r);
        if (raft_is_leader(s.r))
            s.accept(2, last, s.round), s.accept(3, last, s.round);
    }
}

TEST(RaftHungDisk, ALeaderStepsDownAndOffersItsOfficeToWhoHasEverything)
{
    Solo s(sixty);
    s.reign();
    EXPECT_EQ(s.propose({50}), 1u);
    s.ready(); /* handed to the disk; no report */
    beat(s, 60);
    ASSERT_TRUE(raft_is_leader(s.r));
    EXPECT_EQ(s.count(RAFT_WRITE_HUNG), 0u);
    beat(s, 21);
    EXPECT_FALSE(raft_is_leader(s.r));
    EXPECT_EQ(s.count(RAFT_WRITE_HUNG), 1u);
    EXPECT_EQ(s.sent_of(WIRE_TIMEOUT_NOW).size(), 1u);
    EXPECT_EQ(s.count(RAFT_LEADER_LEFT), 0u);
}

TEST(RaftHungDisk, WritesThatEndInTimeAreNoReason)
{
    Solo s(sixty);
    s.reign();
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(s.propose({50}), 1u);
        s.ready();
        beat(s, 40);
        s.store();
    }
    EXPECT_TRUE(raft_is_leader(s.r));
    Solo unbounded;
    unbounded.reign();
    EXPECT_EQ(unbounded.propose({50}), 1u);
    unbounded.ready();
    beat(unbounded, 1000);
    EXPECT_TRUE(raft_is_leader(unbounded.r)) << "0: no such limit";
}

TEST(RaftHungDisk, AStallOfOurOwnDoesNotCountAsTheDisks)
{
    Solo s(sixty);
    s.reign();
    EXPECT_EQ(s.propose({50}), 1u);
    s.ready();
    s.now += 300 * ms; /* asleep; the report waits in a queue */
    raft_tick(s.r, s.now);
    EXPECT_EQ(s.count(RAFT_STALL_FORGIVEN), 1u);
    s.accept(2, 2, s.round);
    s.store();
    s.ready();
    beat(s, 40);
    EXPECT_TRUE(raft_is_leader(s.r));
}

TEST(RaftHungDisk, NobodyCampaignsWhoCanNotStoreItsVote)
{
    Solo s(sixty);
    s.append(2, 5, 0, 0, {5});
    s.ready();
    s.pass(1000);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
    EXPECT_GT(s.count(RAFT_CAMPAIGN_WITHHELD), 0u);
    s.store();
    s.campaign();
}

TEST(RaftForget, VotesAreGrantedAgainAtOnce)
{
    Solo s([](raft_config &c) { c.election_timeout_ns = 150 * ms; }, {5});
    s.append(2, 5, 1, 5);
    s.ask_vote(WIRE_PREVOTE, 3, 6, 1, 5);
    EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_LEADER_LIVES), 1u);
    EXPECT_TRUE(raft_forget_leader(s.r));
    EXPECT_EQ(raft_leader(s.r), RAFT_NOBODY);
    s.ask_vote(WIRE_PREVOTE, 3, 6, 1, 5);
    EXPECT_EQ(s.count(RAFT_PREVOTE_GRANTED), 1u);
    s.append(2, 5, 1, 5);
    EXPECT_EQ(raft_leader(s.r), 2) << "it was not dead after all";
    s.ask_vote(WIRE_PREVOTE, 3, 6, 1, 5);
    EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_LEADER_LIVES), 2u);
}

TEST(RaftForget, IsRefusedWithoutALeaderAndWhereLeasesRestOnSilence)
{
    Solo s;
    EXPECT_FALSE(raft_forget_leader(s.r));
    Solo promised([](raft_config &c) { c.lease_reads = true; }, {5});
    promised.append(2, 5, 1, 5);
    EXPECT_FALSE(raft_forget_leader(promised.r));
    EXPECT_EQ(promised.count(RAFT_FORGET_REFUSED), 1u);
    EXPECT_EQ(raft_leader(promised.r), 2);
}
