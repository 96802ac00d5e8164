#include "crypto/ed25519/keyset.h"

#include "numa/base/assert.h"
#include "numa/base/layout.h"

#include <sodium.h>

#define NOBODY ED25519_SLOT_NONE

/* By slot. */
struct place {
    uint32_t newer, older; /* in the order of use */
    uint32_t next;         /* in the chain of its bucket */
    uint32_t bucket;
};

/* By bucket: a key on trial. */
struct candidate {
    uint8_t key[ED25519_KEY_BYTES];
    uint32_t good; /* its good signatures, less those of others since */
};

struct ed25519_cache {
    struct ed25519_keyset *keyset;
    struct place *place;
    uint32_t *bucket; /* a power of two of them, at least one a slot */
    struct candidate *candidate;
    uint32_t bucket_mask;
    uint32_t newest, oldest;
    uint64_t evicted;
    uint8_t seed[crypto_shorthash_KEYBYTES];
};

struct cache_parts {
    size_t place, bucket, candidate, keyset, bytes;
    uint32_t buckets;
};

static struct cache_parts cache_walk(uint32_t capacity, uint32_t window)
{
    struct layout layout = {0};
    struct cache_parts parts;
    parts.buckets = (uint32_t)power_of_two_at_least(capacity);
    (void)layout_add(&layout, sizeof(struct ed25519_cache));
    parts.place = layout_add(&layout, capacity * sizeof(struct place));
    parts.bucket = layout_add(&layout, parts.buckets * sizeof(uint32_t));
    parts.candidate = layout_add(&layout, parts.buckets * sizeof(struct candidate));
    parts.keyset = layout_add(&layout, ed25519_keyset_footprint(capacity, window));
    parts.bytes = layout.bytes;
    return parts;
}

size_t ed25519_cache_footprint(uint32_t capacity, uint32_t window)
{
    if (capacity > UINT32_MAX / 2 || ed25519_keyset_footprint(capacity, window) == 0)
        return 0;
    return cache_walk(capacity, window).bytes;
}

struct ed25519_cache *ed25519_cache_init(void *memory, const struct ed25519_base *base,
                                         uint32_t capacity, uint32_t window, const uint8_t seed[16])
{
    ENSURE(ed25519_cache_footprint(capacity, window) != 0);
    ENSURE((uintptr_t)memory % CACHE_LINE_BYTES == 0);
    struct cache_parts parts = cache_walk(capacity, window);
    uint8_t *at = memory;
    struct ed25519_cache *cache = memory;
    *cache = (struct ed25519_cache){
        .keyset = ed25519_keyset_init(at + parts.keyset, base, capacity, window),
        .place = (struct place *)(void *)(at + parts.place),
        .bucket = (uint32_t *)(void *)(at + parts.bucket),
        .candidate = (struct candidate *)(void *)(at + parts.candidate),
        .bucket_mask = parts.buckets - 1,
        .newest = NOBODY,
        .oldest = NOBODY,
    };
    memcpy(cache->seed, seed, sizeof cache->seed);
    memset(cache->candidate, 0, parts.buckets * sizeof(struct candidate));
    for (uint32_t i = 0; i < parts.buckets; i++)
        cache->bucket[i] = NOBODY;
    return cache;
}

/* ---- order of use ---------------------------------------------------------------------------- */

static void unlink_use(struct ed25519_cache *cache, uint32_t slot)
{
    const struct place *place = &cache->place[slot];
    *(place->newer == NOBODY ? &cache->newest : &cache->place[place->newer].older) = place->older;
    *(place->older == NOBODY ? &cache->oldest : &cache->place[place->older].newer) = place->newer;
}

static void link_newest(struct ed25519_cache *cache, uint32_t slot)
{
    struct place *place = &cache->place[slot];
    place->newer = NOBODY;
    place->older = cache->newest;
    *(cache->newest == NOBODY ? &cache->oldest : &cache->place[cache->newest].newer) = slot;
    cache->newest = slot;
}

/* ---- index ----------------------------------------------------------------------------------- */

