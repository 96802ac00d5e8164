#include "dataplane/log/storage.h"

#include "numa/base/assert.h"

struct storage {
    uint64_t stored_seq;
};

size_t storage_volatile_footprint(void)
{
    return sizeof(struct storage);
}

struct storage *storage_volatile_init(void *memory)
{
    struct storage *storage = memory;
    storage->stored_seq = 0;
    return storage;
}

void storage_submit(struct storage *storage, const struct storage_write *writes, uint32_t count,
                    struct log *const *logs)
{
    (void)logs;
    for (uint32_t i = 0; i < count; i++) {
        ENSURE(writes[i].seq > storage->stored_seq);
        storage->stored_seq = writes[i].seq;
    }
}

uint64_t storage_poll(struct storage *storage)
{
    return storage->stored_seq;
}

bool storage_failed(const struct storage *storage)
{
    (void)storage;
    return false;
}

const char *storage_durability(const struct storage *storage)
{
    (void)storage;
    return "volatile";
}
