#include "tests/unit/client/client_fixture.h"

#include <algorithm>

class Reply : public ClientFixture
{
  protected:
    // A reply of one value, cut into frames.
    std::vector<Bytes> pieces_of(uint64_t sequence, const Bytes &value, uint64_t id, uint16_t group)
    {
        uint8_t head[WIRE_REPLY_HEAD_BYTES];
        wire_reply reply = {};
        reply.group = group;
        reply.client = config_.client;
        wire_result result = {};
        result.type = WIRE_BYTES;
        result.value = value.data();
        result.value_bytes = static_cast<uint32_t>(value.size());
        wire_reply_head(head, &reply, sequence, &result);
        wire_cut cut;
        wire_cut_begin(&cut, id, head, sizeof head, value.data(), result.value_bytes, 1000);
        std::vector<Bytes> frames;
        for (uint32_t k = 0; k < cut.count; k++) {
            Bytes payload(1000);
            wire_writer writer;
            wire_frame header = {};
            wire_frame_begin(&writer, payload.data(), 1000, &header);
            EXPECT_TRUE(wire_put_fragment(&writer, &cut, k));
            payload.resize(writer.bytes);
            frames.push_back(payload);
        }
        return frames;
    }
    std::vector<client_completion> receive_all(const std::vector<Bytes> &frames)
    {
        std::vector<client_completion> all;
        for (const Bytes &frame : frames)
            for (const client_completion &one :
                 receive(frame.data(), static_cast<uint32_t>(frame.size())))
                all.push_back(one);
        return all;
    }
    uint64_t send_read(uint64_t cookie)
    {
        get(cookie);
        std::vector<Sent> sent = emit();
        EXPECT_EQ(sent.size(), 1u);
        return sent[0].sequence;
    }
};

TEST_F(Reply, OfAnotherClientOrGroupIsIgnored)
{
    start(default_config());
    uint64_t nonce = send_read(1);
    client_config mine = config_;
    config_.client++;
    EXPECT_TRUE(reply(0, {{nonce, WIRE_DONE, 0}}).empty());
    config_ = mine;
    config_.group++;
    EXPECT_TRUE(reply(0, {{nonce, WIRE_DONE, 0}}).empty());
    config_ = mine;
    EXPECT_EQ(counter(CLIENT_REPLY_FOREIGN), 2u);
    EXPECT_EQ(reply(0, {{nonce, WIRE_DONE, 0}}).size(), 1u);
}

TEST_F(Reply, OfNoCommandIsCounted)
{
    start(default_config());
    open_session(77);
    set(1);
    set(2);
    emit();
    std::vector<Answer> strays = {{0, WIRE_DONE, 0},        {1, WIRE_DONE, 0},
                                  {4, WIRE_DONE, 0},        {1u << 31, WIRE_DONE, 0},
                                  {~0ull, WIRE_DONE, 0},    {1ull << 63, WIRE_DONE, 0},
                                  {~0ull - 1, WIRE_BUSY, 0}};
    EXPECT_TRUE(reply(77, strays).empty());
    EXPECT_EQ(counter(CLIENT_REPLY_STALE), strays.size());
    EXPECT_TRUE(reply(76, {{2, WIRE_DONE, 0}}).empty()) << "another session's";
    EXPECT_EQ(client_outstanding(client_), 2u);
}

/* A signature may be refused because its sender does not know the cluster yet; the refusal says
 * which it is. */
TEST_F(Reply, UnauthorizedIsAskedAgain)
{
    start(default_config());
    uint64_t nonce = send_read(1);
    EXPECT_TRUE(reply(0, {{nonce, WIRE_UNAUTHORIZED, 0}}).empty());
    EXPECT_EQ(counter(CLIENT_UNAUTHORIZED), 1u);
    now_ += 300 * kMs;
    std::vector<Sent> again = emit();
    ASSERT_EQ(again.size(), 1u);
    std::vector<client_completion> done = reply(0, {{again[0].sequence, WIRE_DONE, 7}});
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].outcome, CLIENT_DONE);
}

/* A write waits for a session that nobody opens; it ends with the reason, as long as that is the
 * last word. */
TEST_F(Reply, UnauthorizedIsTheReasonUntilSomebodyAnswers)
{
    for (bool answered : {false, true}) {
        start(default_config());
        set(1);
        uint64_t registration = emit()[0].sequence;
        EXPECT_TRUE(reply(0, {{registration, WIRE_UNAUTHORIZED, 0}}).empty());
        if (answered) {
            now_ += 300 * kMs;
            get(2);
            for (const Sent &sent : emit()) {
                if (sent.op != WIRE_OP_GET)
                    continue;
                EXPECT_EQ(reply(0, {{sent.sequence, WIRE_DONE, 0}}).size(), 1u);
            }
        }
        now_ += 1000 * kMs;
        std::vector<client_completion> done = tick();
        ASSERT_EQ(done.size(), 1u);
        EXPECT_EQ(done[0].outcome, CLIENT_REFUSED);
        EXPECT_EQ(done[0].result.status, answered ? WIRE_DONE : WIRE_UNAUTHORIZED);
    }
}

TEST_F(Reply, MalformedIsCounted)
{
    start(default_config());
    Bytes body(64, 0xff);
    client_completion completions[CLIENT_WINDOW_MAX];
    for (int kind = 0; kind < 256; kind++) {
        wire_view view = {};
        view.kind = static_cast<uint8_t>(kind);
        view.flags = WIRE_REPLY;
        view.bytes = 64;
        view.body = body.data();
        EXPECT_EQ(client_receive(client_, &view, now_, completions, CLIENT_WINDOW_MAX), 0u);
    }
    EXPECT_EQ(counter(CLIENT_REPLY_MALFORMED), 256u);
}

