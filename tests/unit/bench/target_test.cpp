/* The load loop over kernel UDP sockets, against a model of a cluster on loopback, in real time. */
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include <arpa/inet.h>
#include <unistd.h>

#include "tests/unit/client/udp_server.h"

extern "C" {
#include "bench/load.h"
#include "bench/target.h"
}

namespace
{

constexpr uint64_t MS = 1000000;

TEST(TargetParse, Addresses)
{
    target_address address[CARRIER_SERVERS_MAX];
    ASSERT_EQ(target_parse("10.0.0.1:7700", address), 1u);
    EXPECT_STREQ(address[0].host, "10.0.0.1");
    EXPECT_EQ(address[0].port, 7700);
    ASSERT_EQ(target_parse("10.0.0.1:1,node-2.example:65535,c:7", address), 3u);
    EXPECT_STREQ(address[1].host, "node-2.example");
    EXPECT_EQ(address[1].port, 65535);
    EXPECT_STREQ(address[2].host, "c");
    std::string many = "a:1";
    for (uint32_t i = 1; i < CARRIER_SERVERS_MAX; i++)
        many += ",a:1";
    EXPECT_EQ(target_parse(many.c_str(), address), CARRIER_SERVERS_MAX);
    EXPECT_EQ(target_parse((many + ",a:1").c_str(), address), 0u);
}

TEST(TargetParse, Refusals)
{
    target_address address[CARRIER_SERVERS_MAX];
    std::string long_host(TARGET_HOST_BYTES_MAX, 'h');
    EXPECT_EQ(target_parse((long_host + ":1").c_str(), address), 1u);
    EXPECT_EQ(target_parse((long_host + "h:1").c_str(), address), 0u);
    for (const char *bad :
         {"", "a", "a:", ":1", "a:0", "a:65536", "a:99999999999", "a:-1", "a:+1", "a:1x", "a: 1",
          "a b:1", "a:1,", ",a:1", "a:1,,b:2", "a:1;b:2", "a:1 ,b:2", "[::1]:7", "udp://a:1"})
        EXPECT_EQ(target_parse(bad, address), 0u) << bad;
}

class Target : public testing::Test
{
  protected:
    std::unique_ptr<target> outside = std::make_unique<target>();
    load_plan plan = {};
    struct load *loop = nullptr;
    bool open = false;

    void SetUp() override
    {
        plan.sessions = 1;
        plan.window = 8;
        plan.keys = 20;
        plan.value_bytes = 64;
        plan.answer_limit_ns = 5000 * MS;
        plan.warm_up_ns = MS;
        plan.measure_ns = 50 * MS;
        plan.seed = 1;
        plan.preload = true;
    }

    void TearDown() override
    {
        load_destroy(loop);
        if (open)
            target_close(outside.get());
    }

    void dial(const std::vector<std::string> &endpoints)
    {
        std::string text;
        for (const std::string &endpoint : endpoints)
            text += (text.empty() ? "" : ",") + endpoint;
        target_address address[CARRIER_SERVERS_MAX];
        char error[CARRIER_ERROR_MAX];
        uint32_t count = target_parse(text.c_str(), address);
        ASSERT_EQ(count, endpoints.size());
        open = target_open(outside.get(), address, count, 1, 1, 1500, error);
        ASSERT_TRUE(open) << error;
    }

    /* A datagram of a stranger; loopback has delivered it when send returns. */
    void arrive(const std::string &bytes)
    {
        sockaddr_in own = {};
        socklen_t own_bytes = sizeof own;
        ASSERT_EQ(getsockname(outside->socket, (sockaddr *)&own, &own_bytes), 0);
        if (own.sin_port == 0) {
            own.sin_family = AF_INET;
            own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            ASSERT_EQ(bind(outside->socket, (const sockaddr *)&own, sizeof own), 0);
            ASSERT_EQ(getsockname(outside->socket, (sockaddr *)&own, &own_bytes), 0);
        }
        int stranger = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ASSERT_GE(stranger, 0);
        EXPECT_EQ(
            sendto(stranger, bytes.data(), bytes.size(), 0, (const sockaddr *)&own, sizeof own),
            (ssize_t)bytes.size());
        close(stranger);
    }

