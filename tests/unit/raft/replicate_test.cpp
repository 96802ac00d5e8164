/* A leader and its followers' progress: paper §5.3, thesis §3.5, §10.2.1. */
#include "tests/unit/raft/solo.h"

static Solo::Tweak nothing;

TEST(RaftReplicate, ANewLeadersFirstProposalIsItsNoOpAlone)
{
    Solo s(nothing, {1, 1});
    s.campaign();
    EXPECT_FALSE(raft_noop_due(s.r));
    s.grant(WIRE_VOTE_REPLY, 2);
    EXPECT_TRUE(raft_noop_due(s.r));
    EXPECT_EQ(s.status().term_start_index, 3u);
    EXPECT_EQ(s.propose({50, 60, 70}), 1u);
    EXPECT_EQ(s.count(RAFT_PROPOSE_NOOP_FIRST), 1u);
    EXPECT_FALSE(raft_noop_due(s.r));
    EXPECT_EQ(s.propose({60, 70}), 2u);
    EXPECT_EQ(raft_entry_term(s.r, 3), 2u);
}

TEST(RaftReplicate, FollowersProposeNothing)
{
    Solo s;
    EXPECT_EQ(s.propose({50}), 0u);
    EXPECT_EQ(s.count(RAFT_PROPOSE_REFUSED_NOT_LEADER), 1u);
}

TEST(RaftReplicate, ProbesWithOneMessageAtATimeFromTheEndOfItsLog)
{
    Solo s(nothing, {1, 1});
    s.lead();
    std::vector<wire_raft> appends = s.sent_of(WIRE_APPEND, 2);
    ASSERT_EQ(appends.size(), 1u);
    EXPECT_EQ(appends[0].index, 2u);
    EXPECT_EQ(appends[0].log_term, 1u);
    EXPECT_EQ(appends[0].entry_count, 1u);
    EXPECT_EQ(appends[0].entry_bytes, 50u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2).size(), 1u);
    EXPECT_EQ(s.propose({50}), 1u);
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_APPEND).empty()) << "one probe at a time";
    EXPECT_EQ(s.status().member[1].progress, RAFT_PROBE);
    s.pass(10);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_APPEND, 2).size(), 1u) << "the heartbeat asks again";
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2)[0].index, 2u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2)[0].entry_count, 0u)
        << "without entries: nobody may be there";
    s.accept(2, 2, s.round);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2).at(0).entry_count, 2u);
}

TEST(RaftReplicate, AppendsLeaveAtOnceWhileTheLeadersOwnDiskIsBusy)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({50, 50}), 2u);
    s.ready();
    EXPECT_TRUE(s.last.must_persist);
    ASSERT_EQ(s.sent_of(WIRE_APPEND).size(), 2u);
    for (const raft_send &send : s.sent)
        EXPECT_EQ(send.after_seq, 0u);
}

TEST(RaftReplicate, PipelinesUpToTheMessageLimit)
{
    Solo s;
    s.reign();
    uint64_t start = raft_last_index(s.r);
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(s.propose({50}), 1u);
    s.ready();
    std::vector<wire_raft> appends = s.sent_of(WIRE_APPEND, 2);
    ASSERT_EQ(appends.size(), 3u);
    for (uint64_t i = 0; i < 3; i++) {
        EXPECT_EQ(appends[i].index, start + 4 * i);
        EXPECT_EQ(appends[i].entry_count, 4u);
    }
    EXPECT_EQ(s.status().member[1].next, start + 13);
    EXPECT_EQ(s.status().member[1].match, start);
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_APPEND).empty());
    s.accept(2, start + 4, s.round);
    s.ready();
    appends = s.sent_of(WIRE_APPEND, 2);
    ASSERT_EQ(appends.size(), 1u);
    EXPECT_EQ(appends[0].index, start + 12);
    EXPECT_TRUE(s.sent_of(WIRE_APPEND, 3).empty());
}

