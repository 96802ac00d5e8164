/* Snapshots: §7 and figure 13 of the extended paper. */
#include "tests/unit/raft/assembly.h"

static const wire_members with_learner =
    members_of({{1, voter}, {2, voter}, {3, voter}, {7, learner}});

static raft_snapshot snapshot_of(uint64_t index, uint64_t term, uint64_t members_index = 4)
{
    raft_snapshot snapshot{};
    snapshot.index = index;
    snapshot.term = term;
    snapshot.members_index = members_index;
    snapshot.members = with_learner;
    return snapshot;
}

static raft_input offer(Solo &s, uint16_t from, uint64_t term, uint64_t index, uint64_t log_term)
{
    wire_raft message{};
    message.kind = WIRE_SNAPSHOT;
    message.from = from;
    message.term = term;
    message.index = index;
    message.log_term = log_term;
    message.round = 99;
    return s.step(message);
}

/* ---- at the leader --------------------------------------------------------------------------- */

/* Leader of term 1 with ten more entries, applied, of which its log has the last five; follower 3
 * has none. */
static void leave_3_behind(Assembly &s)
{
    s.lead();
    s.settle({2});
    for (int i = 0; i < 10; i++)
        ASSERT_EQ(s.propose({50}), 1u);
    s.settle({2});
    raft_snapshot snapshot;
    ASSERT_TRUE(raft_snapshot_describe(s.r, 9, &snapshot));
    raft_compacted(s.r, 8);
    s.reject(3, 0, 0, s.round);
    ASSERT_EQ(s.status().member[2].progress, RAFT_SNAPSHOT);
}

TEST(RaftSnapshot, IsWantedThenOfferedOnce)
{
    Assembly s;
    leave_3_behind(s);
    s.pass(10);
    s.ready();
    EXPECT_TRUE(s.last.snapshot_wanted);
    EXPECT_EQ(s.sent_of(WIRE_SNAPSHOT).size(), 0u);
    raft_snapshot snapshot;
    ASSERT_TRUE(raft_snapshot_describe(s.r, 9, &snapshot));
    raft_snapshot_taken(s.r, &snapshot);
    s.ready();
    EXPECT_FALSE(s.last.snapshot_wanted);
    ASSERT_EQ(s.sent_of(WIRE_SNAPSHOT).size(), 1u);
    wire_raft message = s.sent_of(WIRE_SNAPSHOT)[0];
    EXPECT_EQ(message.to, 3);
    EXPECT_EQ(message.index, 9u);
    EXPECT_EQ(message.log_term, 1u);
    EXPECT_GT(message.round, 0u);
    EXPECT_EQ(raft_snapshot_of(s.r)->index, 9u);
    EXPECT_EQ(raft_snapshot_of(s.r)->members.count, 3);
    for (int i = 0; i < 5; i++) {
        s.pass(10);
        s.settle({2});
        EXPECT_TRUE(s.sent_of(WIRE_SNAPSHOT).empty());
    }
    EXPECT_EQ(s.count(RAFT_SNAPSHOT_OFFERED), 1u);
}

TEST(RaftSnapshot, ThatFailedIsOfferedAgainWithTheNextHeartbeat)
{
    Assembly s;
    leave_3_behind(s);
    raft_snapshot snapshot;
    ASSERT_TRUE(raft_snapshot_describe(s.r, 11, &snapshot));
    raft_snapshot_taken(s.r, &snapshot);
    raft_snapshot_failed(s.r, 3);
    EXPECT_EQ(s.count(RAFT_SNAPSHOT_FAILED), 0u) << "nothing had been offered";
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_SNAPSHOT).size(), 1u);
    raft_snapshot_failed(s.r, 2);
    raft_snapshot_failed(s.r, 77);
    EXPECT_EQ(s.count(RAFT_SNAPSHOT_FAILED), 0u);
    raft_snapshot_failed(s.r, 3);
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_SNAPSHOT).empty()) << "no storm";
    s.pass(10);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_SNAPSHOT).size(), 1u);
    EXPECT_EQ(s.count(RAFT_SNAPSHOT_FAILED), 1u);
}

