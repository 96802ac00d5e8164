#include "tests/unit/client/client_fixture.h"

#include <set>

class Retry : public ClientFixture
{
};

TEST_F(Retry, NothingIsSentTwiceBeforeItsTime)
{
    start(default_config());
    open_session(77);
    set(1);
    emit();
    EXPECT_EQ(client_wake_ns(client_), now_ + config_.retry_ns);
    now_ += config_.retry_ns - 1;
    EXPECT_TRUE(emit().empty());
    now_ += 1;
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].sequence, 2u) << "a retry bears the same number";
    EXPECT_EQ(counter(CLIENT_RETRIED), 1u);
    std::vector<client_completion> done = reply(77, {{2, WIRE_DONE, 0}});
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].attempts, 2u);
}

TEST_F(Retry, TimeOutsDoubleUpToTheLimit)
{
    client_config config = default_config();
    config.fixed_target = true;
    config.deadline_ns = 100000 * kMs;
    start(config);
    get(1);
    std::vector<uint64_t> gaps;
    for (int i = 0; i < 8; i++) {
        uint64_t before = now_;
        ASSERT_EQ(emit().size(), 1u);
        now_ = client_wake_ns(client_);
        gaps.push_back(now_ - before);
    }
    uint64_t least = config.retry_ns;
    for (uint64_t gap : gaps) {
        EXPECT_GE(gap, least);
        EXPECT_LE(gap, least + least / 4);
        least = std::min(2 * least, config.retry_max_ns);
    }
}

TEST_F(Retry, EveryAttemptOfAReadHasAFreshNonce)
{
    client_config config = default_config();
    config.fixed_target = true;
    start(config);
    get(1);
    std::set<uint64_t> nonces;
    uint64_t first = 0, last = 0;
    for (int i = 0; i < 5; i++) {
        std::vector<Sent> sent = emit();
        ASSERT_EQ(sent.size(), 1u);
        last = sent[0].sequence;
        first = i == 0 ? last : first;
        nonces.insert(last);
        now_ = client_wake_ns(client_);
    }
    EXPECT_EQ(nonces.size(), 5u);
    EXPECT_TRUE(reply(0, {{first, WIRE_DONE, 0}}).empty())
        << "an answer to an attempt that is over";
    EXPECT_EQ(counter(CLIENT_REPLY_STALE), 1u);
    EXPECT_EQ(reply(0, {{last, WIRE_DONE, 0}}).size(), 1u);
    EXPECT_TRUE(reply(0, {{last, WIRE_DONE, 0}}).empty()) << "a duplicate";
}

TEST_F(Retry, ARedirectIsFollowedAtOnce)
{
    start(default_config());
    open_session(77);
    set(1);
    std::vector<Sent> sent = emit();
    uint16_t first = sent[0].target;
    uint16_t other = first == 3 ? 2 : 3;
    EXPECT_TRUE(reply(77, {{2, WIRE_NOT_LEADER, 0}}, other).empty());
    EXPECT_EQ(client_leader(client_), other);
    EXPECT_EQ(counter(CLIENT_REDIRECTED), 1u);
    // The new one is asked whether it leads by what does no harm.
    sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].op, WIRE_OP_SIZE);
    EXPECT_EQ(sent[0].session, 0u);
    EXPECT_EQ(sent[0].target, other);
    EXPECT_TRUE(reply(0, {{sent[0].sequence, WIRE_DONE, 0}}).empty());
    sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].target, other);
    EXPECT_EQ(sent[0].sequence, 2u);
}

