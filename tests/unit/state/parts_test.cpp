#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

extern "C" {
#include "dataplane/state/expiry.h"
#include "dataplane/state/table.h"
#include "numa/base/random.h"
}

TEST(SizeClasses, RiseAndAreTheSmallestThatHold)
{
    for (uint32_t c = 1; c < STATE_CLASS_COUNT; c++)
        ASSERT_GT(state_class_bytes(c), state_class_bytes(c - 1));
    EXPECT_EQ(state_class_bytes(0), STATE_UNIT_BYTES);
    uint64_t largest = ITEM_BYTES + WIRE_KEY_BYTES_MAX + WIRE_VALUE_BYTES_MAX + sizeof(item_before);
    EXPECT_GE(state_class_bytes(STATE_CLASS_COUNT - 1), largest);
    EXPECT_LT(state_class_bytes(STATE_CLASS_COUNT - 2), largest);
    uint32_t smallest = 0;
    for (uint64_t bytes = 1; bytes <= largest; bytes++) {
        if (bytes > state_class_bytes(smallest))
            smallest++;
        ASSERT_EQ(state_class_of(bytes), smallest) << bytes;
        ASSERT_EQ(state_class_bytes(smallest) % STATE_UNIT_BYTES, 0u);
    }
}

TEST(Hash, DependsOnEveryByteAndOnTheLength)
{
    std::set<uint64_t> seen;
    size_t expected = 0;
    for (size_t bytes = 0; bytes <= 100; bytes++) {
        std::string text(bytes, '\0');
        auto hash = [&] {
            return hash_bytes(reinterpret_cast<uint8_t *>(&text[0]), bytes, HASH_SEED);
        };
        seen.insert(hash());
        expected++;
        for (size_t at = 0; at < bytes; at++) {
            for (int bit : {1, 128}) {
                text[at] = static_cast<char>(bit);
                seen.insert(hash());
                expected++;
            }
            text[at] = 0;
        }
    }
    EXPECT_EQ(seen.size(), expected);
}

/* Pinned: replicas on other machines and in later versions must agree. */
TEST(Hash, IsTheSameEverywhere)
{
    auto hash = [](const char *text) {
        return hash_bytes(reinterpret_cast<const uint8_t *>(text), strlen(text), HASH_SEED);
    };
    EXPECT_EQ(hash(""), UINT64_C(2211905581237848581));
    EXPECT_EQ(hash("key"), UINT64_C(680271929154838166));
    EXPECT_EQ(hash("a key of more than sixteen bytes"), UINT64_C(4963562538224709479));
}

TEST(Hash, SpreadsCountedKeysOverBuckets)
{
    constexpr uint64_t kBuckets = 1024, kKeys = 64 * kBuckets;
    std::vector<uint32_t> count(kBuckets);
    std::vector<uint32_t> tags(1024);
    for (uint64_t i = 0; i < kKeys; i++) {
        std::string key = "key:" + std::to_string(i);
        uint64_t hash =
            hash_bytes(reinterpret_cast<const uint8_t *>(key.data()), key.size(), HASH_SEED);
        count[hash % kBuckets]++;
        tags[hash >> 54]++;
    }
    /* Mean 64, deviation 8: seven of them away would be a broken hash. */
    for (uint64_t i = 0; i < kBuckets; i++) {
        ASSERT_NEAR(count[i], 64.0, 56.0) << i;
        ASSERT_NEAR(tags[i], 64.0, 56.0) << i;
    }
}

class TableTest : public ::testing::Test
{
  protected:
    static constexpr uint32_t kKeys = 64;
    alignas(64) table_bucket bucket_[kKeys / 4];
    alignas(64) uint8_t items_[64 * (kKeys + 1)];
    state_table table_;

    void SetUp() override
    {
        memset(bucket_, 0, sizeof bucket_);
        table_ = {bucket_, kKeys / 4 - 1, items_};
    }

    item_ref make(uint32_t number)
    {
        item_ref ref = (number + 1) * 64u;
        item *it = item_at(items_, ref);
        memset(static_cast<void *>(it), 0, 64);
        it->key_bytes = 4;
        memcpy(it->bytes, &number, 4);
        return ref;
    }

    item *find(uint32_t number, uint64_t hash, uint64_t **slot = nullptr)
    {
        return state_table_find(&table_, reinterpret_cast<uint8_t *>(&number), 4, hash, slot);
    }
};

/* Few hashes for many keys, so that buckets overflow, wrap around the end and are emptied in any
 * order. */
