/* Who belongs, at the leader: thesis §4.1 to §4.3; learners §4.2.1, a leader's removal §4.2.2. */
#include "tests/unit/raft/assembly.h"

/* ---- learners -------------------------------------------------------------------------------- */

TEST(RaftMembers, ALearnerIsInForceWhereItIsAppendedAndIsSentEverything)
{
    Assembly s;
    s.reign();
    ASSERT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 70}}), RAFT_CHANGE_STARTED);
    EXPECT_EQ(raft_last_index(s.r), 2u);
    EXPECT_EQ(s.in_force_since(), 2u);
    EXPECT_EQ(s.in_force(), (Seats{{1, voter}, {2, voter}, {3, voter}, {7, learner}}));
    EXPECT_EQ(s.entry.count, 4);
    EXPECT_FALSE(s.entry.joint);
    EXPECT_EQ(s.entry.member[3].nonce, 70u);
    s.ready();
    ASSERT_TRUE(s.last.members_changed);
    EXPECT_EQ(s.in_force_since(), 2u);
    EXPECT_GT(s.in_force_since(), raft_commit(s.r));
    EXPECT_EQ(s.last.persist_first, 2u);
    ASSERT_EQ(s.sent_of(WIRE_APPEND, 2).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2)[0].entry_bytes, wire_entry_size(wire_members_size(4)));
    ASSERT_EQ(s.sent_of(WIRE_APPEND, 7).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 7)[0].index, 2u) << "it is asked whether it has all";
    s.reject(7, 0, 0, s.round);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_APPEND, 7).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 7)[0].index, 0u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 7)[0].entry_count, 2u);
    s.store();
    s.accept(2, 2, s.round);
    s.ready();
    ASSERT_TRUE(s.last.members_changed) << "that it is committed is said as well";
    EXPECT_LE(s.in_force_since(), raft_commit(s.r));
    s.ready();
    EXPECT_FALSE(s.last.members_changed);
}

TEST(RaftMembers, ALearnerDoesNotCount)
{
    Assembly s;
    s.reign();
    ASSERT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 70}}), RAFT_CHANGE_STARTED);
    s.settle({7});
    EXPECT_EQ(raft_commit(s.r), 1u) << "two of four have it, but one of three voters";
    s.settle({3});
    EXPECT_EQ(raft_commit(s.r), 2u);
    raft_ticket ticket;
    ASSERT_TRUE(raft_read(s.r, &ticket));
    s.ready();
    s.accept(7, 2, s.round);
    EXPECT_EQ(raft_ticket_state(s.r, &ticket), RAFT_TICKET_WAIT);
    s.accept(3, 2, s.round);
    EXPECT_EQ(raft_ticket_state(s.r, &ticket), RAFT_TICKET_READY);
}

TEST(RaftMembers, ALearnersAnswersDoNotKeepALeaderInOffice)
{
    Assembly s;
    s.reign();
    s.bring_in({7});
    s.pass_with(90, {7});
    EXPECT_TRUE(raft_is_leader(s.r));
    s.pass_with(30, {7});
    EXPECT_FALSE(raft_is_leader(s.r));
    EXPECT_EQ(s.count(RAFT_QUORUM_LOST), 1u);
}

TEST(RaftMembers, ASlowLearnerCostsTheOthersNothing)
{
    Assembly s;
    s.reign();
    ASSERT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 70}}), RAFT_CHANGE_STARTED);
    for (int i = 0; i < 100; i++) {
        ASSERT_EQ(s.propose({50}), 1u);
        s.settle({2, 3});
    }
    EXPECT_EQ(raft_commit(s.r), 102u);
}

