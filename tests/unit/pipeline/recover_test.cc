/* What a lane makes of a log that survived a restart, and of a storage that is full or has
 * failed. */
#include "tests/unit/pipeline/lane_fixture.h"

extern "C" {
#include "dataplane/log/storage_calls.h"
}

namespace
{

class Recover : public Lane
{
  protected:
    static bool recover(void *domain, uint16_t group, struct storage_recovered *to)
    {
        auto *self = static_cast<Recover *>(domain);
        if (group != 0 || !self->any)
            return false;
        *to = self->found;
        to->first = to->first == 0 ? 1 : to->first;
        to->last = self->kept.size();
        return true;
    }
    static const struct wire_entry *recover_entry(void *domain, uint16_t, uint64_t index)
    {
        auto *self = static_cast<Recover *>(domain);
        bool there = index >= 1 && index <= self->kept.size();
        return there ? reinterpret_cast<const struct wire_entry *>(self->kept[index - 1].data())
                     : nullptr;
    }

    Recover()
    {
        tweak = [this](struct lane_config &lane_config) {
            lane_config.recover = recover;
            lane_config.recover_entry = recover_entry;
            lane_config.recover_domain = this;
        };
        found.vote = RAFT_NOBODY;
        found.boots = 2;
    }

    void keep(uint64_t count, uint64_t term, uint32_t value_bytes)
    {
        struct wire_command command = make(WIRE_OP_SET, "key", std::string(value_bytes, 'v'));
        for (uint64_t i = 0; i < count; i++)
            kept.push_back(entry(WIRE_ENTRY_COMMAND, kept.size() + 1, term, 77, i + 1, &command));
        found.term = term;
    }

    void keep_members(uint64_t term, const std::vector<uint16_t> &ids, uint8_t level = 0)
    {
        struct wire_members members = {};
        members.level = level;
        for (uint16_t id : ids)
            members.member[members.count++] = {id, WIRE_ROLE_VOTER, WIRE_ROLE_NONE,
                                               own_incarnation + id - 1u};
        std::string all = entry(WIRE_ENTRY_CONFIG, kept.size() + 1, term, 0, 0);
        uint32_t body_bytes = wire_members_size(members.count);
        all.resize(wire_entry_size(body_bytes));
        std::memcpy(&all[0], &body_bytes, sizeof body_bytes);
        wire_members_encode(&members, reinterpret_cast<uint8_t *>(&all[sizeof(struct wire_entry)]));
        kept.push_back(all);
    }

    uint64_t applied()
    {
        return state_applied_index(lane_state(lane, 0));
    }

