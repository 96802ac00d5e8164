/* Nodes that join a cluster, get a vote, and leave it: what the operator's commands do to real
 * nodes. */
#include "tests/unit/node/host_fixture.h"

struct host *HostTest::host;

/* A build of the next level, in place of the library's. */
extern "C" {
extern const uint8_t wire_level;
const uint8_t wire_level = 1;
}

namespace
{

class Membership : public HostTest
{
  protected:
    /* Three in a cluster and a fourth that is in none. */
    void begin(uint16_t voters = 0)
    {
        for (uint16_t id = 1; id <= 3; id++) {
            struct node_config config = small(id, 3);
            config.voters = voters;
            ASSERT_NE(add(config), nullptr) << error;
        }
        ASSERT_TRUE(bootstrap()) << error;
        ASSERT_NE(add(small(4, 4)), nullptr) << error;
        ASSERT_TRUE(await([this] { return leader() != nullptr; }));
    }

    static std::string identity(const struct node *node)
    {
        char text[32];
        (void)snprintf(text, sizeof text, "%u=%016llx", node_id(node),
                       static_cast<unsigned long long>(node_incarnation(node)));
        return text;
    }

    std::string first() const
    {
        return identity(nodes[0]) + "," + identity(nodes[1]) + "," + identity(nodes[2]);
    }

    std::string join() const
    {
        std::string status = ask(nodes[0], "QUORATE STATUS"), now;
        std::string cluster = status.substr(status.find("\"cluster\":\"") + 11, 16);
        for (int i = 0; i < 3; i++)
            now += (i == 0 ? "" : ",") + identity(nodes[static_cast<size_t>(i)]) + "@10.77.0." +
                   std::to_string(i + 1) + ":7700";
        return "QUORATE JOIN " + cluster + " " + first() + " " + now;
    }

    /* Until the leader has begun it; false: refused for good. */
    bool change(const std::string &what)
    {
        return await([this, &what] {
            return leader() != nullptr &&
                   ask(leader(), "QUORATE CHANGE 0 " + what).find("started ") != std::string::npos;
        });
    }

    bool becomes(const struct node *node, uint8_t role)
    {
        return await([this, node, role] {
            struct lane_group_status status;
            if (leader() == nullptr || !node_group_status(leader(), 0, &status) || status.joint)
                return false;
            uint8_t is = WIRE_ROLE_NONE;
            for (uint32_t i = 0; i < status.member_count; i++)
                is = status.member[i].id == node_id(node) ? status.member[i].role : is;
            return is == role;
        });
    }

