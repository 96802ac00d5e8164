#include <gtest/gtest.h>

extern "C" {
#include "numa/base/arena.h"
}

namespace
{

struct Region {
    alignas(CACHE_LINE_BYTES) uint8_t bytes[1024];
};

TEST(Arena, CarvesTheOffsetsThatTheSumGave)
{
    Region region;
    const size_t parts[] = {1, 64, 65, 0, 7};
    layout sum = {};
    arena carved;
    arena_init(&carved, region.bytes, sizeof region.bytes);
    for (size_t part : parts) {
        size_t offset = layout_add(&sum, part);
        EXPECT_EQ(arena_carve(&carved, part), region.bytes + offset);
        EXPECT_EQ(offset % CACHE_LINE_BYTES, 0u);
    }
    EXPECT_EQ(carved.carved.bytes, sum.bytes);
}

TEST(Arena, HoldsExactlyItsSum)
{
    Region region;
    arena carved;
    arena_init(&carved, region.bytes, 129);
    EXPECT_EQ(arena_carve(&carved, 128), region.bytes);
    EXPECT_EQ(arena_carve(&carved, 1), region.bytes + 128);
    EXPECT_DEATH((void)arena_carve(&carved, 1), "broken");
}

TEST(ArenaDeath, OverrunOfAnySizeAborts)
{
    Region region;
    arena carved;
    arena_init(&carved, region.bytes, sizeof region.bytes);
    (void)arena_carve(&carved, 1);
    EXPECT_DEATH((void)arena_carve(&carved, sizeof region.bytes), "broken");
    EXPECT_DEATH((void)arena_carve(&carved, SIZE_MAX), "broken");
    EXPECT_DEATH((void)arena_carve(&carved, SIZE_MAX - 32), "broken");
}

TEST(ArenaDeath, CarvingAfterTheSealAborts)
{
    Region region;
    arena carved;
    arena_init(&carved, region.bytes, sizeof region.bytes);
    arena_seal(&carved);
    EXPECT_DEATH((void)arena_carve(&carved, 1), "sealed");
}

TEST(ArenaDeath, MemoryIsAligned)
{
    Region region;
    arena carved;
    EXPECT_DEATH(arena_init(&carved, region.bytes + 8, 64), "CACHE_LINE_BYTES");
}

} // namespace
