/* Which commands a leader lets into the log, when the log is full and when leadership changes
 * hands. */
#include "tests/unit/pipeline/lane_fixture.h"

namespace
{

const std::string key = "k";

class Admit : public Lane
{
  protected:
    static struct wire_command add()
    {
        struct wire_command command = make(WIRE_OP_INCRBY, key, "");
        command.argument = 1;
        return command;
    }

    /* One frame with one command for each number; nobody is polled. */
    void queue(uint64_t session, const std::vector<uint64_t> &sequences)
    {
        std::vector<uint8_t> payload(1472);
        struct wire_frame header = {};
        header.from = WIRE_NODE_CLIENT;
        struct wire_writer writer;
        wire_frame_begin(&writer, payload.data(), 1472, &header);
        struct wire_request request = {};
        request.client = 9;
        request.session = session;
        ASSERT_TRUE(wire_put_request(&writer, &request));
        struct wire_command command = add();
        for (uint64_t sequence : sequences)
            ASSERT_TRUE(wire_put_command(&writer, sequence, &command));
        payload.resize(writer.bytes);
        port.arriving.push_back({client_peer, payload});
    }

    static std::vector<uint64_t> span(uint64_t first, uint64_t last)
    {
        std::vector<uint64_t> numbers;
        for (uint64_t i = first; i <= last; i++)
            numbers.push_back(i);
        return numbers;
    }

    std::map<uint64_t, int> statuses()
    {
        std::map<uint64_t, int> all;
        for (const Answer &answer : answers())
            all[answer.sequence] = answer.status;
        return all;
    }
};

TEST_F(Admit, ARefusedRetryDoesNotTakeTheSequenceBackToWhatIsInTheLog)
{
    tweak = [](struct lane_config &lane_config) { lane_config.entries_max = 32; };
    lead();
    uint64_t session = open_session(71);
    queue(session, span(1, 5));
    pass(2);
    ASSERT_EQ(statuses().size(), 5u);
    /* 28 proposals fit. The retry of 3 is the first that does not. */
    std::vector<uint64_t> second = {31, 32, 33, 3};
    queue(session, span(6, 30));
    queue(session, second);
    pass(2);
    std::map<uint64_t, int> status = statuses();
    ASSERT_EQ(status[3], WIRE_BUSY);
    ASSERT_EQ(status[33], WIRE_DONE);
    queue(session, {34});
    pass(2);
    EXPECT_EQ(statuses()[34], WIRE_DONE);
}

/* Member 2 led and committed a session with three commands; then it handed over to this node. */
class HandedOver : public Admit
{
  protected:
    static constexpr uint64_t session = SESSIONS_MAX; /* the first that is opened */

    void take_over()
    {
        tweak = [](struct lane_config &lane_config) { lane_config.entries_max = 32; };
        start(3);
        poll();
        struct wire_command command = add();
        struct wire_raft append = {};
        append.kind = WIRE_APPEND;
        append.term = 1;
        append.round = 1;
        append.entry_count = 5;
        append.commit = 5;
        std::string entries =
            entry(WIRE_ENTRY_NOOP, 1, 1, 0, 0) + entry(WIRE_ENTRY_REGISTER, 2, 1, 0, 71);
        for (uint64_t i = 1; i <= 3; i++)
            entries += entry(WIRE_ENTRY_COMMAND, 2 + i, 1, session, i, &command);
        tell(2, append, entries);
        struct wire_raft now = {};
        now.kind = WIRE_TIMEOUT_NOW;
        now.term = 1;
        tell(2, now);
        struct wire_raft vote, grant = {};
        ASSERT_TRUE(told(3, WIRE_VOTE, &vote));
        EXPECT_EQ(vote.flags, WIRE_RAFT_TRANSFER);
        grant.kind = WIRE_VOTE_REPLY;
        grant.flags = WIRE_RAFT_GRANTED;
        grant.term = vote.term;
        grant.round = vote.round;
        tell(3, grant);
        acknowledge();
        pass(2);
        ASSERT_TRUE(raft_leader_ready(lane_raft(lane, 0)));
        ASSERT_EQ(state_session_next(lane_state(lane, 0), session), 4u);
        port.sent.clear();
    }
};

TEST_F(HandedOver, ARetryRefusedByTheNewLeaderDoesNotTakeItsSessionBack)
{
    take_over();
    queue(session, span(4, 31)); /* the window is full */
    queue(session, {2});
    pass(2);
    EXPECT_EQ(statuses()[2], WIRE_BUSY);
    acknowledge();
    pass(2);
    std::map<uint64_t, int> status = statuses();
    EXPECT_EQ(status.size(), 28u);
    queue(session, {32});
    queue(session, {2});
    pass(2);
    acknowledge();
    pass(2);
    status = statuses();
    EXPECT_EQ(status[32], WIRE_DONE);
    EXPECT_EQ(status[2], WIRE_DONE) << "from its session's answers";
}

TEST_F(HandedOver, OfAFrameThatFitsInPartTheRestIsAskedForAgainInOrder)
{
    take_over();
    queue(session, span(4, 34));
    pass(2);
    std::map<uint64_t, int> status = statuses();
    for (uint64_t i = 32; i <= 34; i++)
        EXPECT_EQ(status[i], WIRE_BUSY);
    acknowledge();
    pass(2);
    port.sent.clear();
    queue(session, {33});
    pass(2);
    std::vector<Answer> all = answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].status, WIRE_OUT_OF_ORDER);
    EXPECT_EQ(all[0].integer, 32);
}

} // namespace
