#include "crypto/ed25519/keyset.h"

#include "crypto/ed25519/sign.h"
#include "crypto/ed25519/table.h"
#include "numa/base/assert.h"
#include "numa/base/layout.h"

#include <sodium.h>

/* Tables that are built in less than 1 ms: in lanes, and entry by entry. */
#define WINDOW_MAX_LANES 10u
#define WINDOW_MAX_ALONE 7u

/* y of the points whose order divides 8: 0, 1, those of order 8, -1; then p and p + 1, which are 0
 * and 1 again. */
static const uint64_t small_orders[7][4] = {
    {0, 0, 0, 0},
    {1, 0, 0, 0},
    {UINT64_C(0xb027b2c28f95e826), UINT64_C(0xf098eff289f4c345), UINT64_C(0x3933c6d305acdfd5),
     UINT64_C(0x05fc536d880238b1)},
    {UINT64_C(0x4fd84d3d706a17c7), UINT64_C(0x0f67100d760b3cba), UINT64_C(0xc6cc392cfa53202a),
     UINT64_C(0x7a03ac9277fdc74e)},
    {UINT64_C(0xffffffffffffffec), UINT64_MAX, UINT64_MAX, UINT64_MAX >> 1},
    {UINT64_C(0xffffffffffffffed), UINT64_MAX, UINT64_MAX, UINT64_MAX >> 1},
    {UINT64_C(0xffffffffffffffee), UINT64_MAX, UINT64_MAX, UINT64_MAX >> 1},
};

bool ed25519_small_order(const uint8_t bytes[32])
{
    uint64_t top = load_u64(bytes + 24) & UINT64_MAX >> 1;
    for (size_t i = 0; i < COUNT_OF(small_orders); i++) {
        const uint64_t *y = small_orders[i];
        if (load_u64(bytes) == y[0] && load_u64(bytes + 8) == y[1] &&
            load_u64(bytes + 16) == y[2] && top == y[3])
            return true;
    }
    return false;
}

/* y below p, sign bit aside. */
static bool canonical(const uint8_t key[ED25519_KEY_BYTES])
{
    return (load_u64(key + 24) & UINT64_MAX >> 1) != UINT64_MAX >> 1 ||
           load_u64(key + 16) != UINT64_MAX || load_u64(key + 8) != UINT64_MAX ||
           load_u64(key) < UINT64_C(0xffffffffffffffed);
}

const char *ed25519_refusal_sentence(enum ed25519_refusal refusal)
{
    static const char *const sentences[] = {
        "the key has a slot now",
#define REFUSAL(name, sentence) sentence,
#include "crypto/ed25519/refusals.def"
#undef REFUSAL
    };
    ENSURE((size_t)refusal < COUNT_OF(sentences));
    return sentences[refusal];
}

/* ---- the base point -------------------------------------------------------------------------- */

struct base_parts {
    size_t table, sign_table, bytes;
};

static struct base_parts base_walk(uint32_t window)
{
    struct layout layout = {0};
    struct base_parts parts;
    (void)layout_add(&layout, sizeof(struct ed25519_base));
    parts.table = layout_add(&layout, ed25519_table_bytes(window));
    parts.sign_table = layout_add(&layout, SIGN_TABLE_BYTES);
    parts.bytes = layout.bytes;
    return parts;
}

static bool has_width(uint32_t window)
{
    return window >= ED25519_WINDOW_MIN && window <= ED25519_WINDOW_MAX;
}

size_t ed25519_base_footprint(uint32_t window)
{
    return has_width(window) ? base_walk(window).bytes : 0;
}

