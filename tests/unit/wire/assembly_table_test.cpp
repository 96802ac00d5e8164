#include "tests/unit/wire/wire_fixture.h"

namespace
{

class Table : public testing::Test
{
  protected:
    void SetUp() override
    {
        table_ = std::make_unique<wire_assembly_table>();
        wire_assembly_table_init(table_.get(), 1000);
    }
    // Piece 0 of 4 of message `id`; all its bytes are 1.
    wire_fragment piece(uint64_t id)
    {
        wire_fragment fragment = {};
        fragment.id = id;
        fragment.data = bytes_;
        fragment.total = 4 * sizeof bytes_;
        fragment.bytes = sizeof bytes_;
        fragment.group = static_cast<uint16_t>(id);
        fragment.kind = WIRE_REQUEST;
        return fragment;
    }
    wire_assembly *open(uint64_t peer, uint64_t id, uint64_t now_ns)
    {
        wire_fragment fragment = piece(id);
        wire_abandoned abandoned;
        EXPECT_FALSE(wire_assembly_make_room(table_.get(), peer, now_ns, &abandoned));
        return wire_assembly_open(table_.get(), peer, &fragment, buffer_of(id), now_ns);
    }
    wire_assembly *find(uint64_t peer, uint64_t id, uint64_t now_ns)
    {
        wire_fragment fragment = piece(id);
        return wire_assembly_find(table_.get(), peer, &fragment, now_ns);
    }
    uint8_t *buffer_of(uint64_t id)
    {
        return buffers_[id % 64];
    }
    uint64_t count(enum wire_assembly_event event) const
    {
        return table_->counter[event];
    }
    std::unique_ptr<wire_assembly_table> table_;
    uint8_t bytes_[512] = {1};
    uint8_t buffers_[64][2048];
};

} // namespace

TEST_F(Table, FindsByPeerAndId)
{
    wire_assembly *a = open(1, 10, 0), *b = open(2, 10, 0), *c = open(1, 11, 0);
    EXPECT_EQ(find(1, 10, 1), a);
    EXPECT_EQ(find(2, 10, 1), b);
    EXPECT_EQ(find(1, 11, 1), c);
    EXPECT_EQ(find(2, 11, 1), nullptr);
    wire_assembly_close(table_.get(), a);
    EXPECT_EQ(find(1, 10, 1), nullptr);
    EXPECT_EQ(count(WIRE_ASSEMBLY_OPENED), 3u);
    EXPECT_EQ(count(WIRE_ASSEMBLY_ABANDONED), 1u);
}

TEST_F(Table, AThirdOfOnePeerEvictsTheOneThatWaitedLongest)
{
    open(1, 10, 0);
    open(1, 11, 5);
    open(2, 12, 1);
    find(1, 10, 8); // a piece of the older one arrives: now 11 has waited longer
    wire_abandoned abandoned = {};
    ASSERT_TRUE(wire_assembly_make_room(table_.get(), 1, 9, &abandoned));
    EXPECT_EQ(abandoned.buffer, buffer_of(11));
    EXPECT_EQ(abandoned.group, 11);
    EXPECT_EQ(abandoned.kind, WIRE_REQUEST);
    EXPECT_FALSE(wire_assembly_make_room(table_.get(), 1, 9, &abandoned));
    EXPECT_EQ(find(1, 11, 9), nullptr);
    EXPECT_NE(find(1, 10, 9), nullptr);
    EXPECT_EQ(count(WIRE_ASSEMBLY_EVICTED), 1u);
}

TEST_F(Table, AFullTableEvictsTheOneThatWaitedLongest)
{
    for (uint64_t i = 0; i < WIRE_ASSEMBLIES_MAX; i++)
        open(i, i, 100 - i);
    wire_abandoned abandoned = {};
    ASSERT_TRUE(wire_assembly_make_room(table_.get(), 99, 100, &abandoned));
    EXPECT_EQ(abandoned.buffer, buffer_of(WIRE_ASSEMBLIES_MAX - 1));
    EXPECT_FALSE(wire_assembly_make_room(table_.get(), 99, 100, &abandoned));
}

