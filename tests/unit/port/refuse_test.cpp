// Every frame that a port refuses, beside the frame that it is one step away from and that is
// accepted.
#include "tests/unit/port/harness.h"

namespace
{

struct Refuse : testing::Test {
    Wire wire;
    Port a;
    Tap tap{wire.wire, mac_tap};
    Bytes good = udp_frame(mac_of(ip_a), ip_a, base_port, text("payload"));

    void SetUp() override
    {
        ASSERT_TRUE(a.open("ring", ip_a, wire.wire)) << a.error;
        ASSERT_TRUE(tap.send(good));
        ASSERT_EQ(a.receive().size(), 1u);
    }
    void refused(const Bytes &frame, enum port_event event)
    {
        SCOPED_TRACE(port_event_name(event));
        uint64_t before = a.count(event);
        ASSERT_TRUE(tap.send(frame));
        EXPECT_EQ(a.receive().size(), 0u);
        EXPECT_EQ(a.count(event), before + 1);
        EXPECT_EQ(a.count(PORT_RX_DELIVERED), 1u);
    }
    // Changes the IPv4 header and makes its checksum right again.
    Bytes with_ip(size_t at, std::initializer_list<uint8_t> bytes)
    {
        Bytes frame = good;
        std::copy(bytes.begin(), bytes.end(), frame.begin() + (long)(at_ip + at));
        seal_ip(frame);
        seal_udp(frame);
        return frame;
    }
};

TEST_F(Refuse, FramesTooShortForTheirHeaders)
{
    refused(Bytes(good.begin(), good.begin() + 13), PORT_FRAME_SHORT);
    refused(Bytes(good.begin(), good.begin() + 33), PORT_FRAME_SHORT);
    refused(Bytes(good.begin(), good.begin() + 41), PORT_IP_LENGTH);
}

TEST_F(Refuse, OtherEthertypes)
{
    for (uint16_t type : {0x86dd, 0x8100, 0x88cc, 46}) {
        Bytes frame = good;
        put16(frame, 12, type);
        refused(frame, PORT_ETHERTYPE);
    }
}

TEST_F(Refuse, IpVersionsAndShortHeaders)
{
    refused(with_ip(0, {0x65}), PORT_IP_VERSION);
    refused(with_ip(0, {0x44}), PORT_IP_VERSION);
    refused(with_ip(0, {0x00}), PORT_IP_VERSION);
}

TEST_F(Refuse, IpOptions)
{
    refused(with_ip(0, {0x46}), PORT_IP_OPTIONS);
    refused(with_ip(0, {0x4f}), PORT_IP_OPTIONS);
}

TEST_F(Refuse, IpLengths)
{
    refused(with_ip(2, {0, 27}), PORT_IP_LENGTH);
    refused(with_ip(2, {0, 0}), PORT_IP_LENGTH);
    refused(with_ip(2, {0xff, 0xff}), PORT_IP_LENGTH);
    Bytes longer = good; // one byte more than there is
    put16(longer, at_ip + 2, (uint32_t)(good.size() - at_ip + 1));
    seal_ip(longer);
    refused(longer, PORT_IP_LENGTH);
}

TEST_F(Refuse, IpChecksum)
{
    for (size_t byte = 0; byte < 20; byte++) {
        if (byte == 0 || byte == 2 || byte == 3)
            continue; // version and length are looked at before the sum
        Bytes frame = good;
        frame[at_ip + byte] ^= 0x10;
        refused(frame, PORT_IP_CHECKSUM);
    }
}

TEST_F(Refuse, IpFragments)
{
    refused(with_ip(6, {0x20, 0}), PORT_IP_FRAGMENT); // the first of several
    refused(with_ip(6, {0, 1}), PORT_IP_FRAGMENT);    // a later one
    refused(with_ip(6, {0x1f, 0xff}), PORT_IP_FRAGMENT);
    ASSERT_TRUE(tap.send(with_ip(6, {0x40, 0})));
    EXPECT_EQ(a.receive().size(), 1u) << "\"do not fragment\" is no fragment";
}

TEST_F(Refuse, TimeToLiveZero)
{
    refused(with_ip(8, {0}), PORT_IP_TTL);
    ASSERT_TRUE(tap.send(with_ip(8, {1})));
    EXPECT_EQ(a.receive().size(), 1u) << "1 is enough for who has arrived";
}

TEST_F(Refuse, OtherDestinations)
{
    refused(with_ip(16, {10, 0, 0, 2}), PORT_IP_NOT_OURS);
    refused(with_ip(16, {10, 0, 0, 255}), PORT_IP_NOT_OURS);
    refused(with_ip(16, {255, 255, 255, 255}), PORT_IP_NOT_OURS);
}

TEST_F(Refuse, SourcesThatCanNotBeAnswered)
{
    refused(with_ip(12, {0, 0, 0, 0}), PORT_IP_SOURCE);
    refused(with_ip(12, {127, 0, 0, 1}), PORT_IP_SOURCE);
    refused(with_ip(12, {224, 0, 0, 1}), PORT_IP_SOURCE);
    refused(with_ip(12, {255, 255, 255, 255}), PORT_IP_SOURCE);
    refused(with_ip(12, {10, 0, 0, 255}), PORT_IP_SOURCE); // our link's broadcast
    refused(with_ip(12, {10, 0, 0, 1}), PORT_IP_SOURCE);   // ourselves, from outside
    ASSERT_TRUE(tap.send(with_ip(12, {10, 0, 1, 255})));
    EXPECT_EQ(a.receive().size(), 1u) << "another network's .255 may be a host";
}

TEST_F(Refuse, OtherProtocols)
{
    refused(with_ip(9, {6}), PORT_IP_PROTOCOL);
    refused(with_ip(9, {132}), PORT_IP_PROTOCOL);
}

TEST_F(Refuse, UdpLengths)
{
    for (uint32_t bytes : {0u, 7u, 14u, 16u, 65535u}) {
        Bytes frame = good;
        put16(frame, at_udp + 4, bytes);
        refused(frame, PORT_UDP_LENGTH);
    }
}

TEST_F(Refuse, UdpPortsOfNobody)
{
    refused(udp_frame(mac_of(ip_a), ip_a, base_port + 1, text("x")), PORT_UDP_PORT);
    refused(udp_frame(mac_of(ip_a), ip_a, base_port - 1, text("x")), PORT_UDP_PORT);
    refused(udp_frame(mac_of(ip_a), ip_a, 0, text("x")), PORT_UDP_PORT);
    refused(udp_frame(mac_of(ip_a), ip_a, base_port, text("x"), mac_tap, ip_tap, 0),
            PORT_UDP_SOURCE_PORT);
}

TEST_F(Refuse, UdpChecksums)
{
    Bytes none = good;
    put16(none, at_udp + 6, 0);
    refused(none, PORT_UDP_CHECKSUM_MISSING);
    for (size_t at = at_udp; at < good.size(); at++) {
        if (at == at_udp + 2 || at == at_udp + 3 || at == at_udp + 4 || at == at_udp + 5)
            continue; // port and length are looked at before the sum
        Bytes frame = good;
        frame[at] ^= 0x04;
        refused(frame, PORT_UDP_CHECKSUM);
    }
    Bytes unfinished =
        good; // as a kernel leaves it that hopes for a NIC: fine on its own interfaces only
    put16(unfinished, at_udp + 6, pseudo_sum(unfinished));
    refused(unfinished, PORT_UDP_CHECKSUM);
}

TEST_F(Refuse, BroadcastsThatAreNotArp)
{
    Bytes frame = good;
    std::fill(frame.begin(), frame.begin() + 6, 0xff);
    refused(frame, PORT_NOT_OUR_MAC);
}

TEST_F(Refuse, PaddingIsNotPayload)
{
    Bytes padded = good;
    padded.resize(60, 0xee);
    ASSERT_TRUE(tap.send(padded));
    auto got = a.receive();
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].second, text("payload"));
}

