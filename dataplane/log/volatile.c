#include "dataplane/log/storage_calls.h"
#include "numa/base/assert.h"

struct volatile_storage {
    struct storage storage;
    uint64_t stored_seq;
};

static uint32_t submit(struct storage *storage, const struct storage_write *writes, uint32_t count,
                       struct log *const *logs, uint64_t now_ns)
{
    struct volatile_storage *mine = (void *)storage;
    (void)logs, (void)now_ns;
    for (uint32_t i = 0; i < count; i++) {
        ENSURE(writes[i].seq > mine->stored_seq);
        mine->stored_seq = writes[i].seq;
    }
    return count;
}

static uint64_t poll(struct storage *storage, uint64_t now_ns)
{
    (void)now_ns;
    return ((struct volatile_storage *)(void *)storage)->stored_seq;
}

static void release(struct storage *storage, uint16_t group, uint64_t index, uint64_t term)
{
    (void)storage, (void)group, (void)index, (void)term;
}

static bool never(const struct storage *storage)
{
    (void)storage;
    return false;
}

static uint64_t age_ns(const struct storage *storage, uint64_t now_ns)
{
    (void)storage, (void)now_ns;
    return 0;
}

static void report(const struct storage *storage, struct storage_report *report)
{
    (void)storage, (void)report;
}

static const struct storage_calls calls = {
    .durability = "volatile",
    .submit = submit,
    .poll = poll,
    .release = release,
    .failed = never,
    .full = never,
    .age_ns = age_ns,
    .report = report,
};

size_t storage_volatile_footprint(void)
{
    return sizeof(struct volatile_storage);
}

struct storage *storage_volatile_init(void *memory)
{
    struct volatile_storage *mine = memory;
    *mine = (struct volatile_storage){.storage = {.calls = &calls}};
    return &mine->storage;
}
