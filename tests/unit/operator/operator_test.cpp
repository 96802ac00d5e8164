/* What the verbs ask, print and leave with. */
#include "tests/unit/operator/operator_fixture.hpp"

#include <sys/stat.h>

#include <filesystem>

namespace
{

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
    for (const char *arguments : {"",
                                  "nonsense",
                                  "status more",
                                  "get",
                                  "put a",
                                  "cas a b",
                                  "member",
                                  "get a b c d e f g h i",
                                  "-o yaml status",
                                  "--lanes 0 plan",
                                  "move-leader 2",
                                  "move-leader --to 0",
                                  "--endpoints a:1,,b:2 status",
                                  "--cluster xyz bootstrap",
                                  "--cluster -1 bootstrap",
                                  "--timeout 5 status",
                                  "--timeout 0s status",
                                  "--timeout s status",
                                  "--timeout -1s status",
                                  "--timeout 3601s status",
                                  "--wrong"})
        EXPECT_EQ(quorate(arguments).code, 64) << arguments;
    EXPECT_EQ(quorate("status", "QUORATE_ENDPOINTS=,").code, 64);
}

TEST(Operator, WhatIsNotInThisVersionIsSaid)
{
    for (const char *verb : {"watch k", "top"}) {
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

/* ---- keygen ---------------------------------------------------------------------------------- */

TEST(Operator, KeygenMakesAPairAndOverwritesNothing)
{
    char folder[] = "/tmp/quorate-keygen-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    std::string path = std::string(folder) + "/secret";
    Result made = quorate("keygen " + path);
    EXPECT_EQ(made.code, 0) << made.errors;
    ASSERT_EQ(made.output.size(), 65u);
    struct stat status = {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    std::ifstream file(path);
    std::string secret;
    std::getline(file, secret);
    EXPECT_EQ(secret.size(), 128u);
    EXPECT_EQ(secret.substr(64), made.output.substr(0, 64)) << "it ends with the public key";
    EXPECT_EQ(quorate("keygen " + path).code, 73);
    EXPECT_EQ(quorate("keygen").code, 64);
    EXPECT_NE(quorate("keygen " + path + "2").output, made.output);
    std::filesystem::remove_all(folder);
}

/* ---- plan ------------------------------------------------------------------------------------ */

TEST(Operator, PlanDrawsADescribedMachine)
{
    Result plan = quorate("plan --topology 'pack:2 core:4 pu:2' --lanes 2 --cores 2");
    EXPECT_EQ(plan.code, 0) << plan.errors;
    EXPECT_NE(plan.output.find("lane"), std::string::npos) << plan.output;
    EXPECT_EQ(quorate("plan --topology 'no such thing:1'").code, 65);
    EXPECT_EQ(quorate("plan --topology 'pack:1 core:2' --nic 0000:81:00.0").code, 65);
    std::string described = "plan --topology 'pack:2 core:4 pu:2' --lanes 2 --cores 2 -o ";
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

/* A node's file, in the test's folder; the end of its life is the end of the file. */
class NodeFile
{
  public:
    const std::string path = testing::TempDir() + "quorate_plan." + std::to_string(getpid());

    explicit NodeFile(const std::string &text)
    {
        std::ofstream(path) << "[node]\nid = 1\n[cluster]\nmembers = 1@10.1.0.1:7700\n"
                               "[port]\naddress = 10.1.0.1/24\n"
                            << text;
    }
    ~NodeFile()
    {
        unlink(path.c_str());
    }
};

const std::string machine = " --topology 'pack:2 core:4 pu:2'";

TEST(Plan, IsWhatQuoratedDoesWithTheFile)
{
    NodeFile file("[node]\nlanes = 2\ngroups = 2\n[host]\ncores = 2\n");
    Result plan = quorate("plan --config " + file.path + machine);
    EXPECT_EQ(plan.code, 0) << plan.errors;
    EXPECT_EQ(plan.output, quorate("plan --lanes 2 --cores 2" + machine).output);
    EXPECT_NE(plan.output, quorate("plan --lanes 2" + machine).output);
    Result card = quorate("plan --config " + file.path + machine + " --nic 0000:81:00.0");
    EXPECT_EQ(card.code, 64);
    EXPECT_NE(card.errors.find("in the file"), std::string::npos) << card.errors;
}

TEST(Plan, OfSeveralNodesInAProcess)
{
    NodeFile file("");
    std::string config = " --config " + file.path;
    std::string simple = quorate("plan -o simple" + config + config + config + machine).output;
    EXPECT_EQ(std::count(simple.begin(), simple.end(), '\n'), 3 * 8) << simple;
}

TEST(Plan, DefaultsAreThoseOfQuorated)
{
    NodeFile file("");
    EXPECT_EQ(quorate("plan" + machine).output,
              quorate("plan --config " + file.path + machine).output);
    EXPECT_EQ(quorate("plan" + machine).output,
              quorate("plan --lanes 1 --cores 1" + machine).output);
}

/* What taskset leaves of the machine is the machine. */
TEST(Plan, SeesOnlyTheCoresOfItsAffinity)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_SET(cpu, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    Result plan = quorate("plan");
    ASSERT_EQ(sched_setaffinity(0, sizeof all, &all), 0);
    EXPECT_EQ(plan.code, 0) << plan.errors;
    EXPECT_NE(plan.output.find("cores 1, PUs 1\n"), std::string::npos) << plan.output;
}

TEST(Plan, SaysWhatIsWrongWithTheFile)
{
    NodeFile file("[node]\nlanes = 2\n");
    Result wrong = quorate("plan --config " + file.path);
    EXPECT_EQ(wrong.code, 78);
    EXPECT_NE(wrong.errors.find("at most as many as groups"), std::string::npos) << wrong.errors;
    EXPECT_EQ(quorate("plan --config /nonexistent/quorate.ini").code, 78);
}

} // namespace
