/* Heads, blocks and tails: what was written comes back, what was bent is refused by name. */
#include <gtest/gtest.h>

#include <string>
#include <vector>

extern "C" {
#include "dataplane/snapshot/format.h"
#include "numa/base/bits.h"
}

namespace
{

snapshot_head head_of()
{
    snapshot_head head = {};
    head.cluster = 11;
    head.config_hash = 12;
    head.group = 3;
    head.index = 500;
    head.term = 7;
    head.members_index = 400;
    head.time_ms = 123456;
    head.digest = 99;
    head.members.count = 2;
    head.members.member[0] = {1, WIRE_ROLE_VOTER, WIRE_ROLE_NONE, 1};
    head.members.member[1] = {2, WIRE_ROLE_WITNESS, WIRE_ROLE_NONE, 2};
    return head;
}

class Format : public ::testing::Test
{
  protected:
    std::vector<uint8_t> head_ = std::vector<uint8_t>(SNAPSHOT_HEAD_BYTES_MAX);
    snapshot_sum sum_ = {};
    snapshot_packer *packer_ = snapshot_packer_new();

    void SetUp() override
    {
        snapshot_head head = head_of();
        head_.resize(snapshot_put_head(&head, head_.data(), &sum_));
    }
    void TearDown() override
    {
        snapshot_packer_free(packer_);
    }

    snapshot_refusal get(const std::vector<uint8_t> &bytes)
    {
        snapshot_head head;
        snapshot_sum sum;
        return snapshot_get_head(bytes.data(), static_cast<uint32_t>(bytes.size()), &head, &sum);
    }

