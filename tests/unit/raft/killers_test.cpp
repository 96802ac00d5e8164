/* What mechanical mutation found untested (tests/mutate): corners of the limits, of the pace and of
 * members. */
#include "tests/unit/raft/assembly.h"

/* ---- limits ---------------------------------------------------------------------------------- */

TEST(RaftCorners, TheLargestWindowIsAcceptable)
{
    raft_config config = solo_config();
    config.entries_max = RAFT_ENTRIES_MAX;
    EXPECT_NE(raft_footprint(&config), 0u);
}

TEST(RaftCorners, ProposalsFillTheUncommittedBytesToTheLast)
{
    Solo s([](raft_config &c) { c.uncommitted_bytes_max = 300; });
    s.reign();
    EXPECT_EQ(s.propose({100, 100, 100}), 3u);
    EXPECT_EQ(s.propose({1}), 0u);
    EXPECT_EQ(s.count(RAFT_PROPOSE_REFUSED_BUSY), 1u);
}

TEST(RaftCorners, BytesAreCountedFromWhereTheWindowBegins)
{
    Solo s([](raft_config &c) { c.entries_max = 8; });
    s.reign();
    for (int i = 0; i < 20; i++) {
        ASSERT_EQ(s.propose({50}), 1u);
        s.ready();
        s.store();
        s.accept(2, raft_last_index(s.r), s.round);
        s.ready();
        s.apply();
    }
    uint64_t base = raft_last_index(s.r) - 8;
    s.reject(3, base, 1, s.round);
    s.ready();
    std::vector<wire_raft> sent = s.sent_of(WIRE_APPEND, 3);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].index, base);
    EXPECT_EQ(sent[0].entry_count, 4u);
    EXPECT_EQ(sent[0].entry_bytes, 200u);
}

TEST(RaftCorners, AnEntryNamesNoConfigurationBeyondThoseThatCame)
{
    Assembly s;
    const wire_members both[] = {members_of({{1, voter}, {2, voter}, {3, voter}}),
                                 members_of({{1, voter}, {2, voter}})};
    const raft_entry entry{1, 50, 2};
    raft_input input{};
    input.message.kind = WIRE_APPEND;
    input.message.group = s.config.group;
    input.message.from = 2;
    input.message.to = 1;
    input.message.term = 1;
    input.message.entry_count = 1;
    input.entries = &entry;
    EXPECT_EQ(raft_step_members(s.r, &input, 1, both, 1), 1u);
    EXPECT_EQ(s.count(RAFT_APPEND_REFUSED_MEMBERS), 1u);
    EXPECT_EQ(raft_last_index(s.r), 0u);
}

/* ---- what is held, and what is owed ---------------------------------------------------------- */

TEST(RaftCorners, EveryAnswerOfOneTurnIsHeldUntilTheVoteIsStored)
{
    Solo s;
    s.pass(100); /* no promise to a leader of before */
    s.ask_vote(WIRE_VOTE, 2, 1, 0, 0);
    s.ask_vote(WIRE_VOTE, 2, 1, 0, 0);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_VOTE_REPLY, 2).size(), 2u);
    for (const raft_send &send : s.sent)
        EXPECT_EQ(send.after_seq, s.seq);
}

TEST(RaftCorners, AnOlderStoredVoteIsNotTheOneOfANewCampaign)
{
    Solo s([](raft_config &c) { c.member_count = 1; });
    s.pass(200);
    ASSERT_EQ(s.status().role, RAFT_CANDIDATE);
    s.ready(); /* its vote of term 1 is on its way */
    s.pass(400);
    ASSERT_GT(raft_term(s.r), 1u); /* and that of another term not even that */
    s.store();
    EXPECT_FALSE(raft_is_leader(s.r));
    s.ready();
    s.store();
    EXPECT_TRUE(raft_is_leader(s.r));
}

