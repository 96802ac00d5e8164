#include "tests/unit/port/harness.h"

#include <atomic>
#include <memory>
#include <thread>

#include <unistd.h>

namespace
{

struct RingWire : testing::Test {
    Wire wire;
    Port a, b;
    void SetUp() override
    {
        a.config.lane_count = 2;
        ASSERT_TRUE(a.open("ring", ip_a, wire.wire)) << a.error;
        ASSERT_TRUE(b.open("ring", ip_b, wire.wire)) << b.error;
        a.knows(ip_b, mac_of(ip_b));
        b.knows(ip_a, mac_of(ip_a));
    }
};

TEST_F(RingWire, DeliversPayloadAndEndpoint)
{
    ASSERT_TRUE(a.send(ip_b, base_port, text("hello"), 1));
    auto got = b.receive();
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].second, text("hello"));
    EXPECT_EQ(got[0].first.ip, ip_a);
    EXPECT_EQ(got[0].first.port, base_port + 1);
    EXPECT_EQ(got[0].first.source_port, base_port);
    EXPECT_EQ(b.count(PORT_RX_DELIVERED), 1u);
    EXPECT_EQ(a.count(PORT_TX_SENT, 1), 1u);
}

TEST_F(RingWire, SourcePortMayBeChosen)
{
    ASSERT_TRUE(a.send(ip_b, base_port, text("x"), 0, second_ns, 51234));
    auto got = b.receive();
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].first.port, 51234);
}

TEST_F(RingWire, PicksTheLaneByUdpPort)
{
    ASSERT_TRUE(b.send(ip_a, base_port + 1, text("one")));
    ASSERT_TRUE(b.send(ip_a, base_port, text("zero")));
    ASSERT_TRUE(b.send(ip_a, base_port + 2, text("nobody")));
    auto zero = a.receive(0), one = a.receive(1);
    ASSERT_EQ(zero.size(), 1u);
    ASSERT_EQ(one.size(), 1u);
    EXPECT_EQ(zero[0].second, text("zero"));
    EXPECT_EQ(one[0].second, text("one"));
    EXPECT_EQ(a.count(PORT_UDP_PORT), 1u);
    EXPECT_EQ(a.count(PORT_RX_HANDED_OVER), 0u);
}

TEST_F(RingWire, EveryPayloadSizeArrivesWhole)
{
    uint32_t largest = port_payload_max(a.queue());
    EXPECT_EQ(largest, 1500u - 28u);
    for (uint32_t bytes : {0u, 1u, 17u, 18u, 19u, 100u, 1471u, largest}) {
        Bytes payload(bytes);
        for (uint32_t i = 0; i < bytes; i++)
            payload[i] = (uint8_t)(i * 7 + bytes);
        ASSERT_TRUE(a.send(ip_b, base_port, payload));
        auto got = b.receive();
        ASSERT_EQ(got.size(), 1u) << bytes;
        EXPECT_EQ(got[0].second, payload);
    }
}

