// Configurations and snapshot headers: one encoding each, and none for what may not exist.
#include "tests/unit/wire/wire_fixture.h"

extern "C" {
#include "protocols/wire/members.h"
}

#include <functional>

namespace
{

wire_members stable()
{
    wire_members members = {};
    members.count = 4;
    members.member[0] = {1, WIRE_ROLE_VOTER, WIRE_ROLE_NONE, 0x11};
    members.member[1] = {2, WIRE_ROLE_VOTER, WIRE_ROLE_NONE, 0x22};
    members.member[2] = {7, WIRE_ROLE_WITNESS, WIRE_ROLE_NONE, 0x77};
    members.member[3] = {900, WIRE_ROLE_LEARNER, WIRE_ROLE_NONE, ~UINT64_C(0)};
    return members;
}

wire_members joint()
{
    wire_members members = {};
    members.joint = true;
    members.count = 6;
    members.member[0] = {1, WIRE_ROLE_VOTER, WIRE_ROLE_VOTER, 0x11};
    members.member[1] = {2, WIRE_ROLE_NONE, WIRE_ROLE_VOTER, 0x22};
    members.member[2] = {3, WIRE_ROLE_LEARNER, WIRE_ROLE_VOTER, 0x33};
    members.member[3] = {7, WIRE_ROLE_NONE, WIRE_ROLE_WITNESS, 0x77};
    members.member[4] = {8, WIRE_ROLE_LEARNER, WIRE_ROLE_NONE, 0x88};
    members.member[5] = {9, WIRE_ROLE_WITNESS, WIRE_ROLE_LEARNER, 0x99};
    return members;
}

Bytes bytes_of(const wire_members &members)
{
    Bytes bytes(wire_members_size(members.count), 0xEE);
    wire_members_encode(&members, bytes.data());
    return bytes;
}

enum wire_refusal decode(const Bytes &bytes, wire_members *members)
{
    Exact copy(bytes);
    return wire_members_decode(copy.data.get(), copy.size, members);
}

struct Spoiled {
    const char *name;
    bool joint;
    std::function<void(wire_members &)> spoil;
};

class WireMembers : public testing::TestWithParam<Spoiled>
{
};

wire_raft head_of_snapshot()
{
    wire_raft head = {};
    head.kind = WIRE_SNAPSHOT;
    head.group = 5;
    head.term = 9;
    head.index = 100;
    head.log_term = 8;
    head.round = 17;
    return head;
}

} // namespace

TEST(WireMembersBytes, ComeBackAsTheyWere)
{
    for (const wire_members &in : {stable(), joint()}) {
        wire_members out;
        memset(&out, 0xAB, sizeof out);
        Bytes bytes = bytes_of(in);
        ASSERT_EQ(decode(bytes, &out), WIRE_OK);
        EXPECT_EQ(out.count, in.count);
        EXPECT_EQ(out.joint, in.joint);
        for (uint32_t i = 0; i < in.count; i++) {
            EXPECT_EQ(out.member[i].id, in.member[i].id);
            EXPECT_EQ(out.member[i].role, in.member[i].role);
            EXPECT_EQ(out.member[i].old_role, in.member[i].old_role);
            EXPECT_EQ(out.member[i].nonce, in.member[i].nonce);
        }
        EXPECT_EQ(bytes_of(out), bytes) << "one encoding";
    }
}

TEST(WireMembersBytes, AreThese)
{
    wire_members members = {};
    members.count = 1;
    members.member[0] = {0x0102, WIRE_ROLE_VOTER, WIRE_ROLE_NONE, 0x1122334455667788};
    EXPECT_EQ(bytes_of(members),
              (Bytes{1, 0, 0, 0, 0,    0,    0,    0,    2,    1,    2,    0,
                     0, 0, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11}));
}

