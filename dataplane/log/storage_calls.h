/* storage_calls.h: what a backend fills in. For this folder alone.
 *
 * Shape: each storage begins with a pointer to its calls; storage.c makes them. Memory, threads,
 *   time, limits, refusals: storage.h. Cost: one indirect call.
 */
#ifndef DATAPLANE_LOG_STORAGE_CALLS_H
#define DATAPLANE_LOG_STORAGE_CALLS_H

#include "dataplane/log/storage.h"

struct storage_calls {
    const char *durability;
    uint32_t (*submit)(struct storage *, const struct storage_write *writes, uint32_t count,
                       struct log *const *logs, uint64_t now_ns);
    uint64_t (*poll)(struct storage *, uint64_t now_ns);
    void (*release)(struct storage *, uint16_t group, uint64_t index, uint64_t term);
    bool (*failed)(const struct storage *);
    bool (*full)(const struct storage *);
    uint64_t (*age_ns)(const struct storage *, uint64_t now_ns);
    void (*report)(const struct storage *, struct storage_report *report);
};

struct storage {
    const struct storage_calls *calls;
};

#endif
