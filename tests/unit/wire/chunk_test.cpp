// Pieces of a snapshot and what is said of them: one encoding each.
#include "tests/unit/wire/wire_fixture.h"

extern "C" {
#include "protocols/wire/chunk.h"
}

#include <functional>

namespace
{

wire_view only_message(const Bytes &frame)
{
    uint32_t offset = WIRE_FRAME_BYTES;
    wire_view view;
    EXPECT_EQ(wire_message_next(frame.data(), static_cast<uint32_t>(frame.size()), &offset, &view),
              WIRE_OK);
    return view;
}

const Bytes kData(1500, 9);

Bytes frame_of(const wire_chunk &chunk)
{
    Frame frame;
    uint8_t *to = wire_put_chunk(&frame.writer, &chunk);
    EXPECT_NE(to, nullptr);
    memcpy(to, kData.data(), chunk.bytes);
    return frame.bytes();
}

wire_refusal refusal_of(const wire_chunk &chunk)
{
    Bytes bytes = frame_of(chunk);
    wire_view view = only_message(bytes);
    wire_chunk out;
    return wire_get_chunk(&view, &out);
}

wire_refusal refusal_of(const wire_chunk_ack &ack)
{
    Frame frame;
    EXPECT_TRUE(wire_put_chunk_ack(&frame.writer, &ack));
    Bytes bytes = frame.bytes();
    wire_view view = only_message(bytes);
    wire_chunk_ack out;
    return wire_get_chunk_ack(&view, &out);
}

const wire_chunk kChunk = {3, {10, 2, 77, 4000}, 1024, 1024, 5, 1024, nullptr};
const wire_chunk_ack kAck = {3, {10, 2, 77, 4000}, 6, 1024, 6, WIRE_CHUNK_GOING};

TEST(WireChunk, ComesBack)
{
    Bytes bytes = frame_of(kChunk);
    wire_view view = only_message(bytes);
    EXPECT_EQ(view.kind, WIRE_SNAPSHOT_CHUNK);
    wire_chunk out;
    ASSERT_EQ(wire_get_chunk(&view, &out), WIRE_OK);
    EXPECT_EQ(out.group, 3);
    EXPECT_TRUE(wire_snapshot_id_equal(&out.id, &kChunk.id));
    EXPECT_EQ(out.offset, 1024u);
    EXPECT_EQ(out.unit, 1024u);
    EXPECT_EQ(out.crc, 5u);
    ASSERT_EQ(out.bytes, 1024u);
    EXPECT_EQ(memcmp(out.data, kData.data(), out.bytes), 0);
    wire_chunk_ack ack;
    EXPECT_EQ(wire_get_chunk_ack(&view, &ack), WIRE_REFUSED_MESSAGE_KIND);
}

TEST(WireChunk, TheLastOneIsShort)
{
    wire_chunk last = kChunk;
    last.offset = 3072;
    EXPECT_EQ(refusal_of(last), WIRE_REFUSED_CHUNK);
    last.bytes = 4000 - 3072;
    EXPECT_EQ(refusal_of(last), WIRE_OK);
}

TEST(WireChunk, RefusesWhatCanNotBe)
{
    std::vector<std::function<void(wire_chunk &)>> spoil = {
        [](wire_chunk &c) { c.id.index = 0; },
        [](wire_chunk &c) { c.id.term = 0; },
        [](wire_chunk &c) { c.id.bytes = 0; },
        [](wire_chunk &c) { c.offset = 1025; },
        [](wire_chunk &c) { c.offset = 4096; },
        [](wire_chunk &c) { c.unit = 512; },
        [](wire_chunk &c) { c.unit = 255; },
        [](wire_chunk &c) { c.bytes = 1023; },
        [](wire_chunk &c) { c.unit = WIRE_CHUNK_BYTES_MAX + 1024; },
    };
    for (size_t i = 0; i < spoil.size(); i++) {
        wire_chunk bad = kChunk;
        spoil[i](bad);
        EXPECT_EQ(refusal_of(bad), WIRE_REFUSED_CHUNK) << i;
    }
}

TEST(WireChunk, AcksThatCanNotBe)
{
    EXPECT_EQ(refusal_of(kAck), WIRE_OK);
    std::vector<std::function<void(wire_chunk_ack &)>> spoil = {
        [](wire_chunk_ack &a) { a.id.index = 0; },
        [](wire_chunk_ack &a) { a.run = 0; },
        [](wire_chunk_ack &a) { a.offset = 4001; },
        [](wire_chunk_ack &a) { a.ahead = 1; },
        [](wire_chunk_ack &a) { a.status = 3; },
        [](wire_chunk_ack &a) { a.status = WIRE_CHUNK_WHOLE; },
    };
    for (size_t i = 0; i < spoil.size(); i++) {
        wire_chunk_ack bad = kAck;
        spoil[i](bad);
        EXPECT_EQ(refusal_of(bad), WIRE_REFUSED_CHUNK) << i;
    }
}

TEST(WireChunk, NoRoomIsNoMessage)
{
    Frame frame;
    wire_chunk large = kChunk;
    large.bytes = 1u << 30;
    EXPECT_EQ(wire_put_chunk(&frame.writer, &large), nullptr);
}

} // namespace
