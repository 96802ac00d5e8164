/* log.h: one group's entries in memory: a byte ring of records in their wire layout, and their
 * index.
 *
 * Shape: records are written at the head; the tail moves over what may be forgotten. An index ring
 * maps entry index to record. A slot for a large entry can be reserved before its index is known
 * and be filled piece by piece in place; it is adopted or abandoned later. A record that does not
 * fit before the end of the ring starts at its beginning again. Truncation forgets indexes; while
 * half of the ring is free it leaves the bytes alone. A reader that still holds an old (index,
 * term) sees by the record's own header that it is not the one.
 *
 *    tail ──► [rec][rec][dead][reserved....][rec][rec] ──► head
 *              ▲ index ring: index & mask ─► offset
 *
 * Memory: one flat region of the caller, log_footprint bytes. Threads: one writer (order); readers
 *   on other cores (apply, seal) may look up entries at or below what a ring told them and not yet
 *   released.
 * Time: none. Limits: `bytes` a power of two >= 4 * WIRE_BODY_BYTES_MAX; entries_max a power of
 * two.
 * Refusals: append and reserve return NULL / false when the bytes between the release bound and the
 *   head would not fit: the caller takes fewer. Cost: one copy per entry; O(1) look-up; measured:
 *   not measured.
 */
#ifndef DATAPLANE_LOG_LOG_H
#define DATAPLANE_LOG_LOG_H

#include "protocols/wire/wire.h"

struct log;

struct log_config {
    uint16_t group;
    uint64_t bytes;
    uint32_t entries_max;
    uint64_t first_index; /* of the next entry to come; 1 for a fresh log */
};

size_t log_footprint(const struct log_config *config); /* 0: not acceptable */
struct log *log_init(void *memory, const struct log_config *config);

/* Space for entry `index` (last + 1, or lower: truncates first). The caller fills the header's
 * remaining fields and the body; index, group and body_bytes are set. NULL: no room. */
struct wire_entry *log_append(struct log *, uint64_t index, uint32_t body_bytes);

/* A run of entries as received, numbered index, index + 1, ...; truncates first where it overlaps.
 * False: no room, nothing changed. */
bool log_append_run(struct log *, uint64_t index, const uint8_t *entries, uint32_t count,
                    uint32_t bytes);

/* Would a run of `bytes` in `count` entries fit now, everything up to the release bound forgotten?
 * True also promises room for its parts one after the other, and for a run that truncates first. At
 * most half of the ring fits. */
bool log_fits(const struct log *, uint32_t count, uint64_t bytes);

/* NULL: not (or no longer) in memory. */
const struct wire_entry *log_entry(const struct log *, uint64_t index);

/* Copies [index, index + count) as one run; the last entry must be of `last_term` (by log matching
 * then all are the right ones). Returns the bytes copied; 0: something is missing, replaced or
 * larger than capacity, or the writer truncated meanwhile, wherever that was: ask again. */
uint32_t log_copy(const struct log *, uint64_t index, uint32_t count, uint64_t last_term,
                  uint8_t *to, uint32_t capacity);

/* Entries <= index may be forgotten when room is needed (applied here, and nobody reads them). */
void log_release(struct log *, uint64_t index);

/* A snapshot up to `index` has taken the place of all entries: what comes next is index + 1. Slots
 * stay. The index is not below what is released. */
void log_restart(struct log *, uint64_t index);

uint64_t log_first_index(const struct log *); /* oldest in memory; last + 1 when empty */
uint64_t log_last_index(const struct log *);
uint64_t log_bytes_used(const struct log *);

/* ---- reserved slots, for messages that arrive in pieces -------------------------------------- */

/* 8-aligned room of `bytes`; NULL: no room. At most LOG_SLOTS_MAX at a time. */
#define LOG_SLOTS_MAX 64u
uint8_t *log_reserve(struct log *, uint32_t bytes);
/* The entry whose header lies at slot + offset (already filled, but for index and group) becomes
 * entry `index` (last + 1, or lower: truncates first). */
bool log_adopt(struct log *, uint8_t *slot, uint32_t offset, uint64_t index);
void log_abandon(struct log *, uint8_t *slot);
/* The slot that lies before all that is needed, so that the tail can not pass it; NULL: none is in
 * the way. */
uint8_t *log_slot_in_the_way(const struct log *);

#endif
