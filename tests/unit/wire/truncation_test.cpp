// Every message of every kind, cut at every byte: nothing is read behind the cut, and what lacks a
// byte is refused.
#include "tests/unit/wire/wire_fixture.h"

extern "C" {
#include "protocols/wire/chunk.h"
#include "protocols/wire/members.h"
#include "protocols/wire/signed.h"
}

namespace
{

bool accepted(const wire_view &view)
{
    wire_raft raft;
    wire_request request;
    wire_reply reply;
    wire_hello hello;
    wire_fragment fragment;
    wire_signed envelope;
    wire_snapshot snapshot;
    wire_chunk chunk;
    wire_chunk_ack ack;
    const uint8_t *entries;
    switch (view.kind) {
    case WIRE_HELLO:
        return wire_get_hello(&view, &hello) == WIRE_OK;
    case WIRE_REQUEST:
        return wire_get_request(&view, &request) == WIRE_OK;
    case WIRE_REPLY:
        return wire_get_reply(&view, &reply) == WIRE_OK;
    case WIRE_FRAGMENT:
        return wire_get_fragment(&view, &fragment) == WIRE_OK;
    case WIRE_SIGNED:
        return wire_get_signed(&view, &envelope) == WIRE_OK;
    case WIRE_SNAPSHOT:
        return wire_get_snapshot(&view, &snapshot) == WIRE_OK;
    case WIRE_SNAPSHOT_CHUNK:
        return wire_get_chunk(&view, &chunk) == WIRE_OK;
    case WIRE_SNAPSHOT_ACK:
        return wire_get_chunk_ack(&view, &ack) == WIRE_OK;
    default:
        return wire_get_raft(&view, &raft, &entries) == WIRE_OK;
    }
}

void add_chunks(std::vector<Bytes> *frames)
{
    Bytes data(600, 7);
    wire_chunk chunk = {0, {1, 1, 1, 600}, 0, 1024, 5, 600, data.data()};
    Frame with_chunk;
    memcpy(wire_put_chunk(&with_chunk.writer, &chunk), data.data(), data.size());
    frames->push_back(with_chunk.bytes());
    wire_chunk_ack ack = {0, {1, 1, 1, 600}, 1, 0, 2, WIRE_CHUNK_GOING};
    Frame with_ack;
    wire_put_chunk_ack(&with_ack.writer, &ack);
    frames->push_back(with_ack.bytes());
}

std::vector<Bytes> one_frame_of_each_kind()
{
    std::vector<Bytes> frames;
    wire_hello hello = {};
    hello.lane_count = 3;
    hello.port[0] = hello.port[1] = hello.port[2] = 1;
    Frame with_hello;
    wire_put_hello(&with_hello.writer, &hello);
    frames.push_back(with_hello.bytes());
    for (int kind = WIRE_PREVOTE; kind <= WIRE_READ_INDEX_REPLY; kind++) {
        if (kind > WIRE_TIMEOUT_NOW && kind < WIRE_READ_INDEX)
            continue; /* not Raft's, or with more behind it */
        Bytes entry = entry_of(1, 1, WIRE_ENTRY_COMMAND, Bytes(19, 1));
        wire_raft raft = {};
        raft.kind = static_cast<uint8_t>(kind);
        raft.group = 5;
        raft.term = 1;
        raft.entry_count = kind == WIRE_APPEND;
        raft.entry_bytes = kind == WIRE_APPEND ? static_cast<uint32_t>(entry.size()) : 0;
        Frame frame;
        uint8_t *to = wire_put_raft(&frame.writer, &raft);
        if (kind == WIRE_APPEND)
            memcpy(to, entry.data(), entry.size());
        frames.push_back(frame.bytes());
    }
    std::string key = "key", value = "value";
    auto command = command_of(WIRE_OP_SET, key, value);
    wire_request request = {};
    Frame with_request;
    wire_put_request(&with_request.writer, &request);
    wire_put_command(&with_request.writer, 1, &command);
    wire_put_command(&with_request.writer, 2, &command);
    frames.push_back(with_request.bytes());
    wire_reply reply = {};
    wire_result result = {};
    result.value_bytes = 5;
    result.value = command.value;
    Frame with_reply;
    wire_put_reply(&with_reply.writer, &reply);
    wire_put_result(&with_reply.writer, 1, &result);
    frames.push_back(with_reply.bytes());
    Bytes head(WIRE_REQUEST_HEAD_BYTES), body(1000, 7);
    wire_request_head(head.data(), &request, 1, 1000);
    wire_cut cut;
    wire_cut_begin(&cut, 9, head.data(), WIRE_REQUEST_HEAD_BYTES, body.data(), 1000, 700);
    Frame with_fragment;
    wire_put_fragment(&with_fragment.writer, &cut, 0);
    frames.push_back(with_fragment.bytes());
    Bytes enveloped = with_request.bytes();
    uint32_t bytes = static_cast<uint32_t>(enveloped.size());
    enveloped.resize(bytes + WIRE_SIGNED_BYTES);
    uint8_t signer[WIRE_KEY_BYTES] = {1}, *signature;
    wire_signed made;
    wire_wrap_signed(enveloped.data(), &bytes, bytes + WIRE_SIGNED_BYTES, 1, signer, &signature,
                     &made);
    frames.push_back(enveloped);
    wire_snapshot snapshot = {};
    snapshot.head.kind = WIRE_SNAPSHOT;
    snapshot.head.term = snapshot.head.log_term = snapshot.head.index = 1;
    snapshot.members.count = 2;
    snapshot.members.member[0] = {1, WIRE_ROLE_VOTER, WIRE_ROLE_NONE, 1};
    snapshot.members.member[1] = {2, WIRE_ROLE_LEARNER, WIRE_ROLE_NONE, 2};
    Frame with_snapshot;
    wire_put_snapshot(&with_snapshot.writer, &snapshot);
    frames.push_back(with_snapshot.bytes());
    add_chunks(&frames);
    return frames;
}

} // namespace

