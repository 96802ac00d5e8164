#include "dataplane/state/table.h"

#include "numa/base/assert.h"

_Static_assert(sizeof(struct table_bucket) == CACHE_LINE_BYTES, "a bucket is a line");

static bool same_tag(uint64_t word, uint64_t hash)
{
    return word != 0 && (word ^ hash) >> ITEM_REF_BITS == 0;
}

struct item *state_table_find(const struct state_table *table, const uint8_t *key,
                              uint32_t key_bytes, uint64_t hash, uint64_t **slot)
{
    for (uint64_t at = hash & table->mask, seen = 0; seen <= table->mask;
         at = (at + 1) & table->mask, seen++) {
        struct table_bucket *bucket = &table->bucket[at];
        for (uint32_t i = 0; i < TABLE_BUCKET_SLOTS; i++) {
            uint64_t word = __atomic_load_n(&bucket->slot[i], __ATOMIC_ACQUIRE);
            if (!same_tag(word, hash))
                continue;
            struct item *item = item_at(table->base, table_slot_ref(word));
            if (item->key_bytes != key_bytes || memcmp(item->bytes, key, key_bytes) != 0)
                continue;
            if (slot != NULL)
                *slot = &bucket->slot[i];
            return item;
        }
        if (__atomic_load_n(&bucket->passed, __ATOMIC_ACQUIRE) == 0)
            break;
    }
    return NULL;
}

uint64_t *state_table_room(struct state_table *table, uint64_t hash)
{
    for (uint64_t at = hash & table->mask, seen = 0; seen <= table->mask;
         at = (at + 1) & table->mask, seen++) {
        struct table_bucket *bucket = &table->bucket[at];
        for (uint32_t i = 0; i < TABLE_BUCKET_SLOTS; i++)
            if (bucket->slot[i] == 0)
                return &bucket->slot[i];
        __atomic_store_n(&bucket->passed, bucket->passed + 1, __ATOMIC_RELEASE);
    }
    ENSURE(false); /* keys_max keys leave three slots in seven empty */
    return NULL;
}

void state_table_put(uint64_t *slot, uint64_t hash, item_ref ref)
{
    __atomic_store_n(slot, table_slot_word(hash, ref), __ATOMIC_RELEASE);
}

void state_table_replace(uint64_t *slot, item_ref ref)
{
    __atomic_store_n(slot, table_slot_word(*slot, ref), __ATOMIC_RELEASE);
}

void state_table_remove(struct state_table *table, uint64_t hash, uint64_t *slot)
{
    __atomic_store_n(slot, 0, __ATOMIC_RELEASE);
    for (uint64_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        struct table_bucket *bucket = &table->bucket[at];
        if (slot >= bucket->slot && slot < bucket->slot + TABLE_BUCKET_SLOTS)
            return;
        ENSURE(bucket->passed > 0);
        __atomic_store_n(&bucket->passed, bucket->passed - 1, __ATOMIC_RELEASE);
    }
}

uint64_t *state_table_slot_of(const struct state_table *table, uint64_t hash, item_ref ref)
{
    for (uint64_t at = hash & table->mask, seen = 0; seen <= table->mask;
         at = (at + 1) & table->mask, seen++)
        for (uint32_t i = 0; i < TABLE_BUCKET_SLOTS; i++)
            if (table_slot_ref(table->bucket[at].slot[i]) == ref)
                return &table->bucket[at].slot[i];
    ENSURE(false); /* the caller has it from the table */
    return NULL;
}

void state_table_prefetch_item(const struct state_table *table, uint64_t hash)
{
    const struct table_bucket *bucket = &table->bucket[hash & table->mask];
    for (uint32_t i = 0; i < TABLE_BUCKET_SLOTS; i++)
        if (same_tag(bucket->slot[i], hash))
            __builtin_prefetch(item_at(table->base, table_slot_ref(bucket->slot[i])));
}