TEST(RaftSnapshot, ThatHasArrivedIsFollowedByWhatLiesBehindIt)
{
    for (bool told_by_owner : {true, false}) {
        Assembly s;
        leave_3_behind(s);
        raft_snapshot snapshot;
        ASSERT_TRUE(raft_snapshot_describe(s.r, 9, &snapshot));
        raft_snapshot_taken(s.r, &snapshot);
        s.ready();
        raft_snapshot_sent(s.r, 3, 12);
        EXPECT_EQ(s.status().member[2].progress, RAFT_SNAPSHOT) << "no such snapshot";
        if (told_by_owner) {
            raft_snapshot_sent(s.r, 3, 9);
            EXPECT_EQ(s.status().member[2].progress, RAFT_PROBE);
        } else {
            s.accept(3, 9, s.round);
            EXPECT_EQ(s.status().member[2].progress, RAFT_REPLICATE);
        }
        s.ready();
        ASSERT_EQ(s.sent_of(WIRE_APPEND, 3).size(), 1u);
        EXPECT_EQ(s.sent_of(WIRE_APPEND, 3)[0].index, 9u);
        EXPECT_EQ(s.sent_of(WIRE_APPEND, 3)[0].entry_count, 2u);
    }
}

TEST(RaftSnapshot, ThatCameTooLateIsFollowedByANewerOne)
{
    Assembly s;
    leave_3_behind(s);
    raft_snapshot snapshot;
    ASSERT_TRUE(raft_snapshot_describe(s.r, 9, &snapshot));
    raft_snapshot_taken(s.r, &snapshot);
    s.ready();
    ASSERT_TRUE(raft_snapshot_describe(s.r, 11, &snapshot));
    raft_snapshot_taken(s.r, &snapshot);
    raft_compacted(s.r, 12);
    raft_snapshot_sent(s.r, 3, 9);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_SNAPSHOT).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_SNAPSHOT)[0].index, 11u);
}

TEST(RaftSnapshot, ThatIsReportedLateTakesNothingBack)
{
    Assembly s;
    leave_3_behind(s);
    raft_snapshot snapshot;
    ASSERT_TRUE(raft_snapshot_describe(s.r, 9, &snapshot));
    raft_snapshot_taken(s.r, &snapshot);
    s.ready();
    raft_compacted(s.r, 12);
    s.accept(3, 10, s.round); /* it has installed that one, and taken an entry behind it */
    ASSERT_EQ(s.status().member[2].progress, RAFT_SNAPSHOT);
    raft_snapshot_sent(s.r, 3, 9);
    raft_check(s.r);
    EXPECT_EQ(s.status().member[2].next, 11u);
}

TEST(RaftSnapshot, SaysWhichConfigurationWasInForce)
{
    Assembly s;
    s.reign();
    raft_snapshot snapshot;
    ASSERT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 70}}), RAFT_CHANGE_STARTED); /* 2 */
    s.settle({2});
    ASSERT_EQ(s.propose({50}), 1u); /* 3 */
    s.settle({2});
    ASSERT_EQ(s.change({{RAFT_ADD_LEARNER, 8, 80}}), RAFT_CHANGE_STARTED); /* 4 */
    ASSERT_TRUE(raft_snapshot_describe(s.r, 3, &snapshot));
    EXPECT_EQ(snapshot.members_index, 2u);
    EXPECT_EQ(snapshot.members.count, 4);
    EXPECT_FALSE(raft_snapshot_describe(s.r, 4, &snapshot)) << "not applied";
    s.settle({2});
    ASSERT_TRUE(raft_snapshot_describe(s.r, 4, &snapshot));
    EXPECT_EQ(snapshot.members_index, 4u);
    EXPECT_EQ(snapshot.members.count, 5);
    EXPECT_FALSE(raft_snapshot_describe(s.r, 1, &snapshot)) << "that configuration is forgotten";
    EXPECT_FALSE(raft_snapshot_describe(s.r, 0, &snapshot));
    raft_compacted(s.r, 5);
    EXPECT_FALSE(raft_snapshot_describe(s.r, 3, &snapshot)) << "that term is forgotten";
}

