/* The load loop on a carrier that the test plays, with a server behind it, in virtual time: every
 * turn of the loop takes step_ns. */
#ifndef TESTS_UNIT_BENCH_LOAD_FIXTURE_H
#define TESTS_UNIT_BENCH_LOAD_FIXTURE_H

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

extern "C" {
#include "bench/appends.h"
#include "bench/load.h"
#include "bench/machine.h"
#include "bench/payload.h"
}

constexpr uint64_t MS = 1000000;
constexpr uint32_t POOL = 512;
constexpr uint32_t PAYLOAD = 1472;

struct held_frame {
    uint64_t due_ns;
    frame reply;
};

/* One exactly-once server behind the only port. */
struct fake_server {
    uint64_t now_ns = 1000 * MS;
    uint64_t step_ns = 5000;
    uint64_t delay_ns = 50000;
    uint64_t silent_from_ns = UINT64_MAX; /* frames that come meanwhile are lost */
    uint64_t silent_to_ns = UINT64_MAX;
    bool follows = false;       /* and knows no leader */
    uint8_t status = WIRE_DONE; /* of writes           */
    uint64_t status_from_ns = 0;
    uint64_t operations = 0;
    std::map<int64_t, int64_t> sessions; /* by the nonce that opened it */
    std::map<uint64_t, uint64_t> last;   /* session -> last sequence executed */
    std::map<std::pair<uint64_t, uint64_t>, wire_result> answers; /* (session, sequence) */
    std::map<std::string, std::string> store;
    std::vector<std::string> order;
    std::vector<std::unique_ptr<uint8_t[]>> memory;
    std::vector<uint8_t *> free;
    std::deque<held_frame> replies;
    load *watched = nullptr;
    uint64_t kill_at_ns = UINT64_MAX;
    uint64_t rests = 0;

    fake_server()
    {
        for (uint32_t i = 0; i < POOL; i++) {
            memory.push_back(std::make_unique<uint8_t[]>(PAYLOAD));
            free.push_back(memory.back().get());
        }
    }

    bool silent() const
    {
        return now_ns >= silent_from_ns && now_ns < silent_to_ns;
    }

    bool take(frame *into)
    {
        if (free.empty())
            return false;
        *into = {};
        into->data = free.back();
        into->capacity = PAYLOAD;
        into->buffer = free.back();
        free.pop_back();
        return true;
    }

    void give(const frame &back)
    {
        free.push_back((uint8_t *)back.buffer);
    }

    wire_result execute(const wire_command &command)
    {
        wire_result result = {};
        std::string key((const char *)command.key, command.key_bytes);
        std::string value((const char *)command.value, command.value_bytes);
        operations++;
        result.status = now_ns >= status_from_ns ? status : (uint8_t)WIRE_DONE;
        if (result.status != WIRE_DONE)
            return result;
        order.push_back(key);
        if (command.op == WIRE_OP_APPEND) {
            store[key] += value;
            result.type = WIRE_INTEGER;
            result.integer = (int64_t)store[key].size();
        } else if (command.op == WIRE_OP_SET) {
            store[key] = value;
            result.type = WIRE_STATUS_OK;
        }
        return result;
    }

    wire_result answer(const wire_request &request, uint64_t sequence, const wire_command &command)
    {
        wire_result result = {};
        if (follows) {
            result.status = WIRE_NOT_LEADER;
            return result;
        }
        if (command.op == WIRE_OP_REGISTER) {
            result.type = WIRE_INTEGER;
            result.integer =
                sessions.emplace(command.argument, (int64_t)sessions.size() + 1).first->second;
            return result;
        }
        if (command.op == WIRE_OP_GET) {
            operations++;
            auto found = store.find(std::string((const char *)command.key, command.key_bytes));
            if (found == store.end())
                return result;
            result.type = WIRE_BYTES;
            result.value = (const uint8_t *)found->second.data();
            result.value_bytes = (uint32_t)found->second.size();
            return result;
        }
        if (command.op > WIRE_OP_WRITE_LAST) { /* a probe: who leads? */
            result.type = WIRE_INTEGER;
            return result;
        }
        uint64_t &done = last[request.session];
        if (sequence <= done)
            return answers[{request.session, sequence}];
        if (sequence > done + 1) {
            result.status = WIRE_OUT_OF_ORDER;
            result.integer = (int64_t)done + 1;
            return result;
        }
        done = sequence;
        return answers[{request.session, sequence}] = execute(command);
    }

