extern "C" {
#include "dataplane/pipeline/doorway.h"
#include "dataplane/pipeline/replay.h"
#include "numa/base/random.h"
}

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <memory>
#include <set>
#include <vector>

namespace
{

struct Free {
    void operator()(void *memory) const
    {
        std::free(memory);
    }
};

struct Owned {
    std::unique_ptr<void, Free> memory;
    struct doorway *doorway;
};

Owned make(uint32_t capacity)
{
    size_t bytes = (doorway_footprint(capacity) + 63) / 64 * 64;
    Owned owned{std::unique_ptr<void, Free>(std::aligned_alloc(64, bytes)), nullptr};
    owned.doorway = doorway_init(owned.memory.get(), capacity);
    return owned;
}

TEST(Doorway, RefusesCapacitiesThatAreNoPowerOfTwoOrTiny)
{
    EXPECT_EQ(doorway_footprint(1000), 0u);
    EXPECT_EQ(doorway_footprint(512), 0u);
    EXPECT_NE(doorway_footprint(1024), 0u);
}

TEST(Doorway, ShowsNothingBeforePublish)
{
    Owned owned = make(4096);
    uint32_t bytes;
    ASSERT_NE(doorway_reserve(owned.doorway, 16), nullptr);
    EXPECT_EQ(doorway_next(owned.doorway, &bytes), nullptr);
    doorway_publish(owned.doorway);
    EXPECT_NE(doorway_next(owned.doorway, &bytes), nullptr);
    EXPECT_EQ(bytes, 16u);
}

TEST(Doorway, IsFullUntilTheReaderIsDone)
{
    Owned owned = make(1024);
    uint32_t count = 0, bytes;
    while (doorway_reserve(owned.doorway, 120) != nullptr)
        count++;
    EXPECT_EQ(count, 8u);
    doorway_publish(owned.doorway);
    ASSERT_NE(doorway_next(owned.doorway, &bytes), nullptr);
    EXPECT_EQ(doorway_reserve(owned.doorway, 120), nullptr);
    doorway_done(owned.doorway);
    EXPECT_NE(doorway_reserve(owned.doorway, 120), nullptr);
}

TEST(Doorway, HandsOutAgainWhatWasNotDone)
{
    Owned owned = make(1024);
    uint32_t bytes;
    for (uint32_t i = 0; i < 3; i++) {
        auto *record = static_cast<uint32_t *>(doorway_reserve(owned.doorway, 4));
        *record = i;
    }
    doorway_publish(owned.doorway);
    (void)doorway_next(owned.doorway, &bytes);
    void *second = doorway_next(owned.doorway, &bytes);
    (void)doorway_next(owned.doorway, &bytes);
    doorway_done_before(owned.doorway, second);
    EXPECT_EQ(*static_cast<uint32_t *>(doorway_next(owned.doorway, &bytes)), 1u);
    doorway_again(owned.doorway);
    EXPECT_EQ(*static_cast<uint32_t *>(doorway_next(owned.doorway, &bytes)), 1u);
}

/* The dumb twin is a deque; sizes, bursts and partial reads are random. What fits promises must be
 * kept. */
TEST(Doorway, BehavesLikeAQueueOverManyLaps)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        Owned owned = make(8192);
        struct random_state chance;
        random_init(&chance, seed);
        std::deque<std::vector<uint8_t>> twin;
        uint64_t stamp = 0;
        for (int turn = 0; turn < 3000; turn++) {
            uint32_t burst = static_cast<uint32_t>(random_below(&chance, 6)), size = 8 + 8 * burst;
            bool promised = doorway_fits(owned.doorway, burst, size);
            for (uint32_t i = 0; i < burst; i++) {
                auto *record = static_cast<uint8_t *>(doorway_reserve(owned.doorway, size));
                ASSERT_TRUE(record != nullptr || !promised);
                if (record == nullptr)
                    break;
                std::vector<uint8_t> copy(size, static_cast<uint8_t>(stamp++));
                std::memcpy(record, copy.data(), size);
                twin.push_back(copy);
            }
            doorway_publish(owned.doorway);
            uint64_t wanted = random_below(&chance, 8);
            while (wanted-- > 0 && !twin.empty()) {
                uint32_t bytes;
                auto *record = static_cast<uint8_t *>(doorway_next(owned.doorway, &bytes));
                ASSERT_NE(record, nullptr);
                if (wanted == 0 && random_below(&chance, 4) == 0) {
                    doorway_done_before(owned.doorway, record);
                    break;
                }
                ASSERT_EQ(std::vector<uint8_t>(record, record + bytes), twin.front());
                twin.pop_front();
                if (wanted == 0 || twin.empty())
                    doorway_done(owned.doorway);
            }
            if (twin.empty()) {
                uint32_t bytes;
                ASSERT_EQ(doorway_next(owned.doorway, &bytes), nullptr);
            }
        }
    }
}

TEST(Replay, AcceptsEachNumberOnceInAnyNearOrder)
{
    struct replay_window window = {};
    std::set<uint64_t> seen;
    struct random_state chance;
    random_init(&chance, 7);
    uint64_t base = 1;
    for (int i = 0; i < 200000; i++) {
        base += random_below(&chance, 3);
        uint64_t number = base + random_below(&chance, 500);
        EXPECT_EQ(replay_accept(&window, number), seen.insert(number).second) << number;
    }
}

TEST(Replay, RefusesZeroAndWhatIsTooOld)
{
    struct replay_window window = {};
    EXPECT_FALSE(replay_accept(&window, 0));
    EXPECT_TRUE(replay_accept(&window, 5000));
    EXPECT_FALSE(replay_accept(&window, 5000 - REPLAY_WINDOW));
    EXPECT_TRUE(replay_accept(&window, 5000 - REPLAY_WINDOW + 128));
    EXPECT_TRUE(replay_accept(&window, UINT64_C(1) << 50));
    EXPECT_FALSE(replay_accept(&window, 4999));
}

} // namespace
