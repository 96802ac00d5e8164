/* The program itself, run against nodes that answer what the test says. */
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace
{

std::string bulk(const std::string &text)
{
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

/* Answers each command by its words, blank-separated, or by its first two; without an answer it
 * hangs up. */
class FakeNode
{
  public:
    std::map<std::string, std::string> answers;
    bool silent = false;   /* takes commands and says nothing          */
    bool trickles = false; /* says a byte now and then, and never ends */

    FakeNode()
    {
        sockaddr_in address = {};
        socklen_t bytes = sizeof address;
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(bind(listening, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
        EXPECT_EQ(listen(listening, 8), 0);
        getsockname(listening, reinterpret_cast<sockaddr *>(&address), &bytes);
        name = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
        EXPECT_EQ(pipe(stop), 0);
    }
    ~FakeNode()
    {
        if (thread.joinable()) {
            EXPECT_EQ(write(stop[1], "x", 1), 1);
            thread.join();
        }
        for (int fd : {listening, stop[0], stop[1]})
            close(fd);
    }
    std::string start()
    {
        thread = std::thread([this] { serve(); });
        return name;
    }
    std::vector<std::string> heard()
    {
        std::lock_guard<std::mutex> guard(lock);
        return commands;
    }

  private:
    int listening, stop[2];
    std::string name;
    std::thread thread;
    std::mutex lock;
    std::vector<std::string> commands;

    bool wait(int fd) const
    {
        pollfd waiting[2] = {{fd, POLLIN, 0}, {stop[0], POLLIN, 0}};
        return poll(waiting, 2, -1) > 0 && waiting[1].revents == 0;
    }
    void serve()
    {
        while (wait(listening)) {
            int fd = accept(listening, nullptr, nullptr);
            talk(fd);
            close(fd);
        }
    }
    void talk(int fd)
    {
        std::string input, words;
        while (wait(fd)) {
            char bytes[4096];
            ssize_t got = recv(fd, bytes, sizeof bytes, 0);
            if (got <= 0)
                return;
            input.append(bytes, static_cast<size_t>(got));
            while (take(&input, &words)) {
                std::lock_guard<std::mutex> guard(lock);
                commands.push_back(words);
                std::string answer = answer_to(words);
                if (trickles)
                    trickle(fd);
                if (silent)
                    continue;
                if (answer.empty() || trickles)
                    return;
                EXPECT_EQ(send(fd, answer.data(), answer.size(), MSG_NOSIGNAL),
                          static_cast<ssize_t>(answer.size()));
            }
        }
    }
    void trickle(int fd) const
    {
        pollfd waiting[2] = {{fd, 0, 0}, {stop[0], POLLIN, 0}};
        while (send(fd, "+", 1, MSG_NOSIGNAL) == 1 && poll(waiting, 2, 5) == 0)
            continue;
    }
    std::string answer_to(const std::string &words) const
    {
        size_t second = words.find(' ', words.find(' ') + 1);
        for (const std::string &question : {words, words.substr(0, second)})
            if (answers.count(question) != 0)
                return answers.at(question);
        return "";
    }
    static bool take(std::string *input, std::string *words)
    {
        std::istringstream stream(*input);
        std::string line;
        size_t used = 0;
        auto next = [&] {
            bool whole = static_cast<bool>(std::getline(stream, line)) && !stream.eof();
            used += line.size() + 1;
            return whole;
        };
        if (!next())
            return false;
        words->clear();
        for (int left = std::stoi(line.substr(1)); left > 0; left--) {
            if (!next() || !next())
                return false;
            *words += (words->empty() ? "" : " ") + line.substr(0, line.size() - 1);
        }
        input->erase(0, used);
        return true;
    }
};

struct Result {
    int code;
    std::string output;
    std::string errors;
};

Result quorate(const std::string &arguments, const std::string &environment = "")
{
    const char *program = getenv("QUORATE_PROGRAM");
    std::string errors = testing::TempDir() + "quorate_errors." + std::to_string(getpid());
    std::string command = environment + " " + (program == nullptr ? "quorate" : program) + " " +
                          arguments + " 2>" + errors;
    Result result = {-1, "", ""};
    FILE *pipe = popen(command.c_str(), "r");
    char bytes[4096];
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, pipe)) > 0;)
        result.output.append(bytes, got);
    int status = pclose(pipe);
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::ostringstream text;
    text << std::ifstream(errors).rdbuf();
    result.errors = text.str();
    unlink(errors.c_str());
    return result;
}

const std::string nobody = "127.0.0.1:1"; /* tcpmux: no test machine listens there */

TEST(Operator, HelpAndVersionNeedNoNode)
{
    EXPECT_EQ(quorate("--version").output.rfind("quorate ", 0), 0u);
    Result help = quorate("--help");
    EXPECT_EQ(help.code, 0);
    for (const char *word : {"status", "bootstrap", "--endpoints", "QUORATE_ENDPOINTS", "plan"})
        EXPECT_NE(help.output.find(word), std::string::npos) << word;
    EXPECT_EQ(quorate("--help", "QUORATE_ENDPOINTS=,").code, 0);
    EXPECT_EQ(quorate("get a --endpoints " + nobody, "QUORATE_ENDPOINTS=,").code, 69);
}

TEST(Operator, UsageErrorsAreSixtyFour)
{
    for (const char *arguments :
         {"", "nonsense", "status more", "get", "put a", "cas a b", "member",
          "get a b c d e f g h i", "-o yaml status", "--lanes 0 plan",
          "--endpoints a:1,,b:2 status", "--cluster xyz bootstrap", "--cluster -1 bootstrap",
          "--timeout 5 status", "--timeout 0s status", "--timeout s status", "--timeout -1s status",
          "--timeout 3601s status", "--wrong"})
        EXPECT_EQ(quorate(arguments).code, 64) << arguments;
    EXPECT_EQ(quorate("status", "QUORATE_ENDPOINTS=,").code, 64);
}

TEST(Operator, WhatIsNotInThisVersionIsSaid)
{
    for (const char *verb : {"move-leader", "snapshot save x", "watch k", "keygen", "top",
                             "member add 4", "member remove 4", "member promote 4"}) {
        Result result = quorate(verb);
        EXPECT_EQ(result.code, 69) << verb;
        EXPECT_NE(result.errors.find("not in this version"), std::string::npos) << result.errors;
    }
}

TEST(Operator, KeysGoThroughTheFirstNodeThatAnswers)
{
    FakeNode node;
    node.answers = {
        {"SET a 1", "+OK\r\n"},   {"GET a", bulk("one\r\ntwo")}, {"GET missing", "$-1\r\n"},
        {"DEL a", ":1\r\n"},      {"CAS a 1 2", ":1\r\n"},       {"CAS a 1 3", ":0\r\n"},
        {"INCRBY n 1", ":7\r\n"}, {"INCRBY n -5", ":2\r\n"},     {"GET empty", bulk("")}};
    std::string endpoints = " --endpoints " + nobody + "," + node.start();
    Result put = quorate("put a 1" + endpoints);
    EXPECT_EQ(put.code, 0);
    EXPECT_EQ(put.output, "OK\n");
    EXPECT_NE(put.errors.find(nobody), std::string::npos);
    EXPECT_EQ(quorate("get a" + endpoints).output, "one\r\ntwo\n");
    EXPECT_EQ(quorate("get empty" + endpoints).output, "\n");
    EXPECT_EQ(quorate("get missing" + endpoints).code, 65);
    EXPECT_EQ(quorate("get missing" + endpoints).output, "");
    EXPECT_EQ(quorate("del a" + endpoints).output, "1\n");
    EXPECT_EQ(quorate("cas a 1 2" + endpoints).code, 0);
    EXPECT_EQ(quorate("cas a 1 3" + endpoints).code, 65);
    EXPECT_EQ(quorate("incr n" + endpoints).output, "7\n");
    EXPECT_EQ(quorate(endpoints + " incr n -- -5").output, "2\n");
    EXPECT_EQ(quorate("get a -o json" + endpoints).output,
              "{\"verb\":\"get\",\"key\":\"a\",\"result\":\"one\\r\\ntwo\"}\n");
    EXPECT_EQ(quorate("get missing -o json" + endpoints).output,
              "{\"verb\":\"get\",\"key\":\"missing\",\"result\":null}\n");
}

TEST(Operator, EnvironmentNamesTheEndpoints)
{
    FakeNode node;
    node.answers["GET a"] = bulk("x");
    EXPECT_EQ(quorate("get a", "QUORATE_ENDPOINTS=" + node.start()).output, "x\n");
}

TEST(Operator, RefusalsHaveTheirExitCodes)
{
    FakeNode node;
    node.answers = {{"GET t", "-TRYAGAIN later\r\n"},
                    {"GET d", "-CLUSTERDOWN nobody\r\n"},
                    {"INCRBY u 1", "-UNCERTAIN so\r\n"},
                    {"INCRBY w 1", "-WRONGTYPE it is\r\n"},
                    {"GET junk", "?what\r\n"},
                    {"GET length", "$x\r\n"},
                    {"GET none", "$\r\n"}};
    std::string endpoints = " --endpoints " + node.start();
    EXPECT_EQ(quorate("get t" + endpoints).code, 75);
    EXPECT_EQ(quorate("get d" + endpoints).code, 75);
    EXPECT_EQ(quorate("incr u" + endpoints).code, 69);
    Result wrong = quorate("incr w" + endpoints);
    EXPECT_EQ(wrong.code, 65);
    EXPECT_EQ(wrong.output, "");
    EXPECT_EQ(wrong.errors, "quorate: WRONGTYPE it is\n");
    EXPECT_EQ(quorate("get junk" + endpoints).code, 69);
    EXPECT_EQ(quorate("get length" + endpoints).code, 69);
    EXPECT_EQ(quorate("get none" + endpoints).code, 69);
    EXPECT_EQ(quorate("get a --endpoints " + nobody).code, 69);
    EXPECT_EQ(quorate("get a --endpoints nonsense").code, 69);
}

TEST(Operator, BrokenWriteIsNotSentTwiceAReadIs)
{
    FakeNode breaking, other;
    other.answers = {{"GET a", bulk("x")}, {"SET a 1", "+OK\r\n"}};
    std::string endpoints = " --endpoints " + breaking.start() + "," + other.start();
    EXPECT_EQ(quorate("get a" + endpoints).output, "x\n");
    Result put = quorate("put a 1" + endpoints);
    EXPECT_EQ(put.code, 69);
    EXPECT_NE(put.errors.find("outcome is unknown"), std::string::npos) << put.errors;
    EXPECT_EQ(other.heard(), std::vector<std::string>{"GET a"});
}

TEST(Operator, WhatWasNotExecutedIsAskedOfTheNextNode)
{
    FakeNode lost, full, leading;
    lost.answers = {{"SET a 1", "-CLUSTERDOWN nobody\r\n"}, {"GET a", "-TRYAGAIN later\r\n"}};
    full.answers = {{"SET a 1", "-ERR max number of clients reached\r\n"},
                    {"GET a", "-ERR max number of clients reached\r\n"}};
    leading.answers = {{"SET a 1", "+OK\r\n"}, {"GET a", "$-1\r\n"}};
    std::string others = " --endpoints " + lost.start() + "," + full.start();
    std::string all = others + "," + leading.start();
    Result put = quorate("put a 1" + all);
    EXPECT_EQ(put.code, 0);
    EXPECT_EQ(put.output, "OK\n");
    EXPECT_EQ(quorate("get a" + all).code, 65);
    EXPECT_EQ(leading.heard(), (std::vector<std::string>{"SET a 1", "GET a"}));
    put = quorate("put a 1" + others + "," + nobody);
    EXPECT_EQ(put.code, 75); /* nobody has executed it */
    EXPECT_EQ(std::count(put.errors.begin(), put.errors.end(), '\n'), 3) << put.errors;
}

TEST(Operator, NodesThatDoNotAnswerInTimeAreGivenUp)
{
    FakeNode silent, trickling, other;
    silent.silent = true;
    trickling.trickles = true;
    other.answers["GET a"] = bulk("x");
    std::string endpoints =
        " --timeout 100ms --endpoints " + silent.start() + "," + trickling.start();
    EXPECT_EQ(quorate("get a" + endpoints + "," + other.start()).output, "x\n");
    EXPECT_EQ(quorate("get a" + endpoints).code, 69);
    EXPECT_EQ(quorate("status" + endpoints).code, 69);
    EXPECT_EQ(quorate("ping" + endpoints).code, 69);
    EXPECT_EQ(quorate("bootstrap" + endpoints).code, 69);
    Result put = quorate("put a 1" + endpoints);
    EXPECT_EQ(put.code, 69);
    EXPECT_NE(put.errors.find("outcome is unknown"), std::string::npos) << put.errors;
}

const std::string status_json =
    R"({"id":1,"incarnation":"00ab","cluster":"0000000000000000","durability":"volatile","groups":)"
    R"([{"group":0,"role":"leader","leader":1,"term":3,"commit":10,"applied":9,"keys":5,)"
    R"("sessions":2},{"group":1,"role":"follower","leader":null,"term":4,"commit":0,"applied":0,)"
    R"("keys":0,"sessions":0}],)"
    R"("counters":{}})";

TEST(Operator, StatusDrawsATable)
{
    FakeNode node;
    node.answers["QUORATE STATUS"] = bulk(status_json);
    std::string name = node.start(), endpoints = " --endpoints " + name + "," + nobody;
    Result table = quorate("status" + endpoints);
    EXPECT_EQ(table.code, 0);
    std::istringstream lines(table.output);
    std::vector<std::string> line(4);
    for (std::string &one : line)
        ASSERT_TRUE(std::getline(lines, one)) << table.output;
    EXPECT_EQ(line[0].rfind("ENDPOINT ", 0), 0u);
    EXPECT_EQ(line[1].find("leader"), line[0].find("ROLE"));
    EXPECT_EQ(line[2].find("follower"), line[0].find("ROLE"));
    EXPECT_EQ(line[2][line[0].find("LEADER")], '-'); /* unknown */
    EXPECT_EQ(line[3].rfind(nobody, 0), 0u);
    EXPECT_NE(line[3].find("no answer"), std::string::npos);
    EXPECT_EQ(quorate("-o simple status --endpoints " + name).output,
              name + "\t1\t00ab\t0000000000000000\tvolatile\t0\tleader\t1\t3\t10\t9\t5\t2\n" +
                  name + "\t1\t00ab\t0000000000000000\tvolatile\t1\tfollower\t\t4\t0\t0\t0\t0\n");
    std::string json = quorate("-o json status" + endpoints).output;
    EXPECT_EQ(json.find("{\"id\":1,"), 0u);
    EXPECT_NE(json.find("\"endpoint\":\"" + name + "\""), std::string::npos);
    EXPECT_EQ(json.find('\n'), json.size() - 1);
    EXPECT_EQ(quorate("status --endpoints " + nobody).code, 69);
}

TEST(Operator, StatusThatIsNoJsonIsSaid)
{
    FakeNode node;
    node.answers = {{"QUORATE STATUS", bulk("{\"id\":1,\"id\":2}")},
                    {"QUORATE MEMBERS", bulk("{}")}};
    std::string endpoints = " --endpoints " + node.start();
    Result result = quorate("status" + endpoints);
    EXPECT_EQ(result.code, 69);
    EXPECT_NE(result.errors.find("no JSON"), std::string::npos);
    result = quorate("member list" + endpoints);
    EXPECT_EQ(result.code, 69);
    EXPECT_NE(result.errors.find("another kind"), std::string::npos);
}

/* A node is asked for facts, not for what moves the operator's cursor. */
TEST(Operator, ControlCharactersFromANodeDoNotReachTheTerminal)
{
    FakeNode node;
    node.answers = {{"GET a", "-ERR \x1b[2Jgone\r\n"},
                    {"QUORATE STATUS", bulk(R"({"id":1,"incarnation":"\u001b[2J","groups":[]})")}};
    std::string endpoints = " --endpoints " + node.start();
    EXPECT_EQ(quorate("get a" + endpoints).errors, "quorate: ERR ?[2Jgone\n");
    Result status = quorate("status" + endpoints);
    EXPECT_NE(status.output.find("?[2J"), std::string::npos);
    EXPECT_EQ(status.output.find('\x1b'), std::string::npos);
}

TEST(Operator, FullOutputIsAnError)
{
    FakeNode node;
    node.answers["GET a"] = bulk("x");
    Result result = quorate("get a --endpoints " + node.start() + " >/dev/full");
    EXPECT_EQ(result.code, 71);
    EXPECT_NE(result.errors.find("No space left"), std::string::npos) << result.errors;
}

TEST(Operator, MembersAndPing)
{
    FakeNode node;
    node.answers = {
        {"QUORATE MEMBERS", bulk(R"([{"id":1,"incarnation":"aa","address":"10.0.0.1:7000",)"
                                 R"("state":"voter"},{"id":2,"incarnation":"bb",)"
                                 R"("address":"10.0.0.2:7000","state":"voter"}])")},
        {"PING", "+PONG\r\n"}};
    std::string endpoints = " --endpoints " + nobody + "," + node.start();
    EXPECT_EQ(quorate("member list -o simple" + endpoints).output,
              "1\taa\t10.0.0.1:7000\tvoter\n2\tbb\t10.0.0.2:7000\tvoter\n");
    std::string json = quorate("member list -o json" + endpoints).output;
    EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 2);
    Result ping = quorate("ping" + endpoints);
    EXPECT_EQ(ping.code, 0);
    EXPECT_NE(ping.output.find("no answer"), std::string::npos);
    EXPECT_NE(ping.output.find(" us\n"), std::string::npos);
}

/* ---- bootstrap ------------------------------------------------------------------------------- */

std::string status_of(const std::string &cluster,
                      const std::string &agreed = R"({"groups":"1","keys":"1024"})")
{
    return bulk("{\"cluster\":\"" + cluster + "\",\"agreed\":" + agreed + "}");
}

class Bootstrap : public testing::Test
{
  protected:
    FakeNode nodes[3];
    std::string start()
    {
        std::string endpoints = " --endpoints ";
        for (FakeNode &node : nodes)
            endpoints += node.start() + (&node == &nodes[2] ? "" : ",");
        return endpoints;
    }
    void SetUp() override
    {
        const char *const names[] = {"2 00000000000000bb", "3 00000000000000cc",
                                     "1 00000000000000aa"};
        for (int i = 0; i < 3; i++)
            nodes[i].answers = {{"QUORATE INCARNATION", bulk(names[i])},
                                {"QUORATE STATUS", status_of("0000000000000000")},
                                {"QUORATE BOOTSTRAP", bulk("bootstrapped")}};
    }
    std::vector<std::string> told(int i)
    {
        std::vector<std::string> all = nodes[i].heard(), told;
        for (const std::string &command : all)
            if (command.rfind("QUORATE BOOTSTRAP", 0) == 0)
                told.push_back(command);
        return told;
    }
};

const char *const members = " 1=00000000000000aa,2=00000000000000bb,3=00000000000000cc";

TEST_F(Bootstrap, TellsAllTheSameByRisingIds)
{
    Result result = quorate("bootstrap --cluster 00ffee0000000001" + start());
    EXPECT_EQ(result.code, 0) << result.errors;
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(told(i), std::vector<std::string>{
                               std::string("QUORATE BOOTSTRAP 00ffee0000000001") + members});
    EXPECT_NE(result.output.find("cluster 00ffee0000000001 has 3 members"), std::string::npos);
}

TEST_F(Bootstrap, DrawsANameThatIsNeverZeroNorTheSame)
{
    std::string endpoints = start();
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(quorate("bootstrap" + endpoints).code, 0);
    std::vector<std::string> all = told(0);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_NE(all[0], all[1]);
    EXPECT_EQ(all[0].substr(all[0].find(" 1=")), members);
    EXPECT_EQ(told(1), all);
}

TEST_F(Bootstrap, ChangesNothingUnlessAllAnswer)
{
    nodes[2].answers.clear();
    Result result = quorate("bootstrap" + start());
    EXPECT_EQ(result.code, 69);
    EXPECT_TRUE(told(0).empty());
    EXPECT_TRUE(told(1).empty());
}

TEST_F(Bootstrap, ChangesNothingIfOneIsInAClusterAlready)
{
    nodes[1].answers["QUORATE STATUS"] = status_of("00000000000000ff");
    Result result = quorate("bootstrap" + start());
    EXPECT_EQ(result.code, 65);
    EXPECT_NE(result.errors.find("in cluster 00000000000000ff already"), std::string::npos);
    EXPECT_TRUE(told(0).empty());
}

TEST_F(Bootstrap, ChangesNothingIfTwoHaveOneId)
{
    nodes[1].answers["QUORATE INCARNATION"] = bulk("1 00000000000000cc");
    EXPECT_EQ(quorate("bootstrap" + start()).code, 65);
    EXPECT_TRUE(told(0).empty());
}

TEST_F(Bootstrap, ChangesNothingIfSettingsThatMustBeEqualAreNot)
{
    const std::string nowhere = "0000000000000000";
    nodes[1].answers["QUORATE STATUS"] = status_of(nowhere, R"({"groups":"1","keys":"2048"})");
    std::string endpoints = start();
    Result result = quorate("bootstrap" + endpoints);
    EXPECT_EQ(result.code, 65);
    EXPECT_NE(result.errors.find("node 3 has keys = 2048, node 1 has keys = 1024: it must be the "
                                 "same at all members; nothing was changed"),
              std::string::npos)
        << result.errors;
    EXPECT_TRUE(told(0).empty());
}

TEST_F(Bootstrap, ASettingThatOneNodeDoesNotKnowIsNoAgreement)
{
    const std::string nowhere = "0000000000000000";
    nodes[2].answers["QUORATE STATUS"] = status_of(nowhere, R"({"groups":"1"})");
    Result result = quorate("bootstrap" + start());
    EXPECT_EQ(result.code, 65);
    EXPECT_NE(result.errors.find("node 1 has keys = nothing"), std::string::npos) << result.errors;
    EXPECT_TRUE(told(0).empty());
}

TEST_F(Bootstrap, DoesNotGuessWhatANodeDoesNotSay)
{
    nodes[1].answers["QUORATE STATUS"] = bulk("{}");
    EXPECT_EQ(quorate("bootstrap" + start()).code, 69);
    EXPECT_TRUE(told(0).empty());
}

TEST_F(Bootstrap, DoesNotGuessSettingsThatANodeDoesNotSay)
{
    nodes[1].answers["QUORATE STATUS"] = bulk(R"({"cluster":"0000000000000000"})");
    EXPECT_EQ(quorate("bootstrap" + start()).code, 69);
    EXPECT_TRUE(told(0).empty());
}

static std::string members_with(const std::string &third)
{
    return bulk("[{\"id\":1,\"incarnation\":\"00000000000000aa\"},{\"id\":2,\"incarnation\":"
                "\"00000000000000bb\"},"
                "{\"id\":3,\"incarnation\":\"" +
                third + "\"}]");
}

TEST_F(Bootstrap, AMemberThatLostItsLogIsNotLetIn)
{
    nodes[0].answers["QUORATE STATUS"] = status_of("00000000000000ff");
    nodes[0].answers["QUORATE MEMBERS"] = members_with("00000000000000dd");
    Result result = quorate("bootstrap --cluster ff" + start());
    EXPECT_EQ(result.code, 65);
    EXPECT_NE(result.errors.find("durable membership"), std::string::npos) << result.errors;
    EXPECT_TRUE(told(1).empty());
    EXPECT_TRUE(told(2).empty());
}

TEST_F(Bootstrap, HalfDoneIsSaidAndCanBeFinished)
{
    nodes[0].answers["QUORATE STATUS"] = status_of("00000000000000ff");
    nodes[0].answers["QUORATE MEMBERS"] = members_with("00000000000000cc");
    nodes[1].answers["QUORATE BOOTSTRAP"] = "-ERR no\r\n";
    Result result = quorate("bootstrap --cluster ff" + start());
    EXPECT_EQ(result.code, 75);
    EXPECT_NE(result.errors.find("--cluster 00000000000000ff"), std::string::npos) << result.errors;
    EXPECT_TRUE(told(0).empty()); /* it is in it already */
    EXPECT_EQ(told(2).size(), 1u);
}

/* ---- plan ------------------------------------------------------------------------------------ */

TEST(Operator, PlanDrawsADescribedMachine)
{
    Result plan = quorate("plan --topology 'pack:2 core:4 pu:2' --lanes 2");
    EXPECT_EQ(plan.code, 0) << plan.errors;
    EXPECT_NE(plan.output.find("lane"), std::string::npos) << plan.output;
    EXPECT_EQ(quorate("plan --topology 'no such thing:1'").code, 65);
    EXPECT_EQ(quorate("plan --topology 'pack:1 core:2' --nic 0000:81:00.0").code, 65);
    std::string described = "plan --topology 'pack:2 core:4 pu:2' --lanes 2 -o ";
    std::string simple = quorate(described + "simple").output;
    EXPECT_EQ(simple.rfind("0\t0\trx\t1\t2\t0\t0\t0\n", 0), 0u) << simple;
    EXPECT_EQ(std::count(simple.begin(), simple.end(), '\n'), 2 * 8); /* lanes, rooms */
    Result json = quorate(described + "json");
    EXPECT_NE(
        json.output.find("{\"lane\":1,\"queue\":1,\"room\":\"tx\",\"core\":2,\"pu\":4,\"node\":0,"
                         "\"memory_node\":0,\"frame_node\":0}\n"),
        std::string::npos)
        << json.output;
    EXPECT_NE(json.errors.find("quorate: warning: "), std::string::npos);
}

} // namespace
