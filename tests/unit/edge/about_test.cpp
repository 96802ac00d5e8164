/* What the edge and its node say of themselves. */
#include "tests/unit/edge/edge_fixture.hpp"

namespace
{

const std::string ok = "+OK\r\n", nil = "$-1\r\n";

class About : public OneClientTest
{
};

TEST_F(About, OfTheConnection)
{
    check({"PING"}, "+PONG\r\n");
    check({"PING", "hey"}, bulk("hey"));
    check({"PING", "a", "b"}, "-ERR wrong number of arguments for 'ping' command\r\n");
    check({"ECHO", "x"}, bulk("x"));
    check({"SELECT", "0"}, ok);
    check({"SELECT", "1"}, "-ERR DB index is out of range\r\n");
    check({"SELECT", "x"}, "-ERR value is not an integer or out of range\r\n");
    check({"READONLY", "1"}, "-ERR wrong number of arguments for 'readonly' command\r\n");
    check({"READWRITES"}, "-ERR unknown command 'READWRITES'\r\n");
    check({"CLUSTER", "KEYSLOT", "foo"}, ":12182\r\n");
    check({"CLUSTER", "INFO"}, "-ERR This instance has cluster support disabled\r\n");
}

TEST_F(About, HelloTellsTheProtocol)
{
    const std::string hello = "*14\r\n" + bulk("server") + bulk("quorate") + bulk("version") +
                              bulk("7.0.0") + bulk("proto") + ":2\r\n" + bulk("id") + ":1\r\n" +
                              bulk("mode") + bulk("standalone") + bulk("role") + bulk("master") +
                              bulk("modules") + "*0\r\n";
    check({"HELLO"}, hello);
    check({"HELLO", "2"}, hello);
    check({"HELLO", "2", "setname", "me"}, hello);
    check({"CLIENT", "GETNAME"}, bulk("me"));
    check({"HELLO", "3"}, "-NOPROTO unsupported protocol version\r\n");
    check({"HELLO", "x"}, "-ERR Protocol version is not an integer or out of range\r\n");
    check({"HELLO", "2", "SETNAME", "a b"},
          "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    for (const Words &words :
         {Words{"HELLO", "2", "SETNAME"}, Words{"HELLO", "2", "AUTH", "default", "secret"},
          Words{"HELLO", "2", "BOGUS", "x"}})
        check(words, "-ERR Syntax error in HELLO: only SETNAME is known\r\n");
}

const std::string subcommand = "-ERR unknown subcommand or wrong number of arguments\r\n";

TEST_F(About, ClientsHaveNames)
{
    check({"CLIENT", "GETNAME"}, nil);
    check({"CLIENT", "SETNAME", "me"}, ok);
    check({"CLIENT", "GETNAME"}, bulk("me"));
    check({"CLIENT", "SETNAME", std::string(64, 'n')}, ok);
    check({"CLIENT", "SETNAME", std::string(65, 'n')}, "-ERR Client names are up to 64 bytes\r\n");
    for (const char *name : {"a b", "a\n", "\xc3\xa9", "\x7f"})
        check({"CLIENT", "SETNAME", name},
              "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    check({"CLIENT", "GETNAME"}, bulk(std::string(64, 'n')));
    check({"CLIENT", "SETNAME", ""}, ok);
    check({"CLIENT", "GETNAME"}, nil);
    check({"CLIENT", "ID"}, ":1\r\n");
    check({"CLIENT", "SETINFO", "LIB-NAME", "x"}, ok);
    for (const Words &words :
         {Words{"CLIENT", "PAUSE"}, Words{"CLIENT", "ID", "x"}, Words{"CLIENT", "SETNAME"}})
        check(words, subcommand);
    check({"CLIENT"}, "-ERR wrong number of arguments for 'client' command\r\n");
}

TEST_F(About, ClientsAreListed)
{
    auto other = connect();
    other->send("*1\r\n$3\r\nab"); /* half a command */
    check({"CLIENT", "SETNAME", "me"}, ok);
    std::string list = ask(*socket, {"CLIENT", "LIST"}), info = ask(*socket, {"CLIENT", "INFO"});
    EXPECT_NE(list.find("id=1 addr=127.0.0.1:"), std::string::npos) << list;
    EXPECT_NE(list.find(" name=me age=0 db=0 "), std::string::npos) << list;
    EXPECT_NE(list.find("id=2 addr=127.0.0.1:"), std::string::npos) << list;
    EXPECT_NE(list.find(" name= age=0 db=0 qbuf=10 omem=0 resp=2\n"), std::string::npos) << list;
    EXPECT_EQ(std::count(list.begin(), list.end(), '\n'), 2 + 2);
    EXPECT_EQ(info.find("id=2"), std::string::npos) << info;
    EXPECT_EQ(std::count(info.begin(), info.end(), '\n'), 1 + 2);
}

TEST_F(About, SettingsAndCommandsAreDescribed)
{
    check({"CONFIG", "GET", "save"}, "*2\r\n" + bulk("save") + bulk(""));
    check({"CONFIG", "get", "AppendOnly"}, "*2\r\n" + bulk("appendonly") + bulk("no"));
    check({"CONFIG", "GET", "databases", "save"},
          "*4\r\n" + bulk("save") + bulk("") + bulk("databases") + bulk("1"));
    check({"CONFIG", "GET", "*"}, "*8\r\n" + bulk("save") + bulk("") + bulk("appendonly") +
                                      bulk("no") + bulk("databases") + bulk("1") +
                                      bulk("proto-max-bulk-len") + bulk("1048576"));
    check({"CONFIG", "GET", "maxmemory"}, "*0\r\n");
    for (const Words &words : {Words{"CONFIG", "SET", "save", ""}, Words{"CONFIG", "GET"},
                               Words{"COMMAND", "LIST"}, Words{"COMMAND", "COUNT", "x"}})
        check(words, subcommand);
    check({"COMMAND", "COUNT"}, ":34\r\n");
    check({"COMMAND", "DOCS", "get"}, "*0\r\n");
    const std::string mset = "*6\r\n" + bulk("mset") + ":-3\r\n*1\r\n+write\r\n:1\r\n:-1\r\n:2\r\n";
    const std::string get = "*6\r\n" + bulk("get") + ":2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n";
    const std::string scan =
        "*6\r\n" + bulk("scan") + ":-2\r\n*1\r\n+readonly\r\n:0\r\n:0\r\n:0\r\n";
    check({"COMMAND", "INFO", "mset", "nosuch", "GET", "scan"}, "*4\r\n" + mset + nil + get + scan);
    std::string all = ask(*socket, {"COMMAND"});
    EXPECT_EQ(all.rfind("*34\r\n*6\r\n", 0), 0u);
    EXPECT_NE(all.find(mset), std::string::npos);
    Words many = {"COMMAND", "INFO"};
    many.resize(1024, "quorate"); /* the longest answer there is */
    const std::string quorate =
        "*6\r\n" + bulk("quorate") + ":-2\r\n*1\r\n+fast\r\n:0\r\n:0\r\n:0\r\n";
    std::string expected = "*1022\r\n";
    for (int i = 0; i < 1022; i++)
        expected += quorate;
    check(many, expected);
}

TEST_F(About, InfoHasSections)
{
    std::string all = ask(*socket, {"INFO"});
    for (const char *title : {"# Server", "# Clients", "# Memory", "# Edge", "# Node"})
        EXPECT_NE(all.find(title), std::string::npos) << all;
    check({"INFO", "clients", "SERVER"},
          bulk("# Server\r\nserver_name:quorate\r\nredis_version:7.0.0\r\n"
               "redis_mode:standalone\r\n\r\n# Clients\r\nconnected_clients:1\r\n"
               "maxclients:32\r\nblocked_clients:0\r\n"));
    check({"INFO", "bogus"}, bulk(""));
    EXPECT_EQ(ask(*socket, {"INFO", "everything"}).size(), all.size());
}

/* ---- the node's part ------------------------------------------------------------------------- */

struct Asked {
    edge_question question;
    std::string argument;
};
std::vector<Asked> asked;

bool answer(void *context, edge_question question, const char *argument, char *text,
            uint32_t capacity)
{
    asked.push_back({question, argument});
    snprintf(text, capacity, "%s", static_cast<const char *>(context));
    return question != EDGE_ASK_BOOTSTRAP;
}

class Node : public About
{
  protected:
    char words[32] = "from the\nnode";
    void SetUp() override
    {
        asked.clear();
        config.answer = answer;
        config.answer_context = words;
        About::SetUp();
    }
};

TEST_F(Node, IsAskedWhatItAloneKnows)
{
    check({"QUORATE", "STATUS"}, bulk("from the\nnode"));
    check({"quorate", "members"}, bulk("from the\nnode"));
    check({"QUORATE", "INCARNATION"}, bulk("from the\nnode"));
    check({"QUORATE", "BOOTSTRAP", "00ff", "1=a,2=b"}, "-ERR from the node\r\n");
    check({"QUORATE", "MOVE-LEADER", "2"}, bulk("from the\nnode"));
    check({"QUORATE", "NONSENSE"}, "-ERR unknown subcommand or wrong number of arguments\r\n");
    check({"QUORATE", "BOOTSTRAP", std::string(9000, 'x')},
          "-ERR unknown subcommand or wrong number of arguments\r\n");
    ASSERT_EQ(asked.size(), 5u);
    EXPECT_EQ(asked[0].question, EDGE_ASK_STATUS);
    EXPECT_EQ(asked[3].argument, "00ff 1=a,2=b");
    EXPECT_EQ(asked[4].question, EDGE_ASK_MOVE_LEADER);
    EXPECT_EQ(asked[4].argument, "2");
    std::string info = ask(*socket, {"INFO"});
    EXPECT_NE(info.find("connected_clients:1\r\n"), std::string::npos);
    EXPECT_NE(info.find("unknown_command:0\r\n"), std::string::npos);
    EXPECT_NE(info.find("from the\nnode"), std::string::npos);
}

TEST_F(About, WithoutANodeItSaysSo)
{
    check({"QUORATE", "STATUS"}, "-ERR this edge belongs to no node\r\n");
}

} // namespace
