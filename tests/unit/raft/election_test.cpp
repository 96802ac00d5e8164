/* Elections: paper §5.2 and §5.4.1, thesis §3.4, §4.2.3, §6.2 and §9.6. */
#include "tests/unit/raft/solo.h"

TEST(RaftElection, Section5_2_FollowerCampaignsWithinTheRandomisedTimeout)
{
    for (uint64_t seed = 1; seed < 30; seed++) {
        Solo s([&](raft_config &c) { c.seed = seed; });
        s.pass(99);
        EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
        s.pass(101);
        EXPECT_EQ(s.status().role, RAFT_PRECANDIDATE);
    }
}

TEST(RaftElection, Section5_2_TimeoutsDifferFromMemberToMemberAndFromCampaignToCampaign)
{
    std::vector<uint64_t> wakes;
    for (uint16_t self = 1; self <= 3; self++) {
        Solo s([&](raft_config &c) { c.self = self; });
        for (int campaign = 0; campaign < 3; campaign++) {
            s.ready();
            uint64_t until = s.last.wake_ns;
            while (s.now + ms < until)
                s.pass(1);
            wakes.push_back(until);
            s.append(self == 1 ? 2 : 1, 1, 0, 0);
        }
    }
    std::sort(wakes.begin(), wakes.end());
    EXPECT_GT(std::unique(wakes.begin(), wakes.end()) - wakes.begin(), 3);
}

/* Whatever the dice say, the preferred one is first; the others lose one span at most. */
TEST(RaftElection, TheHigherPriorityWaitsLess)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        for (uint8_t priority : {0, 1, 2}) {
            Solo s([&](raft_config &c) {
                c.seed = seed;
                c.priority = priority;
                c.priority_top = 2;
            });
            uint64_t least = 200 - 50 * priority;
            s.pass(least - 1);
            EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
            s.pass(101);
            EXPECT_EQ(s.status().role, RAFT_PRECANDIDATE);
        }
    }
}

TEST(RaftElection, Section9_6_PreVoteChangesNeitherTermNorVoteAndWaitsForNothing)
{
    Solo s;
    s.pass(200);
    s.ready();
    EXPECT_EQ(s.status().term, 0u);
    EXPECT_EQ(s.status().vote, RAFT_NOBODY);
    EXPECT_FALSE(s.last.must_persist);
    ASSERT_EQ(s.sent.size(), 2u);
    EXPECT_EQ(s.sent[0].message.kind, WIRE_PREVOTE);
    EXPECT_EQ(s.sent[0].message.term, 1u);
    EXPECT_EQ(s.sent[0].after_seq, 0u);
}

TEST(RaftElection, Figure2_VoteRequestsWaitForTermAndVoteToBeStored)
{
    Solo s([](raft_config &c) { c.pre_vote = false; }, {1, 1, 2});
    s.pass(200);
    s.ready();
    EXPECT_EQ(s.status().role, RAFT_CANDIDATE);
    EXPECT_TRUE(s.last.hard_state_changed);
    EXPECT_EQ(s.last.term, 3u);
    EXPECT_EQ(s.last.vote, 1);
    ASSERT_EQ(s.sent.size(), 2u);
    for (const raft_send &send : s.sent) {
        EXPECT_EQ(send.message.kind, WIRE_VOTE);
        EXPECT_EQ(send.message.index, 3u);
        EXPECT_EQ(send.message.log_term, 2u);
        EXPECT_EQ(send.after_seq, s.seq);
    }
}

TEST(RaftElection, OwnVoteCountsOnlyOnceStored)
{
    Solo s([](raft_config &c) { c.pre_vote = false; });
    s.pass(200);
    s.ready();
    s.grant(WIRE_VOTE_REPLY, 2);
    EXPECT_EQ(s.status().role, RAFT_CANDIDATE);
    s.store();
    EXPECT_EQ(s.status().role, RAFT_LEADER);
}