TEST(RaftReplicate, PipelinesUpToTheByteLimit)
{
    Solo s([](raft_config &c) {
        c.inflight_bytes_max = 1000;
        c.message_entries_max = 16;
    });
    s.reign();
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(s.propose({100}), 1u);
    s.ready();
    std::vector<wire_raft> appends = s.sent_of(WIRE_APPEND, 2);
    ASSERT_EQ(appends.size(), 2u);
    EXPECT_EQ(appends[0].entry_count, 4u) << "400 bytes of a message";
    EXPECT_EQ(appends[1].entry_count, 4u) << "and no room in flight for another whole message";
    s.accept(2, 5, s.round);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_APPEND, 2).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2)[0].entry_count, 2u);
}

TEST(RaftReplicate, ADeadFollowerHoldsItsBytesInFlightAndCostsTheOthersNothing)
{
    Solo s([](raft_config &c) { c.inflight_bytes_max = 1000; });
    s.reign();
    uint64_t to_dead = 0;
    for (int i = 0; i < 200; i++) {
        ASSERT_EQ(s.propose({50, 50}), 2u) << "at " << i;
        s.ready();
        for (const wire_raft &append : s.sent_of(WIRE_APPEND, 3))
            to_dead += append.entry_bytes;
        ASSERT_FALSE(s.sent_of(WIRE_APPEND, 2).empty());
        s.store();
        s.accept(2, raft_last_index(s.r), s.round);
        s.ready();
        s.apply();
    }
    EXPECT_EQ(s.status().commit, 401u);
    EXPECT_LE(to_dead, 1000u);
    EXPECT_GT(to_dead, 0u);
}

TEST(RaftReplicate, AnEntryLargerThanAMessageTravelsAlone)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({50, 3000, 50}), 3u);
    s.ready();
    std::vector<wire_raft> appends = s.sent_of(WIRE_APPEND, 2);
    ASSERT_EQ(appends.size(), 1u) << "the large one waits until nothing else is in flight";
    EXPECT_EQ(appends[0].entry_bytes, 50u);
    s.accept(2, raft_last_index(s.r) - 2, s.round);
    s.ready();
    appends = s.sent_of(WIRE_APPEND, 2);
    ASSERT_EQ(appends.size(), 2u);
    EXPECT_EQ(appends[0].entry_count, 1u);
    EXPECT_EQ(appends[0].entry_bytes, 3000u);
    EXPECT_EQ(appends[1].entry_bytes, 50u);
}

TEST(RaftReplicate, Section5_3_RejectionsLeadBackToTheLastCommonEntry)
{
    Solo s(nothing, {1, 1, 2, 2, 4, 4, 4});
    s.lead(); /* term 5, no-op at 8 */
    s.reject(2, 5, 3,
             s.round); /* its entry 5 has term 3: no agreement behind our last entry of term <= 3 */
    EXPECT_EQ(s.count(RAFT_PROBED), 1u);
    s.ready();
    std::vector<wire_raft> appends = s.sent_of(WIRE_APPEND, 2);
    ASSERT_EQ(appends.size(), 1u);
    EXPECT_EQ(appends[0].index, 4u);
    EXPECT_EQ(appends[0].log_term, 2u);
    EXPECT_EQ(appends[0].entry_count, 4u);
    s.accept(2, 8, s.round);
    EXPECT_EQ(s.status().member[1].progress, RAFT_REPLICATE);
    EXPECT_EQ(s.status().member[1].match, 8u);
    EXPECT_EQ(s.status().member[1].next, 9u);
}

TEST(RaftReplicate, LossIsFoundByTheHeartbeatAndRepairedFromTheMatch)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({50, 50, 50}), 3u);
    s.ready(); /* lost */
    s.pass(10);
    s.ready();
    std::vector<wire_raft> beat = s.sent_of(WIRE_APPEND, 2);
    ASSERT_EQ(beat.size(), 1u);
    EXPECT_EQ(beat[0].entry_count, 0u);
    EXPECT_EQ(beat[0].index, 4u) << "asks whether what was sent is there";
    s.reject(2, 1, 1, s.round);
    s.ready();
    std::vector<wire_raft> again = s.sent_of(WIRE_APPEND, 2);
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].index, 1u);
    EXPECT_EQ(again[0].entry_count, 3u);
}

