/* A follower takes entries: paper §5.3 and figure 2 (AppendEntries, receiver), and what compaction
 * adds. */
#include "tests/unit/raft/solo.h"

static Solo::Tweak nothing;

static void expect_reject(Solo &s, uint64_t hint, uint64_t hint_term)
{
    s.ready();
    std::vector<wire_raft> replies = s.sent_of(WIRE_APPEND_REPLY);
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_EQ(replies[0].flags, WIRE_RAFT_REJECTED);
    EXPECT_EQ(replies[0].index, hint);
    EXPECT_EQ(replies[0].log_term, hint_term);
    EXPECT_EQ(s.sent[0].after_seq, 0u);
}

TEST(RaftAppend, Section5_3_EntriesAreTakenPersistedAndAcknowledgedOnceStored)
{
    Solo s;
    raft_input input = s.append(2, 1, 0, 0, {1, 1, 1}, 0, 5);
    EXPECT_EQ(input.take_first, 1u);
    EXPECT_EQ(input.take_count, 3u);
    s.ready();
    EXPECT_TRUE(s.last.must_persist);
    EXPECT_TRUE(s.last.hard_state_changed) << "the term was new";
    EXPECT_EQ(s.last.persist_first, 1u);
    EXPECT_EQ(s.last.persist_last, 3u);
    ASSERT_EQ(s.sent.size(), 1u);
    EXPECT_EQ(s.sent[0].message.kind, WIRE_APPEND_REPLY);
    EXPECT_EQ(s.sent[0].message.to, 2);
    EXPECT_EQ(s.sent[0].message.index, 3u);
    EXPECT_EQ(s.sent[0].message.round, 5u);
    EXPECT_EQ(s.sent[0].message.flags, 0);
    EXPECT_EQ(s.sent[0].after_seq, s.seq);
    s.ready();
    EXPECT_FALSE(s.last.must_persist);
    EXPECT_TRUE(s.sent.empty());
}

TEST(RaftAppend, AcknowledgementsOfABurstAreOne)
{
    Solo s;
    s.append(2, 1, 0, 0, {1, 1}, 0, 3);
    s.append(2, 1, 2, 1, {1}, 0, 4);
    s.append(2, 1, 3, 1, {1, 1}, 0, 5);
    s.ready();
    ASSERT_EQ(s.sent.size(), 1u);
    EXPECT_EQ(s.sent[0].message.index, 5u);
    EXPECT_EQ(s.sent[0].message.round, 5u);
}

TEST(RaftAppend, HeartbeatsAreEchoedAtOnceWhileEntriesAreBeingStored)
{
    Solo s;
    s.append(2, 1, 0, 0, {1});
    s.ready();
    s.store();
    s.append(2, 1, 1, 1, {1, 1}, 0, 8);
    s.ready();
    s.append(2, 1, 3, 1, {}, 0, 9);
    s.ready();
    ASSERT_EQ(s.sent.size(), 1u) << "the acknowledgement of 3 is under way already";
    EXPECT_EQ(s.sent[0].message.index, 1u) << "no more than what is stored";
    EXPECT_EQ(s.sent[0].message.round, 9u);
    EXPECT_EQ(s.sent[0].after_seq, 0u);
    s.store();
    s.append(2, 1, 3, 1, {}, 0, 10);
    s.ready();
    EXPECT_EQ(s.sent.at(0).message.index, 3u);
}

TEST(RaftAppend, Section5_3_RefusesAGapAndHintsWhereItsLogEnds)
{
    Solo s(nothing, {1, 1, 2});
    s.append(2, 3, 9, 3, {3});
    EXPECT_EQ(s.count(RAFT_APPEND_REFUSED_GAP), 1u);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_APPEND_REPLY).at(0).flags, WIRE_RAFT_REJECTED);
    EXPECT_EQ(s.sent_of(WIRE_APPEND_REPLY).at(0).index, 3u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND_REPLY).at(0).log_term, 2u);
}

TEST(RaftAppend, Section5_3_RefusesAConflictAndHintsBeforeTheConflictingTerm)
{
    Solo s(nothing, {1, 1, 2, 2, 2, 4, 4});
    s.append(2, 5, 6, 3, {5});
    EXPECT_EQ(s.count(RAFT_APPEND_REFUSED_CONFLICT), 1u);
    expect_reject(s, 5, 2); /* last entry that a log with term 3 there could share */
    EXPECT_EQ(raft_last_index(s.r), 7u) << "refusing truncates nothing";
}

