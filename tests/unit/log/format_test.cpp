#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

extern "C" {
#include "dataplane/log/format.h"
#include "numa/base/random.h"
#include "protocols/wire/wire.h"
}

constexpr uint64_t kNonce = 0x1122334455667788u, kPlace = 40;

struct alignas(4096) Room {
    uint8_t bytes[16 * 4096];
};

class Format : public ::testing::Test
{
  protected:
    Room room_ = {};
    uint8_t *data_ = room_.bytes;
    format_head *head_ = reinterpret_cast<format_head *>(room_.bytes);

    /* A write of one record with one entry of `body` bytes. */
    void build(uint32_t body, uint64_t number = 17)
    {
        memset(room_.bytes, 0xee, sizeof room_.bytes);
        *head_ = {};
        head_->bytes = FORMAT_HEAD_BYTES + FORMAT_RECORD_BYTES + wire_entry_size(body);
        head_->number = number;
        head_->previous = number - 1;
        head_->boot = 2;
        head_->segment = 5;
        head_->oldest = 4;
        head_->complete = number - 2;
        head_->groups = 1;
        head_->chain = 0xabcdef01u;
        head_->records = 1;
        format_record record = {};
        record.bytes = wire_entry_size(body);
        record.count = 1;
        record.term = 9;
        record.first = 7;
        record.group = 2;
        record.vote = 3;
        memcpy(data_ + FORMAT_HEAD_BYTES, &record, sizeof record);
        wire_entry entry = {};
        entry.body_bytes = body;
        entry.kind = WIRE_ENTRY_COMMAND;
        entry.group = 2;
        entry.index = 7;
        entry.term = 8;
        memcpy(data_ + FORMAT_HEAD_BYTES + FORMAT_RECORD_BYTES, &entry, sizeof entry);
        memset(data_ + FORMAT_HEAD_BYTES + FORMAT_RECORD_BYTES + sizeof entry, 0x5a,
               (body + 7) / 8 * 8);
    }

    bool walk(uint32_t *records)
    {
        uint32_t at = FORMAT_HEAD_BYTES;
        format_record record;
        const uint8_t *entries;
        for (*records = 0; format_record_get(data_, head_, &at, &record, &entries);)
            ++*records;
        return at == head_->bytes;
    }

    static std::string hex(const uint8_t *bytes, size_t count)
    {
        std::string text;
        char two[3];
        for (size_t i = 0; i < count; i++) {
            snprintf(two, sizeof two, "%02x", bytes[i]);
            text += two;
        }
        return text;
    }
};

/* These bytes lie on disks: they change with the version of the format, and not else. */
TEST_F(Format, GoldenWrite)
{
    build(400);
    EXPECT_EQ(format_seal(data_, kNonce, kPlace), 2788060443u);
    EXPECT_EQ(hex(data_, 96), "51574c31010000005002000008000000110000000000000010000000000000000200"
                              "000000000000050000000000000004000000000000000f0000000000000001000000"
                              "0000000001efcdab0100000000000000000000000000000000000000");
    EXPECT_EQ(hex(data_ + 96, 48), "c00100000100000009000000000000000700000000000000000000000000000"
                                   "000000000000000000200030000000000");
    EXPECT_EQ(hex(data_ + 496, 16), "11000000000000000000000011565f19");
    EXPECT_EQ(hex(data_ + 592, 32),
              "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a00000000000000000000000000000000");
    EXPECT_EQ(hex(data_ + 4080, 16), "11000000000000000700000028b87057");
}

