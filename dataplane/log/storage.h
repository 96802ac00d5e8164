/* storage.h: where promises become durable. The persist room submits, the backend says up to which
 * number.
 *
 * Shape: one storage per lane, shared by its groups; numbers rise and never repeat. The `volatile`
 * backend has stored everything at once and says aloud that it has stored nothing. The simulator
 * links its own.
 *   Entries are read from `logs` when they are submitted, not copied before. With rooms on several
 *   cores, order may by then have truncated and rewritten the entries that an older write names: a
 *   backend stores the log as it finds it, which a later write's `first` covers again.
 * Memory: the caller's region. Threads: the persist room's core. Time: none.
 * Limits: none of its own. Refusals: storage_failed is fail-stop: no vote leaves again. Cost:
 * volatile: O(1).
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
    uint16_t group;
    uint16_t vote;
    bool hard_state_changed;
};

void storage_submit(struct storage *, const struct storage_write *writes, uint32_t count,
                    struct log *const *logs);
uint64_t storage_poll(struct storage *); /* highest number durable so far */
bool storage_failed(const struct storage *);
const char *storage_durability(const struct storage *); /* "volatile", later "fsync" */

size_t storage_volatile_footprint(void);
struct storage *storage_volatile_init(void *memory);

#endif