TEST(RaftElection, Section5_2_MajorityElects)
{
    Solo s;
    s.campaign();
    EXPECT_FALSE(raft_is_leader(s.r));
    s.grant(WIRE_VOTE_REPLY, 3);
    EXPECT_TRUE(raft_is_leader(s.r));
    EXPECT_EQ(raft_leader(s.r), 1);
    s.ready();
    EXPECT_TRUE(s.last.role_changed);
    EXPECT_EQ(s.sent_of(WIRE_APPEND).size(), 2u) << "a new leader announces itself at once";
}

TEST(RaftElection, OneMemberAloneElectsItself)
{
    Solo s([](raft_config &c) { c.member_count = 1; });
    s.pass(200);
    s.ready();
    EXPECT_FALSE(raft_is_leader(s.r));
    s.store();
    EXPECT_TRUE(raft_is_leader(s.r));
}

TEST(RaftElection, VotesOfAnotherCampaignOrTermCountNothing)
{
    Solo s({}, {1});
    s.campaign();
    wire_raft reply{};
    reply.kind = WIRE_VOTE_REPLY;
    reply.flags = WIRE_RAFT_GRANTED;
    reply.from = 2;
    reply.term = 2;
    reply.round = 1; /* the pre-vote's */
    s.step(reply);
    EXPECT_FALSE(raft_is_leader(s.r));
    EXPECT_EQ(s.count(RAFT_VOTE_REPLY_LATE), 1u);
    reply.term = 1;
    s.step(reply);
    EXPECT_EQ(s.count(RAFT_STALE_TERM), 1u);
    EXPECT_FALSE(raft_is_leader(s.r));
}

TEST(RaftElection, GrantedPreVoteForAnotherTermCountsNothing)
{
    Solo s;
    s.pass(200);
    s.ready();
    wire_raft reply = {};
    reply.kind = WIRE_PREVOTE_REPLY;
    reply.flags = WIRE_RAFT_GRANTED;
    reply.from = 2;
    reply.term = 5;
    reply.round = s.sent[0].message.round;
    s.step(reply);
    EXPECT_EQ(s.status().role, RAFT_PRECANDIDATE);
    EXPECT_EQ(s.status().term, 0u);
    EXPECT_EQ(s.count(RAFT_VOTE_REPLY_LATE), 1u);
}

TEST(RaftElection, RefusalWithAHigherTermEndsTheCampaign)
{
    Solo s;
    s.campaign();
    wire_raft reply{};
    reply.kind = WIRE_VOTE_REPLY;
    reply.from = 2;
    reply.term = 9;
    s.step(reply);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
    EXPECT_EQ(s.status().term, 9u);
    EXPECT_EQ(s.count(RAFT_TERM_RAISED), 1u);
}

TEST(RaftElection, RefusedPreVoteBringsThePreCandidateUpToTheTerm)
{
    Solo s;
    s.pass(200);
    s.ready();
    wire_raft reply{};
    reply.kind = WIRE_PREVOTE_REPLY;
    reply.from = 2;
    reply.term = 9;
    s.step(reply);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
    EXPECT_EQ(s.status().term, 9u);
}

TEST(RaftElection, UnansweredRequestsAreRepeatedWithEveryHeartbeat)
{
    Solo s;
    s.campaign();
    s.pass(11);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_VOTE).size(), 2u);
    EXPECT_EQ(s.sent[0].after_seq, 0u) << "the vote is stored by now";
}

TEST(RaftElection, AVoteRefusedIsNotAskedForAgainInItsTerm)
{
    Solo s;
    s.campaign();
    wire_raft no{};
    no.kind = WIRE_VOTE_REPLY;
    no.from = 3;
    no.term = 1;
    no.round = 2;
    s.step(no);
    s.pass(11);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_VOTE, 2).size(), 1u);
    EXPECT_TRUE(s.sent_of(WIRE_VOTE, 3).empty());
}