    const struct load_result &run()
    {
        char error[CARRIER_ERROR_MAX];
        loop = load_create(&plan, &outside->carrier, error);
        EXPECT_NE(loop, nullptr) << error;
        EXPECT_EQ(load_loop(loop), 0);
        EXPECT_EQ(outside->free_count, TARGET_FRAMES) << "every frame went back";
        return *load_result_of(loop);
    }
};

TEST_F(Target, ARunningClusterIsLoaded)
{
    UdpServer server(3);
    dial(server.endpoints());
    const struct load_result &result = run();
    EXPECT_TRUE(result.heard);
    EXPECT_TRUE(result.answered);
    EXPECT_TRUE(result.preloaded);
    EXPECT_FALSE(result.servers_seen);
    EXPECT_GT(result.operations, 0u);
    EXPECT_EQ(result.errors, 0u);
    EXPECT_GE(server.writes_executed, result.operations + plan.keys);
}

TEST_F(Target, AnotherMemberMayLead)
{
    UdpServer server(3);
    server.lead(2);
    dial(server.endpoints());
    const struct load_result &result = run();
    EXPECT_GT(result.operations, 0u);
    EXPECT_EQ(result.errors, 0u);
}

TEST_F(Target, LargeValuesGoInPiecesBothWays)
{
    UdpServer server(1);
    plan.value_bytes = 16384;
    plan.reads_percent = 50;
    plan.window = 2;
    dial(server.endpoints());
    const struct load_result &result = run();
    EXPECT_TRUE(result.preloaded);
    EXPECT_GT(result.operations, 0u);
    EXPECT_EQ(result.errors, 0u);
}

TEST_F(Target, LossIsMadeGood)
{
    UdpServer server(1);
    server.drop_every = 7;
    dial(server.endpoints());
    const struct load_result &result = run();
    EXPECT_GT(result.operations, 0u);
    EXPECT_EQ(result.errors, 0u);
}

TEST_F(Target, HistoryOfATargetKnowsEveryValueItReads)
{
    UdpServer server(1);
    {
        dial(server.endpoints());
        (void)run(); /* leaves values of another run behind */
        load_destroy(loop);
        loop = nullptr;
        target_close(outside.get());
    }
    oplog log = {};
    ASSERT_TRUE(oplog_create(&log, 1, 1u << 20));
    plan.oplog = &log;
    plan.reads_percent = 50;
    dial(server.endpoints());
    const struct load_result &result = run();
    EXPECT_TRUE(result.preloaded);
    EXPECT_EQ(result.errors, 0u);
    uint64_t reads = 0;
    for (uint32_t number = 0; number < log.count[0]; number++) {
        const oplog_record *each = oplog_at(&log, 0, number);
        if (each->op != OPLOG_GET)
            continue;
        reads++;
        ASSERT_EQ(each->outcome, OPLOG_OK);
        ASSERT_EQ(each->result_client, 0u) << "no key is empty";
        ASSERT_LT(each->result, log.count[0]);
        ASSERT_EQ(oplog_at(&log, 0, each->result)->key, each->key);
    }
    EXPECT_GT(reads, 0u);
    oplog_destroy(&log);
}

TEST_F(Target, NobodyThere)
{
    UdpServer server(1);
    server.silent = true;
    plan.answer_limit_ns = 30 * MS;
    dial(server.endpoints());
    const struct load_result &result = run();
    EXPECT_FALSE(result.heard);
    EXPECT_FALSE(result.answered);
}

TEST_F(Target, NobodyLeads)
{
    UdpServer server(2);
    server.lead(-1);
    plan.answer_limit_ns = 100 * MS;
    dial(server.endpoints());
    const struct load_result &result = run();
    EXPECT_TRUE(result.heard);
    EXPECT_FALSE(result.answered);
}

/* What is no frame of ours, or longer than a frame may be, is neither an answer nor an accident. */
TEST_F(Target, GarbageIsDropped)
{
    UdpServer server(1);
    dial(server.endpoints());
    std::string garbage(TARGET_FRAME_BYTES + 100, 'g');
    for (size_t length : {(size_t)0, (size_t)1, (size_t)39, (size_t)40, garbage.size()})
        arrive(garbage.substr(0, length));
    struct frame frames[PORT_BURST_MAX];
    uint32_t count = outside->carrier.calls->receive(&outside->carrier, frames, PORT_BURST_MAX, 0);
    ASSERT_EQ(count, 5u);
    EXPECT_EQ(frames[4].bytes, 0u) << "one that was cut";
    outside->carrier.calls->free(&outside->carrier, frames, count);
    EXPECT_EQ(run().errors, 0u);
}

/* The members' own ids mean nothing here: a leader is found by its address. */
TEST_F(Target, LeadersAreNamedByTheirPlace)
{
    dial({"127.0.0.1:7700", "127.0.0.2:7700"});
    struct {
        uint32_t ip;
        uint16_t port, group, leader, place;
    } hints[] = {
        {0x7f000002, 7700, 0, 77, 2},
        {0x7f000001, 7700, 0, 2, 1},
        {0x7f000001, 7701, 0, 1, WIRE_NODE_CLIENT},
        {0x7f000003, 7700, 0, 1, WIRE_NODE_CLIENT},
        {0x7f000001, 7700, 0, WIRE_NODE_CLIENT, WIRE_NODE_CLIENT},
        {0x7f000002, 7700, 9, 77, 77}, /* of a group that is not ours: left alone */
    };
    for (const auto &hint : hints) {
        uint8_t payload[256];
        wire_writer writer;
        wire_frame header = {};
        wire_reply reply = {};
        wire_frame_begin(&writer, payload, sizeof payload, &header);
        reply.group = hint.group;
        reply.leader = hint.leader;
        reply.leader_ip = hint.ip;
        reply.leader_port = hint.port;
        ASSERT_TRUE(wire_put_reply(&writer, &reply));
        arrive(std::string((const char *)payload, writer.bytes));
        struct frame frame;
        ASSERT_EQ(outside->carrier.calls->receive(&outside->carrier, &frame, 1, 0), 1u);
        wire_view view;
        uint32_t offset = WIRE_FRAME_BYTES;
        ASSERT_EQ(wire_message_next(frame.data, frame.bytes, &offset, &view), WIRE_OK);
        ASSERT_EQ(wire_get_reply(&view, &reply), WIRE_OK);
        EXPECT_EQ(reply.leader, hint.place);
        outside->carrier.calls->free(&outside->carrier, &frame, 1);
    }
}

TEST_F(Target, NoSuchHost)
{
    target_address address[CARRIER_SERVERS_MAX];
    char error[CARRIER_ERROR_MAX];
    ASSERT_EQ(target_parse("999.1.1.1:7", address), 1u);
    EXPECT_FALSE(target_open(outside.get(), address, 1, 1, 1, 1500, error));
    EXPECT_NE(std::string(error).find("999.1.1.1"), std::string::npos) << error;
}

TEST_F(Target, GroupsAreAtTheirLanesPorts)
{
    target_address address[CARRIER_SERVERS_MAX];
    char error[CARRIER_ERROR_MAX];
    ASSERT_EQ(target_parse("127.0.0.1:7700,127.0.0.2:7800", address), 2u);
    open = target_open(outside.get(), address, 2, 4, 2, 1500, error);
    ASSERT_TRUE(open) << error;
    EXPECT_EQ(outside->carrier.endpoint[0][2].port, 7700);
    EXPECT_EQ(outside->carrier.endpoint[1][3].port, 7801);
    EXPECT_EQ(outside->carrier.endpoint[1][3].ip, 0x7f000002u);
    EXPECT_EQ(outside->carrier.payload_max, 1472u);
}

} // namespace
