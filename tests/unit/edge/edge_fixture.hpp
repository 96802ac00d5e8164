/* edge_fixture.hpp: an edge with fake lanes, clients on real sockets, and a clock of the test's. */
#ifndef TESTS_UNIT_EDGE_EDGE_FIXTURE_HPP
#define TESTS_UNIT_EDGE_EDGE_FIXTURE_HPP

#include "tests/unit/edge/fake_lane.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

extern "C" {
#include "dataplane/edge/edge.h"
}

using Words = std::vector<std::string>;

constexpr uint64_t second = 1000000000;

inline std::string multibulk(const Words &words)
{
    std::string text = "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string &word : words)
        text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    return text;
}

inline std::string bulk(const std::string &text)
{
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

class Socket
{
  public:
    std::string received;
    bool ended = false;

    explicit Socket(uint16_t port)
    {
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int on = 1; /* each send leaves at once */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
    }
    Socket(const Socket &) = delete;
    ~Socket()
    {
        hang_up();
    }
    void hang_up()
    {
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    /* What was not read yet is lost, and the other side hears of it at once. */
    void reset()
    {
        linger now = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        hang_up();
    }
    bool all_sent() const
    {
        return unsent.empty();
    }
    void say_no_more()
    {
        shutdown(fd, SHUT_WR);
    }
    /* What the kernel does not take now waits for the next pump. */
    void send(const std::string &bytes)
    {
        unsent += bytes;
        push();
    }
    void push()
    {
        while (!unsent.empty()) {
            ssize_t taken = ::send(fd, unsent.data(), unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (taken <= 0)
                return;
            unsent.erase(0, static_cast<size_t>(taken));
        }
    }
    void pull()
    {
        char bytes[65536];
        while (fd >= 0 && !ended) {
            ssize_t count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
            if (count > 0)
                received.append(bytes, static_cast<size_t>(count));
            else if (count == 0 || errno != EAGAIN)
                ended = true;
            else
                return;
        }
    }

  private:
    int fd;
    std::string unsent;
};

class EdgeTest : public testing::Test
{
  protected:
    edge_config config;
    std::vector<std::unique_ptr<FakeLane>> lanes;
    Region memory;
    struct edge *edge = nullptr;
    uint64_t now_ns = 1000000000;

    EdgeTest()
    {
        edge_config_defaults(&config);
        config.connections_max = 32;
        config.sessions = 2;
        config.chunks = 768;
        config.big_inputs = 2;
        config.seed = 42;
    }
    ~EdgeTest() override
    {
        if (edge != nullptr)
            edge_fini(edge);
    }
    void start()
    {
        for (uint16_t i = 0; i < config.lane_count; i++) {
            lanes.push_back(std::make_unique<FakeLane>());
            config.duct[i] = lanes[i]->duct;
            config.route[i] = i << 16;
        }
        memory = region(edge_footprint(&config));
        char error[EDGE_ERROR_MAX];
        edge = edge_init(memory.get(), &config, error);
        ASSERT_NE(edge, nullptr) << error;
    }
    FakeLane &lane()
    {
        return *lanes[0];
    }
    std::unique_ptr<Socket> connect()
    {
        auto socket = std::make_unique<Socket>(edge_port(edge));
        turn();
        return socket;
    }
    uint64_t count(edge_event event) const
    {
        return edge_counters(edge)[event];
    }
    void turn(uint64_t step_ns = 10000)
    {
        now_ns += step_ns;
        edge_wait(edge, 0);
        edge_poll(edge, now_ns);
        for (auto &lane : lanes)
            lane->turn();
    }
    void turn_for(Socket &socket, uint64_t ns, uint64_t step_ns = 10000000)
    {
        for (uint64_t end = now_ns + ns; now_ns < end;) {
            turn(step_ns);
            socket.pull();
        }
    }
    /* Turns until the client has this many bytes, or its connection has ended. */
    void pump(Socket &socket, size_t bytes, int turns = 20000)
    {
        for (; turns > 0 && socket.received.size() < bytes && !socket.ended; turns--) {
            socket.push();
            turn();
            socket.pull();
        }
    }
    /* Sends and returns exactly what is expected, or what came instead. */
    std::string exchange(Socket &socket, const std::string &request, const std::string &expected)
    {
        socket.send(request);
        pump(socket, expected.size());
        for (int i = 0; i < 3; i++) { /* nothing may follow */
            turn();
            socket.pull();
        }
        return std::exchange(socket.received, "");
    }
    /* Sends one command and returns what comes, of unknown size. */
    std::string ask(Socket &socket, const Words &words)
    {
        socket.send(multibulk(words));
        size_t before;
        do {
            before = socket.received.size();
            pump(socket, before + 1, before == 0 ? 20000 : 3);
        } while (socket.received.size() > before);
        return std::exchange(socket.received, "");
    }
};

/* One client and its commands, one at a time. */
class OneClientTest : public EdgeTest
{
  protected:
    std::unique_ptr<Socket> socket;
    void SetUp() override
    {
        start();
        socket = connect();
    }
    void check(const Words &words, const std::string &expected)
    {
        EXPECT_EQ(exchange(*socket, multibulk(words), expected), expected) << words[0];
    }
};

#endif
