/* neighbour.h: one lane's IPv4 neighbours on the link and their MAC addresses.
 *
 * Shape: a small set-associative table, private to one lane: no lock, no atomic. Every lane hears
 * every ARP packet (answer.c tells the others), so the tables agree within a turn or ask for
 * themselves.
 *
 *   absent ─ wanted ► asked ─ answer ► known ─ FRESH_NS ─► asked again, in use ─ STALE_NS ─► asked
 *   fixed: set by hand, never overridden, never evicted
 *
 * Memory: inside the queue. Threads: the queue's owner. Time: the caller's now_ns, never earlier
 * than before.
 * Limits: NEIGHBOUR_SETS x NEIGHBOUR_WAYS entries; a full set forgets the entry that was confirmed
 *   longest ago. One question per entry and second.
 * Refusals: an entry is not made where all ways of its set are fixed. Cost: one or two cache lines
 * a look-up.
 */
#ifndef DATAPLANE_PORT_NEIGHBOUR_H
#define DATAPLANE_PORT_NEIGHBOUR_H

#include "numa/base/types.h"

#define NEIGHBOUR_SETS   64u
#define NEIGHBOUR_WAYS   8u
#define NEIGHBOUR_ASK_NS UINT64_C(1000000000)

enum neighbour_state { NEIGHBOUR_ABSENT = 0, NEIGHBOUR_ASKED, NEIGHBOUR_KNOWN, NEIGHBOUR_FIXED };

struct neighbour {
    uint64_t confirmed_ns;
    uint64_t asked_ns;
    uint32_t ip;
    uint8_t mac[6];
    uint8_t state;
};

struct neighbour_table {
    struct neighbour entry[NEIGHBOUR_SETS][NEIGHBOUR_WAYS];
};

/* The MAC address to use, or NULL. *ask: an ARP request is due. Makes the entry if it is absent. */
const uint8_t *neighbour_resolve(struct neighbour_table *table, uint32_t ip, uint64_t now_ns,
                                 bool *ask);

/* What an ARP packet says of its sender. Returns whether it was taken. `make`: an absent entry is
 * made, too. */
bool neighbour_learn(struct neighbour_table *table, uint32_t ip, const uint8_t mac[6], bool make,
                     uint64_t now_ns);

bool neighbour_fix(struct neighbour_table *table, uint32_t ip, const uint8_t mac[6]);

/* Looks only; NULL: not resolved. */
const uint8_t *neighbour_find(const struct neighbour_table *table, uint32_t ip);

#endif