/* ---- at the follower ------------------------------------------------------------------------- */

TEST(RaftSnapshot, OfferIsTakenWhenItHelps)
{
    Assembly s;
    s.append(2, 3, 0, 0, {1, 1, 3}, 2);
    s.ready();
    s.store();
    s.ready();
    EXPECT_TRUE(offer(s, 2, 3, 9, 3).take_snapshot);
    EXPECT_EQ(s.count(RAFT_SNAPSHOT_WELCOME), 1u);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_APPEND_REPLY, 2).size(), 1u) << "an echo, so that we count as present";
    EXPECT_EQ(s.sent_of(WIRE_APPEND_REPLY, 2)[0].round, 99u);
    EXPECT_FALSE(offer(s, 2, 3, 2, 1).take_snapshot);
    EXPECT_EQ(s.count(RAFT_ALREADY_COMMITTED), 1u);
    EXPECT_FALSE(offer(s, 3, 2, 9, 2).take_snapshot);
    EXPECT_EQ(s.count(RAFT_STALE_TERM), 1u);
    EXPECT_FALSE(offer(s, 3, 3, 9, 3).take_snapshot);
    EXPECT_EQ(s.count(RAFT_TWO_LEADERS), 1u);
    EXPECT_FALSE(offer(s, 2, 3, 0, 3).take_snapshot);
    EXPECT_FALSE(offer(s, 2, 3, 9, 0).take_snapshot);
    EXPECT_FALSE(offer(s, 2, 3, 9, 4).take_snapshot);
    EXPECT_EQ(s.count(RAFT_APPEND_MALFORMED), 3u);
}

TEST(RaftSnapshot, InstalledIsInPlaceOfALogThatDiffers)
{
    Assembly s;
    s.append(2, 3, 0, 0, {1, 1, 1, 1, 1, 1}, 1);
    s.ready(); /* on its way to the disk, and of no meaning when it arrives */
    (void)offer(s, 2, 3, 5, 3);
    raft_snapshot snapshot = snapshot_of(5, 3);
    ASSERT_EQ(raft_snapshot_installed(s.r, &snapshot), RAFT_INSTALL_RESETS);
    raft_check(s.r);
    struct raft_status status = s.status();
    EXPECT_EQ(status.last_index, 5u);
    EXPECT_EQ(status.stored, 5u);
    EXPECT_EQ(status.commit, 5u);
    EXPECT_EQ(status.applied, 5u);
    EXPECT_EQ(raft_entry_term(s.r, 5), 3u);
    EXPECT_EQ(raft_entry_term(s.r, 4), 0u);
    EXPECT_EQ(s.in_force_since(), 4u);
    s.store();
    EXPECT_EQ(s.status().stored, 5u);
    s.ready();
    ASSERT_TRUE(s.last.members_changed);
    EXPECT_EQ(s.in_force().size(), 4u);
    EXPECT_LE(s.in_force_since(), raft_commit(s.r));
    EXPECT_EQ(s.last.commit_first, 0u) << "it is the state already";
    ASSERT_EQ(s.sent_of(WIRE_APPEND_REPLY, 2).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND_REPLY, 2)[0].index, 5u);
    raft_input input = s.append(2, 3, 5, 3, {3}, 6);
    EXPECT_EQ(input.take_first, 6u);
    s.ready();
    EXPECT_EQ(s.last.persist_first, 6u);
    s.store();
    s.ready();
    EXPECT_EQ(s.last.commit_first, 6u);
}

