// What is agreed with drivers, and what is done where they can not.
#include "tests/unit/port/harness.h"

namespace
{

TEST(Config, FaultsAreNamed)
{
    Wire wire;
    struct Fault {
        const char *word;
        void (*make)(struct port_config *, struct port_wire *);
    };
    const Fault faults[] = {
        {"name", [](struct port_config *c, struct port_wire *) { c->name = nullptr; }},
        {"name", [](struct port_config *c, struct port_wire *) { c->name = ""; }},
        {"wire", [](struct port_config *c, struct port_wire *) { c->wire = nullptr; }},
        {"wire", [](struct port_config *c, struct port_wire *) { c->name = "net_null0"; }},
        {"lanes", [](struct port_config *c, struct port_wire *) { c->lane_count = 0; }},
        {"lanes",
         [](struct port_config *c, struct port_wire *) { c->lane_count = PORT_LANES_MAX + 1; }},
        {"UDP", [](struct port_config *c, struct port_wire *) { c->udp_port = 0; }},
        {"UDP",
         [](struct port_config *c, struct port_wire *) { c->udp_port = 65535, c->lane_count = 2; }},
        {"prefix", [](struct port_config *c, struct port_wire *) { c->prefix_bits = 0; }},
        {"prefix", [](struct port_config *c, struct port_wire *) { c->prefix_bits = 33; }},
        {"IPv4", [](struct port_config *c, struct port_wire *) { c->ip = 0; }},
        {"IPv4", [](struct port_config *c, struct port_wire *) { c->ip = 0xe0000001; }},
        {"MTU", [](struct port_config *c, struct port_wire *) { c->mtu = 575; }},
        {"MTU", [](struct port_config *c, struct port_wire *) { c->mtu = PORT_MTU_MAX + 1; }},
        {"MAC", [](struct port_config *c, struct port_wire *) { c->mac[0] = 1; }},
    };
    for (const Fault &fault : faults) {
        struct port_config config;
        char error[PORT_ERROR_MAX] = "";
        port_config_defaults(&config);
        config.name = "ring";
        config.wire = wire.wire;
        config.ip = ip_a;
        config.udp_port = base_port;
        fault.make(&config, wire.wire);
        EXPECT_EQ(port_open(&config, error), nullptr) << fault.word;
        EXPECT_NE(std::string(error).find(fault.word), std::string::npos) << error;
    }
}

TEST(Config, DevicesThatDoNotExistAreRefusedWithAMend)
{
    Port a;
    EXPECT_FALSE(a.open("net_no_such_driver0,iface=x", ip_a));
    EXPECT_NE(std::string(a.error).find("driver name"), std::string::npos) << a.error;
    EXPECT_FALSE(a.open("0000:81:00.0", ip_a));
    EXPECT_NE(std::string(a.error).find("vfio-pci"), std::string::npos) << a.error;
}

/* A process that is killed leaves none behind, because it has none while it lives. */
TEST(Config, EalKeepsNoFolderInTheFileSystem)
{
    const char *own = getenv("XDG_RUNTIME_DIR");
    for (const std::string &root : {std::string("/var/run"), std::string("/tmp"),
                                    std::string(own == nullptr ? "/tmp" : own)}) {
        std::string folder = root + "/dpdk/quorate-" + std::to_string(getpid());
        EXPECT_NE(access(folder.c_str(), F_OK), 0) << folder;
    }
}

TEST(Config, TooLittleMemoryIsRefusedWithAMend)
{
    Wire wire;
    Port a;
    a.config.held_frames = 1000000;
    EXPECT_FALSE(a.open("ring", ip_a, wire.wire));
    EXPECT_NE(std::string(a.error).find("MiB more"), std::string::npos) << a.error;
    a.config.held_frames = 64;
    EXPECT_TRUE(a.open("ring", ip_a, wire.wire))
        << "nothing of the failed attempt stays: " << a.error;
}

TEST(Config, MemoryEstimateCoversThePool)
{
    Wire wire;
    Port a;
    a.config.lane_count = 3;
    ASSERT_TRUE(a.open("ring", ip_a, wire.wire)) << a.error;
    uint64_t frames = 3ull * a.report().pool_frames, caches = 3ull << 20;
    EXPECT_GE(port_memory_bytes(&a.config), frames * 2400 + caches);
    EXPECT_LE(port_memory_bytes(&a.config), frames * 2700 + 2 * caches);
}

TEST(Eal, StartsOnce)
{
    struct port_eal_config config;
    char error[PORT_ERROR_MAX] = "";
    port_eal_config_defaults(&config);
    EXPECT_FALSE(port_eal_start(&config, error));
    EXPECT_NE(std::string(error).find("once"), std::string::npos) << error;
}

TEST(Eal, WantsHugepagesThatExist)
{
    struct port_eal_config config;
    char error[PORT_ERROR_MAX] = "";
    port_eal_config_defaults(&config);
    config.memory = PORT_EAL_IN_MEMORY;
    config.memory_mib = 1u << 30;
    EXPECT_FALSE(port_eal_start(&config, error));
    EXPECT_NE(std::string(error).find("nr_hugepages"), std::string::npos) << error;
}

TEST(Eal, RefusesMoreArgumentsThanFit)
{
    struct port_eal_config config;
    char error[PORT_ERROR_MAX] = "";
    port_eal_config_defaults(&config);
    std::string extra;
    for (int i = 0; i < 200; i++)
        extra += " --log-level=error";
    config.extra = extra.c_str();
    EXPECT_FALSE(port_eal_start(&config, error));
    EXPECT_NE(std::string(error).find("fewer"), std::string::npos) << error;
}

TEST(Eal, LaunchRefusesCoresThatItDoesNotHave)
{
    EXPECT_FALSE(port_eal_launch(77, nullptr, nullptr));
    EXPECT_FALSE(port_eal_launch(100000, nullptr, nullptr));
    EXPECT_FALSE(port_eal_launch(0, nullptr, nullptr)) << "that is this one";
}

TEST(Eal, RunsAFunctionOnACoreAndBringsItsResult)
{
    int seen = 0;
    ASSERT_TRUE(port_eal_launch(
        1, [](void *argument) { return ++*(int *)argument + 41; }, &seen));
    EXPECT_EQ(port_eal_wait(1), 42);
    EXPECT_EQ(seen, 1);
}

TEST(Config, ADeviceCanBeOpenedAgain)
{
    for (int life = 0; life < 2; life++) {
        Port a;
        ASSERT_TRUE(a.open("net_null6", ip_a)) << a.error;
    }
}

TEST(Negotiation, NullDriverOffersManyQueuesAndRss)
{
    Port a;
    a.config.lane_count = 4;
    ASSERT_TRUE(a.open("net_null7", ip_a)) << a.error;
    struct port_report report = a.report();
    EXPECT_STREQ(report.driver, "net_null");
    EXPECT_STREQ(report.name, "net_null7");
    EXPECT_EQ(report.device_queues, 4);
    EXPECT_EQ(report.mtu, 1500);
    EXPECT_EQ(report.steering, PORT_STEERING_RSS);
    EXPECT_FALSE(report.rx_udp_checksum_in_hardware);
    EXPECT_FALSE(report.tx_udp_checksum_in_hardware);
    struct frame frames[8]; // it receives frames of zeroes without end
    EXPECT_EQ(port_rx_burst(a.queue(2), frames, 8, 0), 0u);
    EXPECT_EQ(a.count(PORT_NOT_OUR_MAC, 2), 8u);
    a.knows(ip_b, mac_of(ip_b));
    ASSERT_TRUE(a.send(ip_b, 1, text("into the void"), 3));
    EXPECT_EQ(a.count(PORT_TX_SENT, 3), 1u);
}

// Toeplitz, bit by bit: for each set bit of the input, the 32 key bits from that position.
uint32_t toeplitz(const std::vector<uint8_t> &key, const Bytes &input)
{
    uint32_t hash = 0;
    for (size_t bit = 0; bit < input.size() * 8; bit++) {
        if ((input[bit / 8] >> (7 - bit % 8) & 1) == 0)
            continue;
        uint32_t window = 0;
        for (size_t i = bit; i < bit + 32; i++)
            window = window << 1 | (key[i / 8] >> (7 - i % 8) & 1u);
        hash ^= window;
    }
    return hash;
}

TEST(Negotiation, SourcePortsForRssLandOnTheLanesQueue)
{
    Port a;
    a.config.lane_count = 4;
    ASSERT_TRUE(a.open("net_null8", ip_a)) << a.error;
    ASSERT_EQ(a.report().steering, PORT_STEERING_RSS);
    std::vector<uint8_t> key(40);
    for (uint32_t i = 0; i < 40; i++)
        key[i] = (uint8_t)(((i + 1) * 0x9e3779b1u) >> 24);
    for (uint32_t lane = 0; lane < 4; lane++)
        for (uint32_t remote = ip_b; remote < ip_b + 50; remote++) {
            uint16_t source = port_source_port(a.port, lane, remote);
            ASSERT_GE(source, 49152);
            Bytes input(12);
            put32(input, 0, remote);
            put32(input, 4, ip_a);
            put16(input, 8, source);
            put16(input, 10, base_port + lane);
            EXPECT_EQ(toeplitz(key, input) % 128 % 4, lane); // the table has 128 entries
        }
}

TEST(Negotiation, MacIsTheDevicesOrOursOrMadeFromTheAddress)
{
    Tap tap("macless", 1, 8);
    Port own, given, made;
    ASSERT_TRUE(own.open("net_null9", ip_a)) << own.error;
    given.config.mac[0] = 0x02, given.config.mac[5] = 0x77;
    ASSERT_TRUE(given.open("net_null10", ip_a)) << given.error;
    ASSERT_TRUE(made.open("net_ring_macless", ip_a)) << made.error;
    EXPECT_NE(memcmp(own.report().mac, Mac{}.data(), 6), 0);
    EXPECT_EQ(memcmp(given.report().mac, given.config.mac, 6), 0);
    EXPECT_EQ(memcmp(made.report().mac, mac_of(ip_a).data(), 6), 0);
}

TEST(Pending, FramesWaitForAFullDeviceInOrder)
{
    Tap tap("pending", 1, 4);
    Port a;
    ASSERT_TRUE(a.open("net_ring_pending", ip_a)) << a.error;
    a.knows(ip_tap, mac_tap);
    for (uint8_t i = 0; i < 10; i++)
        ASSERT_TRUE(a.send(ip_tap, 5555, {i}));
    EXPECT_EQ(a.count(PORT_TX_SENT), 4u);
    EXPECT_EQ(a.count(PORT_TX_WAITED), 6u);
    port_tx_flush(a.queue(), 0);
    EXPECT_EQ(a.count(PORT_TX_SENT), 4u + 0u);
    std::vector<uint8_t> heard;
    for (int turn = 0; turn < 5; turn++) {
        for (Bytes frame = tap.receive(); !frame.empty(); frame = tap.receive())
            if (get16(frame, 12) == 0x0800)
                heard.push_back(frame[at_payload]);
        port_tx_flush(a.queue(), 0);
    }
    EXPECT_EQ(heard, (std::vector<uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(Pending, BeyondOneRingsWorthTheOldestIsDropped)
{
    Tap tap("oldest", 1, 1);
    Port a;
    a.config.held_frames = 2000;
    ASSERT_TRUE(a.open("net_ring_oldest", ip_a)) << a.error;
    a.knows(ip_tap, mac_tap);
    const uint32_t pending_max = 512, beyond = 7;
    for (uint32_t i = 0; i < 1 + pending_max + beyond; i++)
        ASSERT_TRUE(a.send(ip_tap, 5555, {(uint8_t)i, (uint8_t)(i >> 8)}));
    EXPECT_EQ(a.count(PORT_TX_WAITED), pending_max + beyond);
    EXPECT_EQ(a.count(PORT_TX_DROPPED_OLDEST), beyond);
    std::vector<uint32_t> heard;
    for (uint32_t i = 0; i < 1 + pending_max + 5; i++) {
        Bytes frame = tap.receive();
        if (!frame.empty() && get16(frame, 12) == 0x0800)
            heard.push_back(frame[at_payload] | (uint32_t)frame[at_payload + 1] << 8);
        port_tx_flush(a.queue(), 0);
    }
    ASSERT_EQ(heard.size(), 1 + pending_max);
    EXPECT_EQ(heard[0], 0u);
    for (uint32_t i = 1; i < heard.size(); i++)
        EXPECT_EQ(heard[i], beyond + i);
    EXPECT_EQ(a.close(), 0u);
}

TEST(Pending, FramesThatStillWaitAtCloseComeBack)
{
    Tap tap("waiting", 1, 2);
    Port a;
    ASSERT_TRUE(a.open("net_ring_waiting", ip_a)) << a.error;
    a.knows(ip_tap, mac_tap);
    for (uint8_t i = 0; i < 10; i++)
        ASSERT_TRUE(a.send(ip_tap, 5555, {i}));
    EXPECT_GT(a.count(PORT_TX_WAITED), 0u);
    while (!tap.receive().empty())
        ; // what the far end holds is not ours to give back
    EXPECT_EQ(a.close(), 0u);
}

struct OneQueueTwoLanes : testing::Test {
    Tap tap{"steer", 1, 64};
    Port a;
    void SetUp() override
    {
        a.config.lane_count = 2;
        ASSERT_TRUE(a.open("net_ring_steer", ip_a)) << a.error;
        ASSERT_EQ(a.report().device_queues, 1);
        ASSERT_EQ(a.report().steering, PORT_STEERING_SOFTWARE);
        a.knows(ip_tap, mac_tap);
    }
};

TEST_F(OneQueueTwoLanes, LaneZeroHandsOverWhatItReceivesForOthers)
{
    for (uint8_t i = 0; i < 20; i++)
        ASSERT_TRUE(tap.send(udp_frame(mac_of(ip_a), ip_a, base_port + i % 2, {i})));
    auto zero = a.receive(0), one = a.receive(1);
    ASSERT_EQ(zero.size(), 10u);
    ASSERT_EQ(one.size(), 10u);
    for (uint8_t i = 0; i < 10; i++) {
        EXPECT_EQ(zero[i].second, Bytes{(uint8_t)(2 * i)});
        EXPECT_EQ(one[i].second, Bytes{(uint8_t)(2 * i + 1)});
    }
    EXPECT_EQ(a.count(PORT_RX_HANDED_OVER), 10u);
    EXPECT_EQ(a.count(PORT_RX_HANDED_OVER, 1), 0u);
}

TEST_F(OneQueueTwoLanes, HandedOverFramesAreStillVerified)
{
    Bytes bad = udp_frame(mac_of(ip_a), ip_a, base_port + 1, text("x"));
    bad[at_payload] ^= 1;
    ASSERT_TRUE(tap.send(bad));
    EXPECT_EQ(a.receive(0).size(), 0u);
    EXPECT_EQ(a.receive(1).size(), 0u);
    EXPECT_EQ(a.count(PORT_UDP_CHECKSUM, 1), 1u);
}

TEST_F(OneQueueTwoLanes, FullInboxDropsAndCounts)
{
    for (uint32_t i = 0; i < 1030; i++) {
        ASSERT_TRUE(tap.send(udp_frame(mac_of(ip_a), ip_a, base_port + 1, text("x"))));
        (void)a.receive(0);
    }
    EXPECT_EQ(a.count(PORT_INBOX_FULL), 6u);
    EXPECT_EQ(a.receive(1).size(), 1024u);
}

TEST_F(OneQueueTwoLanes, LaneOneSendsThroughLaneZero)
{
    ASSERT_TRUE(a.send(ip_tap, 5555, text("from one"), 1));
    EXPECT_TRUE(tap.receive().empty());
    port_tx_flush(a.queue(1), 0);
    EXPECT_TRUE(tap.receive().empty());
    port_tx_flush(a.queue(0), 0);
    Bytes frame;
    for (frame = tap.receive(); !frame.empty() && get16(frame, 12) != 0x0800; frame = tap.receive())
        ;
    ASSERT_FALSE(frame.empty());
    EXPECT_EQ(get16(frame, at_udp), base_port + 1u);
    EXPECT_EQ(a.count(PORT_TX_SENT, 1), 0u);
    EXPECT_GE(a.count(PORT_TX_SENT), 1u);
}

TEST(ManyQueues, FramesOnTheWrongQueueAreHandedOver)
{
    Tap tap("flow", 2, 64);
    Port a;
    a.config.lane_count = 2;
    ASSERT_TRUE(a.open("net_ring_flow", ip_a)) << a.error;
    EXPECT_EQ(a.report().device_queues, 2);
    EXPECT_EQ(a.report().steering, PORT_STEERING_SOFTWARE)
        << "this driver has neither flows nor RSS";
    ASSERT_TRUE(tap.send(udp_frame(mac_of(ip_a), ip_a, base_port, text("zero")), 1));
    ASSERT_TRUE(tap.send(udp_frame(mac_of(ip_a), ip_a, base_port + 1, text("one")), 1));
    auto one = a.receive(1), zero = a.receive(0);
    ASSERT_EQ(one.size(), 1u);
    ASSERT_EQ(zero.size(), 1u);
    EXPECT_EQ(zero[0].second, text("zero"));
    EXPECT_EQ(a.count(PORT_RX_HANDED_OVER, 1), 1u);
    a.knows(ip_tap, mac_tap);
    ASSERT_TRUE(a.send(ip_tap, 1, text("x"), 1));
    EXPECT_FALSE(tap.receive(1).empty()) << "each lane sends on its own queue";
}

} // namespace
