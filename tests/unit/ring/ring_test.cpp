#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

extern "C" {
#include "dataplane/ring/ring.h"
#include "numa/base/random.h"
}

namespace
{

struct Free {
    void operator()(void *memory) const
    {
        free(memory);
    }
};

struct Ring {
    std::unique_ptr<void, Free> memory;
    struct ring *ring;
    Ring(uint32_t capacity, uint32_t record_bytes)
    {
        size_t bytes = (ring_footprint(capacity, record_bytes) + 63) & ~size_t{63};
        memory.reset(aligned_alloc(64, bytes));
        memset(memory.get(), 0xa5, bytes);
        ring = ring_init(memory.get(), capacity, record_bytes);
    }
};

TEST(Ring, FootprintRefusesWhatTheHeaderRefuses)
{
    EXPECT_EQ(ring_footprint(0, 8), 0u);
    EXPECT_EQ(ring_footprint(3, 8), 0u);
    EXPECT_EQ(ring_footprint(1u << 31, 8), 0u);
    EXPECT_EQ(ring_footprint(8, 0), 0u);
    EXPECT_EQ(ring_footprint(8, 12), 0u);
    EXPECT_EQ(ring_footprint(8, 520), 0u);
    EXPECT_NE(ring_footprint(1, 8), 0u);
    EXPECT_NE(ring_footprint(8, 512), 0u);
}

TEST(Ring, HoldsExactlyItsCapacity)
{
    for (uint32_t capacity : {1u, 2u, 8u, 256u}) {
        Ring r(capacity, 8);
        std::vector<uint64_t> in(capacity + 3);
        for (size_t i = 0; i < in.size(); i++)
            in[i] = i;
        EXPECT_EQ(ring_room(r.ring), capacity);
        EXPECT_EQ(ring_push(r.ring, in.data(), capacity + 3), capacity);
        EXPECT_EQ(ring_push(r.ring, in.data(), 1), 0u);
        EXPECT_EQ(ring_room(r.ring), 0u);
        EXPECT_EQ(ring_count(r.ring), capacity);
        std::vector<uint64_t> out(capacity + 3);
        EXPECT_EQ(ring_pop(r.ring, out.data(), capacity + 3), capacity);
        EXPECT_TRUE(std::equal(out.begin(), out.begin() + capacity, in.begin()));
        EXPECT_EQ(ring_pop(r.ring, out.data(), 1), 0u);
    }
}

/* The dumb twin is a deque of byte strings. */
TEST(Ring, AgreesWithADequeForEveryRecordSize)
{
    struct random_state random;
    random_init(&random, 7);
    for (uint32_t record_bytes : {8u, 16u, 24u, 32u, 40u, 64u, 72u, 256u, 512u}) {
        const uint32_t capacity = 16;
        Ring r(capacity, record_bytes);
        std::deque<std::vector<uint8_t>> twin;
        std::vector<uint8_t> batch(record_bytes * 32);
        for (int turn = 0; turn < 2000; turn++) {
            uint32_t count = (uint32_t)random_below(&random, 25);
            if (random_below(&random, 2) == 0) {
                for (uint8_t &byte : batch)
                    byte = (uint8_t)random_next(&random);
                uint32_t pushed = ring_push(r.ring, batch.data(), count);
                ASSERT_EQ(pushed, std::min<size_t>(count, capacity - twin.size()));
                for (uint32_t i = 0; i < pushed; i++)
                    twin.emplace_back(&batch[i * record_bytes],
                                      &batch[i * record_bytes] + record_bytes);
            } else {
                uint32_t popped = ring_pop(r.ring, batch.data(), count);
                ASSERT_EQ(popped, std::min<size_t>(count, twin.size()));
                for (uint32_t i = 0; i < popped; i++) {
                    ASSERT_EQ(memcmp(&batch[i * record_bytes], twin.front().data(), record_bytes),
                              0);
                    twin.pop_front();
                }
            }
            ASSERT_EQ(ring_count(r.ring), twin.size());
            ASSERT_EQ(ring_room(r.ring), capacity - twin.size());
        }
    }
}

TEST(Ring, CarriesRecordsBetweenTwoThreads)
{
    struct record {
        uint64_t number, square, filler[2];
    };
    const uint64_t total = 100000;
    Ring r(64, sizeof(record));
    std::thread pusher([&] {
        for (uint64_t i = 0; i < total;) {
            record record = {i, i * i, {i, ~i}};
            if (ring_push(r.ring, &record, 1) == 1)
                i++;
            else
                std::this_thread::yield();
        }
    });
    record batch[16];
    for (uint64_t expected = 0; expected < total;) {
        uint32_t count = ring_pop(r.ring, batch, 16);
        if (count == 0)
            std::this_thread::yield();
        for (uint32_t i = 0; i < count; i++, expected++) {
            EXPECT_EQ(batch[i].number, expected);
            EXPECT_EQ(batch[i].square, expected * expected);
            EXPECT_EQ(batch[i].filler[1], ~expected);
        }
    }
    pusher.join();
    EXPECT_EQ(ring_count(r.ring), 0u);
}

} // namespace