    void serve(const frame &asked)
    {
        uint32_t offset = WIRE_FRAME_BYTES;
        wire_view view;
        wire_frame header = {};
        frame reply_frame;
        if (silent() || !take(&reply_frame))
            return;
        wire_writer writer;
        wire_frame_begin(&writer, reply_frame.data, PAYLOAD, &header);
        while (wire_message_next(asked.data, asked.bytes, &offset, &view) == WIRE_OK &&
               view.kind != 0) {
            wire_request request;
            ASSERT_EQ(wire_get_request(&view, &request), WIRE_OK);
            wire_reply reply = {};
            reply.client = request.client;
            reply.session = request.session;
            reply.route = request.route;
            reply.group = request.group;
            reply.leader = follows ? WIRE_NODE_CLIENT : 1;
            ASSERT_TRUE(wire_put_reply(&writer, &reply));
            const uint8_t *at = request.commands;
            for (uint32_t i = 0; i < request.count; i++) {
                uint64_t sequence;
                uint32_t bytes;
                wire_command command;
                const uint8_t *body = wire_next_command(&at, &sequence, &bytes);
                ASSERT_EQ(wire_command_decode(body, bytes, &command), WIRE_OK);
                wire_result result = answer(request, sequence, command);
                ASSERT_TRUE(wire_put_result(&writer, sequence, &result));
            }
        }
        reply_frame.bytes = writer.bytes;
        replies.push_back({now_ns + delay_ns, reply_frame});
    }
};

inline fake_server *server; /* of the test that runs */

/* ---- the carrier ----------------------------------------------------------------------------- */

inline uint32_t receive(struct carrier *, struct frame *frames, uint32_t count, uint64_t)
{
    uint32_t taken = 0;
    while (taken < count && !server->replies.empty() &&
           server->replies.front().due_ns <= server->now_ns) {
        frames[taken++] = server->replies.front().reply;
        server->replies.pop_front();
    }
    return taken;
}

inline uint32_t take(struct carrier *, struct frame *frames, uint32_t count)
{
    uint32_t taken = 0;
    while (taken < count && server->take(&frames[taken]))
        taken++;
    return taken;
}

inline void send_frames(struct carrier *, struct frame *frames, uint32_t count, uint64_t)
{
    for (uint32_t i = 0; i < count; i++) {
        server->serve(frames[i]);
        server->give(frames[i]);
    }
}

inline void free_frames(struct carrier *, const struct frame *frames, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        server->give(frames[i]);
}

inline void end_turn(struct carrier *, uint64_t)
{
}

/* Virtual time passes in turns alone; what is slept must end in time for what is due. */
inline void rest(struct carrier *, uint64_t now_ns, uint64_t wake_ns)
{
    EXPECT_GT(wake_ns, now_ns);
    EXPECT_LE(wake_ns, now_ns + MS);
    server->rests++;
}

inline void usage(struct carrier *, struct server_usage *usage)
{
    *usage = {};
    usage->now_cycles = server->now_ns;
    usage->server_cpu_ns = 2 * server->now_ns;
    usage->room_cycles[ROOM_ORDER] = server->now_ns / 2;
}

const carrier_calls calls = {receive, take, send_frames, free_frames, end_turn, rest, usage};
const carrier_calls blind_calls = {receive,  take, send_frames, free_frames,
                                   end_turn, rest, nullptr};

class Load : public testing::Test
{
  protected:
    fake_server fake;
    struct carrier carrier = {};
    load_plan plan = {};
    oplog log = {};
    struct load *loop = nullptr;

    void SetUp() override
    {
        server = &fake;
        carrier.calls = &calls;
        carrier.payload_max = PAYLOAD;
        carrier.server_count = 1;
        carrier.group_count = 1;
        plan.sessions = 1;
        plan.window = 16;
        plan.keys = 100;
        plan.value_bytes = 64;
        plan.answer_limit_ns = 15000 * MS;
        plan.warm_up_ns = 20 * MS;
        plan.measure_ns = 100 * MS;
        plan.seed = 1;
    }

    void TearDown() override
    {
        load_destroy(loop);
        if (log.record != nullptr)
            oplog_destroy(&log);
    }

    const struct load_result &run()
    {
        char error[CARRIER_ERROR_MAX];
        loop = load_create(&plan, &carrier, error);
        EXPECT_NE(loop, nullptr) << error;
        fake.watched = loop;
        EXPECT_EQ(load_loop(loop), 0);
        load_watch watch;
        load_look(loop, &watch);
        EXPECT_TRUE(watch.finished);
        EXPECT_EQ(fake.free.size() + fake.replies.size(), POOL) << "every frame went back";
        return *load_result_of(loop);
    }

    void record(uint32_t capacity)
    {
        ASSERT_TRUE(oplog_create(&log, plan.sessions, capacity));
        plan.oplog = &log;
    }

    uint64_t samples_above(uint64_t ns)
    {
        const histogram &latency = load_result_of(loop)->latency;
        uint64_t count = 0;
        for (uint32_t i = histogram_bucket(ns); i < HISTOGRAM_BUCKET_COUNT; i++)
            count += latency.bucket[i];
        return count;
    }
};

#endif