    /* The crc made right again. */
    snapshot_refusal with(size_t at, uint64_t value, size_t bytes)
    {
        std::vector<uint8_t> bent = head_;
        memcpy(&bent[at], &value, bytes);
        std::vector<uint8_t> summed(bent.begin(), bent.begin() + 84);
        summed.insert(summed.end(), bent.begin() + SNAPSHOT_FIXED_BYTES, bent.end());
        store_u32(&bent[84], snapshot_crc(summed.data(), summed.size()));
        return get(bent);
    }
};

TEST(SnapshotCrc, IsCrc32c)
{
    EXPECT_EQ(snapshot_crc("123456789", 9), 0xe3069283u) << "RFC 3720's check value";
    EXPECT_EQ(snapshot_crc("", 0), 0u);
}

TEST_F(Format, HeadComesBack)
{
    snapshot_head head;
    snapshot_sum sum;
    ASSERT_EQ(snapshot_get_head(head_.data(), static_cast<uint32_t>(head_.size()), &head, &sum),
              SNAPSHOT_OK);
    EXPECT_EQ(head.cluster, 11u);
    EXPECT_EQ(head.config_hash, 12u);
    EXPECT_EQ(head.group, 3u);
    EXPECT_EQ(head.index, 500u);
    EXPECT_EQ(head.term, 7u);
    EXPECT_EQ(head.members_index, 400u);
    EXPECT_EQ(head.time_ms, 123456u);
    EXPECT_EQ(head.digest, 99u);
    ASSERT_EQ(head.members.count, 2u);
    EXPECT_EQ(head.members.member[1].role, WIRE_ROLE_WITNESS);
    EXPECT_EQ(sum.sum, sum_.sum);
}

TEST_F(Format, HeadsThatAreRefused)
{
    EXPECT_EQ(with(0, 1, 8), SNAPSHOT_REFUSED_MAGIC);
    EXPECT_EQ(with(8, 2, 4), SNAPSHOT_REFUSED_VERSION);
    EXPECT_EQ(with(12, SNAPSHOT_HEAD_BYTES_MAX + 1, 4), SNAPSHOT_REFUSED_HEAD);
    EXPECT_EQ(with(12, SNAPSHOT_FIXED_BYTES, 4), SNAPSHOT_REFUSED_HEAD);
    EXPECT_EQ(with(34, 1, 2), SNAPSHOT_REFUSED_HEAD) << "group is of two bytes";
    EXPECT_EQ(with(40, 0, 8), SNAPSHOT_REFUSED_HEAD) << "index";
    EXPECT_EQ(with(48, 0, 8), SNAPSHOT_REFUSED_HEAD) << "term";
    EXPECT_EQ(with(56, 501, 8), SNAPSHOT_REFUSED_HEAD) << "members of later";
    EXPECT_EQ(with(80, 8, 4), SNAPSHOT_REFUSED_HEAD);
    EXPECT_EQ(with(SNAPSHOT_FIXED_BYTES, 1, 2), SNAPSHOT_REFUSED_HEAD) << "count of members";
    EXPECT_EQ(with(16, 11, 8), SNAPSHOT_OK);
    for (size_t at = 0; at < head_.size(); at++) {
        std::vector<uint8_t> bent = head_;
        bent[at] ^= 0x10;
        EXPECT_NE(get(bent), SNAPSHOT_OK) << at;
        bent.resize(at);
        EXPECT_EQ(get(bent), SNAPSHOT_REFUSED_SHORT) << at;
    }
}

TEST_F(Format, BlocksComeBackAndBentOnesDoNot)
{
    std::vector<uint8_t> raw(100000), packed(SNAPSHOT_PACKED_MAX), out(STATE_PART_BYTES_MAX);
    for (size_t i = 0; i < raw.size(); i++)
        raw[i] = static_cast<uint8_t>(i * i >> 7);
    snapshot_sum written = sum_, read = sum_;
    uint32_t bytes = snapshot_put_block(packer_, raw.data(), static_cast<uint32_t>(raw.size()),
                                        packed.data(), &written);
    uint32_t packed_bytes, raw_bytes;
    bool tail;
    ASSERT_EQ(snapshot_block_bytes(packed.data(), &packed_bytes, &tail), SNAPSHOT_OK);
    EXPECT_FALSE(tail);
    EXPECT_EQ(packed_bytes + SNAPSHOT_BLOCK_BYTES, bytes);
    ASSERT_EQ(snapshot_get_block(packer_, packed.data(), bytes, out.data(), &raw_bytes, &read),
              SNAPSHOT_OK);
    ASSERT_EQ(raw_bytes, raw.size());
    EXPECT_EQ(memcmp(out.data(), raw.data(), raw.size()), 0);
    EXPECT_EQ(read.sum, written.sum);
    for (size_t at = 0; at < bytes; at += at < 40 ? 1 : 97) {
        std::vector<uint8_t> bent(packed.begin(), packed.begin() + bytes);
        bent[at] ^= 1;
        EXPECT_EQ(snapshot_get_block(packer_, bent.data(), bytes, out.data(), &raw_bytes, &read),
                  SNAPSHOT_REFUSED_BLOCK)
            << at;
    }
    store_u32(packed.data(), SNAPSHOT_PACKED_MAX);
    EXPECT_EQ(snapshot_block_bytes(packed.data(), &packed_bytes, &tail), SNAPSHOT_REFUSED_BLOCK);
}

TEST_F(Format, AFrameThatUnpacksToMoreThanItSays)
{
    std::vector<uint8_t> raw(5000, 'x'), packed(SNAPSHOT_PACKED_MAX), out(STATE_PART_BYTES_MAX);
    snapshot_sum sum = sum_;
    uint32_t raw_bytes, bytes = snapshot_put_block(packer_, raw.data(), 5000, packed.data(), &sum);
    for (uint32_t said : {4999u, 5001u, 1u}) {
        store_u32(&packed[4], said);
        std::vector<uint8_t> summed(packed.begin(), packed.begin() + 12);
        summed.insert(summed.end(), packed.begin() + SNAPSHOT_BLOCK_BYTES, packed.begin() + bytes);
        store_u32(&packed[12], snapshot_crc(summed.data(), summed.size()));
        EXPECT_EQ(snapshot_get_block(packer_, packed.data(), bytes, out.data(), &raw_bytes, &sum),
                  SNAPSHOT_REFUSED_BLOCK)
            << said;
    }
}

TEST_F(Format, WhatCanNotBePackedFits)
{
    std::vector<uint8_t> raw(STATE_PART_BYTES_MAX), packed(SNAPSHOT_PACKED_MAX);
    uint64_t x = 1;
    for (uint8_t &byte : raw)
        byte = static_cast<uint8_t>((x = x * UINT64_C(6364136223846793005) + 1) >> 56);
    EXPECT_GT(snapshot_put_block(packer_, raw.data(), STATE_PART_BYTES_MAX, packed.data(), &sum_),
              STATE_PART_BYTES_MAX);
}

TEST_F(Format, TailIsOfThisFileAlone)
{
    uint8_t tail[SNAPSHOT_TAIL_BYTES];
    snapshot_put_tail(&sum_, tail);
    EXPECT_EQ(snapshot_get_tail(tail, &sum_), SNAPSHOT_OK);
    snapshot_sum other = sum_;
    other.sum++;
    EXPECT_EQ(snapshot_get_tail(tail, &other), SNAPSHOT_REFUSED_TAIL);
    for (uint8_t &byte : tail) {
        byte ^= 4;
        EXPECT_EQ(snapshot_get_tail(tail, &sum_), SNAPSHOT_REFUSED_TAIL);
        byte ^= 4;
    }
}

TEST(SnapshotRefusal, HasNameAndSentence)
{
    for (int i = 0; i < SNAPSHOT_REFUSAL_COUNT; i++) {
        auto refusal = static_cast<snapshot_refusal>(i);
        EXPECT_STRNE(snapshot_refusal_name(refusal), "");
        EXPECT_STRNE(snapshot_refusal_sentence(refusal), "");
    }
}

} // namespace
