#include <gtest/gtest.h>

#include <string>

#include <sys/socket.h>
#include <unistd.h>

extern "C" {
#include "bench/resp_client.h"
}

namespace
{

/* The client's end of a socket pair; the test plays the edge. */
class RespClient : public testing::Test
{
  protected:
    resp_client client = {};
    int edge = -1;

    void SetUp() override
    {
        int ends[2];
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        client.socket = ends[0];
        client.buffer = (uint8_t *)malloc(1 << 21);
        edge = ends[1];
    }
    void TearDown() override
    {
        close(edge);
        resp_client_close(&client);
    }
    void say(const std::string &text)
    {
        ASSERT_EQ(write(edge, text.data(), text.size()), (ssize_t)text.size());
    }
    void hang_up()
    {
        shutdown(edge, SHUT_WR);
    }
    resp_answer read_one(std::string *text)
    {
        const uint8_t *bytes;
        uint32_t count;
        resp_answer answer = resp_client_read(&client, &bytes, &count);
        *text = bytes == nullptr ? "" : std::string((const char *)bytes, count);
        return answer;
    }
};

TEST_F(RespClient, AsksInRedisProtocol)
{
    ASSERT_TRUE(resp_client_send_get(&client, (const uint8_t *)"some key", 8));
    char text[64] = {};
    EXPECT_EQ(read(edge, text, sizeof text), 27);
    EXPECT_STREQ(text, "*2\r\n$3\r\nGET\r\n$8\r\nsome key\r\n");
}

TEST_F(RespClient, ReadsAnswersInOrder)
{
    std::string text;
    say("$5\r\na\r\nbc\r\n$-1\r\n-TRYAGAIN later\r\n$0\r\n\r\n");
    EXPECT_EQ(read_one(&text), RESP_VALUE);
    EXPECT_EQ(text, "a\r\nbc");
    EXPECT_EQ(read_one(&text), RESP_NIL);
    EXPECT_EQ(read_one(&text), RESP_ERROR);
    EXPECT_EQ(text, "TRYAGAIN later");
    EXPECT_EQ(read_one(&text), RESP_VALUE);
    EXPECT_EQ(text, "");
}

TEST_F(RespClient, AnEndBeforeTheAnswerIsBroken)
{
    std::string text;
    const char *cut[] = {"", "$", "$5\r", "$5\r\nabc", "$5\r\nabcde\r"};
    for (const char *part : cut) {
        TearDown();
        SetUp();
        say(part);
        hang_up();
        EXPECT_EQ(read_one(&text), RESP_BROKEN) << part;
    }
}

TEST_F(RespClient, WhatIsNoAnswerToGetIsBroken)
{
    std::string text;
    const char *wrong[] = {"+OK\r\n", ":1\r\n",       "\r\n",          "$x\r\n",    "$\r\n",
                           "$-2\r\n", "$9999999\r\n", "$99999999\r\n", "$2\r\nabXX"};
    for (const char *answer : wrong) {
        TearDown();
        SetUp();
        say(answer);
        hang_up();
        EXPECT_EQ(read_one(&text), RESP_BROKEN) << answer;
    }
}

TEST_F(RespClient, NobodyListens)
{
    resp_client nobody;
    /* Port 1 is privileged and unused on any machine that runs tests. */
    EXPECT_FALSE(resp_client_open(&nobody, 1));
}

} // namespace