TEST_F(Refuse, IcmpOtherThanEcho)
{
    Bytes unreachable(at_ip + 28);
    std::copy(good.begin(), good.begin() + at_udp, unreachable.begin());
    unreachable[at_ip + 9] = 1;
    put16(unreachable, at_ip + 2, 28);
    seal_ip(unreachable);
    unreachable[at_udp] = 3;
    Bytes unsealed = unreachable;
    put16(unreachable, at_udp + 2, ~ones_sum(unreachable, at_udp, at_udp + 8) & 0xffff);
    refused(unreachable, PORT_ICMP_OTHER);
    refused(unsealed, PORT_ICMP_CHECKSUM);
}

TEST_F(Refuse, MalformedArp)
{
    Bytes arp = arp_frame(mac_all, 1, mac_tap, ip_tap, ip_a);
    refused(Bytes(arp.begin(), arp.begin() + 41), PORT_ARP_MALFORMED);
    for (size_t at : {14, 15, 16, 17, 18, 19, 20, 21}) {
        Bytes frame = arp;
        frame[at] ^= 0x40;
        refused(frame, PORT_ARP_MALFORMED);
    }
    refused(arp_frame(mac_all, 3, mac_tap, ip_tap, ip_a), PORT_ARP_MALFORMED);
}

TEST_F(Refuse, ArpFromImpossibleSenders)
{
    refused(arp_frame(mac_all, 1, mac_all, ip_tap, ip_a), PORT_ARP_SENDER);
    refused(arp_frame(mac_all, 1, Mac{}, ip_tap, ip_a), PORT_ARP_SENDER);
    refused(arp_frame(mac_all, 1, Mac{0x01, 0, 0x5e, 0, 0, 1}, ip_tap, ip_a), PORT_ARP_SENDER);
    refused(arp_frame(mac_all, 1, mac_tap, 0x0b000001, ip_a), PORT_ARP_SENDER); // off the link
    refused(arp_frame(mac_all, 1, mac_tap, ip_a, ip_tap), PORT_ARP_CONFLICT);
    EXPECT_EQ(a.count(PORT_ARP_ANSWERED), 0u);
}

