/* Reads at followers: thesis §6.4, its end. */
#include "tests/unit/raft/solo.h"

/* A follower of 2 in term 5, whose log ends with entry 1. */
struct Asker : Solo {
    explicit Asker(const Tweak &tweak = {}) : Solo(tweak, {5})
    {
        hear();
        ready();
    }

    void hear(uint64_t commit = 0)
    {
        append(2, 5, 1, 5, {}, commit);
    }

    wire_raft question()
    {
        ready();
        EXPECT_EQ(sent_of(WIRE_READ_INDEX).size(), 1u);
        return sent_of(WIRE_READ_INDEX).empty() ? wire_raft{} : sent_of(WIRE_READ_INDEX).at(0);
    }

    void answer(uint64_t nonce, uint64_t index, uint16_t from = 2, uint64_t term = 5)
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

TEST(RaftQuestion, TicketsShareOneAndLearnTheIndexFromItsAnswer)
{
    Asker s;
    raft_ticket one, two;
    ASSERT_TRUE(raft_read_follower(s.r, &one) && raft_read_follower(s.r, &two));
    EXPECT_TRUE(raft_dirty(s.r));
    wire_raft asked = s.question();
    EXPECT_EQ(asked.to, 2);
    EXPECT_NE(asked.round, 0u);
    EXPECT_FALSE(raft_dirty(s.r));
    EXPECT_EQ(raft_ticket_state(s.r, &one), RAFT_TICKET_WAIT);
    s.answer(asked.round, 9);
    EXPECT_EQ(raft_ticket_state(s.r, &one), RAFT_TICKET_READY);
    EXPECT_EQ(raft_ticket_state(s.r, &two), RAFT_TICKET_READY);
    EXPECT_EQ(one.index, 9u) << "beyond what has arrived here";
    EXPECT_EQ(s.count(RAFT_READ_ANSWERED), 1u);
}

/* An answer's index is the leader's commit index: what matches its log up to there is committed. */
TEST(RaftQuestion, TheAnswerCommitsWhatMatchesTheLeadersLog)
{
    Asker s;
    s.append(2, 5, 1, 5, {5, 5}, 1);
    ASSERT_EQ(raft_commit(s.r), 1u);
    raft_ticket ticket;
    ASSERT_TRUE(raft_read_follower(s.r, &ticket));
    s.answer(s.question().round, 2);
    EXPECT_EQ(raft_commit(s.r), 2u);
    ASSERT_TRUE(raft_read_follower(s.r, &ticket));
    s.answer(s.question().round, 9);
    EXPECT_EQ(raft_commit(s.r), 3u) << "no further than what is known to match";
}

TEST(RaftQuestion, WhoComesWhileOneIsAskedWaitsForTheNext)
{
    Asker s;
    raft_ticket early, late;
    ASSERT_TRUE(raft_read_follower(s.r, &early));
    wire_raft first = s.question();
    ASSERT_TRUE(raft_read_follower(s.r, &late));
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_READ_INDEX).empty());
    s.answer(first.round, 3);
    EXPECT_EQ(raft_ticket_state(s.r, &early), RAFT_TICKET_READY);
    EXPECT_EQ(raft_ticket_state(s.r, &late), RAFT_TICKET_WAIT);
    wire_raft second = s.question();
    EXPECT_NE(second.round, first.round);
    s.answer(second.round, 4);
    EXPECT_EQ(raft_ticket_state(s.r, &late), RAFT_TICKET_READY);
    EXPECT_EQ(late.index, 4u);
    EXPECT_EQ(raft_ticket_state(s.r, &early), RAFT_TICKET_READY);
    EXPECT_EQ(early.index, 3u) << "what it must see was said, and stays";
}

/* etcd-io/etcd #20418: a question asked again under its old context took the answer to its first
 * attempt, from before a pause, for reads that had come since. */
TEST(RaftQuestion, TheAnswerToAnOlderAttemptConfirmsNothing)
{
    Asker s;
    raft_ticket before, since;
    ASSERT_TRUE(raft_read_follower(s.r, &before));
    wire_raft first = s.question();
    s.pass(50);
    s.hear();
    s.pass(50);
    s.hear();
    EXPECT_EQ(s.count(RAFT_READ_ASKED_AGAIN), 1u);
    ASSERT_TRUE(raft_read_follower(s.r, &since));
    wire_raft second = s.question();
    EXPECT_NE(second.round, first.round);
    s.answer(first.round, 3);
    EXPECT_EQ(s.count(RAFT_READ_ANSWER_OLD), 1u);
    EXPECT_EQ(raft_ticket_state(s.r, &since), RAFT_TICKET_WAIT);
    EXPECT_EQ(raft_ticket_state(s.r, &before), RAFT_TICKET_WAIT);
    s.answer(second.round, 4);
    EXPECT_EQ(raft_ticket_state(s.r, &since), RAFT_TICKET_READY);
    EXPECT_EQ(raft_ticket_state(s.r, &before), RAFT_TICKET_READY);
    s.answer(second.round, 5);
    EXPECT_EQ(s.count(RAFT_READ_ANSWER_OLD), 2u) << "nothing is asked";
    EXPECT_EQ(before.index, 4u);
}