TEST(RaftSnapshot, InstalledKeepsWhatLiesBehindIt)
{
    Assembly s;
    s.append(2, 3, 0, 0, {1, 1, 3}, 1);
    s.append_members(2, 3, 3, 3, {members_of({{1, voter}, {2, voter}})});
    s.ready();
    raft_snapshot snapshot = snapshot_of(2, 1, 2);
    ASSERT_EQ(raft_snapshot_installed(s.r, &snapshot), RAFT_INSTALL_KEEPS);
    raft_check(s.r);
    EXPECT_EQ(s.status().last_index, 4u);
    EXPECT_EQ(s.status().commit, 2u);
    EXPECT_EQ(s.status().stored, 2u) << "as much as the snapshot says";
    EXPECT_EQ(s.in_force_since(), 4u) << "newer than the snapshot's";
    s.store();
    EXPECT_EQ(s.status().stored, 4u);
    s.append(3, 4, 3, 3, {4});
    EXPECT_EQ(s.in_force_since(), 2u) << "which is what it falls back to";
}

TEST(RaftSnapshot, InstalledKnowsTheTermOfItsEndWhenItVotes)
{
    Assembly s;
    (void)offer(s, 2, 5, 9, 5);
    raft_snapshot snapshot = snapshot_of(9, 5);
    ASSERT_EQ(raft_snapshot_installed(s.r, &snapshot), RAFT_INSTALL_RESETS);
    s.pass(100);
    s.ask_vote(WIRE_VOTE, 3, 6, 20, 4); /* longer, and older */
    EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_OLD_LOG), 1u);
    s.append(3, 6, 9, 4);
    EXPECT_EQ(s.count(RAFT_APPEND_REFUSED_SETTLED), 1u);
}

TEST(RaftSnapshot, InstalledWhileACandidateEndsTheCampaign)
{
    Assembly s;
    (void)offer(s, 2, 5, 9, 5);
    s.ready();
    for (int i = 0; i < 300 && s.status().role != RAFT_PRECANDIDATE; i++)
        s.pass(1);
    raft_snapshot snapshot = snapshot_of(9, 5);
    ASSERT_EQ(raft_snapshot_installed(s.r, &snapshot), RAFT_INSTALL_RESETS);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
    s.ready();
    EXPECT_TRUE(s.sent.empty()) << "nobody is known to lead";
}

TEST(RaftSnapshot, ThatDoesNotHelpIsNotInstalled)
{
    Assembly s;
    s.append(2, 3, 0, 0, {1, 1, 3}, 2);
    s.ready();
    s.store();
    raft_snapshot good = snapshot_of(9, 3);
    for (int spoiled = 0; spoiled < 7; spoiled++) {
        raft_snapshot snapshot = good;
        switch (spoiled) {
        case 0:
            snapshot.index = 2; /* committed here */
            snapshot.members_index = 1;
            break;
        case 1:
            snapshot.term = 4; /* above ours */
            break;
        case 2:
            snapshot.term = 0;
            break;
        case 3:
            snapshot.members_index = 10;
            break;
        case 4:
            snapshot.members = members_of({{1, learner}});
            break;
        case 5:
            snapshot.members.count = 64;
            for (uint16_t i = 0; i < 64; i++)
                snapshot.members.member[i] = {static_cast<uint16_t>(100 + i), voter, gone, 1};
            break;
        default:
            break;
        }
        EXPECT_EQ(raft_snapshot_installed(s.r, &snapshot),
                  spoiled == 6 ? RAFT_INSTALL_RESETS : RAFT_INSTALL_REFUSED)
            << spoiled;
    }
    EXPECT_EQ(s.count(RAFT_SNAPSHOT_REFUSED), 6u);
    Assembly leader;
    leader.lead();
    good.term = 1;
    EXPECT_EQ(raft_snapshot_installed(leader.r, &good), RAFT_INSTALL_REFUSED);
}