TEST(RaftReplicate, RejectionsOfWhatWasSentBeforeTheCorrectionAreIgnored)
{
    Solo s(nothing, {1, 1, 1});
    s.lead();
    uint64_t early = s.round;
    s.reject(2, 2, 1, early);
    s.ready();
    s.reject(2, 1, 1, early);
    s.reject(2, 0, 0, early);
    EXPECT_EQ(s.count(RAFT_REPLY_OUTDATED), 2u);
    EXPECT_EQ(s.status().member[1].next, 3u);
}

TEST(RaftReplicate, ARejectionBelowTheMatchDoesNotGoBelowIt)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({50}), 1u);
    s.ready();
    s.reject(2, 0, 0, s.round);
    EXPECT_EQ(s.status().member[1].next, 2u);
}

TEST(RaftReplicate, ACorrectionThatCorrectsNothingWaitsForTheHeartbeat)
{
    Solo s(nothing, {1, 1, 1});
    s.lead();
    for (int i = 0; i < 5; i++) {
        s.reject(2, 2, 1, s.round);
        s.ready();
    }
    EXPECT_TRUE(s.sent.empty());
    s.pass(10);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2).size(), 1u);
}

TEST(RaftReplicate, ConfirmationsOfWhatWasNeverSentAreRefused)
{
    Solo s;
    s.reign();
    s.accept(2, 99, s.round);
    s.accept(2, 1, s.round + 1);
    EXPECT_EQ(s.count(RAFT_REPLY_NONSENSE), 2u);
    EXPECT_EQ(s.status().member[1].match, 1u);
}

TEST(RaftReplicate, OldConfirmationsMoveNothingBack)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({50, 50}), 2u);
    s.ready();
    s.accept(2, 3, s.round);
    s.accept(2, 2, s.round);
    EXPECT_EQ(s.status().member[1].match, 3u);
    EXPECT_EQ(s.status().member[1].progress, RAFT_REPLICATE);
}

TEST(RaftReplicate, RepliesReachOnlyLeaders)
{
    Solo s;
    s.append(2, 1, 0, 0);
    s.accept(3, 0, 0);
    EXPECT_EQ(s.count(RAFT_REPLY_UNEXPECTED), 1u);
    s.reject(3, 0, 0, 0);
    EXPECT_EQ(s.count(RAFT_REPLY_UNEXPECTED), 2u);
}

TEST(RaftReplicate, Section7_AFollowerBelowTheLogNeedsASnapshotAndStillGetsHeartbeats)
{
    Solo s(nothing, {1, 1, 1, 1, 1, 1});
    s.lead();
    s.accept(3, 7, s.round);
    s.ready();
    s.apply();
    raft_compacted(s.r, 6);
    s.reject(2, 2, 1, s.round);
    EXPECT_EQ(s.status().member[1].progress, RAFT_SNAPSHOT);
    EXPECT_EQ(s.count(RAFT_NEEDS_SNAPSHOT), 1u);
    s.pass(10);
    s.ready();
    std::vector<wire_raft> beat = s.sent_of(WIRE_APPEND, 2);
    ASSERT_EQ(beat.size(), 1u);
    EXPECT_EQ(beat[0].entry_count, 0u);
    EXPECT_EQ(beat[0].index, 5u);
    s.reject(2, 2, 1, s.round);
    EXPECT_EQ(s.count(RAFT_NEEDS_SNAPSHOT), 1u) << "counted once";
    s.accept(2, 5, s.round); /* somebody has given it one */
    EXPECT_EQ(s.status().member[1].progress, RAFT_REPLICATE);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2).at(0).index, 5u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2).at(0).entry_count, 2u);
}

TEST(RaftReplicate, CompactionOvertakesAFollowerBeingProbed)
{
    Solo s(nothing, {1, 1, 1, 1, 1, 1});
    s.lead();
    s.accept(3, 7, s.round);
    s.reject(2, 1, 1, s.round);
    s.ready();
    s.apply();
    raft_compacted(s.r, 5);
    s.pass(10);
    s.ready();
    EXPECT_EQ(s.status().member[1].progress, RAFT_SNAPSHOT);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2).at(0).index, 4u);
}

