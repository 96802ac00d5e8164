/* The machine as an object: configuration, memory, refusals at the door, names. */
#include "tests/unit/raft/solo.h"

#include <cstring>
#include <set>
#include <string>

struct BadConfig {
    const char *name;
    void (*spoil)(raft_config &);
};

class RaftConfig : public testing::TestWithParam<BadConfig>
{
};

TEST_P(RaftConfig, IsRefused)
{
    raft_config config = solo_config();
    ASSERT_NE(raft_footprint(&config), 0u);
    GetParam().spoil(config);
    EXPECT_EQ(raft_footprint(&config), 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Bad, RaftConfig,
    testing::Values(
        BadConfig{"NoMembers", [](raft_config &c) { c.member_count = 0; }},
        BadConfig{"TooManyMembers",
                  [](raft_config &c) { c.member_count = QUORUM_MEMBERS_MAX + 1; }},
        BadConfig{"MembersOutOfOrder", [](raft_config &c) { std::swap(c.member[1], c.member[2]); }},
        BadConfig{"MemberTwice", [](raft_config &c) { c.member[2] = c.member[1]; }},
        BadConfig{"MemberNobody", [](raft_config &c) { c.member[2] = RAFT_NOBODY; }},
        BadConfig{"SelfNoMember", [](raft_config &c) { c.self = 9; }},
        BadConfig{"JoiningAsAMember", [](raft_config &c) { c.joining = true; }},
        BadConfig{"JoiningAsNobody",
                  [](raft_config &c) {
                      c.self = RAFT_NOBODY;
                      c.joining = true;
                  }},
        BadConfig{"NoRole", [](raft_config &c) { c.role[1] = WIRE_ROLE_COUNT; }},
        BadConfig{"NoVoter",
                  [](raft_config &c) {
                      c.role[0] = c.role[1] = WIRE_ROLE_WITNESS;
                      c.role[2] = WIRE_ROLE_LEARNER;
                  }},
        BadConfig{"NoHeartbeat", [](raft_config &c) { c.heartbeat_ns = 0; }},
        BadConfig{"HeartbeatTooSlow", [](raft_config &c) { c.heartbeat_ns = 51 * ms; }},
        BadConfig{"TimeoutNotRandom", [](raft_config &c) { c.election_timeout_max_ns = 100 * ms; }},
        BadConfig{"TimeoutForEver", [](raft_config &c) { c.election_timeout_max_ns = UINT64_MAX; }},
        BadConfig{"PriorityAboveTheTop",
                  [](raft_config &c) { c.priority_top = 1, c.priority = 2; }},
        BadConfig{"DriftOfEverything", [](raft_config &c) { c.drift_ppm = 1000000; }},
        BadConfig{"LeaseWithoutCheckQuorum",
                  [](raft_config &c) {
                      c.lease_reads = true;
                      c.check_quorum = false;
                  }},
        BadConfig{"EntriesNoPowerOfTwo", [](raft_config &c) { c.entries_max = 65; }},
        BadConfig{"EntriesTooFew", [](raft_config &c) { c.entries_max = 4; }},
        BadConfig{"EntriesTooMany", [](raft_config &c) { c.entries_max = 1u << 25; }},
        BadConfig{"NoMessageEntries", [](raft_config &c) { c.message_entries_max = 0; }},
        BadConfig{"NoMessageBytes", [](raft_config &c) { c.message_bytes_max = 0; }},
        BadConfig{"NoInflightMessages", [](raft_config &c) { c.inflight_messages_max = 0; }},
        BadConfig{"TooManyInflightMessages",
                  [](raft_config &c) { c.inflight_messages_max = 1u << 17; }},
        BadConfig{"NoInflightBytes", [](raft_config &c) { c.inflight_bytes_max = 0; }},
        BadConfig{"NoUncommittedBytes", [](raft_config &c) { c.uncommitted_bytes_max = 0; }}),
    [](const auto &bad) { return std::string(bad.param.name); });

TEST(RaftMachine, SixtyFourMembersAreAccepted)
{
    Solo s([](raft_config &c) {
        c.member_count = 64;
        for (uint16_t i = 0; i < 64; i++)
            c.member[i] = static_cast<uint16_t>(i + 1);
        c.pre_vote = false;
    });
    s.campaign();
    EXPECT_EQ(s.sent_of(WIRE_VOTE).size(), 63u);
    for (uint16_t id = 2; id <= 33; id++)
        s.grant(WIRE_VOTE_REPLY, id);
    EXPECT_TRUE(raft_is_leader(s.r)) << "33 of 64";
}

TEST(RaftMachine, RefusesStrangersOtherGroupsOtherReceiversAndUnknownKinds)
{
    Solo s;
    wire_raft message{};
    message.term = 5;
    message.from = 9;
    for (uint8_t kind : {WIRE_VOTE_REPLY, WIRE_PREVOTE_REPLY, WIRE_APPEND_REPLY}) {
        message.kind = kind;
        s.step(message);
    }
    EXPECT_EQ(s.count(RAFT_STRANGER), 3u);
    message.kind = WIRE_APPEND;
    message.from = RAFT_NOBODY;
    s.step(message);
    message.from = 1; /* ourselves */
    s.step(message);
    EXPECT_EQ(s.count(RAFT_STRANGER), 5u);
    message.from = 2;
    message.group = 8;
    s.step(message);
    EXPECT_EQ(s.count(RAFT_WRONG_GROUP), 1u);
    message.group = 0;
    message.to = 3;
    s.step(message);
    EXPECT_EQ(s.count(RAFT_WRONG_RECEIVER), 1u);
    message.to = 0;
    message.kind = WIRE_HELLO;
    s.step(message);
    EXPECT_EQ(s.count(RAFT_UNKNOWN_KIND), 1u);
    EXPECT_EQ(s.status().term, 0u);
    EXPECT_FALSE(raft_dirty(s.r));
}

TEST(RaftMachine, AFullOutboxPutsInputsOff)
{
    Solo s;
    s.pass(100);
    std::vector<raft_input> inputs(200);
    for (raft_input &input : inputs) {
        input.message.kind = WIRE_PREVOTE;
        input.message.group = s.config.group;
        input.message.from = 2;
        input.message.to = 1;
        input.message.term = 3;
    }
    uint32_t taken = raft_step(s.r, inputs.data(), 200);
    EXPECT_EQ(taken, RAFT_SEND_MAX / 2);
    EXPECT_EQ(s.count(RAFT_OUTBOX_FULL), 1u);
    s.ready();
    EXPECT_EQ(s.sent.size(), taken);
    EXPECT_EQ(raft_step(s.r, inputs.data() + taken, 200 - taken), 200 - taken);
}

TEST(RaftMachine, ACopyOfTheRegionIsACopyOfTheMachine)
{
    Solo s;
    s.reign();
    EXPECT_EQ(s.propose({50, 60}), 2u);
    size_t bytes = raft_footprint(&s.config);
    void *copy = std::aligned_alloc(64, bytes);
    std::memcpy(copy, static_cast<void *>(s.r), bytes);
    raft *twin = static_cast<raft *>(copy);
    struct raft_ready ready, twin_ready;
    raft_ready(s.r, s.seq + 1, &ready);
    raft_ready(twin, s.seq + 1, &twin_ready);
    ASSERT_EQ(ready.send_count, twin_ready.send_count);
    EXPECT_NE(ready.send, twin_ready.send);
    EXPECT_EQ(std::memcmp(ready.send, twin_ready.send, ready.send_count * sizeof(raft_send)), 0);
    EXPECT_EQ(std::memcmp(static_cast<void *>(s.r), copy, bytes), 0) << "same calls, same bytes";
    std::free(copy);
}

TEST(RaftMachine, RestoresWhatIsInTheLogBehindASnapshot)
{
    raft_restore restore{};
    restore.term = 5;
    restore.vote = 3;
    restore.first_index = 11;
    restore.previous_term = 2;
    restore.applied = 12;
    Solo s({}, {2, 3, 5}, restore);
    struct raft_status status = s.status();
    EXPECT_EQ(status.term, 5u);
    EXPECT_EQ(status.vote, 3);
    EXPECT_EQ(status.last_index, 13u);
    EXPECT_EQ(status.stored, 13u);
    EXPECT_EQ(status.commit, 12u);
    EXPECT_EQ(raft_entry_term(s.r, 9), 0u);
    EXPECT_EQ(raft_entry_term(s.r, 10), 2u);
    EXPECT_EQ(raft_entry_term(s.r, 12), 3u);
    EXPECT_EQ(raft_entry_term(s.r, 14), 0u);
    s.ready();
    EXPECT_FALSE(s.last.must_persist);
    EXPECT_EQ(s.last.commit_last, 0u);
}

TEST(RaftMachine, EveryEventHasANameOfItsOwnAndASentence)
{
    std::set<std::string> names;
    for (int event = 0; event < RAFT_EVENT_COUNT; event++) {
        names.insert(raft_event_name(static_cast<enum raft_event>(event)));
        EXPECT_GT(std::strlen(raft_event_sentence(static_cast<enum raft_event>(event))), 10u);
    }
    EXPECT_EQ(names.size(), static_cast<size_t>(RAFT_EVENT_COUNT));
    EXPECT_STREQ(raft_event_name(RAFT_EVENT_COUNT), "UNKNOWN");
    EXPECT_STREQ(raft_event_sentence(RAFT_EVENT_COUNT), "no such event");
}
