/* storage.h: where promises become durable. The persist room submits, the backend says up to which
 * number.
 *
 * Shape: one storage per lane, shared by its groups; numbers rise and never repeat. Two backends:
 *   `volatile` has stored everything at once and says aloud that it has stored nothing; the
 *   write-ahead log (wal.h) keeps it. The simulator links its own.
 *   Entries are read from `logs` when they are submitted, not copied before. With rooms on several
 *   cores, order may by then have truncated and rewritten the entries that an older write names: a
 *   backend stores the log as it finds it, which a later write's `first` covers again.
 * Memory: the caller's region. Threads: the persist room's core; the looks: any. Time: `now_ns` of
 *   the lane's monotonic clock; ages are measured between turns.
 * Limits: none of its own. Refusals: submit takes fewer, the rest is offered again;
 *   storage_failed is fail-stop: no vote leaves again. storage_full: refuse proposals, serve reads;
 *   it ends when room is made. Cost: volatile: O(1).
 */
#ifndef DATAPLANE_LOG_STORAGE_H
#define DATAPLANE_LOG_STORAGE_H

#include "dataplane/log/log.h"

struct storage;

struct storage_write {
    uint64_t seq;
    uint64_t term;  /* hard state, always filled */
    uint64_t first; /* entries to write, 0: none */
    uint64_t last;
    uint64_t commit; /* entries up to here are known to be committed */
    uint16_t group;
    uint16_t vote;
    bool hard_state_changed;
    bool release; /* the lane's own, on its way to storage_release: last and term, nothing else */
};

/* Takes writes in order and returns how many it took. */
uint32_t storage_submit(struct storage *, const struct storage_write *writes, uint32_t count,
                        struct log *const *logs, uint64_t now_ns);
uint64_t storage_poll(struct storage *, uint64_t now_ns); /* highest number durable so far */

/* Entries of the group up to `index`, which is of `term`, will never be asked for again: a snapshot
 * that is durable holds them. */
void storage_release(struct storage *, uint16_t group, uint64_t index, uint64_t term);

/* ---- recovery -------------------------------------------------------------------------------- */

/* What survived of a group. Entries [first, last] follow one by one. */
struct storage_recovered {
    uint64_t term;
    uint64_t boots; /* how often this incarnation has started before: frame numbers go on above */
    uint64_t first; /* first entry that is kept; those before were released */
    uint64_t last;  /* first - 1: none */
    uint64_t previous_term; /* of entry first - 1 */
    uint64_t commit;        /* up to here, and not beyond last, they had been committed */
    uint16_t vote;
    bool damaged; /* something that had been reported as stored is gone: no vote until matched */
};

/* ---- looks, from any thread ------------------------------------------------------------------ */

bool storage_failed(const struct storage *);
bool storage_full(const struct storage *);
const char *storage_durability(const struct storage *); /* "volatile" or "fsync" */
/* How long the oldest write that is not durable has been waiting; 0: none waits. */
uint64_t storage_age_ns(const struct storage *, uint64_t now_ns);

/* Four steps per doubling, from 1 us on. */
#define STORAGE_AGES 96u
struct storage_report {
    const char *backend; /* the calls that are used: "io_uring", ... */
    int error;           /* of the write that failed; 0: none did */
    uint64_t writes;     /* durable since the start, and what they held */
    uint64_t write_bytes;
    uint64_t records;
    uint64_t room_bytes;         /* free, of ... */
    uint64_t capacity_bytes;     /* ... this */
    uint64_t ages[STORAGE_AGES]; /* durable writes by the age of the oldest submission in each */
};
void storage_report(const struct storage *, struct storage_report *report);
uint32_t storage_age_step(uint64_t age_ns);  /* which of `ages` */
uint64_t storage_age_step_ns(uint32_t step); /* the ages below which a step holds */

size_t storage_volatile_footprint(void);
struct storage *storage_volatile_init(void *memory);

#endif
