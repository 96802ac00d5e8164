/* snapshot save, check, restore: with files of a state that the test has made, and a node that says
 * what the test says. */
#include "tests/unit/operator/operator_fixture.hpp"
#include "tests/unit/state/capture_fixture.h"

#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>

extern "C" {
#include "dataplane/node/agreed.h"
#include "dataplane/node/config.h"
#include "dataplane/node/identity.h"
#include "dataplane/snapshot/file.h"
}

namespace
{

constexpr state_config kConfig = {1024, 4u << 20, 60000};

std::string hex(const std::string &bytes)
{
    static const char digits[] = "0123456789abcdef";
    std::string text;
    for (unsigned char byte : bytes)
        text += {digits[byte >> 4], digits[byte & 15]};
    return text;
}

std::string hex(uint64_t number)
{
    char text[17];
    (void)snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
    return text;
}

class Snapshot : public testing::Test
{
  protected:
    std::string path_ = "/tmp/quorate-operator-XXXXXX", saved_, made_;
    Replica r_;
    snapshot_about about_ = {};

    void SetUp() override
    {
        ASSERT_NE(mkdtemp(&path_[0]), nullptr);
        saved_ = path_ + "/saved";
        made_ = path_ + "/made";
        ASSERT_EQ(mkdir(saved_.c_str(), 0700), 0);
        r_.open(kConfig.keys_max, kConfig.bytes_max, kConfig.session_ttl_ms);
        for (int i = 1; i <= 500; i++)
            r_.run(set("key" + std::to_string(i), std::string(static_cast<size_t>(i), 'v')));
        take(0);
        ini("two.ini", 2);
        ini("one.ini", 1);
    }

    void TearDown() override
    {
        EXPECT_EQ(system(("rm -r " + path_).c_str()), 0);
    }

    /* As group-NUMBER.snapshot. */
    void take(uint16_t number, uint64_t cluster = 11, int as = -1, Replica *from = nullptr,
              const state_config &config = kConfig)
    {
        Replica &r = from == nullptr ? r_ : *from;
        std::string name = "group-" + std::to_string(number) + ".snapshot";
        snapshot_head head = {};
        head.cluster = cluster;
        head.config_hash = 12;
        head.group = static_cast<uint16_t>(as < 0 ? number : as);
        head.term = 3;
        head.members.count = 1;
        head.members.member[0] = {7, WIRE_ROLE_VOTER, WIRE_ROLE_NONE, 1};
        int folder = open(saved_.c_str(), O_RDONLY | O_DIRECTORY);
        snapshot_refusal refusal;
        state_capture_ask(r.get_state());
        state_capture_begin(r.get_state());
        snapshot_take *job =
            snapshot_take_begin(r.get_state(), &config, folder, name.c_str(), &head, &refusal);
        while (snapshot_take_step(job, &refusal, &about_))
            ;
        close(folder);
        r.reclaim();
        ASSERT_EQ(refusal, SNAPSHOT_OK);
    }

    void ini(const std::string &name, int groups, const std::string &keys = "1024",
             const std::string &storage = "durability = fsync\ndata = data\n")
    {
        std::ofstream(path_ + "/" + name)
            << "[node]\nid = 1\ngroups = " << groups
            << "\n[cluster]\nmembers = 1@10.1.0.1:7700,2@10.1.0.2:7700,5@10.1.0.5:7700\n"
            << "[port]\nname = ring\naddress = 10.1.0.1/24\n[storage]\n"
            << storage << "[state]\nkeys = " << keys << "\nbytes = 4MiB\n";
    }