TEST(RaftAppend, Section5_3_ConflictingSuffixIsReplaced)
{
    Solo s(nothing, {1, 1, 2, 2, 2});
    raft_input input = s.append(2, 3, 1, 1, {1, 3});
    EXPECT_EQ(input.take_first, 3u) << "entry 2 is here already";
    EXPECT_EQ(input.take_count, 1u);
    EXPECT_EQ(raft_last_index(s.r), 3u);
    EXPECT_EQ(raft_entry_term(s.r, 3), 3u);
    EXPECT_EQ(s.count(RAFT_TRUNCATED), 1u);
    s.ready();
    EXPECT_EQ(s.last.persist_first, 3u);
    EXPECT_EQ(s.last.persist_last, 3u);
    EXPECT_EQ(s.status().stored, 2u);
}

TEST(RaftAppend, Figure2_ALateOrRepeatedAppendTakesNothingAway)
{
    Solo s;
    s.append(2, 1, 0, 0, {1, 1, 1, 1});
    raft_input input = s.append(2, 1, 0, 0, {1, 1});
    EXPECT_EQ(input.take_count, 0u);
    EXPECT_EQ(raft_last_index(s.r), 4u);
    input = s.append(2, 1, 1, 1, {1, 1, 1, 1});
    EXPECT_EQ(input.take_first, 5u);
    EXPECT_EQ(input.take_count, 1u);
    s.ready();
    EXPECT_EQ(s.sent.at(0).message.index, 0u) << "echo: nothing is stored yet";
    EXPECT_EQ(s.sent.at(1).message.index, 5u);
    EXPECT_EQ(s.sent.at(1).after_seq, s.seq);
}

TEST(RaftAppend, AnAppendThatContradictsACommittedEntryIsRefused)
{
    Solo s;
    s.append(2, 1, 0, 0, {1, 1, 1}, 3);
    raft_input input = s.append(3, 2, 1, 1, {2, 2});
    EXPECT_EQ(input.take_count, 0u);
    EXPECT_EQ(s.count(RAFT_APPEND_REFUSED_SETTLED), 1u);
    s.append(3, 2, 3, 2, {2});
    EXPECT_EQ(s.count(RAFT_APPEND_REFUSED_SETTLED), 2u);
    EXPECT_EQ(raft_entry_term(s.r, 3), 1u);
    EXPECT_EQ(raft_last_index(s.r), 3u);
}

TEST(RaftAppend, ALeaderCanNotContradictItself)
{
    Solo s(nothing, {1, 1});
    s.append(2, 5, 2, 1, {3, 3, 3});
    raft_input input = s.append(2, 5, 2, 1, {4, 4});
    EXPECT_EQ(input.take_count, 0u);
    EXPECT_EQ(s.count(RAFT_APPEND_REFUSED_SETTLED), 1u);
}

TEST(RaftAppend, TermsThatContradictTheMessageAreMalformed)
{
    Solo s(nothing, {1, 2});
    s.append(2, 3, 2, 4);
    s.append(2, 3, 2, 2, {1});
    s.append(2, 3, 2, 2, {3, 4});
    EXPECT_EQ(s.count(RAFT_APPEND_MALFORMED), 3u);
    EXPECT_EQ(raft_last_index(s.r), 2u);
}

TEST(RaftAppend, Section5_1_AStaleLeaderLearnsTheTermAtOnce)
{
    raft_restore restore{};
    restore.term = 4;
    Solo s(nothing, {}, restore);
    EXPECT_EQ(s.append(2, 3, 0, 0, {3}).take_count, 0u);
    EXPECT_EQ(s.count(RAFT_STALE_TERM), 1u);
    s.ready();
    ASSERT_EQ(s.sent.size(), 1u);
    EXPECT_EQ(s.sent[0].message.term, 4u);
    EXPECT_EQ(s.sent[0].message.flags, WIRE_RAFT_REJECTED);
    EXPECT_EQ(s.sent[0].message.round, 0u) << "a stranger to this term gets no echo";
    EXPECT_EQ(s.sent[0].after_seq, 0u);
}

TEST(RaftAppend, ASecondLeaderOfOneTermIsRefused)
{
    Solo s;
    s.append(2, 1, 0, 0, {1});
    s.append(3, 1, 0, 0, {1, 1});
    EXPECT_EQ(s.count(RAFT_TWO_LEADERS), 1u);
    EXPECT_EQ(raft_last_index(s.r), 1u);
}

TEST(RaftAppend, Figure2_CommitIsTheLowerOfLeadersCommitAndLastVerified)
{
    Solo s(nothing, {1, 1, 1, 1, 1});
    s.append(2, 2, 2, 1, {1}, 5); /* entries 4 and 5 may still be another leader's */
    EXPECT_EQ(raft_commit(s.r), 3u);
    s.append(2, 2, 3, 1, {1, 1}, 4);
    EXPECT_EQ(raft_commit(s.r), 4u);
    s.append(2, 2, 3, 1, {}, 2);
    EXPECT_EQ(raft_commit(s.r), 4u) << "commit never falls";
}