TEST(RaftElection, ARefusedPreVoteIsAskedForAgain)
{
    Solo s;
    s.pass(200);
    s.ready();
    wire_raft no{};
    no.kind = WIRE_PREVOTE_REPLY;
    no.from = 3;
    no.round = s.sent.at(0).message.round;
    s.step(no);
    s.pass(11);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_PREVOTE, 3).size(), 1u);
}

TEST(RaftElection, Section3_4_SplitVoteIsTriedAgainInANewTermAndBacksOff)
{
    Solo s([](raft_config &c) { c.pre_vote = false; });
    uint64_t longest = 0;
    for (uint64_t term = 1; term <= 20; term++) {
        uint64_t start = s.now;
        while (s.status().term < term)
            s.pass(1);
        s.ready();
        s.store();
        uint64_t waited = s.now - start;
        EXPECT_GE(waited, 100 * ms - ms);
        EXPECT_LE(waited, (100 + 4 * 100) * ms + ms) << "back-off is modest";
        longest = std::max(longest, waited);
    }
    EXPECT_GT(longest, 200 * ms) << "back-off widens the interval";
    EXPECT_GE(s.count(RAFT_SPLIT_VOTE), 19u);
}

TEST(RaftElection, CandidateYieldsToTheLeaderOfItsTerm)
{
    Solo s;
    s.campaign();
    s.append(3, 1, 0, 0);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
    EXPECT_EQ(raft_leader(s.r), 3);
}

/* ---- voters */

static Solo::Tweak nothing;

TEST(RaftVote, Figure2_OneVotePerTermAndItWaitsToBeStored)
{
    Solo s;
    s.pass(100);
    s.ask_vote(WIRE_VOTE, 2, 1, 0, 0);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_VOTE_REPLY, 2).size(), 1u);
    EXPECT_TRUE(s.sent[0].message.flags & WIRE_RAFT_GRANTED);
    EXPECT_EQ(s.sent[0].message.round, 77u);
    EXPECT_EQ(s.sent[0].after_seq, s.seq);
    EXPECT_TRUE(s.last.hard_state_changed);
    EXPECT_EQ(s.last.vote, 2);

    s.ask_vote(WIRE_VOTE, 3, 1, 5, 0);
    s.ready();
    EXPECT_FALSE(s.sent[0].message.flags & WIRE_RAFT_GRANTED);
    EXPECT_EQ(s.sent[0].after_seq, 0u) << "refusals leave at once";
    EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_ALREADY_VOTED), 1u);

    s.ask_vote(WIRE_VOTE, 2, 1, 0, 0);
    s.ready();
    EXPECT_TRUE(s.sent[0].message.flags & WIRE_RAFT_GRANTED)
        << "a repeated request gets the same answer";
    EXPECT_EQ(s.sent[0].after_seq, s.seq) << "which still is not stored";
    s.store();
    s.ask_vote(WIRE_VOTE, 2, 1, 0, 0);
    s.ready();
    EXPECT_EQ(s.sent[0].after_seq, 0u);
}

TEST(RaftVote, Figure2_VoteSurvivesARestart)
{
    raft_restore restore{};
    restore.term = 4;
    restore.vote = 2;
    Solo s(nothing, {}, restore);
    s.pass(100);
    s.ask_vote(WIRE_VOTE, 3, 4, 0, 0);
    EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_ALREADY_VOTED), 1u);
    s.ask_vote(WIRE_VOTE, 2, 4, 0, 0);
    EXPECT_EQ(s.count(RAFT_VOTE_GRANTED), 1u);
}

TEST(RaftVote, Section5_1_StaleCandidatesLearnTheTerm)
{
    raft_restore restore{};
    restore.term = 4;
    Solo s(nothing, {}, restore);
    s.pass(100);
    for (uint8_t kind : {WIRE_VOTE, WIRE_PREVOTE}) {
        s.ask_vote(kind, 2, 3, 9, 3);
        s.ready();
        ASSERT_EQ(s.sent.size(), 1u);
        EXPECT_EQ(s.sent[0].message.term, 4u);
        EXPECT_EQ(s.sent[0].message.flags, 0);
        EXPECT_EQ(s.sent[0].after_seq, 0u);
    }
    EXPECT_EQ(s.count(RAFT_STALE_TERM), 2u);
}

