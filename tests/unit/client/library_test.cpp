// The C library against sockets on loopback. Every command carries its own deadline, so no test can
// hang for long; none of them looks at how long anything took.
#include "tests/unit/client/udp_server.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#pragma GCC diagnostic ignored "-Wmissing-field-initializers" // the example is C
extern "C" {
#include "dataplane/client/quorate_client.h"
#define main quorate_example
#include "dataplane/client/example.c"
#undef main
}

namespace
{

constexpr uint64_t kSecond = 1000000000;

class Library : public testing::Test
{
  protected:
    void SetUp() override
    {
        options_.retry_ns = kSecond / 100;
        options_.deadline_ns = 20 * kSecond;
    }
    void open()
    {
        std::vector<std::string> texts = server_.endpoints();
        std::vector<const char *> endpoints;
        for (const std::string &text : texts)
            endpoints.push_back(text.c_str());
        char error[QUORATE_ERROR_BYTES] = "";
        handle_ = quorate_open(endpoints.data(), static_cast<uint32_t>(endpoints.size()), &options_,
                               error);
        ASSERT_NE(handle_, nullptr) << error;
    }
    void TearDown() override
    {
        quorate_close(handle_);
    }
    enum quorate_status set(const std::string &key, const std::string &value)
    {
        return quorate_set(handle_, key.data(), static_cast<uint32_t>(key.size()), value.data(),
                           static_cast<uint32_t>(value.size()), 0);
    }
    std::string get(const std::string &key)
    {
        quorate_result result;
        enum quorate_status status =
            quorate_get(handle_, key.data(), static_cast<uint32_t>(key.size()), &result);
        if (status != QUORATE_OK)
            return quorate_status_name(status);
        return std::string(static_cast<const char *>(result.value), result.value_bytes);
    }
    quorate_options options_ = {};
    UdpServer server_{3};
    quorate *handle_ = nullptr;
};

} // namespace

TEST_F(Library, OneCommandAtATime)
{
    open();
    EXPECT_EQ(get("k"), "NIL");
    EXPECT_EQ(set("k", "v1"), QUORATE_OK);
    EXPECT_EQ(get("k"), "v1");
    EXPECT_EQ(quorate_cas(handle_, "k", 1, "v1", 2, "v2", 2), QUORATE_OK);
    EXPECT_EQ(quorate_cas(handle_, "k", 1, "v1", 2, "v3", 2), QUORATE_MISMATCH);
    EXPECT_EQ(get("k"), "v2");
    int64_t sum = 0;
    EXPECT_EQ(quorate_incr(handle_, "n", 1, 5, &sum), QUORATE_OK);
    EXPECT_EQ(quorate_incr(handle_, "n", 1, -7, &sum), QUORATE_OK);
    EXPECT_EQ(sum, -2);
    EXPECT_EQ(quorate_incr(handle_, "k", 1, 1, &sum), QUORATE_WRONG_TYPE);
    EXPECT_EQ(quorate_del(handle_, "k", 1), QUORATE_OK);
    EXPECT_EQ(quorate_del(handle_, "k", 1), QUORATE_NIL);
    EXPECT_EQ(quorate_outstanding(handle_), 0u);
}

TEST_F(Library, LosesNothingWhenDatagramsAreLost)
{
    server_.drop_every = 4;
    open();
    int64_t sum = 0;
    for (int i = 1; i <= 50; i++) {
        ASSERT_EQ(quorate_incr(handle_, "n", 1, 1, &sum), QUORATE_OK);
        ASSERT_EQ(sum, i) << "executed exactly once";
    }
    EXPECT_EQ(server_.writes_executed, 50u);
}

TEST_F(Library, FollowsTheLeaderByItsAddress)
{
    open();
    for (int leader : {2, 0, 1}) {
        server_.lead(leader);
        EXPECT_EQ(set("k", std::to_string(leader)), QUORATE_OK);
        EXPECT_EQ(get("k"), std::to_string(leader));
    }
}

