/* Deadlines and bounds. */
#include "tests/unit/edge/edge_fixture.hpp"

#include <thread>

namespace
{

class Limits : public EdgeTest
{
};

TEST_F(Limits, FootprintRefusesWhatTheHeaderRefuses)
{
    EXPECT_GT(edge_footprint(&config), 0u);
    auto refused = [this](auto change) {
        edge_config bad = config;
        change(&bad);
        return edge_footprint(&bad) == 0;
    };
    EXPECT_TRUE(refused([](edge_config *c) { c->group_count = 0; }));
    EXPECT_TRUE(refused([](edge_config *c) { c->group_count = EDGE_GROUPS_MAX + 1; }));
    EXPECT_TRUE(refused([](edge_config *c) { c->lane_count = 0; }));
    EXPECT_TRUE(refused([](edge_config *c) { c->lane_count = WIRE_LANES_MAX + 1; }));
    EXPECT_TRUE(refused([](edge_config *c) { c->sessions = 0; }));
    EXPECT_TRUE(refused([](edge_config *c) { c->sessions = EDGE_SESSIONS_MAX + 1; }));
    EXPECT_TRUE(refused([](edge_config *c) { c->connections_max = 0; }));
    EXPECT_TRUE(refused([](edge_config *c) { c->connections_max = EDGE_CONNECTIONS_MAX + 1; }));
    EXPECT_TRUE(refused([](edge_config *c) { c->chunks = 1; }));
    EXPECT_TRUE(refused([](edge_config *c) { c->big_inputs = 0; }));
    EXPECT_TRUE(refused([](edge_config *c) { c->deadline_ns = 0; }));
}

bool reaches(const char *address, uint16_t port)
{
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    inet_pton(AF_INET, address, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, reinterpret_cast<sockaddr *>(&to), sizeof to) == 0;
    close(fd);
    return connected;
}

TEST_F(Limits, OnlyLoopbackIsListenedOnUnlessToldOtherwise)
{
    start();
    EXPECT_TRUE(reaches("127.0.0.1", edge_port(edge)));
    EXPECT_FALSE(reaches("127.0.0.2", edge_port(edge))); /* another address of this machine */
}

TEST_F(Limits, ZeroAddressListensOnAllAddresses)
{
    config.listen_ip = 0;
    start();
    EXPECT_TRUE(reaches("127.0.0.1", edge_port(edge)));
    EXPECT_TRUE(reaches("127.0.0.2", edge_port(edge)));
}

TEST_F(Limits, PortInUseIsSaid)
{
    start();
    edge_config second_config = config;
    second_config.listen_port = edge_port(edge);
    Region other = region(edge_footprint(&second_config));
    char error[EDGE_ERROR_MAX] = "";
    EXPECT_EQ(edge_init(other.get(), &second_config, error), nullptr);
    EXPECT_NE(std::string(error).find("choose another port"), std::string::npos) << error;
}

TEST_F(Limits, WithoutALeaderNothingWasExecutedAndItSaysSo)
{
    start();
    lane().leaderless = true;
    auto socket = connect();
    socket->send(multibulk({"SET", "a", "1"}) + multibulk({"SET", "a", "2"}));
    turn_for(*socket, config.deadline_ns - second / 10);
    EXPECT_EQ(socket->received, "");
    turn_for(*socket, second / 5);
    const std::string down = "-CLUSTERDOWN not executed: there is no leader\r\n";
    EXPECT_EQ(socket->received, down + down);
    EXPECT_EQ(count(EDGE_TRY_AGAIN), 2u);
    lane().leaderless = false;
    socket->received.clear();
    EXPECT_EQ(exchange(*socket, multibulk({"SET", "a", "3"}), "+OK\r\n"), "+OK\r\n");
}

TEST_F(Limits, SilentLeaderLeavesWritesUncertainAndReadsToTryAgain)
{
    start();
    auto socket = connect();
    EXPECT_EQ(exchange(*socket, multibulk({"SET", "a", "1"}), "+OK\r\n"), "+OK\r\n");
    lane().silent = true;
    socket->send(multibulk({"SET", "a", "2"}));
    turn_for(*socket, config.deadline_ns + second / 10);
    EXPECT_EQ(socket->received, "-UNCERTAIN it was proposed, its outcome is unknown\r\n");
    socket->received.clear();
    socket->send(multibulk({"GET", "a"}) + multibulk({"MGET", "a", "b"}));
    turn_for(*socket, config.deadline_ns + second / 10);
    const std::string again = "-TRYAGAIN not executed: no answer from the leader in time\r\n";
    EXPECT_EQ(socket->received, again + "*2\r\n" + again + again);
}

TEST_F(Limits, NothingHangsBehindAFullWindow)
{
    config.sessions = 1;
    start();
    lane().silent = true;
    std::vector<std::unique_ptr<Socket>> sockets;
    const int connections = 20, commands = 60;
    for (int i = 0; i < connections; i++) {
        sockets.push_back(connect());
        for (int n = 0; n < commands; n++)
            sockets.back()->send(n % 7 == 6 ? multibulk({"DEL", "a", "b", "c"})
                                            : multibulk({"INCR", "n"}));
    }
    uint64_t end = now_ns + 4 * config.deadline_ns;
    while (now_ns < end) {
        turn(20000000);
        for (auto &socket : sockets)
            socket->pull();
    }
    for (auto &socket : sockets) {
        EXPECT_EQ(std::count(socket->received.begin(), socket->received.end(), '\n'), commands);
        EXPECT_EQ(std::count(socket->received.begin(), socket->received.end(), '-'), commands);
    }
    EXPECT_GT(count(EDGE_WINDOW_WAITED), 0u);
}

TEST_F(Limits, ClientThatStopsSendingStillGetsItsAnswers)
{
    start();
    lane().hold_percent = 90;
    auto socket = connect();
    socket->send(multibulk({"SET", "a", "1"}) + multibulk({"GET", "a"}) + "*1\r\n$4");
    socket->say_no_more();
    pump(*socket, 1000);
    EXPECT_EQ(socket->received, "+OK\r\n$1\r\n1\r\n");
    EXPECT_TRUE(socket->ended);
}

/* A wait that ended in -TRYAGAIN is over: the next command has all of its own time. */
TEST_F(Limits, EachWaitHasItsOwnDeadline)
{
    config.sessions = 1;
    start();
    auto greedy = connect(), socket = connect();
    EXPECT_EQ(exchange(*socket, multibulk({"SET", "a", "0"}), "+OK\r\n"), "+OK\r\n");
    lane().silent = true;
    for (uint32_t i = 0; i < 2 * CLIENT_WINDOW_MAX; i++)
        greedy->send(multibulk({"SET", "b", "1"}));
    turn();
    socket->send(multibulk({"SET", "a", "1"}));
    turn_for(*socket, config.deadline_ns + second / 2);
    EXPECT_EQ(std::exchange(socket->received, ""),
              "-TRYAGAIN not executed: no answer from the leader in time\r\n");
    turn_for(*greedy, 10 * second);
    lane().silent = false;
    lane().hold_percent = 100;
    for (uint32_t i = 0; i < 2 * CLIENT_WINDOW_MAX; i++)
        greedy->send(multibulk({"SET", "b", "1"}));
    turn();
    socket->send(multibulk({"SET", "a", "2"}));
    uint64_t waited = count(EDGE_WINDOW_WAITED);
    turn();
    EXPECT_GT(count(EDGE_WINDOW_WAITED), waited);
    lane().hold_percent = 0;
    pump(*socket, 5);
    EXPECT_EQ(socket->received, "+OK\r\n");
}

TEST_F(Limits, FrameThatDoesNotDecodeIsCounted)
{
    start();
    auto socket = connect();
    lane().silent = true;
    socket->send(multibulk({"GET", "a"}));
    turn();
    frame frame;
    ASSERT_EQ(duct_take(lane().duct, DUCT_LANE, &frame, 1), 1u);
    memset(frame.data, 0xee, 100);
    frame.bytes = 100;
    duct_send(lane().duct, DUCT_LANE, &frame, 1);
    turn();
    EXPECT_EQ(count(EDGE_BAD_FRAME), 1u);
}

TEST_F(Limits, ReplyForNobodyIsCounted)
{
    start();
    auto socket = connect();
    lane().silent = true;
    socket->send(multibulk({"GET", "a"}));
    turn();
    frame frame;
    wire_writer writer;
    wire_frame header = {};
    wire_reply reply = {};
    wire_result result = {};
    reply.route = 0xfff0;
    ASSERT_EQ(duct_take(lane().duct, DUCT_LANE, &frame, 1), 1u);
    wire_frame_begin(&writer, frame.data, frame.capacity, &header);
    ASSERT_TRUE(wire_put_reply(&writer, &reply));
    ASSERT_TRUE(wire_put_result(&writer, 1, &result));
    frame.bytes = writer.bytes;
    duct_send(lane().duct, DUCT_LANE, &frame, 1);
    turn();
    EXPECT_EQ(count(EDGE_STRANGE_REPLY), 1u);
}

TEST_F(Limits, ThreadAnswersAndStops)
{
    start();
    char error[EDGE_ERROR_MAX];
    ASSERT_TRUE(edge_start(edge, error)) << error;
    Socket socket(edge_port(edge));
    socket.send(multibulk({"SET", "a", "1"}) + multibulk({"PING"}));
    while (socket.received.size() < 12 && !socket.ended) {
        lane().turn();
        socket.pull();
        std::this_thread::yield();
    }
    EXPECT_EQ(socket.received, "+OK\r\n+PONG\r\n");
    uint64_t used_ns = edge_cpu_ns(edge);
    EXPECT_GT(used_ns, 0u);
    edge_stop(edge);
    EXPECT_GE(edge_cpu_ns(edge), used_ns); /* what was burnt stays burnt */
    edge_stop(edge);                       /* once more does no harm */
}

} // namespace