struct LogPair {
    uint64_t index, term;
    bool granted;
};

TEST(RaftVote, Section5_4_1_OnlyAnUpToDateLogGetsTheVote)
{
    for (LogPair candidate : {LogPair{3, 2, true}, LogPair{4, 2, true}, LogPair{1, 3, true},
                              LogPair{2, 2, false}, LogPair{9, 1, false}, LogPair{0, 0, false}}) {
        for (uint8_t kind : {WIRE_VOTE, WIRE_PREVOTE}) {
            Solo s(nothing, {1, 1, 2});
            s.pass(100);
            s.ask_vote(kind, 2, 7, candidate.index, candidate.term);
            s.ready();
            EXPECT_EQ(!!(s.sent[0].message.flags & WIRE_RAFT_GRANTED), candidate.granted)
                << candidate.index << " " << candidate.term;
            EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_OLD_LOG), !candidate.granted);
            EXPECT_EQ(s.status().term, kind == WIRE_VOTE ? 7u : 2u) << "pre-votes raise no term";
        }
    }
}

TEST(RaftVote, Section9_6_PreVoteIsGrantedForTheTermAskedForAndToManyInIt)
{
    Solo s;
    s.pass(100);
    s.ask_vote(WIRE_PREVOTE, 2, 6, 0, 0);
    s.ask_vote(WIRE_PREVOTE, 3, 6, 0, 0);
    s.ready();
    ASSERT_EQ(s.sent.size(), 2u);
    for (const raft_send &send : s.sent) {
        EXPECT_EQ(send.message.flags, WIRE_RAFT_GRANTED);
        EXPECT_EQ(send.message.term, 6u);
        EXPECT_EQ(send.after_seq, 0u);
    }
    EXPECT_FALSE(s.last.must_persist);
    EXPECT_EQ(s.count(RAFT_PREVOTE_GRANTED), 2u);
}

TEST(RaftVote, Section4_2_3_AVoterThatHearsALeaderRefusesEvenHigherTerms)
{
    Solo s;
    s.pass(100);
    s.append(2, 1, 0, 0);
    s.pass(99);
    s.ask_vote(WIRE_VOTE, 3, 9, 9, 9);
    s.ask_vote(WIRE_PREVOTE, 3, 9, 9, 9);
    EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_LEADER_LIVES), 2u);
    EXPECT_EQ(s.status().term, 1u);
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_VOTE_REPLY).empty());
    EXPECT_EQ(s.sent_of(WIRE_PREVOTE_REPLY).at(0).flags, 0);
    EXPECT_EQ(s.sent_of(WIRE_PREVOTE_REPLY).at(0).term, 1u);
    s.pass(1);
    if (s.status().role == RAFT_FOLLOWER)
        s.ask_vote(WIRE_VOTE, 3, 9, 9, 9);
    EXPECT_EQ(s.status().term, 9u);
    EXPECT_EQ(s.count(RAFT_VOTE_GRANTED), 1u);
}

TEST(RaftVote, Section3_10_TransferOverridesTheLeaderThatIsHeard)
{
    Solo s;
    s.append(2, 1, 0, 0);
    s.ask_vote(WIRE_VOTE, 3, 2, 0, 0, WIRE_RAFT_TRANSFER);
    EXPECT_EQ(s.status().term, 2u);
    EXPECT_EQ(s.count(RAFT_VOTE_GRANTED), 1u);
}

TEST(RaftVote, AStartingVoterWaitsOneElectionTimeout)
{
    Solo s;
    s.pass(99);
    s.ask_vote(WIRE_VOTE, 2, 1, 0, 0);
    EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_LEADER_LIVES), 1u);
    s.pass(1);
    s.ask_vote(WIRE_VOTE, 2, 1, 0, 0);
    EXPECT_EQ(s.count(RAFT_VOTE_GRANTED), 1u);
}