TEST_F(Library, LargeValuesTravelInPieces)
{
    options_.value_bytes_max = WIRE_VALUE_BYTES_MAX;
    open();
    std::string value(300000, 0);
    for (size_t i = 0; i < value.size(); i++)
        value[i] = static_cast<char>(i * 31 >> 3);
    EXPECT_EQ(set("large", value), QUORATE_OK);
    EXPECT_TRUE(get("large") == value);
    server_.drop_every = 50;
    value += "and more";
    EXPECT_EQ(set("large", value), QUORATE_OK) << "pieces of several attempts add up";
    EXPECT_EQ(set("too large", std::string(WIRE_VALUE_BYTES_MAX + 1, 'v')), QUORATE_BAD_COMMAND);
}

TEST_F(Library, ManyUnderWay)
{
    options_.window = 256;
    open();
    std::set<uint64_t> done;
    uint64_t submitted = 0;
    const std::string value(20, 'v');
    while (done.size() < 2000) {
        wire_command command = {};
        command.op = submitted % 3 == 0 ? WIRE_OP_GET : WIRE_OP_SET;
        command.key = reinterpret_cast<const uint8_t *>("key");
        command.key_bytes = 3;
        command.value = reinterpret_cast<const uint8_t *>(value.data());
        command.value_bytes = command.op == WIRE_OP_SET ? 20 : 0;
        if (submitted < 2000 && quorate_submit(handle_, &command, submitted) == QUORATE_OK) {
            submitted++;
            continue;
        }
        quorate_result results[64];
        uint32_t count = quorate_poll(handle_, results, 64, 10 * kSecond);
        ASSERT_GT(count, 0u);
        for (uint32_t i = 0; i < count; i++) {
            ASSERT_TRUE(results[i].status == QUORATE_OK || results[i].status == QUORATE_NIL);
            std::string read(static_cast<const char *>(results[i].value), results[i].value_bytes);
            ASSERT_TRUE(read.empty() || read == value);
            ASSERT_TRUE(done.insert(results[i].tag).second) << "each once";
        }
    }
    EXPECT_EQ(quorate_outstanding(handle_), 0u);
    quorate_result result;
    EXPECT_EQ(quorate_poll(handle_, &result, 1, 10 * kSecond), 0u) << "nothing under way: no wait";
}

TEST_F(Library, BlockingCallsLeaveOthersResultsForPoll)
{
    open();
    wire_command command = {};
    command.op = WIRE_OP_SET;
    command.key = reinterpret_cast<const uint8_t *>("a");
    command.key_bytes = 1;
    ASSERT_EQ(quorate_submit(handle_, &command, 7), QUORATE_OK);
    EXPECT_EQ(set("b", "v"), QUORATE_OK);
    quorate_result results[2];
    ASSERT_EQ(quorate_poll(handle_, results, 2, 10 * kSecond), 1u);
    EXPECT_EQ(results[0].tag, 7u);
}

TEST_F(Library, RefusesWhatItCanNotTake)
{
    options_.window = 2;
    open();
    wire_command command = {};
    command.op = WIRE_OP_DEL;
    EXPECT_EQ(quorate_submit(handle_, &command, 1), QUORATE_BAD_COMMAND) << "no key";
    command.key = reinterpret_cast<const uint8_t *>("a");
    command.key_bytes = 1;
    EXPECT_EQ(quorate_submit(handle_, &command, QUORATE_TAG_RESERVED), QUORATE_BAD_COMMAND);
    EXPECT_EQ(quorate_submit(handle_, &command, 1), QUORATE_OK);
    EXPECT_EQ(quorate_submit(handle_, &command, 2), QUORATE_OK);
    EXPECT_EQ(quorate_submit(handle_, &command, 3), QUORATE_FULL);
    EXPECT_EQ(set("k", "v"), QUORATE_FULL);
    std::string key(70000, 'k');
    quorate_result result;
    EXPECT_EQ(quorate_poll(handle_, &result, 1, 10 * kSecond), 1u);
    EXPECT_EQ(quorate_get(handle_, key.data(), 65537, &result), QUORATE_BAD_COMMAND)
        << "not a key of one byte";
}

TEST_F(Library, WithoutALeaderWritesAreRefused)
{
    options_.deadline_ns = kSecond / 5;
    server_.lead(-1);
    open();
    EXPECT_EQ(set("k", "v"), QUORATE_REFUSED);
    EXPECT_EQ(server_.writes_executed, 0u);
    server_.lead(1);
    EXPECT_EQ(set("k", "v"), QUORATE_OK);
}

