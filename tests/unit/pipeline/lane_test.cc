/* One lane behind a port without a wire: what it answers, and what it refuses, by name. */
#include "tests/unit/pipeline/fake_port.h"

extern "C" {
#include "dataplane/log/storage.h"
#include "dataplane/pipeline/lane.h"
}

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <sys/mman.h>

namespace
{

const uint64_t cluster_id = 0xc1u, config_hash = 0x77u, own_incarnation = 0x1001u;
const struct endpoint client_peer = {0x0a4dff01u, 7600, 7700};

struct Answer {
    uint64_t sequence;
    int status;
    int type;
    int64_t integer;
    std::string value;
};

class Lane : public ::testing::Test
{
  protected:
    void start(uint32_t members, bool bootstrapped = true)
    {
        view_thread_register();
        view_memory = std::aligned_alloc(64, (view_cell_footprint() + 63) / 64 * 64);
        view = {};
        view.epoch = 1;
        view.self = 1;
        view.group_count = 1;
        if (bootstrapped)
            bind(members);
        cell = view_cell_init(view_memory, &view);
        storage_memory = std::aligned_alloc(64, (storage_volatile_footprint() + 63) / 64 * 64);
        config = {};
        config.self = 1;
        config.lane_count = 1;
        config.group_count = 1;
        config.incarnation = own_incarnation;
        config.seed = 42;
        config.heartbeat_ns = 20000000;
        config.election_timeout_ns = 100000000;
        config.election_timeout_max_ns = 200000000;
        config.drift_ppm = 500;
        config.lease_reads = true;
        config.log_bytes = 16u << 20;
        config.entries_max = 1u << 16;
        config.state.keys_max = 1024;
        config.state.bytes_max = 16u << 20;
        config.state.session_ttl_ms = 60000;
        config.time_jump_max_ms = 5000;
        config.view = cell;
        config.queue = &port;
        config.storage = storage_volatile_init(storage_memory);
        config.clock = &port;
        bytes = lane_footprint(&config, nullptr);
        ASSERT_NE(bytes, 0u);
        memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT_NE(memory, MAP_FAILED);
        lane = lane_init(memory, &config);
    }

    void bind(uint32_t members)
    {
        view.cluster = cluster_id;
        view.config_hash = config_hash;
        view.member_count = static_cast<uint16_t>(members);
        for (uint32_t i = 0; i < members; i++) {
            struct view_member &member = view.member[i];
            member = {};
            member.id = static_cast<uint16_t>(i + 1);
            member.known = true;
            member.incarnation = own_incarnation + i;
            member.ip = 0x0a4d0001u + i;
            member.lane_count = 1;
            member.port[0] = 7700;
        }
    }

    void TearDown() override
    {
        if (lane != nullptr) {
            lane_fini(lane);
            EXPECT_EQ(port.out, 0u) << "every frame goes back";
            munmap(memory, bytes);
            view_thread_unregister();
        }
        std::free(view_memory);
        std::free(storage_memory);
    }

    void poll()
    {
        do {
            polls++;
            view_quiescent();
        } while (lane_poll(lane) != 0);
    }

    void pass(uint64_t ms)
    {
        for (uint64_t i = 0; i < ms; i++) {
            port.now_ns += 1000000;
            port.wall_ms += 1;
            poll();
        }
    }

    void lead()
    {
        start(1);
        pass(500);
        struct lane_group_status status;
        ASSERT_TRUE(lane_group_status(lane, 0, &status));
        ASSERT_EQ(status.role, RAFT_LEADER);
        port.sent.clear();
    }

    /* A frame with one request of one command. */
    void ask(uint64_t session, uint64_t sequence, const struct wire_command &command)
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
        ASSERT_TRUE(wire_put_command(&writer, sequence, &command));
        payload.resize(writer.bytes);
        port.arriving.push_back({client_peer, payload});
        pass(2);
    }

