/* Nodes of one process: what binds them to a cluster. */
#include "tests/unit/node/host_fixture.h"

struct host *HostTest::host;

/* What a driver grants, where a test says so: linked in the place of the port's. */
static uint16_t granted_mtu;
static uint64_t device_missed, device_rx_errors, device_tx_errors;
extern "C" void __real_port_report(const struct port *port, struct port_report *report);
extern "C" void __wrap_port_report(const struct port *port, struct port_report *report)
{
    __real_port_report(port, report);
    if (granted_mtu != 0)
        report->mtu = granted_mtu;
    report->device_rx_missed += device_missed;
    report->device_rx_errors += device_rx_errors;
    report->device_tx_errors += device_tx_errors;
}

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

TEST_F(Host, LeadershipMovesToWhomTheOperatorSays)
{
    for (uint16_t id = 1; id <= 3; id++)
        ASSERT_NE(add(small(id, 3)), nullptr) << error;
    EXPECT_EQ(ask(nodes[0], "QUORATE MOVE-LEADER"), "-ERR this node leads no group\r\n");
    ASSERT_TRUE(bootstrap()) << error;
    ASSERT_TRUE(await([&] { return leader() != nullptr; }));
    for (struct node *heir : nodes) {
        const std::string to = std::to_string(node_id(heir));
        /* On a busy machine a hand-over may run out of time: asked again. */
        EXPECT_TRUE(await([&] {
            if (leader() == heir)
                return true;
            if (leader() != nullptr)
                ask(leader(), "QUORATE MOVE-LEADER " + to);
            return false;
        }));
    }
    for (const char *wrong : {"9", "3x", "x", "0", "1 2", "65535"}) {
        ASSERT_TRUE(await([&] { return leader() != nullptr; }));
        EXPECT_EQ(ask(leader(), std::string("QUORATE MOVE-LEADER ") + wrong).substr(0, 11),
                  "-ERR wants:");
    }
    EXPECT_GE(raft_counted(RAFT_TRANSFER_OBEYED), 1u);
}

/* What SIGTERM does. */
TEST_F(Host, LeadersLeaveInGoodOrder)
{
    for (uint16_t id = 1; id <= 3; id++)
        ASSERT_NE(add(small(id, 3)), nullptr) << error;
    uint32_t asked;
    EXPECT_EQ(host_hand_over(host, &asked), 0u);
    EXPECT_EQ(asked, 0u);
    ASSERT_TRUE(bootstrap()) << error;
    EXPECT_TRUE(await([&] {
        struct node *before = leader();
        return before != nullptr && host_hand_over(host, &asked) == 0 && asked == 1 &&
               leader() != before;
    }));
    EXPECT_GE(raft_counted(RAFT_TRANSFER_OBEYED), 1u);
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

/* The start judges as --check-config does. */
TEST_F(Host, ANodeOutOfBoundsIsRefusedWithTheJudgesSentence)
{
    void (*const changes[])(struct node_config &) = {
        [](struct node_config &c) { c.id = 0; },
        [](struct node_config &c) { c.group_count = 65; },
        [](struct node_config &c) {
            c.lane_count = 2;
            c.group_count = 1;
        },
        [](struct node_config &c) { c.election_timeout_max_ns = c.election_timeout_ns; },
        [](struct node_config &c) { c.log_bytes = 8u << 20; },
        [](struct node_config &c) { c.state.keys_max = 1025; },
        [](struct node_config &c) { c.state.bytes_max = 0; },
    };
    for (auto change : changes) {
        struct node_config config = small(1, 1);
        char judged[HOST_ERROR_MAX] = "";
        change(config);
        EXPECT_FALSE(node_config_check(&config, judged));
        EXPECT_EQ(add(config), nullptr) << judged;
        EXPECT_EQ(error, judged);
    }
    struct node_config config = small(1, 1);
    config.lane_count = config.group_count = 2;
    EXPECT_EQ(add(config), nullptr);
    EXPECT_NE(error.find("equally many"), std::string::npos) << error;
}

TEST_F(Host, AnMtuThatHoldsNoPieceOfALargeValueIsRefused)
{
    struct node_config config = small(1, 1);
    config.mtu = 611;
    EXPECT_EQ(add(config), nullptr);
    EXPECT_NE(error.find("[port] mtu = 611: from 612 to 9600"), std::string::npos) << error;
    config.mtu = 1500;
    granted_mtu = 611;
    EXPECT_EQ(add(config), nullptr);
    granted_mtu = 0;
    EXPECT_NE(error.find("port ring grants an MTU of 611: 612 is the least"), std::string::npos)
        << error;
}

/* The smallest frames carry a value of the largest size. */
TEST_F(Host, TheSmallestMtuCarriesEverything)
{
    struct node_config config = small(1, 1);
    config.mtu = 612;
    config.state.bytes_max = 16u << 20;
    ASSERT_NE(add(config), nullptr) << error;
    ASSERT_TRUE(bootstrap()) << error;
    ASSERT_TRUE(await([&] { return leader() != nullptr; }));
    const std::string value(4000, 'v');
    EXPECT_EQ(ask(nodes[0], "SET k " + value), "+OK\r\n");
    EXPECT_EQ(ask(nodes[0], "STRLEN k"), ":4000\r\n");
}

/* Whatever is counted on the way of a write is in status. */
TEST_F(Host, StatusShowsTheCountersOfEveryRoom)
{
    ASSERT_NE(add(small(1, 1)), nullptr) << error;
    ASSERT_TRUE(bootstrap()) << error;
    ASSERT_TRUE(await([&] { return leader() != nullptr; }));
    EXPECT_EQ(ask(nodes[0], "SET k " + std::string(4000, 'v')), "+OK\r\n");
    std::string status = ask(nodes[0], "QUORATE STATUS");
    for (const char *name :
         {"raft.ELECTED", "state.EXECUTED", "state.SESSION_OPENED", "client.SESSION_OPENED",
          "pieces.OPENED", "pieces.COMPLETED", "edge.COMMAND"})
        EXPECT_NE(status.find('"' + std::string(name) + "\":"), std::string::npos)
            << name << status;
    EXPECT_EQ(status.find("device."), std::string::npos) << status;
    device_missed = 7;
    device_rx_errors = 8;
    device_tx_errors = 9;
    status = ask(nodes[0], "QUORATE STATUS");
    device_missed = device_rx_errors = device_tx_errors = 0;
    EXPECT_NE(status.find("\"device.RX_MISSED\":7,\"device.RX_ERRORS\":8,\"device.TX_ERRORS\":9"),
              std::string::npos)
        << status;
}

} // namespace
