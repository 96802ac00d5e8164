// Envelopes: what is wrapped comes out again, and each disagreement is refused by name.
#include "tests/unit/wire/wire_fixture.h"

extern "C" {
#include "protocols/wire/signed.h"
}

namespace
{

const Bytes kKey(WIRE_KEY_BYTES, 0x4B);

// A frame with one request in it, then the same in an envelope.
struct Envelope {
    explicit Envelope(uint32_t capacity = 1472) : memory(capacity)
    {
        wire_frame header = {};
        header.from = WIRE_NODE_CLIENT;
        wire_writer writer;
        wire_frame_begin(&writer, memory.data(), capacity, &header);
        wire_request request = {};
        request.group = 7;
        request.client = 99;
        auto command = command_of(WIRE_OP_SET, "key", "value");
        EXPECT_TRUE(wire_put_request(&writer, &request));
        EXPECT_TRUE(wire_put_command(&writer, 1, &command));
        bytes = writer.bytes;
        plain = Bytes(memory.begin() + WIRE_FRAME_BYTES, memory.begin() + bytes);
        wire_wrap_signed(memory.data(), &bytes, capacity, 0xC1, kKey.data(), &signature, &made);
    }
    wire_view view() const
    {
        uint32_t offset = WIRE_FRAME_BYTES;
        wire_view found = {};
        EXPECT_EQ(wire_message_next(memory.data(), bytes, &offset, &found), WIRE_OK);
        EXPECT_EQ(offset, bytes);
        return found;
    }
    wire_refusal refusal() const
    {
        wire_signed ignored;
        wire_view found = view();
        return wire_get_signed(&found, &ignored);
    }
    uint8_t &body(uint32_t at)
    {
        return memory[WIRE_FRAME_BYTES + WIRE_MESSAGE_BYTES + at];
    }
    Bytes memory, plain;
    uint32_t bytes = 0;
    uint8_t *signature = nullptr;
    wire_signed made = {};
};

} // namespace

TEST(WireSigned, GivesBackWhatWasWrapped)
{
    Envelope envelope;
    memset(envelope.signature, 0x51, WIRE_SIGNATURE_BYTES);
    wire_view view = envelope.view();
    wire_signed got;
    ASSERT_EQ(wire_get_signed(&view, &got), WIRE_OK);
    EXPECT_EQ(view.group, 7);
    EXPECT_EQ(view.flags, WIRE_REQUEST);
    EXPECT_EQ(got.cluster, 0xC1u);
    EXPECT_EQ(Bytes(got.key, got.key + WIRE_KEY_BYTES), kKey);
    EXPECT_EQ(Bytes(got.signature, got.signature + WIRE_SIGNATURE_BYTES),
              Bytes(WIRE_SIGNATURE_BYTES, 0x51));
    EXPECT_EQ(Bytes(got.inner.body - WIRE_MESSAGE_BYTES, got.inner.body + got.inner.bytes),
              envelope.plain);
    wire_request request;
    EXPECT_EQ(wire_get_request(&got.inner, &request), WIRE_OK);
    EXPECT_EQ(request.client, 99u);
}

TEST(WireSigned, TheSenderSignsWhatTheReceiverChecks)
{
    Envelope envelope;
    wire_view view = envelope.view();
    wire_signed got;
    ASSERT_EQ(wire_get_signed(&view, &got), WIRE_OK);
    EXPECT_EQ(got.covered, envelope.made.covered);
    EXPECT_EQ(got.covered_bytes, envelope.made.covered_bytes);
    EXPECT_EQ(got.covered + got.covered_bytes, envelope.memory.data() + envelope.bytes);
    EXPECT_EQ(got.signature + WIRE_SIGNATURE_BYTES, got.covered);
}

TEST(WireSigned, TheCoveredBytesAreGolden)
{
    Envelope envelope;
    Bytes covered(envelope.made.covered, envelope.made.covered + 16);
    EXPECT_EQ(std::string(covered.begin(), covered.begin() + 8), "QRSIGN01");
    EXPECT_EQ(covered[8], 0xC1);
}

TEST(WireSigned, RefusesAnotherPurpose)
{
    Envelope envelope;
    envelope.body(WIRE_SIGNATURE_BYTES) ^= 1;
    EXPECT_EQ(envelope.refusal(), WIRE_REFUSED_SIGNED);
}

TEST(WireSigned, RefusesToDisagreeWithWhatItHolds)
{
    Envelope kind;
    kind.memory[WIRE_FRAME_BYTES + 5] = WIRE_REPLY;
    EXPECT_EQ(kind.refusal(), WIRE_REFUSED_SIGNED);
    Envelope group;
    group.memory[WIRE_FRAME_BYTES + 6] ^= 1;
    EXPECT_EQ(group.refusal(), WIRE_REFUSED_SIGNED);
}

TEST(WireSigned, RefusesAnEnvelopeInAnEnvelope)
{
    Envelope envelope;
    envelope.memory[WIRE_FRAME_BYTES + 5] = WIRE_SIGNED;
    envelope.body(WIRE_SIGNED_FIXED + 4) = WIRE_SIGNED;
    EXPECT_EQ(envelope.refusal(), WIRE_REFUSED_SIGNED);
}

TEST(WireSigned, RefusesMoreOrLessThanOneMessage)
{
    Envelope more;
    more.body(WIRE_SIGNED_FIXED) = static_cast<uint8_t>(more.body(WIRE_SIGNED_FIXED) - 8);
    EXPECT_EQ(more.refusal(), WIRE_REFUSED_SIGNED);
    Envelope less;
    less.body(WIRE_SIGNED_FIXED) = static_cast<uint8_t>(less.body(WIRE_SIGNED_FIXED) + 8);
    EXPECT_EQ(less.refusal(), WIRE_REFUSED_MESSAGE_LENGTH);
    Envelope none;
    wire_view view = none.view();
    view.bytes = WIRE_SIGNED_FIXED + WIRE_MESSAGE_BYTES - 1;
    wire_signed ignored;
    EXPECT_EQ(wire_get_signed(&view, &ignored), WIRE_REFUSED_MESSAGE_SHORT);
}
