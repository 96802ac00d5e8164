/* lane_fixture.h: one lane behind a port without a wire, and a test that plays its clients and the
 * other members. */
#ifndef TESTS_UNIT_PIPELINE_LANE_FIXTURE_H
#define TESTS_UNIT_PIPELINE_LANE_FIXTURE_H

#include "tests/unit/pipeline/fake_port.h"

extern "C" {
#include "dataplane/log/storage.h"
#include "dataplane/pipeline/lane.h"
#include "protocols/wire/fragment.h"
}

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <sys/mman.h>
#include <vector>

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
        view.group_count = groups;
        if (bootstrapped)
            bind(members);
        cell = view_cell_init(view_memory, &view);
        storage_memory = std::aligned_alloc(64, (storage_volatile_footprint() + 63) / 64 * 64);
        config = {};
        config.self = 1;
        config.lane_count = 1;
        config.group_count = groups;
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
        if (tweak)
            tweak(config);
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
        view.first.count = view.member_count;
        for (uint32_t i = 0; i < members; i++) {
            view.first.member[i] = {static_cast<uint16_t>(i + 1), WIRE_ROLE_VOTER, WIRE_ROLE_NONE,
                                    own_incarnation + i};
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

    /* Room by room, the last first: every hand-over takes another turn. */
    void poll_split()
    {
        for (uint32_t work = 1; work != 0;) {
            work = 0;
            for (int room = ROOM_COUNT - 1; room >= 0; room--)
                work += lane_room_poll(lane, static_cast<enum lane_room>(room));
            view_quiescent();
        }
    }

    /* For another lane in the same test. */
    void start_over()
    {
        TearDown();
        view_memory = storage_memory = nullptr;
        lane = nullptr;
        port = {};
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

    /* A frame with one request of one command; nobody is polled. */
    void send(uint64_t session, uint64_t sequence, const struct wire_command &command)
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
    }

    void ask(uint64_t session, uint64_t sequence, const struct wire_command &command)
    {
        send(session, sequence, command);
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
        static std::deque<std::string> kept; /* commands point into it */
        kept.push_back(key);
        kept.push_back(value);
        struct wire_command command = {};
        command.op = static_cast<uint8_t>(op);
        command.key = reinterpret_cast<const uint8_t *>(kept.end()[-2].data());
        command.key_bytes = static_cast<uint16_t>(key.size());
        command.value = reinterpret_cast<const uint8_t *>(kept.back().data());
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

    /* A frame of member `from`, as it should be. */
    void put_from(uint16_t from, const std::function<void(struct wire_writer *)> &put)
    {
        std::vector<uint8_t> payload(1472);
        struct wire_frame header = {};
        header.from = from;
        header.cluster = cluster_id;
        header.incarnation = own_incarnation + from - 1u;
        header.sequence = ++member_sequence;
        header.config_hash = config_hash;
        struct wire_writer writer;
        wire_frame_begin(&writer, payload.data(), 1472, &header);
        put(&writer);
        payload.resize(writer.bytes);
        port.arriving.push_back({{0x0a4d0000u + from, 7700, 7700}, payload});
        poll();
    }

    /* One Raft message in a frame of its own; `entries` are encoded already. */
    void tell(uint16_t from, struct wire_raft message, const std::string &entries = "")
    {
        put_from(from, [&message, &entries](struct wire_writer *writer) {
            message.entry_bytes = static_cast<uint32_t>(entries.size());
            uint8_t *to = wire_put_raft(writer, &message);
            ASSERT_NE(to, nullptr);
            std::memcpy(to, entries.data(), entries.size());
        });
    }

    /* Leader 2 sends what follows entry `previous`. */
    void append(uint64_t previous, uint64_t previous_term, uint64_t commit, uint32_t count,
                const std::string &entries, uint64_t term = 1, uint16_t group = 0)
    {
        struct wire_raft message = {};
        message.kind = WIRE_APPEND;
        message.group = group;
        message.term = term;
        message.index = previous;
        message.log_term = previous_term;
        message.commit = commit;
        message.entry_count = count;
        message.round = ++round;
        tell(2, message, entries);
    }

    static std::string entry(uint8_t kind, uint64_t index, uint64_t term, uint64_t session,
                             uint64_t sequence, const struct wire_command *command = nullptr)
    {
        std::string body;
        if (command != nullptr) {
            body.resize(wire_command_size(command));
            wire_command_encode(command, reinterpret_cast<uint8_t *>(&body[0]));
        }
        struct wire_entry header = {};
        header.body_bytes = static_cast<uint32_t>(body.size());
        header.kind = kind;
        header.index = index;
        header.term = term;
        header.time_ms = 1700000000000;
        header.session = session;
        header.sequence = sequence;
        std::string all(reinterpret_cast<const char *>(&header), sizeof header);
        all += body;
        all.resize(wire_entry_size(header.body_bytes));
        return all;
    }

    /* The last Raft message of this kind that the lane has sent to member `to`. */
    bool told(uint16_t to, uint8_t kind, struct wire_raft *message)
    {
        bool found = false;
        for (const Packet &packet : port.sent) {
            uint32_t offset = WIRE_FRAME_BYTES;
            struct wire_view one;
            const uint8_t *entries;
            auto size = static_cast<uint32_t>(packet.bytes.size());
            while (packet.peer.ip == 0x0a4d0000u + to &&
                   wire_message_next(packet.bytes.data(), size, &offset, &one) == WIRE_OK &&
                   one.kind != 0) {
                struct wire_raft candidate;
                if (wire_get_raft(&one, &candidate, &entries) != WIRE_OK || candidate.kind != kind)
                    continue;
                *message = candidate;
                found = true;
            }
        }
        return found;
    }

    /* Member 3 has stored all that this leader has, and says so. */
    void acknowledge()
    {
        struct wire_raft append, reply = {};
        pass(25);
        ASSERT_TRUE(told(3, WIRE_APPEND, &append));
        reply.kind = WIRE_APPEND_REPLY;
        reply.term = append.term;
        reply.index = log_last_index(lane_log(lane, 0));
        reply.round = append.round;
        tell(3, reply);
    }

    uint64_t counted(enum lane_event event)
    {
        uint64_t counters[LANE_EVENT_COUNT];
        lane_counters(lane, counters);
        return counters[event];
    }

    struct port_queue port;
    struct lane_config config = {};
    std::function<void(struct lane_config &)> tweak; /* before the lane is made */
    struct view view = {};
    struct view_cell *cell = nullptr;
    struct lane *lane = nullptr;
    void *memory = nullptr, *view_memory = nullptr, *storage_memory = nullptr;
    size_t bytes = 0;
    uint64_t polls = 0, member_sequence = 0, round = 0;
    uint16_t groups = 1;
};

#endif
