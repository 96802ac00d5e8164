/* wal.h: the write-ahead log of a lane: a storage (storage.h) that keeps what it is given.
 *
 * Shape: all groups of the lane share one file of segments (docs/log-format.md). submit copies
 *   entries and hard states into an open batch; poll takes back what is durable, seals the open
 *   batch and begins it when fewer than `in_flight` are out. What comes while they are out shares
 *   the next one: group commit without waiting for company.
 *
 *   submit ─► [open batch] ─ seal ─► [in flight] [in flight] ─► stored seq, in order
 *                 ▲ copy, once           unchangeable
 *
 *   segments   | free | oldest: still needed ... | newest: written | free |     a ring
 *
 *   Once every entry of the oldest segment is released or replaced, and a write that says so is
 *   durable, the segment is free again. Only the oldest goes: an idle group that does not release
 *   keeps all behind it (wal_pinned_by). When less than two segments are free the storage is
 *   `full`: the owner refuses proposals and appends. With less than one, submit takes nothing that
 *   adds entries to a log, only what may lead to room: releases, replacements, hard states.
 *
 *   Opening reads the log back and judges it; wal_recover and wal_recover_entry then tell what was
 *   there, until wal_recovered. A damaged group (see the page) is reported as such at each opening
 *   until wal_matched.
 * Memory: the caller's region, wal_footprint bytes; batches are in it. While opening, the live part
 *   of the log is held in memory of its own, until wal_recovered or wal_close. The file is lent.
 * Threads: submit, poll, release: the persist room. bind, matched: control's, one at a time, also
 *   while the lane runs. open, recover, recovered, close: while it does not. The looks of
 *   storage.h: any.
 * Time: nanoseconds come in. Chance: config.nonce.
 * Limits: WAL_GROUPS_MAX groups per lane; segment_bytes a multiple of a block, at least twice the
 *   largest write; 4 to WAL_SEGMENTS_MAX segments; batch_bytes a multiple of a block up to 1 MiB;
 *   in_flight 1 or 2. An entry larger than batch_bytes makes a batch of its own.
 * Refusals: wal_refusals.def when opening; submit takes fewer when batches or space are used up;
 *   a failed write is fail-stop: nothing is stored from then on, and nothing taken.
 * Cost: one copy and one checksum per byte; no system call but the file's; opening reads every
 *   live segment once. Measured by `quorate-bench log`.
 */
#ifndef DATAPLANE_LOG_WAL_H
#define DATAPLANE_LOG_WAL_H

#include "dataplane/log/storage.h"
#include "dataplane/log/wal_file.h"

#define WAL_GROUPS_MAX    64u
#define WAL_SEGMENTS_MAX  65536u
#define WAL_IN_FLIGHT_MAX 2u

enum wal_refusal {
    WAL_OPENED = 0,
#define WAL_REFUSAL(name, sentence) WAL_REFUSED_##name,
#include "dataplane/log/wal_refusals.def"
#undef WAL_REFUSAL
    WAL_REFUSAL_COUNT
};
const char *wal_refusal_sentence(enum wal_refusal refusal);

struct wal_config {
    uint64_t cluster; /* 0: not known yet */
    uint64_t nonce;   /* of a log that is made now; random */
    bool nonce_known; /* a log with another nonce is refused */
    bool made;        /* a blank one is refused */
    uint64_t segment_bytes;
    uint32_t segments;
    uint32_t batch_bytes;    /* of a group commit; 64 to 256 KiB are worth it */
    uint32_t body_bytes_max; /* of an entry */
    uint32_t in_flight;
    uint16_t group_count; /* of the node, over all lanes */
    uint16_t node;
    uint8_t lane;
    uint8_t lanes;
    struct wal_file *file;
};
void wal_config_defaults(struct wal_config *config); /* all but cluster, nonce, node, file */

size_t wal_footprint(const struct wal_config *config); /* 0: not acceptable */

/* NULL: refused. Makes the log when the file is blank, else reads it back; counts the start. */
struct storage *wal_open(void *memory, const struct wal_config *config, enum wal_refusal *refusal);
/* Waits for what is in flight. What was submitted and not begun is forgotten, as in a crash. The
 * file stays the caller's. */
void wal_close(struct storage *);

/* lane_config's callbacks; domain: the storage. wal_recover is false for a log that was just
 * made. */
bool wal_recover(void *domain, uint16_t group, struct storage_recovered *recovered);
const struct wire_entry *wal_recover_entry(void *domain, uint16_t group, uint64_t index);
/* All groups have taken what is theirs: the memory goes back. */
void wal_recovered(struct storage *);

/* Writes the cluster's id into a log that bears none. False: it bears another, or can not be
 * written. */
bool wal_bind(struct storage *, uint64_t cluster);
/* The log of a damaged group was matched with a leader's: it may vote from now on. False: could not
 * be written. */
bool wal_matched(struct storage *, uint16_t group);

/* The group whose entries keep the oldest segment; false: none does. */
bool wal_pinned_by(const struct storage *, uint16_t *group);

#endif