TEST_F(Format, GoldenSuperblock)
{
    format_super super = {};
    super.version = FORMAT_VERSION;
    super.cluster = 0x0102030405060708u;
    super.nonce = kNonce;
    super.node = 3;
    super.lane = 1;
    super.lanes = 2;
    super.segments = 16;
    super.segment_bytes = 64u << 20;
    super.edition = 5;
    super.boots = 4;
    super.after = 90;
    super.first = 110;
    super.damaged = 6;
    super.gap[0] = {33, 35};
    uint8_t sector[512];
    format_super_put(&super, sector);
    EXPECT_EQ(hex(sector, 112),
              "51575331010000000807060504030201887766554433221103000102100000000000000400000000"
              "050000000000000004000000000000005a000000000000006e000000000000000600000000000000"
              "21000000000000002300000000000000"
              "00000000000000000000000000000000");
    EXPECT_EQ(hex(sector + 496, 16), "00000000000000000000000087f1ef00");
}

TEST_F(Format, AWriteComesBackAsItWasWhateverItsLength)
{
    random_state random;
    random_init(&random, 3);
    for (uint32_t bytes = FORMAT_HEAD_BYTES; bytes <= 3 * 4096; bytes += 8) {
        std::vector<uint8_t> before(bytes);
        for (uint8_t &byte : before)
            byte = static_cast<uint8_t>(random_next(&random));
        memset(room_.bytes, 0xee, sizeof room_.bytes);
        format_head head = {};
        head.bytes = bytes;
        head.number = bytes;
        memcpy(before.data(), &head, sizeof head);
        memcpy(data_, before.data(), bytes);
        uint64_t total = format_write_bytes(bytes);
        uint32_t chain = format_seal(data_, kNonce, kPlace);
        ASSERT_TRUE(format_head_get(&head, data_, total)) << bytes;
        ASSERT_EQ(head.sectors * 512u, total);
        ASSERT_EQ(format_chain(data_, &head), chain);
        ASSERT_EQ(data_[total], 0xee) << "behind the end";
        for (uint32_t i = 0; i < head.sectors; i++) {
            format_stamp stamp;
            ASSERT_EQ(format_sector(data_ + i * 512, kNonce, kPlace + i, &stamp), FORMAT_WHOLE);
            ASSERT_EQ(stamp.number, bytes);
            ASSERT_EQ(stamp.index, i);
        }
        format_open(data_, &head);
        ASSERT_EQ(memcmp(data_ + FORMAT_HEAD_BYTES, before.data() + FORMAT_HEAD_BYTES,
                         bytes - FORMAT_HEAD_BYTES),
                  0)
            << bytes;
    }
}

TEST_F(Format, CapacityIsWhatFits)
{
    for (uint64_t blocks = 1; blocks < 70; blocks++) {
        uint64_t most = format_capacity(blocks * 4096);
        EXPECT_EQ(format_write_bytes(most), blocks * 4096);
        EXPECT_EQ(format_write_bytes(most + 8), (blocks + 1) * 4096);
    }
}

TEST_F(Format, ASectorIsJudgedAlone)
{
    build(400);
    format_seal(data_, kNonce, kPlace);
    format_stamp stamp;
    EXPECT_EQ(format_sector(data_, kNonce + 1, kPlace, &stamp), FORMAT_BROKEN); /* another log's */
    EXPECT_EQ(format_sector(data_, kNonce, kPlace + 8, &stamp), FORMAT_BROKEN); /* misplaced */
    for (uint32_t byte = 0; byte < 512; byte++)
        for (int bit = 0; bit < 8; bit++) {
            data_[byte] ^= static_cast<uint8_t>(1 << bit);
            ASSERT_EQ(format_sector(data_, kNonce, kPlace, &stamp), FORMAT_BROKEN) << byte;
            data_[byte] ^= static_cast<uint8_t>(1 << bit);
        }
    uint8_t blank[512] = {};
    EXPECT_EQ(format_sector(blank, kNonce, kPlace, &stamp), FORMAT_BLANK);
    blank[100] = 1;
    EXPECT_EQ(format_sector(blank, kNonce, kPlace, &stamp), FORMAT_BROKEN);
}