TEST(RaftVote, GrantingGivesTheCandidateTime)
{
    Solo s;
    s.pass(100);
    ASSERT_EQ(s.status().role, RAFT_FOLLOWER);
    s.ask_vote(WIRE_VOTE, 2, 1, 0, 0);
    s.pass(99);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
}

/* ---- leaders that lose their office */

TEST(RaftLeader, Section6_2_StepsDownWithoutEchoesOfAQuorum)
{
    Solo s;
    s.reign();
    s.pass(99);
    EXPECT_TRUE(raft_is_leader(s.r));
    s.pass(12);
    EXPECT_FALSE(raft_is_leader(s.r));
    EXPECT_EQ(s.count(RAFT_QUORUM_LOST), 1u);
    EXPECT_EQ(raft_leader(s.r), RAFT_NOBODY);
}

TEST(RaftLeader, Section6_2_OneFollowerOfTwoIsEnoughToStay)
{
    Solo s;
    s.reign();
    for (int beat = 0; beat < 30; beat++) {
        s.pass(10);
        s.ready();
        s.accept(3, raft_last_index(s.r), s.round);
    }
    EXPECT_TRUE(raft_is_leader(s.r));
}

TEST(RaftLeader, WithoutCheckQuorumItStays)
{
    Solo s([](raft_config &c) { c.check_quorum = false; });
    s.reign();
    s.pass(1000);
    EXPECT_TRUE(raft_is_leader(s.r));
}

TEST(RaftLeader, StepsDownForAHigherTermAndLeavesNothingOfTheOldOneInTheOutbox)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({50}), 1u);
    s.append(3, 8, 0, 0);
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_APPEND).empty());
    EXPECT_EQ(s.count(RAFT_DEPOSED), 1u);
    EXPECT_TRUE(s.last.hard_state_changed);
    EXPECT_EQ(s.last.term, 8u);
}

TEST(RaftLeader, RefusesVotesWhileAQuorumAnswers)
{
    Solo s;
    s.reign();
    s.ask_vote(WIRE_VOTE, 3, 9, 9, 9);
    EXPECT_TRUE(raft_is_leader(s.r));
    EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_LEADER_LIVES), 1u);
}

TEST(RaftLeader, RefusesAnAppendOfItsOwnTerm)
{
    Solo s;
    s.reign();
    s.append(2, raft_term(s.r), 0, 0);
    EXPECT_TRUE(raft_is_leader(s.r));
    EXPECT_EQ(s.count(RAFT_TWO_LEADERS), 1u);
}

TEST(RaftPace, AStallOfOurOwnIsForgivenOnce)
{
    Solo s;
    s.append(2, 1, 0, 0);
    s.now += 500 * ms; /* asleep: what the leader sent in the meantime is still in the queue */
    raft_tick(s.r, s.now);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
    EXPECT_EQ(s.count(RAFT_STALL_FORGIVEN), 1u);
    s.now += 500 * ms;
    raft_tick(s.r, s.now);
    EXPECT_EQ(s.status().role, RAFT_PRECANDIDATE);
}

TEST(RaftPace, ALeadersStallIsForgivenOnce)
{
    Solo s;
    s.reign();
    s.now += 500 * ms;
    raft_tick(s.r, s.now);
    EXPECT_TRUE(raft_is_leader(s.r));
    s.now += 500 * ms;
    raft_tick(s.r, s.now);
    EXPECT_FALSE(raft_is_leader(s.r));
}

TEST(RaftPace, AClockThatStepsBackStandsStill)
{
    Solo s;
    s.pass(50);
    raft_tick(s.r, 0);
    s.ask_vote(WIRE_VOTE, 2, 1, 0, 0);
    EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_LEADER_LIVES), 1u);
    s.pass(50);
    s.ask_vote(WIRE_VOTE, 2, 1, 0, 0);
    EXPECT_EQ(s.count(RAFT_VOTE_GRANTED), 1u);
}
