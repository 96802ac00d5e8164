/* Linearizable reads: thesis §6.4 (rounds) and §6.4.1 (leases). */
#include "tests/unit/raft/solo.h"

static Solo::Tweak leases = [](raft_config &c) { c.lease_reads = true; };

static enum raft_ticket_state state(const Solo &s, raft_ticket ticket)
{
    return raft_ticket_state(s.r, &ticket);
}

TEST(RaftRead, Section6_4_FollowersRefuse)
{
    Solo s;
    raft_ticket ticket;
    EXPECT_FALSE(raft_read(s.r, &ticket));
    EXPECT_EQ(s.count(RAFT_READ_REFUSED_NOT_LEADER), 1u);
}

TEST(RaftRead, Section6_4_Step1_NoReadBeforeAnEntryOfThisTermIsCommitted)
{
    Solo s;
    s.lead();
    raft_ticket ticket;
    EXPECT_FALSE(raft_read(s.r, &ticket));
    EXPECT_EQ(s.count(RAFT_READ_REFUSED_TOO_EARLY), 1u);
    EXPECT_FALSE(raft_leader_ready(s.r));
    s.accept(2, 1, s.round);
    EXPECT_TRUE(raft_read(s.r, &ticket));
    EXPECT_FALSE(raft_leader_ready(s.r)) << "committed, not yet applied";
}

TEST(RaftRead, Section6_4_Step3_AFreshRoundMustBeEchoedByAQuorum)
{
    Solo s;
    s.reign();
    uint64_t old_round = s.round;
    raft_ticket ticket;
    ASSERT_TRUE(raft_read(s.r, &ticket));
    EXPECT_EQ(ticket.index, 1u);
    EXPECT_TRUE(raft_dirty(s.r));
    s.accept(2, 1, old_round); /* an old echo confirms nothing */
    s.accept(3, 1, old_round);
    EXPECT_EQ(state(s, ticket), RAFT_TICKET_WAIT);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_APPEND).size(), 2u);
    EXPECT_EQ(s.round, ticket.round);
    EXPECT_EQ(state(s, ticket), RAFT_TICKET_WAIT);
    s.accept(3, 1, s.round);
    EXPECT_EQ(state(s, ticket), RAFT_TICKET_READY);
}

TEST(RaftRead, TicketsTakenBetweenTwoReadiesShareARound)
{
    Solo s;
    s.reign();
    raft_ticket one, two, three;
    ASSERT_TRUE(raft_read(s.r, &one) && raft_read(s.r, &two));
    EXPECT_EQ(one.round, two.round);
    s.ready();
    ASSERT_TRUE(raft_read(s.r, &three));
    EXPECT_GT(three.round, two.round);
}

TEST(RaftRead, RejectionsEchoAsWell)
{
    Solo s;
    s.reign();
    raft_ticket ticket;
    ASSERT_TRUE(raft_read(s.r, &ticket));
    s.ready();
    s.reject(2, 0, 0, s.round);
    EXPECT_EQ(state(s, ticket), RAFT_TICKET_READY);
}

TEST(RaftRead, AppendsUnderLoadCarryTheRound)
{
    Solo s;
    s.reign();
    raft_ticket ticket;
    ASSERT_TRUE(raft_read(s.r, &ticket));
    EXPECT_EQ(s.propose({50}), 1u);
    s.ready();
    EXPECT_EQ(s.sent_of(WIRE_APPEND).size(), 2u);
    EXPECT_EQ(s.sent_of(WIRE_APPEND, 2).at(0).entry_count, 1u);
    EXPECT_GE(s.round, ticket.round);
}

TEST(RaftRead, TicketsAreLostWithTheOffice)
{
    Solo s;
    s.reign();
    raft_ticket ticket;
    ASSERT_TRUE(raft_read(s.r, &ticket));
    s.append(3, 9, 0, 0);
    EXPECT_EQ(state(s, ticket), RAFT_TICKET_LOST);
}

TEST(RaftRead, AMemberAloneIsItsOwnQuorum)
{
    Solo s([](raft_config &c) { c.member_count = 1; });
    s.campaign();
    EXPECT_EQ(s.propose({50}), 1u);
    s.ready();
    s.store();
    raft_ticket ticket;
    ASSERT_TRUE(raft_read(s.r, &ticket));
    s.ready();
    EXPECT_EQ(state(s, ticket), RAFT_TICKET_READY);
}

/* ---- leases */

TEST(RaftLease, Section6_4_1_LastsAnElectionTimeoutLessDriftFromSendingNotFromReceipt)
{
    Solo s(leases);
    s.reign();
    s.pass(10);
    s.ready();
    uint64_t sent_ns = s.now;
    s.pass(7);
    s.accept(2, 1, s.round);
    EXPECT_EQ(s.status().lease_until_ns, sent_ns + 99 * ms - 1)
        << "100 ms less 1 % and a nanosecond";
}

