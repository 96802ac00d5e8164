/* The load loop against a server that the test plays, in virtual time: every turn of the loop takes step_ns. */
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
#include "dataplane/view/view.h"
}

namespace
{

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
    uint8_t status = WIRE_DONE; /* of writes */
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
            reply.leader = 1;
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

fake_server *server;

} // namespace

/* ---- what the loop calls ------------------------------------------------------------------------ */

extern "C" {

uint64_t machine_now_ns(void)
{
    server->now_ns += server->step_ns;
    if (server->now_ns >= server->kill_at_ns) {
        load_note_kill(server->watched, server->kill_at_ns, server->now_ns);
        server->kill_at_ns = UINT64_MAX;
    }
    return server->now_ns;
}

uint64_t machine_thread_cpu_ns(void)
{
    return server->now_ns;
}

uint64_t machine_random(void)
{
    static uint64_t next = 77;
    return next += 2;
}

uint32_t port_rx_burst(struct port_queue *, struct frame *frames, uint32_t count, uint64_t)
{
    uint32_t taken = 0;
    while (taken < count && !server->replies.empty() &&
           server->replies.front().due_ns <= server->now_ns) {
        frames[taken++] = server->replies.front().reply;
        server->replies.pop_front();
    }
    return taken;
}

uint32_t port_tx_take(struct port_queue *, struct frame *frames, uint32_t count)
{
    uint32_t taken = 0;
    while (taken < count && server->take(&frames[taken]))
        taken++;
    return taken;
}

void port_tx_burst(struct port_queue *, struct frame *frames, uint32_t count, uint64_t)
{
    for (uint32_t i = 0; i < count; i++) {
        server->serve(frames[i]);
        server->give(frames[i]);
    }
}

void port_frame_free(struct port_queue *, const struct frame *frames, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        server->give(frames[i]);
}

uint32_t port_tx_flush(struct port_queue *, uint64_t)
{
    return 0;
}

uint32_t port_payload_max(const struct port_queue *)
{
    return PAYLOAD;
}

void view_quiescent(void)
{
}

int sched_yield(void) noexcept
{
    return 0; /* virtual time has no idle turns */
}

uint16_t node_id(const struct node *)
{
    return 1;
}

/* Even keys are of group 0. */
uint32_t node_group_of_key(const struct node *, const uint8_t *key, uint32_t key_bytes)
{
    return key[key_bytes - 1] % 2;
}

void cluster_usage(struct cluster *, struct cluster_usage *usage)
{
    *usage = {};
    usage->now_cycles = server->now_ns;
    usage->server_cpu_ns = 2 * server->now_ns;
}

void cluster_usage_between(const struct cluster_usage *before, const struct cluster_usage *after,
                           struct cluster_usage *difference)
{
    *difference = {};
    difference->now_cycles = after->now_cycles - before->now_cycles;
    difference->server_cpu_ns = after->server_cpu_ns - before->server_cpu_ns;
}
}

namespace
{

class Load : public testing::Test
{
  protected:
    fake_server fake;
    struct cluster cluster = {};
    load_plan plan = {};
    oplog log = {};
    struct load *loop = nullptr;

