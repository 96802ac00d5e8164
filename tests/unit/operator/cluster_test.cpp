/* The verbs that change a cluster: bootstrap, move-leader. */
#include "tests/unit/operator/operator_fixture.hpp"

namespace
{

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
    EXPECT_NE(result.errors.find("quorate member replace"), std::string::npos) << result.errors;
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

/* ---- move-leader ----------------------------------------------------------------------------- */

std::string led(int id, const std::string &role, const std::string &leader)
{
    return bulk("{\"id\":" + std::to_string(id) + R"(,"groups":[{"group":0,"role":")" + role +
                R"(","leader":)" + leader + "}]}");
}

TEST(MoveLeader, AsksWhoeverLedAndSaysWhoLeadsNow)
{
    FakeNode one, two;
    one.answers = {{"QUORATE STATUS", led(1, "leader", "1")},
                   {"QUORATE MOVE-LEADER", bulk("asked")}};
    one.later["QUORATE STATUS"] = led(1, "follower", "2");
    two.answers = {{"QUORATE STATUS", led(2, "follower", "1")}};
    std::string endpoints = " --endpoints " + one.start() + "," + two.start();
    Result result = quorate("move-leader" + endpoints);
    EXPECT_EQ(result.code, 0) << result.errors;
    EXPECT_EQ(result.output, "group 0: node 1 handed over to node 2\n");
    EXPECT_EQ(two.heard(), std::vector<std::string>{"QUORATE STATUS"});
}

TEST(MoveLeader, SaysToWhom)
{
    FakeNode one;
    one.answers = {{"QUORATE STATUS", led(1, "leader", "1")},
                   {"QUORATE MOVE-LEADER 3", bulk("asked")}};
    one.later["QUORATE STATUS"] = led(1, "follower", "3");
    std::string endpoints = " --endpoints " + one.start();
    Result result = quorate("-o json move-leader --to 3" + endpoints);
    EXPECT_EQ(result.code, 0) << result.errors;
    EXPECT_EQ(result.output, "{\"group\":0,\"from\":1,\"to\":3}\n");
}

TEST(MoveLeader, WhoLeadsAlreadyIsNotAsked)
{
    FakeNode one;
    one.answers = {{"QUORATE STATUS", led(1, "leader", "1")}};
    EXPECT_EQ(quorate("move-leader --to 1 --endpoints " + one.start()).code, 0);
    EXPECT_EQ(one.heard(), std::vector<std::string>{"QUORATE STATUS"});
}

TEST(MoveLeader, RefusalsHaveTheirExitCodes)
{
    FakeNode refusing, staying, following;
    refusing.answers = {{"QUORATE STATUS", led(1, "leader", "1")},
                        {"QUORATE MOVE-LEADER", "-ERR wants: the id of a member\r\n"}};
    staying.answers = {{"QUORATE STATUS", led(1, "leader", "1")},
                       {"QUORATE MOVE-LEADER", bulk("asked")}};
    following.answers = {{"QUORATE STATUS", led(2, "follower", "1")}};
    Result result = quorate("move-leader --to 9 --endpoints " + refusing.start());
    EXPECT_EQ(result.code, 65);
    EXPECT_EQ(result.errors.find("quorate: 127.0.0.1"), 0u);
    EXPECT_NE(result.errors.find("the id of a member"), std::string::npos) << result.errors;
    result = quorate("move-leader --timeout 50ms --endpoints " + staying.start());
    EXPECT_EQ(result.code, 75);
    EXPECT_NE(result.errors.find("1 of 1 groups were not handed over"), std::string::npos)
        << result.errors;
    EXPECT_EQ(quorate("move-leader --endpoints " + following.start()).code, 75);
    EXPECT_EQ(quorate("move-leader --endpoints " + nobody).code, 69);
}

} // namespace
