/* Sender and receiver over a network that loses, repeats and reorders, with restarts of either. */
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

extern "C" {
#include "dataplane/snapshot/format.h"
#include "dataplane/snapshot/transfer.h"
#include "numa/base/bits.h"
#include "numa/base/random.h"
}

namespace
{

constexpr uint64_t kMs = 1000000;
using Bytes = std::vector<uint8_t>;

transfer_config config_of(uint32_t unit = 1024, uint32_t window = 16)
{
    return {unit, window, 20 * kMs, 5000 * kMs, 0};
}

struct in_flight {
    uint64_t when;
    bool to_receiver;
    wire_chunk chunk;
    Bytes data;
    wire_chunk_ack ack;
};

class Transfer : public ::testing::Test
{
  protected:
    Bytes file_, got_;
    wire_snapshot_id id_ = {};
    transfer_sender sender_ = {};
    transfer_receiver receiver_ = {};
    std::vector<in_flight> network_;
    random_state random_ = {};
    uint64_t now_ = kMs, run_ = 1, chunks_ = 0;
    uint32_t unit_ = 1024;
    uint64_t loss_ = 0, twice_ = 0, delay_ = 1;

    void start(size_t bytes, uint64_t seed = 1)
    {
        random_init(&random_, seed);
        file_.resize(bytes);
        for (uint8_t &byte : file_)
            byte = static_cast<uint8_t>(random_next(&random_));
        got_.assign(bytes, 0);
        id_ = {7, 3, 0x5555, bytes};
        network_.clear();
        begin_sender(unit_);
        transfer_receive_begin(&receiver_, 2, &id_, run_, 0);
    }

    void begin_sender(uint32_t unit)
    {
        unit_ = unit;
        transfer_config config = config_of(unit);
        transfer_send_begin(&sender_, &config, &id_, now_);
    }

    uint64_t below(uint64_t n)
    {
        return random_below(&random_, n);
    }

    void post(in_flight message)
    {
        for (int copy = below(100) < twice_ ? 2 : 1; copy > 0; copy--) {
            if (below(100) < loss_)
                continue;
            message.when = now_ + below(delay_ * kMs);
            network_.push_back(message);
        }
    }

    wire_chunk chunk_at(uint64_t offset, uint32_t bytes) const
    {
        const uint8_t *data = file_.data() + offset;
        return {2, id_, offset, unit_, snapshot_crc(data, bytes), bytes, data};
    }

    void ack()
    {
        in_flight message = {};
        transfer_receive_ack(&receiver_, &message.ack);
        EXPECT_EQ(message.ack.ahead & 1, 0u);
        post(message);
    }

    void deliver(in_flight &message)
    {
        if (!message.to_receiver) {
            transfer_send_ack(&sender_, &message.ack, now_);
            return;
        }
        message.chunk.data = message.data.data();
        transfer_verdict verdict = transfer_receive(&receiver_, &message.chunk);
        if (verdict == TRANSFER_STORE)
            std::copy(message.data.begin(), message.data.end(),
                      got_.begin() + static_cast<std::ptrdiff_t>(message.chunk.offset));
        if (transfer_receive_complete(&receiver_) && receiver_.status == WIRE_CHUNK_GOING) {
            EXPECT_EQ(got_, file_);
            transfer_receive_end(&receiver_, true);
        }
        if (verdict != TRANSFER_FOREIGN && verdict != TRANSFER_DAMAGED)
            ack();
    }

    /* One millisecond. */
    void turn()
    {
        uint64_t offset;
        uint32_t bytes, burst = 0;
        while (transfer_send_next(&sender_, now_, &offset, &bytes)) {
            in_flight message = {};
            message.to_receiver = true;
            message.chunk = chunk_at(offset, bytes);
            message.data.assign(message.chunk.data, message.chunk.data + bytes);
            post(message);
            chunks_++;
            ASSERT_LE(++burst, 64u);
        }
        now_ += kMs;
        std::vector<in_flight> due;
        for (size_t i = 0; i < network_.size();)
            if (network_[i].when <= now_) {
                due.push_back(network_[i]);
                network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(i));
            } else {
                i++;
            }
        std::sort(due.begin(), due.end(),
                  [](const in_flight &a, const in_flight &b) { return a.when < b.when; });
        for (in_flight &message : due)
            deliver(message);
    }

    int run(int turns)
    {
        int n = 0;
        while (n < turns && sender_.state == TRANSFER_SENDING && !HasFatalFailure()) {
            turn();
            n++;
        }
        return n;
    }
};

TEST_F(Transfer, OverAGoodNetworkNothingIsSentTwice)
{
    start(100000);
    run(1000);
    EXPECT_EQ(sender_.state, TRANSFER_WHOLE);
    EXPECT_EQ(chunks_, 98u);
    EXPECT_EQ(sender_.resent, 0u);
    EXPECT_EQ(got_, file_);
}

TEST_F(Transfer, AllSizesAroundUnitAndWindow)
{
    for (size_t bytes : {1u, 511u, 1023u, 1024u, 1025u, 16384u, 16385u, 65536u, 65537u}) {
        start(bytes, bytes);
        run(1000);
        EXPECT_EQ(sender_.state, TRANSFER_WHOLE) << bytes;
    }
}

TEST_F(Transfer, LossRepetitionAndDisorder)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        loss_ = seed % 4 * 12;
        twice_ = seed % 5 * 10;
        delay_ = 1 + seed % 7 * 8;
        start(30000 + seed * 777, seed);
        run(20000);
        ASSERT_EQ(sender_.state, TRANSFER_WHOLE) << seed;
    }
}

