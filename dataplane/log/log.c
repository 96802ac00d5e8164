#include "dataplane/log/ring.h"

struct log_parts {
    size_t cell;
    size_t floor;
    size_t data;
};

static size_t lay_out(const struct log_config *config, struct log_parts *parts)
{
    if (!is_power_of_two(config->bytes) || config->bytes < 4ull * WIRE_BODY_BYTES_MAX ||
        !is_power_of_two(config->entries_max) || config->first_index == 0)
        return 0;
    struct layout layout = {0};
    layout_add(&layout, sizeof(struct log));
    parts->cell = layout_add(&layout, config->entries_max * sizeof(uint64_t));
    parts->floor = layout_add(&layout, config->entries_max * sizeof(struct log_floor));
    parts->data = layout_add(&layout, config->bytes);
    return layout.bytes;
}

size_t log_footprint(const struct log_config *config)
{
    struct log_parts parts;
    return lay_out(config, &parts);
}

struct log *log_init(void *memory, const struct log_config *config)
{
    struct log_parts parts;
    ENSURE(lay_out(config, &parts) != 0 && (uintptr_t)memory % CACHE_LINE_BYTES == 0);
    struct log *log = memory;
    uint8_t *base = memory;
    *log = (struct log){
        .data = base + parts.data,
        .cell = (uint64_t *)(void *)(base + parts.cell),
        .floor = (struct log_floor *)(void *)(base + parts.floor),
        .bytes = config->bytes,
        .entries_max = config->entries_max,
        .group = config->group,
        .first = config->first_index,
        .last = config->first_index - 1,
        .released = config->first_index - 1,
    };
    return log;
}

struct wire_entry *log_append(struct log *log, uint64_t index, uint32_t body_bytes)
{
    ENSURE(index > log->released && index <= log->last + 1 && body_bytes <= WIRE_BODY_BYTES_MAX);
    uint32_t bytes = wire_entry_size(body_bytes);
    uint64_t start;
    if (!log_find_room(log, index - 1, 1, bytes, &start))
        return NULL;
    log_truncate(log, index - 1);
    log_take_room(log, 1, bytes, start);
    struct wire_entry *entry = log_record(log, start);
    *entry = (struct wire_entry){.body_bytes = body_bytes, .group = log->group, .index = index};
    /* The padding goes to followers and to the disk: it shall not tell what lay here before. */
    if (bytes != WIRE_ENTRY_BYTES + body_bytes)
        store_u64((uint8_t *)entry + bytes - sizeof(uint64_t), 0);
    log_publish(log, index, start, false);
    return entry;
}

bool log_append_run(struct log *log, uint64_t index, const uint8_t *entries, uint32_t count,
                    uint32_t bytes)
{
    ENSURE(index > log->released && index <= log->last + 1);
    uint64_t start;
    if (!log_find_room(log, index - 1, count, bytes, &start))
        return false;
    log_truncate(log, index - 1);
    log_take_room(log, count, bytes, start);
    memcpy(log_record(log, start), entries, bytes);
    uint64_t position = start;
    for (uint32_t i = 0; i < count; i++) {
        const struct wire_entry *entry = log_record(log, position);
        ENSURE(position < start + bytes && entry->index == index + i);
        log_publish(log, index + i, position, false);
        position += wire_entry_size(entry->body_bytes);
    }
    ENSURE(position == start + bytes);
    return true;
}

bool log_fits(const struct log *log, uint32_t count, uint64_t bytes)
{
    uint64_t start;
    return log_find_room(log, log->last, count, bytes, &start);
}

const struct wire_entry *log_entry(const struct log *log, uint64_t index)
{
    if (index < log_first_index(log) || index > log_last_index(log))
        return NULL;
    const struct wire_entry *entry = log_record(log, log_position(log, index));
    return entry->index == index ? entry : NULL;
}

/* x86-64 keeps loads in order; only the compiler has to be told that the copy is over. */
static bool still_there(const struct log *log, uint64_t index, uint64_t truncations)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return log_first_index(log) <= index &&
           __atomic_load_n(&log->truncations, __ATOMIC_ACQUIRE) == truncations;
}

uint32_t log_copy(const struct log *log, uint64_t index, uint32_t count, uint64_t last_term,
                  uint8_t *to, uint32_t capacity)
{
    uint64_t truncations = __atomic_load_n(&log->truncations, __ATOMIC_ACQUIRE);
    if (count == 0 || index < log_first_index(log) || index + count - 1 > log_last_index(log))
        return 0;
    const struct wire_entry *newest = log_entry(log, index + count - 1);
    if (newest == NULL || newest->term != last_term)
        return 0;
    uint32_t copied = 0;
    for (uint32_t i = 0; i < count;) {
        /* As many records as lie back to back go in one copy. */
        uint64_t start = log_position(log, index + i);
        uint64_t end = start;
        do {
            end += wire_entry_size(log_record(log, end)->body_bytes);
            i++;
        } while (end - start <= capacity - copied && i < count && (end & (log->bytes - 1)) != 0 &&
                 log_position(log, index + i) == end);
        if (end - start > capacity - copied ||
            (start & (log->bytes - 1)) + (end - start) > log->bytes)
            return 0;
        memcpy(to + copied, log_record(log, start), end - start);
        copied += (uint32_t)(end - start);
    }
    return still_there(log, index, truncations) ? copied : 0;
}

uint64_t log_first_index(const struct log *log)
{
    return __atomic_load_n(&log->first, __ATOMIC_ACQUIRE);
}

uint64_t log_last_index(const struct log *log)
{
    return __atomic_load_n(&log->last, __ATOMIC_ACQUIRE);
}

uint64_t log_bytes_used(const struct log *log)
{
    return log->head - log->tail;
}
