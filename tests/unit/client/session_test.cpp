#include "tests/unit/client/client_fixture.h"

class Session : public ClientFixture
{
};

TEST_F(Session, OpensBeforeTheFirstWriteLeavesAndRetriesWithOneNonce)
{
    start(default_config());
    set(1);
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].op, WIRE_OP_REGISTER);
    EXPECT_EQ(sent[0].session, 0u);
    EXPECT_EQ(static_cast<uint64_t>(sent[0].argument), sent[0].sequence);
    uint64_t nonce = sent[0].sequence;
    now_ = client_wake_ns(client_);
    sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].op, WIRE_OP_REGISTER);
    EXPECT_EQ(sent[0].sequence, nonce) << "or the servers would open two sessions";
    reply(0, {{nonce, WIRE_DONE, 31}});
    sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].key, "w1");
    EXPECT_EQ(sent[0].session, 31u);
    EXPECT_EQ(sent[0].sequence, 1u);
    EXPECT_EQ(counter(CLIENT_SESSION_OPENED), 1u);
}

TEST_F(Session, ClientsWithOneSeedDrawDifferentNonces)
{
    std::vector<uint64_t> nonces;
    for (uint64_t name = 1; name <= 100; name++) {
        client_config config = default_config();
        config.client = name;
        start(config);
        set(1);
        uint8_t payload[kFrameBytes];
        uint32_t bytes;
        uint16_t target;
        ASSERT_TRUE(client_emit(client_, payload, sizeof payload, now_, &bytes, &target));
        uint64_t nonce;
        memcpy(&nonce, payload + WIRE_FRAME_BYTES + 16 + 24, 8);
        for (uint64_t other : nonces)
            EXPECT_NE(other, nonce);
        nonces.push_back(nonce);
    }
}

TEST_F(Session, ARegistrationAnsweredWithNonsenseIsAskedAgain)
{
    start(default_config());
    set(1);
    uint64_t nonce = emit()[0].sequence;
    reply(0, {{nonce, WIRE_DONE, 0}});
    EXPECT_TRUE(emit().empty()) << "not at once";
    now_ = client_wake_ns(client_);
    ASSERT_EQ(emit().size(), 1u);
    reply(0, {{nonce, WIRE_NO_SPACE, 8}});
    now_ = client_wake_ns(client_);
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].op, WIRE_OP_REGISTER);
}

TEST_F(Session, WhenItExpiresWhatLeftIsUncertainAndTheRestGoesOn)
{
    client_config config = default_config();
    start(config);
    open_session(77);
    set(1);
    set(2);
    ASSERT_EQ(emit().size(), 2u);
    set(3);
    get(4);
    std::vector<client_completion> done = reply(77, {{2, WIRE_SESSION_EXPIRED, 0}});
    ASSERT_EQ(done.size(), 2u);
    EXPECT_EQ(done[0].cookie, 1u);
    EXPECT_EQ(done[1].cookie, 2u);
    EXPECT_EQ(done[0].outcome, CLIENT_UNCERTAIN);
    EXPECT_EQ(done[1].outcome, CLIENT_UNCERTAIN);
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].op, WIRE_OP_REGISTER);
    EXPECT_EQ(sent[1].op, WIRE_OP_GET);
    reply(0, {{sent[0].sequence, WIRE_DONE, 78}});
    sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].key, "w3");
    EXPECT_EQ(sent[0].session, 78u);
    EXPECT_EQ(sent[0].sequence, 1u);
    EXPECT_TRUE(reply(77, {{1, WIRE_DONE, 0}}).empty())
        << "the old session's number 1 is another command";
    EXPECT_EQ(reply(78, {{1, WIRE_DONE, 0}}).size(), 1u);
    EXPECT_EQ(counter(CLIENT_SESSION_LOST), 1u);
}

TEST_F(Session, AWriteThatNeverLeftIsRefusedAtItsDeadline)
{
    start(default_config());
    set(1);
    emit(); // the registration finds nobody
    now_ += config_.deadline_ns - 1;
    EXPECT_TRUE(tick().empty());
    now_++;
    std::vector<client_completion> done = tick();
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].outcome, CLIENT_REFUSED);
    EXPECT_EQ(done[0].attempts, 0u);
    EXPECT_EQ(client_wake_ns(client_), UINT64_MAX) << "and the registration is dropped";
    EXPECT_TRUE(emit().empty());
}