TEST(RaftCorners, ASnapshotInTheMiddleOfTheLogTakesBackNoAcknowledgement)
{
    Solo s;
    s.append(2, 1, 0, 0, {1, 1, 1, 1, 1});
    s.ready();
    s.store();
    raft_snapshot snapshot{};
    snapshot.index = 3;
    snapshot.term = 1;
    uint64_t index;
    snapshot.members = *raft_members(s.r, &index);
    ASSERT_EQ(raft_snapshot_installed(s.r, &snapshot), RAFT_INSTALL_KEEPS);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_APPEND_REPLY, 2).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND_REPLY, 2)[0].index, 5u);
}

TEST(RaftCorners, WhatWasRefusedBeforeTheSnapshotArrivedIsOutdated)
{
    Solo s;
    s.reign();
    for (int i = 0; i < 10; i++) {
        ASSERT_EQ(s.propose({50}), 1u);
        s.ready();
        s.store();
        s.accept(2, raft_last_index(s.r), s.round);
        s.ready();
        s.apply();
    }
    raft_snapshot snapshot;
    ASSERT_TRUE(raft_snapshot_describe(s.r, 9, &snapshot));
    raft_compacted(s.r, 8);
    s.reject(3, 0, 0, s.round);
    ASSERT_EQ(s.status().member[2].progress, RAFT_SNAPSHOT);
    raft_snapshot_taken(s.r, &snapshot);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_SNAPSHOT, 3).size(), 1u);
    uint64_t round = s.sent_of(WIRE_SNAPSHOT, 3)[0].round;
    raft_snapshot_sent(s.r, 3, 9);
    EXPECT_EQ(s.status().member[2].progress, RAFT_PROBE);
    uint64_t outdated = s.count(RAFT_REPLY_OUTDATED);
    s.reject(3, 0, 0, round); /* it answers what was sent beside the snapshot */
    EXPECT_EQ(s.count(RAFT_REPLY_OUTDATED), outdated + 1);
    EXPECT_EQ(s.status().member[2].progress, RAFT_PROBE);
}

TEST(RaftCorners, AnInputThatIsRefusedTakesNothing)
{
    Solo s;
    raft_input input{};
    input.message.kind = WIRE_APPEND;
    input.message.group = 99;
    input.take_first = 7;
    input.take_count = 8;
    input.take_snapshot = true;
    EXPECT_EQ(raft_step(s.r, &input, 1), 1u);
    EXPECT_EQ(input.take_first, 0u);
    EXPECT_EQ(input.take_count, 0u);
    EXPECT_FALSE(input.take_snapshot);
}

TEST(RaftCorners, ALeaderOfThePastLearnsItFromItsSnapshotAsWell)
{
    Solo s;
    s.append(2, 5, 0, 0);
    s.ready();
    for (uint8_t kind : {WIRE_SNAPSHOT, WIRE_TIMEOUT_NOW}) {
        wire_raft message{};
        message.kind = kind;
        message.from = 3;
        message.term = 4;
        message.index = 1;
        message.log_term = 1;
        s.step(message);
        s.ready();
        EXPECT_EQ(s.sent_of(WIRE_APPEND_REPLY, 3).size(), kind == WIRE_SNAPSHOT ? 1u : 0u);
    }
    EXPECT_EQ(s.count(RAFT_STALE_TERM), 2u);
}

TEST(RaftCorners, AReportThatComesLateTakesNothingBack)
{
    Solo s;
    s.append(2, 1, 0, 0, {1});
    s.ready();
    s.pass(100);
    s.ask_vote(WIRE_VOTE, 3, 2, 1, 1);
    s.ready();
    ASSERT_EQ(s.seq, 2u);
    raft_stored(s.r, 2);
    raft_stored(s.r, 1);
    s.ask_vote(WIRE_VOTE, 3, 2, 1, 1);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_VOTE_REPLY, 3).size(), 1u);
    EXPECT_EQ(s.sent[0].after_seq, 0u);
}

TEST(RaftCorners, AnOlderSnapshotDoesNotTakeTheNewerOnesPlace)
{
    Solo s;
    s.reign();
    for (int i = 0; i < 4; i++) {
        ASSERT_EQ(s.propose({50}), 1u);
        s.ready();
        s.store();
        s.accept(2, raft_last_index(s.r), s.round);
        s.ready();
        s.apply();
    }
    raft_snapshot older, newer;
    ASSERT_TRUE(raft_snapshot_describe(s.r, 2, &older));
    ASSERT_TRUE(raft_snapshot_describe(s.r, 4, &newer));
    raft_snapshot_taken(s.r, &newer);
    raft_snapshot_taken(s.r, &older);
    EXPECT_EQ(raft_snapshot_of(s.r)->index, 4u);
}