    void SetUp() override
    {
        server = &fake;
        cluster.count = 1;
        cluster.group_count = 1;
        plan.sessions = 1;
        plan.window = 16;
        plan.keys = 100;
        plan.value_bytes = 64;
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
        char error[CLUSTER_ERROR_MAX];
        loop = load_create(&plan, &cluster, error);
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

TEST_F(Load, ClosedLoopKeepsTheWindowFull)
{
    const struct load_result &result = run();
    EXPECT_TRUE(result.answered);
    EXPECT_EQ(result.errors, 0u);
    EXPECT_EQ(result.retries, 0u);
    EXPECT_EQ(result.elapsed_ns, plan.measure_ns);
    EXPECT_EQ(result.latency.count, result.operations);
    /* A round trip is the delay and a turn or two: 16 of them at a time in 100 ms. */
    uint64_t slowest = fake.delay_ns + 2 * fake.step_ns;
    EXPECT_LE(result.latency.highest, slowest);
    EXPECT_GE(result.latency.lowest, fake.delay_ns);
    EXPECT_GE(result.operations, plan.window * (plan.measure_ns / slowest));
    EXPECT_LE(result.operations, plan.window * (plan.measure_ns / fake.delay_ns));
    EXPECT_EQ(result.servers.server_cpu_ns, 2 * plan.measure_ns);
    EXPECT_EQ(result.client_cpu_ns, plan.measure_ns);
    EXPECT_GT(result.commands, result.frames) << "commands share frames";
}

TEST_F(Load, ManySessionsShareTheLoop)
{
    plan.sessions = 5;
    const struct load_result &result = run();
    EXPECT_EQ(fake.sessions.size(), 5u);
    EXPECT_EQ(result.errors, 0u);
    EXPECT_GE(result.operations,
              5 * plan.window * (plan.measure_ns / (fake.delay_ns + 2 * fake.step_ns)));
}

TEST_F(Load, GroupsGetTheirOwnKeys)
{
    cluster.group_count = 2;
    plan.sessions = 2;
    plan.preload = true;
    EXPECT_EQ(run().errors, 0u);
    EXPECT_EQ(fake.store.size(), plan.keys);
}

TEST_F(Load, PreloadWritesEveryKeyOnceBeforeAnythingElse)
{
    plan.preload = true;
    plan.rate = 1000;
    EXPECT_EQ(run().errors, 0u);
    std::set<std::string> first(fake.order.begin(), fake.order.begin() + plan.keys);
    EXPECT_EQ(first.size(), plan.keys);
}

TEST_F(Load, OpenLoopCountsEveryDueOperationOnce)
{
    plan.rate = 10000;
    const struct load_result &result = run();
    EXPECT_EQ(result.errors, 0u);
    EXPECT_NEAR((double)result.latency.count, 1000, 1);
    EXPECT_NEAR((double)result.operations, 1000, 2);
    EXPECT_LE(result.latency.highest, fake.delay_ns + 4 * fake.step_ns);
}

/* The point of an open loop: what waits behind a stall is measured from when it was due. */
TEST_F(Load, AStallIsSeenByAllThatWereDueInIt)
{
    plan.rate = 10000;
    plan.measure_ns = 400 * MS;
    fake.silent_from_ns = fake.now_ns + 120 * MS;
    fake.silent_to_ns = fake.silent_from_ns + 100 * MS;
    const struct load_result &result = run();
    EXPECT_EQ(result.errors, 0u);
    EXPECT_NEAR((double)result.latency.count, 4000, 1);
    EXPECT_GE(result.latency.highest, 100 * MS);
    /* 1,000 were due during the stall; those of its first half waited over 50 ms. */
    EXPECT_GE(samples_above(50 * MS), 480u);
    EXPECT_GT(result.retries, 0u);
}

TEST_F(Load, WhatWasDueAndNeverSentIsAnError)
{
    plan.rate = 10000;
    fake.silent_from_ns = fake.now_ns + 70 * MS; /* for ever, half-way through the interval */
    fake.step_ns = 20000;
    const struct load_result &result = run();
    EXPECT_NEAR((double)(result.latency.count), 1000, 2) << "those never sent are in it as well";
    EXPECT_GT(result.unsent, 300u);
    EXPECT_NEAR((double)(result.operations + result.errors), 1000, 5);
}

TEST_F(Load, OtherStatusesAreErrors)
{
    fake.status = WIRE_NO_SPACE;
    fake.status_from_ns = fake.now_ns + 60 * MS;
    const struct load_result &result = run();
    EXPECT_GT(result.operations, 0u);
    EXPECT_GT(result.errors, 0u);
    EXPECT_EQ(result.errors + result.operations - plan.window, result.latency.count)
        << "the last window ended after the interval: errors, but no samples";
}

TEST_F(Load, NobodyAnswers)
{
    fake.silent_from_ns = 0;
    fake.step_ns = MS;
    EXPECT_FALSE(run().answered);
}

TEST_F(Load, NobodyAnswersThePreload)
{
    plan.preload = true;
    fake.silent_from_ns = 0;
    fake.step_ns = MS;
    EXPECT_FALSE(run().answered);
}

TEST_F(Load, APreloadThatIsTooSlowIsLeft)
{
    plan.preload = true;
    plan.keys = 1000000;
    fake.step_ns = MS;
    EXPECT_TRUE(run().answered);
    EXPECT_LT(fake.store.size(), plan.keys);
}

TEST_F(Load, FailoverIsFromTheKillToTheFirstLaterWrite)
{
    uint64_t kill_ns = fake.now_ns + 60 * MS;
    fake.kill_at_ns = kill_ns;
    fake.silent_from_ns = kill_ns;
    fake.silent_to_ns = kill_ns + 150 * MS;
    plan.measure_ns = 500 * MS;
    const struct load_result &result = run();
    EXPECT_GE(result.failover_ns, 150 * MS);
    EXPECT_LE(result.failover_ns, 450 * MS);
    EXPECT_EQ(result.errors, 0u);
}

TEST_F(Load, AcknowledgementsOfEarlierWritesAreNoFailover)
{
    fake.delay_ns = 30 * MS; /* at the kill all are under way, and their answers come */
    fake.kill_at_ns = fake.now_ns + 60 * MS;
    EXPECT_GE(run().failover_ns, 30 * MS);
}

TEST_F(Load, NoKillNoFailover)
{
    EXPECT_EQ(run().failover_ns, 0u);
}

TEST_F(Load, AppendsAreAllThereAfterAStall)
{
    plan.workload = WORKLOAD_APPEND;
    plan.rate = 20000;
    plan.sessions = 3;
    plan.measure_ns = 300 * MS;
    fake.silent_from_ns = fake.now_ns + 100 * MS;
    fake.silent_to_ns = fake.silent_from_ns + 50 * MS;
    record(10000);
    EXPECT_EQ(run().errors, 0u);
    appends check;
    ASSERT_TRUE(appends_begin(&check, &log));
    for (uint32_t key = 0; key < plan.keys; key++) {
        uint8_t name[PAYLOAD_KEY_BYTES];
        payload_list(name, key);
        std::string &list = fake.store[std::string((char *)name, sizeof name)];
        appends_list(&check, key, (const uint8_t *)list.data(), (uint32_t)list.size());
    }
    appends_end(&check);
    EXPECT_TRUE(appends_clean(&check));
    EXPECT_EQ(check.acknowledged, fake.operations);
    EXPECT_GE(check.acknowledged, 6000u);
}

TEST_F(Load, HistoryTellsWhichWriteWasRead)
{
    plan.reads_percent = 50;
    plan.keys = 3;
    record(100000);
    EXPECT_EQ(run().errors, 0u);
    uint64_t reads = 0;
    uint64_t found = 0;
    std::set<uint32_t> busy;
    for (uint32_t number = 0; number < log.count[0]; number++) {
        const oplog_record *each = oplog_at(&log, 0, number);
        ASSERT_EQ(each->outcome, OPLOG_OK);
        ASSERT_GT(each->return_ns, each->invoke_ns);
        busy.insert(each->process);
        if (each->op != OPLOG_GET)
            continue;
        reads++;
        if (each->result_client == OPLOG_NOBODY)
            continue;
        found++;
        const oplog_record *write = oplog_at(&log, each->result_client, each->result);
        ASSERT_EQ(write->op, OPLOG_SET);
        ASSERT_EQ(write->key, each->key);
        ASSERT_LT(write->invoke_ns, each->return_ns) << "nothing is read before it was written";
    }
    EXPECT_LE(busy.size(), plan.window);
    EXPECT_NEAR((double)reads, log.count[0] / 2.0, log.count[0] / 20.0);
    EXPECT_GT(found, reads / 2);
}

TEST_F(Load, AFullOplogEndsTheInterval)
{
    record(500);
    const struct load_result &result = run();
    EXPECT_TRUE(result.cut_short);
    EXPECT_EQ(oplog_total(&log), 500u);
    EXPECT_LT(result.elapsed_ns, plan.measure_ns);
    EXPECT_EQ(result.errors, 0u);
}

TEST_F(Load, APoolThatRunsDryStallsNothingForGood)
{
    fake.free.resize(6);
    const struct load_result &result = [&]() -> const struct load_result &
    {
        char error[CLUSTER_ERROR_MAX];
        loop = load_create(&plan, &cluster, error);
        EXPECT_EQ(load_loop(loop), 0);
        return *load_result_of(loop);
    }
    ();
    EXPECT_GT(result.operations, 1000u);
    EXPECT_EQ(result.errors, 0u);
}

TEST_F(Load, SecondsAreShown)
{
    plan.measure_ns = 2000 * MS;
    fake.step_ns = 50000;
    (void)run();
    load_watch watch;
    load_look(loop, &watch);
    EXPECT_EQ(watch.seconds, 2u) << "the last second too";
    EXPECT_GT(watch.operations, 0u);
    EXPECT_GT(watch.p50_ns, fake.delay_ns);
    EXPECT_GT(watch.measure_begin_ns, 0u);
}

} // namespace
