#include "tests/unit/wire/wire_fixture.h"

#include <set>

TEST(WireFrame, RoundTrip)
{
    uint8_t data[WIRE_FRAME_BYTES];
    wire_frame in = {};
    in.from = 0x1234;
    in.lane = 7;
    in.cluster = 0x1122334455667788;
    in.incarnation = 0xFFEEDDCCBBAA9988;
    in.sequence = UINT64_MAX;
    in.config_hash = 42;
    wire_writer writer;
    wire_frame_begin(&writer, data, sizeof data, &in);
    EXPECT_EQ(writer.bytes, WIRE_FRAME_BYTES);
    wire_frame out = {};
    ASSERT_EQ(wire_frame_decode(data, writer.bytes, &out), WIRE_OK);
    EXPECT_EQ(out.from, in.from);
    EXPECT_EQ(out.lane, in.lane);
    EXPECT_EQ(out.cluster, in.cluster);
    EXPECT_EQ(out.incarnation, in.incarnation);
    EXPECT_EQ(out.sequence, in.sequence);
    EXPECT_EQ(out.config_hash, in.config_hash);
}

// The bytes themselves are the contract between versions.
TEST(WireFrame, BytesAreWhereTheHeaderSays)
{
    uint8_t data[WIRE_FRAME_BYTES];
    wire_frame in = {};
    in.from = 0x0201;
    in.lane = 3;
    in.cluster = 4;
    in.incarnation = 5;
    in.sequence = 6;
    in.config_hash = 7;
    wire_writer writer;
    wire_frame_begin(&writer, data, sizeof data, &in);
    Bytes expected = {'Q', 'R', 'T', '1', 1, 3, 1, 2};
    for (uint8_t word : {4, 5, 6, 7}) {
        expected.push_back(word);
        expected.insert(expected.end(), 7, 0);
    }
    EXPECT_EQ(Bytes(data, data + sizeof data), expected);
}

TEST(WireFrame, RefusesEveryShortLength)
{
    Bytes whole = Frame().bytes();
    for (uint32_t bytes = 0; bytes < WIRE_FRAME_BYTES; bytes++) {
        Exact cut(Bytes(whole.begin(), whole.begin() + bytes));
        wire_frame frame;
        EXPECT_EQ(wire_frame_decode(cut.data.get(), bytes, &frame), WIRE_REFUSED_SHORT_FRAME);
    }
}

TEST(WireFrame, RefusesForeignMagicAndOtherVersions)
{
    wire_frame frame;
    for (uint32_t at = 0; at < 4; at++) {
        Bytes bytes = Frame().bytes();
        bytes[at] ^= 1;
        EXPECT_EQ(wire_frame_decode(bytes.data(), WIRE_FRAME_BYTES, &frame),
                  WIRE_REFUSED_FOREIGN_MAGIC);
    }
    Bytes bytes = Frame().bytes();
    bytes[4] = WIRE_VERSION + 1;
    EXPECT_EQ(wire_frame_decode(bytes.data(), WIRE_FRAME_BYTES, &frame), WIRE_REFUSED_VERSION);
}

TEST(WireFrame, WalksMessagesOfMixedLengths)
{
    Frame frame;
    wire_hello hello = {};
    hello.lane_count = 1; // 16 + 4 bytes: needs padding
    hello.port[0] = 9;
    wire_raft raft = {};
    raft.kind = WIRE_VOTE;
    raft.group = 77;
    raft.flags = WIRE_RAFT_TRANSFER;
    ASSERT_TRUE(wire_put_hello(&frame.writer, &hello));
    ASSERT_NE(wire_put_raft(&frame.writer, &raft), nullptr);
    ASSERT_TRUE(wire_put_hello(&frame.writer, &hello));
    Exact copy(frame.bytes());
    uint32_t offset = WIRE_FRAME_BYTES;
    wire_view view;
    std::vector<int> kinds;
    do {
        ASSERT_EQ(wire_message_next(copy.data.get(), copy.size, &offset, &view), WIRE_OK);
        kinds.push_back(view.kind);
        if (view.kind == WIRE_VOTE) {
            EXPECT_EQ(view.group, 77);
            EXPECT_EQ(view.flags, WIRE_RAFT_TRANSFER);
            EXPECT_EQ(view.bytes, 48u);
        }
    } while (view.kind != 0);
    EXPECT_EQ(kinds, (std::vector<int>{WIRE_HELLO, WIRE_VOTE, WIRE_HELLO, 0}));
    EXPECT_EQ(offset, copy.size);
    EXPECT_EQ(copy.size % 8, 0u);
}

