/* Files in a folder of the test's own: taken, checked, loaded, saved, restored, bent. */
#include "tests/unit/state/capture_fixture.h"

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include "dataplane/snapshot/file.h"
}

namespace
{

constexpr state_config kConfig = {1024, 4u << 20, 0};

class File : public ::testing::Test
{
  protected:
    std::string path_ = "/tmp/quorate-snapshot-XXXXXX";
    int folder_ = -1;
    Replica r_, loaded_;
    snapshot_head head_ = {};
    snapshot_about about_ = {};

    void SetUp() override
    {
        ASSERT_NE(mkdtemp(&path_[0]), nullptr);
        folder_ = open(path_.c_str(), O_RDONLY | O_DIRECTORY);
        ASSERT_GE(folder_, 0);
        r_.open(kConfig.keys_max, kConfig.bytes_max, kConfig.session_ttl_ms);
        uint64_t session = r_.register_session(5);
        for (uint64_t i = 1; i <= 500; i++)
            r_.run(set("key" + std::to_string(i), std::string(i, 'v'), i % 3 ? 0 : 9000), session,
                   i);
        head_.cluster = 11;
        head_.config_hash = 12;
        head_.group = 3;
        head_.term = 1;
        head_.members.count = 1;
        head_.members.member[0] = {1, WIRE_ROLE_VOTER, WIRE_ROLE_NONE, 1};
    }

    void TearDown() override
    {
        close(folder_);
        EXPECT_EQ(system(("rm -r " + path_).c_str()), 0);
    }

    snapshot_refusal take(const std::string &name, Replica &r)
    {
        snapshot_refusal refusal;
        state_capture_ask(r.get_state());
        state_capture_begin(r.get_state());
        snapshot_take *job =
            snapshot_take_begin(r.get_state(), &kConfig, folder_, name.c_str(), &head_, &refusal);
        if (job == nullptr)
            return refusal;
        while (snapshot_take_step(job, &refusal, &about_))
            ;
        r.reclaim();
        return refusal;
    }

    snapshot_refusal load_as(const std::string &name, const snapshot_head &of)
    {
        snapshot_about about;
        state *state = nullptr;
        state_load_refusal why;
        loaded_.open(kConfig.keys_max, kConfig.bytes_max);
        return snapshot_file_load(folder_, name.c_str(), &of, loaded_.get_state(), &kConfig, &about,
                                  &state, &why);
    }