TEST_F(Session, AWriteThatLeftIsUncertainAtItsDeadlineAndItsSessionIsLeft)
{
    start(default_config());
    open_session(77);
    set(1);
    ASSERT_EQ(emit().size(), 1u);
    now_ += config_.deadline_ns / 2;
    set(2);
    emit();
    set(3);
    now_ += config_.deadline_ns / 2;
    std::vector<client_completion> done = tick();
    ASSERT_GE(done.size(), 1u);
    EXPECT_EQ(done[0].cookie, 1u);
    EXPECT_EQ(done[0].outcome, CLIENT_UNCERTAIN);
    EXPECT_EQ(counter(CLIENT_SESSION_LEFT), 1u);
    // Whatever has not left goes on under a new session: no hole is waited for.
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].op, WIRE_OP_REGISTER);
    reply(0, {{sent[0].sequence, WIRE_DONE, 78}});
    for (const Sent &one : emit())
        EXPECT_EQ(one.session, 78u);
}

TEST_F(Session, AReadIsRefusedAtItsDeadlineForItHasNoEffect)
{
    start(default_config());
    get(1);
    ASSERT_EQ(emit().size(), 1u);
    now_ += config_.deadline_ns;
    std::vector<client_completion> done = tick();
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].outcome, CLIENT_REFUSED);
    EXPECT_EQ(client_wake_ns(client_), UINT64_MAX);
}

TEST_F(Session, ARefusedNumberIsUsedUpByAHarmlessCommand)
{
    start(default_config());
    open_session(77);
    set(1);
    set(2);
    ASSERT_EQ(emit().size(), 2u);
    std::vector<client_completion> done =
        reply(77, {{2, WIRE_TOO_BIG, 0}, {3, WIRE_OUT_OF_ORDER, 2}});
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].cookie, 1u);
    EXPECT_EQ(done[0].outcome, CLIENT_REFUSED);
    EXPECT_EQ(done[0].result.status, WIRE_TOO_BIG);
    EXPECT_EQ(client_outstanding(client_), 1u);
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].op, WIRE_OP_SIZE);
    EXPECT_EQ(sent[0].sequence, 2u);
    EXPECT_EQ(sent[0].session, 77u);
    EXPECT_EQ(sent[1].key, "w2");
    done = reply(77, {{2, WIRE_DONE, 0}, {3, WIRE_DONE, 0}});
    ASSERT_EQ(done.size(), 1u) << "nobody waits for the stand-in";
    EXPECT_EQ(done[0].cookie, 2u);
    EXPECT_EQ(client_room(client_), config_.window);
}

TEST_F(Session, ADuplicateRefusalDoesNotEndTheStandIn)
{
    start(default_config());
    open_session(77);
    set(1);
    emit();
    EXPECT_EQ(reply(77, {{2, WIRE_BAD_COMMAND, 0}}).size(), 1u);
    ASSERT_EQ(emit().size(), 1u);
    EXPECT_TRUE(reply(77, {{2, WIRE_BAD_COMMAND, 0}}).empty());
    EXPECT_EQ(client_room(client_), config_.window - 1) << "or number 2 would be missing for ever";
    EXPECT_EQ(client_outstanding(client_), 0u);
    EXPECT_NE(client_wake_ns(client_), UINT64_MAX);
    EXPECT_TRUE(reply(77, {{2, WIRE_DONE, 0}}).empty());
    EXPECT_EQ(client_wake_ns(client_), UINT64_MAX);
    EXPECT_EQ(client_room(client_), config_.window);
}

TEST_F(Session, AfterARestItAsksWhetherTheSessionLives)
{
    start(default_config());
    open_session(77);
    now_ += config_.deadline_ns + 1;
    set(1);
    std::vector<Sent> sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    ASSERT_EQ(sent[0].op, WIRE_OP_REGISTER);
    uint64_t nonce = sent[0].sequence;
    reply(0, {{nonce, WIRE_DONE, 77}});
    sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].sequence, 2u) << "it lives: numbers go on";
    reply(77, {{2, WIRE_DONE, 0}});

    now_ += config_.deadline_ns + 1;
    set(2);
    sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].sequence, nonce) << "the nonce that the session bears";
    reply(0, {{nonce, WIRE_DONE, 78}});
    sent = emit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].session, 78u);
    EXPECT_EQ(sent[0].sequence, 1u) << "it had expired: nothing was lost";
    EXPECT_EQ(counter(CLIENT_SESSION_LOST), 0u);
}
