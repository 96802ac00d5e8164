/* Clients that misbehave: what it costs them, and that it costs nobody else. */
#include "tests/unit/edge/edge_fixture.hpp"

#include <fcntl.h>
#include <sys/resource.h>

namespace
{

class Attacks : public EdgeTest
{
};

TEST_F(Attacks, TooManyConnectionsAreToldSo)
{
    config.connections_max = 2;
    start();
    auto first = connect(), second_socket = connect(), third = connect();
    pump(*third, 1000, 10);
    EXPECT_EQ(third->received, "-ERR max number of clients reached\r\n");
    EXPECT_TRUE(third->ended);
    EXPECT_EQ(count(EDGE_CONNECTIONS_FULL), 1u);
    first->hang_up();
    turn();
    turn();
    auto fourth = connect();
    EXPECT_EQ(exchange(*fourth, multibulk({"PING"}), "+PONG\r\n"), "+PONG\r\n");
}

TEST_F(Attacks, WithoutDescriptorsWhoeverComesIsToldSo)
{
    start();
    auto first = connect();
    int free_fd = fcntl(0, F_DUPFD_CLOEXEC, 0); /* the lowest that is free: what the client gets */
    ASSERT_GE(free_fd, 0);
    close(free_fd);
    rlimit before, tight;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = static_cast<rlim_t>(free_fd) + 1;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    Socket second_socket(edge_port(edge));
    turn();
    second_socket.pull();
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(second_socket.received, "-ERR max number of clients reached\r\n");
    EXPECT_TRUE(second_socket.ended);
    EXPECT_EQ(count(EDGE_ACCEPT_FAILED), 1u);
    EXPECT_EQ(count(EDGE_CONNECTIONS_FULL), 1u);
    EXPECT_EQ(exchange(*first, multibulk({"PING"}), "+PONG\r\n"), "+PONG\r\n");
    auto third = connect();
    EXPECT_EQ(exchange(*third, multibulk({"PING"}), "+PONG\r\n"), "+PONG\r\n");
}

TEST_F(Attacks, HalfACommandIsWaitedForTenSecondsOnly)
{
    start();
    auto socket = connect(), idle = connect();
    socket->send(multibulk({"PING"}) + "*2\r\n$3\r\nGE");
    turn_for(*socket, 9 * second, second / 2);
    EXPECT_EQ(socket->received, "+PONG\r\n");
    EXPECT_FALSE(socket->ended);
    turn_for(*socket, 3 * second, second / 2);
    EXPECT_EQ(socket->received,
              "+PONG\r\n-ERR Protocol error: command was half sent for too long\r\n");
    EXPECT_TRUE(socket->ended);
    idle->pull();
    EXPECT_FALSE(idle->ended); /* without a command there is nothing to wait for */
    EXPECT_EQ(count(EDGE_HALF_SENT), 1u);
}

TEST_F(Attacks, TrickledCommandsGoOnForEver)
{
    start();
    auto socket = connect();
    std::string command = multibulk({"PING"}), expected;
    for (int i = 0; i < 10; i++) {
        for (char byte : command) {
            socket->send(std::string(1, byte));
            turn(second / 2);
        }
        expected += "+PONG\r\n";
    }
    socket->pull();
    EXPECT_EQ(socket->received, expected);
}

TEST_F(Attacks, BytesThatAreNoProtocolEndTheConnectionAfterItsAnswers)
{
    start();
    auto socket = connect();
    socket->send(multibulk({"SET", "a", "1"}) + "*1\r\n:5\r\n" + multibulk({"PING"}));
    pump(*socket, 1000);
    EXPECT_EQ(socket->received,
              "+OK\r\n-ERR Protocol error: byte that the protocol does not allow here\r\n");
    EXPECT_TRUE(socket->ended);
    EXPECT_EQ(count(EDGE_JUNK), 1u);
}

TEST_F(Attacks, NegativeLengthIsRefusedWhereverTheStreamIsCut)
{
    start();
    const std::string bytes = "*1\r\n$-5\r\n";
    for (size_t cut = 1; cut < bytes.size(); cut++) {
        auto socket = connect();
        socket->send(bytes.substr(0, cut));
        turn();
        socket->send(bytes.substr(cut));
        pump(*socket, 1000, 50);
        EXPECT_EQ(socket->received, "-ERR Protocol error: negative length\r\n") << cut;
        EXPECT_TRUE(socket->ended);
        EXPECT_EQ(count(EDGE_NEGATIVE_LENGTH), cut);
    }
}

TEST_F(Attacks, EachParserRefusalHasItsCounter)
{
    start();
    struct {
        std::string bytes;
        edge_event event;
    } const cases[] = {
        {"*1025\r\n", EDGE_TOO_MANY_ARGUMENTS},
        {"*-2\r\n", EDGE_NEGATIVE_LENGTH},
        {"*1\r\n$1114113\r\n", EDGE_BULK_TOO_BIG},
        {"*2\r\n$1114112\r\n" + std::string(1114112, 'x') + "\r\n$1114112\r\n",
         EDGE_COMMAND_TOO_BIG},
        {"*1\r\nx", EDGE_JUNK},
        {std::string(8192, 'a'), EDGE_INLINE_TOO_LONG},
        {"a '", EDGE_INLINE_QUOTES},
        {"POST / HTTP/1.1\r\n", EDGE_HTTP},
    };
    for (const auto &one : cases) {
        auto socket = connect();
        socket->send(one.bytes);
        pump(*socket, 1000, 500);
        EXPECT_TRUE(socket->ended) << one.bytes.substr(0, 40);
        EXPECT_EQ(count(one.event), 1u) << edge_event_name(one.event);
        EXPECT_NE(socket->received.find(edge_event_sentence(one.event)), std::string::npos)
            << socket->received;
    }
}

TEST_F(Attacks, ClientThatReadsNoneOfManyAnswersIsDropped)
{
    config.backlog_bytes_max = 4 << 20;
    config.chunks = 8192;
    start();
    lane().table[0]["big"] = std::string(1 << 20, 'x');
    auto socket = connect();
    for (int i = 0; i < 64; i++)
        socket->send(multibulk({"GET", "big"}));
    for (int i = 0; i < 3000; i++)
        turn();
    EXPECT_EQ(count(EDGE_BACKLOG_FULL), 0u); /* it may still read them */
    for (int i = 0; i < 3; i++)
        turn(second);
    EXPECT_EQ(count(EDGE_BACKLOG_FULL), 1u);
    auto other = connect();
    EXPECT_EQ(exchange(*other, multibulk({"PING"}), "+PONG\r\n"), "+PONG\r\n");
}

TEST_F(Attacks, ClientThatReadsLateIsWaitedFor)
{
    config.backlog_bytes_max = 1 << 20;
    start();
    auto socket = connect();
    std::string text(10000, 'x'), expected;
    for (int i = 0; i < 2000; i++) { /* more than the kernel and the backlog hold */
        socket->send(multibulk({"ECHO", text}));
        expected += bulk(text);
    }
    for (int i = 0; i < 3000; i++) {
        socket->push();
        turn();
    }
    EXPECT_GT(count(EDGE_BACKLOG_WAITED), 0u);
    EXPECT_FALSE(socket->all_sent());
    pump(*socket, expected.size());
    EXPECT_TRUE(socket->received == expected);
    EXPECT_EQ(count(EDGE_BACKLOG_FULL), 0u);
}

TEST_F(Attacks, WhenBuffersRunOutOnlyTheGreediestIsDropped)
{
    config.chunks = 256;
    start();
    auto greedy = connect(), modest = connect();
    std::string text(10000, 'x');
    auto buffers_used = [&] {
        std::string info = ask(*modest, {"INFO", "memory"});
        return std::stoi(info.substr(info.find("used:") + 5));
    };
    while (buffers_used() < 240) {
        for (int i = 0; i < 8; i++)
            greedy->send(multibulk({"ECHO", text}));
        turn();
    }
    ASSERT_EQ(count(EDGE_NO_CHUNK), 0u);
    std::string more(400000, 'm');
    EXPECT_TRUE(exchange(*modest, multibulk({"ECHO", more}), bulk(more)) == bulk(more));
    EXPECT_EQ(count(EDGE_NO_CHUNK), 1u);
    pump(*greedy, SIZE_MAX, 100);
    EXPECT_TRUE(greedy->ended);
}

TEST_F(Attacks, MillionCommandsAtOnceAreAnsweredBeforeAnyAnswerIsRead)
{
    start();
    auto socket = connect();
    std::string stream, expected;
    for (int i = 0; i < 1000000; i++) {
        stream += "*1\r\n$4\r\nPING\r\n";
        expected += "+PONG\r\n";
    }
    socket->send(stream);
    for (int i = 0; i < 10000 && !socket->all_sent(); i++) {
        turn();
        socket->push();
    }
    EXPECT_TRUE(socket->all_sent());
    pump(*socket, expected.size());
    EXPECT_TRUE(socket->received == expected);
}

TEST_F(Attacks, ClientThatBreaksOffIsCounted)
{
    start();
    lane().table[0]["big"] = std::string(1 << 20, 'x');
    auto socket = connect();
    for (int i = 0; i < 8; i++)
        socket->send(multibulk({"GET", "big"}));
    for (int i = 0; i < 200; i++)
        turn();
    socket->reset();
    turn();
    EXPECT_EQ(count(EDGE_CONNECTION_LOST), 1u);
}

TEST_F(Attacks, ClientThatStopsReadingForAMinuteIsDropped)
{
    start();
    lane().table[0]["big"] = std::string(1 << 20, 'x');
    auto socket = connect(), idle = connect();
    for (int i = 0; i < 8; i++)
        socket->send(multibulk({"GET", "big"}));
    for (int i = 0; i < 200; i++)
        turn();
    for (int i = 0; i < 59; i++)
        turn(second);
    EXPECT_EQ(count(EDGE_UNREAD), 0u);
    for (int i = 0; i < 3; i++)
        turn(second);
    EXPECT_EQ(count(EDGE_UNREAD), 1u);
    EXPECT_EQ(exchange(*idle, multibulk({"PING"}), "+PONG\r\n"), "+PONG\r\n");
}

TEST_F(Attacks, ConnectionWithoutABufferForItsAnswersIsDropped)
{
    config.chunks = 16;
    start();
    lane().table[0]["big"] = std::string(1 << 20, 'x');
    auto socket = connect();
    socket->send(multibulk({"GET", "big"}));
    pump(*socket, 1000);
    EXPECT_TRUE(socket->ended);
    EXPECT_EQ(count(EDGE_NO_CHUNK), 1u);
    auto other = connect();
    EXPECT_EQ(exchange(*other, multibulk({"ECHO", "x"}), bulk("x")), bulk("x"));
}

TEST_F(Attacks, BigCommandsWaitForABigBuffer)
{
    config.big_inputs = 1;
    start();
    auto first = connect(), second_socket = connect();
    std::string big = multibulk({"SET", "a", std::string(300000, 'a')});
    first->send(big.substr(0, 200000));
    for (int i = 0; i < 20; i++)
        turn();
    second_socket->send(multibulk({"SET", "b", std::string(300000, 'b')}));
    for (int i = 0; i < 20; i++) {
        second_socket->push();
        turn();
    }
    EXPECT_GT(count(EDGE_INPUT_WAITED), 0u);
    EXPECT_EQ(lane().table[0].size(), 0u);
    first->send(big.substr(200000));
    pump(*first, 5);
    pump(*second_socket, 5);
    EXPECT_EQ(first->received, "+OK\r\n");
    EXPECT_EQ(second_socket->received, "+OK\r\n");
    EXPECT_EQ(lane().table[0]["b"].size(), 300000u);
}

TEST_F(Attacks, BigCommandThatGetsNoBufferIsToldSo)
{
    config.big_inputs = 1;
    start();
    auto first = connect(), second_socket = connect();
    std::string big = multibulk({"SET", "a", std::string(300000, 'a')});
    first->send(big.substr(0, 200000));
    for (int i = 0; i < 20; i++)
        turn();
    second_socket->send(multibulk({"PING"}) + big);
    turn_for(*second_socket, config.deadline_ns + second);
    EXPECT_EQ(
        second_socket->received,
        "+PONG\r\n-TRYAGAIN not executed: no buffer came free for a command of this size\r\n");
    EXPECT_TRUE(second_socket->ended);
    EXPECT_EQ(count(EDGE_NO_INPUT), 1u);
    turn_for(*first, config.half_sent_ns);
    EXPECT_EQ(count(EDGE_HALF_SENT), 1u);
    auto third = connect();
    third->send(big);
    pump(*third, 5);
    EXPECT_EQ(third->received, "+OK\r\n");
}

TEST_F(Attacks, ClientsThatVanishLeaveNothingBehind)
{
    config.connections_max = 4;
    config.chunks = 64;
    start();
    lane().hold_percent = 80;
    lane().table[0]["v"] = std::string(5000, 'v');
    for (int round = 0; round < 200; round++) {
        auto socket = connect();
        std::string stream;
        for (int i = 0; i < 30; i++)
            stream += i % 3 == 0 ? multibulk({"GET", "v"}) : multibulk({"MGET", "v", "w"});
        socket->send(stream + "*3\r\n$3\r\n");
        for (int i = 0; i < round % 5; i++)
            turn();
        socket->hang_up();
        turn();
    }
    lane().hold_percent = 0;
    for (int i = 0; i < 1000; i++)
        turn(1000000);
    std::vector<std::unique_ptr<Socket>> sockets;
    for (int i = 0; i < 4; i++) {
        sockets.push_back(connect());
        std::string text(400000, 'x'); /* more than half of all chunks, four times in turn */
        EXPECT_EQ(exchange(*sockets.back(), multibulk({"ECHO", text}), bulk(text)), bulk(text));
    }
}

} // namespace