TEST_F(Library, ASilentClusterEndsInUncertainty)
{
    options_.deadline_ns = kSecond / 5;
    open();
    EXPECT_EQ(set("k", "v"), QUORATE_OK);
    server_.silent = true;
    EXPECT_EQ(set("k", "w"), QUORATE_UNCERTAIN) << "it may have arrived";
    EXPECT_EQ(get("k"), "REFUSED") << "a read has no effect";
    server_.silent = false;
    EXPECT_EQ(set("k", "x"), QUORATE_OK);
}

TEST_F(Library, SaysWhatTheClusterSays)
{
    open();
    EXPECT_EQ(set("k", "v"), QUORATE_OK);
    wire_command command = {};
    command.op = WIRE_OP_APPEND;
    command.key = reinterpret_cast<const uint8_t *>("k");
    command.key_bytes = 1;
    quorate_result result;
    EXPECT_EQ(quorate_execute(handle_, &command, &result), QUORATE_NO_SPACE);
    server_.forget_sessions();
    EXPECT_EQ(set("k", "v"), QUORATE_UNCERTAIN);
    EXPECT_EQ(set("k", "v"), QUORATE_OK) << "in a new session";
}

TEST_F(Library, TheExampleDoesWhatItSays)
{
    std::vector<std::string> texts = server_.endpoints();
    std::vector<char *> words = {const_cast<char *>("example")};
    for (std::string &text : texts)
        words.push_back(text.data());
    testing::internal::CaptureStdout();
    EXPECT_EQ(quorate_example(static_cast<int>(words.size()), words.data()), 0);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "hello, world\ncounted to 100\n");
    EXPECT_EQ(quorate_example(1, words.data()), 64);
    char wrong[] = "nowhere";
    words = {wrong, wrong};
    EXPECT_EQ(quorate_example(2, words.data()), 64);
}

TEST_F(Library, DeadlineMayBeForEver)
{
    options_.deadline_ns = UINT64_MAX;
    open();
    EXPECT_EQ(set("k", "v"), QUORATE_OK);
    EXPECT_EQ(quorate_incr(handle_, "n", 1, 5, nullptr), QUORATE_OK);
}

TEST(LibraryOpen, RefusesBadEndpointsAndOptions)
{
    char error[QUORATE_ERROR_BYTES];
    for (const char *text :
         {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:7x",
          "127.0.0.1:-7", "localhost:7000", "127.0.0.1.1.1.1.1.1.1:7000", ":7000",
          "127.0.0.1:99999999999999999999"}) {
        error[0] = '\0';
        EXPECT_EQ(quorate_open(&text, 1, nullptr, error), nullptr) << text;
        EXPECT_NE(error[0], '\0');
        EXPECT_EQ(quorate_open(&text, 1, nullptr, nullptr), nullptr);
    }
    const char *good = "127.0.0.1:7000", *none = nullptr;
    EXPECT_EQ(quorate_open(&none, 1, nullptr, error), nullptr);
    EXPECT_EQ(quorate_open(&good, 0, nullptr, error), nullptr);
    EXPECT_EQ(quorate_open(&good, QUORATE_ENDPOINTS_MAX + 1, nullptr, error), nullptr);
    quorate_options options = {};
    options.window = 257;
    EXPECT_EQ(quorate_open(&good, 1, &options, error), nullptr);
    options.window = 0;
    options.value_bytes_max = WIRE_VALUE_BYTES_MAX + 1;
    EXPECT_EQ(quorate_open(&good, 1, &options, error), nullptr);
    options.value_bytes_max = 0;
    quorate *handle = quorate_open(&good, 1, &options, error);
    EXPECT_NE(handle, nullptr);
    quorate_close(handle);
    quorate_close(nullptr);
}

TEST(LibraryOpen, StatusesHaveNamesAndSentences)
{
    std::set<std::string> sentences;
    for (int i = 0; i < QUORATE_STATUS_COUNT; i++) {
        EXPECT_GT(strlen(quorate_status_name(static_cast<enum quorate_status>(i))), 1u);
        sentences.insert(quorate_status_sentence(static_cast<enum quorate_status>(i)));
    }
    EXPECT_EQ(sentences.size(), static_cast<size_t>(QUORATE_STATUS_COUNT));
}
