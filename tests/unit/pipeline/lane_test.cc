/* One lane behind a port without a wire: what it answers, and what it refuses, by name. */
#include "tests/unit/pipeline/lane_fixture.h"

namespace
{

const std::string key = "key";

TEST_F(Lane, ExecutesAndAnswers)
{
    lead();
    uint64_t session = open_session(71);
    EXPECT_EQ(one(session, 1, make(WIRE_OP_SET, key, "value")).status, WIRE_DONE);
    Answer read = one(0, 500, make(WIRE_OP_GET, key, ""));
    EXPECT_EQ(read.status, WIRE_DONE);
    EXPECT_EQ(read.value, "value");
    EXPECT_EQ(read.sequence, 500u);
}

TEST_F(Lane, ExecutesASequenceOnceHoweverOftenItComes)
{
    lead();
    uint64_t session = open_session(71);
    struct wire_command add = make(WIRE_OP_INCRBY, key, "");
    add.argument = 5;
    EXPECT_EQ(one(session, 1, add).integer, 5);
    EXPECT_EQ(one(session, 1, add).integer, 5);
    EXPECT_EQ(one(session, 2, add).integer, 10);
    EXPECT_EQ(one(session, 1, add).integer, 5);
}

TEST_F(Lane, RefusesASequenceAheadOfItsSession)
{
    lead();
    uint64_t session = open_session(71);
    Answer answer = one(session, 4, make(WIRE_OP_SET, key, "early"));
    EXPECT_EQ(answer.status, WIRE_OUT_OF_ORDER);
    EXPECT_EQ(answer.integer, 1);
    EXPECT_EQ(counted(LANE_CLIENT_OUT_OF_ORDER), 1u);
}

TEST_F(Lane, RefusesASessionThatIsNotOpen)
{
    lead();
    EXPECT_EQ(one(4711, 1, make(WIRE_OP_SET, key, "lost")).status, WIRE_SESSION_EXPIRED);
    EXPECT_EQ(counted(LANE_CLIENT_SESSION_EXPIRED), 1u);
}

TEST_F(Lane, RefusesCommandsThatDoNotDecodeAndWritesWithoutASession)
{
    lead();
    struct wire_command odd = make(WIRE_OP_SET, key, "x");
    odd.op = 99;
    EXPECT_EQ(one(0, 1, odd).status, WIRE_BAD_COMMAND);
    EXPECT_EQ(counted(LANE_CLIENT_BAD_COMMAND), 1u);
    EXPECT_EQ(one(0, 2, make(WIRE_OP_SET, key, "x")).status, WIRE_BAD_COMMAND);
    EXPECT_EQ(one(0, 3, make(WIRE_OP_GET, std::string(513, 'k'), "")).status, WIRE_TOO_BIG);
    uint64_t refused[WIRE_REFUSAL_COUNT];
    lane_wire_counters(lane, refused);
    EXPECT_EQ(refused[WIRE_REFUSED_COMMAND], 1u);
    EXPECT_EQ(refused[WIRE_REFUSED_KEY_BYTES], 1u);
}

TEST_F(Lane, AnswersAValueLargerThanAFrameInPieces)
{
    lead();
    uint64_t session = open_session(71);
    std::string half(1000, 'a');
    ASSERT_EQ(one(session, 1, make(WIRE_OP_SET, key, half)).status, WIRE_DONE);
    ASSERT_EQ(one(session, 2, make(WIRE_OP_APPEND, key, half)).status, WIRE_DONE);
    ask(0, 9, make(WIRE_OP_GET, key, ""));
    EXPECT_EQ(port.sent.size(), 2u);
    uint32_t offset = WIRE_FRAME_BYTES;
    struct wire_view message;
    ASSERT_EQ(wire_message_next(port.sent[0].bytes.data(),
                                static_cast<uint32_t>(port.sent[0].bytes.size()), &offset,
                                &message),
              WIRE_OK);
    EXPECT_EQ(message.kind, WIRE_FRAGMENT);
}

TEST_F(Lane, ExpiresKeysByLogTimeWhileNobodyWrites)
{
    lead();
    uint64_t session = open_session(71);
    struct wire_command set = make(WIRE_OP_SET, key, "brief");
    set.argument = 50;
    ASSERT_EQ(one(session, 1, set).status, WIRE_DONE);
    EXPECT_EQ(one(0, 9, make(WIRE_OP_GET, key, "")).value, "brief");
    pass(200);
    EXPECT_EQ(one(0, 10, make(WIRE_OP_GET, key, "")).type, WIRE_NIL);
    struct lane_group_status status;
    ASSERT_TRUE(lane_group_status(lane, 0, &status));
    EXPECT_EQ(status.keys, 0u);
}

TEST_F(Lane, LogTimeDoesNotFollowAWallClockThatJumps)
{
    lead();
    uint64_t session = open_session(71);
    struct wire_command set = make(WIRE_OP_SET, key, "kept");
    set.argument = 3600 * 1000;
    ASSERT_EQ(one(session, 1, set).status, WIRE_DONE);
    port.wall_ms += 24 * 3600 * 1000;
    ASSERT_EQ(one(session, 2, make(WIRE_OP_SET, "other", "x")).status, WIRE_DONE);
    EXPECT_EQ(one(0, 9, make(WIRE_OP_GET, key, "")).value, "kept");
}

TEST_F(Lane, TellsClientsThatItDoesNotLead)
{
    start(3);
    poll();
    EXPECT_EQ(one(0, 1, make(WIRE_OP_GET, key, "")).status, WIRE_NOT_LEADER);
    EXPECT_EQ(counted(LANE_CLIENT_NOT_LEADER), 1u);
}

TEST_F(Lane, BeforeBootstrapItServesNobodyAndVotesForNobody)
{
    start(3, false);
    poll();
    EXPECT_EQ(one(0, 1, make(WIRE_OP_GET, key, "")).status, WIRE_NOT_LEADER);
    from_member([](struct wire_frame &) {}, WIRE_VOTE);
    EXPECT_EQ(counted(LANE_NOT_BOOTSTRAPPED), 1u);
    pass(1000);
    EXPECT_TRUE(port.sent.empty()) << "no vote is asked for or granted";
}

TEST_F(Lane, RefusesMembersByName)
{
    start(3);
    poll();
    from_member([](struct wire_frame &frame) { frame.cluster = 0xdead; });
    EXPECT_EQ(counted(LANE_FOREIGN_CLUSTER), 1u);
    from_member([](struct wire_frame &frame) { frame.from = 17; });
    from_member([](struct wire_frame &frame) { frame.from = 1; });
    EXPECT_EQ(counted(LANE_STRANGER), 2u);
    from_member([](struct wire_frame &frame) { frame.incarnation ^= 1; }, WIRE_VOTE);
    EXPECT_EQ(counted(LANE_INCARNATION), 1u);
    from_member([](struct wire_frame &frame) { frame.config_hash ^= 1; }, WIRE_VOTE);
    EXPECT_EQ(counted(LANE_CONFIGURATION), 1u);
    from_member([](struct wire_frame &) {});
    from_member([](struct wire_frame &frame) { frame.sequence -= 1; });
    EXPECT_EQ(counted(LANE_REPLAY), 1u);
    from_member([](struct wire_frame &) {}, WIRE_APPEND, 5);
    EXPECT_EQ(counted(LANE_FOREIGN_GROUP), 1u);
}

TEST_F(Lane, RefusesGarbageAndTruncatedFramesWithoutLosingAFrame)
{
    lead();
    uint64_t session = open_session(71);
    ask(session, 1, make(WIRE_OP_SET, key, "value"));
    struct wire_command set = make(WIRE_OP_SET, key, "value");
    std::vector<uint8_t> payload(1472);
    struct wire_frame header = {};
    header.from = WIRE_NODE_CLIENT;
    struct wire_writer writer;
    wire_frame_begin(&writer, payload.data(), 1472, &header);
    struct wire_request request = {};
    request.session = session;
    (void)wire_put_request(&writer, &request);
    (void)wire_put_command(&writer, 2, &set);
    for (uint32_t cut = 0; cut < writer.bytes; cut++)
        port.arriving.push_back({client_peer, {payload.begin(), payload.begin() + cut}});
    for (uint32_t flip = 0; flip < writer.bytes; flip++) {
        std::vector<uint8_t> spoilt(payload.begin(), payload.begin() + writer.bytes);
        spoilt[flip] ^= 0xff;
        port.arriving.push_back({client_peer, spoilt});
    }
    pass(5);
    uint64_t refused[WIRE_REFUSAL_COUNT], sum = 0;
    lane_wire_counters(lane, refused);
    for (uint64_t count : refused)
        sum += count;
    EXPECT_GT(sum, writer.bytes / 2);
}

TEST_F(Lane, SplitRoomsWriteTheSameLogAndGiveTheSameAnswersAsFusedOnes)
{
    std::string first;
    for (bool split : {false, true}) {
        SetUp();
        lead();
        uint64_t session = open_session(71);
        for (uint64_t i = 1; i <= 200; i++) {
            std::string name = "k" + std::to_string(i % 7), value = "v" + std::to_string(i);
            std::vector<uint8_t> payload(1472);
            struct wire_frame header = {};
            header.from = WIRE_NODE_CLIENT;
            struct wire_writer writer;
            wire_frame_begin(&writer, payload.data(), 1472, &header);
            struct wire_request request = {};
            request.session = session;
            struct wire_command command =
                make(i % 3 == 0 ? WIRE_OP_APPEND : WIRE_OP_SET, name, value);
            (void)wire_put_request(&writer, &request);
            (void)wire_put_command(&writer, i, &command);
            payload.resize(writer.bytes);
            port.arriving.push_back({client_peer, payload});
            port.now_ns += 1000;
            split ? poll_split() : poll();
        }
        std::string story;
        for (const Answer &answer : answers())
            story += std::to_string(answer.sequence) + ":" + std::to_string(answer.status) +
                     answer.value + " ";
        const struct log *log = lane_log(lane, 0);
        for (uint64_t i = 1; i <= log_last_index(log); i++) {
            const struct wire_entry *entry = log_entry(log, i);
            story.append(reinterpret_cast<const char *>(entry), wire_entry_size(entry->body_bytes));
        }
        story += std::to_string(state_digest(lane_state(lane, 0)));
        if (!split)
            first = story;
        else
            EXPECT_EQ(story, first);
        if (!split)
            start_over();
    }
}

} // namespace
