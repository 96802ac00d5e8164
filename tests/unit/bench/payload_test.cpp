#include <gtest/gtest.h>

#include <random>
#include <string>

extern "C" {
#include "bench/payload.h"
}

namespace
{

std::string key_of(void (*write)(uint8_t *, uint32_t), uint32_t index)
{
    uint8_t key[PAYLOAD_KEY_BYTES];
    write(key, index);
    return std::string((const char *)key, sizeof key);
}

std::string element_of(uint32_t client, uint32_t number)
{
    uint8_t element[PAYLOAD_ELEMENT_BYTES_MAX];
    uint32_t bytes = payload_element(element, client, number);
    return std::string((const char *)element, bytes);
}

TEST(Payload, Keys)
{
    EXPECT_EQ(key_of(payload_key, 0), "key:000000000000");
    EXPECT_EQ(key_of(payload_key, 42), "key:000000000042");
    EXPECT_EQ(key_of(payload_key, UINT32_MAX), "key:004294967295");
    EXPECT_EQ(key_of(payload_list, 42), "list:00000000042");
    EXPECT_EQ(key_of(payload_list, UINT32_MAX), "list:04294967295");
}

TEST(Payload, Elements)
{
    EXPECT_EQ(element_of(0, 0), "0:0,");
    EXPECT_EQ(element_of(3, 1234567890), "3:1234567890,");
    EXPECT_LE(element_of(UINT32_MAX, UINT32_MAX).size(), PAYLOAD_ELEMENT_BYTES_MAX);
}

TEST(Payload, WhatWasWrittenIsReadBack)
{
    std::mt19937 random(1);
    std::string list;
    std::vector<std::pair<uint32_t, uint32_t>> wrote;
    for (int i = 0; i < 1000; i++) {
        wrote.emplace_back((uint32_t)(random() >> (random() % 32)),
                           (uint32_t)(random() >> (random() % 32)));
        list += element_of(wrote.back().first, wrote.back().second);
    }
    const uint8_t *at = (const uint8_t *)list.data();
    const uint8_t *end = at + list.size();
    for (auto [client, number] : wrote) {
        uint32_t read_client;
        uint32_t read_number;
        ASSERT_TRUE(payload_element_next(&at, end, &read_client, &read_number));
        ASSERT_EQ(read_client, client);
        ASSERT_EQ(read_number, number);
    }
    EXPECT_EQ(at, end);
}

TEST(Payload, NoOtherTextIsAnElement)
{
    for (std::string text :
         {"", "1", "1:", "1:2", ":2,", "1:2;", "a:2,", "1:-2,", "01:2,", "1:02,", "4294967296:1,",
          "1:4294967296,", "1:99999999999999999999999,", " 1:2,"}) {
        const uint8_t *at = (const uint8_t *)text.data();
        uint32_t client;
        uint32_t number;
        EXPECT_FALSE(payload_element_next(&at, at + text.size(), &client, &number)) << text;
    }
}

TEST(Payload, Values)
{
    uint8_t value[64];
    uint32_t client;
    uint32_t number;
    payload_value(value, sizeof value, 7, 4294967295u);
    EXPECT_EQ(std::string((char *)value, sizeof value), "7:4294967295" + std::string(52, '.'));
    ASSERT_TRUE(payload_value_parse(value, sizeof value, &client, &number));
    EXPECT_EQ(client, 7u);
    EXPECT_EQ(number, 4294967295u);
    payload_value(value, 16, 1023, 4294967295u);
    EXPECT_TRUE(payload_value_parse(value, 16, &client, &number));
    value[63] = 'x';
    payload_value(value, 63, 1, 2);
    EXPECT_FALSE(payload_value_parse(value, 64, &client, &number)) << "padding was damaged";
    EXPECT_FALSE(payload_value_parse(value, 0, &client, &number));
}

} // namespace