struct ed25519_base *ed25519_base_init(void *memory, uint32_t window, enum ed25519_backend backend)
{
    ENSURE(has_width(window) && (uintptr_t)memory % CACHE_LINE_BYTES == 0);
    ENSURE(ed25519_backend_runs(backend));
    struct base_parts parts = base_walk(window);
    struct ed25519_base *base = memory;
    base->backend = backend;
    base->window = window;
    base->table = (uint8_t *)memory + parts.table;
    base->sign_table = (uint64_t *)(void *)((uint8_t *)memory + parts.sign_table);
    uint8_t bytes[32] = {0};
    const uint8_t one[32] = {1};
    struct point point;
    ENSURE(crypto_scalarmult_ed25519_base_noclamp(bytes, one) == 0);
    ENSURE(ed25519_point_decompress(&point, bytes));
    ed25519_table_build(base->table, window, &point, backend);
    ed25519_sign_table_build(base->sign_table, &point);
    return base;
}

/* ---- a keyset -------------------------------------------------------------------------------- */

struct keyset_parts {
    size_t slot, tables, bytes;
};

size_t ed25519_table_bytes(uint32_t window)
{
    return has_width(window)
               ? round_up((size_t)table_entries(window) * POINT_ENTRY_BYTES, CACHE_LINE_BYTES)
               : 0;
}

static struct keyset_parts keyset_walk(uint32_t capacity, uint32_t window)
{
    struct layout layout = {0};
    struct keyset_parts parts;
    (void)layout_add(&layout, sizeof(struct ed25519_keyset));
    parts.slot = layout_add(&layout, capacity * sizeof(struct ed25519_slot));
    parts.tables = layout_add(&layout, capacity * ed25519_table_bytes(window));
    parts.bytes = layout.bytes;
    return parts;
}

uint32_t ed25519_keyset_window(enum ed25519_backend backend, uint32_t capacity, size_t budget_bytes)
{
    uint32_t widest = backend == ED25519_IFMA ? WINDOW_MAX_LANES : WINDOW_MAX_ALONE;
    for (uint32_t window = widest; window >= ED25519_WINDOW_MIN; window--) {
        if (capacity != 0 && capacity <= budget_bytes / ed25519_table_bytes(window))
            return window;
    }
    return 0;
}

size_t ed25519_keyset_footprint(uint32_t capacity, uint32_t window)
{
    if (capacity == 0 || capacity == ED25519_SLOT_NONE || !has_width(window) ||
        capacity > SIZE_MAX / 2 / ed25519_table_bytes(window))
        return 0;
    return keyset_walk(capacity, window).bytes;
}

struct ed25519_keyset *ed25519_keyset_init(void *memory, const struct ed25519_base *base,
                                           uint32_t capacity, uint32_t window)
{
    ENSURE(ed25519_keyset_footprint(capacity, window) != 0);
    ENSURE((uintptr_t)memory % CACHE_LINE_BYTES == 0);
    struct keyset_parts parts = keyset_walk(capacity, window);
    struct ed25519_keyset *keyset = memory;
    *keyset = (struct ed25519_keyset){
        .base = base,
        .capacity = capacity,
        .window = window,
        .table_bytes = ed25519_table_bytes(window),
        .slot = (struct ed25519_slot *)(void *)((uint8_t *)memory + parts.slot),
        .tables = (uint8_t *)memory + parts.tables,
    };
    for (uint32_t i = 0; i < capacity; i++)
        atomic_init(&keyset->slot[i].state, ED25519_SLOT_FREE);
    return keyset;
}

static uint32_t state_of(const struct ed25519_keyset *keyset, uint32_t slot)
{
    return atomic_load_explicit(&keyset->slot[slot].state, memory_order_acquire);
}

/* The key's live slot, or NONE; *building: it has a slot whose table is not there yet. */
static uint32_t look_up(const struct ed25519_keyset *keyset, const uint8_t *key, bool *building)
{
    *building = false;
    for (uint32_t i = 0; i < keyset->capacity; i++) {
        uint32_t state = state_of(keyset, i);
        if ((state != ED25519_SLOT_LIVE && state != ED25519_SLOT_CHOSEN) ||
            memcmp(keyset->slot[i].key, key, ED25519_KEY_BYTES) != 0)
            continue;
        *building = state == ED25519_SLOT_CHOSEN;
        return *building ? ED25519_SLOT_NONE : i;
    }
    return ED25519_SLOT_NONE;
}

