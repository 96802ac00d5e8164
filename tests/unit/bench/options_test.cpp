#include <gtest/gtest.h>

#include <string>
#include <vector>

extern "C" {
#include "bench/option.h"
#include "bench/options.h"
#include "protocols/wire/wire.h"
}

namespace
{

/* argp may reorder argv: it gets its own copy. */
struct arguments {
    std::vector<std::string> words;
    std::vector<char *> pointers;

    explicit arguments(const std::vector<std::string> &given) : words(given)
    {
        words.insert(words.begin(), "quorate-bench");
        for (std::string &word : words)
            pointers.push_back(word.data());
        pointers.push_back(nullptr);
    }
    int count() const
    {
        return (int)words.size();
    }
};

load_options load(const std::vector<std::string> &given)
{
    static std::vector<std::unique_ptr<arguments>> kept; /* options point into argv */
    kept.push_back(std::make_unique<arguments>(given));
    load_options options;
    options_load(kept.back()->count(), kept.back()->pointers.data(), &options);
    return options;
}

demo_options demo(const std::vector<std::string> &given)
{
    arguments line(given);
    demo_options options;
    options_demo(line.count(), line.pointers.data(), &options);
    return options;
}

TEST(Options, LoadDefaults)
{
    load_options options = load({});
    EXPECT_EQ(options.replicas, 3u);
    EXPECT_EQ(options.value_bytes, 64u);
    EXPECT_EQ(options.clients, 1u);
    EXPECT_EQ(options.cores, 1u);
    EXPECT_EQ(options.keys, 100000u);
    EXPECT_EQ(options.rate, 0u);
    EXPECT_EQ(options.heartbeat_ns, 20000000u);
    EXPECT_EQ(options.election_timeout_ns, 100000000u);
    EXPECT_FALSE(options.leader_kill);
    EXPECT_FALSE(options.json);
}

TEST(Options, LoadTakesEveryOptionOfTheContract)
{
    load_options options =
        load({"--protocol", "raft",     "--replicas",    "5",    "--value-bytes", "128",
              "--window",   "32",       "--seconds",     "0.5",  "--clients",     "4",
              "--rate",     "1000",     "--cores",       "2",    "--durability",  "volatile",
              "--data",     "/var/tmp", "--client-auth", "none", "--fault",       "leader-kill",
              "--keys",     "77",       "--history",     "h",    "--json"});
    EXPECT_EQ(options.replicas, 5u);
    EXPECT_EQ(options.value_bytes, 128u);
    EXPECT_EQ(options.window, 32u);
    EXPECT_EQ(options.seconds, 0.5);
    EXPECT_EQ(options.clients, 4u);
    EXPECT_EQ(options.rate, 1000u);
    EXPECT_EQ(options.cores, 2u);
    EXPECT_STREQ(options.data, "/var/tmp");
    EXPECT_TRUE(options.leader_kill);
    EXPECT_EQ(options.keys, 77u);
    EXPECT_STREQ(options.history, "h");
    EXPECT_TRUE(options.json);
}

TEST(Options, LoadTakesItsOwnAdditions)
{
    load_options options = load({"--lanes=2", "--groups=4", "--mtu=9000", "--reads=50",
                                 "--heartbeat=5ms", "--election-timeout=50ms"});
    EXPECT_EQ(options.lanes, 2u);
    EXPECT_EQ(options.groups, 4u);
    EXPECT_EQ(options.clients, 4u) << "one for each group unless said otherwise";
    EXPECT_EQ(options.mtu, 9000u);
    EXPECT_EQ(options.reads_percent, 50u);
    EXPECT_EQ(options.heartbeat_ns, 5000000u);
    EXPECT_EQ(options.election_timeout_ns, 50000000u);
}

TEST(Options, LoadTakesATarget)
{
    EXPECT_EQ(load({}).target, nullptr);
    load_options options = load({"--target", "10.0.0.1:7700,node2:7700", "--groups=2", "--lanes=2",
                                 "--mtu=9000", "--fault=none", "--history=h"});
    EXPECT_STREQ(options.target, "10.0.0.1:7700,node2:7700");
    EXPECT_EQ(options.groups, 2u);
    EXPECT_EQ(options.lanes, 2u);
    EXPECT_EQ(options.mtu, 9000u);
}

TEST(Options, AppendIsAnOpenLoop)
{
    EXPECT_EQ(load({"--workload", "append"}).rate, OPTIONS_APPEND_RATE);
    EXPECT_EQ(load({"--workload", "append", "--rate", "10"}).rate, 10u);
    EXPECT_EQ(load({"--workload", "append"}).workload, WORKLOAD_APPEND);
    EXPECT_EQ(load({"--workload", "set"}).workload, WORKLOAD_SET);
}

TEST(Options, ListsHaveRoomForWhatIsAppended)
{
    load_options options = load({"--workload=append", "--keys=10", "--rate=1000", "--seconds=2"});
    EXPECT_GE(options_operations_max(&options), 2500u);
    EXPECT_GE(options_list_bytes(&options), 250u * 16u);
}

TEST(Options, DemoDefaultsAndOptions)
{
    EXPECT_EQ(demo({}).replicas, 3u);
    EXPECT_EQ(demo({}).seconds, 10);
    EXPECT_FALSE(demo({}).stay);
    demo_options options =
        demo({"--protocol", "raft", "--replicas", "5", "--seconds", "3", "--stay"});
    EXPECT_EQ(options.replicas, 5u);
    EXPECT_EQ(options.seconds, 3);
    EXPECT_TRUE(options.stay);
}

struct refusal {
    std::vector<std::string> line;
    int status;
    const char *sentence;
};

TEST(OptionsDeathTest, LoadRefusals)
{
    const refusal refusals[] = {
        {{"--nonsense"}, 64, "nonsense"},
        {{"--replicas"}, 64, "requires an argument"},
        {{"stray"}, 64, "options only, not 'stray'"},
        {{"--replicas", "0"}, 64, "--replicas wants a whole number from 1 to 7"},
        {{"--replicas", "8"}, 64, "from 1 to 7, not '8'"},
        {{"--replicas", "3x"}, 64, "not '3x'"},
        {{"--replicas", "-3"}, 64, "not '-3'"},
        {{"--replicas", ""}, 64, "not ''"},
        {{"--rate", "99999999999999999999999"}, 64, "--rate wants a whole number"},
        {{"--rate", "0"}, 64, "from 1 to 1000000000"},
        {{"--value-bytes", "1048577"}, 64, "--value-bytes wants"},
        {{"--window", "257"}, 64, "from 1 to 256"},
        {{"--seconds", "0"}, 64, "--seconds wants a number above 0"},
        {{"--seconds", "5s"}, 64, "without a unit"},
        {{"--seconds", "nan"}, 64, "--seconds wants"},
        {{"--heartbeat", "20"}, 64, "with its unit"},
        {{"--election-timeout", "100"}, 64, "with its unit"},
        {{"--election-timeout", "0ms"}, 64, "with its unit"},
        {{"--election-timeout", "30ms"}, 64, "at least twice the --heartbeat"},
        {{"--mtu", "611"}, 64, "from 612 to 9000"},
        {{"--reads", "101"}, 64, "from 0 to 100"},
        {{"--protocol", "paxos"}, 64, "does not know 'paxos'"},
        {{"--protocol", "pbft"}, 69, "not available in this build"},
        {{"--durability", "fsync"}, 64, "--durability fsync wants --data"},
        {{"--durability", "hope"}, 64, "--durability is volatile or fsync"},
        {{"--client-auth", "mac"}, 69, "--client-auth mac is not available"},
        {{"--split", "kitchen"}, 64, "--split wants 'no', or rooms"},
        {{"--client-auth", "token"}, 64, "--client-auth does not know 'token'"},
        {{"--target", "10.0.0.1"}, 64, "HOST:PORT"},
        {{"--target", "10.0.0.1:7700,"}, 64, "HOST:PORT"},
        {{"--target", "10.0.0.1:7700", "--fault", "leader-kill"}, 64, "--fault kills a node"},
        {{"--target", "10.0.0.1:7700", "--workload", "append"}, 64, "--workload append is checked"},
        {{"--target", "10.0.0.1:7700", "--replicas", "3"}, 64, "--replicas is for an embedded"},
        {{"--target", "10.0.0.1:7700", "--cores", "1"}, 64, "--cores is for an embedded"},
        {{"--heartbeat", "5ms", "--target", "10.0.0.1:7700"}, 64, "--heartbeat is for an"},
        {{"--target", "a:1", "--election-timeout", "100ms"}, 64, "--election-timeout is for an"},
        {{"--target", "a:1", "--durability", "volatile"}, 64, "--durability is for an embedded"},
        {{"--fault", "flood"}, 64, "--fault is none or leader-kill"},
        {{"--workload", "scan"}, 64, "--workload is set or append"},
        {{"--groups", "2", "--clients", "1"}, 64, "--clients must not be below --groups"},
        {{"--lanes", "2"}, 64, "--lanes must not exceed --groups"},
        {{"--groups", "4", "--keys", "3"}, 64, "--keys must not be below --groups"},
        {{"--fault", "leader-kill", "--replicas", "2"}, 64, "--replicas 3 or more"},
        {{"--workload", "append", "--value-bytes", "64"}, 64, "leave out --value-bytes"},
        {{"--workload", "append", "--reads", "1"}, 64, "leave out --reads"},
        {{"--workload", "append", "--keys", "1"}, 64, "outgrow 1 MiB"},
        {{"--history", "h", "--value-bytes", "15"}, 64, "--value-bytes 16 or more"},
    };
    for (const refusal &each : refusals)
        EXPECT_EXIT(load(each.line), testing::ExitedWithCode(each.status), each.sentence);
}

TEST(OptionsDeathTest, DemoRefusals)
{
    EXPECT_EXIT(demo({"--replicas", "2"}), testing::ExitedWithCode(64), "from 3 to 7");
    EXPECT_EXIT(demo({"--protocol", "pbft"}), testing::ExitedWithCode(69), "not available");
    EXPECT_EXIT(demo({"stray"}), testing::ExitedWithCode(64), "options only");
    EXPECT_EXIT(demo({"--json"}), testing::ExitedWithCode(64), "json");
}

TEST(OptionsDeathTest, HelpEndsWell)
{
    EXPECT_EXIT(load({"--help"}), testing::ExitedWithCode(0), "");
    EXPECT_EXIT(demo({"--help"}), testing::ExitedWithCode(0), "");
}

TEST(Options, DurationsWantUnits)
{
    uint64_t ns = 0;
    EXPECT_TRUE(option_duration_ns("10ms", &ns));
    EXPECT_EQ(ns, 10000000u);
    EXPECT_TRUE(option_duration_ns("2s", &ns));
    EXPECT_EQ(ns, 2000000000u);
    EXPECT_TRUE(option_duration_ns("500us", &ns));
    EXPECT_EQ(ns, 500000u);
    EXPECT_TRUE(option_duration_ns("7ns", &ns));
    EXPECT_EQ(ns, 7u);
    for (const char *bad : {"", "10", "ms", "10 ms", "-1ms", "1.5s", "10m", "10msx", "3601s",
                            "99999999999999999999s", "18446744073709551615s"})
        EXPECT_FALSE(option_duration_ns(bad, &ns)) << bad;
}

} // namespace
