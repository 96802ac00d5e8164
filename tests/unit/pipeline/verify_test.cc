/* The verify room of one lane: who has to sign, what is checked, who is told, and who is named. */
#include "tests/unit/pipeline/lane_fixture.h"

extern "C" {
#include "protocols/wire/signed.h"
}

#include <algorithm>
#include <array>
#include <sodium.h>

namespace
{

const uint32_t base_window = 6, window = 4, tables = 2;

struct Signer {
    explicit Signer(uint8_t number)
    {
        uint8_t seed[32] = {number};
        EXPECT_EQ(crypto_sign_seed_keypair(key.data(), secret, seed), 0);
    }
    std::array<uint8_t, 32> key;
    uint8_t secret[64];
};

} // namespace

class Verify : public Lane
{
  protected:
    void demand_signatures(const std::vector<Signer> &listed = {})
    {
        base_memory = std::aligned_alloc(64, (ed25519_base_footprint(base_window) + 63) / 64 * 64);
        base = ed25519_base_init(base_memory, base_window, ed25519_backend_best());
        for (const Signer &signer : listed)
            list.push_back(signer.key);
        std::sort(list.begin(), list.end());
        tweak = [this](struct lane_config &lane_config) {
            lane_config.clients.base = base;
            lane_config.clients.tables = tables;
            lane_config.clients.window = window;
            lane_config.clients.key = reinterpret_cast<const uint8_t(*)[32]>(list.data());
            lane_config.clients.key_count = static_cast<uint32_t>(list.size());
        };
        lead();
    }

    void TearDown() override
    {
        Lane::TearDown();
        std::free(base_memory);
    }

    /* The last frame that was put into the port, in an envelope. */
    void sign_last(const Signer &signer, uint64_t cluster = cluster_id, bool spoil = false)
    {
        std::vector<uint8_t> &payload = port.arriving.back().bytes;
        auto size = static_cast<uint32_t>(payload.size());
        payload.resize(size + WIRE_SIGNED_BYTES);
        uint8_t *signature;
        struct wire_signed made;
        wire_wrap_signed(payload.data(), &size, size + WIRE_SIGNED_BYTES, cluster,
                         signer.key.data(), &signature, &made);
        crypto_sign_detached(signature, nullptr, made.covered, made.covered_bytes, signer.secret);
        if (spoil)
            payload.back() ^= 1;
    }

    std::vector<Answer> ask_signed(const Signer &signer, uint64_t cluster = cluster_id,
                                   bool spoil = false)
    {
        send(0, nonce++, make(WIRE_OP_GET, key_text, ""));
        sign_last(signer, cluster, spoil);
        pass(2);
        return answers();
    }

    /* So many good signatures that it has earned a table. */
    void prove(const Signer &signer)
    {
        for (uint32_t i = 0; i < ED25519_CACHE_TRIAL; i++)
            EXPECT_EQ(ask_signed(signer).size(), 1u);
    }

    uint64_t count(enum lane_event event)
    {
        uint64_t counters[LANE_EVENT_COUNT];
        lane_counters(lane, counters);
        return counters[event];
    }

    struct lane_verify_report report()
    {
        struct lane_verify_report seen;
        lane_verify_report(lane, &seen);
        return seen;
    }

    const std::string key_text = "key";
    uint64_t nonce = 1;
    void *base_memory = nullptr;
    struct ed25519_base *base = nullptr;
    std::vector<std::array<uint8_t, 32>> list;
};

TEST_F(Verify, WhoNeedNotSignIsHeardWithAndWithoutASignature)
{
    lead();
    EXPECT_FALSE(report().on);
    EXPECT_EQ(one(0, 1, make(WIRE_OP_GET, key_text, "")).status, WIRE_DONE);
    std::vector<Answer> all = ask_signed(Signer(1), cluster_id, true);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].status, WIRE_DONE);
}

