/* What a connection pipelines behaves as if executed in turn, whatever the lane does. */
#include "tests/unit/edge/edge_fixture.hpp"

namespace
{

/* The dumb twin: one table, one command after the other. */
class Twin
{
  public:
    std::string execute(const Words &words)
    {
        const std::string &name = words[0];
        if (name == "PING")
            return "+PONG\r\n";
        if (name == "SET") {
            keys[words[1]] = words[2];
            return "+OK\r\n";
        }
        if (name == "GET")
            return get(words[1]);
        if (name == "APPEND") {
            keys[words[1]] += words[2];
            return number(keys[words[1]].size());
        }
        if (name == "STRLEN")
            return number(keys.count(words[1]) != 0 ? keys[words[1]].size() : 0);
        if (name == "GETSET") {
            std::string old = get(words[1]);
            keys[words[1]] = words[2];
            return old;
        }
        size_t sum = 0;
        std::string list = "*" + std::to_string(words.size() - 1) + "\r\n";
        for (size_t i = 1; i < words.size(); i++) {
            list += get(words[i]);
            sum += name == "DEL" ? keys.erase(words[i]) : keys.count(words[i]);
        }
        return name == "MGET" ? list : number(sum);
    }

  private:
    std::map<std::string, std::string> keys;
    static std::string number(size_t value)
    {
        return ":" + std::to_string(value) + "\r\n";
    }
    std::string get(const std::string &key)
    {
        return keys.count(key) == 0 ? "$-1\r\n" : bulk(keys[key]);
    }
};

Words random_command(std::mt19937 &random, const std::string &prefix)
{
    auto key = [&] { return prefix + std::to_string(random() % 4); };
    static const size_t sizes[] = {1, 10, 64, 100, 3000, 20000};
    std::string value(sizes[random() % (random() % 8 == 0 ? 6 : 4)],
                      static_cast<char>('a' + random() % 26));
    switch (random() % 12) {
    case 0:
    case 1:
    case 2:
        return {"SET", key(), value};
    case 3:
        return {"APPEND", key(), "x"};
    case 4:
        return {"GETSET", key(), value};
    case 5:
        return {"DEL", key(), key(), key()};
    case 6:
        return {"EXISTS", key(), key()};
    case 7:
        return {"MGET", key(), key(), key()};
    case 8:
        return {"STRLEN", key()};
    case 9:
        return {"PING"};
    default:
        return {"GET", key()};
    }
}

class Order : public EdgeTest
{
  protected:
    /* No deadline cuts in, and what was lost is asked again soon. */
    void patient()
    {
        config.deadline_ns = UINT64_C(60000000000);
        config.retry_ns = 2000000;
        config.retry_max_ns = 8000000;
    }
    void torture(int connections, int commands)
    {
        std::mt19937 random(config.seed == 0 ? 1 : static_cast<unsigned>(config.seed));
        std::vector<std::unique_ptr<Socket>> sockets;
        std::vector<std::string> expected(static_cast<size_t>(connections));
        for (int i = 0; i < connections; i++) {
            Twin twin;
            std::string stream;
            std::string prefix = "{" + std::to_string(i) + "}"; /* MGET and DEL stay in one group */
            for (int n = 0; n < commands; n++) {
                Words words = random_command(random, prefix);
                stream += multibulk(words);
                expected[static_cast<size_t>(i)] += twin.execute(words);
            }
            sockets.push_back(connect());
            sockets.back()->send(stream);
        }
        for (size_t i = 0; i < sockets.size(); i++)
            for (int turns = 0; turns < 60000; turns++) {
                turn(100000);
                for (auto &socket : sockets) {
                    socket->push();
                    socket->pull();
                }
                if (sockets[i]->received.size() >= expected[i].size())
                    break;
            }
        for (size_t i = 0; i < sockets.size(); i++)
            EXPECT_TRUE(sockets[i]->received == expected[i]) << "connection " << i;
    }
};

TEST_F(Order, QuietLane)
{
    start();
    torture(4, 400);
    EXPECT_EQ(count(EDGE_OVERTAKEN), 0u);
}

TEST_F(Order, LaneThatAnswersInAnyOrder)
{
    patient();
    start();
    lane().shuffle = true;
    lane().hold_percent = 30;
    torture(4, 400);
    EXPECT_GT(count(EDGE_OVERTAKEN), 0u);
    EXPECT_GT(count(EDGE_ORDER_WAITED), 0u);
}

TEST_F(Order, LaneThatIsBusyAndLosesReplies)
{
    patient();
    config.seed = 7;
    start();
    lane().shuffle = true;
    lane().hold_percent = 20;
    lane().busy_percent = 5;
    lane().lose_percent = 5;
    torture(3, 200);
}

TEST_F(Order, SeveralGroupsAndLanes)
{
    patient();
    config.group_count = 4;
    config.lane_count = 2;
    start();
    for (auto &lane : lanes) {
        lane->shuffle = true;
        lane->hold_percent = 30;
    }
    torture(6, 300);
}

/* Others write while this connection reads: what it sees may never go back. A lane executes in the
 * order of arrival, so either what it executes comes in another order (held back, busy, lost), or
 * what it answers. */
class Reads : public Order, public testing::WithParamInterface<unsigned>
{
  protected:
    void pipelined_reads_never_go_back();
};

INSTANTIATE_TEST_SUITE_P(Seeds, Reads, testing::Range(1u, 4u));

TEST_P(Reads, NeverGoBackWhenExecutedInAnotherOrder)
{
    patient();
    start();
    lane().hold_percent = 40;
    lane().busy_percent = 5;
    lane().lose_percent = 5;
    pipelined_reads_never_go_back();
}

TEST_P(Reads, NeverGoBackWhenAnsweredInAnotherOrder)
{
    patient();
    start();
    lane().shuffle = true;
    lane().lose_percent = 5;
    pipelined_reads_never_go_back();
}

void Reads::pipelined_reads_never_go_back()
{
    lane().random.seed(GetParam());
    auto socket = connect();
    std::string stream;
    const int reads = 300;
    for (int i = 0; i < reads; i++)
        stream += multibulk({"GET", "tick" + std::to_string(i % 3)});
    socket->send(stream);
    long last = 0;
    int lines = 0;
    for (int turns = 0; turns < 200000 && lines < reads; turns++) {
        turn(100000);
        socket->pull();
        lines = static_cast<int>(std::count(socket->received.begin(), socket->received.end(), '$'));
    }
    ASSERT_EQ(lines, reads);
    for (size_t at = socket->received.find('$'); at != std::string::npos;
         at = socket->received.find('$', at + 1)) {
        long seen = std::stol(socket->received.substr(socket->received.find('\n', at) + 1));
        ASSERT_GT(seen, last);
        last = seen;
    }
    EXPECT_GT(count(EDGE_OVERTAKEN), 10u);
}

TEST_F(Order, MixedPipelineDoesNotWaitAtEachChange)
{
    start();
    auto socket = connect();
    exchange(*socket, multibulk({"SET", "warm", "up"}), "+OK\r\n");
    std::string stream, expected;
    for (int i = 0; i < 40; i++) {
        std::string value = std::to_string(i);
        stream += multibulk({"SET", "a", value}) + multibulk({"GET", "a"});
        expected += "+OK\r\n" + bulk(value);
    }
    EXPECT_EQ(exchange(*socket, stream, expected), expected);
    EXPECT_EQ(count(EDGE_ORDER_WAITED), 0u);
    EXPECT_EQ(exchange(*socket, multibulk({"GET", "a"}) + stream, bulk("39") + expected),
              bulk("39") + expected);
    EXPECT_EQ(count(EDGE_ORDER_WAITED), 1u); /* the first write, for the read without a log */
}

TEST_F(Order, ReadInTheLogWhoseAnswerIsGoneMayBeAskedAgain)
{
    start();
    auto socket = connect();
    exchange(*socket, multibulk({"SET", "warm", "up"}), "+OK\r\n");
    lane().forgets = true;
    lane().lose_percent = 100;
    socket->send(multibulk({"SET", "a", "1"}) + multibulk({"GET", "a"}));
    for (int i = 0; i < 3; i++)
        turn();
    lane().lose_percent = 0;
    turn_for(*socket, 2 * config.retry_ns);
    EXPECT_EQ(socket->received, "-UNCERTAIN executed, but its answer is no longer kept\r\n"
                                "-TRYAGAIN not executed: no answer from the leader in time\r\n");
    EXPECT_EQ(lane().table[0]["a"], "1");
}

TEST_F(Order, LargeAnswersKeepReadsOutOfTheLog)
{
    start();
    auto socket = connect();
    exchange(*socket, multibulk({"SET", "warm", "up"}), "+OK\r\n");
    lane().table[0]["large"] = std::string(5000, 'l');
    const std::string large = bulk(lane().table[0]["large"]);
    auto pair = [&](const std::string &key, const std::string &answer) {
        uint64_t waited = count(EDGE_ORDER_WAITED);
        EXPECT_EQ(exchange(*socket, multibulk({"SET", "a", "1"}) + multibulk({"GET", key}),
                           "+OK\r\n" + answer),
                  "+OK\r\n" + answer);
        return count(EDGE_ORDER_WAITED) - waited;
    };
    EXPECT_EQ(pair("large", large), 0u); /* nobody knew */
    EXPECT_EQ(pair("large", large), 1u);
    EXPECT_EQ(pair("a", bulk("1")), 1u);
    EXPECT_EQ(pair("a", bulk("1")), 0u);
}

TEST_F(Order, OneReadOfTheSocketLeavesAsOneBatch)
{
    start();
    auto socket = connect();
    exchange(*socket, multibulk({"SET", "warm", "up"}), "+OK\r\n");
    std::string stream;
    for (int i = 0; i < 8; i++)
        stream += multibulk({"SET", "key" + std::to_string(i), "value"});
    socket->send(stream);
    edge_wait(edge, 0);
    edge_poll(edge, now_ns);
    frame frames[8];
    uint32_t count = duct_receive(lane().duct, DUCT_LANE, frames, 8);
    EXPECT_EQ(count, 1u);
    duct_free(lane().duct, DUCT_LANE, frames, count);
}

} // namespace