TEST_F(Reply, InPiecesIsPutTogether)
{
    start(default_config());
    Bytes value(6000);
    for (size_t i = 0; i < value.size(); i++)
        value[i] = static_cast<uint8_t>(i * 7);
    uint64_t nonce = send_read(1);
    std::vector<Bytes> frames = pieces_of(nonce, value, 5, config_.group);
    std::reverse(frames.begin(), frames.end());
    frames.insert(frames.begin() + 2, frames[0]);
    std::vector<client_completion> done = receive_all(frames);
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].outcome, CLIENT_DONE);
    EXPECT_EQ(Bytes(done[0].result.value, done[0].result.value + done[0].result.value_bytes),
              value);
}

TEST_F(Reply, LargerThanTheBufferIsRefused)
{
    start(default_config());
    uint64_t nonce = send_read(1);
    EXPECT_TRUE(receive_all(pieces_of(nonce, Bytes(9000, 1), 5, config_.group)).empty());
    EXPECT_GT(counter(CLIENT_REPLY_TOO_BIG), 0u);
    EXPECT_TRUE(receive_all(pieces_of(nonce, Bytes(900, 1), 6, 99)).empty()) << "of another group";
    EXPECT_GT(counter(CLIENT_REPLY_MALFORMED), 0u);
}

TEST_F(Reply, ASecondOneInPiecesWaitsUntilTheFirstIsSilent)
{
    start(default_config());
    uint64_t first = send_read(1), second = send_read(2);
    std::vector<Bytes> a = pieces_of(first, Bytes(3000, 1), 5, config_.group);
    std::vector<Bytes> b = pieces_of(second, Bytes(3000, 2), 6, config_.group);
    EXPECT_TRUE(receive_all({a[0], b[0], b[1]}).empty());
    EXPECT_EQ(receive_all(std::vector<Bytes>(a.begin() + 1, a.end())).size(), 1u);
    EXPECT_EQ(receive_all(b).size(), 1u);

    first = send_read(3);
    second = send_read(4);
    a = pieces_of(first, Bytes(3000, 1), 7, config_.group);
    b = pieces_of(second, Bytes(3000, 2), 8, config_.group);
    EXPECT_TRUE(receive_all({a[0]}).empty());
    EXPECT_TRUE(receive_all(b).empty());
    now_ += config_.retry_ns;
    EXPECT_EQ(receive_all(b).size(), 1u) << "the first has been silent";
}

TEST_F(Reply, ALargeCommandLeavesInPacedPieces)
{
    client_config config = default_config();
    config.command_bytes_max = 200000;
    start(config);
    open_session(77);
    ASSERT_TRUE(submit(WIRE_OP_SET, "k", 1, std::string(150000, 'v')));
    set(2);
    get(3);
    EXPECT_EQ(emit().size(), 1u) << "the read is not held up";
    uint32_t burst = pieces_;
    EXPECT_GT(burst, 0u);
    EXPECT_LE(burst, 32u);
    EXPECT_GT(client_wake_ns(client_), now_);
    std::vector<Sent> sent;
    for (int i = 0; i < 100 && sent.empty(); i++) {
        now_ = client_wake_ns(client_);
        sent = emit();
    }
    EXPECT_EQ(pieces_, (150000 + 16 + 1 + 56 + 1399) / 1400u);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].key, "w2") << "behind the large one";
    EXPECT_EQ(sent[0].sequence, 3u);
    EXPECT_EQ(reply(77, {{2, WIRE_DONE, 0}, {3, WIRE_DONE, 0}}).size(), 2u);
}

TEST_F(Reply, ALargeCommandThatEndsHalfWayIsLeftThere)
{
    client_config config = default_config();
    config.command_bytes_max = 200000;
    config.deadline_ns = kMs;
    start(config);
    open_session(77);
    ASSERT_TRUE(submit(WIRE_OP_SET, "k", 1, std::string(150000, 'v')));
    EXPECT_TRUE(emit().empty());
    uint32_t half = pieces_;
    EXPECT_GT(half, 0u);
    now_ += config.deadline_ns;
    std::vector<client_completion> done = tick();
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].outcome, CLIENT_UNCERTAIN) << "the rest might have left in another attempt";
    EXPECT_TRUE(emit().empty());
    EXPECT_EQ(pieces_, half);
    EXPECT_EQ(client_wake_ns(client_), UINT64_MAX);
}

TEST_F(Reply, PiecesBearOneIdPerCommandAndSession)
{
    start(default_config());
    for (uint64_t session : {77, 78}) {
        set(1);
        for (const Sent &one : emit())
            reply(0, {{one.sequence, WIRE_DONE, static_cast<int64_t>(session)}});
        ASSERT_TRUE(submit(WIRE_OP_SET, "k", 1, std::string(3000, 'v')));
        emit();
        now_ = client_wake_ns(client_);
        emit(); // the same number in the same session: the same bytes
        reply(session, {{1, WIRE_SESSION_EXPIRED, 0}});
    }
    EXPECT_GE(pieces_, 12u);
    EXPECT_EQ(piece_ids_.size(), 2u) << "number 2 of another session is another message";
}