static uint32_t bucket_of(const struct ed25519_cache *cache, const uint8_t *key)
{
    uint8_t hash[crypto_shorthash_BYTES];
    (void)crypto_shorthash(hash, key, ED25519_KEY_BYTES, cache->seed);
    return load_u32(hash) & cache->bucket_mask;
}

static void unlink_index(struct ed25519_cache *cache, uint32_t slot)
{
    uint32_t *link = &cache->bucket[cache->place[slot].bucket];
    while (*link != slot)
        link = &cache->place[*link].next;
    *link = cache->place[slot].next;
}

static void link_index(struct ed25519_cache *cache, uint32_t slot, uint32_t bucket)
{
    cache->place[slot].bucket = bucket;
    cache->place[slot].next = cache->bucket[bucket];
    cache->bucket[bucket] = slot;
}

/* ---- use ------------------------------------------------------------------------------------- */

uint32_t ed25519_cache_find(struct ed25519_cache *cache, const uint8_t key[ED25519_KEY_BYTES])
{
    uint32_t slot = cache->bucket[bucket_of(cache, key)];
    while (slot != NOBODY && memcmp(cache->keyset->slot[slot].key, key, ED25519_KEY_BYTES) != 0)
        slot = cache->place[slot].next;
    if (slot != NOBODY && slot != cache->newest) {
        unlink_use(cache, slot);
        link_newest(cache, slot);
    }
    return slot;
}

static void evict_oldest(struct ed25519_cache *cache)
{
    uint32_t slot = cache->oldest;
    unlink_use(cache, slot);
    unlink_index(cache, slot);
    ed25519_keyset_retire(cache->keyset, slot);
    ed25519_keyset_reclaim(cache->keyset, slot);
    cache->evicted++;
}

enum ed25519_refusal ed25519_cache_choose(struct ed25519_cache *cache,
                                          const uint8_t key[ED25519_KEY_BYTES], uint32_t *slot)
{
    *slot = ed25519_cache_find(cache, key);
    if (*slot != NOBODY)
        return ED25519_KNOWN;
    enum ed25519_refusal refusal = keyset_choose(cache->keyset, key, slot);
    if (refusal == ED25519_FULL && cache->oldest != NOBODY) {
        evict_oldest(cache);
        refusal = keyset_choose(cache->keyset, key, slot);
    }
    cache->keyset->refused[refusal]++;
    return refusal;
}

void ed25519_cache_build(struct ed25519_cache *cache, uint32_t slot)
{
    keyset_build(cache->keyset, slot);
}

void ed25519_cache_settle(struct ed25519_cache *cache, uint32_t slot)
{
    const uint8_t *key = ed25519_keyset_key(cache->keyset, slot);
    ENSURE(ed25519_keyset_find(cache->keyset, key) == slot);
    link_newest(cache, slot);
    link_index(cache, slot, bucket_of(cache, key));
}

enum ed25519_refusal ed25519_cache_admit(struct ed25519_cache *cache,
                                         const uint8_t key[ED25519_KEY_BYTES], uint32_t *slot)
{
    enum ed25519_refusal refusal = ed25519_cache_choose(cache, key, slot);
    if (refusal != ED25519_ADDED)
        return refusal;
    ed25519_cache_build(cache, *slot);
    ed25519_cache_settle(cache, *slot);
    return ED25519_ADDED;
}

bool ed25519_cache_proven(struct ed25519_cache *cache, const uint8_t key[ED25519_KEY_BYTES])
{
    struct candidate *candidate = &cache->candidate[bucket_of(cache, key)];
    if (memcmp(candidate->key, key, ED25519_KEY_BYTES) != 0) {
        if (candidate->good > 0) {
            candidate->good--;
            return false;
        }
        memcpy(candidate->key, key, ED25519_KEY_BYTES);
    }
    if (++candidate->good < ED25519_CACHE_TRIAL)
        return false;
    candidate->good = 0;
    return true;
}

const struct ed25519_keyset *ed25519_cache_keyset(const struct ed25519_cache *cache)
{
    return cache->keyset;
}

uint64_t ed25519_cache_evicted(const struct ed25519_cache *cache)
{
    return cache->evicted;
}