    std::string file(const std::string &name)
    {
        std::ifstream in(path_ + "/" + name, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    }
    bool exists(const std::string &name)
    {
        struct stat status;
        return lstat((path_ + "/" + name).c_str(), &status) == 0;
    }
    void bend(const std::string &name)
    {
        std::string bytes = file(name);
        bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
        std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
    }

    Result restore(const std::string &more, const std::string &config = "one.ini")
    {
        return quorate("snapshot restore " + saved_ + " --config " + path_ + "/" + config +
                       " --data " + made_ + more);
    }
    void refused(const Result &result, int code, const std::string &sentence)
    {
        EXPECT_EQ(result.code, code) << result.errors;
        EXPECT_NE(result.errors.find(sentence), std::string::npos) << result.errors;
        EXPECT_FALSE(exists("made") || exists("made.new"));
    }

    identity who(unsigned id)
    {
        identity_file file;
        identity found = {};
        char error[HOST_ERROR_MAX];
        std::string name = "made/node-" + std::to_string(id) + "/node-" + std::to_string(id);
        EXPECT_TRUE(exists(name + ".id")) << "identity_open would make it";
        EXPECT_TRUE(identity_open(&file, (path_ + "/" + name + ".id").c_str(), &found, error));
        identity_close(&file);
        return found;
    }
};

/* ---- check ----------------------------------------------------------------------------------- */

TEST_F(Snapshot, CheckSaysOfWhat)
{
    Result result = quorate("-o json snapshot check " + saved_ + "/group-0.snapshot");
    EXPECT_EQ(result.code, 0) << result.errors;
    for (const std::string &part :
         {std::string(R"("cluster":"000000000000000b","group":0,"index":500,"term":3,"members":1)"),
          "\"sum\":\"" + hex(about_.sum) + "\""})
        EXPECT_NE(result.output.find(part), std::string::npos) << result.output;
    result = quorate("snapshot check " + saved_ + "/group-0.snapshot");
    EXPECT_NE(result.output.find(hex(about_.head.digest)), std::string::npos) << result.output;
}

TEST_F(Snapshot, CheckRefusesWhatIsNotWhole)
{
    bend("saved/group-0.snapshot");
    Result result = quorate("snapshot check " + saved_ + "/group-0.snapshot");
    EXPECT_EQ(result.code, 65);
    EXPECT_NE(result.errors.find("damaged"), std::string::npos) << result.errors;
    EXPECT_EQ(quorate("snapshot check " + saved_ + "/none").code, 65);
    EXPECT_EQ(quorate("snapshot check").code, 64);
}

/* ---- restore --------------------------------------------------------------------------------- */

TEST_F(Snapshot, RestoredNodesAreTheFirstOfANewCluster)
{
    take(1);
    Result result = restore(" -o json", "two.ini");
    ASSERT_EQ(result.code, 0) << result.errors;
    EXPECT_FALSE(exists("made.new"));
    identity first = who(1);
    EXPECT_NE(first.cluster, 0u);
    EXPECT_NE(first.cluster, 11u);
    EXPECT_FALSE(first.made) << "its logs are made at its first start";
    for (unsigned id : {1u, 2u, 5u}) {
        identity one = who(id);
        EXPECT_EQ(one.node, id);
        EXPECT_EQ(one.cluster, first.cluster);
        EXPECT_EQ(one.agreed, first.agreed);
        ASSERT_EQ(one.member_count, 3);
        for (int i = 0; i < 3; i++) {
            EXPECT_EQ(one.member[i], first.member[i]);
            EXPECT_EQ(one.member_incarnation[i], first.member_incarnation[i]);
            if (one.member[i] == id) {
                EXPECT_EQ(one.incarnation, one.member_incarnation[i]);
            }
        }
        EXPECT_NE(result.output.find(hex(one.incarnation)), std::string::npos) << result.output;
    }
    EXPECT_NE(first.member_incarnation[0], first.member_incarnation[1]);
    EXPECT_NE(result.output.find("\"from\":\"000000000000000b\""), std::string::npos);
}

/* By what a node would compute from its file and its identity. */
TEST_F(Snapshot, ARestoredNodeLoadsTheState)
{
    ASSERT_EQ(restore("").code, 0);
    identity one = who(5);
    node_file file;
    char error[HOST_ERROR_MAX];
    ASSERT_TRUE(config_load((path_ + "/one.ini").c_str(), &file, error)) << error;
    EXPECT_EQ(one.agreed, agreed_hash(&file.node));
    snapshot_head of = {};
    of.cluster = one.cluster;
    of.members.count = one.member_count;
    for (int i = 0; i < one.member_count; i++)
        of.members.member[i] = {one.member[i], WIRE_ROLE_VOTER, WIRE_ROLE_NONE,
                                one.member_incarnation[i]};
    of.config_hash = agreed_configuration(of.cluster, &of.members, one.agreed);
    Replica loaded;
    loaded.open(kConfig.keys_max, kConfig.bytes_max, kConfig.session_ttl_ms);
    int folder = open((made_ + "/node-5").c_str(), O_RDONLY | O_DIRECTORY);
    snapshot_about about;
    state *state = nullptr;
    state_load_refusal why;
    char name[SNAPSHOT_NAME_BYTES];
    file.node.id = 5;
    ASSERT_TRUE(node_snapshot_name(&file.node, 0, about_.head.index, name, sizeof name));
    ASSERT_EQ(snapshot_file_load(folder, name, &of, loaded.get_state(), &file.node.state, &about,
                                 &state, &why),
              SNAPSHOT_OK);
    close(folder);
    EXPECT_EQ(state_digest(state), state_digest(r_.get_state()));
    EXPECT_EQ(about.head.members_index, 0u);
    ASSERT_EQ(about.head.members.count, 3);
    EXPECT_EQ(about.head.members.member[2].nonce, one.incarnation);
}

TEST_F(Snapshot, RestoredIsWhoTheOperatorNames)
{
    Result result = restore(" --id 5 --id 1 -o simple");
    ASSERT_EQ(result.code, 0) << result.errors;
    EXPECT_FALSE(exists("made/node-2"));
    EXPECT_EQ(who(1).member_count, 2);
    EXPECT_EQ(who(5).member[0], 1) << "ids rise";
    EXPECT_EQ(result.output.find("1\t" + hex(who(1).incarnation)), 0u) << result.output;
}

TEST_F(Snapshot, TwoRestorationsAreTwoClusters)
{
    ASSERT_EQ(restore("").code, 0);
    identity before = who(1);
    ASSERT_EQ(system(("rm -r " + made_).c_str()), 0);
    ASSERT_EQ(restore("").code, 0);
    EXPECT_NE(who(1).cluster, before.cluster);
    EXPECT_NE(who(1).incarnation, before.incarnation);
}

TEST_F(Snapshot, RestoreRefusesWhatIsAskedWrong)
{
    EXPECT_EQ(quorate("snapshot restore").code, 64);
    EXPECT_EQ(quorate("snapshot restore " + saved_ + " --data " + made_).code, 64);
    EXPECT_EQ(quorate("snapshot restore " + saved_ + " --config " + path_ + "/one.ini").code, 64);
    refused(restore("", "none.ini"), 78, "none.ini");
    refused(restore(" --id 9"), 78, "has no node 9");
    refused(restore(" --id 2 --id 2"), 64, "there twice");
    ini("volatile.ini", 1, "1024", "");
    refused(restore("", "volatile.ini"), 78, "volatile");
}

TEST_F(Snapshot, RestoreOverwritesNothing)
{
    ASSERT_EQ(restore("").code, 0);
    identity before = who(1);
    Result result = restore("");
    EXPECT_EQ(result.code, 73);
    EXPECT_NE(result.errors.find("is there already"), std::string::npos) << result.errors;
    EXPECT_EQ(who(1).cluster, before.cluster);
    ASSERT_EQ(rename(made_.c_str(), (made_ + ".new").c_str()), 0);
    EXPECT_EQ(restore("").code, 73);
    EXPECT_FALSE(exists("made"));
}

TEST_F(Snapshot, RestoreRefusesWhatIsNotWhole)
{
    refused(quorate("snapshot restore " + path_ + "/none --config " + path_ + "/one.ini --data " +
                    made_),
            65, "none");
    refused(restore("", "two.ini"), 65, "group-1.snapshot: is not there");
    take(1);
    refused(restore(""), 65, "groups = 1");
    bend("saved/group-1.snapshot");
    refused(restore("", "two.ini"), 65, "damaged");
}

TEST_F(Snapshot, RestoreRefusesGroupsThatAreNotOfOneCluster)
{
    take(1, 13);
    refused(restore("", "two.ini"), 65, "another cluster or group");
    take(1, 11, 0);
    refused(restore("", "two.ini"), 65, "another cluster or group");
}

TEST_F(Snapshot, RestoreRefusesSettingsThatTheStateDoesNotFit)
{
    Replica large;
    large.open(2048, kConfig.bytes_max, kConfig.session_ttl_ms);
    for (int i = 1; i <= 1500; i++)
        large.run(set("key" + std::to_string(i), "v"));
    take(0, 11, 0, &large, {2048, kConfig.bytes_max, kConfig.session_ttl_ms});
    ini("large.ini", 1, "2048");
    refused(restore(""), 65, "with the settings in --config");
    EXPECT_EQ(restore("", "large.ini").code, 0);
}

TEST_F(Snapshot, RestoreLeavesNothingWhenItCanNotWrite)
{
    made_ = path_ + "/no/such/folder";
    refused(restore(""), 73, "No such file");
}

/* ---- save ------------------------------------------------------------------------------------ */

class Save : public Snapshot
{
  protected:
    FakeNode node_;
    std::string bytes_;

