#include "tests/unit/wire/wire_fixture.h"

namespace
{

wire_request request_of(uint64_t session)
{
    wire_request request = {};
    request.group = 11;
    request.client = 0xABCDEF0123456789;
    request.session = session;
    request.route = 77;
    return request;
}

wire_result result_of(uint8_t status, uint8_t type, const std::string &value, int64_t integer = 0)
{
    wire_result result = {};
    result.status = status;
    result.type = type;
    result.value_bytes = static_cast<uint32_t>(value.size());
    result.integer = integer;
    result.value = reinterpret_cast<const uint8_t *>(value.data());
    return result;
}

// Gives the body of the frame's only message to the decoder, in an exact copy.
template <typename Message>
enum wire_refusal get(const Frame &frame,
                      enum wire_refusal (*decoder)(const wire_view *, Message *),
                      void (*spoil)(Bytes &) = nullptr)
{
    wire_view view = frame.only_view();
    Bytes body(view.body, view.body + view.bytes);
    if (spoil != nullptr)
        spoil(body);
    Exact copy(body);
    view.body = copy.data.get();
    view.bytes = copy.size;
    Message message;
    return decoder(&view, &message);
}

} // namespace

TEST(WireRequest, CommandsRoundTripInOrder)
{
    Frame frame;
    wire_request in = request_of(5);
    ASSERT_TRUE(wire_put_request(&frame.writer, &in));
    std::vector<Bytes> bodies;
    for (uint64_t sequence = 1; sequence <= 9; sequence++) {
        std::string value(sequence, 'v'); // every length modulo 8
        auto command = command_of(WIRE_OP_SET, "key", value);
        bodies.push_back(encoded(command));
        if (sequence % 2)
            ASSERT_TRUE(wire_put_command(&frame.writer, sequence, &command));
        else
            ASSERT_TRUE(wire_put_body(&frame.writer, sequence, bodies.back().data(),
                                      static_cast<uint32_t>(bodies.back().size())));
    }
    wire_view view = frame.only_view();
    wire_request out;
    ASSERT_EQ(wire_get_request(&view, &out), WIRE_OK);
    EXPECT_EQ(out.group, in.group);
    EXPECT_EQ(out.client, in.client);
    EXPECT_EQ(out.session, in.session);
    EXPECT_EQ(out.route, in.route);
    ASSERT_EQ(out.count, 9u);
    const uint8_t *at = out.commands;
    for (uint64_t expected = 1; expected <= 9; expected++) {
        uint64_t sequence;
        uint32_t bytes;
        const uint8_t *body = wire_next_command(&at, &sequence, &bytes);
        EXPECT_EQ(sequence, expected);
        EXPECT_EQ(Bytes(body, body + bytes), bodies[expected - 1]);
        for (const uint8_t *pad = body + bytes; pad < at; pad++)
            EXPECT_EQ(*pad, 0);
    }
    EXPECT_EQ(at, out.commands + out.bytes);
}

TEST(WireRequest, TwoRequestsShareAFrame)
{
    Frame frame;
    wire_request first = request_of(5), second = request_of(0);
    std::string key = "k";
    auto set = command_of(WIRE_OP_SET, key, "v"), get = command_of(WIRE_OP_GET, key);
    ASSERT_TRUE(wire_put_request(&frame.writer, &first));
    ASSERT_TRUE(wire_put_command(&frame.writer, 1, &set));
    ASSERT_TRUE(wire_put_request(&frame.writer, &second));
    ASSERT_TRUE(wire_put_command(&frame.writer, 2, &get));
    ASSERT_TRUE(wire_put_command(&frame.writer, 3, &get));
    uint32_t offset = WIRE_FRAME_BYTES;
    for (uint32_t count : {1u, 2u}) {
        wire_view view;
        wire_request out;
        ASSERT_EQ(wire_message_next(frame.writer.data, frame.writer.bytes, &offset, &view),
                  WIRE_OK);
        ASSERT_EQ(wire_get_request(&view, &out), WIRE_OK);
        EXPECT_EQ(out.count, count);
    }
    EXPECT_EQ(offset, frame.writer.bytes);
}

TEST(WireRequest, WhatDoesNotFitLeavesAWholeFrame)
{
    Frame frame(WIRE_FRAME_BYTES + 40 + 32 + 31);
    wire_request in = request_of(5);
    ASSERT_TRUE(wire_put_request(&frame.writer, &in));
    auto command = command_of(WIRE_OP_SIZE, "");
    ASSERT_TRUE(wire_put_command(&frame.writer, 1, &command));
    EXPECT_FALSE(wire_put_command(&frame.writer, 2, &command));
    wire_view view = frame.only_view();
    wire_request out;
    ASSERT_EQ(wire_get_request(&view, &out), WIRE_OK);
    EXPECT_EQ(out.count, 1u);
}

