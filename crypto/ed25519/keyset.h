/* keyset.h: what a base and a keyset are made of, for the files of this folder.
 *
 * Shape: flat regions; a keyset is its header, the slots, then the tables. A slot is published by
 * storing its state with release order after its table is complete. Memory, threads, time, limits,
 * refusals, cost: ed25519.h.
 */
#ifndef CRYPTO_ED25519_KEYSET_H
#define CRYPTO_ED25519_KEYSET_H

#include "crypto/ed25519/ed25519.h"

#include <stdatomic.h>

struct ed25519_base {
    enum ed25519_backend backend;
    uint32_t window;
    uint8_t *table;
    uint64_t *sign_table; /* sign.h */
};

/* CHOSEN: its key is known, its table is not built yet. */
enum ed25519_slot_state {
    ED25519_SLOT_FREE = 0,
    ED25519_SLOT_CHOSEN,
    ED25519_SLOT_LIVE,
    ED25519_SLOT_RETIRED
};

struct ed25519_slot {
    _Atomic uint32_t state;
    uint8_t key[ED25519_KEY_BYTES];
};

struct ed25519_keyset {
    const struct ed25519_base *base;
    uint32_t capacity;
    uint32_t window;
    size_t table_bytes;
    struct ed25519_slot *slot;
    uint8_t *tables;
    uint64_t refused[ED25519_REFUSALS];
};

static inline const uint8_t *keyset_table(const struct ed25519_keyset *keyset, uint32_t slot)
{
    return keyset->tables + slot * keyset->table_bytes;
}

/* Adding a key in two steps: judge it and take a slot; then, on whichever thread, build its table
 * and make it live. Refusals: as keyset_add, but the caller counts them; KNOWN, and no slot, if its
 * table is being built. */
CHECK_RESULT enum ed25519_refusal keyset_choose(struct ed25519_keyset *keyset, const uint8_t *key,
                                                uint32_t *slot);
void keyset_build(struct ed25519_keyset *keyset, uint32_t slot);

/* Whether the 32 bytes, sign bit aside, are among libsodium's seven forbidden encodings: of points
 * whose order divides 8, canonical or not. */
bool ed25519_small_order(const uint8_t bytes[32]);

#endif
