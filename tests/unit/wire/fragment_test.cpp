#include "tests/unit/wire/wire_fixture.h"

#include <algorithm>
#include <random>

namespace
{

// A request of one large command, as its sender sees it, and the encoded message as a dumb twin
// would make it.
struct Large {
    explicit Large(uint32_t value_bytes, uint64_t id = 9, uint32_t frame_bytes = 700)
        : head(WIRE_REQUEST_HEAD_BYTES)
    {
        std::mt19937_64 chance(value_bytes);
        std::string value(value_bytes, 0);
        for (char &c : value)
            c = static_cast<char>(chance());
        body = encoded(command_of(WIRE_OP_SET, "key", value));
        wire_request request = {};
        request.group = 6;
        request.client = 1;
        request.session = 2;
        wire_request_head(head.data(), &request, 3, static_cast<uint32_t>(body.size()));
        wire_cut_begin(&cut, id, head.data(), WIRE_REQUEST_HEAD_BYTES, body.data(),
                       static_cast<uint32_t>(body.size()), frame_bytes);
        whole = head;
        whole.insert(whole.end(), body.begin(), body.end());
        whole.resize((whole.size() + 7) / 8 * 8);
    }
    // Piece k as it arrives: decoded from a frame of its own, which the caller keeps.
    wire_fragment piece(uint32_t k, Frame &frame) const
    {
        EXPECT_TRUE(wire_put_fragment(&frame.writer, &cut, k));
        wire_view view = frame.only_view();
        wire_fragment fragment;
        EXPECT_EQ(wire_get_fragment(&view, &fragment), WIRE_OK);
        return fragment;
    }
    Bytes head, body, whole;
    wire_cut cut;
};

wire_view view_of(Bytes &body, uint8_t kind = WIRE_FRAGMENT, uint8_t flags = WIRE_REQUEST)
{
    wire_view view = {};
    view.kind = kind;
    view.flags = flags;
    view.group = 6;
    view.bytes = static_cast<uint32_t>(body.size());
    view.body = body.data();
    return view;
}

Bytes raw(uint64_t id, uint32_t offset, uint32_t total, uint32_t bytes, uint8_t fill = 1)
{
    Bytes body(16 + bytes, fill);
    memcpy(&body[0], &id, 8);
    memcpy(&body[8], &offset, 4);
    memcpy(&body[12], &total, 4);
    return body;
}

// The body must outlive the fragment.
wire_fragment fragment_of(Bytes &body)
{
    wire_view view = view_of(body);
    wire_fragment fragment;
    EXPECT_EQ(wire_get_fragment(&view, &fragment), WIRE_OK);
    return fragment;
}

enum wire_refusal refusal_of(Bytes body, uint8_t kind = WIRE_FRAGMENT, uint8_t flags = WIRE_REQUEST)
{
    Exact copy(body);
    wire_view view = view_of(body, kind, flags);
    view.body = copy.data.get();
    wire_fragment fragment;
    return wire_get_fragment(&view, &fragment);
}

} // namespace

TEST(WireFragment, AnyOrderWithDuplicatesGivesTheSameBytes)
{
    std::mt19937 chance(1);
    for (uint32_t value_bytes : {1u, 560u, 561u, 568u, 5000u, 40001u}) {
        Large large(value_bytes);
        ASSERT_EQ(large.cut.total, large.whole.size());
        for (int round = 0; round < 20; round++) {
            std::vector<uint32_t> order;
            for (uint32_t k = 0; k < large.cut.count; k++)
                order.insert(order.end(), 1 + chance() % 2, k);
            std::shuffle(order.begin(), order.end(), chance);
            Bytes buffer(large.cut.total, 0xEE);
            wire_assembly assembly;
            for (size_t i = 0; i < order.size(); i++) {
                Frame frame;
                wire_fragment fragment = large.piece(order[i], frame);
                if (i == 0)
                    wire_assembly_begin(&assembly, &fragment, buffer.data());
                ASSERT_EQ(wire_assembly_add(&assembly, &fragment), WIRE_OK);
            }
            ASSERT_EQ(assembly.missing_bytes, 0u);
            ASSERT_EQ(buffer, large.whole);
            wire_view view;
            ASSERT_EQ(wire_assembly_view(&assembly, &view), WIRE_OK);
            wire_request request;
            ASSERT_EQ(wire_get_request(&view, &request), WIRE_OK);
            EXPECT_EQ(request.count, 1u);
        }
    }
}

