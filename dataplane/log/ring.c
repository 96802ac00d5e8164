#include "dataplane/log/ring.h"

static const struct log_floor *floor_at(const struct log *log, uint64_t number)
{
    return &log->floor[number & (log->entries_max - 1)];
}

/* Lowest position needed by entries [index, last] and slots; `from` is the first of the floor queue
 * that is not below `index`. */
static uint64_t lowest_needed(const struct log *log, uint64_t index, uint64_t last, uint64_t from)
{
    uint64_t lowest = LOG_NO_POSITION;
    if (index <= last)
        lowest = log_position(log, index);
    if (index <= last && from < log->floor_back)
        lowest = min_u64(lowest, floor_at(log, from)->position);
    if (log->slot_count > 0)
        lowest = min_u64(lowest, log->slot[0].position);
    return lowest;
}

uint64_t log_lowest_needed(const struct log *log)
{
    return lowest_needed(log, log->released + 1, log->last, log->floor_released);
}

/* Highest end of a needed byte if `last` were the last entry. */
static uint64_t live_end(const struct log *log, uint64_t last)
{
    uint64_t end = log->tail;
    for (uint64_t index = last; index >= log->first; index--) {
        uint64_t cell = log_cell(log, index);
        uint64_t position = cell & ~LOG_ADOPTED;
        end = max_u64(end, position + wire_entry_size(log_record(log, position)->body_bytes));
        if ((cell & LOG_ADOPTED) == 0)
            break;
    }
    if (log->slot_count > 0) {
        const struct log_slot *newest = &log->slot[log->slot_count - 1];
        end = max_u64(end, newest->position + newest->bytes);
    }
    return end;
}

uint64_t log_head_without(const struct log *log, uint64_t last)
{
    uint64_t lowest = lowest_needed(log, log->released + 1, last, log->floor_released);
    if (lowest == LOG_NO_POSITION || log->head - lowest <= log->bytes / 2)
        return log->head;
    return live_end(log, last);
}

bool log_find_room(const struct log *log, uint64_t last, uint32_t count, uint64_t bytes,
                   uint64_t *start)
{
    /* Above half of the ring, room would depend on where the head happens to be. */
    if (bytes > log->bytes / 2 || last + count - log->released > log->entries_max)
        return false;
    uint64_t head = last == log->last ? log->head : log_head_without(log, last);
    uint64_t lowest = lowest_needed(log, log->released + 1, last, log->floor_released);
    uint64_t offset = head & (log->bytes - 1);
    /* A run is never cut at the end of the ring: the rest of the lap stays empty. */
    *start = offset + bytes > log->bytes ? head + (log->bytes - offset) : head;
    return *start + bytes - min_u64(lowest, *start) <= log->bytes;
}

static void forget_below(struct log *log, uint64_t first, uint64_t end)
{
    while (log->floor_front < log->floor_back && floor_at(log, log->floor_front)->index < first)
        log->floor_front++;
    log->tail = min_u64(lowest_needed(log, first, log->last, log->floor_front), end);
    /* An exchange, so that no byte of the forgotten is overwritten before readers can see that it
     * is. */
    (void)__atomic_exchange_n(&log->first, first, __ATOMIC_ACQ_REL);
}

void log_take_room(struct log *log, uint32_t count, uint64_t bytes, uint64_t start)
{
    log_take_indexes(log, count);
    for (uint64_t first = log->first; start + bytes - log->tail > log->bytes; first++) {
        ENSURE(first <= log->released + 1);
        forget_below(log, first, start);
    }
    log->head = start + bytes;
}

void log_take_indexes(struct log *log, uint32_t count)
{
    if (log->last + 1 + count - log->first <= log->entries_max)
        return;
    uint64_t first = log->last + count + 1 - log->entries_max;
    ENSURE(first <= log->released + 1);
    forget_below(log, first, log->head);
}

static void skip_released_floors(struct log *log)
{
    while (log->floor_released < log->floor_back &&
           floor_at(log, log->floor_released)->index <= log->released)
        log->floor_released++;
}

void log_truncate(struct log *log, uint64_t last)
{
    ENSURE(last >= log->released && last <= log->last);
    if (last == log->last)
        return;
    __atomic_store_n(&log->last, last, __ATOMIC_RELEASE);
    (void)__atomic_add_fetch(&log->truncations, 1, __ATOMIC_ACQ_REL);
    /* The lowest of the cut ones may have hidden a kept one that lies above it: it stays, in the
     * name of the last kept entry. */
    uint64_t cut = log->floor_back;
    while (cut > log->floor_front && floor_at(log, cut - 1)->index > last)
        cut--;
    bool hidden =
        cut < log->floor_back && (cut == log->floor_front || floor_at(log, cut - 1)->index < last);
    if (hidden)
        log->floor[cut & (log->entries_max - 1)].index = last;
    log->floor_back = hidden ? cut + 1 : cut;
    log->floor_released = min_u64(log->floor_released, log->floor_back);
    skip_released_floors(log);
    log->head = log_head_without(log, last);
}

void log_publish(struct log *log, uint64_t index, uint64_t position, bool adopted)
{
    if (adopted) {
        while (log->floor_back > log->floor_front &&
               floor_at(log, log->floor_back - 1)->position > position)
            log->floor_back--;
        log->floor_released = min_u64(log->floor_released, log->floor_back);
        log->floor[log->floor_back++ & (log->entries_max - 1)] =
            (struct log_floor){.index = index, .position = position};
    }
    __atomic_store_n(&log->cell[index & (log->entries_max - 1)],
                     position | (adopted ? LOG_ADOPTED : 0), __ATOMIC_RELEASE);
    __atomic_store_n(&log->last, index, __ATOMIC_RELEASE);
}

void log_release(struct log *log, uint64_t index)
{
    log->released = max_u64(log->released, min_u64(index, log->last));
    skip_released_floors(log);
}

void log_restart(struct log *log, uint64_t index)
{
    ENSURE(index >= log->released);
    __atomic_store_n(&log->last, log->first - 1, __ATOMIC_RELEASE);
    (void)__atomic_add_fetch(&log->truncations, 1, __ATOMIC_ACQ_REL);
    log->floor_front = log->floor_released = log->floor_back;
    log->released = index;
    forget_below(log, index + 1, log->head);
    __atomic_store_n(&log->last, index, __ATOMIC_RELEASE);
}
