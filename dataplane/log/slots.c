#include "dataplane/log/ring.h"

uint8_t *log_reserve(struct log *log, uint32_t bytes)
{
    uint64_t room = round_up(bytes, LOG_RECORD_ALIGN);
    uint64_t start;
    if (bytes == 0 || log->slot_count == LOG_SLOTS_MAX ||
        !log_find_room(log, log->last, 0, room, &start))
        return NULL;
    log_take_room(log, 0, room, start);
    log->slot[log->slot_count++] = (struct log_slot){.position = start, .bytes = (uint32_t)room};
    return (uint8_t *)log_record(log, start);
}

static uint32_t find_slot(const struct log *log, const uint8_t *slot)
{
    uint32_t number = 0;
    while (number < log->slot_count &&
           (const uint8_t *)log_record(log, log->slot[number].position) != slot)
        number++;
    ENSURE(number < log->slot_count);
    return number;
}

static void remove_slot(struct log *log, uint32_t number)
{
    log->slot_count--;
    memmove(&log->slot[number], &log->slot[number + 1],
            (log->slot_count - number) * sizeof log->slot[0]);
}

bool log_adopt(struct log *log, uint8_t *slot, uint32_t offset, uint64_t index)
{
    ENSURE(index > log->released && index <= log->last + 1);
    uint32_t number = find_slot(log, slot);
    struct log_slot reserved = log->slot[number];
    /* Offset and body length came with the message. */
    if (offset % LOG_RECORD_ALIGN != 0 || offset > reserved.bytes ||
        reserved.bytes - offset < WIRE_ENTRY_BYTES)
        return false;
    struct wire_entry *entry = log_record(log, reserved.position + offset);
    if (entry->body_bytes > WIRE_BODY_BYTES_MAX ||
        wire_entry_size(entry->body_bytes) > reserved.bytes - offset ||
        index - log->released > log->entries_max)
        return false;
    log_truncate(log, index - 1);
    log_take_indexes(log, 1);
    remove_slot(log, number);
    entry->index = index;
    entry->group = log->group;
    log_publish(log, index, reserved.position + offset, true);
    return true;
}

uint8_t *log_slot_in_the_way(const struct log *log)
{
    if (log->slot_count == 0 || log_lowest_needed(log) != log->slot[0].position)
        return NULL;
    return (uint8_t *)log_record(log, log->slot[0].position);
}

void log_abandon(struct log *log, uint8_t *slot)
{
    remove_slot(log, find_slot(log, slot));
    log->head = log_head_without(log, log->last);
}
