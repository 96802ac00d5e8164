extern "C" {
#include "dataplane/node/agreed.h"
}

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace
{

struct node_config some(uint16_t id)
{
    struct node_config config;
    node_config_defaults(&config);
    config.id = id;
    return config;
}

/* Each would have replicas execute the same entries otherwise, or break a lease. */
TEST(Agreed, NamesWhatDiffers)
{
    const struct {
        std::function<void(struct node_config &)> change;
        const char *says;
    } differences[] = {
        {[](struct node_config &c) { c.group_count = 2; }, "groups = 2, node 1 has groups = 1:"},
        {[](struct node_config &c) { c.state.keys_max = 2048; }, "keys = 2048, node 1 has keys = "},
        {[](struct node_config &c) { c.state.bytes_max = 7; }, "bytes = 7B, node 1 has bytes = "},
        {[](struct node_config &c) { c.state.session_ttl_ms = 9; },
         "session_ttl = 9ms, node 1 has session_ttl = 60000ms:"},
        {[](struct node_config &c) { c.election_timeout_ns = 150000000; },
         "election_timeout = 150000us, node 1 has election_timeout = 100000us:"},
    };
    struct node_config one = some(1);
    for (const auto &difference : differences) {
        struct node_config other = some(2);
        char error[HOST_ERROR_MAX] = "";
        difference.change(other);
        EXPECT_FALSE(agreed_same(&other, &one, error)) << difference.says;
        EXPECT_NE(std::string(error).find("node 2 has " + std::string(difference.says)),
                  std::string::npos)
            << error;
        EXPECT_NE(agreed_hash(&other), agreed_hash(&one)) << difference.says;
    }
}

TEST(Agreed, WhatOnlyDecidesWhenMayDiffer)
{
    struct node_config one = some(1), other = some(2);
    char error[HOST_ERROR_MAX] = "";
    other.lane_count = 2;
    other.heartbeat_ns /= 2;
    other.election_timeout_max_ns *= 2;
    other.log_bytes *= 2;
    other.lease_reads = false;
    EXPECT_TRUE(agreed_same(&one, &other, error)) << error;
    EXPECT_EQ(agreed_hash(&one), agreed_hash(&other));
}

} // namespace
