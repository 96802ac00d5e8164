/* recovery.h: what the judgement of a log and the walk along it share. For this folder alone.
 *
 * Shape: judge.c says of each place what stands there; recover.c walks, takes what follows on, and
 *   tells what was there. Memory: segments as they are read, tables, by malloc: recover_free.
 * Threads: one. Time: none. Limits: those of wal.h. Refusals: `refusal`, the first one counts.
 * Cost: one pass over the live segments, one more over what lies behind the end.
 */
#ifndef DATAPLANE_LOG_RECOVERY_H
#define DATAPLANE_LOG_RECOVERY_H

#include "dataplane/log/wal_internal.h"

enum judge_verdict { WRITE_ABSENT, WRITE_WHOLE, WRITE_DAMAGED };

/* Entry origin + i is entry[i]; NULL: it is missing. They lie in the segments read. */
struct recovered_group {
    const struct wire_entry **entry;
    uint64_t origin; /* 0: no entries */
    uint64_t count;
    uint64_t room;
    uint64_t commit; /* as the records say */
    uint64_t sound;  /* the same, of records before anything was found missing */
};

struct start {
    uint64_t segment;
    struct format_head head;
    bool is_write; /* the place begins with a head that opens a segment */
};

struct wal_recovery {
    struct wal *wal;
    struct start *start; /* per place of a segment */
    uint8_t **bytes;     /* per place: the segment, once read */
    enum wal_refusal refusal;
    uint64_t last;     /* number of the last write that was taken */
    uint64_t expected; /* what follows is at least this */
    uint64_t highest;  /* number seen in any whole sector */
    uint32_t chain;
    bool any;     /* what follows need not follow on */
    bool missing; /* something is, before this place */
    uint64_t damaged;
    uint32_t gap_count;
    struct format_gap gap[FORMAT_GAPS_MAX]; /* what stands behind them can be read */
    struct recovered_group group[WAL_GROUPS_MAX];
};

/* Keeps the first refusal. Returns false. */
bool judge_refuse(struct wal_recovery *, enum wal_refusal refusal);

/* Which segment begins in which place. */
bool judge_starts(struct wal_recovery *);
/* NULL: the segment does not begin anywhere. */
const struct start *judge_start(const struct wal_recovery *, uint64_t segment);

/* The write at this place, if it is one of those to come. head->sectors 0: its head can not be
 * read. */
enum judge_verdict judge_write(struct wal_recovery *, uint64_t segment, uint64_t offset,
                               struct format_head *head);
/* Had the write that is missing at this place been reported as stored? */
bool judge_lost(struct wal_recovery *, uint64_t segment, uint64_t offset);

static inline uint64_t judge_place(const struct wal_recovery *mine, uint64_t segment)
{
    return segment % mine->wal->config.segments;
}

/* Is the place of the segment behind this one free for it? */
static inline bool judge_has_next(const struct wal_recovery *mine, uint64_t segment)
{
    return segment + 1 - mine->wal->oldest < mine->wal->config.segments;
}

#endif
