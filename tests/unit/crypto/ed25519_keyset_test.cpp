/* Keys, slots and the cache that forgets. */
#include "tests/unit/crypto/ed25519_cases.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>

static Bytes32 key_of(uint32_t number)
{
    Bytes32 seed{}, key;
    std::array<uint8_t, 64> secret;
    std::memcpy(seed.data(), &number, sizeof number);
    crypto_sign_seed_keypair(key.data(), secret.data(), seed.data());
    return key;
}

class Keyset : public testing::Test
{
  protected:
    static constexpr uint32_t capacity = 3, window = 4;
    Region base_memory{ed25519_base_footprint(window)};
    ed25519_base *base =
        ed25519_base_init(base_memory.memory.get(), window, ed25519_backend_best());
    Region memory{ed25519_keyset_footprint(capacity, window)};
    ed25519_keyset *keyset = ed25519_keyset_init(memory.memory.get(), base, capacity, window);

    ed25519_refusal add(const Bytes32 &key, uint32_t &slot)
    {
        return ed25519_keyset_add(keyset, key.data(), &slot);
    }

    void expect_refused(const Bytes32 &key, ed25519_refusal refusal)
    {
        uint32_t slot = 0;
        uint64_t before = ed25519_keyset_refused(keyset, refusal);
        EXPECT_EQ(add(key, slot), refusal) << ed25519_refusal_sentence(refusal);
        EXPECT_EQ(slot, ED25519_SLOT_NONE);
        EXPECT_EQ(ed25519_keyset_refused(keyset, refusal), before + 1);
    }
};

TEST_F(Keyset, SlotsLiveRetireAndComeBack)
{
    uint32_t slot[3], other;
    for (uint32_t i = 0; i < capacity; i++)
        ASSERT_EQ(add(key_of(i), slot[i]), ED25519_ADDED);
    EXPECT_EQ(ed25519_keyset_find(keyset, key_of(1).data()), slot[1]);
    EXPECT_EQ(std::memcmp(ed25519_keyset_key(keyset, slot[1]), key_of(1).data(), 32), 0);
    expect_refused(key_of(9), ED25519_FULL);
    ed25519_keyset_retire(keyset, slot[1]);
    EXPECT_EQ(ed25519_keyset_find(keyset, key_of(1).data()), ED25519_SLOT_NONE);
    expect_refused(key_of(9), ED25519_FULL); /* readers may hold the number still */
    EXPECT_EQ(std::memcmp(ed25519_keyset_key(keyset, slot[1]), key_of(1).data(), 32), 0);
    ed25519_keyset_reclaim(keyset, slot[1]);
    ASSERT_EQ(add(key_of(9), other), ED25519_ADDED);
    EXPECT_EQ(other, slot[1]);
    EXPECT_EQ(add(key_of(9), other), ED25519_KNOWN);
    EXPECT_EQ(other, slot[1]);
}

TEST_F(Keyset, RetiredSlotsStillVerify)
{
    const std::vector<Case> cases = random_cases(64, 1, 5);
    Bench bench(cases, ed25519_backend_best(), 5, 5);
    const std::vector<ed25519_job> jobs = bench.jobs(cases);
    ed25519_keyset_retire(const_cast<ed25519_keyset *>(bench.keyset()), 0);
    bench.check(cases, jobs);
}

TEST_F(Keyset, RefusesByName)
{
    for (const Bytes32 &key : small_order_encodings()) {
        uint32_t slot;
        ed25519_refusal refusal = add(key, slot);
        EXPECT_TRUE(refusal == ED25519_SMALL_ORDER || refusal == ED25519_NONCANONICAL);
    }
    expect_refused(Bytes32{}, ED25519_SMALL_ORDER);
    Bytes32 beyond;
    beyond.fill(0xff);
    expect_refused(beyond, ED25519_NONCANONICAL);
    beyond[0] = 0xed;
    expect_refused(beyond, ED25519_NONCANONICAL);
    beyond[0] = 0xeb; /* p - 2 is canonical */
    beyond[31] = 0x7f;
    uint32_t slot;
    ed25519_refusal refusal = add(beyond, slot);
    EXPECT_TRUE(refusal == ED25519_ADDED || refusal == ED25519_NO_POINT);
    expect_refused(Bytes32{2}, ED25519_NO_POINT);
}

TEST_F(Keyset, NoSuchSizes)
{
    EXPECT_EQ(ed25519_keyset_footprint(0, 8), 0u);
    EXPECT_EQ(ed25519_keyset_footprint(1, ED25519_WINDOW_MIN - 1), 0u);
    EXPECT_EQ(ed25519_keyset_footprint(1, ED25519_WINDOW_MAX + 1), 0u);
    EXPECT_EQ(ed25519_keyset_footprint(UINT32_MAX, 8), 0u);
    EXPECT_EQ(ed25519_base_footprint(ED25519_WINDOW_MIN - 1), 0u);
    EXPECT_EQ(ed25519_base_footprint(ED25519_WINDOW_MAX + 1), 0u);
    EXPECT_EQ(ed25519_cache_footprint(0, 8), 0u);
    EXPECT_EQ(ed25519_cache_footprint(UINT32_MAX, 8), 0u);
    EXPECT_EQ(ed25519_table_bytes(ED25519_WINDOW_MAX + 1), 0u);
}

