/* persist: hands writes to the storage and tells how far it has come. */
#include "dataplane/pipeline/internal.h"

uint32_t lane_persist_poll(struct lane *lane)
{
    uint32_t count = 0, bytes;
    const struct storage_write *write;
    while ((write = doorway_next(lane->writes, &bytes)) != NULL) {
        struct log *log = lane->group[write->group / lane->config.lane_count].log;
        storage_submit(lane->config.storage, write, 1, &log);
        count++;
    }
    if (count != 0)
        doorway_done(lane->writes);
    uint64_t stored = storage_poll(lane->config.storage);
    if (stored != atomic_load_explicit(&lane->stored, memory_order_relaxed)) {
        atomic_store_explicit(&lane->stored, stored, memory_order_release);
        count++;
    }
    return count;
}
