/* Values that outgrow a frame, in both directions, at one lane. */
#include "tests/unit/pipeline/lane_fixture.h"

#include <map>

namespace
{

const std::string key = "key";

class Large : public Lane
{
  protected:
    /* A request of one command, cut as the client machine cuts it. */
    static std::vector<std::vector<uint8_t>> cut(uint64_t session, uint64_t sequence, uint64_t id,
                                                 const struct wire_command &command)
    {
        std::vector<std::vector<uint8_t>> pieces;
        std::vector<uint8_t> body(wire_command_size(&command));
        wire_command_encode(&command, body.data());
        uint8_t head[WIRE_REQUEST_HEAD_BYTES];
        struct wire_request request = {};
        request.client = 9;
        request.session = session;
        wire_request_head(head, &request, sequence, static_cast<uint32_t>(body.size()));
        struct wire_cut cut;
        wire_cut_begin(&cut, id, head, sizeof head, body.data(), static_cast<uint32_t>(body.size()),
                       1472);
        for (uint32_t k = 0; k < cut.count; k++) {
            std::vector<uint8_t> payload(1472);
            struct wire_frame header = {};
            header.from = WIRE_NODE_CLIENT;
            struct wire_writer writer;
            wire_frame_begin(&writer, payload.data(), 1472, &header);
            EXPECT_TRUE(wire_put_fragment(&writer, &cut, k));
            payload.resize(writer.bytes);
            pieces.push_back(payload);
        }
        return pieces;
    }

    void ask_large(uint64_t session, uint64_t sequence, const struct wire_command &command)
    {
        for (const auto &piece : cut(session, sequence, session << 32 | sequence, command))
            port.arriving.push_back({client_peer, piece});
        pass(5);
    }
};

TEST_F(Large, AValueOfOneMebibyteComesInAndGoesOut)
{
    lead();
    uint64_t session = open_session(71);
    std::string value(WIRE_VALUE_BYTES_MAX, 'v');
    ask_large(session, 1, make(WIRE_OP_SET, key, value));
    std::vector<Answer> all = answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].status, WIRE_DONE);
    ask(0, 9, make(WIRE_OP_GET, key, ""));
    pass(40);
    std::vector<uint8_t> memory(WIRE_FRAGMENT_TOTAL_MAX);
    struct wire_assembly assembly = {};
    for (const Packet &packet : port.sent) {
        uint32_t offset = WIRE_FRAME_BYTES;
        struct wire_view message;
        struct wire_fragment fragment;
        ASSERT_EQ(wire_message_next(packet.bytes.data(), static_cast<uint32_t>(packet.bytes.size()),
                                    &offset, &message),
                  WIRE_OK);
        ASSERT_EQ(wire_get_fragment(&message, &fragment), WIRE_OK);
        if (assembly.buffer == nullptr)
            wire_assembly_begin(&assembly, &fragment, memory.data());
        EXPECT_EQ(wire_assembly_add(&assembly, &fragment), WIRE_OK);
    }
    EXPECT_EQ(assembly.missing_bytes, 0u);
    port.sent.clear();
}

TEST_F(Large, ASmallAnswerDoesNotWaitForLargeOnesUnlessThereAreTooMany)
{
    lead();
    uint64_t session = open_session(71);
    std::string value(WIRE_VALUE_BYTES_MAX, 'v');
    ask_large(session, 1, make(WIRE_OP_SET, key, value));
    port.sent.clear();
    ASSERT_EQ(one(session, 2, make(WIRE_OP_SET, "small", "s")).status, WIRE_DONE);
    port.sent.clear();
    ask(0, 9, make(WIRE_OP_GET, key, ""));
    EXPECT_EQ(one(0, 10, make(WIRE_OP_GET, "small", "")).value, "s");
    ask(0, 11, make(WIRE_OP_GET, key, ""));
    port.sent.clear();
    ask(0, 12, make(WIRE_OP_GET, "small", "")); /* two large ones are under way: this one waits */
    EXPECT_TRUE(answers().empty());
    pass(80);
    std::vector<Answer> all = answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].value, "s");
}

TEST_F(Large, LargeAnswersLeaveInBursts)
{
    lead();
    uint64_t session = open_session(71);
    ask_large(session, 1, make(WIRE_OP_SET, key, std::string(WIRE_VALUE_BYTES_MAX, 'v')));
    port.sent.clear();
    ask(0, 9, make(WIRE_OP_GET, key, ""));
    for (uint64_t turn = 0; turn < 40; turn++) {
        EXPECT_LE(port.sent.size(), 64u + 1) << turn; /* the two polls of ask, and a hello */
        port.sent.clear();
        pass(1);
    }
}