TEST(WireMembersBytes, AnyBitThatMeansNothingIsRefused)
{
    Bytes good = bytes_of(stable());
    wire_members members;
    for (size_t bit = 17; bit < 64; bit++) {
        if (bit == 24)
            bit = 32; /* the level */
        Bytes bad = good;
        bad[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
        EXPECT_EQ(decode(bad, &members), WIRE_REFUSED_MEMBERS) << bit;
    }
    for (size_t bit = 32; bit < 64; bit++) {
        Bytes bad = good;
        bad[8 + bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
        EXPECT_EQ(decode(bad, &members), WIRE_REFUSED_MEMBERS) << bit;
    }
}

TEST(WireMembersBytes, OfALevelThatThisBuildDoesNotSpeakAreRefusedByName)
{
    wire_members in = stable(), out;
    in.level = wire_level;
    EXPECT_EQ(decode(bytes_of(in), &out), WIRE_OK);
    in.level++;
    Bytes bytes = bytes_of(in);
    EXPECT_EQ(bytes[3], in.level);
    EXPECT_EQ(decode(bytes, &out), WIRE_REFUSED_LEVEL);
    bytes[8 + 2] = WIRE_ROLE_COUNT;
    EXPECT_EQ(decode(bytes, &out), WIRE_REFUSED_MEMBERS) << "and is none in any";
}

TEST(WireMembersBytes, OfAnyOtherLengthAreRefused)
{
    Bytes good = bytes_of(stable());
    wire_members members;
    for (size_t bytes = 0; bytes < good.size(); bytes++)
        EXPECT_EQ(decode(Bytes(good.begin(), good.begin() + static_cast<long>(bytes)), &members),
                  WIRE_REFUSED_MEMBERS);
    good.resize(good.size() + 16);
    EXPECT_EQ(decode(good, &members), WIRE_REFUSED_MEMBERS);
}

TEST_P(WireMembers, ThatMayNotExistAreRefused)
{
    wire_members members = GetParam().joint ? joint() : stable();
    ASSERT_TRUE(wire_members_valid(&members));
    GetParam().spoil(members);
    EXPECT_FALSE(wire_members_valid(&members));
}

INSTANTIATE_TEST_SUITE_P(
    Bad, WireMembers,
    testing::Values(
        Spoiled{"None", false, [](wire_members &m) { m.count = 0; }},
        Spoiled{"TooMany", false, [](wire_members &m) { m.count = WIRE_MEMBERS_MAX + 1; }},
        Spoiled{"OutOfOrder", false, [](wire_members &m) { m.member[1].id = 1; }},
        Spoiled{"Nobody", false, [](wire_members &m) { m.member[3].id = 0xffff; }},
        Spoiled{"NoRole", false, [](wire_members &m) { m.member[3].role = WIRE_ROLE_NONE; }},
        Spoiled{"NoSuchRole", false, [](wire_members &m) { m.member[3].role = WIRE_ROLE_COUNT; }},
        Spoiled{"NoSuchOldRole", true,
                [](wire_members &m) { m.member[3].old_role = WIRE_ROLE_COUNT; }},
        Spoiled{"OldRoleInAStableOne", false,
                [](wire_members &m) { m.member[0].old_role = WIRE_ROLE_VOTER; }},
        Spoiled{"NoVoter", false,
                [](wire_members &m) { m.member[0].role = m.member[1].role = WIRE_ROLE_WITNESS; }},
        Spoiled{"NoNewVoter", true, [](wire_members &m) { m.member[0].role = WIRE_ROLE_LEARNER; }},
        Spoiled{"NoOldVoter", true,
                [](wire_members &m) {
                    for (int i = 0; i < 3; i++)
                        m.member[i].old_role = WIRE_ROLE_LEARNER;
                }},
        Spoiled{"InNeitherHalf", true,
                [](wire_members &m) { m.member[1].old_role = WIRE_ROLE_NONE; }},
        Spoiled{"VoterFromNowhere", true,
                [](wire_members &m) { m.member[4].role = WIRE_ROLE_VOTER; }},
        Spoiled{"WitnessFromNowhere", true,
                [](wire_members &m) { m.member[4].role = WIRE_ROLE_WITNESS; }},
        Spoiled{"WitnessToVoter", true,
                [](wire_members &m) { m.member[3].role = WIRE_ROLE_VOTER; }},
        Spoiled{"WitnessToLearner", true,
                [](wire_members &m) { m.member[3].role = WIRE_ROLE_LEARNER; }},
        Spoiled{"VoterToWitness", true,
                [](wire_members &m) { m.member[0].role = WIRE_ROLE_WITNESS; }}),
    [](const auto &bad) { return std::string(bad.param.name); });

TEST(WireSnapshot, ComesBackAsItWas)
{
    wire_snapshot in = {};
    in.head = head_of_snapshot();
    in.members_index = 90;
    in.bytes = UINT64_C(1) << 40;
    in.members = joint();
    Frame frame;
    ASSERT_TRUE(wire_put_snapshot(&frame.writer, &in));
    wire_view view = frame.only_view();
    wire_snapshot out;
    ASSERT_EQ(wire_get_snapshot(&view, &out), WIRE_OK);
    EXPECT_EQ(out.head.kind, WIRE_SNAPSHOT);
    EXPECT_EQ(out.head.group, 5);
    EXPECT_EQ(out.head.term, 9u);
    EXPECT_EQ(out.head.index, 100u);
    EXPECT_EQ(out.head.log_term, 8u);
    EXPECT_EQ(out.head.round, 17u);
    EXPECT_EQ(out.members_index, 90u);
    EXPECT_EQ(out.bytes, UINT64_C(1) << 40);
    EXPECT_EQ(bytes_of(out.members), bytes_of(in.members));
    wire_raft raft;
    const uint8_t *entries;
    EXPECT_EQ(wire_get_raft(&view, &raft, &entries), WIRE_REFUSED_MESSAGE_KIND);
}

TEST(WireSnapshot, OfTheLargestConfigurationFitsAFrameAndNoSmallerOne)
{
    wire_snapshot snapshot = {};
    snapshot.head = head_of_snapshot();
    snapshot.members.count = WIRE_MEMBERS_MAX;
    for (uint16_t i = 0; i < WIRE_MEMBERS_MAX; i++)
        snapshot.members.member[i] = {i, WIRE_ROLE_VOTER, WIRE_ROLE_NONE, i};
    Frame frame;
    EXPECT_TRUE(wire_put_snapshot(&frame.writer, &snapshot));
    Frame small(WIRE_FRAME_BYTES + 1000);
    EXPECT_FALSE(wire_put_snapshot(&small.writer, &snapshot));
    EXPECT_EQ(small.writer.bytes, WIRE_FRAME_BYTES);
}

TEST(WireSnapshot, ThatContradictsItselfIsRefused)
{
    using Spoil = std::function<void(wire_snapshot &)>;
    for (const Spoil &spoil : {Spoil([](wire_snapshot &s) { s.head.index = 0; }),
                               Spoil([](wire_snapshot &s) { s.head.log_term = 0; }),
                               Spoil([](wire_snapshot &s) { s.head.log_term = 10; }),
                               Spoil([](wire_snapshot &s) { s.members_index = 101; })}) {
        wire_snapshot snapshot = {};
        snapshot.head = head_of_snapshot();
        snapshot.members = stable();
        spoil(snapshot);
        Frame frame;
        ASSERT_TRUE(wire_put_snapshot(&frame.writer, &snapshot));
        wire_view view = frame.only_view();
        EXPECT_EQ(wire_get_snapshot(&view, &snapshot), WIRE_REFUSED_MEMBERS);
    }
    wire_snapshot snapshot = {};
    snapshot.head = head_of_snapshot();
    snapshot.head.flags = WIRE_RAFT_REJECTED;
    snapshot.members = stable();
    Frame frame;
    ASSERT_TRUE(wire_put_snapshot(&frame.writer, &snapshot));
    wire_view view = frame.only_view();
    EXPECT_EQ(wire_get_snapshot(&view, &snapshot), WIRE_REFUSED_RESERVED);
    view.kind = WIRE_APPEND;
    EXPECT_EQ(wire_get_snapshot(&view, &snapshot), WIRE_REFUSED_MESSAGE_KIND);
}
