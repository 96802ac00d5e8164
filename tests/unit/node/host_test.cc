/* Nodes of one process: what binds them to a cluster. */
#include "tests/unit/node/host_fixture.h"

struct host *HostTest::host;

namespace
{

class Host : public HostTest
{
};

TEST_F(Host, MembersThatAgreeElect)
{
    ASSERT_NE(add(small(1, 2)), nullptr) << error;
    ASSERT_NE(add(small(2, 2)), nullptr) << error;
    ASSERT_TRUE(bootstrap()) << error;
    EXPECT_TRUE(await([&] { return leader() != nullptr; }));
}

TEST_F(Host, MembersThatDifferAreNotBootstrapped)
{
    struct node_config other = small(2, 2);
    other.state.keys_max = 2048;
    ASSERT_NE(add(small(1, 2)), nullptr) << error;
    ASSERT_NE(add(other), nullptr) << error;
    EXPECT_FALSE(bootstrap());
    EXPECT_NE(error.find("node 2 has keys = 2048, node 1 has keys = 1024"), std::string::npos)
        << error;
}

/* Whoever tells the nodes without comparing them founds nothing: their frames do not match. */
TEST_F(Host, MembersThatDifferDoNotHearEachOther)
{
    struct node_config other = small(2, 2);
    other.state.keys_max = 2048;
    ASSERT_NE(add(small(1, 2)), nullptr) << error;
    ASSERT_NE(add(other), nullptr) << error;
    for (const struct node *node : nodes)
        ASSERT_EQ(ask(node, binding()).substr(0, 3), "$12"); /* "bootstrapped" */
    EXPECT_TRUE(await([&] {
        return leader() != nullptr || (counted(nodes[0], LANE_CONFIGURATION) > 0 &&
                                       counted(nodes[1], LANE_CONFIGURATION) > 0);
    }));
    EXPECT_EQ(leader(), nullptr);
}

} // namespace