TEST(WireFragment, CommandBodyLeavesRoomForAnEntryHeader)
{
    Large large(5000);
    uint64_t sequence;
    uint32_t bytes;
    wire_view view = {};
    uint32_t offset = 0;
    ASSERT_EQ(wire_message_next(large.whole.data(), large.cut.total, &offset, &view), WIRE_OK);
    wire_request request;
    ASSERT_EQ(wire_get_request(&view, &request), WIRE_OK);
    const uint8_t *at = request.commands;
    const uint8_t *body = wire_next_command(&at, &sequence, &bytes);
    EXPECT_EQ(sequence, 3u);
    EXPECT_GE(body - large.whole.data(), static_cast<long>(WIRE_ENTRY_BYTES));
    EXPECT_EQ((body - large.whole.data()) % 8, 0);
}

TEST(WireFragment, HeadsAreWhatWholeMessagesBeginWith)
{
    Bytes value(301, 5), head(WIRE_REPLY_HEAD_BYTES);
    wire_reply reply = {};
    reply.group = 3;
    reply.client = 8;
    reply.session = 9;
    reply.route = 10;
    reply.leader = 2;
    reply.leader_ip = 11;
    reply.leader_port = 12;
    wire_result result = {};
    result.type = WIRE_BYTES;
    result.integer = 77;
    result.value = value.data();
    result.value_bytes = 301;
    Frame frame;
    ASSERT_TRUE(wire_put_reply(&frame.writer, &reply));
    ASSERT_TRUE(wire_put_result(&frame.writer, 5, &result));
    wire_reply_head(head.data(), &reply, 5, &result);
    EXPECT_EQ(memcmp(head.data(), frame.writer.data + WIRE_FRAME_BYTES, head.size()), 0);

    Bytes entry = entry_of(4, 1, WIRE_ENTRY_COMMAND, Bytes(100, 1)),
          raft_head(WIRE_RAFT_HEAD_BYTES);
    wire_raft raft = {};
    raft.kind = WIRE_APPEND;
    raft.group = 5;
    raft.term = 2;
    raft.index = 3;
    raft.round = 7;
    raft.entry_count = 1;
    raft.entry_bytes = static_cast<uint32_t>(entry.size());
    Frame append;
    ASSERT_NE(wire_put_raft(&append.writer, &raft), nullptr);
    wire_raft_head(raft_head.data(), &raft);
    EXPECT_EQ(memcmp(raft_head.data(), append.writer.data + WIRE_FRAME_BYTES, raft_head.size()), 0);

    wire_request request = {};
    request.group = 3;
    request.client = 8;
    request.session = 4;
    request.route = 2;
    std::string text(200, 'v');
    auto command = command_of(WIRE_OP_SET, "key", text);
    Frame with_request;
    Bytes request_head(WIRE_REQUEST_HEAD_BYTES);
    ASSERT_TRUE(wire_put_request(&with_request.writer, &request));
    ASSERT_TRUE(wire_put_command(&with_request.writer, 5, &command));
    wire_request_head(request_head.data(), &request, 5, wire_command_size(&command));
    EXPECT_EQ(memcmp(request_head.data(), with_request.writer.data + WIRE_FRAME_BYTES,
                     request_head.size()),
              0);
}

TEST(WireFragment, TheFirstPieceOfARequestSaysWhoAsks)
{
    Large large(3000);
    Frame first, second;
    wire_request request = {};
    uint64_t sequence = 0;
    wire_fragment piece = large.piece(0, first);
    ASSERT_TRUE(wire_peek_request(&piece, &request, &sequence));
    EXPECT_EQ(request.group, 6);
    EXPECT_EQ(request.client, 1u);
    EXPECT_EQ(request.session, 2u);
    EXPECT_EQ(sequence, 3u);
    piece.kind = WIRE_APPEND;
    EXPECT_FALSE(wire_peek_request(&piece, &request, &sequence)) << "of something else";
    piece.kind = WIRE_REQUEST;
    piece.bytes = WIRE_REQUEST_HEAD_BYTES - 8;
    EXPECT_FALSE(wire_peek_request(&piece, &request, &sequence)) << "too short to say";
    piece = large.piece(1, second);
    EXPECT_FALSE(wire_peek_request(&piece, &request, &sequence)) << "another piece";
}