TEST_F(Verify, SignedCommandsAreExecuted)
{
    demand_signatures();
    Signer signer(1);
    struct wire_command registration = {};
    registration.op = WIRE_OP_REGISTER;
    registration.argument = 77;
    send(0, 77, registration);
    sign_last(signer);
    pass(2);
    std::vector<Answer> all = answers();
    ASSERT_EQ(all.size(), 1u);
    auto session = static_cast<uint64_t>(all[0].integer);
    const std::string value = "value";
    send(session, 1, make(WIRE_OP_SET, key_text, value));
    sign_last(signer);
    pass(2);
    all = answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].status, WIRE_DONE);
    all = ask_signed(signer);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].value, "value");
}

TEST_F(Verify, WhoDoesNotSignIsTold)
{
    demand_signatures();
    EXPECT_EQ(one(0, 1, make(WIRE_OP_GET, key_text, "")).status, WIRE_UNAUTHORIZED);
    EXPECT_EQ(count(LANE_CLIENT_UNSIGNED), 1u);
}

TEST_F(Verify, ABadSignatureIsNotAnsweredAndItsSenderIsNamed)
{
    demand_signatures();
    Signer signer(3);
    EXPECT_EQ(report().bad_peer.ip, 0u);
    EXPECT_TRUE(ask_signed(signer, cluster_id, true).empty());
    EXPECT_EQ(count(LANE_BAD_SIGNATURE), 1u);
    EXPECT_EQ(report().bad_peer.ip, client_peer.ip);
    EXPECT_EQ(memcmp(report().bad_key, signer.key.data(), 32), 0);
    EXPECT_FALSE(lane_build_table(lane)) << "it earned no table";
}

TEST_F(Verify, ASignatureForAnotherClusterIsWorthNothing)
{
    demand_signatures();
    EXPECT_TRUE(ask_signed(Signer(1), cluster_id + 1).empty());
    EXPECT_EQ(count(LANE_FOREIGN_CLUSTER), 1u);
}

TEST_F(Verify, OnlyListedKeysMayAsk)
{
    demand_signatures({Signer(1), Signer(2), Signer(3)});
    for (uint8_t number = 1; number <= 3; number++) {
        std::vector<Answer> all = ask_signed(Signer(number));
        ASSERT_EQ(all.size(), 1u);
        EXPECT_EQ(all[0].status, WIRE_DONE);
    }
    EXPECT_EQ(report().without_table, 1u) << "there are two tables";
    std::vector<Answer> all = ask_signed(Signer(4));
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].status, WIRE_UNAUTHORIZED);
    EXPECT_EQ(count(LANE_CLIENT_UNLISTED), 1u);
}

TEST_F(Verify, AMemberMayNotSendEnvelopes)
{
    start(3);
    send(0, 1, make(WIRE_OP_GET, key_text, ""));
    sign_last(Signer(1));
    std::vector<uint8_t> payload = port.arriving.back().bytes;
    port.arriving.clear();
    put_from(2, [&payload](struct wire_writer *writer) {
        uint32_t size = static_cast<uint32_t>(payload.size()) - WIRE_FRAME_BYTES;
        memcpy(writer->data + writer->bytes, payload.data() + WIRE_FRAME_BYTES, size);
        writer->bytes += size;
    });
    pass(2);
    uint64_t refused[WIRE_REFUSAL_COUNT];
    lane_wire_counters(lane, refused);
    EXPECT_EQ(refused[WIRE_REFUSED_MESSAGE_KIND], 1u);
}

TEST_F(Verify, AKeyGetsItsTableFromControl)
{
    demand_signatures();
    Signer signer(1);
    ask_signed(signer);
    EXPECT_FALSE(lane_build_table(lane)) << "it is on trial";
    prove(signer);
    uint64_t before = report().without_table;
    EXPECT_TRUE(lane_build_table(lane));
    EXPECT_FALSE(lane_build_table(lane)) << "once";
    ask_signed(signer);
    EXPECT_EQ(count(LANE_KEY_SETTLED), 1u);
    EXPECT_EQ(report().without_table, before);
    std::vector<Answer> all = ask_signed(signer, cluster_id, true);
    EXPECT_TRUE(all.empty());
    EXPECT_EQ(count(LANE_BAD_SIGNATURE), 1u);
}

