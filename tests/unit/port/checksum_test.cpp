#include "tests/unit/port/harness.h"

extern "C" {
#include "dataplane/port/checksum.h"
#include "numa/base/random.h"
}

namespace
{

TEST(Checksum, AgreesWithWordByWordForEveryLengthAndAlignment)
{
    struct random_state random;
    random_init(&random, 11);
    Bytes bytes(2100);
    for (uint8_t &byte : bytes)
        byte = (uint8_t)random_next(&random);
    for (size_t offset = 0; offset < 3; offset++)
        for (size_t count = 0; count < 2000; count++) {
            uint32_t expected = ones_sum(bytes, offset, offset + count);
            uint16_t folded = checksum_fold(checksum_add(0, &bytes[offset], count));
            ASSERT_EQ((uint32_t)(folded >> 8 | (folded & 255) << 8), expected) << count;
        }
}

TEST(Checksum, CarriesAreNotLost)
{
    Bytes ones(65536, 0xff);
    EXPECT_EQ(checksum_fold(checksum_add(0, ones.data(), ones.size())), 0xffff);
    EXPECT_EQ(checksum_fold(checksum_add(UINT32_MAX, ones.data(), ones.size())), 0xffff);
    EXPECT_EQ(checksum_fold(UINT64_MAX), 0xffff);
    EXPECT_EQ(checksum_fold(0), 0);
}

TEST(Checksum, PiecesAddUp)
{
    Bytes bytes = text("the pieces of a datagram, headers and payload, one by one");
    uint64_t whole = checksum_add(0, bytes.data(), bytes.size());
    uint64_t pieces =
        checksum_add(checksum_add(0, bytes.data(), 20), &bytes[20], bytes.size() - 20);
    EXPECT_EQ(checksum_fold(whole), checksum_fold(pieces));
}

TEST(Checksum, UdpNeverSaysZero)
{
    EXPECT_EQ(checksum_of(0xffff), 0);
    EXPECT_EQ(checksum_of_udp(0xffff), 0xffff);
    EXPECT_EQ(checksum_of_udp(0), 0xffff);
    EXPECT_EQ(checksum_of_udp(1), 0xfffe);
}

} // namespace