TEST(RaftReplicate, TheWindowForgetsFollowersThatAreTooFarBehind)
{
    Solo s([](raft_config &c) { c.entries_max = 8; });
    s.reign();
    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(s.propose({50}), 1u);
        s.ready();
        s.store();
        s.accept(3, raft_last_index(s.r), s.round);
        s.ready();
        s.apply();
    }
    s.pass(10);
    s.ready();
    EXPECT_EQ(s.status().member[1].progress, RAFT_SNAPSHOT);
    EXPECT_EQ(s.count(RAFT_NEEDS_SNAPSHOT), 1u);
}

TEST(RaftReplicate, ProposalsStopBeforeTheWindowIsFullAndLeaveAReserve)
{
    Solo s([](raft_config &c) { c.entries_max = 16; });
    s.reign();
    uint32_t taken = 0;
    while (s.propose({1}) == 1)
        taken++;
    EXPECT_EQ(taken, 14u);
    EXPECT_EQ(s.count(RAFT_PROPOSE_REFUSED_WINDOW_FULL), 1u);
    uint32_t bytes[4] = {1, 1, 1, 1};
    EXPECT_EQ(raft_propose(s.r, bytes, 4), 0u);
}

TEST(RaftReplicate, AFullWindowStillTakesTheNoOpOfANewLeader)
{
    Solo s([](raft_config &c) { c.entries_max = 8; });
    s.append(2, 1, 0, 0, {1, 1, 1, 1, 1, 1, 1, 1});
    s.ready();
    s.store();
    s.lead();
    EXPECT_EQ(raft_last_index(s.r), 9u);
    EXPECT_EQ(s.propose({1}), 0u) << "nothing else fits until something is applied";
}

TEST(RaftReplicate, ProposalsBeyondTheUncommittedBytesAreRefused)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({2000, 1900, 200, 1}), 2u);
    EXPECT_EQ(s.count(RAFT_PROPOSE_REFUSED_BUSY), 1u);
    s.ready();
    s.store();
    s.accept(2, 2, s.round);
    EXPECT_EQ(s.propose({200}), 1u) << "2000 bytes have been committed";
}

TEST(RaftReplicate, AnOversizeProposalIsTakenWhenNothingElseWaits)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({9000}), 1u);
    EXPECT_EQ(s.propose({1}), 0u);
}

TEST(RaftReplicate, AFullSendArrayIsContinuedWhereItStopped)
{
    Solo s([](raft_config &c) {
        c.member_count = 7;
        for (uint16_t i = 0; i < 7; i++)
            c.member[i] = static_cast<uint16_t>(i + 1);
        c.inflight_messages_max = 100;
        c.entries_max = 1024;
        c.message_entries_max = 1;
        c.inflight_bytes_max = 1 << 20;
        c.uncommitted_bytes_max = 1 << 20;
        c.pre_vote = false;
    });
    s.campaign();
    for (uint16_t id = 2; id <= 4; id++)
        s.grant(WIRE_VOTE_REPLY, id);
    EXPECT_EQ(s.propose({50}), 1u);
    s.ready();
    for (uint16_t id = 2; id <= 7; id++)
        s.accept(id, 1, s.round);
    for (int i = 0; i < 80; i++)
        EXPECT_EQ(s.propose({50}), 1u);
    std::vector<uint64_t> got(8, 0);
    int readies = 0;
    do {
        s.ready();
        readies++;
        EXPECT_LE(s.sent.size(), RAFT_SEND_MAX);
        for (const raft_send &send : s.sent)
            got[send.message.to] += send.message.entry_count;
    } while (s.last.more);
    EXPECT_EQ(readies, 2);
    for (uint16_t id = 2; id <= 7; id++)
        EXPECT_EQ(got[id], 80u);
    EXPECT_FALSE(raft_dirty(s.r));
}

