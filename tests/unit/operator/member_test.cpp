/* The verbs that change who belongs to a cluster, and who leads what. */
#include "tests/unit/operator/operator_fixture.hpp"

namespace
{

const std::string agreed = R"({"groups":"1","keys":"1024"})";

std::string node_status(int id, const std::string &cluster, const std::string &settings = agreed)
{
    return bulk("{\"id\":" + std::to_string(id) + ",\"incarnation\":\"00000000000000a" +
                std::to_string(id) + "\",\"cluster\":\"" + cluster + "\",\"agreed\":" + settings +
                ",\"address\":\"10.1.0." + std::to_string(id) +
                ":7700\",\"first\":[{\"id\":1,\"incarnation\":\"00000000000000a1\"}],\"groups\":"
                "[{\"group\":0}]}");
}

/* id and role of each */
std::string group(const std::vector<std::pair<int, std::string>> &members, int leader = 1,
                  int number = 0, bool joint = false)
{
    std::string list;
    for (const auto &member : members)
        list += (list.empty() ? "" : ",") + std::string("{\"id\":") + std::to_string(member.first) +
                ",\"incarnation\":\"00000000000000a" + std::to_string(member.first) +
                "\",\"role\":\"" + member.second + "\",\"progress\":\"replicate\"}";
    return bulk("{\"group\":" + std::to_string(number) +
                ",\"role\":\"leader\",\"leader\":" + std::to_string(leader) +
                ",\"members_index\":5,\"commit\":9,\"joint\":" + (joint ? "true" : "false") +
                ",\"members\":[" + list + "]}");
}

const std::string ours = "00000000000000cc", none = "0000000000000000";
const std::string short_wait = " --timeout 50ms";

class Member : public testing::Test
{
  protected:
    FakeNode leader, joiner;
    std::string endpoints;

