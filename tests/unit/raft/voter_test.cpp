/* Who belongs, at everybody else: what is in force at a follower, who votes, who is voted for, and
 * who never leads. */
#include "tests/unit/raft/assembly.h"

static const wire_members with_learner =
    members_of({{1, voter}, {2, voter}, {3, voter}, {7, learner}});
static const wire_members joint =
    members_of({{1, voter, voter}, {2, voter, voter}, {3, gone, voter}, {7, voter, learner}});
static const wire_members without_3 = members_of({{1, voter}, {2, voter}, {7, voter}});

/* ---- what is in force ------------------------------------------------------------------------ */

TEST(RaftVoter, AConfigurationIsInForceWhereItIsAppendedAndGoesWithItsEntry)
{
    Assembly s;
    s.append(2, 1, 0, 0, {1, 1}, 1);
    s.append_members(2, 1, 2, 1, {with_learner});
    EXPECT_EQ(s.in_force_since(), 3u);
    EXPECT_EQ(s.in_force().size(), 4u);
    s.ready();
    ASSERT_TRUE(s.last.members_changed);
    EXPECT_EQ(s.in_force_since(), 3u);
    EXPECT_GT(s.in_force_since(), raft_commit(s.r));
    s.append(3, 2, 2, 1, {2}); /* another leader knows nothing of it */
    EXPECT_EQ(s.in_force_since(), 0u);
    EXPECT_EQ(s.in_force(), (Seats{{1, voter}, {2, voter}, {3, voter}}));
    EXPECT_EQ(s.count(RAFT_MEMBERS_TAKEN_BACK), 1u);
    s.ready();
    ASSERT_TRUE(s.last.members_changed);
    EXPECT_EQ(s.in_force_since(), 0u);
    EXPECT_LE(s.in_force_since(), raft_commit(s.r));
}

TEST(RaftVoter, TheFormerConfigurationCountsAsCommitted)
{
    Assembly s;
    s.append_members(2, 1, 0, 0, {joint, without_3});
    EXPECT_EQ(s.in_force_since(), 2u);
    EXPECT_EQ(s.in_force(), (Seats{{1, voter}, {2, voter}, {7, voter}}));
    s.append(3, 2, 0, 0, {2});
    EXPECT_EQ(s.count(RAFT_APPEND_REFUSED_SETTLED), 1u)
        << "whoever appended the second one knew the first to be committed";
    s.append(3, 2, 1, 1, {2});
    EXPECT_EQ(s.in_force_since(), 1u);
    EXPECT_EQ(s.in_force().size(), 4u);
}

TEST(RaftVoter, ARunThatEndsBeforeItsConfigurationBringsNone)
{
    Assembly s([](raft_config &c) { c.entries_max = 8; });
    s.append(2, 1, 0, 0, {1, 1, 1, 1, 1, 1, 1}, 2);
    s.ready();
    s.store();
    s.ready(); /* two are to be applied, which makes the window count */
    s.apply();
    s.append(2, 1, 7, 1, {}, 3);
    std::vector<raft_entry> entries(6, raft_entry{1, 50, 0});
    entries[5].members = 1;
    wire_raft message{};
    message.kind = WIRE_APPEND;
    message.from = 2;
    message.term = 1;
    message.index = 7;
    message.log_term = 1;
    message.round = 9;
    raft_input input = s.step(message, entries, {with_learner});
    EXPECT_LT(input.take_count, 6u);
    EXPECT_EQ(s.count(RAFT_APPEND_WINDOW_FULL), 1u);
    EXPECT_EQ(s.in_force_since(), 0u);
}

TEST(RaftVoter, KnownConfigurationsAreNotEnteredAgain)
{
    Assembly s;
    s.append_members(2, 1, 0, 0, {joint, without_3});
    s.append_members(2, 1, 0, 0, {joint, without_3});
    EXPECT_EQ(s.count(RAFT_MEMBERS_ENTERED), 2u);
    EXPECT_EQ(s.in_force_since(), 2u);
}

