extern "C" {
#include "dataplane/node/identity.h"
}

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <unistd.h>

namespace
{

class Identity : public ::testing::Test
{
  protected:
    Identity()
    {
        char name[] = "/tmp/quorate-identity-XXXXXX";
        int fd = mkstemp(name);
        close(fd);
        path = name;
    }
    ~Identity() override
    {
        identity_close(&file);
        unlink(path.c_str());
    }

    bool open()
    {
        char text[HOST_ERROR_MAX] = "";
        identity_close(&file);
        bool opened = identity_open(&file, path.c_str(), &found, text);
        error = text;
        return opened;
    }

    void flip(long offset)
    {
        FILE *raw = fopen(path.c_str(), "r+");
        fseek(raw, offset, SEEK_SET);
        int byte = fgetc(raw);
        fseek(raw, offset, SEEK_SET);
        fputc(byte ^ 1, raw);
        fclose(raw);
    }

    std::string path, error;
    struct identity_file file = {-1};
    struct identity found = {};
};

TEST_F(Identity, IsWhatWasWrittenLast)
{
    ASSERT_TRUE(open()) << error;
    EXPECT_EQ(found.edition, 0u) << "a new file";
    found.node = 7;
    found.incarnation = 0x0123456789abcdef;
    ASSERT_TRUE(identity_write(&file, &found));
    found.cluster = 99;
    found.agreed = 5;
    found.made = true;
    found.member_count = VIEW_MEMBERS_MAX;
    for (uint16_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        found.member[i] = static_cast<uint16_t>(i + 1);
        found.member_incarnation[i] = i * 1000u;
    }
    found.place_count = VIEW_MEMBERS_MAX;
    for (uint16_t i = 0; i < VIEW_MEMBERS_MAX; i++)
        found.place[i] = {UINT64_MAX - i, 0x0a4d0000u + i, 7700, static_cast<uint16_t>(i + 1)};
    ASSERT_TRUE(identity_write(&file, &found));
    struct identity written = found;
    ASSERT_TRUE(open()) << error;
    EXPECT_EQ(found.edition, 2u);
    EXPECT_EQ(found.node, 7u);
    EXPECT_EQ(found.incarnation, 0x0123456789abcdefu);
    EXPECT_EQ(found.cluster, 99u);
    EXPECT_EQ(found.agreed, 5u);
    EXPECT_TRUE(found.made);
    ASSERT_EQ(found.member_count, VIEW_MEMBERS_MAX);
    for (uint32_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        EXPECT_EQ(found.member[i], written.member[i]);
        EXPECT_EQ(found.member_incarnation[i], written.member_incarnation[i]);
    }
    ASSERT_EQ(found.place_count, VIEW_MEMBERS_MAX);
    for (uint16_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        EXPECT_EQ(found.place[i].incarnation, UINT64_MAX - i);
        EXPECT_EQ(found.place[i].ip, 0x0a4d0000u + i);
        EXPECT_EQ(found.place[i].port, 7700u);
        EXPECT_EQ(found.place[i].id, i + 1u);
    }
}

/* A cut write is the newest copy, not whole: what was before counts. */
TEST_F(Identity, SurvivesACutWrite)
{
    ASSERT_TRUE(open());
    for (uint64_t i = 1; i <= 4; i++) {
        found.cluster = i;
        ASSERT_TRUE(identity_write(&file, &found));
    }
    flip(100); /* edition 4 */
    ASSERT_TRUE(open()) << error;
    EXPECT_EQ(found.cluster, 3u);
    ASSERT_TRUE(identity_write(&file, &found));
    ASSERT_TRUE(open()) << error;
    EXPECT_EQ(found.edition, 4u);
}

TEST_F(Identity, IsNotMadeUpWhenItIsLost)
{
    ASSERT_TRUE(open());
    ASSERT_TRUE(identity_write(&file, &found));
    ASSERT_TRUE(identity_write(&file, &found));
    flip(40);
    flip(4096 + 40);
    EXPECT_FALSE(open());
    EXPECT_NE(error.find("damaged"), std::string::npos) << error;
}

TEST_F(Identity, AFileOfZeroesIsNew)
{
    ASSERT_EQ(truncate(path.c_str(), 8192), 0);
    ASSERT_TRUE(open()) << error;
    EXPECT_EQ(found.edition, 0u);
}

TEST_F(Identity, IsOneProcessesAlone)
{
    ASSERT_TRUE(open());
    struct identity_file second = {-1};
    struct identity other;
    char text[HOST_ERROR_MAX] = "";
    EXPECT_FALSE(identity_open(&second, path.c_str(), &other, text));
    EXPECT_NE(std::string(text).find("another process runs this node"), std::string::npos) << text;
    EXPECT_EQ(second.fd, -1);
}

TEST_F(Identity, AFolderThatIsNotThereIsRefused)
{
    struct identity_file second = {-1};
    struct identity other;
    char text[HOST_ERROR_MAX] = "";
    EXPECT_FALSE(identity_open(&second, "/nowhere/node-1.id", &other, text));
    EXPECT_NE(std::string(text).find("No such file"), std::string::npos) << text;
}

} // namespace