    bool any = true;
    struct storage_recovered found = {};
    std::vector<std::string> kept;
};

TEST_F(Recover, WhatIsKnownToBeCommittedIsAppliedAndTheRestWaits)
{
    keep(10, 3, 10);
    found.commit = 7;
    start(3);
    ASSERT_EQ(lane_recover(lane), nullptr);
    EXPECT_EQ(applied(), 7u) << "before its first turn";
    pass(5);
    raft *machine = lane_raft(lane, 0);
    EXPECT_EQ(raft_term(machine), 3u);
    EXPECT_EQ(raft_commit(machine), 7u);
    EXPECT_EQ(raft_last_index(machine), 10u);
    EXPECT_EQ(log_first_index(lane_log(lane, 0)), 1u) << "for members that lack them";
    raft_check(machine);
}

/* Wherever it stands: before the ring begins, or in it. */
TEST_F(Recover, ALogOfALevelThatThisBuildDoesNotSpeakIsRefused)
{
    for (bool early : {true, false}) {
        kept.clear();
        if (early)
            keep_members(3, {1, 2, 3}, wire_level + 1);
        keep(early ? 100 : 10, 3, early ? 200000 : 10); /* the ring holds half of 16 MiB */
        if (!early)
            keep_members(3, {1, 2, 3}, wire_level + 1);
        found.commit = kept.size();
        start(3);
        const char *wrong = lane_recover(lane);
        ASSERT_NE(wrong, nullptr) << early;
        EXPECT_NE(std::string(wrong).find("level"), std::string::npos) << wrong;
        if (early)
            start_over();
    }
}

TEST_F(Recover, AMemberAloneLeadsAndCommitsTheRest)
{
    keep(10, 3, 10);
    found.commit = 7;
    start(1);
    ASSERT_EQ(lane_recover(lane), nullptr);
    pass(500);
    EXPECT_TRUE(raft_leader_ready(lane_raft(lane, 0)));
    EXPECT_EQ(raft_term(lane_raft(lane, 0)), 4u);
    EXPECT_EQ(applied(), 11u);
}

TEST_F(Recover, AFreshLogIsAFreshMember)
{
    any = false;
    start(1);
    ASSERT_EQ(lane_recover(lane), nullptr);
    pass(500);
    EXPECT_EQ(applied(), 1u) << "its first no-op";
}

/* Twice what the ring of 16 MiB holds: it is half full afterwards, and there is room to lead. */
TEST_F(Recover, ALogLongerThanTheRingIsApplied)
{
    keep(500, 2, 64u << 10);
    found.commit = 490;
    start(1);
    ASSERT_EQ(lane_recover(lane), nullptr);
    EXPECT_EQ(applied(), 490u);
    EXPECT_GT(log_first_index(lane_log(lane, 0)), 370u);
    EXPECT_LT(log_first_index(lane_log(lane, 0)), 380u);
    pass(500);
    EXPECT_EQ(applied(), 501u);
}

/* The entry that says who belongs does not enter the ring. */
TEST_F(Recover, MembersAreThoseOfTheLastConfigurationThatIsKept)
{
    uint64_t seen = 0;
    struct lane_members known;
    keep_members(2, {1, 5, 6, 7});
    keep_members(2, {1, 5, 6});
    keep(500, 2, 64u << 10);
    found.commit = 490;
    start(3);
    ASSERT_EQ(lane_recover(lane), nullptr);
    EXPECT_EQ(applied(), 490u);
    EXPECT_GT(log_first_index(lane_log(lane, 0)), 2u);
    poll();
    ASSERT_TRUE(lane_members(lane, 0, &seen, &known));
    EXPECT_EQ(known.index, 2u);
    EXPECT_TRUE(known.committed);
    ASSERT_EQ(known.force.count, 3u);
    EXPECT_EQ(known.force.member[1].id, 5u);
    EXPECT_EQ(known.other_count, 0u);
    raft_check(lane_raft(lane, 0));
}

TEST_F(Recover, WhoBelongsUntilAChangeIsCommittedBelongsAfterARestartToo)
{
    uint64_t seen = 0;
    struct lane_members known;
    keep(3, 2, 10);
    keep_members(2, {1, 2, 3, 5});
    keep_members(2, {1, 2});
    found.commit = 3;
    start(3);
    ASSERT_EQ(lane_recover(lane), nullptr);
    poll();
    ASSERT_TRUE(lane_members(lane, 0, &seen, &known));
    EXPECT_EQ(known.index, 5u);
    EXPECT_FALSE(known.committed);
    EXPECT_EQ(known.force.count, 2u);
    ASSERT_EQ(known.other_count, 2u) << "of each step";
    EXPECT_EQ(known.other[0].id + known.other[1].id, 3u + 5u);
}

/* As apply.c does it: what replicas that did not restart have. */
TEST_F(Recover, AConfigurationIsTimeThatPassesToTheState)
{
    keep_members(2, {1});
    found.term = 2;
    found.commit = 1;
    start(1);
    ASSERT_EQ(lane_recover(lane), nullptr);
    EXPECT_EQ(applied(), 1u);
    EXPECT_EQ(state_time_ms(lane_state(lane, 0)), 1700000000000u);
    pass(500);
    EXPECT_TRUE(raft_leader_ready(lane_raft(lane, 0)));
}

TEST_F(Recover, MoreThanTheRingHoldsMustBeKnownToBeCommitted)
{
    keep(500, 2, 64u << 10);
    found.commit = 100;
    start(1);
    const char *wrong = lane_recover(lane);
    ASSERT_NE(wrong, nullptr);
    EXPECT_NE(std::string(wrong).find("[storage] log"), std::string::npos) << wrong;
}

TEST_F(Recover, ALogBehindASnapshotIsRefused)
{
    keep(5, 2, 10);
    found.first = 3;
    start(1);
    const char *wrong = lane_recover(lane);
    ASSERT_NE(wrong, nullptr);
    EXPECT_NE(std::string(wrong).find("snapshot"), std::string::npos) << wrong;
}

TEST_F(Recover, ADamagedLogFollowsAndHasNoPartInElections)
{
    keep(5, 2, 10);
    found.commit = 3;
    found.damaged = true;
    start(3);
    ASSERT_EQ(lane_recover(lane), nullptr);
    pass(1000);
    struct wire_raft said, vote = {};
    EXPECT_FALSE(told(2, WIRE_PREVOTE, &said));
    EXPECT_FALSE(told(2, WIRE_VOTE, &said));
    EXPECT_GT(raft_term(lane_raft(lane, 0)), 2u) << "terms may be lost, too";
    uint64_t term = raft_term(lane_raft(lane, 0)) + 1;
    vote.kind = WIRE_VOTE;
    vote.term = term;
    vote.index = 100;
    vote.log_term = 4;
    tell(2, vote);
    vote.kind = WIRE_PREVOTE;
    tell(2, vote);
    pass(5);
    EXPECT_FALSE(told(2, WIRE_VOTE_REPLY, &said) && (said.flags & WIRE_RAFT_GRANTED) != 0);
    EXPECT_FALSE(told(2, WIRE_PREVOTE_REPLY, &said) && (said.flags & WIRE_RAFT_GRANTED) != 0);
    struct wire_raft append = {};
    append.kind = WIRE_APPEND;
    append.term = term;
    append.round = 1;
    append.index = 5;
    append.log_term = 2;
    append.entry_count = 1;
    append.commit = 6;
    tell(2, append, entry(WIRE_ENTRY_NOOP, 6, term, 0, 0));
    pass(5);
    EXPECT_TRUE(told(2, WIRE_APPEND_REPLY, &said));
    EXPECT_EQ(applied(), 6u);
    struct lane_group_status status;
    ASSERT_TRUE(lane_group_status(lane, 0, &status));
    EXPECT_TRUE(status.doubtful) << "the leader has not said how far it had committed";
    ASSERT_TRUE(told(2, WIRE_READ_INDEX, &said));
    struct wire_raft reply = said;
    reply.kind = WIRE_READ_INDEX_REPLY;
    reply.index = 6;
    tell(2, reply);
    pass(200);
    ASSERT_TRUE(lane_group_status(lane, 0, &status));
    EXPECT_FALSE(status.doubtful);
}

TEST_F(Recover, StrictTrustsNoRestart)
{
    auto also = tweak;
    tweak = [also](struct lane_config &lane_config) {
        also(lane_config);
        lane_config.strict = true;
    };
    keep(5, 2, 10);
    found.commit = 3;
    start(3);
    ASSERT_EQ(lane_recover(lane), nullptr);
    pass(1000);
    struct wire_raft said;
    EXPECT_FALSE(told(2, WIRE_PREVOTE, &said));
    EXPECT_EQ(raft_term(lane_raft(lane, 0)), 2u) << "nothing is lost, so no term is";
}

/* ---- storage --------------------------------------------------------------------------------- */

struct Faulty {
    struct storage storage;
    uint64_t stored;
    bool full, failed;
};

Faulty *faulty_of(const struct storage *storage)
{
    return reinterpret_cast<Faulty *>(const_cast<struct storage *>(storage));
}

uint32_t faulty_submit(struct storage *storage, const struct storage_write *writes, uint32_t count,
                       struct log *const *, uint64_t)
{
    if (faulty_of(storage)->failed)
        return 0;
    faulty_of(storage)->stored = writes[count - 1].seq;
    return count;
}

uint64_t faulty_poll(struct storage *storage, uint64_t)
{
    return faulty_of(storage)->stored;
}

void faulty_release(struct storage *, uint16_t, uint64_t, uint64_t)
{
}

bool faulty_failed(const struct storage *storage)
{
    return faulty_of(storage)->failed;
}

bool faulty_full(const struct storage *storage)
{
    return faulty_of(storage)->full;
}

uint64_t faulty_age(const struct storage *, uint64_t)
{
    return 0;
}

void faulty_report(const struct storage *, struct storage_report *)
{
}

const struct storage_calls faulty_calls = {"faulty",       faulty_submit, faulty_poll,
                                           faulty_release, faulty_failed, faulty_full,
                                           faulty_age,     faulty_report};

class BadStorage : public Lane
{
  protected:
    BadStorage()
    {
        tweak = [this](struct lane_config &lane_config) { lane_config.storage = &disk.storage; };
    }

