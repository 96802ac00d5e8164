/* Members that may lack what they promised, and leaders of such members: raft.h, doubt. */
#include "tests/unit/raft/solo.h"

static raft_restore in_doubt(uint64_t term)
{
    raft_restore restore{};
    restore.term = term;
    restore.doubtful = true;
    return restore;
}

/* Restored with entries 1 and 2 of term 5, in doubt, term 7; voters' first time-out is over. */
struct Doubter : Solo {
    explicit Doubter(const Tweak &tweak = {}) : Solo(tweak, {5, 5}, in_doubt(7))
    {
        ready();
        store();
    }

    /* The leader of `term` is heard, and has entries [1, 2]; asks for where doubt ends. */
    wire_raft ask(uint16_t leader, uint64_t term)
    {
        append(leader, term, 2, 5);
        ready();
        std::vector<wire_raft> questions = sent_of(WIRE_READ_INDEX, leader);
        EXPECT_EQ(questions.size(), 1u);
        return questions.empty() ? wire_raft{} : questions.at(0);
    }

    void answer(uint16_t from, uint64_t term, uint64_t nonce, uint64_t index)
    {
        wire_raft message{};
        message.kind = WIRE_READ_INDEX_REPLY;
        message.from = from;
        message.term = term;
        message.index = index;
        message.round = nonce;
        step(message);
    }
};

TEST(RaftDoubt, IsStoredBeforeAnythingElse)
{
    Solo s({}, {5, 5}, in_doubt(7));
    EXPECT_TRUE(raft_dirty(s.r));
    EXPECT_TRUE(s.status().doubtful);
    s.ready();
    EXPECT_TRUE(s.last.hard_state_changed);
    EXPECT_TRUE(s.last.doubtful);
    EXPECT_EQ(s.last.term, 7u);
    EXPECT_EQ(s.count(RAFT_IN_DOUBT), 1u);
    Solo sound({}, {5, 5});
    EXPECT_FALSE(raft_dirty(sound.r));
    sound.ready();
    EXPECT_FALSE(sound.last.doubtful);
}

TEST(RaftDoubt, GrantsNeitherVoteNorPreVote)
{
    Doubter s;
    s.pass(100); /* a starting voter's silence */
    s.ask_vote(WIRE_PREVOTE, 3, 8, 9, 7);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_PREVOTE_REPLY, 3).at(0).flags, 0);
    s.ask_vote(WIRE_VOTE, 3, 8, 9, 7);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_VOTE_REPLY, 3).at(0).flags, 0);
    EXPECT_EQ(s.last.vote, RAFT_NOBODY);
    EXPECT_EQ(raft_term(s.r), 8u) << "the term counts all the same";
    EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_IN_DOUBT), 2u);
}

TEST(RaftDoubt, DoesNotCampaignNotEvenWhenToldTo)
{
    Doubter s;
    s.pass(1000);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
    EXPECT_GT(s.count(RAFT_CAMPAIGN_WITHHELD), 3u);
    EXPECT_EQ(s.count(RAFT_PREVOTE_STARTED), 0u);
    s.append(2, 8, 2, 5);
    wire_raft now{};
    now.kind = WIRE_TIMEOUT_NOW;
    now.from = 2;
    now.term = 8;
    s.step(now);
    EXPECT_EQ(s.count(RAFT_TIMEOUT_NOW_REFUSED), 1u);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
}

TEST(RaftDoubt, TheOnlyVoterStaysInIt)
{
    Doubter s([](raft_config &c) { c.member_count = 1; });
    s.pass(2000);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
    EXPECT_EQ(raft_term(s.r), 7u);
}

TEST(RaftDoubt, TakesEntriesAndConfirmsWhatIsStored)
{
    Doubter s;
    s.append(2, 8, 2, 5, {8});
    s.ready();
    uint32_t replies = 0;
    for (const raft_send &send : s.sent) {
        if (send.message.kind != WIRE_APPEND_REPLY)
            continue;
        replies++;
        EXPECT_EQ(send.message.index, 3u);
        EXPECT_NE(send.after_seq, 0u);
    }
    EXPECT_EQ(replies, 1u);
}

TEST(RaftDoubt, EndsWhenTheLogIsStoredUpToTheLeadersAnswer)
{
    Doubter s;
    wire_raft question = s.ask(2, 8);
    EXPECT_EQ(question.flags, WIRE_RAFT_DOUBT);
    s.append(2, 8, 2, 5, {8}, 3);
    s.ready();
    EXPECT_TRUE(s.status().doubtful) << "matched and committed, but not answered";
    s.answer(2, 8, question.round, 3);
    s.ready();
    EXPECT_TRUE(s.status().doubtful) << "not stored";
    s.store();
    EXPECT_TRUE(raft_dirty(s.r));
    s.ready();
    EXPECT_FALSE(s.status().doubtful);
    EXPECT_TRUE(s.last.hard_state_changed);
    EXPECT_FALSE(s.last.doubtful);
    EXPECT_EQ(s.count(RAFT_DOUBT_ENDED), 1u);
    s.store();
    s.pass(150);
    s.ask_vote(WIRE_VOTE, 3, 9, 3, 8);
    s.ready();
    EXPECT_EQ(s.count(RAFT_VOTE_GRANTED), 1u);
}