TEST(RaftVoter, ConfigurationsThatMayNotExistAreRefused)
{
    Assembly s;
    s.append_members(2, 1, 0, 0, {members_of({{1, learner}, {2, onlooker}})});
    wire_members crowd{};
    for (uint16_t id = 101; id < 165; id++) /* sixty-four, and no place for us */
        crowd.member[crowd.count++] = {id, voter, gone, 1};
    s.append_members(2, 1, 0, 0, {crowd});
    std::vector<raft_entry> entries{{1, 50, 2}};
    wire_raft message{};
    message.kind = WIRE_APPEND;
    message.from = 2;
    message.term = 1;
    message.round = 9;
    s.step(message, entries, {with_learner}); /* which has no second one */
    EXPECT_EQ(s.count(RAFT_APPEND_REFUSED_MEMBERS), 3u);
    EXPECT_EQ(s.status().last_index, 0u);
}

TEST(RaftVoter, RestoresWhatIsInForceFromSnapshotAndLog)
{
    raft_restore restore{};
    restore.term = 2;
    restore.first_index = 11;
    restore.previous_term = 1;
    restore.applied = 10;
    restore.members = &with_learner;
    restore.members_index = 5;
    Assembly s({}, {2}, restore);
    EXPECT_EQ(s.in_force_since(), 5u);
    EXPECT_EQ(s.in_force().size(), 4u);
    raft_entry entry{2, wire_entry_size(wire_members_size(joint.count)), 0};
    raft_restore_members(s.r, &entry, &joint);
    EXPECT_EQ(s.in_force_since(), 12u);
    EXPECT_TRUE(s.status().joint);
    s.append(2, 3, 11, 2, {3});
    EXPECT_EQ(s.in_force_since(), 5u) << "and falls back to it";
}

/* ---- who is asked, and who is answered ------------------------------------------------------- */

TEST(RaftVoter, ACandidateCountsBothMajoritiesAndNoLearner)
{
    Assembly s;
    s.append_members(2, 1, 0, 0,
                     {members_of({{1, voter, voter},
                                  {2, gone, voter},
                                  {3, gone, voter},
                                  {4, voter, learner},
                                  {5, voter, learner},
                                  {7, learner, learner}})});
    s.ready();
    s.store();
    for (int i = 0; i < 300 && s.status().role != RAFT_PRECANDIDATE; i++)
        s.pass(1);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_PREVOTE).size(), 4u) << "the learner is not asked";
    EXPECT_EQ(s.sent_of(WIRE_PREVOTE)[0].commit, 1u) << "the configuration's index";
    s.grant(WIRE_PREVOTE_REPLY, 2);
    s.grant(WIRE_PREVOTE_REPLY, 3);
    s.grant(WIRE_PREVOTE_REPLY, 7);
    EXPECT_EQ(s.count(RAFT_VOTE_OF_NON_VOTER), 1u);
    EXPECT_EQ(s.status().role, RAFT_PRECANDIDATE) << "the old half alone";
    s.grant(WIRE_PREVOTE_REPLY, 5);
    EXPECT_EQ(s.status().role, RAFT_CANDIDATE);
    s.ready();
    s.store();
    s.grant(WIRE_VOTE_REPLY, 4);
    s.grant(WIRE_VOTE_REPLY, 5);
    EXPECT_EQ(s.status().role, RAFT_CANDIDATE) << "the new half alone";
    s.grant(WIRE_VOTE_REPLY, 3);
    EXPECT_TRUE(raft_is_leader(s.r));
}

TEST(RaftVoter, ALearnerMustVoteSinceOthersMayKnowItToBeAVoter)
{
    Assembly s([](raft_config &c) { c.role[0] = WIRE_ROLE_LEARNER; });
    s.pass(100);
    s.ask_vote(WIRE_PREVOTE, 2, 1, 0, 0);
    s.ask_vote(WIRE_VOTE, 2, 1, 0, 0);
    EXPECT_EQ(s.count(RAFT_PREVOTE_GRANTED), 1u);
    EXPECT_EQ(s.count(RAFT_VOTE_GRANTED), 1u);
    s.ready();
    EXPECT_TRUE(s.last.must_persist);
}

TEST(RaftVoter, ACandidateOfANewerConfigurationIsAnsweredThoughUnknown)
{
    Assembly s;
    s.append(2, 1, 0, 0, {1, 1}, 2);
    s.pass(100);
    s.ask_vote_as_of(WIRE_VOTE, 9, 2, 3, 2, 3);
    EXPECT_EQ(s.count(RAFT_VOTE_GRANTED), 1u);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_VOTE_REPLY, 9).size(), 1u);
    EXPECT_TRUE(s.sent_of(WIRE_VOTE_REPLY, 9)[0].flags & WIRE_RAFT_GRANTED);
    s.append(9, 2, 2, 1, {2});
    EXPECT_EQ(s.status().leader, 9);
    EXPECT_EQ(s.status().last_index, 3u);
    s.ready();
    EXPECT_FALSE(s.sent_of(WIRE_APPEND_REPLY, 9).empty());
}