TEST_F(RingWire, BytesOnTheWireAreARealFrame)
{
    Tap tap(wire.wire, mac_tap);
    a.knows(ip_tap, mac_tap);
    for (const std::string payload :
         {"odd", "even", "", "a payload that is longer than the least frame"}) {
        ASSERT_TRUE(a.send(ip_tap, 5555, text(payload), 1));
        Bytes frame = tap.receive();
        ASSERT_EQ(frame.size(), std::max<size_t>(60, at_payload + payload.size()));
        EXPECT_TRUE(std::equal(mac_tap.begin(), mac_tap.end(), frame.begin()));
        Mac source = mac_of(ip_a);
        EXPECT_TRUE(std::equal(source.begin(), source.end(), frame.begin() + 6));
        EXPECT_EQ(get16(frame, 12), 0x0800u);
        EXPECT_EQ(frame[at_ip], 0x45);
        EXPECT_EQ(get16(frame, at_ip + 2), 28 + payload.size());
        EXPECT_EQ(get16(frame, at_ip + 6), 0x4000u) << "must not be fragmented";
        EXPECT_EQ(frame[at_ip + 8], 64);
        EXPECT_EQ(frame[at_ip + 9], 17);
        EXPECT_EQ(get32(frame, at_ip + 12), ip_a);
        EXPECT_EQ(get32(frame, at_ip + 16), ip_tap);
        EXPECT_EQ(ones_sum(frame, at_ip, at_ip + 20), 0xffffu);
        EXPECT_EQ(get16(frame, at_udp), base_port + 1u);
        EXPECT_EQ(get16(frame, at_udp + 2), 5555u);
        EXPECT_EQ(get16(frame, at_udp + 4), 8 + payload.size());
        EXPECT_NE(get16(frame, at_udp + 6), 0u);
        EXPECT_EQ(ones_sum(frame, at_udp, at_payload + payload.size(), pseudo_sum(frame)), 0xffffu);
        EXPECT_EQ(
            Bytes(frame.begin() + at_payload, frame.begin() + (long)(at_payload + payload.size())),
            text(payload));
        for (size_t i = at_payload + payload.size(); i < frame.size(); i++)
            EXPECT_EQ(frame[i], 0) << "padding must not leak memory";
    }
}

TEST_F(RingWire, ReceiverHoldsACopyOfItsOwn)
{
    struct frame sent, first;
    ASSERT_EQ(port_tx_take(a.queue(), &sent, 1), 1u);
    memcpy(sent.data, "original", 8);
    sent.bytes = 8;
    sent.peer = {ip_b, base_port, 0};
    uint8_t *senders_bytes = sent.data;
    port_tx_burst(a.queue(), &sent, 1, 0);
    ASSERT_EQ(port_rx_burst(b.queue(), &first, 1, 0), 1u);
    EXPECT_NE(first.data, senders_bytes);
    memcpy(senders_bytes, "scribble", 8); // it is free memory of the sender's pool by now
    EXPECT_EQ(memcmp(first.data, "original", 8), 0);
    port_frame_free(b.queue(), &first, 1);
}

TEST_F(RingWire, ABurstToManyKeepsTheOrderForEach)
{
    Wire other;
    Port c;
    ASSERT_TRUE(c.open("ring", ip_b + 1, wire.wire)) << c.error;
    a.knows(ip_b + 1, mac_of(ip_b + 1));
    struct frame frames[PORT_BURST_MAX];
    ASSERT_EQ(port_tx_take(a.queue(), frames, PORT_BURST_MAX), PORT_BURST_MAX);
    for (uint32_t i = 0; i < PORT_BURST_MAX; i++) {
        frames[i].data[0] = (uint8_t)i;
        frames[i].bytes = 1;
        frames[i].peer = {i % 3 == 0 ? ip_b + 1 : ip_b, base_port, 0};
    }
    port_tx_burst(a.queue(), frames, PORT_BURST_MAX, 0);
    auto at_b = b.receive(), at_c = c.receive();
    ASSERT_EQ(at_b.size() + at_c.size(), PORT_BURST_MAX);
    for (size_t i = 0; i < at_c.size(); i++)
        EXPECT_EQ(at_c[i].second[0], 3 * i);
    for (size_t i = 0; i < at_b.size(); i++)
        EXPECT_EQ(at_b[i].second[0], 3 * (i / 2) + 1 + i % 2);
}

TEST_F(RingWire, SlowReceiverCostsFramesAndIsCounted)
{
    uint32_t sent = 0;
    for (; sent < 3000 && a.count(PORT_WIRE_RING_FULL) == 0; sent++)
        ASSERT_TRUE(a.send(ip_b, base_port, text("x")));
    EXPECT_EQ(a.count(PORT_WIRE_RING_FULL), 1u);
    EXPECT_EQ(a.count(PORT_TX_SENT), sent - 1u);
    EXPECT_EQ(b.receive().size(), sent - 1u);
    ASSERT_TRUE(a.send(ip_b, base_port, text("y")));
    EXPECT_EQ(b.receive().size(), 1u) << "it must recover";
}

