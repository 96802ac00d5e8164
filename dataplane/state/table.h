/* table.h: from key to item: open addressing by buckets of one cache line, one writer, any readers.
 *
 * Shape: seven slots and a count per bucket. A slot is one word, tag and reference together, so
 *   that replacing a version is one store. A key that finds its bucket full goes to the next, and
 *   `passed` of each bucket that it
 *   went by rises: a look-up ends at the first bucket that nobody passed. No item ever moves, so
 *   there are no tombstones, readers miss nothing, and a cursor over buckets is a cursor over keys.
 *
 *   | tag 16, ref 48 | x 7 | passed |      home = hash & mask, tag = hash >> 48
 *
 * Memory: a part of the state's region, never grown. Threads: the owner writes; readers load slots
 * with acquire.
 * Time: none. Limits: keys_max keys in 7/4 keys_max slots. Refusals: none; the caller counts keys.
 * Cost: one line, then the item's; about one look-up in 30 needs a second line at keys_max; not
 * measured.
 */
#ifndef DATAPLANE_STATE_TABLE_H
#define DATAPLANE_STATE_TABLE_H

#include "dataplane/state/hash.h"
#include "dataplane/state/memory.h"

#define TABLE_BUCKET_SLOTS 7u
#define TABLE_KEYS_MIN     16u

struct table_bucket {
    uint64_t slot[TABLE_BUCKET_SLOTS];
    uint64_t passed;
};

struct state_table {
    struct table_bucket *bucket;
    uint64_t mask;
    uint8_t *base;
};

/* A slot's number in the table: words, `passed` of each bucket counted in. Below 2^32. */
#define TABLE_BUCKET_WORDS (TABLE_BUCKET_SLOTS + 1)
static inline uint64_t table_place_of(const struct state_table *table, const uint64_t *slot)
{
    return (uint64_t)(slot - &table->bucket[0].slot[0]);
}

static inline uint64_t table_bucket_count(uint32_t keys_max)
{
    return keys_max / 4;
}

/* NULL: absent. `slot` (may be NULL) tells where the reference stands, for replace and remove. */
struct item *state_table_find(const struct state_table *table, const uint8_t *key,
                              uint32_t key_bytes, uint64_t hash, uint64_t **slot);

/* A free slot for a key that is absent, with fewer than keys_max in the table; state_table_put must
 * follow: the key has gone by the buckets before it. */
uint64_t *state_table_room(struct state_table *table, uint64_t hash);
void state_table_put(uint64_t *slot, uint64_t hash, item_ref ref);
void state_table_replace(uint64_t *slot, item_ref ref);
void state_table_remove(struct state_table *table, uint64_t hash, uint64_t *slot);

/* The slot that holds `ref`. */
uint64_t *state_table_slot_of(const struct state_table *table, uint64_t hash, item_ref ref);

static inline void state_table_prefetch(const struct state_table *table, uint64_t hash)
{
    __builtin_prefetch(&table->bucket[hash & table->mask]);
}

/* The second step, once the bucket's line has come: items whose tags match in the home bucket. */
void state_table_prefetch_item(const struct state_table *table, uint64_t hash);

static inline uint64_t table_slot_word(uint64_t hash, item_ref ref)
{
    return hash >> ITEM_REF_BITS << ITEM_REF_BITS | ref;
}

static inline item_ref table_slot_ref(uint64_t word)
{
    return word & ((UINT64_C(1) << ITEM_REF_BITS) - 1);
}

#endif
