/* disk.h: a node's storage: the real write-ahead log (dataplane/log/wal.h) on a simulated disk
 * (platter.h), and what the witness has to know of both.
 *
 * Shape: what is handed in passes through to the log. Of each group two images are kept, entries by
 *   their hashes: as written, and as reported to be stored. A start reads the log back: what had
 *   been reported must be there, or the log must say that it is damaged.
 *
 *   submit ─► image as written ─► waiting ─► image as durable ◄─ compared ─ recovery
 *                    └─► wal ─► platter ─────────► poll ┘                      │
 *                                   └──────────── crash, damage ─► wal_open ───┘
 *
 * Memory: grows by malloc. Threads: one. Time: virtual. Limits: SIM_WAL_BYTES_MAX of log.
 * Refusals: violation (report.h). Cost: two hashes per entry; not measured.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "dataplane/log/wal.h"
#include "tests/sim/world.h"

struct platter;

/* One group's log, entries 1 ... last. `chain` hashes an entry and all before it. */
struct disk_log {
    uint64_t last;
    uint64_t room;
    uint64_t *term;
    uint64_t *chain;
    uint64_t hard_term;
    uint16_t hard_vote;
    bool damaged; /* recovery said so: what it lacks it may have held */
};

struct disk;

struct disk *disk_open(struct world *, uint32_t node);
void disk_close(struct disk *);
struct platter *disk_platter(struct disk *);

/* Opens the log, for lane_config; after lane_recover, disk_started. NULL: the disk balked. */
struct storage *disk_start(struct disk *);
void *disk_recovery(struct disk *); /* the domain of wal_recover and wal_recover_entry */
void disk_started(struct disk *);
void disk_crash(struct disk *);

uint64_t disk_next_ns(const struct disk *); /* when the next write is durable */
void disk_fill(struct disk *, bool full);   /* takes nothing that adds entries */
/* Handed to it, but not taken yet: the lane's log is ahead of what was written. */
bool disk_refuses(const struct disk *);

const struct disk_log *disk_written(const struct disk *, uint16_t group);
const struct disk_log *disk_durable(const struct disk *, uint16_t group);

#endif