/* ---- looks ----------------------------------------------------------------------------------- */

TEST(RaftCorners, AFollowerSaysNothingOfOthersProgress)
{
    Solo s;
    s.append(2, 1, 0, 0, {1});
    for (const raft_member_status &member : s.status().member) {
        EXPECT_EQ(member.progress, 0u);
        EXPECT_EQ(member.match, 0u);
        EXPECT_EQ(member.next, 0u);
    }
    EXPECT_EQ(s.status().full_copies, 0u);
}

/* ---- pace ------------------------------------------------------------------------------------ */

/* Lost campaigns widen what time-outs are drawn from: once there is a leader, no longer. */
template <typename Peace> static void expect_narrow_again(const Peace &peace)
{
    for (uint64_t seed = 1; seed <= 64; seed++) {
        Solo s([seed](raft_config &c) {
            c.seed = seed;
            c.pre_vote = false;
        });
        s.campaign();
        for (int i = 0; i < 2000 && s.count(RAFT_SPLIT_VOTE) < 3; i++)
            s.pass(1);
        s.ready();
        s.store();
        peace(s);
        uint64_t began = s.now, campaigns = s.count(RAFT_CAMPAIGN_STARTED);
        for (int i = 0; i < 2000 && s.count(RAFT_CAMPAIGN_STARTED) == campaigns; i++)
            s.pass(1);
        ASSERT_EQ(s.status().role, RAFT_CANDIDATE);
        s.ready();
        /* the time-out of this campaign was drawn after the peace */
        uint64_t lost = s.count(RAFT_SPLIT_VOTE);
        began = s.now;
        for (int i = 0; i < 2000 && s.count(RAFT_SPLIT_VOTE) == lost; i++)
            s.pass(1);
        EXPECT_LE(s.now - began, 200 * ms) << "seed " << seed;
    }
}

TEST(RaftCorners, ALeaderHeardForgetsLostCampaigns)
{
    expect_narrow_again([](Solo &s) { s.append(2, raft_term(s.r), 0, 0); });
}

TEST(RaftCorners, AnOfficeWonForgetsLostCampaigns)
{
    expect_narrow_again([](Solo &s) {
        s.grant(WIRE_VOTE_REPLY, 2);
        ASSERT_TRUE(raft_is_leader(s.r));
        for (int i = 0; i < 300 && raft_is_leader(s.r); i++)
            s.pass(1);
        ASSERT_FALSE(raft_is_leader(s.r));
    });
}

TEST(RaftCorners, AStallAfterContactIsForgivenAgain)
{
    Solo s;
    s.reign();
    for (int stalls = 0; stalls < 3; stalls++) {
        s.now += 500 * ms;
        raft_tick(s.r, s.now);
        EXPECT_TRUE(raft_is_leader(s.r)) << stalls;
        for (int beats = 0; beats < 4; beats++) {
            s.ready();
            s.accept(2, 1, s.round);
            s.pass(10);
        }
    }
    EXPECT_EQ(s.count(RAFT_STALL_FORGIVEN), 3u);
}

TEST(RaftCorners, AStallBeforeTheElectionIsNotCountedAgainstTheLeader)
{
    Solo s;
    s.now += 500 * ms;
    raft_tick(s.r, s.now);
    ASSERT_EQ(s.count(RAFT_STALL_FORGIVEN), 1u);
    s.lead();
    s.now += 500 * ms;
    raft_tick(s.r, s.now);
    EXPECT_TRUE(raft_is_leader(s.r));
    EXPECT_EQ(s.count(RAFT_STALL_FORGIVEN), 2u);
}

TEST(RaftCorners, TheTimeoutIsOverWhenItWasSaidToBe)
{
    Solo s;
    s.append(2, 1, 0, 0);
    s.ready();
    raft_tick(s.r, s.last.wake_ns - 1);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
    raft_tick(s.r, s.last.wake_ns);
    EXPECT_EQ(s.status().role, RAFT_PRECANDIDATE);
}