/* A SCAN's answer lies where the next read writes: it must be kept until its last piece has
 * left. */
TEST_F(Large, AScanIsNotOverwrittenByTheNextOne)
{
    lead();
    uint64_t session = open_session(71), sequence = 0;
    for (char letter : {'a', 'b'})
        for (uint32_t i = 0; i < 150; i++) {
            std::string name = std::string(400, letter) + std::to_string(i);
            ASSERT_EQ(one(session, ++sequence, make(WIRE_OP_SET, name, "")).status, WIRE_DONE);
        }
    const std::string values[2] = {"\xff\xff\xff\xff"
                                   "a*",
                                   "\xff\xff\xff\xff"
                                   "b*"};
    for (uint64_t i = 0; i < 2; i++)
        send(0, 9001 + i, make(WIRE_OP_SCAN, "", values[i]));
    pass(40);
    std::map<uint64_t, std::string> bytes;
    for (const Packet &packet : port.sent) {
        uint32_t offset = WIRE_FRAME_BYTES;
        struct wire_view message;
        struct wire_fragment fragment;
        auto size = static_cast<uint32_t>(packet.bytes.size());
        if (wire_message_next(packet.bytes.data(), size, &offset, &message) != WIRE_OK ||
            wire_get_fragment(&message, &fragment) != WIRE_OK)
            continue;
        bytes[fragment.id].append(reinterpret_cast<const char *>(fragment.data), fragment.bytes);
    }
    ASSERT_EQ(bytes.size(), 2u);
    EXPECT_EQ(bytes.begin()->second.find("bbbb"), std::string::npos);
    EXPECT_EQ(bytes.rbegin()->second.find("aaaa"), std::string::npos);
    EXPECT_NE(bytes.begin()->second.find("aaaa"), std::string::npos);
    EXPECT_NE(bytes.rbegin()->second.find("bbbb"), std::string::npos);
}

/* One of three, elected by member 3. */
class LargeLeader : public Large
{
  protected:
    void grant(uint8_t kind, uint8_t reply_kind)
    {
        struct wire_raft asked, grant = {};
        ASSERT_TRUE(told(3, kind, &asked));
        grant.kind = reply_kind;
        grant.flags = WIRE_RAFT_GRANTED;
        grant.term = asked.term;
        grant.round = asked.round;
        tell(3, grant);
    }

    void win()
    {
        start(3);
        pass(250);
        grant(WIRE_PREVOTE, WIRE_PREVOTE_REPLY);
        grant(WIRE_VOTE, WIRE_VOTE_REPLY);
        acknowledge();
        pass(2);
        port.sent.clear();
    }

    size_t pieces_to(uint16_t member) const
    {
        size_t pieces = 0;
        for (const Packet &packet : port.sent) {
            uint32_t offset = WIRE_FRAME_BYTES;
            struct wire_view message;
            auto size = static_cast<uint32_t>(packet.bytes.size());
            pieces += packet.peer.ip == 0x0a4d0000u + member &&
                      wire_message_next(packet.bytes.data(), size, &offset, &message) == WIRE_OK &&
                      message.kind == WIRE_FRAGMENT;
        }
        return pieces;
    }
};

TEST_F(LargeLeader, PiecesWaitWhileTheDeviceTakesNoFrames)
{
    win();
    ask(0, 71, [] {
        struct wire_command command = {};
        command.op = WIRE_OP_REGISTER;
        command.argument = 71;
        return command;
    }());
    acknowledge();
    pass(2);
    std::vector<Answer> all = answers();
    ASSERT_EQ(all.size(), 1u);
    port.waiting = 3;
    ask_large(static_cast<uint64_t>(all[0].integer), 1,
              make(WIRE_OP_SET, key, std::string(WIRE_VALUE_BYTES_MAX, 'v')));
    EXPECT_EQ(pieces_to(3), 0u);
    port.waiting = 0;
    pass(2); /* tx learns it, then seal */
    EXPECT_GT(pieces_to(3), WIRE_VALUE_BYTES_MAX / 1472);
}