    std::vector<Answer> answers()
    {
        std::vector<Answer> all;
        for (const Packet &packet : port.sent) {
            uint32_t offset = WIRE_FRAME_BYTES;
            struct wire_view message;
            auto size = static_cast<uint32_t>(packet.bytes.size());
            while (wire_message_next(packet.bytes.data(), size, &offset, &message) == WIRE_OK &&
                   message.kind != 0) {
                struct wire_reply reply;
                if (message.kind != WIRE_REPLY || wire_get_reply(&message, &reply) != WIRE_OK)
                    continue;
                const uint8_t *at = reply.results;
                for (uint32_t i = 0; i < reply.count; i++) {
                    uint64_t sequence;
                    struct wire_result result;
                    wire_next_result(&at, &sequence, &result);
                    std::string value(reinterpret_cast<const char *>(result.value),
                                      result.value_bytes);
                    all.push_back({sequence, result.status, result.type, result.integer, value});
                }
            }
        }
        port.sent.clear();
        return all;
    }

    Answer one(uint64_t session, uint64_t sequence, const struct wire_command &command)
    {
        ask(session, sequence, command);
        std::vector<Answer> all = answers();
        EXPECT_EQ(all.size(), 1u);
        return all.empty() ? Answer{0, -1, 0, 0, ""} : all[0];
    }

    uint64_t open_session(uint64_t nonce)
    {
        struct wire_command command = {};
        command.op = WIRE_OP_REGISTER;
        command.argument = static_cast<int64_t>(nonce);
        return static_cast<uint64_t>(one(0, nonce, command).integer);
    }

    static struct wire_command make(enum wire_op op, const std::string &key,
                                    const std::string &value)
    {
        struct wire_command command = {};
        command.op = static_cast<uint8_t>(op);
        command.key = reinterpret_cast<const uint8_t *>(key.data());
        command.key_bytes = static_cast<uint16_t>(key.size());
        command.value = reinterpret_cast<const uint8_t *>(value.data());
        command.value_bytes = static_cast<uint32_t>(value.size());
        return command;
    }

    void from_member(const std::function<void(struct wire_frame &)> &spoil,
                     uint8_t kind = WIRE_APPEND, uint16_t group = 0)
    {
        std::vector<uint8_t> payload(1472);
        struct wire_frame header = {};
        header.from = 2;
        header.cluster = cluster_id;
        header.incarnation = own_incarnation + 1;
        header.sequence = ++member_sequence;
        header.config_hash = config_hash;
        spoil(header);
        struct wire_writer writer;
        wire_frame_begin(&writer, payload.data(), 1472, &header);
        struct wire_raft message = {};
        message.kind = kind;
        message.group = group;
        message.term = 1;
        ASSERT_NE(wire_put_raft(&writer, &message), nullptr);
        payload.resize(writer.bytes);
        port.arriving.push_back({{0x0a4d0002u, 7700, 7700}, payload});
        poll();
    }

    uint64_t counted(enum lane_event event)
    {
        uint64_t counters[LANE_EVENT_COUNT];
        lane_counters(lane, counters);
        return counters[event];
    }

    struct port_queue port;
    struct lane_config config = {};
    struct view view = {};
    struct view_cell *cell = nullptr;
    struct lane *lane = nullptr;
    void *memory = nullptr, *view_memory = nullptr, *storage_memory = nullptr;
    size_t bytes = 0;
    uint64_t polls = 0, member_sequence = 0;
};

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
            if (!split) {
                poll();
                continue;
            }
            uint32_t work = 1; /* last room first: every hand-over takes another turn */
            while (work != 0) {
                work = 0;
                for (int room = ROOM_COUNT - 1; room >= 0; room--)
                    work += lane_room_poll(lane, static_cast<enum lane_room>(room));
                view_quiescent();
            }
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
        if (!split) {
            TearDown();
            view_memory = storage_memory = nullptr;
            lane = nullptr;
            port = {};
        }
    }
}

} // namespace
