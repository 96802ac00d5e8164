/* Nodes that keep a log come back as who they were, or not at all. */
#include "tests/unit/node/host_fixture.h"

#include <cstdlib>

struct host *HostTest::host;

namespace
{

class Restart : public HostTest
{
  protected:
    Restart()
    {
        char name[] = "/tmp/quorate-restart-XXXXXX";
        folder = mkdtemp(name);
    }
    ~Restart() override
    {
        for (const char *name :
             {"/node-1.id", "/node-2.id", "/node-1-lane-0.wal", "/node-2-lane-0.wal", "/kept"})
            unlink((folder + name).c_str());
        rmdir(folder.c_str());
    }

    struct node_config durable(uint16_t id, uint16_t members)
    {
        struct node_config config = small(id, members);
        config.data = folder.c_str();
        config.log_file_bytes = 128u << 20;
        return config;
    }

    void kill_all()
    {
        for (struct node *node : nodes)
            host_node_kill(host, node);
        nodes.clear();
    }

    /* A node in a cluster of its own, gone again. */
    void live_once()
    {
        ASSERT_NE(add(durable(1, 1)), nullptr) << error;
        ASSERT_TRUE(bootstrap()) << error;
        ASSERT_TRUE(await([&] { return leader() != nullptr; }));
        kill_all();
    }

    /* Of node 2, until the leader has begun it. */
    static std::string change_of(const char *verb, uint64_t incarnation)
    {
        char text[64];
        (void)snprintf(text, sizeof text, "QUORATE CHANGE 0 %s:2=%016llx", verb,
                       static_cast<unsigned long long>(incarnation));
        return text;
    }
    bool change(const char *verb, uint64_t incarnation)
    {
        return await([&] {
            return leader() != nullptr &&
                   ask(leader(), change_of(verb, incarnation)).find("started ") !=
                       std::string::npos;
        });
    }
    static bool votes(const struct node *node, uint32_t voters)
    {
        struct lane_group_status status;
        uint32_t count = 0;
        if (!node_group_status(node, 0, &status) || status.joint)
            return false;
        for (uint32_t i = 0; i < status.member_count; i++)
            count += status.member[i].role == WIRE_ROLE_VOTER;
        return count == voters && status.commit >= status.members_index;
    }

    bool refused(const struct node_config &config, const std::string &sentence)
    {
        struct node *node = add(config);
        EXPECT_EQ(node, nullptr) << "not refused";
        EXPECT_NE(error.find(sentence), std::string::npos) << error;
        return node == nullptr;
    }

