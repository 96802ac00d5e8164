/* exhaustive_store.h: byte strings kept once each, and numbers kept by keys.
 *
 * Shape: a store gives each new string the next number, from 0; equal strings have equal numbers:
 *   nothing rests on hashes alone. A map gives each new key a place that holds 0 at first.
 *   Differences: what differs from a template that both sides have, with a tag in front.
 * Memory: malloc'd, doubled when full. Pointers are valid until the next put.
 * Threads: one. Time: none. Limits: 2^32 - 2 strings or keys, 64 KiB per difference.
 * Refusals: none; running out of memory aborts. Cost: O(bytes).
 */
#ifndef TESTS_SIM_EXHAUSTIVE_STORE_H
#define TESTS_SIM_EXHAUSTIVE_STORE_H

#include "numa/base/types.h"

struct exhaustive_store;

struct exhaustive_store *exhaustive_store_new(void);
void exhaustive_store_free(struct exhaustive_store *store);
uint32_t exhaustive_store_put(struct exhaustive_store *store, const uint8_t *data, uint32_t bytes);
const uint8_t *exhaustive_store_get(const struct exhaustive_store *store, uint32_t number,
                                    uint32_t *bytes);
uint32_t exhaustive_store_count(const struct exhaustive_store *store);
uint64_t exhaustive_store_bytes(const struct exhaustive_store *store);

/* bytes: a multiple of 8; data and template aligned to 8. */
uint32_t exhaustive_store_put_difference(struct exhaustive_store *store, uint8_t tag,
                                         const void *data, const void *template, uint32_t bytes);
void exhaustive_store_get_difference(const struct exhaustive_store *store, uint32_t number,
                                     void *data, const void *template, uint32_t bytes);

struct exhaustive_map;

struct exhaustive_map *exhaustive_map_new(void);
void exhaustive_map_free(struct exhaustive_map *map);
/* Valid until the next call. */
uint32_t *exhaustive_map_at(struct exhaustive_map *map, uint64_t key);
uint64_t exhaustive_map_count(const struct exhaustive_map *map);
uint64_t exhaustive_map_bytes(const struct exhaustive_map *map);

#endif
