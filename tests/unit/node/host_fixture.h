/* host_fixture.h: one process with small nodes on the ring wire. EAL starts once in a process, so
 * all tests of a program share the host; each adds nodes of its own and kills them. */
#ifndef TESTS_UNIT_NODE_HOST_FIXTURE_H
#define TESTS_UNIT_NODE_HOST_FIXTURE_H

extern "C" {
#include "dataplane/node/host.h"
#include "dataplane/port/open.h"
}

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <functional>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

class HostTest : public ::testing::Test
{
  protected:
    static struct host *host;
    static const uint32_t nodes_max = 16;

    static void SetUpTestSuite()
    {
        char error[HOST_ERROR_MAX] = "";
        struct host_config config;
        host_config_defaults(&config);
        config.replicas = nodes_max;
        config.idle = IDLE_SLEEP;
        config.huge = HUGE_NONE;
        host = host_start(&config, error);
        ASSERT_NE(host, nullptr) << error;
        ASSERT_TRUE(host_run(host, error)) << error;
    }
    static void TearDownTestSuite()
    {
        host_stop(host);
    }
    void TearDown() override
    {
        for (struct node *node : nodes)
            host_node_kill(host, node);
    }

    std::vector<struct node *> nodes;
    std::string error;

    /* Member `id` of a cluster of `members`, with an edge. */
    static struct node_config small(uint16_t id, uint16_t members)
    {
        struct node_config config;
        node_config_defaults(&config);
        config.id = id;
        config.log_bytes = 16u << 20;
        config.state = {1024, 1u << 20, 60000};
        config.resp = true;
        config.member_count = members;
        for (uint16_t i = 0; i < members; i++) {
            config.member[i] = static_cast<uint16_t>(i + 1);
            config.member_ip[i] = (10u << 24) | (77u << 16) | (i + 1u);
            config.member_port[i] = config.udp_port;
        }
        return config;
    }

    struct node *add(const struct node_config &config)
    {
        char text[HOST_ERROR_MAX] = "";
        struct node *node = host_node_add(host, &config, text);
        error = text;
        if (node != nullptr)
            nodes.push_back(node);
        return node;
    }

    bool bootstrap()
    {
        char text[HOST_ERROR_MAX] = "";
        bool done = host_bootstrap(host, nodes.data(), static_cast<uint32_t>(nodes.size()), text);
        error = text;
        return done;
    }

    /* What each node's operator would be told to type. */
    std::string binding() const
    {
        std::string text = "QUORATE BOOTSTRAP 00000000000000ff ";
        for (const struct node *node : nodes) {
            char one[32];
            (void)snprintf(one, sizeof one, "%s%u=%016llx", node == nodes[0] ? "" : ",",
                           node_id(node), static_cast<unsigned long long>(node_incarnation(node)));
            text += one;
        }
        return text;
    }

    /* Runs control until it holds; false: not within 20 s. */
    static bool await(const std::function<bool()> &holds)
    {
        for (int i = 0; i < 2000; i++) {
            if (holds())
                return true;
            host_control(host, 10000000);
        }
        return false;
    }

    struct node *leader() const
    {
        for (struct node *node : nodes) {
            struct lane_group_status status;
            if (node_group_status(node, 0, &status) && status.role == RAFT_LEADER)
                return node;
        }
        return nullptr;
    }

    /* Of all nodes. */
    uint64_t raft_counted(enum raft_event event) const
    {
        uint64_t sum = 0, counters[RAFT_EVENT_COUNT];
        for (const struct node *node : nodes) {
            lane_raft_counters(node_lane(node, 0), counters);
            sum += counters[event];
        }
        return sum;
    }

    static uint64_t counted(const struct node *node, enum lane_event event)
    {
        uint64_t counters[LANE_EVENT_COUNT];
        lane_counters(node_lane(node, 0), counters);
        return counters[event];
    }

    /* One inline command to the node's edge; its answer is one line, or one bulk. */
    static std::string ask(const struct node *node, const std::string &command)
    {
        std::string line = command + "\r\n", answer(131072, '\0');
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(node_resp_port(node));
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
        EXPECT_EQ(send(fd, line.data(), line.size(), 0), static_cast<ssize_t>(line.size()));
        size_t bytes = 0, wanted = 1;
        while (bytes < wanted) {
            ssize_t more = recv(fd, &answer[bytes], answer.size() - bytes, 0);
            if (more <= 0)
                break;
            bytes += static_cast<size_t>(more);
            size_t line_end = answer.find("\r\n");
            wanted = line_end == std::string::npos ? answer.size() : line_end + 2;
            if (answer[0] == '$' && line_end != std::string::npos)
                wanted += std::stoul(answer.substr(1)) + 2;
        }
        answer.resize(bytes);
        close(fd);
        return answer;
    }
};

#endif
