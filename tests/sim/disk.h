/* disk.h: storage.h on a disk that is slow, fails, and forgets what it had not reported when the
 * power goes.
 *
 * Shape: writes wait in order and become durable flush by flush. On a crash a prefix of the waiting
 *   writes survives, by chance, and of the next one a prefix of its entries: a torn write behind
 *   checksums.
 *   What was reported as stored always survives.
 *
 *   submit ─► image as written (hashes) ─► waiting ─► image as durable (bytes) ─► poll, recovery
 *
 * Memory: grows by malloc. Threads: one. Time: virtual. Limits: none. Refusals: none.
 * Cost: two copies per entry; not measured.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "tests/sim/world.h"

/* One group's log, entries 1 ... last. `chain` hashes an entry and all before it. */
struct disk_log {
    uint64_t last;
    uint64_t room;
    uint64_t *term;
    uint64_t *chain;
    uint64_t hard_term;
    uint16_t hard_vote;
};

struct storage *disk_open(struct world *, uint32_t node);
void disk_close(struct storage *);

uint64_t disk_next_ns(const struct storage *); /* when the next write is durable */
void disk_settle(struct storage *);            /* makes durable what is due by now */
void disk_crash(struct storage *);
void disk_slow(struct storage *, uint64_t write_ns); /* 0: as usual */
void disk_fail(struct storage *); /* nothing is stored from here on, until a crash */

/* disk_durable settles first. */
const struct disk_log *disk_written(const struct storage *, uint16_t group);
const struct disk_log *disk_durable(struct storage *, uint16_t group);

/* lane_config's callbacks; domain: the storage. */
bool disk_recover(void *domain, uint16_t group, struct storage_recovered *recovered);
const struct wire_entry *disk_recover_entry(void *domain, uint16_t group, uint64_t index);

#endif