TEST_F(Keyset, WindowsFitTheirBudget)
{
    const size_t budget = (size_t)24 << 20;
    EXPECT_EQ(ed25519_keyset_window(ED25519_IFMA, 31, 1000), 0u);
    EXPECT_EQ(ed25519_keyset_window(ED25519_IFMA, 1, ed25519_table_bytes(ED25519_WINDOW_MIN)),
              ED25519_WINDOW_MIN);
    EXPECT_EQ(ed25519_keyset_window(ED25519_IFMA, 1, SIZE_MAX), 10u);
    EXPECT_EQ(ed25519_keyset_window(ED25519_AVX2, 1, SIZE_MAX), 7u);
    EXPECT_EQ(ed25519_keyset_window(ED25519_PORTABLE, 1, SIZE_MAX), 7u);
    for (uint32_t keys : {31u, 100u, 300u}) {
        uint32_t width = ed25519_keyset_window(ED25519_IFMA, keys, budget);
        ASSERT_NE(width, 0u);
        EXPECT_LE(keys * ed25519_table_bytes(width), budget);
        EXPECT_GT(keys * ed25519_table_bytes(width + 1), budget);
    }
}

TEST_F(Keyset, MistakesOfOursAbort)
{
    EXPECT_DEATH(ed25519_keyset_retire(keyset, 0), "broken");
    EXPECT_DEATH(ed25519_keyset_reclaim(keyset, 0), "broken");
    EXPECT_DEATH(ed25519_keyset_key(keyset, capacity), "broken");
}

TEST(Backend, NamesAndChoice)
{
    ed25519_backend found;
    EXPECT_TRUE(ed25519_backend_runs(ED25519_PORTABLE));
    EXPECT_TRUE(ed25519_backend_runs(ed25519_backend_best()));
    for (uint32_t i = 0; i < ED25519_BACKENDS; i++) {
        auto backend = static_cast<ed25519_backend>(i);
        ASSERT_TRUE(ed25519_backend_named(ed25519_backend_name(backend), &found));
        EXPECT_EQ(found, backend);
    }
    EXPECT_FALSE(ed25519_backend_named("avx", &found));
    EXPECT_FALSE(ed25519_backend_runs(static_cast<ed25519_backend>(ED25519_BACKENDS)));
}

/* ---- cache ----------------------------------------------------------------------------------- */

class Cache : public Keyset
{
  protected:
    const uint8_t seed[16] = {1};
    Region cache_memory{ed25519_cache_footprint(capacity, window)};
    ed25519_cache *cache =
        ed25519_cache_init(cache_memory.memory.get(), base, capacity, window, seed);

    uint32_t admit(uint32_t number)
    {
        uint32_t slot;
        EXPECT_EQ(ed25519_cache_admit(cache, key_of(number).data(), &slot), ED25519_ADDED);
        return slot;
    }

    bool holds(uint32_t number)
    {
        return ed25519_keyset_find(ed25519_cache_keyset(cache), key_of(number).data()) !=
               ED25519_SLOT_NONE;
    }
};

TEST_F(Cache, ForgetsWhoWasNotSeenForLongest)
{
    for (uint32_t i = 0; i < capacity; i++)
        admit(i);
    EXPECT_NE(ed25519_cache_find(cache, key_of(0).data()), ED25519_SLOT_NONE); /* seen now */
    admit(3);
    EXPECT_TRUE(holds(0) && !holds(1) && holds(2) && holds(3));
    EXPECT_EQ(ed25519_cache_find(cache, key_of(1).data()), ED25519_SLOT_NONE);
    uint32_t slot;
    EXPECT_EQ(ed25519_cache_admit(cache, key_of(2).data(), &slot), ED25519_KNOWN);
    EXPECT_EQ(slot, ed25519_cache_find(cache, key_of(2).data()));
    admit(4);
    EXPECT_TRUE(!holds(0) && holds(2) && holds(3) && holds(4));
    EXPECT_EQ(ed25519_cache_evicted(cache), 2u);
}

TEST_F(Cache, RefusedKeysEvictNobody)
{
    uint32_t slot;
    for (uint32_t i = 0; i < capacity; i++)
        admit(i);
    EXPECT_EQ(ed25519_cache_admit(cache, Bytes32{}.data(), &slot), ED25519_SMALL_ORDER);
    EXPECT_EQ(ed25519_cache_admit(cache, Bytes32{2}.data(), &slot), ED25519_NO_POINT);
    EXPECT_EQ(slot, ED25519_SLOT_NONE);
    EXPECT_EQ(ed25519_cache_evicted(cache), 0u);
}

