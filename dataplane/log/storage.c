#include "dataplane/log/storage_calls.h"
#include "numa/base/assert.h"

#define AGE_UNIT_BITS 10u /* the first steps are of a quarter of 1.024 us */
#define AGE_FINE_BITS 2u

uint32_t storage_submit(struct storage *storage, const struct storage_write *writes, uint32_t count,
                        struct log *const *logs, uint64_t now_ns)
{
    return storage->calls->submit(storage, writes, count, logs, now_ns);
}

uint64_t storage_poll(struct storage *storage, uint64_t now_ns)
{
    return storage->calls->poll(storage, now_ns);
}

void storage_release(struct storage *storage, uint16_t group, uint64_t index, uint64_t term)
{
    storage->calls->release(storage, group, index, term);
}

bool storage_failed(const struct storage *storage)
{
    return storage->calls->failed(storage);
}

bool storage_full(const struct storage *storage)
{
    return storage->calls->full(storage);
}

const char *storage_durability(const struct storage *storage)
{
    return storage->calls->durability;
}

uint64_t storage_age_ns(const struct storage *storage, uint64_t now_ns)
{
    return storage->calls->age_ns(storage, now_ns);
}

void storage_report(const struct storage *storage, struct storage_report *report)
{
    *report = (struct storage_report){.backend = storage->calls->durability};
    storage->calls->report(storage, report);
}

/* Step 0 holds all below 1.024 us; then four steps per doubling. */
uint32_t storage_age_step(uint64_t age_ns)
{
    if (age_ns >> AGE_UNIT_BITS == 0)
        return 0;
    uint32_t octave = 63u - (uint32_t)__builtin_clzll(age_ns) - AGE_UNIT_BITS;
    uint32_t fine = (uint32_t)(age_ns >> (octave + AGE_UNIT_BITS - AGE_FINE_BITS)) & 3u;
    return min_u32(1 + (octave << AGE_FINE_BITS) + fine, STORAGE_AGES - 1);
}

uint64_t storage_age_step_ns(uint32_t step)
{
    ENSURE(step < STORAGE_AGES);
    if (step == STORAGE_AGES - 1)
        return UINT64_MAX;
    uint32_t octave = step >> AGE_FINE_BITS, fine = step & 3u;
    return (uint64_t)(4 + fine) << (octave + AGE_UNIT_BITS - AGE_FINE_BITS);
}
