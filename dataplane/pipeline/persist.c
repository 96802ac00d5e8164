/* persist: hands writes to the storage and tells how far it has come. */
#include "dataplane/pipeline/internal.h"

uint32_t lane_persist_poll(struct lane *lane)
{
    uint64_t now_ns = lane->look[ROOM_PERSIST]->clock.now_ns;
    uint32_t count = 0, bytes;
    const struct storage_write *write;
    while ((write = doorway_next(lane->writes, &bytes)) != NULL) {
        struct log *log = lane->group[write->group / lane->config.lane_count].log;
        if (storage_submit(lane->config.storage, write, 1, &log, now_ns) == 0) {
            doorway_done_before(lane->writes, write); /* offered again next turn */
            break;
        }
        count++;
    }
    if (count != 0 && write == NULL)
        doorway_done(lane->writes);
    uint64_t stored = storage_poll(lane->config.storage, now_ns);
    if (stored != atomic_load_explicit(&lane->stored, memory_order_relaxed)) {
        atomic_store_explicit(&lane->stored, stored, memory_order_release);
        count++;
    }
    return count;
}
