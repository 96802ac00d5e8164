#include "tests/unit/client/client_fixture.h"

#include <set>

class Submit : public ClientFixture
{
};

TEST_F(Submit, RefusesConfigurationsThatCanNotWork)
{
    const client_config good = default_config();
    EXPECT_NE(client_footprint(&good), 0u);
    std::vector<client_config> bad(14, good);
    bad[0].client = 0;
    bad[1].window = 0;
    bad[2].window = CLIENT_WINDOW_MAX + 1;
    bad[3].target_count = 0;
    bad[4].target_count = CLIENT_TARGETS_MAX + 1;
    bad[5].command_bytes_max = WIRE_COMMAND_BYTES - 1;
    bad[6].command_bytes_max = WIRE_BODY_BYTES_MAX + 1;
    bad[7].reply_bytes_max = 511;
    bad[8].reply_bytes_max = WIRE_FRAGMENT_TOTAL_MAX + 1;
    bad[9].retry_ns = 0;
    bad[10].retry_max_ns = bad[10].retry_ns - 1;
    bad[11].deadline_ns = 0;
    bad[12].client = 0;
    bad[13].window = 0xffffffff;
    for (size_t i = 0; i < bad.size(); i++)
        EXPECT_EQ(client_footprint(&bad[i]), 0u) << i;
}

TEST_F(Submit, RefusesWhatItCanNotKeep)
{
    start(default_config());
    EXPECT_FALSE(submit(WIRE_OP_SET, "", 1, "v")) << "no key";
    EXPECT_FALSE(submit(WIRE_OP_SET, "k", 1, std::string(4096 - 16, 'v'))) << "one byte too many";
    EXPECT_FALSE(submit(WIRE_OP_REGISTER, "", 1)) << "the machine's own business";
    EXPECT_FALSE(submit(99, "k", 1)) << "unknown";
    EXPECT_EQ(counter(CLIENT_SUBMIT_TOO_BIG), 4u);
    EXPECT_TRUE(submit(WIRE_OP_SET, "k", 1, std::string(4096 - 17, 'v')));
    for (uint64_t i = 1; i < config_.window; i++)
        EXPECT_TRUE(set(i));
    EXPECT_EQ(client_room(client_), 0u);
    EXPECT_EQ(client_outstanding(client_), config_.window);
    EXPECT_FALSE(set(99));
    EXPECT_FALSE(get(99));
    EXPECT_EQ(counter(CLIENT_SUBMIT_FULL), 2u);
}

TEST_F(Submit, AnIdleMachineIsSilent)
{
    start(default_config());
    EXPECT_EQ(client_wake_ns(client_), UINT64_MAX);
    EXPECT_TRUE(emit().empty());
    EXPECT_TRUE(tick().empty());
    EXPECT_EQ(client_leader(client_), WIRE_NODE_CLIENT);
}

TEST_F(Submit, WritesArePackedInOrderOfSubmission)
{
    client_config config = default_config();
    config.window = CLIENT_WINDOW_MAX;
    start(config);
    open_session(77);
    frames_ = 0;
    for (uint64_t i = 0; i < 200; i++)
        ASSERT_TRUE(set(i));
    EXPECT_LE(client_wake_ns(client_), now_);
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 200u);
    for (uint64_t i = 0; i < 200; i++) {
        EXPECT_EQ(sent[i].key, "w" + std::to_string(i));
        EXPECT_EQ(sent[i].sequence, i + 2) << "one was used to open the session";
        EXPECT_EQ(sent[i].session, 77u);
    }
    // A command takes 16 + 16 + 2..4 + 4 bytes, padded: 40 bytes.
    uint32_t per_frame = (kFrameBytes - 40 - 40) / 40;
    EXPECT_EQ(frames_, (200 + per_frame - 1) / per_frame);
    EXPECT_GT(client_wake_ns(client_), now_);
}

TEST_F(Submit, ReadsNeedNoSessionAndShareAFrameWithWrites)
{
    start(default_config());
    ASSERT_TRUE(get(1));
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].op, WIRE_OP_GET);
    EXPECT_EQ(sent[0].session, 0u);
    EXPECT_TRUE(sent[0].nonce());
    EXPECT_EQ(reply(0, {{sent[0].sequence, WIRE_DONE, 5}}).size(), 1u);
    EXPECT_EQ(client_wake_ns(client_), UINT64_MAX);

    open_session(77);
    frames_ = 0;
    set(2);
    get(3);
    EXPECT_EQ(emit().size(), 2u);
    EXPECT_EQ(frames_, 1u);
}