TEST_F(Cache, InStepsAKeyIsFoundOnceItsTableIsThere)
{
    uint32_t slot, again;
    for (uint32_t i = 0; i < capacity; i++)
        admit(i);
    ASSERT_EQ(ed25519_cache_choose(cache, key_of(9).data(), &slot), ED25519_ADDED);
    EXPECT_FALSE(holds(0)); /* its slot is the new one's */
    EXPECT_EQ(ed25519_cache_find(cache, key_of(9).data()), ED25519_SLOT_NONE);
    EXPECT_EQ(ed25519_cache_choose(cache, key_of(9).data(), &again), ED25519_KNOWN);
    EXPECT_EQ(again, ED25519_SLOT_NONE);
    EXPECT_DEATH(ed25519_cache_settle(cache, slot), "broken");
    ed25519_cache_build(cache, slot);
    EXPECT_EQ(ed25519_cache_find(cache, key_of(9).data()), ED25519_SLOT_NONE);
    ed25519_cache_settle(cache, slot);
    EXPECT_EQ(ed25519_cache_find(cache, key_of(9).data()), slot);
    EXPECT_DEATH(ed25519_cache_build(cache, slot), "broken");
}

TEST_F(Cache, FullOfTablesUnderConstructionItEvictsNobody)
{
    uint32_t slot;
    for (uint32_t i = 0; i < capacity; i++)
        ASSERT_EQ(ed25519_cache_choose(cache, key_of(i).data(), &slot), ED25519_ADDED);
    EXPECT_EQ(ed25519_cache_choose(cache, key_of(capacity).data(), &slot), ED25519_FULL);
    EXPECT_EQ(slot, ED25519_SLOT_NONE);
    EXPECT_EQ(ed25519_cache_evicted(cache), 0u);
}

/* A key that is taken in was not refused. */
TEST_F(Cache, EvictionsAreNoRefusals)
{
    for (uint32_t i = 0; i < capacity + 2; i++)
        admit(i);
    EXPECT_EQ(ed25519_cache_evicted(cache), 2u);
    EXPECT_EQ(ed25519_keyset_refused(ed25519_cache_keyset(cache), ED25519_FULL), 0u);
}

TEST_F(Cache, KeysProveThemselvesFirst)
{
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 1; i < ED25519_CACHE_TRIAL; i++)
            ASSERT_FALSE(ed25519_cache_proven(cache, key_of(1).data()));
        EXPECT_TRUE(ed25519_cache_proven(cache, key_of(1).data()));
    }
}

/* Keys seen once never get so far; who signs every other time gets in between them. */
TEST_F(Cache, FloodsOfNewKeysProveNothing)
{
    for (uint32_t i = 100; i < 1100; i++)
        ASSERT_FALSE(ed25519_cache_proven(cache, key_of(i).data()));
    uint32_t proven = 0;
    for (uint32_t i = 2000; i < 2100 && proven == 0; i++) {
        proven += ed25519_cache_proven(cache, key_of(9).data());
        ASSERT_FALSE(ed25519_cache_proven(cache, key_of(i).data()));
    }
    EXPECT_EQ(proven, 1u);
}

TEST_F(Cache, FloodAgainstTwin)
{
    std::vector<uint32_t> twin; /* the one seen last stands first */
    uint32_t state = 1;
    for (uint32_t i = 0; i < 300; i++) {
        state = state * 1664525 + 1013904223;
        uint32_t number = (state >> 16) % 7;
        auto at = std::find(twin.begin(), twin.end(), number);
        bool known = at != twin.end();
        uint32_t slot = ed25519_cache_find(cache, key_of(number).data());
        ASSERT_EQ(slot != ED25519_SLOT_NONE, known);
        if (known)
            twin.erase(at);
        else
            slot = admit(number);
        twin.insert(twin.begin(), number);
        twin.resize(std::min<size_t>(twin.size(), capacity));
        ASSERT_EQ(std::memcmp(ed25519_keyset_key(ed25519_cache_keyset(cache), slot),
                              key_of(number).data(), 32),
                  0);
    }
}

TEST(Text, OfKeysGoesThereAndBack)
{
    Bytes32 key = key_of(7), back{};
    char text[65];
    ed25519_to_hex(text, key.data(), key.size());
    ASSERT_TRUE(ed25519_from_hex(back.data(), back.size(), text));
    EXPECT_EQ(back, key);
    const uint8_t known[] = {0x00, 0x9a, 0xff};
    ed25519_to_hex(text, known, sizeof known);
    EXPECT_STREQ(text, "009aff");
    uint8_t read[3];
    EXPECT_TRUE(ed25519_from_hex(read, 3, "009AfF and more"));
    EXPECT_EQ(std::memcmp(read, known, 3), 0);
    for (const char *bad : {"", "009af", "009a f", "0x9aff", "009ag0"})
        EXPECT_FALSE(ed25519_from_hex(read, 3, bad)) << bad;
}
