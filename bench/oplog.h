/* oplog.h: what every client asked and what it was told, for histories and for the check of
 * appends.
 *
 * Shape: one array of records per client; an operation's number is its place in it, and stands in
 * the value that it writes ("client:number"), so whatever is read back leads to the record of the
 * operation that wrote it.
 *
 *   begin ─► record {invoke, open} ─► end ─► {return, outcome, result} ─► oplog_write, appends.h
 *
 * Memory: allocated by oplog_create; pages are touched when used. Threads: the client core while it
 * runs, whoever waited for it afterwards. Time: nanoseconds of the caller's monotonic clock.
 * Limits: capacity operations per client. Refusals: oplog_begin returns OPLOG_FULL; the caller ends
 * its run.
 * Cost: one cache line per operation.
 */
#ifndef BENCH_OPLOG_H
#define BENCH_OPLOG_H

#include "numa/base/types.h"

#include <stdio.h>

#define OPLOG_FULL   UINT32_MAX
#define OPLOG_NOBODY UINT32_MAX

enum oplog_op { OPLOG_SET = 0, OPLOG_GET, OPLOG_APPEND };

enum oplog_outcome {
    OPLOG_OPEN = 0, /* may or may not have happened, now or later */
    OPLOG_OK,       /* happened; result is known                  */
    OPLOG_FAIL,     /* never happened and never will              */
};

struct oplog_record {
    uint64_t invoke_ns;
    uint64_t return_ns; /* 0: open */
    uint32_t key;
    uint32_t result; /* GET: number of the operation whose value it read; APPEND: the length told */
    uint32_t result_client; /* GET: that operation's client, OPLOG_NOBODY: no value */
    uint32_t process;
    uint8_t op;
    uint8_t outcome;
    uint8_t seen; /* appends.c: how often it was read back */
};

struct oplog {
    uint32_t client_count;
    uint32_t capacity;
    uint32_t *count;             /* per client */
    struct oplog_record *record; /* client * capacity + number */
};

/* False: no memory. */
bool oplog_create(struct oplog *log, uint32_t clients, uint32_t capacity);
void oplog_destroy(struct oplog *log);

static inline struct oplog_record *oplog_at(const struct oplog *log, uint32_t client,
                                            uint32_t number)
{
    return &log->record[(size_t)client * log->capacity + number];
}

/* Returns the operation's number. `process` has at most one operation outstanding. */
uint32_t oplog_begin(struct oplog *log, uint32_t client, uint32_t process, enum oplog_op op,
                     uint32_t key, uint64_t invoke_ns);
void oplog_end(struct oplog *log, uint32_t client, uint32_t number, enum oplog_outcome outcome,
               uint64_t return_ns, uint32_t result_client, uint32_t result);

/* One JSON object per line: process, op, key, argument, result, invoke_ns, return_ns, outcome.
 * False: not all could be written. */
bool oplog_write(const struct oplog *log, FILE *file);

/* A read of a whole list after the run, in the same form; list NULL: no such key. */
bool oplog_write_list_read(FILE *file, uint32_t process, uint32_t key, const uint8_t *list,
                           uint32_t list_bytes, uint64_t invoke_ns, uint64_t return_ns);

#endif