TEST(RaftVoter, ARemovedCandidateDisturbsNobody)
{
    Assembly s([](raft_config &c) { c.check_quorum = c.pre_vote = false; });
    s.append_members(2, 1, 0, 0, {joint, without_3}, 1);
    s.pass(100); /* no leader lives that could speak for itself */
    s.ask_vote_as_of(WIRE_VOTE, 3, 3, 9, 2, 1);
    EXPECT_EQ(s.count(RAFT_VOTE_GRANTED), 1u) << "while that is not committed here, it may matter";
    s.append_members(2, 4, 1, 1, {without_3}, 2);
    s.pass(100);
    uint64_t term = raft_term(s.r);
    s.ready();
    for (uint8_t kind : {WIRE_VOTE, WIRE_PREVOTE})
        s.ask_vote_as_of(kind, 3, 9, 9, 8, 1);
    EXPECT_EQ(s.count(RAFT_VOTE_REFUSED_REMOVED), 2u);
    EXPECT_EQ(raft_term(s.r), term) << "not even its term counts";
    EXPECT_FALSE(raft_dirty(s.r)) << "no answer";
    wire_raft reply{};
    reply.kind = WIRE_VOTE_REPLY;
    reply.flags = WIRE_RAFT_GRANTED;
    reply.from = 3;
    reply.term = 50;
    s.step(reply);
    EXPECT_EQ(s.count(RAFT_STRANGER), 1u);
    EXPECT_EQ(raft_term(s.r), term);
}

/* ---- who never leads ------------------------------------------------------------------------- */

TEST(RaftVoter, NeitherLearnerNorWitnessNorWhoIsStillJoiningCampaigns)
{
    for (int who = 0; who < 3; who++) {
        Assembly s([&](raft_config &c) {
            if (who == 2) {
                c.self = 9;
                c.joining = true;
            } else {
                c.role[0] = who == 0 ? WIRE_ROLE_LEARNER : WIRE_ROLE_WITNESS;
            }
        });
        s.append(2, 1, 0, 0, {1}, 1);
        s.ready();
        s.store();
        s.pass(3000);
        EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
        EXPECT_EQ(s.status().leader, RAFT_NOBODY) << "but it notices";
        EXPECT_EQ(raft_term(s.r), 1u);
        EXPECT_GT(s.last.wake_ns, 0u);
        s.append(2, 1, 1, 1);
        wire_raft message{};
        message.kind = WIRE_TIMEOUT_NOW;
        message.from = 2;
        message.term = 1;
        s.step(message);
        EXPECT_EQ(s.count(RAFT_TIMEOUT_NOW_REFUSED), 1u);
        EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
    }
}

TEST(RaftVoter, WhoIsLeftOutMayBeTheOnlyOneWhoCanWin)
{
    Assembly s;
    s.append_members(2, 1, 0, 0,
                     {members_of({{1, gone, voter}, {2, voter, voter}, {3, voter, voter}}),
                      members_of({{2, voter}, {3, voter}})},
                     1);
    s.ready();
    s.store();
    for (int i = 0; i < 300 && s.status().role != RAFT_PRECANDIDATE; i++)
        s.pass(1);
    s.ready();
    s.grant(WIRE_PREVOTE_REPLY, 3);
    EXPECT_EQ(s.status().role, RAFT_PRECANDIDATE) << "its own does not count";
    s.grant(WIRE_PREVOTE_REPLY, 2);
    EXPECT_EQ(s.status().role, RAFT_CANDIDATE);
    s.ready();
    s.store();
    s.grant(WIRE_VOTE_REPLY, 3);
    EXPECT_EQ(s.status().role, RAFT_CANDIDATE);
    s.grant(WIRE_VOTE_REPLY, 2);
    ASSERT_TRUE(raft_is_leader(s.r));
    ASSERT_EQ(s.propose({50}), 1u);
    s.ready();
    s.store();
    s.accept(2, 3, s.round);
    s.ready();
    EXPECT_TRUE(raft_is_leader(s.r));
    s.accept(3, 3, s.round);
    s.ready();
    EXPECT_FALSE(raft_is_leader(s.r)) << "it has done what it was needed for";
    s.pass(3000);
    EXPECT_EQ(s.status().role, RAFT_FOLLOWER);
    EXPECT_EQ(s.count(RAFT_PREVOTE_STARTED), 1u);
}