TEST(RaftMembers, PromotionTakesCatchingUpAndStayingSo)
{
    Assembly s([](raft_config &c) { c.promote_lag_max = 2; });
    s.reign();
    ASSERT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 70}}), RAFT_CHANGE_STARTED);
    s.settle({2, 3});
    Change promote{RAFT_PROMOTE, 7, 70};
    EXPECT_EQ(s.change({promote}), RAFT_CHANGE_REFUSED_NOT_CAUGHT_UP) << "never heard";
    s.pass_with(60, {2, 3, 7});
    EXPECT_EQ(s.change({promote}), RAFT_CHANGE_REFUSED_NOT_CAUGHT_UP) << "not for long enough";
    s.pass_with(10, {2, 3, 7});
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(s.propose({50}), 1u);
    EXPECT_EQ(s.change({promote}), RAFT_CHANGE_REFUSED_NOT_CAUGHT_UP) << "behind just now";
    s.pass_with(20, {2, 3}); /* and at a heartbeat */
    s.settle({2, 3, 7});
    EXPECT_EQ(s.change({promote}), RAFT_CHANGE_REFUSED_NOT_CAUGHT_UP) << "time begins anew";
    s.pass_with(70, {2, 3, 7});
    EXPECT_EQ(s.change({promote}), RAFT_CHANGE_STARTED);
    EXPECT_EQ(s.count(RAFT_CHANGE_REFUSED_NOT_CAUGHT_UP), 4u);
}

TEST(RaftMembers, ALearnerThatFallsSilentHasNotCaughtUp)
{
    Assembly s;
    s.reign();
    s.bring_in({7});
    s.pass_with(110, {2, 3});
    EXPECT_EQ(s.change({{RAFT_PROMOTE, 7, 70}}), RAFT_CHANGE_REFUSED_NOT_CAUGHT_UP);
}

/* ---- joint consensus ------------------------------------------------------------------------- */

TEST(RaftMembers, AJointConfigurationTakesBothMajorities)
{
    for (bool new_first : {true, false}) {
        Assembly s;
        s.reign();
        s.bring_in({4, 5});
        ASSERT_EQ(s.change({{RAFT_PROMOTE, 4, 40},
                            {RAFT_PROMOTE, 5, 50},
                            {RAFT_REMOVE, 2, 20},
                            {RAFT_REMOVE, 3, 30}}),
                  RAFT_CHANGE_STARTED);
        EXPECT_EQ(s.in_force(), (Seats{{1, voter, voter},
                                       {2, gone, voter},
                                       {3, gone, voter},
                                       {4, voter, learner},
                                       {5, voter, learner}}));
        EXPECT_TRUE(s.status().joint);
        uint64_t before = raft_commit(s.r);
        if (new_first)
            s.settle({4, 5});
        else
            s.settle({2, 3});
        EXPECT_EQ(raft_commit(s.r), before) << "all of one half is not enough";
        EXPECT_FALSE(raft_leave_due(s.r));
        EXPECT_FALSE(s.leave());
        if (new_first)
            s.settle({2});
        else
            s.settle({5});
        EXPECT_EQ(raft_commit(s.r), before + 1);
        ASSERT_TRUE(raft_leave_due(s.r)) << "by itself";
        ASSERT_TRUE(s.leave());
        EXPECT_EQ(s.in_force(), (Seats{{1, voter}, {4, voter}, {5, voter}}));
        EXPECT_EQ(s.entry.count, 3);
        EXPECT_FALSE(raft_leave_due(s.r));
        s.ready();
        EXPECT_TRUE(s.sent_of(WIRE_APPEND, 2).empty()) << "they belong no longer";
        s.settle({2, 3});
        EXPECT_EQ(raft_commit(s.r), before + 1);
        EXPECT_EQ(s.count(RAFT_STRANGER), 2u);
        s.settle({4});
        EXPECT_EQ(raft_commit(s.r), before + 2);
        EXPECT_EQ(s.count(RAFT_JOINT_LEFT), 1u);
    }
}

TEST(RaftMembers, ReadsInAJointConfigurationTakeBothMajorities)
{
    Assembly s;
    s.reign();
    s.bring_in({4, 5});
    ASSERT_EQ(s.change({{RAFT_PROMOTE, 4, 40},
                        {RAFT_PROMOTE, 5, 50},
                        {RAFT_REMOVE, 2, 20},
                        {RAFT_REMOVE, 3, 30}}),
              RAFT_CHANGE_STARTED);
    raft_ticket ticket;
    ASSERT_TRUE(raft_read(s.r, &ticket));
    s.settle({2, 3});
    EXPECT_EQ(raft_ticket_state(s.r, &ticket), RAFT_TICKET_WAIT);
    s.accept(4, raft_last_index(s.r), s.round);
    EXPECT_EQ(raft_ticket_state(s.r, &ticket), RAFT_TICKET_READY);
}