TEST(RaftReplicate, HeartbeatsGoToEverybodyAndUnderLoadTheyAreTheAppends)
{
    Solo s;
    s.reign();
    s.pass(10);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_APPEND).size(), 2u);
    EXPECT_EQ(s.propose({50}), 1u);
    s.pass(10);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_APPEND).size(), 2u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2).at(0).entry_count, 1u);
}

/* ---- hand-over: thesis §3.10 */

TEST(RaftTransfer, Section3_10_WaitsUntilTheTargetHasEverythingThenSaysTimeoutNow)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({50}), 1u);
    s.ready();
    EXPECT_TRUE(raft_transfer(s.r, 2));
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_TIMEOUT_NOW).empty());
    EXPECT_EQ(s.propose({50}), 0u);
    EXPECT_EQ(s.count(RAFT_PROPOSE_REFUSED_TRANSFERRING), 1u);
    s.accept(2, 2, s.round);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_TIMEOUT_NOW).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_TIMEOUT_NOW)[0].to, 2);
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_TIMEOUT_NOW).empty());
}

TEST(RaftTransfer, Section3_10_IsAbandonedAfterAnElectionTimeout)
{
    Solo s;
    s.reign();
    EXPECT_TRUE(raft_transfer(s.r, 2));
    for (int beat = 0; beat < 11; beat++) {
        s.ready();
        s.accept(2, 1, s.round);
        s.accept(3, 1, s.round);
        s.pass(10);
    }
    EXPECT_EQ(s.count(RAFT_TRANSFER_ABANDONED), 1u);
    EXPECT_EQ(s.propose({50}), 1u);
}

TEST(RaftTransfer, IsRefusedWhereItMakesNoSense)
{
    Solo f;
    EXPECT_FALSE(raft_transfer(f.r, 2));
    Solo s;
    s.campaign();
    s.grant(WIRE_VOTE_REPLY, 2);
    EXPECT_FALSE(raft_transfer(s.r, 2)) << "no entry of its own yet";
    EXPECT_EQ(s.propose({50}), 1u);
    EXPECT_FALSE(raft_transfer(s.r, 1));
    EXPECT_FALSE(raft_transfer(s.r, 99));
    EXPECT_TRUE(raft_transfer(s.r, 2));
    EXPECT_FALSE(raft_transfer(s.r, 3)) << "one at a time";
    EXPECT_EQ(s.count(RAFT_TRANSFER_REFUSED), 4u);
}

TEST(RaftTransfer, TheTargetCampaignsAtOnceAndSaysWhy)
{
    Solo s;
    s.append(2, 1, 0, 0, {1});
    s.ready();
    s.store();
    wire_raft now{};
    now.kind = WIRE_TIMEOUT_NOW;
    now.from = 2;
    now.term = 1;
    s.step(now);
    EXPECT_EQ(s.status().role, RAFT_CANDIDATE);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_VOTE).size(), 2u);
    EXPECT_EQ(s.sent_of(WIRE_VOTE)[0].flags, WIRE_RAFT_TRANSFER);
    EXPECT_EQ(s.sent_of(WIRE_VOTE)[0].term, 2u);
    s.step(now);
    EXPECT_EQ(s.count(RAFT_STALE_TERM), 1u);
}

TEST(RaftTransfer, OnlyTheLeaderMaySayTimeoutNow)
{
    Solo s;
    s.append(2, 1, 0, 0, {1});
    wire_raft now{};
    now.kind = WIRE_TIMEOUT_NOW;
    now.from = 3;
    now.term = 1;
    s.step(now);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
    EXPECT_EQ(s.count(RAFT_TIMEOUT_NOW_REFUSED), 1u);
}

TEST(RaftTransfer, LaterCampaignsOfTheTargetAreOrdinary)
{
    Solo s([](raft_config &c) { c.pre_vote = false; });
    s.append(2, 1, 0, 0);
    wire_raft now{};
    now.kind = WIRE_TIMEOUT_NOW;
    now.from = 2;
    now.term = 1;
    s.step(now);
    s.ready();
    while (s.status().term == 2)
        s.pass(1);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_VOTE).size(), 2u);
    EXPECT_EQ(s.sent_of(WIRE_VOTE)[0].flags, 0);
}
