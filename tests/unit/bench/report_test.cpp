#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>

extern "C" {
#include "bench/report.h"
}

namespace
{

/* Every output key of the contract. */
const char *const contract_keys[] = {
    "protocol",
    "replicas",
    "value_bytes",
    "window",
    "clients",
    "seconds",
    "durability",
    "client_auth",
    "cores",
    "operations",
    "errors",
    "retries",
    "commands_per_frame",
    "keys",
    "ops_per_second",
    "latency_ns",
    "server_cpu_seconds_per_million_ops",
    "server_busy_cycles_per_op",
    "client_cpu_seconds_per_million_ops",
    "failover_ns",
    "election_timeout_ms",
    "rooms",
    "calibration",
    "placement",
    "host",
    "cpu",
    "kernel",
    "cc",
    "flags",
    "git",
    "dirty",
};
const char *const latency_keys[] = {"p50", "p90", "p99", "p999", "max"};
const char *const room_keys[] = {"rx", "open", "verify", "order", "persist", "apply", "seal", "tx"};
const char *const calibration_keys[] = {"cacheline_pingpong_ns", "sha512_150b_ns",
                                        "fdatasync_4k_ns"};

class Report : public testing::Test
{
  protected:
    load_options options;
    calibration absent = {-1, -1, -1};
    calibration present = {80, 400, 380000};
    std::unique_ptr<struct load_result> result = std::make_unique<struct load_result>();
    appends checked = {};
    report about = {};

    void SetUp() override
    {
        load_options_defaults(&options);
        about.options = &options;
        about.calibration = &absent;
        about.placement = "lane 0 on core 1";
        about.cores = 1;
        about.result = result.get();
        histogram_init(&result->latency);
    }

