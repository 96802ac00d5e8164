#include "tests/sim/text.h"

#include "numa/base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    uint64_t offset;
    uint64_t hash;
    uint32_t count;
};

struct text_table {
    uint8_t *arena;
    uint64_t arena_bytes;
    uint64_t arena_room;
    struct text *text; /* [0] is TEXT_NONE */
    uint32_t text_count;
    uint32_t text_room;
    uint32_t *slot; /* numbers; 0: free */
    uint32_t slot_count;
};

void *sim_allocate(size_t bytes)
{
    void *memory = calloc(1, bytes != 0 ? bytes : 1);
    ENSURE(memory != NULL);
    return memory;
}

void *sim_grow(void *memory, size_t bytes)
{
    void *grown = realloc(memory, bytes);
    ENSURE(grown != NULL);
    return grown;
}

struct text_table *text_table_new(void)
{
    struct text_table *table = sim_allocate(sizeof *table);
    table->text_count = 1;
    table->text_room = 64;
    table->text = sim_allocate(table->text_room * sizeof *table->text);
    table->slot_count = 128;
    table->slot = sim_allocate(table->slot_count * sizeof *table->slot);
    table->arena_room = 4096;
    table->arena = sim_allocate(table->arena_room);
    return table;
}

void text_table_free(struct text_table *table)
{
    free(table->arena);
    free(table->text);
    free(table->slot);
    free(table);
}

static uint64_t hash_bytes(const uint8_t *bytes, uint32_t count)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash ^ (hash >> 29);
}

static void slot_fill(struct text_table *table, uint32_t text)
{
    uint32_t at = (uint32_t)table->text[text].hash & (table->slot_count - 1);
    while (table->slot[at] != 0)
        at = (at + 1) & (table->slot_count - 1);
    table->slot[at] = text;
}

static void grow(struct text_table *table, uint32_t count)
{
    if (table->arena_bytes + count > table->arena_room) {
        table->arena_room = 2 * (table->arena_room + count);
        table->arena = sim_grow(table->arena, table->arena_room);
    }
    if (table->text_count == table->text_room) {
        table->text_room *= 2;
        table->text = sim_grow(table->text, table->text_room * sizeof *table->text);
    }
    if (2 * table->text_count >= table->slot_count) {
        free(table->slot);
        table->slot_count *= 2;
        table->slot = sim_allocate(table->slot_count * sizeof *table->slot);
        for (uint32_t i = 1; i < table->text_count; i++)
            slot_fill(table, i);
    }
}

uint32_t text_of(struct text_table *table, const void *bytes, uint32_t count)
{
    uint64_t hash = hash_bytes(bytes, count);
    for (uint32_t at = (uint32_t)hash & (table->slot_count - 1); table->slot[at] != 0;
         at = (at + 1) & (table->slot_count - 1)) {
        const struct text *text = &table->text[table->slot[at]];
        if (text->hash == hash && text->count == count &&
            (count == 0 || memcmp(table->arena + text->offset, bytes, count) == 0))
            return table->slot[at];
    }
    grow(table, count);
    uint32_t number = table->text_count++;
    table->text[number] = (struct text){table->arena_bytes, hash, count};
    if (count != 0)
        memcpy(table->arena + table->arena_bytes, bytes, count);
    table->arena_bytes += count;
    slot_fill(table, number);
    return number;
}

uint32_t text_of_number(struct text_table *table, int64_t number)
{
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%" PRId64, number);
    return text_of(table, digits, (uint32_t)count);
}

uint32_t text_joined(struct text_table *table, uint32_t head, uint32_t tail)
{
    uint32_t head_count, tail_count;
    const uint8_t *head_bytes = text_bytes(table, head, &head_count);
    const uint8_t *tail_bytes = text_bytes(table, tail, &tail_count);
    uint8_t *joined = sim_allocate((size_t)head_count + tail_count);
    if (head_count != 0)
        memcpy(joined, head_bytes, head_count);
    if (tail_count != 0)
        memcpy(joined + head_count, tail_bytes, tail_count);
    uint32_t text = text_of(table, joined, head_count + tail_count);
    free(joined);
    return text;
}

const uint8_t *text_bytes(const struct text_table *table, uint32_t text, uint32_t *count)
{
    ENSURE(text < table->text_count);
    *count = table->text[text].count;
    return table->arena + table->text[text].offset;
}

bool text_to_number(const struct text_table *table, uint32_t text, int64_t *number)
{
    uint32_t count;
    const uint8_t *bytes = text_bytes(table, text, &count);
    if (count == 0 || count > 20)
        return false;
    bool negative = bytes[0] == '-';
    uint32_t first = negative ? 1 : 0;
    if (first == count || (bytes[first] == '0' && count > 1))
        return false;
    int64_t value = 0;
    for (uint32_t i = first; i < count; i++) {
        if (bytes[i] < '0' || bytes[i] > '9')
            return false;
        int64_t digit = bytes[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value)) /* downwards: INT64_MIN fits */
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *number = negative ? value : -value;
    return true;
}