TEST(WireFragment, TheLargestMessageTravels)
{
    Bytes entry(WIRE_ENTRY_BYTES + WIRE_BODY_BYTES_MAX, 3), head(WIRE_RAFT_HEAD_BYTES);
    wire_raft raft = {};
    raft.kind = WIRE_APPEND;
    raft.entry_count = 1;
    raft.entry_bytes = static_cast<uint32_t>(entry.size());
    wire_raft_head(head.data(), &raft);
    wire_cut cut;
    wire_cut_begin(&cut, 1, head.data(), WIRE_RAFT_HEAD_BYTES, entry.data(), raft.entry_bytes,
                   WIRE_FRAGMENT_FRAME_BYTES_MIN);
    EXPECT_EQ(cut.total, WIRE_FRAGMENT_TOTAL_MAX);
    EXPECT_EQ(cut.unit, WIRE_FRAGMENT_UNIT_MIN);
    Bytes buffer(cut.total);
    wire_assembly assembly;
    for (uint32_t k = 0; k < cut.count; k++) {
        Frame frame(WIRE_FRAGMENT_FRAME_BYTES_MIN);
        ASSERT_TRUE(wire_put_fragment(&frame.writer, &cut, k));
        wire_view view = frame.only_view();
        wire_fragment fragment;
        ASSERT_EQ(wire_get_fragment(&view, &fragment), WIRE_OK);
        EXPECT_EQ(fragment.kind, WIRE_APPEND);
        if (k == 0)
            wire_assembly_begin(&assembly, &fragment, buffer.data());
        ASSERT_EQ(wire_assembly_add(&assembly, &fragment), WIRE_OK);
    }
    EXPECT_EQ(assembly.missing_bytes, 0u);
    EXPECT_EQ(memcmp(buffer.data() + WIRE_RAFT_HEAD_BYTES, entry.data(), entry.size()), 0);
}

TEST(WireFragment, RefusesPiecesOutsideTheirMessage)
{
    EXPECT_EQ(refusal_of(raw(1, 0, 2048, 1024)), WIRE_OK);
    EXPECT_EQ(refusal_of(raw(1, 0, 2048, 0)), WIRE_REFUSED_FRAGMENT) << "empty";
    EXPECT_EQ(refusal_of(raw(1, 2048, 2048, 8)), WIRE_REFUSED_FRAGMENT) << "behind the end";
    EXPECT_EQ(refusal_of(raw(1, 1536, 2048, 1024)), WIRE_REFUSED_FRAGMENT) << "over the end";
    EXPECT_EQ(refusal_of(raw(1, 0xfffffff8, 2048, 1024)), WIRE_REFUSED_FRAGMENT) << "offset wraps";
    EXPECT_EQ(refusal_of(raw(1, 0, 512, 1024)), WIRE_REFUSED_FRAGMENT) << "larger than its message";
    EXPECT_EQ(refusal_of(raw(1, 0, 8, 8)), WIRE_REFUSED_FRAGMENT) << "no room for a message header";
    EXPECT_EQ(refusal_of(raw(1, 0, WIRE_FRAGMENT_TOTAL_MAX, 1024)), WIRE_OK);
    EXPECT_EQ(refusal_of(raw(1, 0, WIRE_FRAGMENT_TOTAL_MAX + 8, 1024)), WIRE_REFUSED_FRAGMENT);
    EXPECT_EQ(refusal_of(raw(1, 0, 0xfffffff8, 1024)), WIRE_REFUSED_FRAGMENT);
    EXPECT_EQ(refusal_of(raw(1, 0, 2047, 1024)), WIRE_REFUSED_FRAGMENT) << "total not padded";
    EXPECT_EQ(refusal_of(raw(1, 0, 2048, 1023)), WIRE_REFUSED_FRAGMENT) << "piece not padded";
    EXPECT_EQ(refusal_of(raw(1, 1020, 2048, 1024)), WIRE_REFUSED_FRAGMENT) << "offset not aligned";
    EXPECT_EQ(refusal_of(raw(1, 0, 2048, 504)), WIRE_REFUSED_FRAGMENT) << "too small";
    EXPECT_EQ(refusal_of(raw(1, 520, 2048, 1024)), WIRE_REFUSED_FRAGMENT)
        << "no multiple of its size";
    EXPECT_EQ(refusal_of(Bytes(15, 0)), WIRE_REFUSED_MESSAGE_SHORT);
    EXPECT_EQ(refusal_of(raw(1, 0, 2048, 1024), WIRE_REQUEST), WIRE_REFUSED_MESSAGE_KIND);
    for (int inner : {0, static_cast<int>(WIRE_FRAGMENT), static_cast<int>(WIRE_SIGNED),
                      static_cast<int>(WIRE_KIND_COUNT), 255})
        EXPECT_EQ(refusal_of(raw(1, 0, 2048, 1024), WIRE_FRAGMENT, static_cast<uint8_t>(inner)),
                  WIRE_REFUSED_FRAGMENT);
}

