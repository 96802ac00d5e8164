#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

extern "C" {
#include "bench/appends.h"
#include "bench/payload.h"
}

namespace
{

class Appends : public testing::Test
{
  protected:
    oplog log = {};
    appends check = {};
    uint64_t now = 1000;

    void SetUp() override
    {
        ASSERT_TRUE(oplog_create(&log, 3, 100));
    }
    void TearDown() override
    {
        oplog_destroy(&log);
    }

    /* One append that is answered at once. */
    uint32_t append(uint32_t client, uint32_t key, oplog_outcome outcome = OPLOG_OK)
    {
        uint32_t number = oplog_begin(&log, client, client, OPLOG_APPEND, key, now++);
        oplog_end(&log, client, number, outcome, now++, OPLOG_NOBODY, 0);
        return number;
    }

    void judge(const std::vector<std::pair<uint32_t, std::string>> &lists)
    {
        ASSERT_TRUE(appends_begin(&check, &log));
        for (auto &[key, text] : lists)
            appends_list(&check, key, (const uint8_t *)text.data(), (uint32_t)text.size());
        appends_end(&check);
    }
};

TEST_F(Appends, AllThereInOrder)
{
    append(0, 7);
    append(1, 7);
    append(0, 8);
    append(0, 7);
    judge({{7, "0:0,1:0,0:2,"}, {8, "0:1,"}});
    EXPECT_TRUE(appends_clean(&check));
    EXPECT_EQ(check.acknowledged, 4u);
}

TEST_F(Appends, LostIsCounted)
{
    append(0, 7);
    append(0, 7);
    append(1, 8);
    judge({{7, "0:1,"}});
    EXPECT_EQ(check.lost, 2u);
    EXPECT_FALSE(appends_clean(&check));
}

TEST_F(Appends, TwiceIsCounted)
{
    append(0, 7);
    append(0, 7);
    judge({{7, "0:0,0:1,0:0,"}});
    EXPECT_EQ(check.duplicates, 1u);
    EXPECT_EQ(check.lost, 0u);
    EXPECT_FALSE(appends_clean(&check));
}

TEST_F(Appends, RefusedButThereIsCounted)
{
    append(0, 7, OPLOG_FAIL);
    judge({{7, "0:0,"}});
    EXPECT_EQ(check.duplicates, 1u);
}

TEST_F(Appends, OpenMayBeThereOrNot)
{
    append(0, 7, OPLOG_OPEN);
    append(0, 7, OPLOG_OPEN);
    append(0, 7);
    judge({{7, "0:1,0:2,"}});
    EXPECT_TRUE(appends_clean(&check));
    EXPECT_EQ(check.acknowledged, 1u);
}

TEST_F(Appends, OpenMayNotBeThereTwice)
{
    append(0, 7, OPLOG_OPEN);
    judge({{7, "0:0,0:0,"}});
    EXPECT_EQ(check.duplicates, 1u);
}

TEST_F(Appends, SessionOrderIsKept)
{
    /* Both outstanding at once: real time says nothing, the session's order does. */
    (void)oplog_begin(&log, 0, 0, OPLOG_APPEND, 7, 10);
    (void)oplog_begin(&log, 0, 1, OPLOG_APPEND, 7, 11);
    oplog_end(&log, 0, 0, OPLOG_OK, 20, OPLOG_NOBODY, 0);
    oplog_end(&log, 0, 1, OPLOG_OK, 21, OPLOG_NOBODY, 0);
    judge({{7, "0:1,0:0,"}});
    EXPECT_EQ(check.out_of_order, 1u);
    judge({{7, "0:0,0:1,"}});
    EXPECT_TRUE(appends_clean(&check)) << "a second check starts afresh";
}

TEST_F(Appends, RealTimeOrderIsKeptAcrossSessions)
{
    append(0, 7);
    append(1, 7); /* submitted after the first was answered */
    judge({{7, "1:0,0:0,"}});
    EXPECT_EQ(check.out_of_order, 1u);
}

TEST_F(Appends, ConcurrentSessionsMayStandEitherWay)
{
    (void)oplog_begin(&log, 0, 0, OPLOG_APPEND, 7, 10);
    (void)oplog_begin(&log, 1, 1, OPLOG_APPEND, 7, 11);
    oplog_end(&log, 0, 0, OPLOG_OK, 20, OPLOG_NOBODY, 0);
    oplog_end(&log, 1, 0, OPLOG_OK, 21, OPLOG_NOBODY, 0);
    judge({{7, "1:0,0:0,"}});
    EXPECT_TRUE(appends_clean(&check));
    judge({{7, "0:0,1:0,"}});
    EXPECT_TRUE(appends_clean(&check));
}

TEST_F(Appends, ForeignIsCounted)
{
    append(0, 7);
    append(0, 8);
    for (std::string text : {"0:1,", "2:0,", "9:0,", "0:99,", "garbage", "0:0"}) {
        judge({{7, text}});
        EXPECT_EQ(check.foreign, 1u) << text;
        EXPECT_FALSE(appends_clean(&check));
    }
}

TEST_F(Appends, AReadIsNoAppend)
{
    (void)oplog_begin(&log, 0, 0, OPLOG_GET, 7, 10);
    oplog_end(&log, 0, 0, OPLOG_OK, 20, OPLOG_NOBODY, 0);
    judge({{7, "0:0,"}});
    EXPECT_EQ(check.foreign, 1u);
}

/* Random runs of a correct store pass; the same runs with one blow to the lists do not. */
TEST_F(Appends, RandomRunsAndRandomBlows)
{
    std::mt19937 random(5);
    for (int round = 0; round < 300; round++) {
        oplog_destroy(&log);
        ASSERT_TRUE(oplog_create(&log, 3, 100));
        std::vector<std::vector<std::string>> lists(4);
        for (int i = 0; i < 60; i++) {
            uint32_t client = (uint32_t)random() % 3;
            uint32_t key = (uint32_t)random() % 4;
            uint32_t number = append(client, key);
            uint8_t element[PAYLOAD_ELEMENT_BYTES_MAX];
            uint32_t bytes = payload_element(element, client, number);
            lists[key].emplace_back((const char *)element, bytes);
        }
        auto judge_lists = [&] {
            std::vector<std::pair<uint32_t, std::string>> texts;
            for (uint32_t key = 0; key < 4; key++) {
                std::string text;
                for (auto &element : lists[key])
                    text += element;
                texts.emplace_back(key, text);
            }
            judge(texts);
        };
        judge_lists();
        ASSERT_TRUE(appends_clean(&check));
        ASSERT_EQ(check.acknowledged, 60u);
        auto &victim = lists[random() % 4];
        if (victim.size() < 2)
            continue;
        size_t at = random() % (victim.size() - 1);
        switch (round % 3) {
        case 0:
            victim.erase(victim.begin() + (long)at);
            break;
        case 1:
            victim.push_back(victim[at]);
            break;
        default:
            std::swap(victim[at], victim[at + 1]);
            break;
        }
        judge_lists();
        ASSERT_FALSE(appends_clean(&check));
    }
}

} // namespace