TEST_F(RingWire, ReceiverWithoutFreeFramesIsCounted)
{
    std::vector<struct frame> held(20000);
    uint32_t taken = port_tx_take(b.queue(), held.data(), (uint32_t)held.size());
    EXPECT_LT(taken, held.size());
    EXPECT_EQ(b.count(PORT_POOL_EMPTY), 1u);
    EXPECT_EQ(taken, b.report().pool_frames);
    ASSERT_TRUE(a.send(ip_b, base_port, text("x")));
    EXPECT_EQ(a.count(PORT_WIRE_POOL_EMPTY), 1u);
    EXPECT_EQ(b.receive().size(), 0u);
    port_frame_free(b.queue(), held.data(), taken);
    ASSERT_TRUE(a.send(ip_b, base_port, text("x")));
    EXPECT_EQ(b.receive().size(), 1u);
}

TEST_F(RingWire, MtuOfTheReceiverIsEnforced)
{
    Port small;
    small.config.mtu = 600;
    ASSERT_TRUE(small.open("ring", ip_b + 1, wire.wire)) << small.error;
    a.knows(ip_b + 1, mac_of(ip_b + 1));
    EXPECT_EQ(port_payload_max(small.queue()), 572u);
    ASSERT_TRUE(a.send(ip_b + 1, base_port, Bytes(572)));
    EXPECT_EQ(small.receive().size(), 1u);
    ASSERT_TRUE(a.send(ip_b + 1, base_port, Bytes(573)));
    EXPECT_EQ(small.receive().size(), 0u);
    EXPECT_EQ(a.count(PORT_WIRE_TOO_LONG), 1u);
}

TEST_F(RingWire, LargeMtuCarriesLargeFrames)
{
    Port c, d;
    c.config.mtu = d.config.mtu = 9600;
    ASSERT_TRUE(c.open("ring", ip_b + 1, wire.wire)) << c.error;
    ASSERT_TRUE(d.open("ring", ip_b + 2, wire.wire)) << d.error;
    c.knows(ip_b + 2, mac_of(ip_b + 2));
    ASSERT_TRUE(c.send(ip_b + 2, base_port, Bytes(9572, 0x5a)));
    auto got = d.receive();
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].second, Bytes(9572, 0x5a));
}

TEST_F(RingWire, UnknownAddressIsCounted)
{
    a.knows(ip_tap, mac_tap);
    ASSERT_TRUE(a.send(ip_tap, 1, text("x")));
    EXPECT_EQ(a.count(PORT_WIRE_NO_RECEIVER), 1u);
    EXPECT_EQ(a.count(PORT_TX_SENT), 0u);
}

TEST_F(RingWire, DetachedPortIsNotReachedAndItsFramesComeBack)
{
    ASSERT_TRUE(a.send(ip_b, base_port, text("before")));
    port_detach(b.port);
    ASSERT_TRUE(a.send(ip_b, base_port, text("after")));
    EXPECT_EQ(a.count(PORT_WIRE_NO_RECEIVER), 1u);
    EXPECT_EQ(b.close(), 0u) << "the frame in its ring belongs to its pool";
    ASSERT_TRUE(b.open("ring", ip_b, wire.wire)) << b.error;
    ASSERT_TRUE(a.send(ip_b, base_port, text("again")));
    auto got = b.receive();
    ASSERT_EQ(got.size(), 1u) << "same address, same MAC, new life";
    EXPECT_EQ(got[0].second, text("again"));
}

TEST_F(RingWire, CloseTellsHowManyFramesWereNotGivenBack)
{
    struct frame frame;
    ASSERT_EQ(port_tx_take(b.queue(), &frame, 1), 1u);
    EXPECT_EQ(b.close(), 1u);
}

TEST_F(RingWire, OneAddressOnePort)
{
    Port twin;
    EXPECT_FALSE(twin.open("ring", ip_b, wire.wire));
    EXPECT_NE(std::string(twin.error).find("address"), std::string::npos) << twin.error;
}