/* A leader that does not stop where it should must not stop its followers. */
TEST_F(Large, AnEntryInPiecesBeyondTheWindowIsRefusedByName)
{
    tweak = [](struct lane_config &lane_config) { lane_config.entries_max = 16; };
    start(3);
    poll();
    struct wire_raft append = {};
    append.kind = WIRE_APPEND;
    append.term = 1;
    append.round = 1;
    append.entry_count = 16;
    std::string entries;
    for (uint64_t i = 1; i <= 16; i++)
        entries += entry(WIRE_ENTRY_NOOP, i, 1, 0, 0);
    tell(2, append, entries);
    ASSERT_EQ(log_last_index(lane_log(lane, 0)), 16u);
    struct wire_command command = make(WIRE_OP_SET, key, std::string(2000, 'v'));
    std::string large = entry(WIRE_ENTRY_COMMAND, 17, 1, 0, 0, &command);
    append.index = 16;
    append.log_term = 1;
    append.entry_count = 1;
    append.entry_bytes = static_cast<uint32_t>(large.size());
    uint8_t head[WIRE_RAFT_HEAD_BYTES];
    wire_raft_head(head, &append);
    struct wire_cut cut;
    wire_cut_begin(&cut, 1, head, sizeof head, reinterpret_cast<const uint8_t *>(large.data()),
                   append.entry_bytes, 1472);
    for (uint32_t k = 0; k < cut.count; k++)
        put_from(2, [&cut, k](struct wire_writer *writer) {
            EXPECT_TRUE(wire_put_fragment(writer, &cut, k));
        });
    EXPECT_EQ(counted(LANE_LOG_FULL), 1u);
    EXPECT_EQ(log_last_index(lane_log(lane, 0)), 16u);
}

/* Three values at once, piece by piece, from one sender: two come through, the third is told to
 * come again. */
TEST_F(Large, AThirdValueOfOnePeerIsToldToComeAgain)
{
    lead();
    uint64_t session[3];
    std::vector<std::vector<uint8_t>> pieces[3];
    for (uint64_t i = 0; i < 3; i++) {
        session[i] = open_session(71 + i);
        pieces[i] = cut(session[i], 1, session[i], make(WIRE_OP_SET, key, std::string(9000, 'v')));
    }
    for (size_t k = 0; k < pieces[0].size(); k++) {
        for (const auto &message : pieces)
            port.arriving.push_back({client_peer, message[k]});
        pass(1);
    }
    std::vector<Answer> all = answers();
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].status, WIRE_BUSY);
    EXPECT_EQ(all[1].status, WIRE_DONE);
    EXPECT_EQ(all[2].status, WIRE_DONE);
    EXPECT_EQ(counted(LANE_REASSEMBLY_FULL), pieces[2].size() - 1) << "its last piece finds room";
    EXPECT_EQ(state_session_next(lane_state(lane, 0), session[2]), 1u);
    for (const auto &piece : pieces[2])
        port.arriving.push_back({client_peer, piece});
    pass(1);
    all = answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].status, WIRE_DONE);
}

TEST_F(Large, WhatHasStoppedComingGivesWay)
{
    lead();
    uint64_t session = open_session(71);
    for (uint64_t i = 1; i <= 2; i++)
        port.arriving.push_back(
            {client_peer, cut(session, i, i, make(WIRE_OP_SET, key, std::string(9000, 'v')))[0]});
    pass(30);
    ask_large(session, 1, make(WIRE_OP_SET, key, std::string(9000, 'v')));
    std::vector<Answer> all = answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].status, WIRE_DONE);
}

/* One piece, again and again, must not keep its slot in the way of everybody else's entries. */
TEST_F(Large, APieceThatIsRepeatedForEverDoesNotFillTheLog)
{
    lead();
    uint64_t session = open_session(71);
    auto stuck = cut(session, 9, 1, make(WIRE_OP_SET, key, std::string(2000, 's')));
    const struct endpoint other = {0x0a4dff02u, 7601, 7700};
    std::string value(1000, 'v');
    uint64_t done = 0, count = 40000; /* three times the log */
    for (uint64_t i = 1; i <= count; i++) {
        if (i % 100 == 1)
            port.arriving.push_back({other, stuck[0]});
        ask(session, i, make(WIRE_OP_SET, key, value));
        for (const Answer &answer : answers())
            done += answer.status == WIRE_DONE;
        view_synchronize();
        ASSERT_EQ(done, i);
    }
}

} // namespace
