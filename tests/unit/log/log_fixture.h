/* log_fixture.h: a log in memory of its own, and entries whose bytes tell their index and term.
 *
 * Memory: the fixture's. Threads, time, refusals: none. Limits: log.h.
 */
#ifndef TESTS_UNIT_LOG_LOG_FIXTURE_H
#define TESTS_UNIT_LOG_LOG_FIXTURE_H

#include <cstdlib>
#include <gtest/gtest.h>
#include <vector>

extern "C" {
#include "dataplane/log/log.h"
#include "numa/base/random.h"
#include <string.h>
}

constexpr uint64_t kBytes = 1u << 24;
constexpr uint16_t kGroup = 7;

class LogFixture : public ::testing::Test
{
  protected:
    void open(uint32_t entries_max, uint64_t first_index = 1, uint64_t bytes = kBytes)
    {
        log_config config = {};
        config.group = kGroup;
        config.bytes = bytes;
        config.entries_max = entries_max;
        config.first_index = first_index;
        size_t footprint = log_footprint(&config);
        ASSERT_NE(footprint, 0u);
        free(memory_);
        memory_ = aligned_alloc(64, (footprint + 63) & ~size_t{63});
        log_ = log_init(memory_, &config);
    }

    ~LogFixture() override
    {
        free(memory_);
    }

    static uint8_t body_byte(uint64_t index, uint64_t term)
    {
        return static_cast<uint8_t>(index * 31 + term * 7);
    }

    static void fill(wire_entry *entry, uint64_t index, uint64_t term)
    {
        entry->kind = WIRE_ENTRY_COMMAND;
        entry->term = term;
        memset(entry + 1, body_byte(index, term), (entry->body_bytes + 7u) & ~7u);
    }

    bool append(uint64_t index, uint64_t term, uint32_t body_bytes)
    {
        wire_entry *entry = log_append(log_, index, body_bytes);
        if (entry == nullptr)
            return false;
        EXPECT_EQ(entry->index, index);
        EXPECT_EQ(entry->group, kGroup);
        EXPECT_EQ(entry->body_bytes, body_bytes);
        fill(entry, index, term);
        return true;
    }

    static std::vector<uint8_t> run(uint64_t index, uint64_t term,
                                    const std::vector<uint32_t> &body_bytes)
    {
        std::vector<uint8_t> bytes;
        for (size_t i = 0; i < body_bytes.size(); i++) {
            size_t at = bytes.size();
            bytes.resize(at + wire_entry_size(body_bytes[i]));
            std::vector<uint64_t> room(wire_entry_size(body_bytes[i]) / 8);
            auto *entry = reinterpret_cast<wire_entry *>(room.data());
            *entry = wire_entry{};
            entry->body_bytes = body_bytes[i];
            entry->index = index + i;
            entry->group = kGroup;
            fill(entry, index + i, term);
            memcpy(bytes.data() + at, room.data(), room.size() * 8);
        }
        return bytes;
    }

    bool append_run(uint64_t index, uint64_t term, const std::vector<uint32_t> &body_bytes)
    {
        std::vector<uint8_t> bytes = run(index, term, body_bytes);
        return log_append_run(log_, index, bytes.data(), static_cast<uint32_t>(body_bytes.size()),
                              static_cast<uint32_t>(bytes.size()));
    }

    void expect_entry(uint64_t index, uint64_t term, uint32_t body_bytes)
    {
        const wire_entry *entry = log_entry(log_, index);
        ASSERT_NE(entry, nullptr) << index;
        ASSERT_EQ(entry->index, index);
        ASSERT_EQ(entry->term, term);
        ASSERT_EQ(entry->group, kGroup);
        ASSERT_EQ(entry->body_bytes, body_bytes);
        const auto *body = reinterpret_cast<const uint8_t *>(entry + 1);
        for (uint32_t i = 0; i<body_bytes; i += body_bytes> 4096 ? 997 : 1)
            ASSERT_EQ(body[i], body_byte(index, term)) << "index " << index << " byte " << i;
    }

    log *log_ = nullptr;

  private:
    void *memory_ = nullptr;
};

#endif