TEST(RaftQuestion, IsAskedAgainOfANewLeader)
{
    Asker s;
    raft_ticket ticket;
    ASSERT_TRUE(raft_read_follower(s.r, &ticket));
    wire_raft first = s.question();
    s.append(3, 6, 1, 5);
    wire_raft second = s.question();
    EXPECT_EQ(second.to, 3);
    EXPECT_NE(second.round, first.round);
    s.answer(second.round, 4, 2, 6);
    EXPECT_EQ(s.count(RAFT_READ_ANSWER_OLD), 1u) << "not from the leader";
    s.answer(first.round, 3, 2, 5);
    EXPECT_EQ(s.count(RAFT_STALE_TERM), 1u);
    EXPECT_EQ(raft_ticket_state(s.r, &ticket), RAFT_TICKET_WAIT);
    s.answer(second.round, 4, 3, 6);
    EXPECT_EQ(raft_ticket_state(s.r, &ticket), RAFT_TICKET_READY);
}

TEST(RaftQuestion, WithoutALeaderThereIsNobodyToAsk)
{
    Asker s;
    raft_ticket ticket;
    ASSERT_TRUE(raft_read_follower(s.r, &ticket));
    s.pass(250);
    EXPECT_EQ(raft_ticket_state(s.r, &ticket), RAFT_TICKET_LOST);
    EXPECT_FALSE(raft_read_follower(s.r, &ticket));
    Solo leader;
    leader.reign();
    EXPECT_FALSE(raft_read_follower(leader.r, &ticket));
    EXPECT_EQ(leader.count(RAFT_READ_REFUSED_NO_LEADER), 1u);
}

/* ---- at the leader */

static void ask(Solo &s, uint16_t from, uint64_t nonce)
{
    wire_raft message{};
    message.kind = WIRE_READ_INDEX;
    message.from = from;
    message.term = raft_term(s.r);
    message.round = nonce;
    s.step(message);
}

TEST(RaftAnswer, WaitsForARoundThatAllQuestionsShare)
{
    Solo s;
    s.reign();
    ask(s, 2, 77);
    ask(s, 3, 88);
    EXPECT_EQ(s.count(RAFT_READ_QUESTION), 2u);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_APPEND).size(), 2u);
    EXPECT_TRUE(s.sent_of(WIRE_READ_INDEX_REPLY).empty());
    EXPECT_FALSE(raft_dirty(s.r));
    s.accept(3, 1, s.round);
    EXPECT_TRUE(raft_dirty(s.r));
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_READ_INDEX_REPLY).size(), 2u);
    EXPECT_EQ(s.sent_of(WIRE_READ_INDEX_REPLY, 2).at(0).round, 77u);
    EXPECT_EQ(s.sent_of(WIRE_READ_INDEX_REPLY, 3).at(0).round, 88u);
    EXPECT_EQ(s.sent_of(WIRE_READ_INDEX_REPLY, 3).at(0).index, 1u);
    s.ready();
    EXPECT_TRUE(s.sent.empty());
}

TEST(RaftAnswer, ANewerQuestionTakesThePlaceOfAnOlderOne)
{
    Solo s;
    s.reign();
    ask(s, 2, 77);
    s.ready();
    uint64_t round = s.round;
    ask(s, 2, 78);
    s.ready();
    s.accept(3, 1, round);
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_READ_INDEX_REPLY).empty()) << "that round was sent before it came";
    s.accept(3, 1, s.round);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_READ_INDEX_REPLY, 2).at(0).round, 78u);
}

TEST(RaftAnswer, Section6_4_Step1_WaitsForAnEntryOfThisTerm)
{
    Solo s;
    s.lead();
    ask(s, 2, 77);
    s.accept(3, 0, s.round);
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_READ_INDEX_REPLY).empty());
    s.accept(3, 1, s.round); /* its no-op is committed */
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_READ_INDEX_REPLY).empty());
    s.accept(3, 1, s.round);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_READ_INDEX_REPLY, 2).at(0).index, 1u);
}

TEST(RaftAnswer, TheLeaseAnswersAtOnce)
{
    Solo s([](raft_config &c) { c.lease_reads = true; });
    s.reign();
    s.tick();
    ask(s, 2, 77);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_READ_INDEX_REPLY, 2).at(0).index, 1u);
    EXPECT_TRUE(s.sent_of(WIRE_APPEND).empty());
}

TEST(RaftAnswer, OnlyALeaderAnswersAndOnlyMembers)
{
    Asker follower;
    ask(follower, 3, 77);
    EXPECT_EQ(follower.count(RAFT_READ_REFUSED_NOT_LEADER), 1u);
    Solo s;
    s.reign();
    ask(s, 9, 77);
    EXPECT_EQ(s.count(RAFT_STRANGER), 1u);
    ask(s, 2, 77);
    s.append(3, 9, 0, 0); /* deposed */
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_READ_INDEX_REPLY).empty());
    EXPECT_FALSE(raft_dirty(s.r));
}