TEST_F(Refuse, SendingWhereThereIsNoRoute)
{
    ASSERT_TRUE(a.send(0x0b000001, 1, text("x")));
    EXPECT_EQ(a.count(PORT_TX_NO_ROUTE), 1u);
}

TEST_F(Refuse, EveryEventHasANameAndASentence)
{
    for (int event = 0; event < PORT_EVENT_COUNT; event++) {
        EXPECT_GT(strlen(port_event_name((enum port_event)event)), 3u);
        EXPECT_GT(strlen(port_event_sentence((enum port_event)event)), 10u);
    }
}

TEST_F(Refuse, SendingMoreThanThePayloadMaximumIsOurOwnMistake)
{
    struct frame frame;
    ASSERT_EQ(port_tx_take(a.queue(), &frame, 1), 1u);
    frame.bytes = port_payload_max(a.queue()) + 1;
    EXPECT_DEATH(port_tx_burst(a.queue(), &frame, 1, 0), "broken");
    port_frame_free(a.queue(), &frame, 1);
}

// On a device a frame may be for another MAC, or come in pieces; the wire lets neither happen.
struct RefuseOnDevice : testing::Test {
    Tap tap{"refuse", 1, 8};
    Port a;
    Bytes good = udp_frame(mac_of(ip_a), ip_a, base_port, text("a payload of some length"));
    void SetUp() override
    {
        ASSERT_NE(tap.tap, nullptr);
        ASSERT_TRUE(a.open("net_ring_refuse", ip_a)) << a.error;
    }
};

TEST_F(RefuseOnDevice, FramesForOtherMacs)
{
    for (const Mac &mac : {mac_of(ip_b), Mac{0x01, 0, 0x5e, 0, 0, 1}, Mac{}}) {
        uint64_t before = a.count(PORT_NOT_OUR_MAC);
        ASSERT_TRUE(tap.send(udp_frame(mac, ip_a, base_port, text("x"))));
        EXPECT_EQ(a.receive().size(), 0u);
        EXPECT_EQ(a.count(PORT_NOT_OUR_MAC), before + 1);
    }
}

TEST_F(RefuseOnDevice, FramesInPiecesAreJoined)
{
    for (uint32_t split : {1u, 14u, 30u, 43u}) {
        ASSERT_TRUE(tap.send(good, 0, split));
        auto got = a.receive();
        ASSERT_EQ(got.size(), 1u);
        EXPECT_EQ(got[0].second, text("a payload of some length"));
    }
    EXPECT_EQ(a.count(PORT_RX_JOINED), 4u);
}

TEST_F(RefuseOnDevice, FramesInPiecesThatDoNotFitAreRefused)
{
    ASSERT_TRUE(tap.send(udp_frame(mac_of(ip_a), ip_a, base_port, Bytes(2500)), 0, 1500));
    EXPECT_EQ(a.receive().size(), 0u);
    EXPECT_EQ(a.count(PORT_FRAME_SEGMENTED), 1u);
}

} // namespace