    /* Of three; member 3 votes and stores. */
    void lead_three()
    {
        start(3);
        struct wire_raft ask = {}, grant = {};
        for (int ms = 0; ms < 1000 && !told(3, WIRE_PREVOTE, &ask); ms++)
            pass(1);
        grant.kind = WIRE_PREVOTE_REPLY;
        grant.flags = WIRE_RAFT_GRANTED;
        grant.term = ask.term;
        grant.round = ask.round;
        tell(3, grant);
        ASSERT_TRUE(told(3, WIRE_VOTE, &ask));
        grant.kind = WIRE_VOTE_REPLY;
        grant.term = ask.term;
        grant.round = ask.round;
        tell(3, grant);
        acknowledge();
        pass(2);
        ASSERT_TRUE(raft_leader_ready(lane_raft(lane, 0)));
    }

    Faulty disk = {{&faulty_calls}, 0, false, false};
};

TEST_F(BadStorage, FullRefusesProposalsAndServesReadsUntilThereIsRoom)
{
    lead();
    uint64_t session = open_session(5);
    EXPECT_EQ(one(session, 1, make(WIRE_OP_SET, "a", "1")).status, WIRE_DONE);
    disk.full = true;
    EXPECT_EQ(one(session, 2, make(WIRE_OP_SET, "a", "2")).status, WIRE_BUSY);
    EXPECT_EQ(counted(LANE_STORAGE_FULL), 1u);
    EXPECT_EQ(one(0, 9, make(WIRE_OP_GET, "a", "")).value, "1");
    disk.full = false;
    EXPECT_EQ(one(session, 2, make(WIRE_OP_SET, "a", "3")).status, WIRE_DONE);
    EXPECT_EQ(one(0, 10, make(WIRE_OP_GET, "a", "")).value, "3");
}

/* What brings a cluster out of it is an entry: that of the next leader's term. */
TEST_F(BadStorage, FullDoesNotKeepALeaderFromItsFirstEntry)
{
    disk.full = true;
    lead();
    pass(5);
    EXPECT_TRUE(raft_leader_ready(lane_raft(lane, 0)));
}

TEST_F(BadStorage, AFullFollowerTakesWhatIsUnderWay)
{
    start(3);
    poll();
    disk.full = true;
    struct wire_raft append = {}, said;
    append.kind = WIRE_APPEND;
    append.term = 1;
    append.round = 1;
    append.entry_count = 1;
    tell(2, append, entry(WIRE_ENTRY_NOOP, 1, 1, 0, 0));
    ASSERT_TRUE(told(2, WIRE_APPEND_REPLY, &said));
    EXPECT_EQ(said.index, 1u);
}

TEST_F(BadStorage, AFailedOneTakesNothingAndPromisesNothing)
{
    start(3);
    poll();
    disk.failed = true;
    struct wire_raft append = {}, said = {};
    append.kind = WIRE_APPEND;
    append.term = 1;
    append.entry_count = 1;
    for (uint64_t i = 1; i <= 1000; i++) {
        append.round = i;
        append.index = i - 1;
        append.log_term = i > 1 ? 1 : 0;
        tell(2, append, entry(WIRE_ENTRY_NOOP, i, 1, 0, 0));
    }
    bool answered = told(2, WIRE_APPEND_REPLY, &said);
    EXPECT_TRUE(!answered || said.index == 0) << "nothing is stored";
    EXPECT_GT(counted(LANE_STORAGE_FULL), 0u) << "and what piles up ends";
    struct wire_raft vote = {};
    vote.kind = WIRE_VOTE;
    vote.term = 9;
    vote.index = 5000;
    vote.log_term = 8;
    pass(500);
    tell(3, vote);
    pass(50);
    EXPECT_FALSE(told(3, WIRE_VOTE_REPLY, &said)) << "no vote leaves";
}

TEST_F(BadStorage, ALeaderWhoseStorageFailsLetsAnotherOneLead)
{
    lead_three();
    struct wire_raft said;
    pass(50);
    EXPECT_FALSE(told(3, WIRE_TIMEOUT_NOW, &said));
    disk.failed = true;
    pass(5);
    EXPECT_TRUE(told(3, WIRE_TIMEOUT_NOW, &said));
}

} // namespace