TEST(RaftMembers, OneChangeAtATime)
{
    Assembly s;
    s.reign();
    ASSERT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 70}}), RAFT_CHANGE_STARTED);
    EXPECT_EQ(s.change({{RAFT_ADD_LEARNER, 8, 80}}), RAFT_CHANGE_REFUSED_IN_PROGRESS);
    s.settle({2});
    EXPECT_EQ(s.change({{RAFT_DEMOTE, 3, 30}}), RAFT_CHANGE_STARTED);
    s.settle({2, 3});
    EXPECT_EQ(s.change({{RAFT_ADD_LEARNER, 8, 80}}), RAFT_CHANGE_REFUSED_IN_PROGRESS)
        << "joint, though committed";
    ASSERT_TRUE(s.leave());
    EXPECT_EQ(s.in_force(), (Seats{{1, voter}, {2, voter}, {3, learner}, {7, learner}}));
    EXPECT_EQ(s.change({{RAFT_ADD_LEARNER, 8, 80}}), RAFT_CHANGE_REFUSED_IN_PROGRESS);
    s.settle({2});
    EXPECT_EQ(s.change({{RAFT_ADD_LEARNER, 8, 80}}), RAFT_CHANGE_STARTED);
    EXPECT_EQ(s.count(RAFT_CHANGE_REFUSED_IN_PROGRESS), 3u);
}

TEST(RaftMembers, ANewLeaderChangesNothingBeforeItsOwnTermIsCommitted)
{
    Assembly s;
    EXPECT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 70}}), RAFT_CHANGE_REFUSED_NOT_LEADER);
    s.lead();
    EXPECT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 70}}), RAFT_CHANGE_REFUSED_TOO_EARLY);
    s.accept(2, 1, s.round);
    EXPECT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 70}}), RAFT_CHANGE_STARTED);
}

TEST(RaftMembers, ANewLeaderLeavesTheJointConfigurationThatItFinds)
{
    Assembly s;
    s.append_members(2, 1, 0, 0,
                     {members_of({{1, voter, voter}, {2, voter, voter}, {3, gone, voter}})});
    s.ready();
    s.store();
    s.pass(100);
    s.campaign();
    s.grant(WIRE_VOTE_REPLY, 2);
    ASSERT_TRUE(raft_is_leader(s.r));
    EXPECT_FALSE(raft_leave_due(s.r));
    ASSERT_EQ(s.propose({50}), 1u);
    s.settle({3});
    EXPECT_FALSE(raft_leave_due(s.r)) << "the new half is not all there";
    s.settle({2});
    EXPECT_TRUE(raft_leave_due(s.r));
    EXPECT_TRUE(s.leave());
    EXPECT_EQ(s.in_force(), (Seats{{1, voter}, {2, voter}}));
}

/* ---- refusals -------------------------------------------------------------------------------- */