TEST(RaftAppend, CommitsAreHandedOutOnlyAsFarAsStored)
{
    Solo s;
    s.append(2, 1, 0, 0, {1, 1}, 2);
    s.ready();
    EXPECT_EQ(s.last.commit_last, 0u);
    EXPECT_FALSE(raft_dirty(s.r));
    s.store();
    EXPECT_TRUE(raft_dirty(s.r));
    s.ready();
    EXPECT_EQ(s.last.commit_first, 1u);
    EXPECT_EQ(s.last.commit_last, 2u);
}

/* ---- the window and compaction */

TEST(RaftWindow, WhoLagsInApplyingTakesWhatFits)
{
    Solo s([](raft_config &c) { c.entries_max = 8; });
    s.append(2, 1, 0, 0, {1, 1, 1, 1, 1, 1}, 6);
    s.ready();
    s.store();
    s.ready();
    EXPECT_EQ(s.last.commit_last, 6u);
    raft_input input = s.append(2, 1, 6, 1, {1, 1, 1, 1}, 6);
    EXPECT_EQ(input.take_count, 2u);
    EXPECT_EQ(s.count(RAFT_APPEND_WINDOW_FULL), 1u);
    input = s.append(2, 1, 8, 1, {1}, 6);
    EXPECT_EQ(input.take_count, 0u);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_APPEND_REPLY).back().index, 8u);
    raft_applied(s.r, 6);
    input = s.append(2, 1, 8, 1, {1}, 6);
    EXPECT_EQ(input.take_count, 1u);
}

TEST(RaftWindow, WhoHasAppliedAllThatIsCommittedIsNotHeldBack)
{
    Solo s([](raft_config &c) { c.entries_max = 8; });
    for (uint64_t at = 0; at < 40; at += 4)
        EXPECT_EQ(s.append(2, 1, at, at ? 1 : 0, {1, 1, 1, 1}).take_count, 4u);
    EXPECT_EQ(raft_last_index(s.r), 40u);
    EXPECT_EQ(raft_entry_term(s.r, 33), 1u);
    EXPECT_EQ(raft_entry_term(s.r, 31), 0u) << "forgotten";
}

TEST(RaftWindow, PreviousIndexZeroAfterCompactionAppendsNothingAgain)
{
    Solo s;
    s.append(2, 1, 0, 0, {1, 1, 1, 1, 1, 1}, 5);
    s.ready();
    s.store();
    s.ready();
    s.apply();
    raft_compacted(s.r, 5);
    EXPECT_EQ(s.append(2, 1, 0, 0, {1, 1, 1}, 5).take_count, 0u) << "ends before the window";
    EXPECT_EQ(s.count(RAFT_ALREADY_COMMITTED), 1u);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_APPEND_REPLY).at(0).index, 6u) << "verified before, in this term";
    EXPECT_EQ(s.append(2, 1, 0, 0, {1, 1, 1, 1, 1, 1}, 5).take_count, 0u) << "reaches into it";
    raft_input input = s.append(2, 1, 2, 1, {1, 1, 1, 1, 1, 1}, 5);
    EXPECT_EQ(input.take_first, 7u) << "reaches beyond it";
    EXPECT_EQ(input.take_count, 2u);
    EXPECT_EQ(raft_last_index(s.r), 8u);
}

TEST(RaftWindow, AfterARestartOverASnapshotTheSameHolds)
{
    raft_restore restore{};
    restore.term = 3;
    restore.first_index = 5;
    restore.previous_term = 2;
    restore.applied = 4;
    Solo s(nothing, {2, 3}, restore);
    EXPECT_EQ(s.append(2, 3, 0, 0, {1, 2, 2, 2}).take_count, 0u);
    raft_input input = s.append(2, 3, 0, 0, {1, 2, 2, 2, 2, 3, 3});
    EXPECT_EQ(input.take_first, 7u);
    EXPECT_EQ(input.take_count, 1u);
    EXPECT_EQ(s.append(2, 3, 0, 0, {1, 1, 1, 1, 3}).take_count, 0u);
    EXPECT_EQ(s.count(RAFT_APPEND_REFUSED_SETTLED), 1u);
}

TEST(RaftWindow, AWindowThatBeginsBehindKnownCommitPointsTheLeaderThere)
{
    raft_restore restore{};
    restore.term = 1;
    Solo s([](raft_config &c) { c.entries_max = 8; }, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
           restore);
    s.append(2, 2, 1, 1, {1});
    EXPECT_EQ(s.count(RAFT_APPEND_REFUSED_FORGOTTEN), 1u);
    expect_reject(s, 4, 1);
    EXPECT_EQ(s.append(2, 2, 4, 1, {1, 1}, 12).take_count, 0u);
    EXPECT_EQ(raft_commit(s.r), 6u);
}