TEST(WireTruncation, FramesCutAnywhereAreRefused)
{
    std::vector<Bytes> frames = one_frame_of_each_kind();
    ASSERT_EQ(frames.size(), static_cast<size_t>(WIRE_KIND_COUNT - 1));
    for (const Bytes &whole : frames) {
        for (size_t bytes = WIRE_FRAME_BYTES + 1; bytes < whole.size(); bytes++) {
            Exact cut(Bytes(whole.begin(), whole.begin() + static_cast<long>(bytes)));
            uint32_t offset = WIRE_FRAME_BYTES;
            wire_view view;
            EXPECT_EQ(wire_message_next(cut.data.get(), cut.size, &offset, &view),
                      WIRE_REFUSED_MESSAGE_LENGTH);
        }
    }
}

TEST(WireTruncation, BodiesCutAnywhereAreRefused)
{
    for (const Bytes &whole : one_frame_of_each_kind()) {
        uint32_t offset = WIRE_FRAME_BYTES;
        wire_view view;
        ASSERT_EQ(
            wire_message_next(whole.data(), static_cast<uint32_t>(whole.size()), &offset, &view),
            WIRE_OK);
        Bytes body(view.body, view.body + view.bytes);
        Exact copy(body);
        view.body = copy.data.get();
        ASSERT_TRUE(accepted(view)) << int(view.kind);
        for (uint32_t bytes = 0; bytes < body.size(); bytes++) {
            // A shorter piece of a longer message can be a good first piece of that length.
            if (view.kind == WIRE_FRAGMENT && bytes >= 16 + WIRE_FRAGMENT_UNIT_MIN &&
                bytes % 8 == 0)
                continue;
            Exact cut(Bytes(body.begin(), body.begin() + bytes));
            view.body = cut.data.get();
            view.bytes = cut.size;
            EXPECT_FALSE(accepted(view)) << int(view.kind) << " at " << bytes;
        }
    }
}
