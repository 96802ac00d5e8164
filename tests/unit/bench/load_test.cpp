#include "tests/unit/bench/load_fixture.h"

/* ---- the clock ------------------------------------------------------------------------------- */

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
}

namespace
{

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
    EXPECT_GE(histogram_value(&result.latency, 0), fake.delay_ns);
    EXPECT_GE(result.operations, plan.window * (plan.measure_ns / slowest));
    EXPECT_LE(result.operations, plan.window * (plan.measure_ns / fake.delay_ns));
    EXPECT_TRUE(result.servers_seen);
    EXPECT_EQ(result.servers.server_cpu_ns, 2 * plan.measure_ns);
    EXPECT_EQ(result.servers.now_cycles, plan.measure_ns);
    EXPECT_EQ(result.servers.room_cycles[ROOM_ORDER], plan.measure_ns / 2);
    EXPECT_EQ(result.servers.room_cycles[ROOM_RX], 0u);
    EXPECT_EQ(result.client_cpu_ns, plan.measure_ns);
    EXPECT_GT(result.commands, result.frames) << "commands share frames";
}

TEST_F(Load, ServersElsewhereAreNotSeen)
{
    carrier.calls = &blind_calls;
    const struct load_result &result = run();
    EXPECT_GT(result.operations, 0u);
    EXPECT_FALSE(result.servers_seen);
    EXPECT_EQ(result.client_cpu_ns, plan.measure_ns);
}

/* Whatever the turns take, the latencies of one place in the window leave no time between them. */
TEST_F(Load, LatenciesOfAClosedLoopAddUpToTheInterval)
{
    plan.window = 1;
    const struct load_result &result = run();
    double per_operation = (double)plan.measure_ns / (double)result.operations;
    EXPECT_NEAR((double)histogram_value(&result.latency, 500000), per_operation,
                per_operation / 20);
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
    carrier.group_count = 2;
    plan.sessions = 2;
    plan.preload = true;
    EXPECT_EQ(run().errors, 0u);
    EXPECT_EQ(fake.store.size(), plan.keys);
}

TEST_F(Load, PreloadWritesEveryKeyOnceBeforeAnythingElse)
{
    plan.preload = true;
    plan.rate = 1000;
    const struct load_result &result = run();
    EXPECT_EQ(result.errors, 0u);
    EXPECT_TRUE(result.preloaded);
    std::set<std::string> first(fake.order.begin(), fake.order.begin() + plan.keys);
    EXPECT_EQ(first.size(), plan.keys);
}

TEST_F(Load, APreloadOfWhichWritesFailedIsNone)
{
    plan.preload = true;
    fake.status = WIRE_NO_SPACE;
    fake.status_from_ns = fake.now_ns + fake.delay_ns + 20 * fake.step_ns;
    const struct load_result &result = run();
    EXPECT_TRUE(result.answered);
    EXPECT_FALSE(result.preloaded);
    EXPECT_FALSE(fake.store.empty());
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
    plan.answer_limit_ns = 3000 * MS;
    uint64_t begin_ns = fake.now_ns;
    const struct load_result &result = run();
    EXPECT_FALSE(result.answered);
    EXPECT_FALSE(result.heard);
    EXPECT_LE(fake.now_ns, begin_ns + plan.answer_limit_ns + 5 * fake.step_ns);
    EXPECT_GT(fake.rests, 1000u);
}

TEST_F(Load, NobodyLeads)
{
    fake.follows = true;
    fake.step_ns = MS;
    const struct load_result &result = run();
    EXPECT_FALSE(result.answered);
    EXPECT_TRUE(result.heard);
}

TEST_F(Load, ARefusalOfEveryWriteIsAnAnswer)
{
    fake.status = WIRE_NO_SPACE;
    const struct load_result &result = run();
    EXPECT_TRUE(result.answered);
    EXPECT_EQ(result.operations, 0u);
    EXPECT_GT(result.errors, 0u);
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
    const struct load_result &result = run();
    EXPECT_TRUE(result.answered);
    EXPECT_FALSE(result.preloaded);
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
    EXPECT_EQ(log.count[0], 500u);
    EXPECT_LT(result.elapsed_ns, plan.measure_ns);
    EXPECT_EQ(result.errors, 0u);
}

TEST_F(Load, APoolThatRunsDryStallsNothingForGood)
{
    fake.free.resize(6);
    const struct load_result &result = [&]() -> const struct load_result &
    {
        char error[CARRIER_ERROR_MAX];
        loop = load_create(&plan, &carrier, error);
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