    /* To what all speak, as all have heard. */
    void raise_level()
    {
        auto level = [](const struct node *node) {
            struct lane_group_status status;
            return node_group_status(node, 0, &status) ? int{status.level} : -1;
        };
        EXPECT_TRUE(await([this] {
            std::string list = ask(nodes[0], "QUORATE MEMBERS");
            size_t said = 0;
            for (size_t at = 0; (at = list.find("\"speaks\":1", at)) != std::string::npos; at++)
                said++;
            return said == 3;
        }));
        EXPECT_NE(ask(leader(), "QUORATE CHANGE 0 raise:2").find("CHANGE_TOO_OLD"),
                  std::string::npos);
        EXPECT_EQ(level(leader()), 0);
        ASSERT_TRUE(change("raise:1"));
        EXPECT_TRUE(await(
            [&] { return level(nodes[0]) == 1 && level(nodes[1]) == 1 && level(nodes[2]) == 1; }));
        EXPECT_NE(ask(leader(), "QUORATE CHANGE 0 raise:1").find("CHANGE_REFUSED_IMPOSSIBLE"),
                  std::string::npos);
    }
};

TEST_F(Membership, ANodeJoinsLearnsVotesAndTheLeaderLeaves)
{
    begin();
    raise_level();
    struct node *joiner = nodes[3];
    ASSERT_NE(ask(joiner, join()).find("joining"), std::string::npos);
    EXPECT_NE(ask(joiner, join()).find("in a cluster already"), std::string::npos);
    EXPECT_TRUE(await([this] {
        return ask(nodes[0], "QUORATE MEMBERS").find("\"state\":\"guest\"") != std::string::npos;
    })) << "its hello has made it known before anything names it";
    ASSERT_TRUE(change("add:" + identity(joiner)));
    ASSERT_TRUE(becomes(joiner, WIRE_ROLE_LEARNER));
    EXPECT_TRUE(await([this, joiner] {
        struct lane_group_status there, here;
        return node_group_status(joiner, 0, &there) && node_group_status(leader(), 0, &here) &&
               there.applied == here.applied && there.digest == here.digest;
    })) << "it has all there is";
    ASSERT_TRUE(change("promote:" + identity(joiner)));
    ASSERT_TRUE(becomes(joiner, WIRE_ROLE_VOTER));
    std::string group = ask(leader(), "QUORATE GROUP 0");
    EXPECT_NE(group.find("\"joint\":false"), std::string::npos) << group;
    EXPECT_NE(group.find("\"full_copies\":4"), std::string::npos) << group;
    struct node *old = leader();
    ASSERT_TRUE(change("remove:" + identity(old)));
    EXPECT_TRUE(await([this, old] { return leader() != nullptr && leader() != old; }));
    EXPECT_TRUE(becomes(old, WIRE_ROLE_NONE));
    EXPECT_EQ(raft_counted(RAFT_LEADER_LEFT), 1u);
}

TEST_F(Membership, LearnersBecomeVotersByThemselvesUpToTheConfiguredCount)
{
    begin(4);
    ASSERT_NE(ask(nodes[3], join()).find("joining"), std::string::npos);
    ASSERT_TRUE(change("add:" + identity(nodes[3])));
    EXPECT_TRUE(becomes(nodes[3], WIRE_ROLE_VOTER));
}

TEST_F(Membership, NotBeyondTheConfiguredCount)
{
    begin(3);
    ASSERT_NE(ask(nodes[3], join()).find("joining"), std::string::npos);
    ASSERT_TRUE(change("add:" + identity(nodes[3])));
    EXPECT_TRUE(await([this] {
        return ask(leader(), "QUORATE CHANGE 0 promote:" + identity(nodes[3]))
                   .find("CHANGE_REFUSED_TOO_MANY") != std::string::npos;
    }));
    EXPECT_TRUE(becomes(nodes[3], WIRE_ROLE_LEARNER));
}

TEST_F(Membership, WhatCanNotBeIsRefusedByName)
{
    begin();
    for (const char *wrong : {"", "0", "x add:4=1", "0 raise:", "0 raise:256", "0 raise:x",
                              "0 add:4", "0 add:4=", "0 add:0=1", "0 grow:4=1", "0 add:4=1,",
                              "9 add:4=1", "0 add:65535=1", "0 add:4=1@10.0.0.1:1"})
        EXPECT_NE(ask(leader(), std::string("QUORATE CHANGE ") + wrong).find("CHANGE_MALFORMED"),
                  std::string::npos)
            << wrong;
    EXPECT_NE(ask(leader(), "QUORATE CHANGE 0 add:1=77").find("CHANGE_ID_USED"), std::string::npos);
    EXPECT_NE(ask(leader(), "QUORATE CHANGE 0 promote:9=77").find("CHANGE_REFUSED_UNKNOWN_MEMBER"),
              std::string::npos);
    struct node *follower = leader() == nodes[0] ? nodes[1] : nodes[0];
    EXPECT_NE(ask(follower, "QUORATE CHANGE 0 add:4=77").find("CHANGE_REFUSED_NOT_LEADER"),
              std::string::npos);
    for (const char *wrong : {"", "0 1=1 1=1@10.0.0.1:7700", "ff", "ff 1=1", "ff 1=1 1=1",
                              "ff 1=1@10.0.0.1:7700 1=1@10.0.0.1:7700", "ff 2=1,1=1 1=1@10.0.0.1:1",
                              "ff 1=0 1=1@10.0.0.1:7700", "xx 1=1 1=1@10.0.0.1:7700"})
        EXPECT_NE(ask(nodes[3], std::string("QUORATE JOIN ") + wrong).find("wants:"),
                  std::string::npos)
            << wrong;
    EXPECT_NE(ask(nodes[3], "QUORATE JOIN ff 4=1 1=1@10.0.0.1:7700").find("never used"),
              std::string::npos);
    EXPECT_NE(ask(nodes[0], "QUORATE GROUP 9").find("no such group"), std::string::npos);
    EXPECT_NE(ask(nodes[0], "QUORATE GROUP x").find("no such group"), std::string::npos);
}

} // namespace
