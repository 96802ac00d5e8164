/* Each command, alone, against a table that answers at once. */
#include "tests/unit/edge/edge_fixture.hpp"

namespace
{

const std::string ok = "+OK\r\n", nil = "$-1\r\n";

class Commands : public OneClientTest
{
};

TEST_F(Commands, Strings)
{
    check({"SET", "a", "1"}, ok);
    check({"get", "a"}, bulk("1"));
    check({"GET", "b"}, nil);
    check({"SET", "a", "2", "NX"}, nil);
    check({"SET", "b", "2", "xx"}, nil);
    check({"SET", "a", "3", "XX", "GET"}, bulk("1"));
    check({"SET", "c", "3", "GET"}, nil);
    check({"GETSET", "c", "4"}, bulk("3"));
    check({"STRLEN", "c"}, ":1\r\n");
    check({"APPEND", "c", "56"}, ":3\r\n");
    check({"GET", "c"}, bulk("456"));
    check({"SET", "empty", ""}, ok);
    check({"GET", "empty"}, bulk(""));
}

TEST_F(Commands, Numbers)
{
    check({"INCR", "n"}, ":1\r\n");
    check({"INCRBY", "n", "41"}, ":42\r\n");
    check({"DECR", "n"}, ":41\r\n");
    check({"DECRBY", "n", "-9"}, ":50\r\n");
    check({"SET", "s", "x"}, ok);
    check({"INCR", "s"}, "-ERR value is not an integer or out of range\r\n");
    check({"INCRBY", "n", "1.5"}, "-ERR value is not an integer or out of range\r\n");
    check({"DECRBY", "n", "-9223372036854775808"}, "-ERR decrement would overflow\r\n");
    EXPECT_EQ(count(EDGE_WRONG_TYPE), 1u);
    EXPECT_EQ(count(EDGE_BAD_ARGUMENT), 2u);
}

TEST_F(Commands, ReadsMayBeStaleOnRequest)
{
    auto flags = [this] { return lane().seen_heads.back().flags; };
    check({"GET", "a"}, nil);
    EXPECT_EQ(flags(), 0);
    check({"readonly"}, ok);
    check({"GET", "a"}, nil);
    EXPECT_EQ(flags(), WIRE_READ_STALE);
    check({"SET", "a", "1"}, ok);
    EXPECT_EQ(flags(), 0) << "a write is a write";
    check({"DBSIZE"}, ":1\r\n");
    EXPECT_EQ(flags(), WIRE_READ_STALE);
    check({"READWRITE"}, ok);
    check({"GET", "a"}, bulk("1"));
    EXPECT_EQ(flags(), 0);
}

TEST_F(Commands, TimeToLive)
{
    check({"SET", "a", "1", "EX", "10"}, ok);
    check({"TTL", "a"}, ":10\r\n");
    check({"PTTL", "a"}, ":10000\r\n");
    check({"SET", "a", "2", "KEEPTTL"}, ok);
    check({"PTTL", "a"}, ":10000\r\n");
    check({"PERSIST", "a"}, ":1\r\n");
    check({"TTL", "a"}, ":-1\r\n");
    check({"TTL", "b"}, ":-2\r\n");
    check({"PEXPIRE", "a", "1499"}, ":1\r\n");
    check({"TTL", "a"}, ":1\r\n");
    check({"SET", "a", "1", "PX", "1500"}, ok);
    check({"TTL", "a"}, ":2\r\n"); /* rounded, as Redis does */
    check({"EXPIRE", "a", "-1"}, ":1\r\n");
    EXPECT_EQ(lane().ttl["a"], -1000);
    check({"EXPIRE", "b", "5"}, ":0\r\n");
    for (const char *seconds : {"9223372036854775807", "9223372036854775", "-9223372036854775808"})
        check({"EXPIRE", "a", seconds}, "-ERR invalid expire time in 'expire' command\r\n");
    check({"PEXPIRE", "a", "9223372036854775807"},
          "-ERR invalid expire time in 'pexpire' command\r\n");
    check({"PEXPIRE", "a", "-9223372036854775808"}, ":1\r\n");
    check({"PEXPIRE", "a", "4611686018427387904"}, ":1\r\n");
    check({"TTL", "a"}, ":4611686018427388\r\n");
    check({"EXPIRE", "a", "x"}, "-ERR value is not an integer or out of range\r\n");
}

TEST_F(Commands, SetRefusesWhatMakesNoSense)
{
    const std::string syntax = "-ERR syntax error\r\n";
    check({"SET", "a", "1", "NX", "XX"}, syntax);
    check({"SET", "a", "1", "EX"}, syntax);
    check({"SET", "a", "1", "EX", "5", "PX", "5"}, syntax);
    check({"SET", "a", "1", "EX", "5", "KEEPTTL"}, syntax);
    check({"SET", "a", "1", "EXAT", "5"}, syntax);
    check({"SET", "a", "1", "EX", "0"}, "-ERR invalid expire time in 'set' command\r\n");
    check({"SET", "a", "1", "PX", "9223372036854775807"},
          "-ERR invalid expire time in 'set' command\r\n");
    check({"SET", "a", "1", "EX", "5s"}, "-ERR value is not an integer or out of range\r\n");
    check({"SET", "a", "1", "EX", "5s", "BOGUS"}, syntax); /* words first, then numbers */
    check({"SET", "a"}, "-ERR wrong number of arguments for 'set' command\r\n");
    EXPECT_EQ(lane().executed, 0u);
    check({"SET", "a", "1", "EX", "5", "EX", "7"}, ok); /* as in Redis, the last one counts */
    check({"TTL", "a"}, ":7\r\n");
}

TEST_F(Commands, CompareAndSwap)
{
    check({"CAS", "a", "", "1"}, ":0\r\n");
    check({"SET", "a", "1"}, ok);
    check({"CAS", "a", "1", "2"}, ":1\r\n");
    check({"CAS", "a", "1", "3"}, ":0\r\n");
    check({"GET", "a"}, bulk("2"));
}

TEST_F(Commands, ManyKeys)
{
    check({"MSET", "a", "1", "b", "2", "c", ""}, ok);
    check({"MGET", "a", "x", "c", "b"}, "*4\r\n" + bulk("1") + nil + bulk("") + bulk("2"));
    check({"MGET", "a"}, "*1\r\n" + bulk("1"));
    check({"EXISTS", "a", "a", "x", "b"}, ":3\r\n");
    check({"EXISTS", "x"}, ":0\r\n");
    check({"DEL", "a", "x", "a", "b"}, ":2\r\n");
    check({"DEL", "c"}, ":1\r\n");
    check({"DBSIZE"}, ":0\r\n");
    check({"MSET", "a", "1", "b"}, "-ERR wrong number of arguments for 'mset' command\r\n");
    check({"MGET"}, "-ERR wrong number of arguments for 'mget' command\r\n");
}

TEST_F(Commands, ManyKeysBeyondTheWindow)
{
    Words keys = {"MGET"}, deletion = {"DEL"};
    std::string expected = "*1000\r\n";
    for (int i = 0; i < 1000; i++) {
        std::string key = "key" + std::to_string(i);
        lane().table[0][key] = std::to_string(i);
        keys.push_back(key);
        deletion.push_back(key);
        expected += bulk(std::to_string(i));
    }
    check(keys, expected);
    EXPECT_GT(count(EDGE_WINDOW_WAITED), 0u);
    check(deletion, ":1000\r\n");
    check({"DBSIZE"}, ":0\r\n");
}

TEST_F(Commands, KeyAndValueSizesAreRefusedByName)
{
    const std::string key_error = "-ERR key must be of 1 to 512 bytes\r\n";
    check({"SET", std::string(512, 'k'), "1"}, ok);
    check({"SET", std::string(513, 'k'), "1"}, key_error);
    check({"GET", ""}, key_error);
    check({"MGET", "a", ""}, key_error);
    check({"MSET", "a", "1", "", "1"}, key_error);
    EXPECT_EQ(count(EDGE_KEY_SIZE), 4u);
    const std::string value_error = "-ERR value is over 1 MiB\r\n";
    check({"SET", "a", std::string((1 << 20) + 1, 'v')}, value_error);
    check({"MSET", "a", std::string((1 << 20) + 1, 'v')}, value_error);
    check({"CAS", "a", std::string((1 << 20) + 1, 'v'), "x"}, value_error);
    EXPECT_EQ(count(EDGE_VALUE_SIZE), 3u);
    check({"DBSIZE"}, ":1\r\n");
}

TEST_F(Commands, LargestValuesGoBothWays)
{
    std::string value(1 << 20, '\0');
    for (size_t i = 0; i < value.size(); i++)
        value[i] = static_cast<char>(i * 31);
    check({"SET", "big", value}, ok);
    check({"GET", "big"}, bulk(value));
    check({"CAS", "big", value, "small"}, ":1\r\n");
    check({"GET", "big"}, bulk("small"));
    check({"MSET", "a", std::string(700000, 'a'), "b", std::string(700000, 'b')}, ok);
    check({"STRLEN", "b"}, ":700000\r\n");
}

TEST_F(Commands, StatusesBecomeErrors)
{
    struct {
        uint8_t status;
        Words words;
        std::string error;
    } const cases[] = {
        {WIRE_NO_SPACE, {"SET", "a", "1"}, "-OOM "},
        {WIRE_WRONG_TYPE, {"APPEND", "a", "1"}, "-WRONGTYPE "},
        {WIRE_REPLY_GONE, {"GETSET", "a", "1"}, "-UNCERTAIN executed"},
        {WIRE_TOO_BIG, {"APPEND", "a", "1"}, "-ERR "},
        {WIRE_BAD_COMMAND, {"GET", "a"}, "-ERR "},
        {WIRE_NO_SPACE, {"DEL", "a", "b"}, "-OOM "},
    };
    for (const auto &one : cases) {
        lane().scripted = Answer{one.status, WIRE_NIL, 0, ""};
        std::string answer = exchange(*socket, multibulk(one.words), one.error);
        EXPECT_EQ(answer.rfind(one.error, 0), 0u) << answer;
        EXPECT_EQ(answer.find("\r\n"), answer.size() - 2) << answer;
    }
}

TEST_F(Commands, Scan)
{
    for (int i = 0; i < 5; i++)
        lane().table[0]["k" + std::to_string(i)] = "v";
    check({"SCAN", "0", "COUNT", "3"},
          "*2\r\n$1\r\n3\r\n*3\r\n" + bulk("k0") + bulk("k1") + bulk("k2"));
    check({"SCAN", "3", "COUNT", "3"}, "*2\r\n$1\r\n0\r\n*2\r\n" + bulk("k3") + bulk("k4"));
    check({"SCAN", "0", "MATCH", "k3"}, "*2\r\n$1\r\n0\r\n*1\r\n" + bulk("k3"));
    check({"SCAN", "-1"}, "-ERR invalid cursor\r\n");
    check({"SCAN", "0", "COUNT", "0"}, "-ERR syntax error\r\n");
    check({"SCAN", "0", "COUNT"}, "-ERR syntax error\r\n");
    check({"SCAN", "0", "TYPE", "string"}, "-ERR syntax error\r\n");
    check({"SCAN", "0", "COUNT", "x"}, "-ERR value is not an integer or out of range\r\n");
    check({"SCAN", "0", "MATCH", std::string(513, '*')}, "-ERR pattern is over 512 bytes\r\n");
}

TEST_F(Commands, ScanDoesNotTrustTheLengthsInAReply)
{
    lane().scripted = Answer{WIRE_DONE, WIRE_BYTES, 0, std::string("\1\0\0\0k\xff\xff\xff\xff", 9)};
    check({"SCAN", "0"}, "*2\r\n$1\r\n0\r\n*1\r\n" + bulk("k"));
}

TEST_F(Commands, UnknownOnesAreNamedWithoutTheirControlBytes)
{
    check({"RESET"}, "-ERR unknown command 'RESET'\r\n");
    check({"ASKING"}, "-ERR unknown command 'ASKING'\r\n");
    check({"LPUSH\r\n+OK", "a"}, "-ERR unknown command 'LPUSH??+OK'\r\n");
    check({"g\x05t", "a"}, "-ERR unknown command 'g?t'\r\n");
    check({""}, "-ERR unknown command ''\r\n");
    check({"GETGETGETGET"}, "-ERR unknown command 'GETGETGETGET'\r\n");
    EXPECT_EQ(count(EDGE_UNKNOWN_COMMAND), 6u);
}

TEST_F(Commands, InlineFormWorks)
{
    EXPECT_EQ(exchange(*socket, "SET a 1\r\nget a\n\r\n", ok + bulk("1")), ok + bulk("1"));
}

TEST_F(Commands, QuitAnswersAndCloses)
{
    socket->send(multibulk({"SET", "a", "1"}) + multibulk({"QUIT", "now"}) +
                 multibulk({"SET", "a", "2"}));
    pump(*socket, 1000);
    EXPECT_EQ(socket->received, ok + ok);
    EXPECT_TRUE(socket->ended);
    EXPECT_EQ(lane().table[0]["a"], "1");
}

/* ---- several groups -------------------------------------------------------------------------- */

class Groups : public Commands
{
  protected:
    void SetUp() override
    {
        config.group_count = 4;
        config.lane_count = 2;
        Commands::SetUp();
    }
};

TEST_F(Groups, KeysGoToTheGroupOfTheirSlot)
{
    for (int i = 0; i < 40; i++)
        check({"SET", "key" + std::to_string(i), "v"}, ok);
    EXPECT_GT(lanes[0]->table[0].size(), 0u);
    EXPECT_GT(lanes[1]->table[1].size(), 0u);
    EXPECT_GT(lanes[0]->table[2].size(), 0u);
    EXPECT_GT(lanes[1]->table[3].size(), 0u);
    EXPECT_EQ(lanes[0]->table.count(1) + lanes[1]->table.count(0), 0u);
    check({"DBSIZE"}, ":40\r\n");
}

TEST_F(Groups, CommandOverTwoGroupsIsRefused)
{
    const std::string error = "-CROSSSLOT Keys in request don't hash to the same group\r\n";
    check({"MSET", "foo", "1", "bar", "2"}, error); /* slots 12182 and 5061 */
    check({"MGET", "foo", "bar"}, error);
    check({"DEL", "foo", "bar"}, error);
    check({"MSET", "{t}foo", "1", "{t}bar", "2"}, ok);
    check({"DEL", "{t}foo", "{t}bar"}, ":2\r\n");
    EXPECT_EQ(count(EDGE_CROSS_SLOT), 3u);
}

TEST_F(Groups, ScanVisitsAllGroupsOnce)
{
    std::map<std::string, int> seen;
    for (int i = 0; i < 50; i++)
        check({"SET", "key" + std::to_string(i), "v"}, ok);
    std::string cursor = "0";
    int calls = 0;
    do {
        socket->received.clear();
        socket->send(multibulk({"SCAN", cursor, "COUNT", "4"}));
        for (int i = 0; i < 50; i++) {
            turn();
            socket->pull();
        }
        std::string text = socket->received;
        size_t at = text.find("\r\n", 4) + 2; /* behind "*2" and the cursor's length */
        cursor = text.substr(at, text.find("\r\n", at) - at);
        for (at = text.find("key"); at != std::string::npos; at = text.find("key", at + 1))
            seen[text.substr(at, text.find("\r\n", at) - at)]++;
    } while (cursor != "0" && ++calls < 100);
    EXPECT_EQ(seen.size(), 50u);
    for (const auto &[key, times] : seen)
        EXPECT_EQ(times, 1) << key;
}

} // namespace
