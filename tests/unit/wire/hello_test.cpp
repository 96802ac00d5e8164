#include "tests/unit/wire/wire_fixture.h"

static wire_hello hello_of(uint16_t lanes)
{
    wire_hello hello = {};
    hello.view_epoch = 0x0102030405060708;
    hello.ip = 0x7f000001;
    hello.level = 3;
    hello.lane_count = lanes;
    for (uint16_t i = 0; i < lanes; i++) {
        hello.port[i] = static_cast<uint16_t>(4000 + i);
        hello.source_port[i] = static_cast<uint16_t>(i == 0 ? 0 : 5000 + i);
    }
    return hello;
}

TEST(WireHello, RoundTripsWithEveryNumberOfLanes)
{
    for (uint16_t lanes = 1; lanes <= WIRE_LANES_MAX; lanes++) {
        Frame frame;
        wire_hello in = hello_of(lanes), out;
        ASSERT_TRUE(wire_put_hello(&frame.writer, &in));
        wire_view view = frame.only_view();
        ASSERT_EQ(wire_get_hello(&view, &out), WIRE_OK);
        EXPECT_EQ(out.view_epoch, in.view_epoch);
        EXPECT_EQ(out.ip, in.ip);
        EXPECT_EQ(out.level, in.level);
        ASSERT_EQ(out.lane_count, lanes);
        EXPECT_EQ(memcmp(out.port, in.port, sizeof out.port), 0);
        EXPECT_EQ(memcmp(out.source_port, in.source_port, sizeof out.source_port), 0);
    }
}

TEST(WireHello, RefusesBadLaneCountsAndPorts)
{
    Frame frame;
    wire_hello in = hello_of(2), out;
    ASSERT_TRUE(wire_put_hello(&frame.writer, &in));
    wire_view view = frame.only_view();
    Bytes good(view.body, view.body + view.bytes), bad = good;
    view.body = bad.data();
    for (int lanes : {0, 17, 255}) {
        bad[12] = static_cast<uint8_t>(lanes);
        EXPECT_EQ(wire_get_hello(&view, &out), WIRE_REFUSED_HELLO);
    }
    bad = good;
    bad[12] = 3;
    EXPECT_EQ(wire_get_hello(&view, &out), WIRE_REFUSED_MESSAGE_SHORT);
    bad = good;
    bad[20] = bad[21] = 0; // second lane's port
    EXPECT_EQ(wire_get_hello(&view, &out), WIRE_REFUSED_HELLO);
    view.kind = WIRE_VOTE;
    EXPECT_EQ(wire_get_hello(&view, &out), WIRE_REFUSED_MESSAGE_KIND);
}