TEST_F(Table, ExpiresWhatWaitsTooLong)
{
    open(1, 10, 0);
    open(2, 11, 500);
    wire_abandoned abandoned = {};
    EXPECT_FALSE(wire_assembly_expire(table_.get(), 999, &abandoned));
    find(1, 10, 999);
    EXPECT_FALSE(wire_assembly_expire(table_.get(), 1499, &abandoned)) << "a piece prolongs";
    ASSERT_TRUE(wire_assembly_expire(table_.get(), 1500, &abandoned));
    EXPECT_EQ(abandoned.buffer, buffer_of(11));
    EXPECT_FALSE(wire_assembly_expire(table_.get(), 1500, &abandoned));
    ASSERT_TRUE(wire_assembly_expire(table_.get(), 1999, &abandoned));
    EXPECT_EQ(abandoned.buffer, buffer_of(10));
    EXPECT_EQ(count(WIRE_ASSEMBLY_EXPIRED), 2u);
    EXPECT_EQ(table_->open, 0u);
}

TEST_F(Table, APieceThatIsHereOrDisagreesKeepsNothingAlive)
{
    wire_assembly *assembly = open(1, 10, 0);
    wire_fragment first = piece(10), odd = piece(10);
    ASSERT_EQ(wire_assembly_add(assembly, &first), WIRE_OK);
    EXPECT_FALSE(wire_assembly_lacks(assembly, &first));
    odd.offset = odd.bytes;
    EXPECT_TRUE(wire_assembly_lacks(assembly, &odd));
    odd.total += 8;
    EXPECT_FALSE(wire_assembly_lacks(assembly, &odd));
    EXPECT_EQ(wire_assembly_find(table_.get(), 1, &first, 900), assembly);
    EXPECT_EQ(wire_assembly_find(table_.get(), 1, &odd, 900), assembly);
    wire_abandoned abandoned = {};
    EXPECT_TRUE(wire_assembly_expire(table_.get(), 1000, &abandoned));
}

TEST_F(Table, WhatMakesProgressDoesNotGiveWay)
{
    table_->patience_ns = 100;
    open(1, 10, 0);
    open(1, 11, 50);
    wire_abandoned abandoned = {};
    EXPECT_FALSE(wire_assembly_make_room(table_.get(), 1, 99, &abandoned));
    EXPECT_FALSE(wire_assembly_has_room(table_.get(), 1));
    EXPECT_TRUE(wire_assembly_has_room(table_.get(), 2));
    EXPECT_EQ(count(WIRE_ASSEMBLY_EVICTED), 0u);
    ASSERT_TRUE(wire_assembly_make_room(table_.get(), 1, 100, &abandoned));
    EXPECT_EQ(abandoned.buffer, buffer_of(10));
    EXPECT_TRUE(wire_assembly_has_room(table_.get(), 1));
}

TEST_F(Table, FindsByBuffer)
{
    wire_assembly *a = open(1, 10, 0), *b = open(2, 11, 0);
    EXPECT_EQ(wire_assembly_filling(table_.get(), buffer_of(10)), a);
    EXPECT_EQ(wire_assembly_filling(table_.get(), buffer_of(11)), b);
    EXPECT_EQ(wire_assembly_filling(table_.get(), buffer_of(12)), nullptr);
    wire_assembly_close(table_.get(), a);
    EXPECT_EQ(wire_assembly_filling(table_.get(), buffer_of(10)), nullptr);
}

TEST_F(Table, CountsCompleteOnes)
{
    wire_assembly *assembly = open(1, 10, 0);
    for (uint32_t k = 0; k < 4; k++) {
        wire_fragment fragment = piece(10);
        fragment.offset = k * fragment.bytes;
        EXPECT_EQ(wire_assembly_add(assembly, &fragment), WIRE_OK);
    }
    EXPECT_EQ(assembly->missing_bytes, 0u);
    wire_assembly_close(table_.get(), assembly);
    EXPECT_EQ(count(WIRE_ASSEMBLY_COMPLETED), 1u);
    EXPECT_EQ(count(WIRE_ASSEMBLY_ABANDONED), 0u);
}

TEST_F(Table, EventsHaveNamesAndSentences)
{
    for (int i = 0; i < WIRE_ASSEMBLY_EVENT_COUNT; i++) {
        EXPECT_GT(strlen(wire_assembly_event_name(static_cast<enum wire_assembly_event>(i))), 4u);
        EXPECT_GT(strlen(wire_assembly_event_sentence(static_cast<enum wire_assembly_event>(i))),
                  10u);
    }
}