TEST_F(Format, NoOtherHeadIsTaken)
{
    build(400);
    format_seal(data_, kNonce, kPlace);
    format_head head;
    ASSERT_TRUE(format_head_get(&head, data_, 4096));
    EXPECT_FALSE(format_head_get(&head, data_, 4088)); /* longer than its segment */
    auto refuses = [&](auto change) {
        format_head kept = *head_;
        change(*head_);
        bool taken = format_head_get(&head, data_, sizeof room_.bytes);
        *head_ = kept;
        return !taken;
    };
    EXPECT_TRUE(refuses([](format_head &h) { h.magic++; }));
    EXPECT_TRUE(refuses([](format_head &h) { h.version++; }));
    EXPECT_TRUE(refuses([](format_head &h) { h.bytes += 4; }));
    EXPECT_TRUE(refuses([](format_head &h) { h.bytes = FORMAT_HEAD_BYTES - 8; }));
    EXPECT_TRUE(refuses([](format_head &h) { h.bytes = 4096; }));
    EXPECT_TRUE(refuses([](format_head &h) { h.sectors = 16; }));
    EXPECT_TRUE(refuses([](format_head &h) { h.sectors = 0; }));
    EXPECT_TRUE(refuses([](format_head &h) { h.previous = h.number; }));
    EXPECT_TRUE(refuses([](format_head &h) { h.complete = h.number; }));
}

TEST_F(Format, NoOtherRecordIsTaken)
{
    auto refuses = [&](auto change) {
        build(400);
        auto *record = reinterpret_cast<format_record *>(data_ + FORMAT_HEAD_BYTES);
        auto *entry = reinterpret_cast<wire_entry *>(record + 1);
        change(*record, *entry);
        uint32_t records;
        return !walk(&records) && records == 0;
    };
    uint32_t records;
    build(400);
    EXPECT_TRUE(walk(&records));
    EXPECT_EQ(records, 1u);
    EXPECT_TRUE(refuses([](format_record &r, wire_entry &) { r.bytes += 8; }));
    EXPECT_TRUE(refuses([](format_record &r, wire_entry &) { r.bytes = UINT32_MAX; }));
    EXPECT_TRUE(refuses([](format_record &r, wire_entry &) { r.bytes = 40; }));
    EXPECT_TRUE(refuses([](format_record &r, wire_entry &) { r.count = 2; }));
    EXPECT_TRUE(refuses([](format_record &r, wire_entry &) { r.count = 0; }));
    EXPECT_TRUE(refuses([](format_record &r, wire_entry &) { r.first = 0; }));
    EXPECT_TRUE(refuses([](format_record &r, wire_entry &) { r.group = 1; }));
    EXPECT_TRUE(refuses([](format_record &r, wire_entry &) { r.term = 7; }));
    EXPECT_FALSE(refuses([](format_record &, wire_entry &e) { e.body_bytes--; })); /* pad */
    EXPECT_TRUE(refuses([](format_record &, wire_entry &e) { e.body_bytes += 8; }));
    EXPECT_TRUE(refuses([](format_record &, wire_entry &e) { e.body_bytes = UINT32_MAX; }));
    EXPECT_TRUE(refuses([](format_record &, wire_entry &e) { e.index++; }));
    EXPECT_TRUE(refuses([](format_record &, wire_entry &e) { e.term = 0; }));
}

TEST_F(Format, NoOtherSuperblockIsTaken)
{
    format_super super = {}, other;
    super.version = FORMAT_VERSION;
    super.boots = 1;
    uint8_t sector[512];
    format_super_put(&super, sector);
    ASSERT_TRUE(format_super_get(&other, sector));
    for (uint32_t byte = 0; byte < 512; byte++)
        for (int bit = 0; bit < 8; bit++) {
            sector[byte] ^= static_cast<uint8_t>(1 << bit);
            ASSERT_FALSE(format_super_get(&other, sector)) << byte;
            sector[byte] ^= static_cast<uint8_t>(1 << bit);
        }
    memset(sector, 0, sizeof sector);
    EXPECT_FALSE(format_super_get(&other, sector));
}