TEST_F(Retry, WithoutALeaderWritesStayAtHomeAndAreRefused)
{
    start(default_config());
    open_session(77);
    get(1);
    std::vector<Sent> sent = emit();
    reply(0, {{sent[0].sequence, WIRE_NOT_LEADER, 0}});
    set(2);
    std::set<uint16_t> asked;
    uint64_t end = now_ + config_.deadline_ns;
    std::vector<client_completion> done;
    for (int i = 0; i < 1000 && done.size() < 2 && now_ <= end; i++) {
        for (const Sent &one : emit()) {
            ASSERT_NE(one.op, WIRE_OP_SET);
            asked.insert(one.target);
            reply(0, {{one.sequence, WIRE_NOT_LEADER, 0}});
        }
        ASSERT_GT(client_wake_ns(client_), now_) << "members are not asked in a storm";
        now_ = client_wake_ns(client_);
        for (const client_completion &one : tick())
            done.push_back(one);
    }
    EXPECT_EQ(asked.size(), 3u) << "all members were asked";
    ASSERT_EQ(done.size(), 2u);
    EXPECT_EQ(done[0].outcome, CLIENT_REFUSED);
    EXPECT_EQ(done[1].outcome, CLIENT_REFUSED);
    EXPECT_EQ(done[1].attempts, 0u);
}

TEST_F(Retry, MembersThatPointAtEachOtherMakeNoStorm)
{
    start(default_config());
    get(1);
    uint64_t end = now_ + 500 * kMs;
    int sent_count = 0;
    while (now_ < end) {
        for (const Sent &one : emit()) {
            sent_count++;
            reply(0, {{one.sequence, WIRE_NOT_LEADER, 0}},
                  static_cast<uint16_t>(one.target % 3 + 1));
        }
        now_ = std::max(now_ + 1, client_wake_ns(client_));
    }
    EXPECT_LT(sent_count, 40);
    EXPECT_GT(sent_count, 5);
}

TEST_F(Retry, ASilentLeaderIsLeftAfterTwoTimeOuts)
{
    start(default_config());
    open_session(77);
    uint16_t leader = client_leader(client_);
    set(1);
    emit();
    now_ = client_wake_ns(client_);
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].target, leader) << "one lost datagram is no reason to leave";
    now_ = client_wake_ns(client_);
    sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_NE(sent[0].target, leader);
    EXPECT_EQ(sent[0].op, WIRE_OP_SIZE);
    uint16_t second = sent[0].target;
    // Followers do not know yet that it is gone: their word on it does not count.
    reply(0, {{sent[0].sequence, WIRE_NOT_LEADER, 0}}, leader);
    now_ = client_wake_ns(client_);
    sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_NE(sent[0].target, leader);
    EXPECT_NE(sent[0].target, second);
    EXPECT_EQ(counter(CLIENT_TARGET_SKIPPED), 1u);
}

TEST_F(Retry, WhatIsUnderWayToASilentMemberGoesToTheNextAtOnce)
{
    start(default_config());
    get(1);
    ASSERT_EQ(emit().size(), 1u);
    now_ += config_.retry_ns / 2;
    get(2);
    ASSERT_EQ(emit().size(), 1u);
    now_ = client_wake_ns(client_);
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].target, config_.target[1]);
    EXPECT_EQ(sent[1].target, config_.target[1]);
}

TEST_F(Retry, AFixedTargetIsNeverLeft)
{
    client_config config = default_config();
    config.fixed_target = true;
    start(config);
    open_session(77);
    set(1);
    for (int i = 0; i < 10; i++) {
        for (const Sent &one : emit()) {
            EXPECT_EQ(one.target, config.target[0]);
            reply(one.session, {{one.sequence, WIRE_NOT_LEADER, 0}}, 3);
        }
        EXPECT_GT(client_wake_ns(client_), now_);
        now_ = client_wake_ns(client_);
    }
}

TEST_F(Retry, BusyMakesItPause)
{
    start(default_config());
    open_session(77);
    for (uint64_t i = 0; i < 4; i++)
        set(i);
    ASSERT_EQ(emit().size(), 4u);
    reply(77, {{2, WIRE_DONE, 0}, {3, WIRE_BUSY, 0}, {4, WIRE_BUSY, 0}, {5, WIRE_OUT_OF_ORDER, 3}});
    EXPECT_EQ(counter(CLIENT_BUSY), 1u);
    EXPECT_TRUE(emit().empty());
    EXPECT_GE(client_wake_ns(client_), now_ + config_.retry_ns);
    now_ = client_wake_ns(client_);
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 3u);
    for (uint64_t i = 0; i < 3; i++)
        EXPECT_EQ(sent[i].sequence, 3 + i) << "in order";
}

