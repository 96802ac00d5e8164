#include "tests/sim/exhaustive_store.h"

#include "numa/base/assert.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1024u
#define NONE       UINT32_MAX

static void *grown(void *memory, uint64_t bytes)
{
    memory = realloc(memory, bytes);
    ENSURE(memory != NULL);
    return memory;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

/* ---- strings --------------------------------------------------------------------------------- */

struct exhaustive_store {
    uint8_t *data;
    uint64_t bytes, room;
    uint64_t *begin; /* begin[count] is where the next one goes */
    uint32_t count, begin_room;
    uint32_t *slot; /* numbers, by hash; NONE: free */
    uint32_t slots;
    uint8_t *scratch; /* a difference under way */
};

struct exhaustive_store *exhaustive_store_new(void)
{
    struct exhaustive_store *store = calloc(1, sizeof *store);
    ENSURE(store != NULL);
    store->begin_room = FIRST_ROOM;
    store->begin = grown(NULL, (FIRST_ROOM + 1u) * sizeof store->begin[0]);
    store->begin[0] = 0;
    store->slots = 2u * FIRST_ROOM;
    store->slot = grown(NULL, store->slots * sizeof store->slot[0]);
    memset(store->slot, 0xff, store->slots * sizeof store->slot[0]);
    return store;
}

void exhaustive_store_free(struct exhaustive_store *store)
{
    free(store->data);
    free(store->begin);
    free(store->slot);
    free(store->scratch);
    free(store);
}

static uint64_t hash_of(const uint8_t *data, uint32_t bytes)
{
    uint64_t hash = bytes;
    uint32_t at = 0;
    for (; at + 8 <= bytes; at += 8) {
        uint64_t word;
        memcpy(&word, data + at, sizeof word);
        hash = mix(hash, word);
    }
    for (; at < bytes; at++)
        hash = mix(hash, data[at]);
    return hash ^ hash >> 32;
}

const uint8_t *exhaustive_store_get(const struct exhaustive_store *store, uint32_t number,
                                    uint32_t *bytes)
{
    *bytes = (uint32_t)(store->begin[number + 1] - store->begin[number]);
    return store->data + store->begin[number];
}

/* Where it is, or the free slot where it belongs. */
static uint32_t *slot_of(struct exhaustive_store *store, const uint8_t *data, uint32_t bytes)
{
    for (uint64_t at = hash_of(data, bytes);; at++) {
        uint32_t *slot = &store->slot[at & (store->slots - 1u)];
        if (*slot == NONE)
            return slot;
        uint32_t found;
        const uint8_t *other = exhaustive_store_get(store, *slot, &found);
        if (found == bytes && memcmp(other, data, bytes) == 0)
            return slot;
    }
}

static void grow_store(struct exhaustive_store *store)
{
    store->begin_room *= 2;
    store->begin = grown(store->begin, (store->begin_room + UINT64_C(1)) * sizeof store->begin[0]);
    store->slots *= 2;
    store->slot = grown(store->slot, (uint64_t)store->slots * sizeof store->slot[0]);
    memset(store->slot, 0xff, (uint64_t)store->slots * sizeof store->slot[0]);
    for (uint32_t i = 0; i < store->count; i++) {
        uint32_t bytes;
        const uint8_t *data = exhaustive_store_get(store, i, &bytes);
        *slot_of(store, data, bytes) = i;
    }
}

uint32_t exhaustive_store_put(struct exhaustive_store *store, const uint8_t *data, uint32_t bytes)
{
    uint32_t *slot = slot_of(store, data, bytes);
    if (*slot != NONE)
        return *slot;
    if (store->count == store->begin_room) {
        grow_store(store);
        slot = slot_of(store, data, bytes);
    }
    if (store->bytes + bytes > store->room) {
        store->room = 2 * (store->room + bytes);
        store->data = grown(store->data, store->room);
    }
    memcpy(store->data + store->bytes, data, bytes);
    store->bytes += bytes;
    *slot = store->count++;
    store->begin[store->count] = store->bytes;
    return store->count - 1;
}

uint32_t exhaustive_store_count(const struct exhaustive_store *store)
{
    return store->count;
}

uint64_t exhaustive_store_bytes(const struct exhaustive_store *store)
{
    return store->room + store->begin_room * sizeof store->begin[0] +
           store->slots * sizeof store->slot[0];
}

/* ---- differences: tag, then (place 2, byte 1) for each byte that differs --------------------- */

uint32_t exhaustive_store_put_difference(struct exhaustive_store *store, uint8_t tag,
                                         const void *data, const void *template, uint32_t bytes)
{
    ENSURE(bytes % 8 == 0 && bytes <= UINT16_MAX);
    if (store->scratch == NULL)
        store->scratch = grown(NULL, 1u + 3u * (uint64_t)UINT16_MAX);
    const uint64_t *ours = data, *theirs = template;
    uint8_t *to = store->scratch;
    *to++ = tag;
    for (uint32_t word = 0; word < bytes / 8; word++) {
        uint64_t apart = ours[word] ^ theirs[word];
        for (uint32_t place = 8 * word; apart != 0; place++, apart >>= 8) {
            if ((apart & 0xff) == 0)
                continue;
            *to++ = (uint8_t)place;
            *to++ = (uint8_t)(place >> 8);
            *to++ = (uint8_t)apart;
        }
    }
    return exhaustive_store_put(store, store->scratch, (uint32_t)(to - store->scratch));
}

void exhaustive_store_get_difference(const struct exhaustive_store *store, uint32_t number,
                                     void *data, const void *template, uint32_t bytes)
{
    uint32_t length;
    const uint8_t *from = exhaustive_store_get(store, number, &length);
    memcpy(data, template, bytes);
    for (uint32_t at = 1; at + 3 <= length; at += 3)
        ((uint8_t *)data)[from[at] | (uint32_t)from[at + 1] << 8] ^= from[at + 2];
}

/* ---- numbers by keys ------------------------------------------------------------------------- */

struct pair {
    uint64_t key; /* plus one; 0: free */
    uint32_t value;
};

struct exhaustive_map {
    struct pair *pair;
    uint64_t count, room; /* a power of two */
};

struct exhaustive_map *exhaustive_map_new(void)
{
    struct exhaustive_map *map = calloc(1, sizeof *map);
    ENSURE(map != NULL);
    map->room = FIRST_ROOM;
    map->pair = calloc(map->room, sizeof map->pair[0]);
    ENSURE(map->pair != NULL);
    return map;
}

void exhaustive_map_free(struct exhaustive_map *map)
{
    free(map->pair);
    free(map);
}

static struct pair *pair_of(struct exhaustive_map *map, uint64_t key)
{
    uint64_t at = mix(0, key);
    for (at ^= at >> 32;; at++) {
        struct pair *pair = &map->pair[at & (map->room - 1)];
        if (pair->key == 0 || pair->key == key + 1)
            return pair;
    }
}

uint32_t *exhaustive_map_at(struct exhaustive_map *map, uint64_t key)
{
    struct pair *pair = pair_of(map, key);
    if (pair->key != 0)
        return &pair->value;
    if (2 * map->count >= map->room) {
        struct exhaustive_map old = *map;
        map->room *= 2;
        map->pair = calloc(map->room, sizeof map->pair[0]);
        ENSURE(map->pair != NULL);
        for (uint64_t i = 0; i < old.room; i++)
            if (old.pair[i].key != 0)
                *pair_of(map, old.pair[i].key - 1) = old.pair[i];
        free(old.pair);
        pair = pair_of(map, key);
    }
    map->count++;
    pair->key = key + 1;
    return &pair->value;
}

uint64_t exhaustive_map_count(const struct exhaustive_map *map)
{
    return map->count;
}

uint64_t exhaustive_map_bytes(const struct exhaustive_map *map)
{
    return map->room * sizeof map->pair[0];
}