TEST_F(TableTest, CollidingKeysAgainstASet)
{
    random_state random;
    random_init(&random, 9);
    for (uint64_t hashes : {1u, 3u, 16u, 1000u}) {
        SetUp();
        std::set<uint32_t> present;
        auto hash_of = [&](uint32_t number) {
            return hash_fold((number % hashes + 1) * UINT64_C(0x9e3779b97f4a7c15), HASH_A) |
                   (hashes == 1 ? kKeys / 4 - 1 : 0);
        };
        for (int step = 0; step < 20000; step++) {
            auto number = static_cast<uint32_t>(random_below(&random, kKeys));
            uint64_t hash = hash_of(number);
            uint64_t *slot = nullptr;
            item *found = find(number, hash, &slot);
            ASSERT_EQ(found != nullptr, present.count(number) == 1);
            if (found == nullptr) {
                state_table_put(state_table_room(&table_, hash), hash, make(number));
                present.insert(number);
            } else if (random_below(&random, 2) == 0) {
                ASSERT_EQ(state_table_slot_of(&table_, hash, table_slot_ref(*slot)), slot);
                state_table_remove(&table_, hash, slot);
                present.erase(number);
            }
        }
        for (uint32_t number = 0; number < kKeys; number++) {
            uint64_t *slot;
            ASSERT_EQ(find(number, hash_of(number), &slot) != nullptr, present.count(number) == 1);
            if (present.count(number))
                state_table_remove(&table_, hash_of(number), slot);
        }
        for (auto &bucket : bucket_) {
            ASSERT_EQ(bucket.passed, 0u);
            for (uint64_t word : bucket.slot)
                ASSERT_EQ(word, 0u);
        }
    }
}

/* Number n has two versions, and one hash in three. */
class ExpiryHeap : public ::testing::Test
{
  protected:
    static constexpr uint32_t kTimers = 500, kNumbers = 600;
    std::vector<uint64_t> items_ = std::vector<uint64_t>((2 * kNumbers + 1) * 8);
    state_expiry expiry_ = {};
    void *memory_ = nullptr;

    void SetUp() override
    {
        layout l = {0};
        state_expiry_lay_out(nullptr, nullptr, &l, kTimers);
        memory_ = aligned_alloc(64, (l.bytes + 63) & ~size_t{63});
        l = {0};
        state_expiry_lay_out(&expiry_, static_cast<uint8_t *>(memory_), &l, kTimers);
        expiry_.base = reinterpret_cast<uint8_t *>(items_.data());
        for (uint32_t number = 0; number < kNumbers; number++)
            for (int version = 0; version < 2; version++) {
                std::string key = key_of(number);
                item *it = item_at(expiry_.base, ref_of(number, version));
                it->key_bytes = static_cast<uint16_t>(key.size());
                memcpy(it->bytes, key.data(), key.size());
            }
    }

    void TearDown() override
    {
        free(memory_);
    }

    static std::string key_of(uint32_t number)
    {
        return std::string(number % 7, 'k') + std::to_string(number);
    }
    static item_ref ref_of(uint32_t number, int version)
    {
        return 64u * (1 + number + static_cast<unsigned>(version) * kNumbers);
    }
    static uint64_t hash_of(uint32_t number)
    {
        return static_cast<uint64_t>(number % 3) << 32;
    }
};

TEST_F(ExpiryHeap, AgainstASortedSet)
{
    struct due {
        uint64_t when;
        uint32_t number;
        int version;
    };
    std::map<uint32_t, due> timers;
    std::set<uint32_t> used;
    random_state random;
    random_init(&random, 4);
    for (int step = 0; step < 20000; step++) {
        uint64_t what = random_below(&random, 4), when = random_below(&random, 40);
        auto number = static_cast<uint32_t>(random_below(&random, kNumbers));
        if (what == 0 && timers.size() < kTimers && used.insert(number).second) {
            uint32_t timer = state_expiry_set(&expiry_, ref_of(number, 0), hash_of(number), when);
            ASSERT_EQ(timers.count(timer), 0u);
            timers[timer] = {when, number, 0};
        } else if (!timers.empty()) {
            auto it = timers.begin();
            std::advance(it, static_cast<std::ptrdiff_t>(random_below(&random, timers.size())));
            if (what == 1) {
                state_expiry_move(&expiry_, it->first, when);
                it->second.when = when;
            } else if (what == 2) {
                it->second.version ^= 1;
                state_expiry_follow(&expiry_, it->first,
                                    ref_of(it->second.number, it->second.version));
            } else {
                state_expiry_clear(&expiry_, it->first);
                used.erase(it->second.number);
                timers.erase(it);
            }
        }
        const due *first = nullptr;
        auto rank = [](const due &d) {
            return std::make_tuple(d.when, hash_of(d.number), key_of(d.number));
        };
        for (auto &[timer, d] : timers)
            if (first == nullptr || rank(d) < rank(*first))
                first = &d;
        ASSERT_EQ(state_expiry_next_ms(&expiry_), first == nullptr ? UINT64_MAX : first->when);
        if (first != nullptr) {
            ASSERT_EQ(state_expiry_next_ref(&expiry_), ref_of(first->number, first->version));
        }
    }
}