TEST(RaftLease, ConfirmsReadsWithoutARound)
{
    Solo s(leases);
    s.reign();
    s.ready();
    raft_ticket ticket;
    s.tick();
    ASSERT_TRUE(raft_read(s.r, &ticket));
    EXPECT_EQ(ticket.round, 0u);
    EXPECT_EQ(state(s, ticket), RAFT_TICKET_READY);
    EXPECT_FALSE(raft_dirty(s.r));
    EXPECT_EQ(s.count(RAFT_READ_BY_LEASE), 1u);
}

TEST(RaftLease, Section6_4_1_EndsWithoutEchoesAndReadsTakeARoundAgain)
{
    Solo s(leases);
    s.reign();
    s.pass(98);
    EXPECT_TRUE(raft_is_leader(s.r));
    raft_ticket ticket;
    s.tick();
    ASSERT_TRUE(raft_read(s.r, &ticket));
    EXPECT_EQ(ticket.round, 0u);
    s.pass(1);
    EXPECT_TRUE(raft_is_leader(s.r));
    ASSERT_TRUE(raft_read(s.r, &ticket));
    EXPECT_NE(ticket.round, 0u);
    EXPECT_EQ(state(s, ticket), RAFT_TICKET_WAIT);
}

TEST(RaftLease, EndsBeforeAnyFollowerThatEchoedWouldVote)
{
    Solo leader(leases), follower([](raft_config &c) { c.self = 2; });
    leader.reign();
    leader.pass(10);
    leader.ready();
    follower.pass(50); /* its clock shows something else */
    wire_raft beat = leader.sent_of(WIRE_APPEND, 2).at(0);
    beat.index = beat.log_term = 0;
    follower.step(beat);
    uint64_t heard_ns = follower.now, sent_ns = leader.now;
    leader.accept(2, 1, leader.round);
    uint64_t lease_ns = leader.status().lease_until_ns - sent_ns;
    follower.pass(lease_ns / ms);
    follower.ask_vote(WIRE_VOTE, 3, 9, 9, 9);
    EXPECT_EQ(follower.count(RAFT_VOTE_REFUSED_LEADER_LIVES), 1u)
        << (follower.now - heard_ns) / ms << " ms after the echo";
}

TEST(RaftLease, Section3_10_IsGoneForTheTermOnceLeadershipWasOffered)
{
    Solo s(leases);
    s.reign();
    EXPECT_NE(s.status().lease_until_ns, 0u);
    ASSERT_TRUE(raft_transfer(s.r, 2));
    EXPECT_EQ(s.status().lease_until_ns, 0u);
    raft_ticket ticket;
    ASSERT_TRUE(raft_read(s.r, &ticket));
    EXPECT_NE(ticket.round, 0u);
    s.ready();
    s.accept(2, 1, s.round);
    EXPECT_EQ(state(s, ticket), RAFT_TICKET_READY) << "rounds go on working";
    EXPECT_EQ(s.status().lease_until_ns, 0u);
    for (int beat = 0; beat < 12; beat++) {
        s.pass(10);
        s.ready();
        s.accept(2, 1, s.round);
    }
    EXPECT_EQ(s.count(RAFT_TRANSFER_ABANDONED), 1u);
    EXPECT_EQ(s.status().lease_until_ns, 0u) << "the offer may still be under way";
}

TEST(RaftLease, ConfirmedByLeaseIsConfirmedForEver)
{
    Solo s(leases);
    s.reign();
    raft_ticket ticket;
    s.tick();
    ASSERT_TRUE(raft_read(s.r, &ticket));
    s.append(3, 9, 0, 0);
    EXPECT_EQ(state(s, ticket), RAFT_TICKET_READY);
}

TEST(RaftLease, IsOffUnlessConfigured)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.status().lease_until_ns, 0u);
}

TEST(RaftLease, SendTimesOfManyRoundsAreKeptCoarselyAndOnTheSafeSide)
{
    Solo s([](raft_config &c) {
        c.lease_reads = true;
        c.entries_max = 4096;
        c.inflight_messages_max = 2000;
        c.inflight_bytes_max = 1 << 20;
    });
    s.reign();
    s.pass(5);
    uint64_t first_ns = s.now + 1000;
    for (int i = 0; i < 1000; i++) {
        s.now += 1000;
        raft_tick(s.r, s.now);
        EXPECT_EQ(s.propose({1}), 1u);
        s.ready();
    }
    s.accept(2, 1, s.round - 500);
    EXPECT_EQ(s.status().lease_until_ns, first_ns + 99 * ms - 1) << "not half a millisecond later";
}

/* "Stale now": a process that slept between two turns must not read by the clock of the former. */
TEST(RaftLease, WithoutATickInThisTurnThereIsNoLease)
{
    Solo s(leases);
    s.reign();
    s.tick();
    raft_ticket ticket;
    ASSERT_TRUE(raft_read(s.r, &ticket));
    EXPECT_EQ(ticket.round, 0u);
    s.ready();
    ASSERT_TRUE(raft_read(s.r, &ticket));
    EXPECT_NE(ticket.round, 0u);
    EXPECT_EQ(s.count(RAFT_READ_BY_ROUND), 1u);
}