    std::string folder;
};

TEST_F(Restart, MembersComeBackWithoutBootstrap)
{
    ASSERT_NE(add(durable(1, 2)), nullptr) << error;
    ASSERT_NE(add(durable(2, 2)), nullptr) << error;
    EXPECT_STREQ(node_durability(nodes[0]), "fsync");
    EXPECT_EQ(node_returned_to(nodes[0]), 0u);
    ASSERT_TRUE(bootstrap()) << error;
    ASSERT_TRUE(await([&] { return leader() != nullptr; }));
    uint64_t before[2] = {node_incarnation(nodes[0]), node_incarnation(nodes[1])};
    struct lane_group_status status;
    ASSERT_TRUE(node_group_status(leader(), 0, &status));
    uint64_t term = status.term;
    kill_all();
    ASSERT_NE(add(durable(1, 2)), nullptr) << error;
    ASSERT_NE(add(durable(2, 2)), nullptr) << error;
    EXPECT_EQ(node_incarnation(nodes[0]), before[0]);
    EXPECT_EQ(node_incarnation(nodes[1]), before[1]);
    EXPECT_NE(node_returned_to(nodes[0]), 0u);
    ASSERT_TRUE(await([&] { return leader() != nullptr; }));
    ASSERT_TRUE(node_group_status(leader(), 0, &status));
    EXPECT_GT(status.term, term) << "the term was kept";
    EXPECT_FALSE(bootstrap()) << "it is in a cluster already";
}

/* All nodes at once, and no file says where they are. */
TEST_F(Restart, ANodeThatHasJoinedComesBackToo)
{
    char join[256];
    struct node_config later = durable(2, 2);
    later.member_ip[0] = (10u << 24) | (77u << 16) | 99u;
    ASSERT_NE(add(durable(1, 1)), nullptr) << error;
    ASSERT_TRUE(bootstrap()) << error;
    ASSERT_NE(add(later), nullptr) << error;
    uint64_t before[2] = {node_incarnation(nodes[0]), node_incarnation(nodes[1])};
    std::string status = ask(nodes[0], "QUORATE STATUS"),
                cluster = status.substr(status.find("\"cluster\":\"") + 11, 16);
    (void)snprintf(join, sizeof join, "QUORATE JOIN %s 1=%016llx 1=%016llx@10.77.0.1:7700",
                   cluster.c_str(), static_cast<unsigned long long>(before[0]),
                   static_cast<unsigned long long>(before[0]));
    ASSERT_NE(ask(nodes[1], join).find("joining"), std::string::npos);
    ASSERT_TRUE(change("add", before[1]));
    ASSERT_TRUE(change("promote", before[1]));
    ASSERT_TRUE(await([this] { return votes(nodes[0], 2) && votes(nodes[1], 2); }));
    kill_all();
    ASSERT_NE(add(durable(1, 1)), nullptr) << error;
    ASSERT_NE(add(later), nullptr) << error;
    EXPECT_EQ(node_incarnation(nodes[1]), before[1]);
    EXPECT_NE(node_returned_to(nodes[1]), 0u);
    EXPECT_NE(ask(nodes[1], join).find("in a cluster already"), std::string::npos);
    ASSERT_TRUE(await([this] { return leader() != nullptr; })) << "it takes both of them";
    EXPECT_TRUE(await([this] { return votes(nodes[0], 2) && votes(nodes[1], 2); }));
}

TEST_F(Restart, ANodeThatWasNeverBootstrappedStillWaitsForIt)
{
    ASSERT_NE(add(durable(1, 1)), nullptr) << error;
    uint64_t before = node_incarnation(nodes[0]);
    kill_all();
    ASSERT_NE(add(durable(1, 1)), nullptr) << error;
    EXPECT_EQ(node_incarnation(nodes[0]), before);
    EXPECT_TRUE(bootstrap()) << error;
}

TEST_F(Restart, WithoutItsLogItDoesNotComeBack)
{
    live_once();
    ASSERT_EQ(unlink((folder + "/node-1-lane-0.wal").c_str()), 0);
    EXPECT_TRUE(refused(durable(1, 1), "the log is gone"));
    EXPECT_TRUE(refused(durable(1, 1), "the log is gone"));
}

TEST_F(Restart, WithoutItsIdentityItDoesNotComeBack)
{
    live_once();
    ASSERT_EQ(unlink((folder + "/node-1.id").c_str()), 0);
    EXPECT_TRUE(refused(durable(1, 1), "of another life of this node"));
}

TEST_F(Restart, AnotherNodesIdentityIsRefused)
{
    live_once();
    ASSERT_EQ(rename((folder + "/node-1.id").c_str(), (folder + "/node-2.id").c_str()), 0);
    EXPECT_TRUE(refused(durable(2, 2), "another node's"));
}

TEST_F(Restart, WhatAnEntryDoesMayNotChangeUnderALog)
{
    live_once();
    struct node_config config = durable(1, 1);
    config.state.keys_max *= 2;
    EXPECT_TRUE(refused(config, "is not what the log was written with"));
    config = durable(1, 1);
    config.log_file_bytes *= 2;
    EXPECT_TRUE(refused(config, "made with other sizes"));
}

TEST_F(Restart, AFolderThatIsNotThereIsRefused)
{
    struct node_config config = durable(1, 1);
    config.data = "/nowhere";
    EXPECT_TRUE(refused(config, "No such file"));
}

} // namespace