TEST(RaftDoubt, AnAnswerBeyondTheLogIsWaitedFor)
{
    Doubter s;
    wire_raft question = s.ask(2, 8);
    s.answer(2, 8, question.round, 4);
    s.append(2, 8, 2, 5, {8});
    s.ready();
    s.store();
    s.ready();
    EXPECT_TRUE(s.status().doubtful);
    s.append(2, 8, 3, 8, {8});
    s.ready();
    s.store();
    s.ready();
    EXPECT_FALSE(s.status().doubtful);
}

TEST(RaftDoubt, AnAnswerOfAFormerLeaderOrAttemptEndsNothing)
{
    Doubter s;
    wire_raft first = s.ask(2, 8);
    s.answer(2, 8, first.round + 1, 2);
    EXPECT_EQ(s.count(RAFT_READ_ANSWER_OLD), 1u);
    s.answer(2, 8, first.round, 3);
    wire_raft second = s.ask(3, 9); /* a new term: entry 3 of the former one may never come */
    EXPECT_NE(second.round, first.round);
    EXPECT_EQ(second.flags, WIRE_RAFT_DOUBT);
    EXPECT_TRUE(s.status().doubtful);
    s.answer(3, 9, second.round, 2);
    s.ready();
    EXPECT_FALSE(s.status().doubtful);
}

/* This term's vote may be among what was lost: it is given to whoever it elected. */
TEST(RaftDoubt, InTheTermOfItsPromisesTheVoteIsTheLeaders)
{
    Doubter s;
    wire_raft question = s.ask(2, 7);
    s.answer(2, 7, question.round, 2);
    s.ready();
    EXPECT_FALSE(s.status().doubtful);
    EXPECT_EQ(s.last.vote, 2);
    s.store();
    s.pass(150);
    s.ask_vote(WIRE_VOTE, 3, 7, 9, 7);
    EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_ALREADY_VOTED), 1u);
}

TEST(RaftDoubt, ReadsAtAFollowerInDoubtVoidNothingOnceItIsAnswered)
{
    Doubter s;
    wire_raft question = s.ask(2, 8);
    s.answer(2, 8, question.round, 9);
    raft_ticket ticket;
    ASSERT_TRUE(raft_read_follower(s.r, &ticket));
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_READ_INDEX, 2).at(0).flags, 0);
}

/* ---- at the leader */

static void doubt(Solo &s, uint16_t from)
{
    wire_raft message{};
    message.kind = WIRE_READ_INDEX;
    message.flags = WIRE_RAFT_DOUBT;
    message.from = from;
    message.term = raft_term(s.r);
    message.round = 77;
    s.step(message);
}

static raft_member_status member(const Solo &s, uint16_t id)
{
    return s.status().member[id - 1];
}

TEST(RaftDoubtAtLeader, WhatWasConfirmedIsVoidAndWhatIsStillOnItsWayToo)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({50}), 1u);
    s.ready();
    uint64_t before = s.round;
    s.accept(2, 2, before); /* without the leader's own disk, not yet committed */
    EXPECT_EQ(member(s, 2).match, 2u);
    doubt(s, 2);
    EXPECT_EQ(s.count(RAFT_FOLLOWER_IN_DOUBT), 1u);
    EXPECT_EQ(member(s, 2).match, 0u);
    s.accept(2, 2, before);
    EXPECT_EQ(s.count(RAFT_REPLY_OUTDATED), 1u);
    s.store();
    EXPECT_EQ(s.status().commit, 1u) << "the leader's disk alone";
    s.ready();
    s.reject(2, 1, 1, s.round);
    s.ready();
    s.accept(2, 2, s.round);
    EXPECT_EQ(s.status().commit, 2u);
}

TEST(RaftDoubtAtLeader, TheAnswerWaitsForARound)
{
    Solo s;
    s.reign();
    doubt(s, 2);
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_READ_INDEX_REPLY).empty());
    s.accept(3, 1, s.round);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_READ_INDEX_REPLY, 2).at(0).index, 1u);
}

TEST(RaftDoubtAtLeader, WhatIsCommittedStaysSoThoughACopyIsLost)
{
    Solo s;
    s.reign();
    doubt(s, 2);
    doubt(s, 3);
    EXPECT_EQ(s.status().commit, 1u);
    EXPECT_TRUE(raft_is_leader(s.r));
    EXPECT_EQ(s.status().full_copies, 1u);
}