TEST_F(Transfer, ASenderThatStartsAnewGoesOn)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        loss_ = 10;
        delay_ = 10;
        unit_ = 1024;
        start(60000, seed);
        run(25 + static_cast<int>(below(20)));
        uint64_t have = receiver_.have;
        begin_sender(seed % 2 ? 1024 : 1500); /* another member, another frame size */
        run(20000);
        ASSERT_EQ(sender_.state, TRANSFER_WHOLE) << seed;
        EXPECT_GT(have, 0u);
    }
}

TEST_F(Transfer, AReceiverThatStartsAnewGoesOnWithWhatIsLeft)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        loss_ = 10;
        delay_ = 15;
        unit_ = 1024;
        start(60000, seed);
        for (int restart = 0; restart < 3; restart++) {
            run(20 + static_cast<int>(below(20)));
            if (sender_.state != TRANSFER_SENDING)
                break;
            uint64_t left = receiver_.have == 0 ? 0 : below(receiver_.have);
            std::fill(got_.begin() + static_cast<std::ptrdiff_t>(left), got_.end(), 0);
            transfer_receive_begin(&receiver_, 2, &id_, ++run_, left);
        }
        run(20000);
        ASSERT_EQ(sender_.state, TRANSFER_WHOLE) << seed;
    }
}

TEST_F(Transfer, AcksOfAFormerRunChangeNothing)
{
    start(60000);
    run(3);
    wire_chunk_ack old;
    transfer_receive_ack(&receiver_, &old);
    ASSERT_GT(old.offset, 0u);
    transfer_receive_begin(&receiver_, 2, &id_, ++run_, 0);
    wire_chunk_ack fresh;
    transfer_receive_ack(&receiver_, &fresh);
    transfer_send_ack(&sender_, &fresh, now_);
    EXPECT_EQ(sender_.acked, 0u);
    transfer_send_ack(&sender_, &old, now_);
    EXPECT_EQ(sender_.acked, 0u);
}

TEST_F(Transfer, WhatWasDamagedIsSentAgain)
{
    start(5000);
    wire_chunk chunk = chunk_at(0, 1024);
    Bytes bent(chunk.data, chunk.data + 1024);
    bent[500] ^= 1;
    chunk.data = bent.data();
    EXPECT_EQ(transfer_receive(&receiver_, &chunk), TRANSFER_DAMAGED);
    EXPECT_EQ(receiver_.have, 0u);
}

TEST_F(Transfer, OtherSnapshotsAreForeign)
{
    start(5000);
    for (int field = 0; field < 4; field++) {
        wire_chunk chunk = chunk_at(0, 1024);
        uint64_t *of[] = {&chunk.id.index, &chunk.id.term, &chunk.id.sum, &chunk.id.bytes};
        ++*of[field];
        EXPECT_EQ(transfer_receive(&receiver_, &chunk), TRANSFER_FOREIGN) << field;
        wire_chunk_ack ack;
        transfer_receive_ack(&receiver_, &ack);
        ack.id = chunk.id;
        ack.status = WIRE_CHUNK_REFUSED;
        transfer_send_ack(&sender_, &ack, now_);
        EXPECT_EQ(sender_.state, TRANSFER_SENDING) << field;
    }
}

TEST_F(Transfer, BeyondTheWindowNothingIsTaken)
{
    start(200000);
    wire_chunk far = chunk_at(64 * 1024, 1024), last = chunk_at(63 * 1024, 1024);
    EXPECT_EQ(transfer_receive(&receiver_, &far), TRANSFER_OUTSIDE);
    EXPECT_EQ(transfer_receive(&receiver_, &last), TRANSFER_STORE);
    EXPECT_EQ(transfer_receive(&receiver_, &last), TRANSFER_DUPLICATE);
    EXPECT_EQ(receiver_.have, 0u);
}

TEST_F(Transfer, ARefusalEndsIt)
{
    start(60000);
    run(5);
    transfer_receive_end(&receiver_, false);
    run(1000);
    EXPECT_EQ(sender_.state, TRANSFER_REFUSED);
    uint64_t offset;
    uint32_t bytes;
    EXPECT_FALSE(transfer_send_next(&sender_, now_ + 1000 * kMs, &offset, &bytes));
    EXPECT_EQ(transfer_send_wake(&sender_), UINT64_MAX);
}

TEST_F(Transfer, SilenceEndsItToo)
{
    loss_ = 100;
    start(60000);
    run(6000);
    EXPECT_EQ(sender_.state, TRANSFER_SILENT);
    EXPECT_LE(chunks_, 5000u / 20 + 1) << "one unit asks until somebody answers";
}

TEST_F(Transfer, NoFasterThanItsRate)
{
    start(100000);
    sender_.config.bytes_per_second = 1000000; /* a unit a millisecond */
    int turns = run(1000);
    EXPECT_EQ(sender_.state, TRANSFER_WHOLE);
    EXPECT_GE(turns, 98);
}

TEST_F(Transfer, WakesForWhatIsNotAnswered)
{
    start(60000);
    EXPECT_LE(transfer_send_wake(&sender_), now_);
    uint64_t offset;
    uint32_t bytes;
    ASSERT_TRUE(transfer_send_next(&sender_, now_, &offset, &bytes));
    EXPECT_FALSE(transfer_send_next(&sender_, now_, &offset, &bytes));
    EXPECT_EQ(transfer_send_wake(&sender_), now_ + 20 * kMs);
}

} // namespace
