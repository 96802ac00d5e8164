/* appends.h: were the acknowledged appends kept, once each and in order?
 *
 * Shape: after a run every list is read back whole and held against the records of the operations
 * that wrote it.
 *
 *   begin ─► list(key, bytes) for every key ─► end: what is still missing is lost
 *
 *   Order means two things: a session's appends to one list stand in the order in which it
 *   submitted them, and an append that was answered before another was submitted stands before it
 *   (real time, across sessions). An operation whose outcome stayed open may be there, once, or
 *   not.
 *
 * Memory: the oplog's `seen` marks. Threads: one. Time: none. Limits: none of its own.
 * Refusals: breaches are counted, never asserted. Cost: O(elements read + operations).
 */
#ifndef BENCH_APPENDS_H
#define BENCH_APPENDS_H

#include "bench/oplog.h"

struct appends {
    const struct oplog *log;
    uint32_t *last; /* per client: one above its last number in this list; stays between lists */
    uint32_t *stamp;
    uint32_t lists;
    uint64_t acknowledged; /* appends told OK */
    uint64_t lost;         /* ... and not there */
    uint64_t duplicates;   /* elements there more than once, or there though refused */
    uint64_t out_of_order;
    uint64_t foreign; /* bytes that no operation on this list wrote; its rest is not judged */
};

/* False: no memory. Forgets what an earlier check of the same log has seen. */
bool appends_begin(struct appends *check, const struct oplog *log);
void appends_list(struct appends *check, uint32_t key, const uint8_t *list, uint32_t list_bytes);
void appends_end(struct appends *check);

bool appends_clean(const struct appends *check);

#endif