    void SetUp() override
    {
        Snapshot::SetUp();
        bytes_ = file("saved/group-0.snapshot");
        node_.answers = {{"QUORATE STATUS", status_says("leader", 4, 500)},
                         {"DBSIZE", ":500\r\n"},
                         {"QUORATE SNAPSHOT TAKE 0 500", offer(500)}};
        pieces(bytes_, 10000);
    }
    static std::string status_says(const std::string &role, int term, int applied)
    {
        return bulk("{\"groups\":[{\"group\":0,\"role\":\"" + role + "\",\"leader\":1,\"term\":" +
                    std::to_string(term) + ",\"applied\":" + std::to_string(applied) + "}]}");
    }
    std::string offer(uint64_t index) const
    {
        return bulk("{\"index\":" + std::to_string(index) +
                    ",\"bytes\":" + std::to_string(about_.bytes) + "}");
    }
    void pieces(const std::string &bytes, size_t size)
    {
        for (size_t at = 0; at < bytes.size(); at += size)
            node_.answers["QUORATE SNAPSHOT READ 0 500 " + std::to_string(at)] =
                bulk(hex(bytes.substr(at, size)));
    }
    Result save(const std::string &more = "")
    {
        return quorate("snapshot save " + path_ + "/copy --timeout 100ms --endpoints " +
                       node_.start() + more);
    }
    void refused(const Result &result, int code, const std::string &sentence)
    {
        EXPECT_EQ(result.code, code) << result.errors;
        EXPECT_NE(result.errors.find(sentence), std::string::npos) << result.errors;
        EXPECT_FALSE(exists("copy"));
    }
};

TEST_F(Save, WhatComesInPiecesIsTheFile)
{
    Result result = save(" -o json");
    EXPECT_EQ(result.code, 0) << result.errors;
    EXPECT_EQ(file("copy/group-0.snapshot"), bytes_);
    EXPECT_FALSE(exists("copy/group-0.snapshot.part"));
    EXPECT_NE(result.output.find("\"index\":500"), std::string::npos) << result.output;
    EXPECT_EQ(system(("rm -r " + path_ + "/copy").c_str()), 0);
}

TEST_F(Save, AReadComesFirstAndAnOlderSnapshotIsNotEnough)
{
    node_.answers["QUORATE SNAPSHOT TAKE 0 500"] = offer(499);
    refused(save(" --group 0"), 75, "not there yet");
    std::vector<std::string> heard = node_.heard();
    std::vector<std::string> head(heard.begin(), heard.begin() + 5);
    EXPECT_EQ(head, (std::vector<std::string>{"QUORATE STATUS", "QUORATE STATUS", "DBSIZE",
                                              "QUORATE STATUS", "QUORATE SNAPSHOT TAKE 0 500"}));
}

TEST_F(Save, WhoIsDeposedIsNotAsked)
{
    node_.answers["DBSIZE"] = "-TRYAGAIN no leader\r\n";
    refused(save(), 75, "nobody leads it");
    for (const std::string &command : node_.heard())
        EXPECT_EQ(command.find("TAKE"), std::string::npos) << command;
}

TEST_F(Save, WhoDoesNotLeadOrDoesNotSayHowFarItIsIsNotAsked)
{
    node_.answers["QUORATE STATUS"] = status_says("follower", 4, 500);
    std::string endpoint = node_.start();
    std::string save_it = "snapshot save " + path_ + "/copy --timeout 50ms --endpoints " + endpoint;
    refused(quorate(save_it), 75, "nobody leads it");
    node_.answers["QUORATE STATUS"] = status_says("leader", 4, 0);
    node_.answers["QUORATE SNAPSHOT TAKE 0 0"] = offer(500);
    refused(quorate(save_it), 75, "nobody leads it");
}

TEST_F(Save, ARefusalEndsIt)
{
    node_.answers["QUORATE SNAPSHOT TAKE 0 500"] = "-ERR durability is volatile\r\n";
    refused(save(), 65, "durability is volatile");
}

TEST_F(Save, WhatIsBentOnTheWayIsNotKept)
{
    std::string bent = bytes_;
    bent[bent.size() - 40] ^= 1;
    pieces(bent, 10000);
    refused(save(), 65, "damaged");
}

TEST_F(Save, AnotherSnapshotThanWasOfferedIsNotKept)
{
    r_.run(set("key", "other"));
    take(0);
    std::string other = file("saved/group-0.snapshot");
    node_.answers["QUORATE SNAPSHOT TAKE 0 500"] =
        bulk("{\"index\":500,\"bytes\":" + std::to_string(other.size()) + "}");
    pieces(other, 10000);
    refused(save(), 65, "another cluster or group");
}

TEST_F(Save, PiecesThatMakeNoSense)
{
    std::string first = "QUORATE SNAPSHOT READ 0 500 0";
    node_.answers[first] = bulk("");
    refused(save(), 69, "makes no sense");
}

TEST_F(Save, PiecesThatAreNotHexadecimal)
{
    std::string first = "QUORATE SNAPSHOT READ 0 500 0";
    node_.answers[first] = bulk("xyxyxy");
    refused(save(), 69, "makes no sense");
}

TEST_F(Save, MorePiecesThanBytes)
{
    pieces(bytes_ + std::string(50, 'x'), bytes_.size() + 50 < 30000 ? bytes_.size() + 50 : 30000);
    about_.bytes = bytes_.size() - 1;
    node_.answers["QUORATE SNAPSHOT TAKE 0 500"] = offer(500);
    refused(save(), 69, "makes no sense");
}

TEST_F(Save, ASnapshotThatIsGone)
{
    std::string second = "QUORATE SNAPSHOT READ 0 500 10000";
    ASSERT_EQ(node_.answers.count(second), 1u);
    node_.answers[second] = "-ERR this snapshot is gone\r\n";
    refused(save(), 75, "gone");
}

TEST_F(Save, GroupsAndFoldersThatCanNotBe)
{
    EXPECT_EQ(quorate("snapshot save").code, 64);
    EXPECT_EQ(quorate("snapshot save " + path_ + "/copy --endpoints " + nobody).code, 69);
    std::string endpoint = " --endpoints " + node_.start();
    EXPECT_EQ(quorate("snapshot save " + path_ + "/copy --group 1" + endpoint).code, 65);
    EXPECT_FALSE(exists("copy"));
    EXPECT_EQ(quorate("snapshot save " + saved_ + endpoint).code, 73);
    EXPECT_EQ(file("saved/group-0.snapshot"), bytes_) << "nothing is overwritten";
}

} // namespace
