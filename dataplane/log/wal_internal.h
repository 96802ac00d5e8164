/* wal_internal.h: what writer, recovery and opening of a log share. For this folder alone.
 *
 * Shape: recovery leaves the writer where the log ends; then the writer owns everything but `super`
 *   and `recovery`. Memory, threads, limits, refusals, cost: wal.h. Time: none.
 */
#ifndef DATAPLANE_LOG_WAL_INTERNAL_H
#define DATAPLANE_LOG_WAL_INTERNAL_H

#include "dataplane/log/format.h"
#include "dataplane/log/storage_calls.h"
#include "dataplane/log/wal.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"

#include <stdatomic.h>

/* As of the last record that was put into a batch. */
struct wal_group {
    uint64_t term;
    uint64_t last; /* entry */
    uint64_t released;
    uint64_t released_term;
    uint64_t commit; /* known to be committed */
    uint16_t vote;
    bool known;       /* has a record in the log */
    bool release_due; /* `released` has none yet */
};

struct wal_batch {
    uint8_t *bytes;
    uint64_t capacity; /* of head, records and entries */
    uint64_t used;
    uint64_t last_seq; /* all of it is in here or in earlier ones */
    uint64_t since_ns; /* its oldest submission */
    uint64_t number;
    uint64_t segment;
    uint64_t oldest;
    uint64_t groups;
    uint64_t write_bytes;
    uint32_t records;
    bool opens;
    bool done;
};

struct wal_recovery;

struct wal {
    struct storage storage;
    struct wal_config config;
    struct format_super super;
    uint64_t write_bytes_max;
    uint32_t groups_here;
    struct wal_group group[WAL_GROUPS_MAX];
    bool made; /* by this start */
    /* [segment][group]: highest entry that the segment holds. Of one that is free: none that is not
     * released. */
    uint64_t *highest;

    /* Batches [head, tail) are in flight, `tail` is the open one. */
    struct wal_batch batch[WAL_IN_FLIGHT_MAX + 1];
    uint64_t head;
    uint64_t tail;
    bool is_open;
    uint64_t partial_seq; /* submitted in part: entries before partial_next are in batches */
    uint64_t partial_next;

    /* Where the next batch goes. */
    uint64_t number;
    uint64_t previous;
    uint64_t segment;
    uint64_t offset;
    uint64_t oldest;
    uint32_t chain;
    bool opening; /* nothing lies in `segment` yet */
    bool any_release_due;

    uint64_t complete;       /* number of the last durable write */
    uint64_t durable_oldest; /* segments below may be overwritten */

    CACHE_ALIGNED _Atomic uint64_t stored; /* windows, for any thread */
    _Atomic uint64_t since_ns;
    _Atomic uint64_t room_bytes;
    _Atomic int error;
    _Atomic uint64_t writes;
    _Atomic uint64_t write_bytes;
    _Atomic uint64_t records;
    _Atomic uint64_t ages[STORAGE_AGES];

    CACHE_ALIGNED struct wal_recovery *recovery;
};

static inline uint64_t wal_place(const struct wal *wal, uint64_t segment, uint64_t offset)
{
    return FORMAT_SUPER_BYTES + segment % wal->config.segments * wal->config.segment_bytes + offset;
}

static inline uint64_t *wal_highest(struct wal *wal, uint64_t segment)
{
    return &wal->highest[segment % wal->config.segments * WAL_GROUPS_MAX];
}

/* ---- writer.c -------------------------------------------------------------------------------- */

extern const struct storage_calls writer_calls;
/* Bytes that can still be written, whole segments included. */
uint64_t writer_room(const struct wal *wal);
/* Entries [first, last] went into `segment`; what older ones hold from `first` on is replaced. */
void writer_note_entries(struct wal *wal, uint32_t slot, uint64_t segment, uint64_t first,
                         uint64_t last);
/* Waits until nothing is in flight. */
void writer_settle(struct wal *wal);

/* ---- recover.c ------------------------------------------------------------------------------- */

/* Reads the log that `wal->super` describes, and sets the writer behind its end. `*damaged` gets
 * the bits of groups that have lost something, `*first` the number that comes next. */
enum wal_refusal recover_read(struct wal *wal, uint64_t *damaged, uint64_t *first);
void recover_free(struct wal *wal);
/* False: nothing is known of the group. */
bool recover_group(const struct wal *wal, uint32_t slot, struct storage_recovered *recovered);
const struct wire_entry *recover_entry(const struct wal *wal, uint32_t slot, uint64_t index);

#endif