TEST(WireFragment, RefusesPiecesThatDisagree)
{
    Bytes first = raw(1, 0, 4096, 1024), buffer(4096);
    wire_fragment good = fragment_of(first);
    wire_assembly assembly;
    wire_assembly_begin(&assembly, &good, buffer.data());
    ASSERT_EQ(wire_assembly_add(&assembly, &good), WIRE_OK);
    auto refused = [&](Bytes body) {
        wire_fragment fragment = fragment_of(body);
        return wire_assembly_add(&assembly, &fragment) == WIRE_REFUSED_FRAGMENT;
    };
    EXPECT_TRUE(refused(raw(1, 0, 4096, 1024, 2))) << "other bytes in the same place";
    EXPECT_TRUE(refused(raw(1, 1024, 4096, 512))) << "another size";
    EXPECT_TRUE(refused(raw(2, 1024, 4096, 1024))) << "another id";
    EXPECT_TRUE(refused(raw(1, 1024, 8192, 1024))) << "another total";
    EXPECT_TRUE(refused(raw(1, 3584, 4096, 512))) << "a last piece that begins elsewhere";
    EXPECT_FALSE(refused(raw(1, 3072, 4096, 1024)));
    EXPECT_TRUE(refused(raw(1, 3072, 4096, 1024, 2)));
    wire_fragment other = good;
    other.group = 7;
    EXPECT_EQ(wire_assembly_add(&assembly, &other), WIRE_REFUSED_FRAGMENT);
    other = good;
    other.kind = WIRE_REPLY;
    EXPECT_EQ(wire_assembly_add(&assembly, &other), WIRE_REFUSED_FRAGMENT);
    EXPECT_EQ(assembly.missing_bytes, 2048u) << "refusals change nothing";
}

TEST(WireFragment, TheLastPieceMayComeFirstAndSetsTheSize)
{
    Bytes last = raw(1, 3072, 3072 + 520, 520), buffer(3592);
    wire_fragment tail = fragment_of(last);
    wire_assembly assembly;
    wire_assembly_begin(&assembly, &tail, buffer.data());
    ASSERT_EQ(wire_assembly_add(&assembly, &tail), WIRE_OK);
    Bytes small = raw(1, 0, 3592, 512), odd = raw(1, 0, 3592, 1032), right = raw(1, 0, 3592, 1024);
    Bytes other_last = raw(1, 2048, 3592, 1544);
    wire_fragment fragment = fragment_of(small);
    EXPECT_EQ(wire_assembly_add(&assembly, &fragment), WIRE_REFUSED_FRAGMENT)
        << "last would be the larger";
    fragment = fragment_of(odd);
    EXPECT_EQ(wire_assembly_add(&assembly, &fragment), WIRE_REFUSED_FRAGMENT)
        << "last would begin within";
    fragment = fragment_of(other_last);
    EXPECT_EQ(wire_assembly_add(&assembly, &fragment), WIRE_REFUSED_FRAGMENT) << "two last pieces";
    fragment = fragment_of(right);
    EXPECT_EQ(wire_assembly_add(&assembly, &fragment), WIRE_OK);
    EXPECT_EQ(assembly.missing_bytes, 2048u);
}

TEST(WireFragment, RefusesAWholeThatIsNoMessage)
{
    auto whole = [](Bytes message, uint8_t said_kind, uint16_t said_group) {
        wire_fragment fragment = {};
        fragment.id = 1;
        fragment.data = message.data();
        fragment.total = fragment.bytes = static_cast<uint32_t>(message.size());
        fragment.kind = said_kind;
        fragment.group = said_group;
        Bytes buffer(message.size());
        wire_assembly assembly;
        wire_assembly_begin(&assembly, &fragment, buffer.data());
        EXPECT_EQ(wire_assembly_add(&assembly, &fragment), WIRE_OK);
        EXPECT_EQ(assembly.missing_bytes, 0u);
        wire_view view;
        return wire_assembly_view(&assembly, &view);
    };
    Bytes message = Large(100).whole;
    EXPECT_EQ(whole(message, WIRE_REQUEST, 6), WIRE_OK);
    EXPECT_EQ(whole(message, WIRE_REPLY, 6), WIRE_REFUSED_FRAGMENT);
    EXPECT_EQ(whole(message, WIRE_REQUEST, 7), WIRE_REFUSED_FRAGMENT);
    Bytes longer = message;
    longer.resize(message.size() + 16);
    EXPECT_EQ(whole(longer, WIRE_REQUEST, 6), WIRE_REFUSED_FRAGMENT) << "more than one message";
    EXPECT_EQ(whole(Bytes(64, 0xff), WIRE_REQUEST, 6), WIRE_REFUSED_MESSAGE_LENGTH);
}