TEST(RaftMembers, RefusesWhatIsNotPossible)
{
    Assembly s([](raft_config &c) { c.role[2] = WIRE_ROLE_WITNESS; });
    s.reign();
    s.bring_in({7});
    EXPECT_EQ(s.change({}), RAFT_CHANGE_REFUSED_IMPOSSIBLE);
    EXPECT_EQ(s.change({{0, 2, 20}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE);
    EXPECT_EQ(s.change({{RAFT_RAISE + 1, 2, 20}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE);
    EXPECT_EQ(s.change({{RAFT_RAISE, 0, 0}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE) << "a level that is";
    EXPECT_EQ(s.change({{RAFT_RAISE, 256, 0}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE);
    EXPECT_EQ(s.change({{RAFT_RAISE, 1, 0}, {RAFT_REMOVE, 7, 70}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE);
    EXPECT_EQ(s.change({{RAFT_ADD_LEARNER, RAFT_NOBODY, 1}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE);
    EXPECT_EQ(s.change({{RAFT_PROMOTE, 2, 20}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE);
    EXPECT_EQ(s.change({{RAFT_PROMOTE, 3, 30}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE) << "a witness";
    EXPECT_EQ(s.change({{RAFT_DEMOTE, 3, 30}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE);
    EXPECT_EQ(s.change({{RAFT_DEMOTE, 7, 70}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE);
    EXPECT_EQ(s.change({{RAFT_PROMOTE_WITNESS, 2, 20}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE);
    EXPECT_EQ(s.change({{RAFT_DEMOTE, 2, 20}, {RAFT_REMOVE, 2, 20}}),
              RAFT_CHANGE_REFUSED_IMPOSSIBLE)
        << "one member, two changes";
    EXPECT_EQ(s.change({{RAFT_ADD_LEARNER, 8, 80}, {RAFT_PROMOTE, 8, 80}}),
              RAFT_CHANGE_REFUSED_IMPOSSIBLE)
        << "no way in but as a learner";
    EXPECT_EQ(s.change({{RAFT_ADD_LEARNER, 2, 99}}), RAFT_CHANGE_REFUSED_ALREADY_MEMBER);
    EXPECT_EQ(s.change({{RAFT_REMOVE, 9, 90}}), RAFT_CHANGE_REFUSED_UNKNOWN_MEMBER);
    EXPECT_EQ(s.change({{RAFT_REMOVE, 2, 99}}), RAFT_CHANGE_REFUSED_UNKNOWN_MEMBER)
        << "another log, another member";
    EXPECT_EQ(s.change({{RAFT_REMOVE, 1, 10}, {RAFT_REMOVE, 2, 20}}),
              RAFT_CHANGE_REFUSED_LOSES_QUORUM)
        << "no voter is left";
    EXPECT_EQ(s.count(RAFT_CHANGE_STARTED), 1u);
    EXPECT_EQ(raft_last_index(s.r), 2u) << "nothing of all that was appended";
    ASSERT_TRUE(raft_transfer(s.r, 2));
    EXPECT_EQ(s.change({{RAFT_REMOVE, 7, 70}}), RAFT_CHANGE_REFUSED_TRANSFERRING);
}

TEST(RaftMembers, TheLevelIsRaisedAndStaysWhoeverComesOrGoes)
{
    Assembly s;
    s.reign();
    s.bring_in({4});
    ASSERT_EQ(s.change({{RAFT_RAISE, 2, 0}}), RAFT_CHANGE_STARTED);
    uint64_t index;
    EXPECT_EQ(raft_members(s.r, &index)->level, 2);
    EXPECT_EQ(index, raft_last_index(s.r));
    EXPECT_FALSE(raft_members(s.r, &index)->joint) << "no quorum changes";
    EXPECT_EQ(s.change({{RAFT_RAISE, 3, 0}}), RAFT_CHANGE_REFUSED_IN_PROGRESS);
    s.settle({2, 3});
    EXPECT_EQ(s.change({{RAFT_RAISE, 2, 0}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE);
    EXPECT_EQ(s.change({{RAFT_RAISE, 1, 0}}), RAFT_CHANGE_REFUSED_IMPOSSIBLE) << "it never falls";
    ASSERT_EQ(s.change({{RAFT_REMOVE, 3, 30}}), RAFT_CHANGE_STARTED);
    s.settle({2, 3});
    ASSERT_TRUE(s.leave());
    EXPECT_EQ(raft_members(s.r, &index)->level, 2);
}

TEST(RaftMembers, RefusesToLoseItsQuorum)
{
    Assembly s;
    s.reign();
    s.bring_in({4});
    s.pass_with(110, {2, 4}); /* 3 is silent */
    EXPECT_EQ(s.change({{RAFT_REMOVE, 2, 20}}), RAFT_CHANGE_REFUSED_LOSES_QUORUM)
        << "one of two would be left";
    EXPECT_EQ(s.change({{RAFT_DEMOTE, 2, 20}}), RAFT_CHANGE_REFUSED_LOSES_QUORUM);
    EXPECT_EQ(s.change({{RAFT_PROMOTE, 4, 40}, {RAFT_REMOVE, 3, 30}}), RAFT_CHANGE_STARTED)
        << "the dead member is replaced";
}

TEST(RaftMembers, RefusesMoreThanThereCanOrShallBe)
{
    Assembly s([](raft_config &c) { c.voters_max = 3; });
    s.reign();
    s.bring_in({7});
    EXPECT_EQ(s.change({{RAFT_PROMOTE, 7, 70}}), RAFT_CHANGE_REFUSED_TOO_MANY);
    EXPECT_EQ(s.change({{RAFT_PROMOTE, 7, 70}, {RAFT_REMOVE, 3, 30}}), RAFT_CHANGE_STARTED);

    Assembly full([](raft_config &c) {
        c.member_count = 63;
        for (uint16_t i = 3; i < 63; i++) {
            c.member[i] = static_cast<uint16_t>(i + 1);
            c.role[i] = WIRE_ROLE_LEARNER;
        }
    });
    full.reign();
    ASSERT_EQ(full.change({{RAFT_ADD_LEARNER, 100, 1}}), RAFT_CHANGE_STARTED);
    full.settle({2});
    EXPECT_EQ(full.change({{RAFT_ADD_LEARNER, 101, 1}}), RAFT_CHANGE_REFUSED_TOO_MANY);
    ASSERT_EQ(full.change({{RAFT_REMOVE, 50, 500}}), RAFT_CHANGE_STARTED);
    full.settle({2});
    EXPECT_EQ(full.change({{RAFT_ADD_LEARNER, 101, 1}}), RAFT_CHANGE_STARTED);
}

TEST(RaftMembers, RefusesWhenTheWindowIsFull)
{
    Assembly s([](raft_config &c) { c.entries_max = 8; });
    s.reign();
    while (s.propose({50}) == 1)
        ;
    EXPECT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 70}}), RAFT_CHANGE_REFUSED_WINDOW_FULL);
    s.settle({2});
    EXPECT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 70}}), RAFT_CHANGE_STARTED);
}

/* ---- the leader goes ------------------------------------------------------------------------- */

TEST(RaftMembers, ALeaderThatRemovesItselfLeadsUntilThatIsCommitted)
{
    Assembly s;
    s.reign();
    ASSERT_EQ(s.change({{RAFT_REMOVE, 1, 10}}), RAFT_CHANGE_STARTED);
    s.settle({2});
    EXPECT_EQ(raft_commit(s.r), 1u) << "in the new half it does not count itself";
    s.settle({3});
    EXPECT_EQ(raft_commit(s.r), 2u);
    ASSERT_TRUE(s.leave());
    EXPECT_EQ(s.in_force(), (Seats{{2, voter}, {3, voter}}));
    s.settle({3});
    EXPECT_TRUE(raft_is_leader(s.r));
    EXPECT_EQ(raft_commit(s.r), 2u);
    s.accept(2, 3, s.round);
    EXPECT_EQ(raft_commit(s.r), 3u);
    EXPECT_TRUE(raft_dirty(s.r));
    s.ready();
    EXPECT_FALSE(raft_is_leader(s.r));
    EXPECT_EQ(s.count(RAFT_LEADER_LEFT), 1u);
    ASSERT_EQ(s.sent_of(WIRE_APPEND).size(), 2u) << "they shall know what is committed";
    EXPECT_EQ(s.sent_of(WIRE_APPEND)[0].commit, 3u);
    EXPECT_EQ(s.sent_of(WIRE_TIMEOUT_NOW).size(), 1u) << "and one of them may lead at once";
    s.pass(2000);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER) << "it never campaigns again";
    EXPECT_EQ(s.count(RAFT_PREVOTE_STARTED), 1u);
}

TEST(RaftMembers, ALeaderThatBecomesALearnerGoesAsWell)
{
    Assembly s;
    s.reign();
    ASSERT_EQ(s.change({{RAFT_DEMOTE, 1, 10}}), RAFT_CHANGE_STARTED);
    s.settle({2, 3});
    ASSERT_TRUE(s.leave());
    s.ready();
    s.store();
    s.accept(2, 3, s.round);
    s.ready();
    EXPECT_TRUE(raft_is_leader(s.r));
    s.accept(3, 3, s.round);
    s.ready();
    EXPECT_FALSE(raft_is_leader(s.r));
    EXPECT_EQ(s.in_force(), (Seats{{1, learner}, {2, voter}, {3, voter}}));
}

TEST(RaftMembers, OnlyWhoHasEverythingIsOfferedTheOfficeOfALeaderThatLeaves)
{
    Assembly s;
    s.reign();
    ASSERT_EQ(s.change({{RAFT_REMOVE, 1, 10}}), RAFT_CHANGE_STARTED);
    s.settle({2, 3});
    ASSERT_TRUE(s.leave());
    s.ready();
    s.store();
    ASSERT_EQ(s.propose({50}), 1u);
    s.accept(2, 3, s.round);
    s.accept(3, 3, s.round);
    s.ready();
    EXPECT_FALSE(raft_is_leader(s.r));
    EXPECT_TRUE(s.sent_of(WIRE_TIMEOUT_NOW).empty()) << "entry 4 is nowhere else yet";
}

TEST(RaftMembers, ATransferToWhoLeavesIsOver)
{
    Assembly s;
    s.reign();
    s.bring_in({7});
    EXPECT_FALSE(raft_transfer(s.r, 7)) << "a learner never leads";
    ASSERT_EQ(s.change({{RAFT_REMOVE, 3, 30}}), RAFT_CHANGE_STARTED);
    EXPECT_FALSE(raft_transfer(s.r, 3)) << "not of the configuration that comes";
    s.settle({2, 3});
    ASSERT_TRUE(raft_transfer(s.r, 2));
    EXPECT_FALSE(raft_leave_due(s.r)) << "first the hand-over";
    EXPECT_FALSE(s.leave());
    EXPECT_EQ(s.count(RAFT_TRANSFER_REFUSED), 2u);
}

/* ---- slots ----------------------------------------------------------------------------------- */

TEST(RaftMembers, WhoComesInWhereAnotherWasIsNotTakenForIt)
{
    Assembly s;
    s.reign();
    ASSERT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 70}}), RAFT_CHANGE_STARTED);
    s.settle({2, 3, 7});
    ASSERT_EQ(s.change({{RAFT_REMOVE, 7, 70}}), RAFT_CHANGE_STARTED);
    s.settle({2, 3});
    ASSERT_EQ(s.change({{RAFT_ADD_LEARNER, 7, 71}}), RAFT_CHANGE_STARTED)
        << "one that lost its log is somebody else";
    EXPECT_EQ(s.status().member[3].match, 0u);
    EXPECT_EQ(s.status().member[3].progress, RAFT_PROBE);
    s.settle({2, 3});
    ASSERT_EQ(s.change({{RAFT_REMOVE, 2, 20}}), RAFT_CHANGE_STARTED);
    s.settle({2, 3});
    ASSERT_TRUE(s.leave());
    s.settle({3});
    ASSERT_EQ(s.change({{RAFT_ADD_LEARNER, 4, 40}}), RAFT_CHANGE_STARTED);
    EXPECT_EQ(s.in_force(), (Seats{{1, voter}, {3, voter}, {4, learner}, {7, learner}}));
    EXPECT_EQ(s.status().member[2].id, 4) << "ids ascend whatever the slots";
    EXPECT_EQ(s.status().member[2].match, 0u);
    EXPECT_EQ(s.status().member[1].match, raft_last_index(s.r) - 1);
    s.accept(2, raft_last_index(s.r), s.round);
    EXPECT_EQ(s.count(RAFT_STRANGER), 1u);
}