    std::string content(const std::string &name)
    {
        std::ifstream in(path_ + "/" + name, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    }

    void write(const std::string &name, const std::string &bytes)
    {
        std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
    }

    bool exists(const std::string &name)
    {
        struct stat status;
        return stat((path_ + "/" + name).c_str(), &status) == 0;
    }
};

TEST_F(File, TakenAndLoadedIsTheSameState)
{
    ASSERT_EQ(take("a", r_), SNAPSHOT_OK);
    EXPECT_FALSE(exists("a.new"));
    EXPECT_EQ(about_.head.index, state_applied_index(r_.get_state()));
    EXPECT_EQ(about_.head.digest, state_digest(r_.get_state()));
    EXPECT_EQ(about_.bytes, content("a").size());
    snapshot_about checked;
    ASSERT_EQ(snapshot_file_check(folder_, "a", &checked), SNAPSHOT_OK);
    EXPECT_EQ(checked.sum, about_.sum);
    EXPECT_EQ(checked.bytes, about_.bytes);
    EXPECT_EQ(checked.blocks, about_.blocks);
    ASSERT_EQ(load_as("a", head_), SNAPSHOT_OK);
    EXPECT_EQ(state_digest(loaded_.get_state()), state_digest(r_.get_state()));
    EXPECT_EQ(loaded_.read(get("key77")), bytes(std::string(77, 'v')));
    ASSERT_EQ(take("b", loaded_), SNAPSHOT_OK);
    EXPECT_EQ(content("a"), content("b")) << "the same state has the same bytes";
}

TEST_F(File, OtherClustersAndGroupsAreRefused)
{
    ASSERT_EQ(take("a", r_), SNAPSHOT_OK);
    snapshot_head other = head_;
    other.cluster++;
    EXPECT_EQ(load_as("a", other), SNAPSHOT_REFUSED_FOREIGN);
    other = head_;
    other.config_hash++;
    EXPECT_EQ(load_as("a", other), SNAPSHOT_REFUSED_FOREIGN);
    other = head_;
    other.group++;
    EXPECT_EQ(load_as("a", other), SNAPSHOT_REFUSED_FOREIGN);
}

TEST_F(File, AnyCutAndAnyFlipIsSeen)
{
    ASSERT_EQ(take("a", r_), SNAPSHOT_OK);
    std::string good = content("a");
    snapshot_about about;
    for (size_t at = 0; at < good.size(); at += at < 250 ? 1 : 61) {
        write("b", good.substr(0, at));
        EXPECT_NE(snapshot_file_check(folder_, "b", &about), SNAPSHOT_OK) << at;
        std::string bent = good;
        bent[at] = static_cast<char>(bent[at] ^ 8);
        write("b", bent);
        EXPECT_NE(snapshot_file_check(folder_, "b", &about), SNAPSHOT_OK) << at;
        EXPECT_NE(load_as("b", head_), SNAPSHOT_OK) << at;
    }
    write("b", good + "x");
    EXPECT_EQ(snapshot_file_check(folder_, "b", &about), SNAPSHOT_REFUSED_TAIL);
    EXPECT_EQ(snapshot_file_check(folder_, "none", &about), SNAPSHOT_REFUSED_FILE);
}

/* A block left out, or two in each other's place: each is whole, the file is not. */
TEST_F(File, BlocksOfTheirPlacesOnly)
{
    ASSERT_EQ(take("a", r_), SNAPSHOT_OK);
    ASSERT_GE(about_.blocks, 3u);
    std::string good = content("a");
    uint32_t head = snapshot_head_bytes(reinterpret_cast<const uint8_t *>(good.data()));
    auto block_at = [&](size_t at) {
        return SNAPSHOT_BLOCK_BYTES + load_u32(reinterpret_cast<const uint8_t *>(good.data()) + at);
    };
    size_t first = head, second = first + block_at(first), third = second + block_at(second);
    snapshot_about about;
    write("b", good.substr(0, second) + good.substr(third));
    EXPECT_EQ(snapshot_file_check(folder_, "b", &about), SNAPSHOT_REFUSED_TAIL);
    write("b", good.substr(0, first) + good.substr(second, third - second) +
                   good.substr(first, second - first) + good.substr(third));
    EXPECT_EQ(snapshot_file_check(folder_, "b", &about), SNAPSHOT_REFUSED_TAIL);
    EXPECT_EQ(load_as("b", head_), SNAPSHOT_REFUSED_STATE);
}

TEST_F(File, SavedIsACheckedCopy)
{
    ASSERT_EQ(take("a", r_), SNAPSHOT_OK);
    snapshot_about about;
    ASSERT_EQ(snapshot_file_save(folder_, "a", folder_, "copy", &about), SNAPSHOT_OK);
    EXPECT_EQ(content("a"), content("copy"));
    std::string bent = content("a");
    bent[bent.size() / 2] ^= 1;
    write("a", bent);
    EXPECT_EQ(snapshot_file_save(folder_, "a", folder_, "copy2", &about), SNAPSHOT_REFUSED_BLOCK);
    EXPECT_FALSE(exists("copy2") || exists("copy2.new"));
}

TEST_F(File, RestoredIsOfAnotherCluster)
{
    ASSERT_EQ(take("a", r_), SNAPSHOT_OK);
    snapshot_head as = {};
    as.cluster = 900;
    as.config_hash = 901;
    as.members.count = 2;
    as.members.member[0] = {5, WIRE_ROLE_VOTER, WIRE_ROLE_NONE, 55};
    as.members.member[1] = {6, WIRE_ROLE_VOTER, WIRE_ROLE_NONE, 66};
    snapshot_about about;
    ASSERT_EQ(snapshot_file_restore(folder_, "a", folder_, "new", &as, &about), SNAPSHOT_OK);
    EXPECT_EQ(about.head.members.member[0].nonce, 55u);
    EXPECT_EQ(about.head.members_index, 0u);
    EXPECT_EQ(about.head.index, about_.head.index);
    EXPECT_NE(about.sum, about_.sum);
    EXPECT_EQ(load_as("new", head_), SNAPSHOT_REFUSED_FOREIGN) << "the old cluster";
    as.group = 3;
    ASSERT_EQ(load_as("new", as), SNAPSHOT_OK);
    EXPECT_EQ(state_digest(loaded_.get_state()), state_digest(r_.get_state()));
    as.cluster = 11;
    EXPECT_EQ(snapshot_file_restore(folder_, "a", folder_, "x", &as, &about),
              SNAPSHOT_REFUSED_FOREIGN)
        << "the same cluster would hear its old members";
    EXPECT_FALSE(exists("x") || exists("x.new"));
}

TEST_F(File, WhatCanNotBeWritten)
{
    EXPECT_EQ(take("no/such/folder", r_), SNAPSHOT_REFUSED_FILE);
    r_.reclaim();
    EXPECT_EQ(take(std::string(200, 'x'), r_), SNAPSHOT_REFUSED_FILE);
    r_.reclaim();
    EXPECT_EQ(take("a", r_), SNAPSHOT_OK) << "the state can be walked again";
    snapshot_about about;
    EXPECT_EQ(snapshot_file_keep(folder_, "none", "b"), SNAPSHOT_REFUSED_FILE);
    EXPECT_EQ(snapshot_file_keep(folder_, "a", "b"), SNAPSHOT_OK);
    EXPECT_EQ(snapshot_file_check(folder_, "b", &about), SNAPSHOT_OK);
}

TEST_F(File, AStoppedOneLeavesNoFile)
{
    snapshot_refusal refusal;
    state_capture_ask(r_.get_state());
    state_capture_begin(r_.get_state());
    snapshot_take *job =
        snapshot_take_begin(r_.get_state(), &kConfig, folder_, "a", &head_, &refusal);
    ASSERT_TRUE(snapshot_take_step(job, &refusal, &about_));
    snapshot_take_stop(job);
    EXPECT_FALSE(exists("a") || exists("a.new"));
    r_.reclaim();
    EXPECT_EQ(state_capture_phase(r_.get_state()), STATE_CAPTURE_IDLE);
}

TEST_F(File, OverrunIsSaid)
{
    snapshot_refusal refusal;
    for (int i = 501; i <= 1020; i++)
        r_.run(set("key" + std::to_string(i), "v"));
    state_capture_ask(r_.get_state());
    state_capture_begin(r_.get_state());
    snapshot_take *job =
        snapshot_take_begin(r_.get_state(), &kConfig, folder_, "a", &head_, &refusal);
    for (int i = 1; i <= 1020; i++)
        r_.run(set("key" + std::to_string(i), "w"));
    while (snapshot_take_step(job, &refusal, &about_))
        ;
    EXPECT_EQ(refusal, SNAPSHOT_REFUSED_OVERRUN) << "half of keys_max may wait";
    EXPECT_FALSE(exists("a") || exists("a.new"));
}

} // namespace