TEST(RaftCorners, AHandOverIsAbandonedAfterATimeoutAndNoLater)
{
    Solo s;
    s.reign();
    ASSERT_TRUE(raft_transfer(s.r, 2));
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(s.count(RAFT_TRANSFER_ABANDONED), 0u);
        s.ready();
        s.accept(2, 1, s.round);
        s.accept(3, 1, s.round);
        s.pass(10);
    }
    EXPECT_EQ(s.count(RAFT_TRANSFER_ABANDONED), 1u);
}

/* ---- members --------------------------------------------------------------------------------- */

TEST(RaftCorners, MemberZeroIsAMemberLikeOthersUntilItLeaves)
{
    Assembly s([](raft_config &c) {
        for (uint16_t i = 0; i < 3; i++)
            c.member[i] = i;
    });
    s.lead();
    s.settle({2});
    ASSERT_EQ(s.change({{RAFT_REMOVE, 0, 0}}), RAFT_CHANGE_STARTED);
    s.settle({2});
    ASSERT_TRUE(s.leave());
    s.settle({2});
    s.accept(0, 1, s.round);
    EXPECT_EQ(s.count(RAFT_STRANGER), 1u);
}

TEST(RaftCorners, ALearnerIsStableAfterTenTimeoutsUnlessToldOtherwise)
{
    Solo s([](raft_config &c) { c.role[2] = WIRE_ROLE_LEARNER; });
    s.lead();
    const auto pass = [&s](int heartbeats) {
        for (int i = 0; i < heartbeats; i++) {
            s.ready();
            s.store();
            s.accept(2, 1, s.round);
            s.accept(3, 1, s.round);
            s.ready();
            s.apply();
            s.pass(10);
        }
    };
    const struct raft_change promote = {RAFT_PROMOTE, 3, 0};
    wire_members members;
    pass(90);
    EXPECT_EQ(raft_change(s.r, &promote, 1, &members), RAFT_CHANGE_REFUSED_NOT_CAUGHT_UP);
    pass(15);
    EXPECT_EQ(raft_change(s.r, &promote, 1, &members), RAFT_CHANGE_STARTED);
}

TEST(RaftCorners, ALearnerThatStaysOneIsNoPromotion)
{
    Assembly s([](raft_config &c) {
        c.member_count = 4;
        c.member[3] = 4;
        c.role[3] = WIRE_ROLE_LEARNER;
        c.voters_max = 1;
    });
    s.reign();
    EXPECT_EQ(s.change({{RAFT_REMOVE, 3, 30}}), RAFT_CHANGE_STARTED);
}

TEST(RaftCorners, TimeAsAVoterIsNoTimeAsALearner)
{
    Assembly s;
    s.reign();
    s.bring_in({7}); /* somebody to be looked after while 3 votes */
    s.pass_with(100, {2, 3, 7});
    ASSERT_EQ(s.change({{RAFT_DEMOTE, 3, 30}}), RAFT_CHANGE_STARTED);
    s.settle({2, 3, 7});
    ASSERT_TRUE(s.leave());
    s.settle({2, 3, 7});
    EXPECT_EQ(s.change({{RAFT_PROMOTE, 3, 30}}), RAFT_CHANGE_REFUSED_NOT_CAUGHT_UP);
}

TEST(RaftCorners, ALearnerInheritsNoTimeFromWhoHadItsPlace)
{
    Assembly s;
    s.reign();
    s.bring_in({7});
    ASSERT_EQ(s.change({{RAFT_REMOVE, 7, 70}}), RAFT_CHANGE_STARTED);
    s.settle({2, 3});
    ASSERT_EQ(s.change({{RAFT_ADD_LEARNER, 8, 80}}), RAFT_CHANGE_STARTED);
    s.settle({2, 3, 8});
    EXPECT_EQ(s.change({{RAFT_PROMOTE, 8, 80}}), RAFT_CHANGE_REFUSED_NOT_CAUGHT_UP);
}