    void SetUp() override
    {
        leader.answers = {
            {"QUORATE STATUS", node_status(1, ours)},
            {"QUORATE MEMBERS",
             bulk(R"([{"id":1,"incarnation":"00000000000000a1","address":"10.1.0.1:7700",)"
                  R"("state":"voter"},)"
                  R"({"id":9,"incarnation":"00000000000000a9","address":"10.1.0.9:7700",)"
                  R"("state":"guest"}])")},
            {"QUORATE GROUP", group({{1, "voter"}})},
            {"QUORATE CHANGE", bulk("started 7")}};
        joiner.answers = {{"QUORATE STATUS", node_status(4, none)},
                          {"QUORATE JOIN", bulk("joining")}};
    }
    void start()
    {
        endpoints = " --endpoints " + leader.start() + "," + joiner.start();
    }
    static std::string last(FakeNode *node, const std::string &what)
    {
        std::string found;
        for (const std::string &command : node->heard())
            if (command.rfind(what, 0) == 0)
                found = command;
        return found;
    }
};

TEST_F(Member, AddTellsTheNodeToJoinAndTheLeaderToTakeIt)
{
    start();
    Result result = quorate("member add 4 --address 10.1.0.4:7700" + short_wait + endpoints);
    EXPECT_EQ(result.code, 75) << "the leader's group never shows it";
    EXPECT_EQ(last(&joiner, "QUORATE JOIN"),
              "QUORATE JOIN 00000000000000cc 1=00000000000000a1 1=00000000000000a1@10.1.0.1:7700");
    EXPECT_EQ(last(&leader, "QUORATE CHANGE"), "QUORATE CHANGE 0 add:4=00000000000000a4");
    EXPECT_NE(result.errors.find("say it again to go on from here"), std::string::npos);
}

TEST_F(Member, WhatIsSoAlreadyIsNotDoneAgain)
{
    leader.answers["QUORATE GROUP"] = group({{1, "voter"}, {4, "learner"}});
    start();
    Result result = quorate("member add 4" + endpoints);
    EXPECT_EQ(result.code, 0) << result.errors;
    EXPECT_EQ(result.output, "group 0: node 4 is a member already\n");
    EXPECT_EQ(last(&leader, "QUORATE CHANGE"), "");
    EXPECT_EQ(last(&joiner, "QUORATE JOIN"), "");
}

TEST_F(Member, PromoteRemoveAndReplaceSayWhom)
{
    leader.answers["QUORATE GROUP"] = group({{1, "voter"}, {2, "voter"}, {4, "learner"}});
    start();
    const std::pair<const char *, const char *> cases[] = {
        {"promote 4", "QUORATE CHANGE 0 promote:4=00000000000000a4"},
        {"promote 4 --witness", "QUORATE CHANGE 0 witness:4=00000000000000a4"},
        {"remove 2", "QUORATE CHANGE 0 remove:2=00000000000000a2"},
        {"replace 2 4", "QUORATE CHANGE 0 promote:4=00000000000000a4,remove:2=00000000000000a2"},
    };
    for (const auto &one : cases) {
        EXPECT_EQ(quorate(std::string("member ") + one.first + short_wait + endpoints).code, 75);
        EXPECT_EQ(last(&leader, "QUORATE CHANGE"), one.second);
    }
}

TEST_F(Member, ALeaderThatIsToGoHandsOverFirst)
{
    leader.answers["QUORATE GROUP"] = group({{1, "voter"}, {2, "voter"}, {4, "learner"}});
    leader.answers["QUORATE MOVE-LEADER"] = bulk("asked");
    start();
    Result result = quorate("member remove 1" + short_wait + endpoints);
    EXPECT_EQ(result.code, 75);
    EXPECT_EQ(last(&leader, "QUORATE MOVE-LEADER"), "QUORATE MOVE-LEADER 0 0");
    EXPECT_EQ(last(&leader, "QUORATE CHANGE"), "");
    EXPECT_NE(result.errors.find("node 1 does not hand over"), std::string::npos) << result.errors;
}

TEST_F(Member, NothingIsAskedWhileAnotherChangeIsUnderWay)
{
    leader.answers["QUORATE GROUP"] = group({{1, "voter"}, {2, "none"}}, 1, 0, true);
    start();
    EXPECT_EQ(quorate("member remove 2" + short_wait + endpoints).code, 75);
    EXPECT_EQ(last(&leader, "QUORATE CHANGE"), "");
}

TEST_F(Member, RefusalsHaveTheirExitCodesAndSentences)
{
    leader.answers["QUORATE GROUP"] = group({{1, "voter"}, {2, "voter"}});
    leader.answers["QUORATE CHANGE"] = "-ERR CHANGE_REFUSED_TOO_MANY learner not added\r\n";
    start();
    const struct {
        const char *arguments;
        int code;
        const char *sentence;
    } cases[] = {
        {"add 4", 65, "group 0: CHANGE_REFUSED_TOO_MANY learner not added"},
        {"add 4 --address 10.1.0.5:7700", 65, "is at 10.1.0.4:7700, not at 10.1.0.5:7700"},
        {"add 7", 69, "at none of these endpoints"},
        {"promote 7", 65, "no member has the id 7"},
        {"remove 7", 65, "no member has the id 7"},
        {"replace 7 8", 65, "no member has the id 7"},
        {"replace 2 2", 64, "two different ids"},
        {"replace 2", 64, "two different ids"},
        {"add", 64, "an id"},
        {"add x", 64, "an id"},
        {"add 0", 64, "an id"},
        {"add 65535", 64, "an id"},
    };
    for (const auto &one : cases) {
        Result result = quorate(std::string("member ") + one.arguments + short_wait + endpoints);
        EXPECT_EQ(result.code, one.code) << one.arguments << ": " << result.errors;
        EXPECT_NE(result.errors.find(one.sentence), std::string::npos)
            << one.arguments << ": " << result.errors;
    }
    leader.answers["QUORATE CHANGE"] = "-ERR CHANGE_REFUSED_IN_PROGRESS another one\r\n";
    Result result = quorate("member remove 2" + short_wait + endpoints);
    EXPECT_EQ(result.code, 75) << "may pass";
    EXPECT_EQ(quorate("member remove 2 --endpoints " + nobody).code, 69);
}

TEST_F(Member, ANodeWithOtherSettingsOrOfAnotherClusterIsNotTakenIn)
{
    joiner.answers["QUORATE STATUS"] = node_status(4, none, R"({"groups":"1","keys":"2048"})");
    start();
    Result result = quorate("member add 4" + short_wait + endpoints);
    EXPECT_EQ(result.code, 65);
    EXPECT_NE(result.errors.find("has keys = 2048, the cluster has 1024"), std::string::npos)
        << result.errors;
    joiner.answers["QUORATE STATUS"] = node_status(4, "00000000000000dd");
    EXPECT_EQ(quorate("member add 4" + short_wait + endpoints).code, 65);
    EXPECT_EQ(last(&joiner, "QUORATE JOIN"), "");
}

TEST(Balance, MovesFromWhoLeadsTwoMoreAndOnlyWhatThatOneMayLead)
{
    FakeNode one, two;
    one.answers = {{"QUORATE STATUS", bulk(R"({"id":1,"groups":[{"group":0},{"group":1}]})")},
                   {"QUORATE GROUP 0", group({{1, "voter"}, {2, "learner"}}, 1, 0)},
                   {"QUORATE GROUP 1", group({{1, "voter"}, {2, "voter"}}, 1, 1)},
                   {"QUORATE MOVE-LEADER 2 1", bulk("asked")}};
    one.later["QUORATE GROUP 1"] = group({{1, "voter"}, {2, "voter"}}, 2, 1);
    two.answers = {{"QUORATE STATUS", bulk(R"({"id":2,"groups":[]})")}};
    Result result = quorate("move-leader --balance --endpoints " + one.start() + "," + two.start());
    EXPECT_EQ(result.code, 0) << result.errors;
    EXPECT_EQ(result.output, "group 1: node 1 handed over to node 2\n");
}

TEST(Balance, LeavesAloneWhatIsEven)
{
    FakeNode one;
    one.answers = {{"QUORATE STATUS", bulk(R"({"id":1,"groups":[{"group":0}]})")},
                   {"QUORATE GROUP 0", group({{1, "voter"}, {2, "voter"}}, 1, 0)}};
    Result result = quorate("move-leader --balance --endpoints " + one.start());
    EXPECT_EQ(result.code, 0) << result.errors;
    EXPECT_EQ(result.output, "");
    EXPECT_EQ(quorate("move-leader --balance --endpoints " + nobody).code, 69);
}

} // namespace
