/* The writer appends, replaces what was not handed over yet and releases what was read; one reader
 * on another core looks up and copies the entries that it was told of, as apply and seal do. */
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

extern "C" {
#include "dataplane/log/log.h"
#include "numa/base/random.h"
#include <string.h>
}

namespace
{

constexpr uint64_t kEntries = 20000;
constexpr uint32_t kRun = 16;

uint8_t byte_of(uint64_t index, uint64_t term)
{
    return static_cast<uint8_t>(index * 7 + term);
}

class LogRace : public ::testing::Test
{
  protected:
    void *memory_ = nullptr;
    struct log *log_ = nullptr;
    std::atomic<uint64_t> told_{0}, read_{0}, bad_{0};
    std::vector<uint64_t> term_of_ = std::vector<uint64_t>(kEntries + 1);

    void SetUp() override
    {
        log_config config = {0, 1u << 24, 4096, 1};
        size_t bytes = log_footprint(&config);
        memory_ = aligned_alloc(64, (bytes + 63) & ~size_t{63});
        log_ = log_init(memory_, &config);
    }

    void TearDown() override
    {
        free(memory_);
    }

    void fill(wire_entry *entry, uint64_t index, uint64_t term)
    {
        entry->term = term;
        memset(entry + 1, byte_of(index, term), entry->body_bytes);
    }

    bool append(random_state *random, uint64_t index, uint64_t term)
    {
        auto body_bytes = static_cast<uint32_t>(random_below(random, 20000));
        if (random_below(random, 8) != 0) {
            wire_entry *entry = log_append(log_, index, body_bytes);
            if (entry != nullptr)
                fill(entry, index, term);
            return entry != nullptr;
        }
        uint8_t *slot = log_reserve(log_, 64 + wire_entry_size(body_bytes));
        if (slot == nullptr)
            return false;
        auto *entry = reinterpret_cast<wire_entry *>(slot + 64);
        *entry = wire_entry{};
        entry->body_bytes = body_bytes;
        fill(entry, index, term);
        if (log_adopt(log_, slot, 64, index))
            return true;
        log_abandon(log_, slot);
        return false;
    }

    void write_all()
    {
        random_state random;
        random_init(&random, 1);
        uint64_t term = 1;
        while (told_ < kEntries) {
            log_release(log_, read_.load(std::memory_order_acquire));
            uint64_t index = log_last_index(log_) + 1;
            if (index > told_ + 2 && random_below(&random, 50) == 0) {
                term++;
                index--;
            }
            if (index > kEntries || !append(&random, index, term)) {
                std::this_thread::yield();
            } else {
                term_of_[index] = term;
            }
            if (random_below(&random, 4) == 0 || index >= kEntries || !log_fits(log_, 1, 20100))
                told_.store(log_last_index(log_), std::memory_order_release);
        }
    }

    void check(const wire_entry *entry, uint64_t index)
    {
        if (entry == nullptr || entry->index != index || entry->term != term_of_[index]) {
            bad_++;
            return;
        }
        const auto *body = reinterpret_cast<const uint8_t *>(entry + 1);
        for (uint32_t i = 0; i < entry->body_bytes; i += 509)
            if (body[i] != byte_of(index, entry->term))
                bad_++;
    }

    void read_all()
    {
        std::vector<uint64_t> room(kRun * 20100 / 8);
        auto *to = reinterpret_cast<uint8_t *>(room.data());
        for (uint64_t next = 1; next <= kEntries;) {
            uint64_t told = told_.load(std::memory_order_acquire);
            if (told < next) {
                std::this_thread::yield();
                continue;
            }
            auto count = static_cast<uint32_t>(told - next + 1 < kRun ? told - next + 1 : kRun);
            uint64_t last = next + count - 1;
            uint32_t bytes = 0, at = 0;
            for (int tries = 0; bytes == 0 && tries < 100; tries++)
                bytes = log_copy(log_, next, count, term_of_[last], to, kRun * 20100);
            for (uint64_t index = next; index <= last; index++) {
                check(log_entry(log_, index), index);
                const auto *copied = reinterpret_cast<const wire_entry *>(to + at);
                check(copied, index);
                at += wire_entry_size(copied->body_bytes);
            }
            if (bytes == 0 || at != bytes)
                bad_++;
            next = last + 1;
            read_.store(last, std::memory_order_release);
        }
    }
};

TEST_F(LogRace, ReaderSeesWhatItWasToldOf)
{
    std::thread reader([&] { read_all(); });
    write_all();
    reader.join();
    EXPECT_EQ(bad_, 0u);
    EXPECT_EQ(log_last_index(log_), kEntries);
    EXPECT_GT(log_first_index(log_), 1u) << "the ring went round";
}

} // namespace