TEST(WireRequest, RefusesCommandsThatDoNotTile)
{
    Frame frame;
    wire_request in = request_of(5);
    std::string key = "key", value = "value";
    auto command = command_of(WIRE_OP_SET, key, value);
    ASSERT_TRUE(wire_put_request(&frame.writer, &in));
    ASSERT_TRUE(wire_put_command(&frame.writer, 1, &command));
    ASSERT_TRUE(wire_put_command(&frame.writer, 2, &command));
    EXPECT_EQ(get(frame, wire_get_request), WIRE_OK);
    void (*spoils[])(Bytes &) = {
        [](Bytes &body) { body[20] = 1; },               // fewer than there are
        [](Bytes &body) { body[20] = 3; },               // more than there are
        [](Bytes &body) { memset(&body[20], 0xff, 4); }, // four thousand million
        [](Bytes &body) { body[32] = 15; },              // shorter than a command
        [](Bytes &body) { memset(&body[32], 0xff, 4); }, // length near 2^32
        [](Bytes &body) {
            body[32] = 0xf9;
            memset(&body[33], 0xff, 3);
        },                                  // padded length wraps
        [](Bytes &body) { body[32] += 8; }, // one word too long
        [](Bytes &body) { body.resize(body.size() - 1); },
        [](Bytes &body) { body.resize(body.size() + 8); },
    };
    for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++)
        EXPECT_EQ(get(frame, wire_get_request, spoils[i]), WIRE_REFUSED_COMMAND) << i;
    EXPECT_EQ(get(frame, wire_get_reply), WIRE_REFUSED_MESSAGE_KIND);
}

TEST(WireReply, ResultsRoundTripInOrder)
{
    Frame frame;
    wire_reply in = {};
    in.group = 11;
    in.leader = 2;
    in.leader_port = 4711;
    in.leader_ip = 0x0A000001;
    in.client = 42;
    in.session = 43;
    in.route = 44;
    ASSERT_TRUE(wire_put_reply(&frame.writer, &in));
    std::vector<std::string> values = {"", "1", "12345678", "123456789"};
    for (size_t i = 0; i < values.size(); i++) {
        wire_result result = result_of(WIRE_DONE, WIRE_BYTES, values[i], -static_cast<int64_t>(i));
        ASSERT_TRUE(wire_put_result(&frame.writer, i + 1, &result));
    }
    wire_view view = frame.only_view();
    wire_reply out;
    ASSERT_EQ(wire_get_reply(&view, &out), WIRE_OK);
    EXPECT_EQ(out.group, in.group);
    EXPECT_EQ(out.leader, in.leader);
    EXPECT_EQ(out.leader_port, in.leader_port);
    EXPECT_EQ(out.leader_ip, in.leader_ip);
    EXPECT_EQ(out.client, in.client);
    EXPECT_EQ(out.session, in.session);
    EXPECT_EQ(out.route, in.route);
    ASSERT_EQ(out.count, values.size());
    const uint8_t *at = out.results;
    for (size_t i = 0; i < values.size(); i++) {
        uint64_t sequence;
        wire_result result;
        wire_next_result(&at, &sequence, &result);
        EXPECT_EQ(sequence, i + 1);
        EXPECT_EQ(result.integer, -static_cast<int64_t>(i));
        EXPECT_EQ(std::string(result.value, result.value + result.value_bytes), values[i]);
    }
    EXPECT_EQ(at, out.results + out.bytes);
}

TEST(WireReply, RefusesResultsThatDoNotTile)
{
    Frame frame;
    wire_reply in = {};
    std::string value = "value";
    wire_result result = result_of(WIRE_DONE, WIRE_BYTES, value);
    ASSERT_TRUE(wire_put_reply(&frame.writer, &in));
    ASSERT_TRUE(wire_put_result(&frame.writer, 1, &result));
    ASSERT_TRUE(wire_put_result(&frame.writer, 2, &result));
    EXPECT_EQ(get(frame, wire_get_reply), WIRE_OK);
    void (*spoils[])(Bytes &) = {
        [](Bytes &body) { body[20] = 1; },
        [](Bytes &body) { body[20] = 3; },
        [](Bytes &body) { memset(&body[20], 0xff, 4); },
        [](Bytes &body) { body[40] = WIRE_STATUS_COUNT; },
        [](Bytes &body) { body[41] = WIRE_STATUS_OK + 1; },
        [](Bytes &body) { memset(&body[44], 0xff, 4); },
        [](Bytes &body) {
            body[44] = 0xf9;
            memset(&body[45], 0xff, 3);
        },
        [](Bytes &body) { body[44] += 16; },
        [](Bytes &body) { body.resize(body.size() - 8); },
    };
    for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++)
        EXPECT_EQ(get(frame, wire_get_reply, spoils[i]), WIRE_REFUSED_RESULTS) << i;
    EXPECT_EQ(get(frame, wire_get_request), WIRE_REFUSED_MESSAGE_KIND);
    Frame full(WIRE_FRAME_BYTES + 48 + 31);
    ASSERT_TRUE(wire_put_reply(&full.writer, &in));
    EXPECT_FALSE(wire_put_result(&full.writer, 1, &result));
}

TEST(WireReply, TheLeaderCanBeRenamedInPlace)
{
    Frame frame;
    wire_reply in = {};
    in.leader = 40;
    in.leader_port = 7000;
    in.count = 0;
    ASSERT_TRUE(wire_put_reply(&frame.writer, &in));
    wire_view view = frame.only_view();
    wire_reply before, after;
    ASSERT_EQ(wire_get_reply(&view, &before), WIRE_OK);
    wire_rename_leader(frame.writer.data + WIRE_FRAME_BYTES + WIRE_MESSAGE_BYTES, 2);
    ASSERT_EQ(wire_get_reply(&view, &after), WIRE_OK);
    EXPECT_EQ(after.leader, 2);
    EXPECT_EQ(before.leader, 40);
    EXPECT_EQ(after.leader_port, 7000) << "and nothing else";
    EXPECT_EQ(after.client, before.client);
}
