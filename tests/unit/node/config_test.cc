extern "C" {
#include "dataplane/node/config.h"
}

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <unistd.h>

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

Loaded load(const std::string &text)
{
    char path[] = "/tmp/quorate-config-XXXXXX";
    int fd = mkstemp(path);
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(fd);
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
        {"[storage]\nlog = 100MiB\n", "wants a power of two with its unit"},
        {"[storage]\nlog = 64MB\n", "wants a power of two with its unit"},
        {"[storage]\ndurability = fsync\n", "the only durability of this version"},
        {"[raft]\nelection = 3s\n", "there is no such key"},
        {"[rafts]\nheartbeat = 20ms\n", "there is no such key"},
        {"[node]\nlanes = 99\n", "wants a number from 1 to 16"},
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
    EXPECT_NE(load(std::string(good) + "[raft]\nheartbeat = 90ms\n").error.find("at least twice"),
              std::string::npos);
    EXPECT_NE(load(std::string(good) + "[raft]\nelection_timeout_max = 50ms\n")
                  .error.find("must not be below"),
              std::string::npos);
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