TEST(WireFrame, PaddingIsZero)
{
    Frame frame;
    wire_hello hello = {};
    hello.lane_count = 1;
    hello.port[0] = 0xFFFF;
    hello.source_port[0] = 0xFFFF;
    ASSERT_TRUE(wire_put_hello(&frame.writer, &hello));
    Bytes bytes = frame.bytes();
    EXPECT_EQ(Bytes(bytes.end() - 4, bytes.end()), Bytes(4, 0));
}

static enum wire_refusal walk_one(Bytes bytes)
{
    Exact copy(bytes);
    uint32_t offset = WIRE_FRAME_BYTES;
    wire_view view;
    return wire_message_next(copy.data.get(), copy.size, &offset, &view);
}

TEST(WireFrame, RefusesBadMessageHeaders)
{
    Frame frame;
    wire_raft raft = {};
    raft.kind = WIRE_VOTE;
    ASSERT_NE(wire_put_raft(&frame.writer, &raft), nullptr);
    const Bytes good = frame.bytes();
    ASSERT_EQ(walk_one(good), WIRE_OK);
    for (uint32_t length : {0u, 1u, 15u, 65u, 0x7fffffffu, 0xfffffff0u, 0xffffffffu}) {
        Bytes bad = good;
        memcpy(&bad[WIRE_FRAME_BYTES], &length, 4);
        EXPECT_EQ(walk_one(bad), WIRE_REFUSED_MESSAGE_LENGTH) << length;
    }
    for (int kind : {0, static_cast<int>(WIRE_KIND_COUNT), 255}) {
        Bytes bad = good;
        bad[WIRE_FRAME_BYTES + 4] = static_cast<uint8_t>(kind);
        EXPECT_EQ(walk_one(bad), WIRE_REFUSED_MESSAGE_KIND) << kind;
    }
    for (uint32_t at = 8; at < 16; at++) {
        Bytes bad = good;
        bad[WIRE_FRAME_BYTES + at] = 0x80;
        EXPECT_EQ(walk_one(bad), WIRE_REFUSED_RESERVED) << at;
    }
    Bytes stub(good.begin(), good.begin() + WIRE_FRAME_BYTES + 15);
    EXPECT_EQ(walk_one(stub), WIRE_REFUSED_MESSAGE_LENGTH);
}

TEST(WireFrame, AFullFrameStaysWhole)
{
    Frame frame(WIRE_FRAME_BYTES + 64 + 63);
    wire_raft raft = {};
    raft.kind = WIRE_VOTE;
    ASSERT_NE(wire_put_raft(&frame.writer, &raft), nullptr);
    const Bytes before = frame.bytes();
    EXPECT_EQ(wire_put_raft(&frame.writer, &raft), nullptr);
    wire_request request = {};
    wire_reply reply = {};
    EXPECT_TRUE(wire_put_request(&frame.writer, &request));
    Frame full(WIRE_FRAME_BYTES + 39);
    EXPECT_FALSE(wire_put_request(&full.writer, &request));
    EXPECT_FALSE(wire_put_reply(&full.writer, &reply));
    EXPECT_EQ(full.writer.bytes, WIRE_FRAME_BYTES);
}

TEST(WireFrame, RefusalsHaveNamesAndSentences)
{
    std::set<std::string> names;
    for (int i = 0; i < WIRE_REFUSAL_COUNT; i++) {
        auto refusal = static_cast<enum wire_refusal>(i);
        names.insert(wire_refusal_name(refusal));
        EXPECT_GT(strlen(wire_refusal_sentence(refusal)), 4u);
    }
    EXPECT_EQ(names.size(), static_cast<size_t>(WIRE_REFUSAL_COUNT));
    EXPECT_STREQ(wire_refusal_name(WIRE_REFUSED_SHORT_FRAME), "SHORT_FRAME");
    for (int i = 0; i < WIRE_STATUS_COUNT; i++)
        names.insert(wire_status_name(static_cast<enum wire_status>(i)));
    EXPECT_EQ(names.size(), static_cast<size_t>(WIRE_REFUSAL_COUNT + WIRE_STATUS_COUNT));
}
