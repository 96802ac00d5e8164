#include "tests/unit/port/harness.h"

namespace
{

struct Answer : testing::Test {
    Wire wire;
    Port a;
    Tap tap{wire.wire, mac_tap};
    void SetUp() override
    {
        a.config.lane_count = 2;
        ASSERT_TRUE(a.open("ring", ip_a, wire.wire)) << a.error;
    }
    bool knows_tap(uint32_t lane)
    {
        uint8_t mac[6];
        return port_neighbour_find(a.queue(lane), ip_tap, mac) &&
               memcmp(mac, mac_tap.data(), 6) == 0;
    }
};

TEST_F(Answer, ArpRequestIsAnsweredAndItsSenderLearntByEveryLane)
{
    ASSERT_TRUE(tap.send(arp_frame(mac_all, 1, mac_tap, ip_tap, ip_a)));
    EXPECT_EQ(a.receive(0).size(), 0u);
    Bytes reply = tap.receive();
    ASSERT_EQ(reply.size(), 60u);
    EXPECT_EQ(reply, arp_frame(mac_tap, 2, mac_of(ip_a), ip_a, ip_tap).size() == 60
                         ? [&] {
                               Bytes expected = arp_frame(mac_tap, 2, mac_of(ip_a), ip_a, ip_tap);
                               std::copy(mac_tap.begin(), mac_tap.end(), expected.begin() + 32);
                               return expected;
                           }()
                         : Bytes());
    EXPECT_TRUE(knows_tap(0));
    EXPECT_FALSE(knows_tap(1)) << "lane 1 has not been polled";
    EXPECT_EQ(a.receive(1).size(), 0u);
    EXPECT_TRUE(knows_tap(1));
    EXPECT_EQ(tap.receive().size(), 0u) << "one answer is enough";
    EXPECT_EQ(a.count(PORT_ARP_ANSWERED), 1u);
    EXPECT_EQ(a.count(PORT_ARP_ANSWERED, 1), 0u);
    EXPECT_EQ(a.count(PORT_ARP_LEARNT, 1), 1u);
}

TEST_F(Answer, ProbeIsAnsweredAndNotLearnt)
{
    ASSERT_TRUE(tap.send(arp_frame(mac_all, 1, mac_tap, 0, ip_a)));
    (void)a.receive(0);
    EXPECT_EQ(tap.receive().size(), 60u);
    EXPECT_FALSE(knows_tap(0));
}

TEST_F(Answer, ArpAboutOthersIsNeitherAnsweredNorLearnt)
{
    ASSERT_TRUE(tap.send(arp_frame(mac_all, 1, mac_tap, ip_tap, ip_b)));
    (void)a.receive(0);
    EXPECT_EQ(tap.receive().size(), 0u);
    EXPECT_FALSE(knows_tap(0));
    EXPECT_EQ(a.count(PORT_ARP_OTHERS), 1u);
}

TEST_F(Answer, UnresolvedDestinationIsAskedForAndTheFrameDropped)
{
    ASSERT_TRUE(a.send(ip_tap, 5555, text("lost"), 1));
    EXPECT_EQ(a.count(PORT_TX_UNRESOLVED, 1), 1u);
    EXPECT_EQ(tap.receive(), arp_frame(mac_all, 1, mac_of(ip_a), ip_a, ip_tap));
    ASSERT_TRUE(a.send(ip_tap, 5555, text("lost, too"), 1));
    EXPECT_EQ(tap.receive().size(), 0u) << "one question a second";
    ASSERT_TRUE(tap.send(arp_frame(mac_of(ip_a), 2, mac_tap, ip_tap, ip_a))); // comes in at lane 0
    (void)a.receive(0);
    (void)a.receive(1);
    ASSERT_TRUE(a.send(ip_tap, 5555, text("found"), 1));
    EXPECT_EQ(get16(tap.receive(), 12), 0x0800u);
}

TEST_F(Answer, TwoPortsFindEachOther)
{
    Port b;
    ASSERT_TRUE(b.open("ring", ip_b, wire.wire)) << b.error;
    ASSERT_TRUE(a.send(ip_b, base_port, text("lost")));
    EXPECT_EQ(b.receive().size(), 0u); // answers
    EXPECT_EQ(a.receive().size(), 0u); // learns
    ASSERT_TRUE(a.send(ip_b, base_port, text("found")));
    EXPECT_EQ(b.receive().size(), 1u);
    ASSERT_TRUE(b.send(ip_a, base_port, text("at once"))); // learnt from the question
    EXPECT_EQ(a.receive().size(), 1u);
}

TEST_F(Answer, GatewayIsAskedForWhoIsOffTheLink)
{
    Port b;
    b.config.gateway_ip = ip_tap;
    ASSERT_TRUE(b.open("ring", ip_b, wire.wire)) << b.error;
    ASSERT_TRUE(b.send(0x08080808, 53, text("x")));
    EXPECT_EQ(tap.receive(), arp_frame(mac_all, 1, mac_of(ip_b), ip_b, ip_tap));
    ASSERT_TRUE(tap.send(arp_frame(mac_of(ip_b), 2, mac_tap, ip_tap, ip_b)));
    (void)b.receive();
    ASSERT_TRUE(b.send(0x08080808, 53, text("x")));
    Bytes frame = tap.receive();
    ASSERT_EQ(frame.size(), 60u);
    EXPECT_EQ(get32(frame, at_ip + 16), 0x08080808u);
}

TEST_F(Answer, NeighbourSetByHandNeedsNoQuestionAndStays)
{
    a.knows(ip_tap, mac_tap);
    ASSERT_TRUE(a.send(ip_tap, 5555, text("x")));
    EXPECT_EQ(get16(tap.receive(), 12), 0x0800u);
    ASSERT_TRUE(tap.send(arp_frame(mac_of(ip_a), 2, mac_of(ip_b), ip_tap, ip_a)));
    (void)a.receive();
    EXPECT_TRUE(knows_tap(0));
    for (uint32_t i = 1; i < PORT_NEIGHBOURS_STATIC_MAX; i++)
        EXPECT_TRUE(port_neighbour_set(a.port, ip_b + i, mac_tap.data()));
    EXPECT_FALSE(port_neighbour_set(a.port, 1, mac_tap.data()));
}

TEST_F(Answer, OurAddressIsAnnouncedThreeTimesByLaneZero)
{
    Bytes announcement = arp_frame(mac_all, 1, mac_of(ip_a), ip_a, ip_a);
    uint64_t now = 17 * second_ns;
    for (int i = 0; i < 3; i++, now += second_ns) {
        port_tx_flush(a.queue(0), now);
        port_tx_flush(a.queue(0), now + 1);
        port_tx_flush(a.queue(1), now);
        EXPECT_EQ(tap.receive(), announcement);
        EXPECT_EQ(tap.receive().size(), 0u);
    }
    port_tx_flush(a.queue(0), now);
    EXPECT_EQ(tap.receive().size(), 0u);
}

TEST_F(Answer, AnnouncementCorrectsWhoKnewAnotherMac)
{
    ASSERT_TRUE(tap.send(arp_frame(mac_all, 1, mac_of(ip_tap), ip_tap, ip_a))); // its old address
    (void)a.receive();
    EXPECT_FALSE(knows_tap(0));
    ASSERT_TRUE(tap.send(arp_frame(mac_all, 1, mac_tap, ip_tap, ip_tap)));
    (void)a.receive();
    EXPECT_TRUE(knows_tap(0));
}

TEST_F(Answer, PingIsAnswered)
{
    for (size_t bytes : {0, 1, 56, 1472}) {
        Bytes ping(at_udp + 8 + bytes);
        Bytes udp = udp_frame(mac_of(ip_a), ip_a, 0, {});
        std::copy(udp.begin(), udp.begin() + at_udp, ping.begin());
        ping[at_ip + 9] = 1;
        put16(ping, at_ip + 2, (uint32_t)(28 + bytes));
        seal_ip(ping);
        ping[at_udp] = 8;
        put32(ping, at_udp + 4, 0x12340001);
        for (size_t i = 0; i < bytes; i++)
            ping[at_payload + i] = (uint8_t)i;
        put16(ping, at_udp + 2, ~ones_sum(ping, at_udp, ping.size()) & 0xffff);
        ASSERT_TRUE(tap.send(ping));
        EXPECT_EQ(a.receive().size(), 0u);
        Bytes pong = tap.receive();
        ASSERT_EQ(pong.size(), ping.size());
        EXPECT_TRUE(std::equal(mac_tap.begin(), mac_tap.end(), pong.begin()));
        EXPECT_EQ(get32(pong, at_ip + 12), ip_a);
        EXPECT_EQ(get32(pong, at_ip + 16), ip_tap);
        EXPECT_EQ(ones_sum(pong, at_ip, at_ip + 20), 0xffffu);
        EXPECT_EQ(pong[at_udp], 0);
        EXPECT_EQ(ones_sum(pong, at_udp, pong.size()), 0xffffu);
        EXPECT_TRUE(std::equal(ping.begin() + at_udp + 4, ping.end(), pong.begin() + at_udp + 4));
    }
    EXPECT_EQ(a.count(PORT_ECHO_ANSWERED), 4u);
}

} // namespace
