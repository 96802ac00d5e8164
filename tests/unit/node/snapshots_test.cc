/* A node's snapshots, by its own keeper and over its own lanes. */
#include "tests/unit/node/host_fixture.h"

#include <cstdlib>

extern "C" {
#include "dataplane/keeper/keeper.h"
}

struct host *HostTest::host;

namespace
{

class Snapshots : public HostTest
{
  protected:
    Snapshots()
    {
        char name[] = "/tmp/quorate-snapshots-XXXXXX";
        folder = mkdtemp(name);
    }
    ~Snapshots() override
    {
        for (const char *name : {"/node-1.id", "/node-1-lane-0.wal"})
            unlink((folder + name).c_str());
        rmdir(folder.c_str());
    }

    struct node_config durable()
    {
        struct node_config config = small(1, 1);
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

    std::string folder;
};

TEST_F(Snapshots, ASnapshotThatTheOperatorAskedForIsWhereItComesBackFrom)
{
    struct keeper_answer answer = {};
    struct keeper_group_report report;
    struct lane_group_status status;
    ASSERT_NE(add(durable()), nullptr) << error;
    ASSERT_TRUE(bootstrap()) << error;
    ASSERT_TRUE(await([&] {
        return leader() != nullptr && node_group_status(leader(), 0, &status) && status.applied > 0;
    }));
    struct keeper *keeper = node_keeper(nodes[0]);
    uint64_t ticket = keeper_ask(keeper, 0);
    ASSERT_TRUE(await([&] { return keeper_answer(keeper, 0, ticket, &answer); }));
    ASSERT_EQ(answer.refusal, SNAPSHOT_OK) << snapshot_refusal_sentence(answer.refusal);
    EXPECT_NE(ask(nodes[0], "QUORATE STATUS").find("\"keeper.TAKEN\":1"), std::string::npos);
    kill_all();
    ASSERT_NE(add(durable()), nullptr) << error;
    ASSERT_TRUE(keeper_report(node_keeper(nodes[0]), 0, &report));
    EXPECT_EQ(report.index, answer.index);
    ASSERT_TRUE(await([&] { return leader() != nullptr; }));
    unlink((folder + "/" + answer.name).c_str());
}

} // namespace