TEST_F(Retry, OutOfOrderSendsWhatIsMissingFirst)
{
    start(default_config());
    open_session(77);
    for (uint64_t i = 0; i < 6; i++) {
        set(i);
        ASSERT_EQ(emit().size(), 1u); // numbers 2 to 7, a frame each; 2 and 3 are lost
    }
    using Numbers = std::vector<uint64_t>;
    auto numbers = [this] {
        Numbers all;
        for (const Sent &one : emit())
            all.push_back(one.sequence);
        return all;
    };
    reply(77, {{4, WIRE_OUT_OF_ORDER, 2}, {5, WIRE_OUT_OF_ORDER, 2}});
    EXPECT_EQ(numbers(), (Numbers{2, 3})) << "4 would be refused again";
    reply(77, {{6, WIRE_OUT_OF_ORDER, 2}, {7, WIRE_OUT_OF_ORDER, 2}});
    set(6);
    EXPECT_TRUE(numbers().empty()) << "2 and 3 are on their way";
    reply(77, {{2, WIRE_DONE, 0}});
    EXPECT_TRUE(numbers().empty());
    reply(77, {{3, WIRE_DONE, 0}});
    EXPECT_EQ(numbers(), (Numbers{4, 5, 6, 7, 8})) << "in order, in one go";
    EXPECT_EQ(counter(CLIENT_OUT_OF_ORDER), 4u);
}

TEST_F(Retry, WhatWasRefusedWaitsForWhatIsOnItsWayAlready)
{
    start(default_config());
    open_session(77);
    set(1);
    emit(); // number 2 is lost
    now_ += kMs;
    set(2);
    emit(); // number 3 is refused, and the news is slow
    now_ = client_wake_ns(client_);
    ASSERT_EQ(emit().size(), 1u) << "number 2 is sent again";
    reply(77, {{3, WIRE_OUT_OF_ORDER, 2}});
    EXPECT_TRUE(emit().empty());
    reply(77, {{2, WIRE_DONE, 0}});
    EXPECT_EQ(emit().size(), 1u);
}

TEST_F(Retry, WhatIsMissingAgainIsSentAgainAtItsTime)
{
    start(default_config());
    open_session(77);
    set(1);
    emit();
    set(2);
    emit();
    reply(77, {{3, WIRE_OUT_OF_ORDER, 2}});
    ASSERT_EQ(emit().size(), 1u);
    EXPECT_TRUE(emit().empty());
    EXPECT_GT(client_wake_ns(client_), now_);
    now_ = client_wake_ns(client_);
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].sequence, 2u);
}

TEST_F(Retry, ExpectationsThatMakeNoSenseHoldNothingUp)
{
    start(default_config());
    open_session(77);
    set(1);
    set(2);
    ASSERT_EQ(emit().size(), 2u);
    for (int64_t expected :
         {INT64_C(-1), INT64_C(0), INT64_C(1), INT64_C(3), INT64_C(4), INT64_C(1) << 40}) {
        EXPECT_TRUE(reply(77, {{3, WIRE_OUT_OF_ORDER, expected}}).empty());
        std::vector<Sent> sent = emit();
        ASSERT_EQ(sent.size(), 1u) << expected;
        EXPECT_EQ(sent[0].sequence, 3u);
    }
}

TEST_F(Retry, AnAnswerToARetryDoesNotShortenTheTimeOut)
{
    client_config config = default_config();
    config.fixed_target = true;
    config.deadline_ns = 100000 * kMs;
    start(config);
    open_session(77);
    set(1);
    emit();
    now_ = client_wake_ns(client_);
    emit();
    uint64_t backed_off = client_wake_ns(client_) - now_;
    EXPECT_GE(backed_off, 2 * config.retry_ns);
    reply(77, {{2, WIRE_DONE, 0}});
    set(2);
    emit();
    EXPECT_EQ(client_wake_ns(client_) - now_, backed_off);
    now_ += 40 * kMs; // a slow but undoubted round trip
    reply(77, {{3, WIRE_DONE, 0}});
    set(3);
    emit();
    uint64_t measured = client_wake_ns(client_) - now_;
    EXPECT_LT(measured, backed_off);
    EXPECT_GE(measured, config.retry_ns);
}