TEST(RaftVoter, WhoJoinsBecomesAMemberByItsLog)
{
    Assembly s([](raft_config &c) {
        c.self = 7;
        c.joining = true;
    });
    EXPECT_EQ(s.status().member_count, 3u);
    s.append_members(9, 4, 0, 0, {with_learner, joint, without_3}, 2);
    EXPECT_EQ(s.status().leader, 9) << "by a leader that it has never heard of";
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_APPEND_REPLY, 9).size(), 1u);
    s.store();
    s.pass(300);
    EXPECT_EQ(s.status().role, RAFT_PRECANDIDATE) << "and leads, if it must";
}

/* ---- witnesses ------------------------------------------------------------------------------- */

static const Solo::Tweak one_witness = [](raft_config &c) { c.role[2] = WIRE_ROLE_WITNESS; };

TEST(RaftWitness, CountsForCommitAndElectionAndNotAsACopy)
{
    Assembly s(one_witness);
    s.campaign();
    s.grant(WIRE_VOTE_REPLY, 3);
    ASSERT_TRUE(raft_is_leader(s.r));
    ASSERT_EQ(s.propose({50}), 1u);
    s.settle({3});
    EXPECT_EQ(raft_commit(s.r), 1u);
    EXPECT_EQ(s.status().full_copies, 1u);
    s.settle({2});
    EXPECT_EQ(s.status().full_copies, 2u);
}

TEST(RaftWitness, IsToldOfWhatSomebodyHasInFull)
{
    Assembly s(one_witness);
    s.reign();
    ASSERT_EQ(s.propose({50}), 1u);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2).size(), 1u);
    EXPECT_TRUE(s.sent_of(WIRE_APPEND, 3).empty());
    s.store();
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_APPEND, 3).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 3)[0].entry_count, 1u);
    s.accept(3, 2, s.round);
    s.ready();
    ASSERT_EQ(s.propose({50, 50}), 2u);
    s.ready();
    EXPECT_TRUE(s.sent_of(WIRE_APPEND, 3).empty());
    s.accept(2, 3, s.round); /* before this one's own disk */
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_APPEND, 3).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 3)[0].entry_count, 1u);
}

TEST(RaftWitness, IsToldOfNothingThatOnlyALeaderHasThatLeaves)
{
    Assembly s([](raft_config &c) { c.role[2] = WIRE_ROLE_WITNESS; });
    s.reign();
    ASSERT_EQ(s.change({{RAFT_REMOVE, 1, 10}}), RAFT_CHANGE_STARTED);
    s.ready();
    s.store();
    s.pass(10);
    s.ready();
    for (const wire_raft &append : s.sent_of(WIRE_APPEND, 3))
        EXPECT_EQ(append.entry_count, 0u);
    s.accept(2, 2, s.round);
    s.ready();
    ASSERT_EQ(s.sent_of(WIRE_APPEND, 3).size(), 1u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 3)[0].entry_count, 1u);
}

TEST(RaftWitness, NeedsTermsOnlyAndIsNeverHandedTheOffice)
{
    Assembly s(one_witness);
    s.reign();
    EXPECT_FALSE(raft_is_witness(s.r, 2));
    EXPECT_TRUE(raft_is_witness(s.r, 3));
    EXPECT_FALSE(raft_is_witness(s.r, 9));
    EXPECT_FALSE(raft_transfer(s.r, 3));
    EXPECT_EQ(s.count(RAFT_TRANSFER_REFUSED), 1u);
    s.bring_in({7});
    ASSERT_EQ(s.change({{RAFT_PROMOTE_WITNESS, 7, 70}, {RAFT_REMOVE, 3, 30}}), RAFT_CHANGE_STARTED);
    s.settle({2, 3, 7});
    ASSERT_TRUE(s.leave());
    EXPECT_EQ(s.in_force(), (Seats{{1, voter}, {2, voter}, {7, onlooker}}));
}