    /* 1,000 operations of 1 ... 1,000 us in 2 s. */
    void measure()
    {
        result->answered = true;
        result->preloaded = true;
        result->servers_seen = true;
        result->elapsed_ns = 2000000000;
        result->operations = 1000;
        result->frames = 100;
        result->commands = 1010;
        result->retries = 10;
        result->client_cpu_ns = 2000000;
        result->servers.server_cpu_ns = 4000000;
        result->servers.now_cycles = 1000000;
        result->servers.room_cycles[ROOM_RX] = 50000;
        result->servers.room_cycles[ROOM_ORDER] = 100000;
        for (uint64_t i = 1; i <= 1000; i++)
            histogram_record(&result->latency, i * 1000);
        about.calibration = &present;
    }
};

json_t *at(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    EXPECT_NE(value, nullptr) << "no key " << key;
    return value;
}

void expect_all_keys(json_t *object)
{
    for (const char *key : contract_keys)
        (void)at(object, key);
    for (const char *key : latency_keys)
        (void)at(at(object, "latency_ns"), key);
    for (const char *key : room_keys)
        (void)at(at(object, "rooms"), key);
    for (const char *key : calibration_keys)
        (void)at(at(object, "calibration"), key);
}

TEST_F(Report, UnmeasuredIsNullAndThere)
{
    json_t *object = report_json(&about);
    expect_all_keys(object);
    for (const char *key :
         {"commands_per_frame", "ops_per_second", "server_cpu_seconds_per_million_ops",
          "server_busy_cycles_per_op", "client_cpu_seconds_per_million_ops", "failover_ns",
          "appends", "replicas_agree", "rate", "target"})
        EXPECT_TRUE(json_is_null(at(object, key))) << key;
    for (const char *key : latency_keys)
        EXPECT_TRUE(json_is_null(at(at(object, "latency_ns"), key))) << key;
    for (const char *key : room_keys)
        EXPECT_TRUE(json_is_null(at(at(object, "rooms"), key))) << key;
    for (const char *key : calibration_keys)
        EXPECT_TRUE(json_is_null(at(at(object, "calibration"), key))) << key;
    json_decref(object);
}

TEST_F(Report, FiguresAreWhatTheyAreCalled)
{
    measure();
    json_t *object = report_json(&about);
    expect_all_keys(object);
    EXPECT_STREQ(json_string_value(at(object, "protocol")), "raft");
    EXPECT_STREQ(json_string_value(at(object, "durability")), "volatile");
    EXPECT_EQ(json_integer_value(at(object, "operations")), 1000);
    EXPECT_DOUBLE_EQ(json_real_value(at(object, "ops_per_second")), 500);
    EXPECT_DOUBLE_EQ(json_real_value(at(object, "commands_per_frame")), 10.1);
    /* 4 ms for a thousand are 4 s for a million. */
    EXPECT_DOUBLE_EQ(json_real_value(at(object, "server_cpu_seconds_per_million_ops")), 4);
    EXPECT_DOUBLE_EQ(json_real_value(at(object, "client_cpu_seconds_per_million_ops")), 2);
    EXPECT_DOUBLE_EQ(json_real_value(at(object, "server_busy_cycles_per_op")), 150);
    EXPECT_DOUBLE_EQ(json_number_value(at(object, "election_timeout_ms")), 100);
    EXPECT_DOUBLE_EQ(json_number_value(at(object, "election_timeout_max_ms")), 200);
    json_t *order = at(at(object, "rooms"), "order");
    EXPECT_DOUBLE_EQ(json_real_value(at(order, "cycles_per_op")), 100);
    EXPECT_DOUBLE_EQ(json_real_value(at(order, "busy_fraction")), 0.1);
    EXPECT_TRUE(json_is_null(at(at(object, "rooms"), "verify"))) << "no signatures so far";
    json_int_t p50 = json_integer_value(at(at(object, "latency_ns"), "p50"));
    EXPECT_GE(p50, 500000);
    EXPECT_LE(p50, 516000);
    EXPECT_EQ(json_integer_value(at(at(object, "latency_ns"), "max")), 1000000);
    EXPECT_DOUBLE_EQ(json_real_value(at(at(object, "calibration"), "fdatasync_4k_ns")), 380000);
    EXPECT_TRUE(json_is_null(at(object, "failover_ns"))) << "nobody was killed";
    json_decref(object);
}

TEST_F(Report, BusyFractionIsOfAllCores)
{
    measure();
    options.cores = 4; /* asked for; the machine had less */
    about.cores = 2;
    json_t *object = report_json(&about);
    EXPECT_EQ(json_integer_value(at(object, "cores")), 2);
    EXPECT_DOUBLE_EQ(json_real_value(at(at(at(object, "rooms"), "order"), "busy_fraction")), 0.05);
    json_decref(object);
}

/* Of a running cluster nothing is known but what its clients see. */
TEST_F(Report, OutsideOnlyTheClientsAreMeasured)
{
    measure();
    options.target = "10.0.0.1:7700";
    result->servers_seen = false;
    about.placement = nullptr;
    about.cores = 0;
    json_t *object = report_json(&about);
    expect_all_keys(object);
    EXPECT_STREQ(json_string_value(at(object, "target")), "10.0.0.1:7700");
    for (const char *key :
         {"replicas", "durability", "cores", "heartbeat_ms", "election_timeout_ms", "placement",
          "server_cpu_seconds_per_million_ops", "server_busy_cycles_per_op", "failover_ns",
          "replicas_agree"})
        EXPECT_TRUE(json_is_null(at(object, key))) << key;
    for (const char *key : room_keys)
        EXPECT_TRUE(json_is_null(at(at(object, "rooms"), key))) << key;
    EXPECT_EQ(json_integer_value(at(object, "operations")), 1000);
    EXPECT_DOUBLE_EQ(json_real_value(at(object, "client_cpu_seconds_per_million_ops")), 2);
    EXPECT_STREQ(json_string_value(at(object, "client_auth")), "none");
    EXPECT_FALSE(json_is_null(at(at(object, "latency_ns"), "p50")));
    EXPECT_FALSE(json_is_null(at(object, "git")));
    json_decref(object);
}

TEST_F(Report, FaultAndCheckAreReported)
{
    measure();
    options.workload = WORKLOAD_APPEND;
    options.leader_kill = true;
    result->failover_ns = 123456789;
    checked.acknowledged = 5;
    checked.lost = 1;
    about.appends = &checked;
    about.replicas_compared = true;
    json_t *object = report_json(&about);
    EXPECT_EQ(json_integer_value(at(object, "failover_ns")), 123456789);
    EXPECT_STREQ(json_string_value(at(object, "fault")), "leader-kill");
    EXPECT_TRUE(json_is_null(at(object, "value_bytes"))) << "elements have sizes of their own";
    EXPECT_EQ(json_integer_value(at(at(object, "appends"), "lost")), 1);
    EXPECT_TRUE(json_is_false(at(object, "replicas_agree")));
    json_decref(object);
}

TEST_F(Report, NoOperationsNoRatios)
{
    measure();
    result->operations = 0;
    result->frames = 0;
    json_t *object = report_json(&about);
    EXPECT_TRUE(json_is_null(at(object, "server_cpu_seconds_per_million_ops")));
    EXPECT_TRUE(json_is_null(at(object, "commands_per_frame")));
    EXPECT_EQ(json_integer_value(at(object, "operations")), 0);
    json_decref(object);
}

TEST_F(Report, JsonIsOneLine)
{
    measure();
    about.placement = "two\nlines \"quoted\"";
    char *text = nullptr;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    EXPECT_TRUE(report_write_json(&about, file));
    fclose(file);
    std::string line(text, bytes);
    free(text);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    json_t *object = json_loads(line.c_str(), JSON_REJECT_DUPLICATES, nullptr);
    ASSERT_NE(object, nullptr);
    expect_all_keys(object);
    json_decref(object);
}

std::string table_of(const report &about)
{
    char *text = nullptr;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    report_write_table(&about, file);
    fclose(file);
    std::string table(text, bytes);
    free(text);
    return table;
}

TEST_F(Report, TableNamesWhatCounts)
{
    measure();
    options.leader_kill = true;
    about.appends = &checked;
    about.replicas_compared = about.replicas_agree = true;
    std::string table = table_of(about);
    for (const char *words :
         {"lane 0 on core 1", "3 replicas on 1 cores, volatile", "values of 64 bytes, 0 % reads",
          "operations per second              500", "server CPU                         4 s",
          "acknowledged writes lost           0", "failover                           not seen",
          "replicas hold the same state       yes", "calibration: fdatasync of 4 KiB    380 us",
          "-O"})
        EXPECT_NE(table.find(words), std::string::npos) << words << "\n" << table;
}

TEST_F(Report, TableOfATargetSaysNothingOfItsServers)
{
    measure();
    options.target = "10.0.0.1:7700";
    result->servers_seen = false;
    about.placement = nullptr;
    std::string table = table_of(about);
    EXPECT_NE(table.find("raft, at 10.0.0.1:7700"), std::string::npos) << table;
    for (const char *words : {"replicas", "volatile", "server", "room", "nan", "null"})
        EXPECT_EQ(table.find(words), std::string::npos) << words << "\n" << table;
}

TEST(ReportTime, UnitsThatFit)
{
    char text[REPORT_TIME_MAX];
    EXPECT_STREQ(report_time(0, text), "0 ns");
    EXPECT_STREQ(report_time(999, text), "999 ns");
    EXPECT_STREQ(report_time(1000, text), "1 us");
    EXPECT_STREQ(report_time(61400, text), "61.4 us");
    EXPECT_STREQ(report_time(999999, text), "1 ms");
    EXPECT_STREQ(report_time(123456789, text), "123 ms");
    EXPECT_STREQ(report_time(12000000000, text), "12 s");
}

} // namespace