TEST_F(Submit, AReadMayTakeItsPlaceAmongTheWrites)
{
    start(default_config());
    open_session(77);
    wire_command read = {};
    read.op = WIRE_OP_GET;
    read.key = reinterpret_cast<const uint8_t *>("r");
    read.key_bytes = 1;
    set(1);
    EXPECT_TRUE(client_submit_ordered(client_, &read, 2, now_));
    set(3);
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 3u);
    EXPECT_EQ(sent[1].op, WIRE_OP_GET);
    for (uint64_t i = 0; i < 3; i++) {
        EXPECT_EQ(sent[i].session, 77u);
        EXPECT_EQ(sent[i].sequence, i + 2);
    }
    std::vector<client_completion> done = reply(77, {{3, WIRE_DONE, 5}});
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].cookie, 2u);
    EXPECT_EQ(done[0].outcome, CLIENT_DONE);
    done = reply(77, {{2, WIRE_DONE, 0}, {4, WIRE_DONE, 0}});
    EXPECT_EQ(done.size(), 2u);
    EXPECT_TRUE(client_submit_ordered(client_, &read, 4, now_));
    emit();
    now_ += config_.deadline_ns;
    done = tick();
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].outcome, CLIENT_UNCERTAIN) << "its number is used up";
}

TEST_F(Submit, FramesOfOneMessageWhereACarrierWantsThem)
{
    for (bool one : {false, true}) {
        client_config config = default_config();
        config.one_message = one;
        start(config);
        open_session(77);
        set(1);
        get(2);
        frames_ = 0;
        EXPECT_EQ(emit().size(), 2u);
        EXPECT_EQ(frames_, one ? 2u : 1u);
    }
}

TEST_F(Submit, CompletionsTellWhatTheServerSaid)
{
    start(default_config());
    open_session(77);
    set(1);
    uint64_t submitted = now_;
    emit();
    now_ += kMs;
    std::vector<client_completion> done = reply(77, {{2, WIRE_NO_SPACE, 42}});
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].cookie, 1u);
    EXPECT_EQ(done[0].outcome, CLIENT_DONE);
    EXPECT_EQ(done[0].attempts, 1u);
    EXPECT_EQ(done[0].submitted_ns, submitted);
    EXPECT_EQ(done[0].result.status, WIRE_NO_SPACE);
    EXPECT_EQ(done[0].result.integer, 42);
    EXPECT_EQ(client_outstanding(client_), 0u);
    set(2);
    emit();
    done = reply(77, {{3, WIRE_REPLY_GONE, 0}});
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].outcome, CLIENT_GONE);
}

TEST_F(Submit, NumbersOutstandingNeverSpanMoreThanTheServersWindow)
{
    client_config config = default_config();
    config.window = 4;
    config.retry_ns = config.retry_max_ns = 900 * kMs;
    start(config);
    open_session(77); // used number 1
    set(0);
    emit(); // number 2 stays unanswered
    uint64_t sequence = 3;
    for (uint64_t i = 1; i < CLIENT_WINDOW_MAX; i++) {
        ASSERT_TRUE(set(i));
        std::vector<Sent> sent = emit();
        ASSERT_EQ(sent.size(), 1u);
        ASSERT_EQ(sent[0].sequence, sequence);
        ASSERT_EQ(reply(77, {{sequence++, WIRE_DONE, 0}}).size(), 1u);
    }
    ASSERT_TRUE(set(999));
    EXPECT_TRUE(emit().empty()) << "the answer to number 2 would no longer be kept";
    EXPECT_GT(client_wake_ns(client_), now_) << "and nobody spins over it";
    EXPECT_EQ(reply(77, {{2, WIRE_DONE, 0}}).size(), 1u);
    EXPECT_EQ(emit().size(), 1u);
}

TEST_F(Submit, EventsHaveNamesAndSentences)
{
    std::set<std::string> names;
    for (int i = 0; i < CLIENT_EVENT_COUNT; i++) {
        names.insert(client_event_name(static_cast<enum client_event>(i)));
        EXPECT_GT(strlen(client_event_sentence(static_cast<enum client_event>(i))), 10u);
    }
    EXPECT_EQ(names.size(), static_cast<size_t>(CLIENT_EVENT_COUNT));
}