TEST_F(Verify, NewKeysMakeOldOnesGiveWay)
{
    demand_signatures();
    for (uint8_t number = 1; number <= 5; number++) {
        prove(Signer(number));
        EXPECT_TRUE(lane_build_table(lane));
        ask_signed(Signer(number)); /* settles */
    }
    EXPECT_EQ(count(LANE_KEY_SETTLED), 5u);
    EXPECT_EQ(report().evicted, 3u);
    uint64_t before = report().without_table;
    ask_signed(Signer(5));
    EXPECT_EQ(report().without_table, before);
    ask_signed(Signer(1));
    EXPECT_EQ(report().without_table, before + 1);
}

TEST_F(Verify, OneBurstIsOneBatch)
{
    demand_signatures({Signer(1), Signer(2)});
    for (uint32_t i = 0; i < 40; i++) {
        send(0, nonce++, make(WIRE_OP_GET, key_text, ""));
        sign_last(Signer(static_cast<uint8_t>(1 + i % 2)), cluster_id, i == 17);
    }
    pass(2);
    EXPECT_EQ(answers().size(), 39u);
    EXPECT_EQ(count(LANE_BAD_SIGNATURE), 1u);
    struct lane_verify_report seen = report();
    EXPECT_EQ(seen.batches[5], 1u) << "32 to 63";
    for (uint32_t i = 0; i < LANE_BATCH_SIZES; i++)
        EXPECT_EQ(seen.batches[i], i == 5 ? 1u : 0u);
}

TEST_F(Verify, UnknownKeysDoNotKeepKnownOnesWaiting)
{
    demand_signatures();
    Signer known(1);
    prove(known);
    ASSERT_TRUE(lane_build_table(lane));
    ask_signed(known);
    for (uint8_t number = 10; number < 30; number++) {
        send(0, nonce++, make(WIRE_OP_GET, key_text, ""));
        sign_last(Signer(number));
    }
    send(0, nonce++, make(WIRE_OP_GET, key_text, ""));
    sign_last(known);
    pass(2);
    std::vector<Answer> all = answers();
    EXPECT_EQ(count(LANE_VERIFY_CROWDED), 19u);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all.back().sequence, nonce - 1);
}

TEST_F(Verify, SplitRoomsJudgeAsFusedOnesDo)
{
    std::string first;
    for (bool split : {false, true}) {
        demand_signatures({Signer(1), Signer(2), Signer(3)});
        for (uint32_t i = 0; i < 100; i++) {
            send(0, nonce++, make(WIRE_OP_GET, key_text, ""));
            if (i % 5 != 4)
                sign_last(Signer(static_cast<uint8_t>(1 + i % 4)), cluster_id, i % 7 == 0);
            port.now_ns += 1000000; /* enough for a check without a table */
            split ? poll_split() : poll();
        }
        std::string story;
        for (const Answer &answer : answers())
            story += std::to_string(answer.sequence) + ":" + std::to_string(answer.status) + " ";
        for (enum lane_event event :
             {LANE_CLIENT_UNSIGNED, LANE_CLIENT_UNLISTED, LANE_BAD_SIGNATURE, LANE_VERIFY_CROWDED})
            story += std::to_string(count(event)) + " ";
        if (split) {
            EXPECT_EQ(story, first);
            break;
        }
        first = story;
        EXPECT_GT(count(LANE_BAD_SIGNATURE), 0u);
        EXPECT_EQ(count(LANE_VERIFY_CROWDED), 0u);
        start_over();
        base_memory = nullptr;
        list.clear();
        nonce = 1;
    }
}
