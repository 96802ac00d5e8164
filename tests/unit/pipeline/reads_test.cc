/* Reads of a follower's own edge, whose frames come by a duct: answered here under an index that
 * the leader gave, or left to it. */
#include "tests/unit/pipeline/lane_fixture.h"

namespace
{

const std::string key = "key";
const uint32_t client_route = 7;

class Reads : public Lane
{
  protected:
    ~Reads() override
    {
        std::free(duct_memory);
    }

    /* Member 2 leads term 1; this node has applied one write of it, and stored a second. */
    void follow()
    {
        duct_memory = std::aligned_alloc(64, (duct_footprint(64, 1472) + 63) / 64 * 64);
        duct = duct_init(duct_memory, 64, 1472);
        tweak = [this](struct lane_config &lane_config) {
            lane_config.duct[0] = duct;
            lane_config.duct_count = 1;
        };
        start(3);
        poll();
        struct wire_command first = make(WIRE_OP_SET, key, "one"),
                            second = make(WIRE_OP_SET, key, "two");
        append(0, 0, 3, 4,
               entry(WIRE_ENTRY_NOOP, 1, 1, 0, 0) + entry(WIRE_ENTRY_REGISTER, 2, 1, 0, 71) +
                   entry(WIRE_ENTRY_COMMAND, 3, 1, SESSIONS_MAX, 1, &first) +
                   entry(WIRE_ENTRY_COMMAND, 4, 1, SESSIONS_MAX, 2, &second));
        pass(2);
        port.sent.clear();
    }

    void ask_edge(uint64_t sequence, struct wire_command command, uint64_t session = 0)
    {
        struct frame frame;
        ASSERT_EQ(duct_take(duct, DUCT_EDGE, &frame, 1), 1u);
        struct wire_frame header = {};
        header.from = WIRE_NODE_CLIENT;
        struct wire_writer writer;
        wire_frame_begin(&writer, frame.data, frame.capacity, &header);
        struct wire_request request = {};
        request.client = 9;
        request.session = session;
        request.route = client_route;
        ASSERT_TRUE(wire_put_request(&writer, &request));
        ASSERT_TRUE(wire_put_command(&writer, sequence, &command));
        frame.bytes = writer.bytes;
        frame.peer = {};
        duct_send(duct, DUCT_EDGE, &frame, 1);
        pass(2);
    }

    /* What the edge gets. */
    std::vector<Answer> edge_answers()
    {
        std::vector<Packet> kept;
        kept.swap(port.sent);
        struct frame frame;
        while (duct_receive(duct, DUCT_EDGE, &frame, 1) == 1) {
            const auto *data = static_cast<const uint8_t *>(frame.data);
            port.sent.push_back({frame.peer, std::vector<uint8_t>(data, data + frame.bytes)});
            duct_free(duct, DUCT_EDGE, &frame, 1);
        }
        std::vector<Answer> all = answers();
        port.sent.swap(kept);
        return all;
    }

    uint64_t question()
    {
        struct wire_raft asked = {};
        EXPECT_TRUE(told(2, WIRE_READ_INDEX, &asked));
        return asked.round;
    }

    void give(uint64_t nonce, uint64_t index)
    {
        struct wire_raft reply = {};
        reply.kind = WIRE_READ_INDEX_REPLY;
        reply.term = 1;
        reply.index = index;
        reply.round = nonce;
        tell(2, reply);
        pass(2);
    }

    static struct wire_command stale_get()
    {
        struct wire_command get = make(WIRE_OP_GET, key, "");
        get.flags = WIRE_READ_STALE;
        return get;
    }

    void *duct_memory = nullptr;
    struct duct *duct = nullptr;
};

TEST_F(Reads, OfItsEdgeAreAnsweredByAFollowerAtTheLeadersIndex)
{
    follow();
    ask_edge(500, make(WIRE_OP_GET, key, ""));
    EXPECT_TRUE(edge_answers().empty()) << "the leader is asked first";
    give(question(), 4);
    std::vector<Answer> all = edge_answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].sequence, 500u);
    EXPECT_EQ(all[0].value, "two") << "committed, as the answer said, before any heartbeat did";
    EXPECT_EQ(counted(LANE_CLIENT_READ_HERE), 1u);
    EXPECT_EQ(counted(LANE_CLIENT_FORWARDED), 0u);
}

TEST_F(Reads, WaitForEntriesThatHaveNotComeYet)
{
    follow();
    ask_edge(500, make(WIRE_OP_GET, key, ""));
    give(question(), 5);
    EXPECT_TRUE(edge_answers().empty());
    struct wire_command third = make(WIRE_OP_SET, key, "three");
    append(4, 1, 5, 1, entry(WIRE_ENTRY_COMMAND, 5, 1, SESSIONS_MAX, 3, &third));
    pass(2);
    std::vector<Answer> all = edge_answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].value, "three");
}

TEST_F(Reads, GoToTheLeaderWhileThisFollowerIsFarBehind)
{
    follow();
    ask_edge(500, make(WIRE_OP_GET, key, ""));
    uint64_t nonce = question();
    ask_edge(501, make(WIRE_OP_GET, key, "")); /* waits for the next question */
    give(nonce, 100000);
    std::vector<Answer> all = edge_answers();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].status, WIRE_NOT_LEADER);
    EXPECT_EQ(all[1].status, WIRE_NOT_LEADER) << "no later one goes another way while it waits";
    EXPECT_EQ(counted(LANE_CLIENT_READ_BEHIND), 2u);
    ask_edge(502, make(WIRE_OP_GET, key, ""));
    EXPECT_EQ(counted(LANE_CLIENT_FORWARDED), 1u);
    EXPECT_EQ(counted(LANE_CLIENT_READ_HERE), 2u) << "not the third one";
}

TEST_F(Reads, AreAskedAgainWhereTheLeaderIsGone)
{
    follow();
    ask_edge(500, make(WIRE_OP_GET, key, ""));
    pass(500);
    std::vector<Answer> all = edge_answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].status, WIRE_NOT_LEADER);
    EXPECT_EQ(counted(LANE_CLIENT_READ_LOST), 1u);
}

TEST_F(Reads, WritesAndRegistrationsGoToTheLeader)
{
    follow();
    ask_edge(1, make(WIRE_OP_SET, key, "x"), SESSIONS_MAX);
    struct wire_command open = {};
    open.op = WIRE_OP_REGISTER;
    open.argument = 72;
    ask_edge(2, open);
    ask_edge(3, make(WIRE_OP_GET, key, ""), SESSIONS_MAX); /* among the writes of a session */
    EXPECT_EQ(counted(LANE_CLIENT_FORWARDED), 3u);
    EXPECT_EQ(counted(LANE_CLIENT_READ_HERE), 0u);
}

TEST_F(Reads, OfTheNetworkAreNotAFollowersUnlessTheyMayBeStale)
{
    follow();
    EXPECT_EQ(one(0, 1, make(WIRE_OP_GET, key, "")).status, WIRE_NOT_LEADER);
    Answer stale = one(0, 2, stale_get());
    EXPECT_EQ(stale.status, WIRE_DONE);
    EXPECT_EQ(stale.value, "one") << "what is applied here";
    EXPECT_EQ(counted(LANE_CLIENT_READ_STALE), 1u);
}

TEST_F(Reads, ThatMayBeStaleNeedNoLeader)
{
    follow();
    pass(1000);
    ASSERT_EQ(raft_leader(lane_raft(lane, 0)), RAFT_NOBODY);
    ask_edge(500, stale_get());
    std::vector<Answer> all = edge_answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].value, "one");
}

} // namespace
