#include <gtest/gtest.h>
#include <numeric>
#include <vector>

extern "C" {
#include "dataplane/log/crc32c.h"
#include "numa/base/random.h"
}

/* The dumb twin: bit by bit, reflected polynomial 0x1edc6f41. */
static uint32_t slowly(uint32_t crc, const uint8_t *data, size_t bytes)
{
    crc = ~crc;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

TEST(Crc32c, IsThatOfTheStandard)
{
    std::vector<uint8_t> bytes(32, 0x00); /* RFC 3720, B.4 */
    EXPECT_EQ(crc32c_extend(0, bytes.data(), 32), 0x8a9136aau);
    bytes.assign(32, 0xff);
    EXPECT_EQ(crc32c_extend(0, bytes.data(), 32), 0x62a8ab43u);
    std::iota(bytes.begin(), bytes.end(), uint8_t{0});
    EXPECT_EQ(crc32c_extend(0, bytes.data(), 32), 0x46dd794eu);
}

TEST(Crc32c, AgreesWithTheDumbTwinAtAnyLengthAndCut)
{
    random_state random;
    random_init(&random, 7);
    std::vector<uint8_t> bytes(700);
    for (uint8_t &byte : bytes)
        byte = static_cast<uint8_t>(random_next(&random));
    for (size_t length = 0; length <= bytes.size(); length++) {
        uint32_t whole = slowly(0, bytes.data(), length);
        size_t cut = random_below(&random, length + 1);
        uint32_t first = crc32c_extend(0, bytes.data(), cut);
        ASSERT_EQ(crc32c_extend(0, bytes.data(), length), whole) << length;
        ASSERT_EQ(crc32c_extend(first, bytes.data() + cut, length - cut), whole) << length;
    }
}
