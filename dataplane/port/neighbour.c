#include "dataplane/port/neighbour.h"

#include "dataplane/port/open.h"

#include <string.h>

static struct neighbour *set_of(struct neighbour_table *table, uint32_t ip)
{
    return table->entry[(ip * 0x9e3779b1u) >> 26];
}
_Static_assert(NEIGHBOUR_SETS == 1u << (32 - 26), "the hash's upper bits number the sets");

static struct neighbour *entry_of(struct neighbour_table *table, uint32_t ip)
{
    struct neighbour *set = set_of(table, ip);
    for (uint32_t way = 0; way < NEIGHBOUR_WAYS; way++)
        if (set[way].ip == ip && set[way].state != NEIGHBOUR_ABSENT)
            return &set[way];
    return NULL;
}

/* Forgets the entry of the set that has been of use least recently; NULL: all are fixed. */
static struct neighbour *entry_make(struct neighbour_table *table, uint32_t ip)
{
    struct neighbour *set = set_of(table, ip);
    struct neighbour *victim = NULL;
    for (uint32_t way = 0; way < NEIGHBOUR_WAYS; way++) {
        struct neighbour *entry = &set[way];
        if (entry->state == NEIGHBOUR_ABSENT) {
            victim = entry;
            break;
        }
        if (entry->state == NEIGHBOUR_FIXED)
            continue;
        if (victim == NULL || max_u64(entry->confirmed_ns, entry->asked_ns) <
                                  max_u64(victim->confirmed_ns, victim->asked_ns))
            victim = entry;
    }
    if (victim != NULL)
        *victim = (struct neighbour){.ip = ip};
    return victim;
}

const uint8_t *neighbour_resolve(struct neighbour_table *table, uint32_t ip, uint64_t now_ns,
                                 bool *ask)
{
    *ask = false;
    struct neighbour *entry = entry_of(table, ip);
    if (LIKELY(entry != NULL)) {
        if (entry->state == NEIGHBOUR_FIXED)
            return entry->mac;
        if (LIKELY(entry->state == NEIGHBOUR_KNOWN &&
                   now_ns - entry->confirmed_ns < NEIGHBOUR_FRESH_NS))
            return entry->mac;
        *ask = now_ns - entry->asked_ns >= NEIGHBOUR_ASK_NS;
        if (entry->state == NEIGHBOUR_KNOWN && now_ns - entry->confirmed_ns >= NEIGHBOUR_STALE_NS)
            entry->state = NEIGHBOUR_ASKED;
    } else {
        entry = entry_make(table, ip);
        if (entry == NULL)
            return NULL;
        entry->state = NEIGHBOUR_ASKED;
        *ask = true;
    }
    if (*ask)
        entry->asked_ns = now_ns;
    return entry->state == NEIGHBOUR_KNOWN ? entry->mac : NULL;
}

bool neighbour_learn(struct neighbour_table *table, uint32_t ip, const uint8_t mac[6], bool make,
                     uint64_t now_ns)
{
    struct neighbour *entry = entry_of(table, ip);
    if (entry == NULL && make)
        entry = entry_make(table, ip);
    if (entry == NULL || entry->state == NEIGHBOUR_FIXED)
        return false;
    memcpy(entry->mac, mac, 6);
    entry->state = NEIGHBOUR_KNOWN;
    entry->confirmed_ns = now_ns;
    entry->asked_ns = now_ns;
    return true;
}

bool neighbour_fix(struct neighbour_table *table, uint32_t ip, const uint8_t mac[6])
{
    struct neighbour *entry = entry_of(table, ip);
    if (entry == NULL)
        entry = entry_make(table, ip);
    if (entry == NULL)
        return false;
    memcpy(entry->mac, mac, 6);
    entry->state = NEIGHBOUR_FIXED;
    return true;
}

const uint8_t *neighbour_find(const struct neighbour_table *table, uint32_t ip)
{
    const struct neighbour *entry = entry_of((struct neighbour_table *)(uintptr_t)table, ip);
    return entry != NULL && entry->state != NEIGHBOUR_ASKED ? entry->mac : NULL;
}
