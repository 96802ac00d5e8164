extern "C" {
#include "dataplane/node/config.h"
}

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <unistd.h>
#include <vector>

namespace
{

const char *const good = "[node]\nid = 2\n"
                         "[cluster]\nmembers = 1@10.1.0.1:7700,2@10.1.0.2:7700,3@10.1.0.3:7701\n"
                         "[port]\nname = ring\naddress = 10.1.0.2/24\n";

struct Loaded {
    bool accepted;
    std::string error;
    struct node_file file;
};

/* Returns its path. */
std::string file_of(const std::string &text)
{
    char path[] = "/tmp/quorate-config-XXXXXX";
    int fd = mkstemp(path);
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(fd);
    return path;
}

struct LoadedAll {
    std::string error;
    std::vector<struct node_file> file;
};

LoadedAll load_all(const std::vector<std::string> &texts)
{
    std::vector<std::string> names;
    std::vector<const char *> paths;
    LoadedAll loaded;
    char error[HOST_ERROR_MAX] = "";
    for (const std::string &text : texts)
        names.push_back(file_of(text));
    for (const std::string &name : names)
        paths.push_back(name.c_str());
    loaded.file.resize(texts.size());
    bool accepted = config_load_all(paths.data(), static_cast<uint32_t>(paths.size()),
                                    loaded.file.data(), error);
    EXPECT_EQ(accepted, error[0] == '\0');
    loaded.error = error;
    for (const char *path : paths)
        unlink(path);
    return loaded;
}

Loaded load(const std::string &text)
{
    std::string name = file_of(text);
    const char *path = name.c_str();
    Loaded loaded = {};
    char error[HOST_ERROR_MAX] = "";
    loaded.accepted = config_load(path, &loaded.file, error);
    loaded.error = error;
    unlink(path);
    return loaded;
}

TEST(Config, FillsInDefaultsAndTakesWhatIsGiven)
{
    Loaded loaded = load(good);
    ASSERT_TRUE(loaded.accepted) << loaded.error;
    EXPECT_EQ(loaded.file.node.id, 2);
    EXPECT_EQ(loaded.file.node.ip, 0x0a010002u);
    EXPECT_EQ(loaded.file.node.member_count, 3);
    EXPECT_EQ(loaded.file.node.member_port[2], 7701);
    EXPECT_EQ(loaded.file.node.heartbeat_ns, 20000000u);
    EXPECT_FALSE(loaded.file.node.resp);
    EXPECT_EQ(loaded.file.node.resp_ip, 0x7f000001u);
    EXPECT_EQ(load(std::string(good) + "[resp]\nlisten = 0.0.0.0:6379\n").file.node.resp_ip, 0u);
}

TEST(Config, WhoShallRatherLead)
{
    Loaded loaded = load(good);
    EXPECT_EQ(loaded.file.node.priority, 1);
    EXPECT_EQ(loaded.file.node.handover_ns, 10000000000u);
    loaded = load(std::string(good) + "[raft]\npriority = 3\nhandover = 500ms\n");
    EXPECT_EQ(loaded.file.node.priority, 3);
    EXPECT_EQ(loaded.file.node.handover_ns, 500000000u);
    EXPECT_EQ(load(std::string(good) + "[raft]\nhandover = never\n").file.node.handover_ns, 0u);
    for (const char *wrong : {"priority = 4", "priority = -1", "priority =", "handover = 0ms",
                              "handover = 10", "handover = always"})
        EXPECT_FALSE(load(std::string(good) + "[raft]\n" + wrong + "\n").accepted) << wrong;
}

TEST(Config, SplitsLanesWhereItIsAskedTo)
{
    const uint32_t own_stage = PLACEMENT_CUT(PLACEMENT_VERIFY) | PLACEMENT_CUT(PLACEMENT_ORDER);
    const struct {
        const char *lines;
        uint32_t cuts;
    } files[] = {
        {"", 0},
        {"[clients]\nsign = yes\n", own_stage},
        {"[clients]\nsign = yes\n[host]\nsplit = no\n", 0},
        {"[host]\nsplit = verify, order\n", own_stage},
        {"[host]\nsplit = tx\n", PLACEMENT_CUT(PLACEMENT_TX)},
    };
    for (const auto &each : files) {
        Loaded loaded = load(std::string(good) + each.lines);
        EXPECT_TRUE(loaded.accepted) << loaded.error;
        EXPECT_EQ(loaded.file.host.cuts, each.cuts) << each.lines;
    }
    for (const char *wrong : {"rx", "kitchen", ",", "verify,kitchen"})
        EXPECT_FALSE(load(std::string(good) + "[host]\nsplit = " + wrong + "\n").accepted) << wrong;
}

// Three keys of RFC 8032, section 7.1; they ascend as the third, the second, the first.
const std::string first = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const std::string second = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
const std::string third = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";

Loaded load_clients(const std::string &list, const std::string &sign = "yes")
{
    char path[] = "/tmp/quorate-clients-XXXXXX";
    int fd = mkstemp(path);
    EXPECT_EQ(write(fd, list.data(), list.size()), static_cast<ssize_t>(list.size()));
    close(fd);
    Loaded loaded =
        load(std::string(good) + "[clients]\nsign = " + sign + "\nkeys = " + path + "\n");
    unlink(path);
    return loaded;
}

TEST(Config, ReadsTheListOfClients)
{
    Loaded loaded =
        load_clients("# ours\n" + first + " alice\n\n" + second + "\n" + third + "\tbob\n");
    ASSERT_TRUE(loaded.accepted) << loaded.error;
    const struct node_clients &clients = loaded.file.node.clients;
    EXPECT_TRUE(clients.sign);
    ASSERT_EQ(clients.key_count, 3u);
    EXPECT_EQ(clients.key[0][0], 0x3d);
    EXPECT_EQ(clients.key[1][0], 0xd7);
    EXPECT_EQ(clients.key[2][0], 0xfc);
    free(const_cast<uint8_t(*)[32]>(clients.key));
}

TEST(Config, RefusesListsOfClientsByLine)
{
    const struct {
        std::string list;
        const char *says;
    } wrong[] = {
        {"", "there is no key"},
        {"# nobody\n", "there is no key"},
        {first + "\nab\n", ":2: wants 64 hexadecimal digits"},
        {first.substr(1) + "g\n", "wants 64 hexadecimal digits"},
        {first + "0\n", "wants 64 hexadecimal digits"},
        {std::string(64, '0') + "\n", "small order"},
        {"02" + std::string(62, '0') + "\n", "no point of the curve"},
        {std::string(64, 'f') + "\n", "not below p"},
        {first + "\n" + second + "\n" + first + "\n", "a key is there twice"},
    };
    for (const auto &each : wrong) {
        Loaded loaded = load_clients(each.list);
        EXPECT_FALSE(loaded.accepted) << each.says;
        EXPECT_NE(loaded.error.find(each.says), std::string::npos) << loaded.error;
    }
    Loaded loaded = load(std::string(good) + "[clients]\nsign = yes\ntable_memory = 6000KiB\n");
    EXPECT_FALSE(loaded.accepted);
    EXPECT_NE(loaded.error.find("128 tables take 48 KiB each at least"), std::string::npos)
        << loaded.error;
    loaded = load_clients(first + "\n", "no");
    EXPECT_FALSE(loaded.accepted);
    EXPECT_NE(loaded.error.find("sign is no"), std::string::npos) << loaded.error;
    loaded = load(std::string(good) + "[clients]\nsign = yes\nkeys = /nowhere/at/all\n");
    EXPECT_FALSE(loaded.accepted);
    EXPECT_NE(loaded.error.find("/nowhere/at/all: No such file"), std::string::npos);
}

TEST(Config, RefusesByNameAndLine)
{
    const struct {
        const char *line;
        const char *says;
    } wrong[] = {
        {"[raft]\nheartbeat = 20\n", "wants a duration with its unit"},
        {"[raft]\nheartbeat = 20min\n", "wants a duration with its unit"},
        {"[raft]\nheartbeat = -5ms\n", "wants a duration with its unit"},
        {"[storage]\nlog = 64MB\n", "wants a size with its unit"},
        {"[storage]\ndurability = sync\n", "wants volatile or fsync"},
        {"[storage]\ndurability = fsync\n", "durability = fsync wants data"},
        {"[storage]\ndata = /tmp\n", "data is named, but durability is volatile"},
        {"[storage]\ndata =\n", "wants a folder"},
        {"[storage]\nlog_file = 1\n", "wants a size with its unit"},
        {"[storage]\nsnapshot_after = 1\n", "wants never, or a size with its unit"},
        {"[storage]\nsnapshot_rate = 1\n", "wants a size with its unit"},
        {"[raft]\nelection = 3s\n", "there is no such key"},
        {"[rafts]\nheartbeat = 20ms\n", "there is no such key"},
        {"[node]\nlanes = two\n", "wants a number"},
        {"[state]\nkeys = 1024B\n", "wants a number, without a unit"},
        {"[port]\naddress = 10.1.0.2\n", "an IPv4 address with its prefix"},
        {"[port]\naddress = 10.1.0.300/24\n", "an IPv4 address with its prefix"},
        {"[resp]\nlisten = 6379\n", "address:port, or off"},
        {"[host]\nidle = hot\n", "yield, spin or sleep"},
        {"[cluster]\nmembers = 2@10.1.0.2:7700,1@10.1.0.1:7700\n", "with rising ids"},
        {"what is this\n", "not of the form key = value"},
    };
    for (const auto &each : wrong) {
        Loaded loaded = load(std::string(good) + each.line);
        EXPECT_FALSE(loaded.accepted) << each.line;
        EXPECT_NE(loaded.error.find(each.says), std::string::npos) << each.line << loaded.error;
        EXPECT_NE(loaded.error.find(":"), std::string::npos);
    }
}

TEST(Config, RefusesWhatDoesNotFitTogether)
{
    EXPECT_NE(
        load("[node]\nid = 9\n[cluster]\nmembers = 1@10.1.0.1:7700\n").error.find("does not name"),
        std::string::npos);
    EXPECT_NE(
        load(
            "[node]\nid = 1\n[cluster]\nmembers = 1@10.1.0.9:7700\n[port]\naddress = 10.1.0.1/24\n")
            .error.find("another address"),
        std::string::npos);
    EXPECT_FALSE(load("").accepted);
}

/* What the start would refuse: each bound by its name, with what is in the file. */
TEST(Config, RefusesWhatIsOutOfBounds)
{
    const struct {
        const char *lines;
        const char *says;
    } wrong[] = {
        {"[node]\nlanes = 0\n", "[node] lanes = 0: a number from 1 to 16"},
        {"[node]\nlanes = 17\ngroups = 64\n", "[node] lanes = 17: a number from 1 to 16"},
        {"[node]\ngroups = 0\n", "[node] groups = 0: a number from 1 to 64"},
        {"[node]\ngroups = 65\n", "[node] groups = 65: a number from 1 to 64"},
        {"[node]\nlanes = 2\n", "[node] lanes = 2: at most as many as groups, which are 1"},
        {"[port]\naddress = 127.0.0.2/8\n", "[port] address = 127.0.0.2: that of a host"},
        {"[port]\naddress = 224.0.0.2/8\n", "[port] address = 224.0.0.2: that of a host"},
        {"[port]\nudp_port = 0\n", "[port] udp_port = 0: 1 to 65535 with 1 lanes"},
        {"[node]\nlanes = 2\ngroups = 2\n[port]\nudp_port = 65535\n",
         "[port] udp_port = 65535: 1 to 65534 with 2 lanes"},
        {"[raft]\nheartbeat = 0ms\n", "[raft] heartbeat = 0ms: above 0"},
        {"[raft]\nheartbeat = 51ms\n", "election_timeout = 100000us: at least twice the heartbeat"},
        {"[raft]\nelection_timeout_max = 100ms\n",
         "election_timeout_max = 100000us: above election_timeout"},
        {"[raft]\nelection_timeout_max = 50ms\n",
         "election_timeout_max = 50000us: above election_timeout"},
        {"[raft]\nelection_timeout_max = 3601s\n", "election_timeout_max = 3601s: at most 3600s"},
        {"[storage]\nlog_file = 64MiB\n",
         "[storage] log_file = 64MiB: a power of two from 128MiB to 1024GiB"},
        {"[storage]\nsnapshot_after = 513MiB\n",
         "[storage] snapshot_after = 513MiB: at most half of log_file"},
        {"[storage]\nsnapshot_rate = 1KiB\n",
         "[storage] snapshot_rate = 1KiB: from 1MiB to 1024GiB a second"},
        {"[storage]\nlog_file = 300MiB\n",
         "[storage] log_file = 300MiB: a power of two from 128MiB to 1024GiB"},
        {"[storage]\nlog = 0B\n", "[storage] log = 0B: a power of two from 16MiB to 2GiB"},
        {"[storage]\nlog = 8MiB\n", "[storage] log = 8MiB: a power of two from 16MiB to 2GiB"},
        {"[storage]\nlog = 100MiB\n", "[storage] log = 100MiB: a power of two from 16MiB to 2GiB"},
        {"[storage]\nlog = 4GiB\n", "[storage] log = 4GiB: a power of two from 16MiB to 2GiB"},
        {"[state]\nkeys = 0\n", "[state] keys = 0: a power of two from 1024 to 1073741824"},
        {"[state]\nkeys = 512\n", "[state] keys = 512: a power of two from 1024"},
        {"[state]\nkeys = 3000\n", "[state] keys = 3000: a power of two from 1024"},
        {"[state]\nkeys = 2147483648\n", "[state] keys = 2147483648: a power of two from 1024"},
        {"[state]\nbytes = 0B\n", "[state] bytes = 0B: from 1B to 1024GiB"},
        {"[state]\nbytes = 1025GiB\n", "[state] bytes = 1025GiB: from 1B to 1024GiB"},
    };
    for (const auto &each : wrong) {
        Loaded loaded = load(std::string(good) + each.lines);
        EXPECT_FALSE(loaded.accepted) << each.lines;
        EXPECT_NE(loaded.error.find(each.says), std::string::npos) << each.lines << loaded.error;
    }
}

TEST(Config, TakesWhatIsAtTheBounds)
{
    for (const char *lines :
         {"[node]\nlanes = 16\ngroups = 64\n", "[storage]\nlog = 16MiB\n",
          "[storage]\nlog = 2GiB\n", "[state]\nkeys = 1024\nbytes = 1B\n",
          "[state]\nkeys = 1073741824\nbytes = 1024GiB\n", "[raft]\nheartbeat = 50ms\n",
          "[raft]\nelection_timeout_max = 3600s\n", "[raft]\nelection_timeout_max = 100001us\n"})
        EXPECT_TRUE(load(std::string(good) + lines).accepted) << lines << load(good).error;
}

TEST(Config, FilesOfOneProcessAgreeAboutTheHost)
{
    const std::string text = good;
    LoadedAll differ = load_all({text + "[host]\ncores = 2\n", text, text + "[host]\ncores = 3\n"});
    EXPECT_NE(differ.error.find("[host] cores = 3, in another file of this process it is 2"),
              std::string::npos)
        << differ.error;
    const char *const pairs[][2] = {{"idle = spin", "idle = sleep"},
                                    {"huge = none", "huge = required"},
                                    {"pci = yes", "pci = no"},
                                    {"eal = -m 512", "eal = -m 256"}};
    for (const auto &pair : pairs)
        EXPECT_NE(load_all({text + "[host]\n" + pair[0] + "\n", text + "[host]\n" + pair[1] + "\n"})
                      .error.find("in another file of this process"),
                  std::string::npos)
            << pair[0];
}

/* Whichever file says it; what the others leave out is no contradiction. */
TEST(Config, TheHostIsWhatAnyFileSays)
{
    const std::string text = good;
    LoadedAll loaded =
        load_all({text, text + "[host]\ncores = 3\nidle = spin\neal = -m 512\n[port]\nmtu = 9000\n",
                  text + "[host]\ncores = 3\nhuge = none\n[node]\ngroups = 4\n[port]\nname = "
                         "0000:81:00.0\n"});
    ASSERT_EQ(loaded.error, "");
    const struct host_config &host = loaded.file[0].host;
    EXPECT_EQ(host.cores, 3u);
    EXPECT_EQ(host.idle, IDLE_SPIN);
    EXPECT_EQ(host.huge, HUGE_NONE);
    EXPECT_EQ(host.mtu, 9000u);
    EXPECT_EQ(host.groups, 4u);
    EXPECT_TRUE(host.pci);
    EXPECT_STREQ(host.nic, "0000:81:00.0");
    EXPECT_STREQ(host.port_name, "0000:81:00.0");
    ASSERT_NE(host.eal_arguments, nullptr);
    EXPECT_STREQ(host.eal_arguments, "-m 512");
}

const char *const alone = "[node]\nid = 9\n[port]\naddress = 10.1.0.9/24\n[cluster]\n";

/* 64 members, from the last to the first. */
TEST(Config, MembersMayHaveALineEach)
{
    std::string text = alone;
    for (int id = 64; id > 0; id--)
        text += "member." + std::to_string(id) + " = 10.1.0." + std::to_string(id) + ":7700\n";
    Loaded loaded = load(text);
    ASSERT_TRUE(loaded.accepted) << loaded.error;
    ASSERT_EQ(loaded.file.node.member_count, 64);
    for (uint16_t i = 0; i < 64; i++) {
        EXPECT_EQ(loaded.file.node.member[i], i + 1);
        EXPECT_EQ(loaded.file.node.member_ip[i], 0x0a010001u + i);
    }
    EXPECT_NE(load(text + "member.65 = 10.1.0.65:7700\n").error.find("at most 64"),
              std::string::npos);
    Loaded again = load(text + "member.3 = 10.1.0.3:7703\n");
    EXPECT_EQ(again.file.node.member_count, 64);
    EXPECT_EQ(again.file.node.member_port[2], 7703);
}

TEST(Config, RefusesMembersByName)
{
    for (const char *wrong :
         {"member.0 = 10.1.0.9:7700\n", "member.65535 = 10.1.0.9:7700\n", "member. = 10.1.0.9:1\n",
          "member.x = 10.1.0.9:7700\n", "member.9 = 10.1.0.9\n", "member.9 = 9@10.1.0.9:7700\n",
          "members = 9@10.1.0.9:7700\nmember.9 = 10.1.0.9:7700\n"})
        EXPECT_NE(load(std::string(alone) + wrong).error.find("] member."), std::string::npos)
            << wrong;
    EXPECT_NE(load(std::string(alone) + "member.9 = 10.1.0.9:7700\nmembers = 9@10.1.0.9:7700\n")
                  .error.find("no member.ID beside it"),
              std::string::npos);
    EXPECT_NE(load(std::string(alone) + "members = 9@10.1.0.9:7700,9@10.1.0.9:7700\n")
                  .error.find("with rising ids"),
              std::string::npos);
}

TEST(Config, ALineThatIsTooLongIsSaid)
{
    const std::string start = "; ", good_text = std::string(good);
    const int line = static_cast<int>(std::count(good_text.begin(), good_text.end(), '\n')) + 1;
    EXPECT_TRUE(load(good_text + start + std::string(197, 'x') + "\n").accepted);
    EXPECT_TRUE(load(good_text + start + std::string(197, 'x')).accepted);
    EXPECT_TRUE(load(good_text + start + std::string(197, 'x') + "\n[raft]\n").accepted);
    Loaded loaded = load(good_text + start + std::string(198, 'x') + "\n[raft]\n");
    EXPECT_FALSE(loaded.accepted);
    EXPECT_NE(loaded.error.find(":" + std::to_string(line) + ": a line has at most 199"),
              std::string::npos)
        << loaded.error;
}

TEST(Config, FilesOfOneProcessMustFitTogether)
{
    const std::string other = "[cluster]\nmembers = 2@10.1.0.2:7700\n[node]\nlanes = 16\n"
                              "groups = 16\n";
    LoadedAll unequal = load_all({good, good + other});
    EXPECT_NE(unequal.error.find("[node] lanes = 16, in "), std::string::npos) << unequal.error;
    LoadedAll many = load_all(std::vector<std::string>(5, good + other));
    EXPECT_NE(many.error.find("[node] lanes = 16 in 5 files: at most 64"), std::string::npos)
        << many.error;
    EXPECT_EQ(load_all(std::vector<std::string>(4, good + other)).error, "");
}

TEST(Config, RefusesAnMtuThatHoldsNoPieceOfALargeValue)
{
    for (const char *mtu : {"0", "576", "611", "9601"})
        EXPECT_NE(load(std::string(good) + "[port]\nmtu = " + mtu + "\n")
                      .error.find("[port] mtu = " + std::string(mtu) + ": from 612 to 9600 bytes"),
                  std::string::npos)
            << mtu;
    for (const char *mtu : {"612", "9600"})
        EXPECT_TRUE(load(std::string(good) + "[port]\nmtu = " + mtu + "\n").accepted) << mtu;
}

TEST(Config, SaysWhenThereIsNoFile)
{
    struct node_file file;
    char error[HOST_ERROR_MAX];
    EXPECT_FALSE(config_load("/nonexistent/quorate.ini", &file, error));
    EXPECT_NE(std::string(error).find("No such file"), std::string::npos);
}

TEST(Config, UnitsAreNotGuessed)
{
    uint64_t value;
    EXPECT_TRUE(config_duration_ns("3 s", &value));
    EXPECT_EQ(value, 3000000000u);
    EXPECT_FALSE(config_duration_ns("3", &value));
    EXPECT_FALSE(config_duration_ns("99999999999999999999s", &value));
    EXPECT_FALSE(config_duration_ns("18446744073709551615s", &value));
    EXPECT_TRUE(config_size_bytes("2GiB", &value));
    EXPECT_EQ(value, UINT64_C(2) << 30);
}

} // namespace