uint32_t ed25519_keyset_find(const struct ed25519_keyset *keyset,
                             const uint8_t key[ED25519_KEY_BYTES])
{
    bool building;
    return look_up(keyset, key, &building);
}

enum ed25519_refusal ed25519_key_judge(const uint8_t key[ED25519_KEY_BYTES])
{
    struct point point;
    if (!canonical(key))
        return ED25519_NONCANONICAL;
    if (ed25519_small_order(key))
        return ED25519_SMALL_ORDER;
    return ed25519_point_decompress(&point, key) ? ED25519_ADDED : ED25519_NO_POINT;
}

static enum ed25519_refusal judge(const struct ed25519_keyset *keyset, const uint8_t *key,
                                  uint32_t *slot)
{
    bool building;
    *slot = look_up(keyset, key, &building);
    if (*slot != ED25519_SLOT_NONE || building)
        return ED25519_KNOWN;
    enum ed25519_refusal refusal = ed25519_key_judge(key);
    if (refusal != ED25519_ADDED)
        return refusal;
    for (uint32_t i = 0; i < keyset->capacity; i++) {
        if (state_of(keyset, i) == ED25519_SLOT_FREE) {
            *slot = i;
            return ED25519_ADDED;
        }
    }
    return ED25519_FULL;
}

enum ed25519_refusal keyset_choose(struct ed25519_keyset *keyset, const uint8_t *key,
                                   uint32_t *slot)
{
    *slot = ED25519_SLOT_NONE;
    enum ed25519_refusal refusal = judge(keyset, key, slot);
    if (refusal != ED25519_ADDED)
        return refusal;
    memcpy(keyset->slot[*slot].key, key, ED25519_KEY_BYTES);
    atomic_store_explicit(&keyset->slot[*slot].state, ED25519_SLOT_CHOSEN, memory_order_relaxed);
    return ED25519_ADDED;
}

void keyset_build(struct ed25519_keyset *keyset, uint32_t slot)
{
    ENSURE(slot < keyset->capacity && state_of(keyset, slot) == ED25519_SLOT_CHOSEN);
    struct point point;
    ENSURE(ed25519_point_decompress(&point, keyset->slot[slot].key)); /* as when it was chosen */
    ed25519_point_negate(&point, &point);
    ed25519_table_build(keyset->tables + slot * keyset->table_bytes, keyset->window, &point,
                        keyset->base->backend);
    atomic_store_explicit(&keyset->slot[slot].state, ED25519_SLOT_LIVE, memory_order_release);
}

enum ed25519_refusal ed25519_keyset_add(struct ed25519_keyset *keyset,
                                        const uint8_t key[ED25519_KEY_BYTES], uint32_t *slot)
{
    enum ed25519_refusal refusal = keyset_choose(keyset, key, slot);
    keyset->refused[refusal]++;
    if (refusal == ED25519_ADDED)
        keyset_build(keyset, *slot);
    return refusal;
}

void ed25519_keyset_retire(struct ed25519_keyset *keyset, uint32_t slot)
{
    ENSURE(slot < keyset->capacity && state_of(keyset, slot) == ED25519_SLOT_LIVE);
    atomic_store_explicit(&keyset->slot[slot].state, ED25519_SLOT_RETIRED, memory_order_release);
}

void ed25519_keyset_reclaim(struct ed25519_keyset *keyset, uint32_t slot)
{
    ENSURE(slot < keyset->capacity && state_of(keyset, slot) == ED25519_SLOT_RETIRED);
    atomic_store_explicit(&keyset->slot[slot].state, ED25519_SLOT_FREE, memory_order_release);
}

const uint8_t *ed25519_keyset_key(const struct ed25519_keyset *keyset, uint32_t slot)
{
    ENSURE(slot < keyset->capacity && state_of(keyset, slot) != ED25519_SLOT_FREE);
    return keyset->slot[slot].key;
}

uint64_t ed25519_keyset_refused(const struct ed25519_keyset *keyset, enum ed25519_refusal refusal)
{
    ENSURE(refusal < ED25519_REFUSALS);
    return keyset->refused[refusal];
}