TEST_F(RingWire, FramesToOurselvesGoFromLaneToLane)
{
    ASSERT_TRUE(a.send(ip_a, base_port + 1, text("to lane 1"), 0));
    ASSERT_TRUE(a.send(ip_a, base_port, text("to lane 0"), 0));
    ASSERT_TRUE(a.send(ip_a, base_port + 2, text("to no lane"), 0));
    auto one = a.receive(1), zero = a.receive(0);
    ASSERT_EQ(one.size(), 1u);
    EXPECT_EQ(one[0].second, text("to lane 1"));
    EXPECT_EQ(one[0].first.ip, ip_a);
    EXPECT_EQ(one[0].first.port, base_port);
    ASSERT_EQ(zero.size(), 1u);
    EXPECT_EQ(a.count(PORT_TX_NO_LANE), 1u);
}

TEST_F(RingWire, InboxThatNobodyEmptiesIsCountedAndStarvesNobody)
{
    for (uint32_t i = 0; i < 1100; i++)
        ASSERT_TRUE(a.send(ip_a, base_port + 1, text("x"), 0));
    EXPECT_EQ(a.count(PORT_INBOX_FULL), 1100u - 1024u);
    ASSERT_TRUE(b.send(ip_a, base_port + 1, text("from afar")));
    struct frame frames[2];
    uint32_t seen_from_afar = 0;
    for (int polls = 0; polls < 2; polls++) { // two polls of one frame: each source has its turn
        uint32_t count = port_rx_burst(a.queue(1), frames, 1, 0);
        for (uint32_t i = 0; i < count; i++)
            seen_from_afar += frames[i].peer.ip == ip_b;
        port_frame_free(a.queue(1), frames, count);
    }
    EXPECT_EQ(seen_from_afar, 1u);
}

TEST_F(RingWire, ReportSaysWhatLiesUnderneath)
{
    struct port_report report = a.report();
    EXPECT_STREQ(report.driver, "net_ring");
    EXPECT_EQ(report.steering, PORT_STEERING_WIRE);
    EXPECT_EQ(b.report().steering, PORT_STEERING_SINGLE);
    EXPECT_EQ(report.mtu, 1500);
    EXPECT_EQ(report.device_queues, 2);
    EXPECT_TRUE(report.link_up);
    Mac mac = mac_of(ip_a);
    EXPECT_EQ(memcmp(report.mac, mac.data(), 6), 0);
    EXPECT_FALSE(report.tx_udp_checksum_in_hardware);
    char line[PORT_REPORT_LINE_MAX];
    port_report_line(&report, line);
    EXPECT_NE(std::string(line).find("10.0.0.1:7000"), std::string::npos) << line;
    EXPECT_NE(std::string(line).find("ring wire"), std::string::npos) << line;
    EXPECT_NE(std::string(line).find("02:51:0a:00:00:01"), std::string::npos) << line;
    EXPECT_EQ(port_source_port(a.port, 1, ip_b), 0) << "any will do";
}

TEST_F(RingWire, CaptureWritesBothDirections)
{
    Port c;
    std::string path = testing::TempDir() + "quorate_port_capture_" + std::to_string(getpid());
    c.config.capture_path = path.c_str();
    ASSERT_TRUE(c.open("ring", ip_b + 1, wire.wire)) << c.error;
    c.knows(ip_a, mac_of(ip_a));
    a.knows(ip_b + 1, mac_of(ip_b + 1));
    ASSERT_TRUE(c.send(ip_a, base_port, text("out")));
    ASSERT_TRUE(a.send(ip_b + 1, base_port, text("in")));
    EXPECT_EQ(c.receive().size(), 1u);
    EXPECT_EQ(a.receive().size(), 1u);
    c.close();
    FILE *file = fopen((path + ".0").c_str(), "rb");
    ASSERT_NE(file, nullptr);
    Bytes bytes(1000);
    bytes.resize(fread(bytes.data(), 1, bytes.size(), file));
    fclose(file);
    remove((path + ".0").c_str());
    ASSERT_EQ(bytes.size(), 24u + 2 * (16 + 60));
    EXPECT_EQ(bytes[0], 0x4d);
    EXPECT_EQ(bytes[20], 1) << "link type Ethernet";
    EXPECT_EQ(memcmp(&bytes[24 + 16 + at_payload], "out", 3), 0);
    EXPECT_EQ(memcmp(&bytes[24 + 16 + 60 + 16 + at_payload], "in", 2), 0);
}

