#include <gtest/gtest.h>

#include <random>
#include <string>

extern "C" {
#include "dataplane/edge/keyslot.h"
}

namespace
{

uint32_t slot(const std::string &key)
{
    return keyslot(reinterpret_cast<const uint8_t *>(key.data()),
                   static_cast<uint32_t>(key.size()));
}

uint16_t group(const std::string &key, uint16_t count)
{
    return keyslot_group(reinterpret_cast<const uint8_t *>(key.data()),
                         static_cast<uint32_t>(key.size()), count);
}

/* Bit by bit, as the polynomial is written. */
uint32_t twin(const std::string &key)
{
    uint32_t crc = 0;
    for (unsigned char byte : key)
        for (int bit = 7; bit >= 0; bit--) {
            uint32_t top = (crc >> 15) ^ ((byte >> bit) & 1u);
            crc = (crc << 1) & 0xffff;
            if (top != 0)
                crc ^= 0x1021;
        }
    return crc % KEYSLOT_COUNT;
}

TEST(Keyslot, CheckValueOfTheCrc)
{
    EXPECT_EQ(slot("123456789"), 0x31c3u % KEYSLOT_COUNT);
    EXPECT_EQ(slot("foo"), 12182u); /* as redis-server answers CLUSTER KEYSLOT */
}

TEST(Keyslot, AgreesWithItsDumbTwin)
{
    std::mt19937 random(3);
    for (int i = 0; i < 2000; i++) {
        std::string key(random() % 40, ' ');
        for (char &c : key)
            c = static_cast<char>(random() % 256);
        if (key.find('{') != std::string::npos)
            continue;
        ASSERT_EQ(slot(key), twin(key));
    }
}

TEST(Keyslot, HashTagAloneCounts)
{
    EXPECT_EQ(slot("{user1000}.following"), twin("user1000"));
    EXPECT_EQ(slot("a{user1000}b"), twin("user1000"));
    EXPECT_EQ(slot("{a}{b}"), twin("a"));
    EXPECT_EQ(slot("foo{{bar}}zap"), twin("{bar"));
}

TEST(Keyslot, EmptyOrOpenTagIsPartOfTheKey)
{
    EXPECT_EQ(slot("foo{}{bar}"), twin("foo{}{bar}"));
    EXPECT_EQ(slot("foo{bar"), twin("foo{bar"));
    EXPECT_EQ(slot("foo}bar{"), twin("foo}bar{"));
    EXPECT_EQ(slot(""), 0u);
}

TEST(Keyslot, GroupsSplitTheSlotsInEqualRuns)
{
    EXPECT_EQ(group("foo", 1), 0u);
    EXPECT_EQ(group("foo", 2), 1u); /* 12182 of 16384 */
    EXPECT_EQ(group("foo", 4), 2u);
    EXPECT_EQ(group("123456789", 16384), 12739u);
}

} // namespace
