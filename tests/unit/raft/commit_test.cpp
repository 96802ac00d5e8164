/* What is durable and what is committed: paper §5.4.2, figure 2; thesis §10.2.1 for the parallel
 * disk write. */
#include "tests/unit/raft/solo.h"

static Solo::Tweak nothing;

TEST(RaftCommit, Section5_3_AMajorityOfDisksCommits)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({50, 50}), 2u);
    s.ready();
    s.accept(2, 3, s.round);
    EXPECT_EQ(raft_commit(s.r), 1u) << "the leader's own disk has not answered";
    s.store();
    EXPECT_EQ(raft_commit(s.r), 3u);
    s.ready();
    EXPECT_EQ(s.last.commit_first, 2u);
    EXPECT_EQ(s.last.commit_last, 3u);
}

TEST(RaftCommit, TwoFollowersCommitBeforeTheLeadersDiskAndApplyingWaitsForIt)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({50}), 1u);
    s.ready();
    s.accept(2, 2, s.round);
    s.accept(3, 2, s.round);
    EXPECT_EQ(raft_commit(s.r), 2u);
    s.ready();
    EXPECT_EQ(s.last.commit_last, 0u);
    s.store();
    s.ready();
    EXPECT_EQ(s.last.commit_last, 2u);
}

TEST(RaftCommit, Section5_4_2_EntriesOfFormerTermsAreNotCommittedByCounting)
{
    Solo s(nothing, {1, 2, 2});
    s.lead();
    s.accept(2, 3, s.round);
    s.accept(3, 3, s.round);
    EXPECT_EQ(raft_commit(s.r), 0u);
    s.accept(2, 4, s.round);
    EXPECT_EQ(raft_commit(s.r), 4u) << "the no-op, and all before it";
}

TEST(RaftCommit, AMemberAloneCommitsWithItsDisk)
{
    Solo s([](raft_config &c) { c.member_count = 1; });
    s.campaign();
    EXPECT_EQ(s.propose({50}), 1u);
    s.ready();
    EXPECT_EQ(raft_commit(s.r), 0u);
    s.store();
    EXPECT_EQ(raft_commit(s.r), 1u);
}

TEST(RaftStored, ALateReportCountsNothingForEntriesWrittenSince)
{
    Solo s;
    s.append(2, 1, 0, 0, {1, 1, 1, 1});
    s.ready();
    uint64_t first = s.seq;
    s.append(3, 2, 1, 1, {2, 2, 2}); /* replaces 2..4 before the first write is done */
    s.ready();
    EXPECT_EQ(s.last.persist_first, 2u);
    EXPECT_EQ(s.last.persist_last, 4u);
    raft_stored(s.r, first);
    EXPECT_EQ(s.status().stored, 1u);
    s.append(3, 2, 4, 2);
    s.ready();
    ASSERT_EQ(s.sent.size(), 1u);
    EXPECT_EQ(s.sent[0].message.index, 1u) << "an echo, with what is durable";
    s.store();
    EXPECT_EQ(s.status().stored, 4u);
}

TEST(RaftStored, ReportsMayComeLateTogetherOrTwice)
{
    Solo s;
    for (uint64_t at = 0; at < 5; at++) {
        s.append(2, 1, at, at ? 1 : 0, {1});
        s.ready();
    }
    raft_stored(s.r, 3);
    EXPECT_EQ(s.status().stored, 3u);
    raft_stored(s.r, 2);
    EXPECT_EQ(s.status().stored, 3u);
    raft_stored(s.r, 1000); /* numbers are shared with other groups */
    EXPECT_EQ(s.status().stored, 5u);
}

TEST(RaftStored, MoreWritesUnderWayThanAreToldApart)
{
    Solo s([](raft_config &c) { c.entries_max = 1024; });
    for (uint64_t at = 0; at < 200; at++) {
        s.append(2, 1, at, at ? 1 : 0, {1});
        s.ready();
        EXPECT_EQ(s.sent.at(0).after_seq, s.seq);
    }
    raft_stored(s.r, 40);
    EXPECT_EQ(s.status().stored, 40u);
    raft_stored(s.r, 150);
    EXPECT_EQ(s.status().stored, 63u) << "the newest are waited for as one";
    raft_stored(s.r, 200);
    EXPECT_EQ(s.status().stored, 200u);
}

TEST(RaftStored, AnAcknowledgementWaitsForTheWriteThatCoversIt)
{
    Solo s;
    s.append(2, 1, 0, 0, {1, 1});
    s.ready();
    uint64_t first = s.seq;
    s.append(2, 1, 2, 1, {1});
    s.ready();
    EXPECT_EQ(s.sent.at(0).after_seq, first + 1);
    EXPECT_EQ(s.sent.at(0).message.index, 3u);
}

TEST(RaftReady, SaysNothingTwice)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({50}), 1u);
    s.ready();
    EXPECT_FALSE(raft_dirty(s.r));
    s.ready();
    EXPECT_FALSE(s.last.must_persist);
    EXPECT_EQ(s.last.send_count, 0u);
    EXPECT_EQ(s.last.commit_last, 0u);
    EXPECT_FALSE(s.last.role_changed);
}

TEST(RaftReady, UnusedNumbersMayBeOfferedAgain)
{
    Solo s;
    struct raft_ready ready;
    raft_ready(s.r, 7, &ready);
    EXPECT_FALSE(ready.must_persist);
    s.append(2, 1, 0, 0, {1});
    raft_ready(s.r, 7, &ready);
    EXPECT_TRUE(ready.must_persist);
}

TEST(RaftReadyDeathTest, NumbersThatDoNotRiseAreABrokenPromise)
{
    Solo s;
    struct raft_ready ready;
    s.append(2, 1, 0, 0, {1});
    raft_ready(s.r, 7, &ready);
    s.append(2, 1, 1, 1, {1});
    EXPECT_DEATH(raft_ready(s.r, 7, &ready), "broken");
}

TEST(RaftReadyDeathTest, ApplyingWhatWasNotHandedOutIsABrokenPromise)
{
    Solo s;
    EXPECT_DEATH(raft_applied(s.r, 1), "broken");
    EXPECT_DEATH(raft_compacted(s.r, 2), "broken");
}