TEST_F(RingWire, TwoSendersAtOnceLoseNothingUncounted)
{
    Port c;
    ASSERT_TRUE(c.open("ring", ip_b + 1, wire.wire)) << c.error;
    const uint32_t each = 20000;
    std::atomic<int> running{2};
    auto sender = [&](Port &port) {
        port.knows(ip_b + 1, mac_of(ip_b + 1));
        for (uint32_t i = 0; i < each;) {
            Bytes payload(64, (uint8_t)i);
            memcpy(payload.data(), &i, 4);
            if (port.send(ip_b + 1, base_port, payload))
                i++;
            if (i % 64 == 0)
                std::this_thread::yield();
        }
        running--;
    };
    std::thread first(sender, std::ref(a)), second(sender, std::ref(b));
    uint32_t heard = 0, last[2] = {0, 0};
    for (bool done = false; !done;) {
        done = running == 0; // read before the poll: what came meanwhile is still fetched
        for (const auto &[peer, payload] : c.receive()) {
            uint32_t number;
            memcpy(&number, payload.data(), 4);
            uint32_t &previous = last[peer.ip == ip_b];
            ASSERT_GE(number, previous) << "frames of one sender overtook each other";
            ASSERT_EQ(payload[4], (uint8_t)number);
            ASSERT_EQ(payload[63], (uint8_t)number);
            previous = number;
            heard++;
        }
    }
    first.join();
    second.join();
    uint64_t lost = 0;
    for (Port *port : {&a, &b})
        lost += port->count(PORT_WIRE_RING_FULL) + port->count(PORT_WIRE_POOL_EMPTY);
    EXPECT_EQ(heard + lost, 2 * each);
    EXPECT_GT(heard, 0u);
}

TEST_F(RingWire, PortsComeAndGoWhileOthersSend)
{
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> turns{0};
    std::thread sender([&] {
        while (!stop) {
            (void)a.send(ip_b, base_port, Bytes(64, 0x5a));
            turns++;
            std::this_thread::yield();
        }
    });
    for (int life = 0; life < 20; life++) {
        for (uint64_t seen = turns; turns < seen + 3;)
            std::this_thread::yield();
        port_detach(b.port);
        for (uint64_t grace = turns;
             turns < grace + 2;) // the sender has come out of the call that it was in
            std::this_thread::yield();
        ASSERT_EQ(b.close(), 0u);
        ASSERT_TRUE(b.open("ring", ip_b, wire.wire)) << b.error;
    }
    stop = true;
    sender.join();
    EXPECT_GT(a.count(PORT_TX_SENT), 0u);
    EXPECT_GT(a.count(PORT_WIRE_NO_RECEIVER), 0u);
}

TEST(RingWireDeathTest, DestroyingAWireInUseIsOurOwnMistake)
{
    Wire wire;
    Tap tap(wire.wire, mac_tap);
    EXPECT_DEATH(port_wire_destroy(wire.wire), "broken");
}

TEST(RingWirePlaces, AreThirtyTwo)
{
    Wire wire;
    std::vector<std::unique_ptr<Tap>> taps;
    for (uint8_t i = 0; i < PORT_WIRE_PORTS_MAX; i++) {
        Mac mac = {0x02, 0, 0, 0, i, 7}; // all guess the same place
        taps.push_back(std::make_unique<Tap>(wire.wire, mac));
        ASSERT_NE(taps.back()->tap, nullptr);
    }
    EXPECT_EQ(port_tap_on_wire(wire.wire, mac_tap.data()), nullptr);
    Mac last = {0x02, 0, 0, 0, PORT_WIRE_PORTS_MAX - 1, 7};
    ASSERT_TRUE(taps[0]->send(udp_frame(last, ip_b, 1, text("found"))));
    EXPECT_EQ(taps.back()->receive().size(), at_payload + 5);
}

} // namespace
