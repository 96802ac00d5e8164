/* Who should rather lead: priorities, and hand-over to the highest of those that keep up. */
#include "tests/unit/raft/solo.h"

/* This one would lead with 1 of 3, and gives whoever wants it more 50 ms to prove itself. */
static Solo::Tweak fifty = [](raft_config &c) {
    c.priority = 1;
    c.priority_top = 3;
    c.handover_ns = 50 * ms;
};

/* Answers of one heartbeat: each follower wants to lead so much; -1: it is silent. */
static void beat(Solo &s, int second, int third)
{
    s.pass(10);
    s.ready();
    for (uint16_t id = 2; id <= 3; id++) {
        int wants = id == 2 ? second : third;
        wire_raft reply{};
        reply.kind = WIRE_APPEND_REPLY;
        reply.from = id;
        reply.term = raft_term(s.r);
        reply.index = raft_last_index(s.r);
        reply.round = s.round;
        reply.commit = static_cast<uint64_t>(wants);
        if (wants >= 0)
            s.step(reply);
    }
}

static void beats(Solo &s, int count, int second, int third)
{
    for (int i = 0; i < count; i++)
        beat(s, second, third);
}

static uint64_t started(const Solo &s)
{
    return s.count(RAFT_TRANSFER_STARTED);
}

/* The first heartbeat only hears of it, the second sees it, and five more are 50 ms. */
TEST(RaftPrefer, AVoterOfHigherPriorityLeadsOnceItHasKeptUpForTheTimeStated)
{
    Solo s(fifty);
    s.reign();
    beats(s, 6, 0, 2);
    EXPECT_EQ(started(s), 0u);
    beat(s, 0, 2);
    EXPECT_EQ(started(s), 1u);
    ASSERT_EQ(s.sent_of(WIRE_TIMEOUT_NOW).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_TIMEOUT_NOW)[0].to, 3);
}

TEST(RaftPrefer, EqualAndLowerPrioritiesChangeNothing)
{
    Solo s(fifty);
    s.reign();
    beats(s, 40, 0, 1);
    EXPECT_EQ(started(s), 0u);
    Solo never([](raft_config &c) { c.priority_top = 3; });
    never.reign();
    beats(never, 40, 0, 3);
    EXPECT_EQ(started(never), 0u) << "0: never";
}

TEST(RaftPrefer, TheHighestIsChosenAndABetterOneBeginsTheTimeAnew)
{
    Solo s(fifty);
    s.reign();
    beats(s, 6, 3, 2);
    EXPECT_EQ(started(s), 0u);
    beat(s, 3, 2);
    ASSERT_EQ(s.sent_of(WIRE_TIMEOUT_NOW).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_TIMEOUT_NOW)[0].to, 2);
    Solo later(fifty);
    later.reign();
    beats(later, 5, 0, 2);
    beats(later, 6, 3, 2);
    EXPECT_EQ(started(later), 0u);
    beat(later, 3, 2);
    EXPECT_EQ(later.sent_of(WIRE_TIMEOUT_NOW)[0].to, 2);
}

TEST(RaftPrefer, OfEqualsWhoeverHasWaitedIsNotKeptWaitingByAnother)
{
    Solo s(fifty);
    s.reign();
    beats(s, 5, 0, 2);
    beats(s, 2, 2, 2); /* 2 comes first in the order of slots */
    ASSERT_EQ(s.sent_of(WIRE_TIMEOUT_NOW).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_TIMEOUT_NOW)[0].to, 3);
    Solo first(fifty);
    first.reign();
    beats(first, 7, 2, 2);
    ASSERT_EQ(first.sent_of(WIRE_TIMEOUT_NOW).size(), 1u);
    EXPECT_EQ(first.sent_of(WIRE_TIMEOUT_NOW)[0].to, 2) << "nobody has waited: the first";
}

TEST(RaftPrefer, WhoeverComesAndGoesBeginsAnew)
{
    Solo s(fifty);
    s.reign();
    for (int i = 0; i < 10; i++) {
        beats(s, 4, 0, 2);
        beat(s, 0, -1);
    }
    EXPECT_EQ(started(s), 0u);
    beats(s, 5, 0, 2); /* the first sees that it was silent */
    EXPECT_EQ(started(s), 0u);
    beat(s, 0, 2);
    EXPECT_EQ(started(s), 1u);
}

TEST(RaftPrefer, AHandOverThatCameToNothingIsNotRepeatedSooner)
{
    Solo s(fifty);
    s.reign();
    beats(s, 7, 0, 2);
    EXPECT_EQ(started(s), 1u);
    beats(s, 10, 0, 2); /* an election time-out */
    EXPECT_EQ(s.count(RAFT_TRANSFER_ABANDONED), 1u);
    EXPECT_EQ(started(s), 1u);
    beats(s, 4, 0, 2);
    EXPECT_EQ(started(s), 1u);
    beat(s, 0, 2);
    EXPECT_EQ(started(s), 2u);
    EXPECT_EQ(s.count(RAFT_TRANSFER_REFUSED), 0u);
}

/* In a new term everything begins anew, also who is waited for. */
TEST(RaftPrefer, ANewLeaderWaitsTheWholeTime)
{
    Solo s(fifty);
    s.reign();
    beats(s, 6, 0, 2);
    s.append(2, 9, 0, 0);
    s.pass(120);
    s.reign();
    beats(s, 6, 0, 2);
    EXPECT_EQ(started(s), 0u);
    beat(s, 0, 2);
    EXPECT_EQ(started(s), 1u);
}

TEST(RaftPrefer, AWitnessOrALearnerNeverLeads)
{
    Solo s([](raft_config &c) {
        fifty(c);
        c.role[0] = c.role[1] = WIRE_ROLE_VOTER;
        c.role[2] = WIRE_ROLE_WITNESS;
    });
    s.reign();
    beats(s, 40, 0, 3);
    EXPECT_EQ(started(s) + s.count(RAFT_TRANSFER_REFUSED), 0u);
}

/* What a follower says: its priority; in doubt none, since it would not obey. */
TEST(RaftPrefer, AFollowerSaysHowMuchItWouldRatherLead)
{
    Solo s(fifty);
    s.append(2, 5, 0, 0, {5});
    s.ready();
    for (const raft_send &send : s.sent)
        EXPECT_EQ(send.message.commit, 1u);
    EXPECT_GT(s.sent.size(), 0u);
    raft_restore restore{};
    restore.term = 5;
    restore.doubtful = true;
    Solo doubtful(fifty, {5}, restore);
    doubtful.append(2, 5, 0, 0, {5});
    doubtful.ready();
    ASSERT_GT(doubtful.sent_of(WIRE_APPEND_REPLY).size(), 0u);
    EXPECT_EQ(doubtful.sent_of(WIRE_APPEND_REPLY)[0].commit, 0u);
}

TEST(RaftPrefer, WhatNoPriorityCanBeIsTheHighest)
{
    Solo s(fifty);
    s.reign();
    beats(s, 7, 2, 256); /* not 0 */
    ASSERT_EQ(s.sent_of(WIRE_TIMEOUT_NOW).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_TIMEOUT_NOW)[0].to, 3);
}
