#include "dataplane/state/internal.h"

#define COUNT_BYTES   4u
#define COUNT_DEFAULT 10u
/* Looked at between buckets, so that a slow pattern ends a call early. */
#define STEPS_MAX  65536u
#define BUCKET_MAX (TABLE_BUCKET_SLOTS * (COUNT_BYTES + WIRE_KEY_BYTES_MAX))
_Static_assert(SCAN_BYTES_MIN == BUCKET_MAX, "scratch holds any bucket");

struct scan {
    const uint8_t *pattern;
    uint32_t pattern_bytes;
    uint8_t *to;
    uint32_t bytes;
    uint32_t count;
    uint64_t steps;
};

static void scan_bucket(const struct state *state, const struct execution *execution, uint64_t at,
                        struct scan *scan)
{
    for (uint32_t i = 0; i < TABLE_BUCKET_SLOTS; i++) {
        uint64_t word = __atomic_load_n(&state->table.bucket[at].slot[i], __ATOMIC_ACQUIRE);
        if (word == 0)
            continue;
        const struct item *item =
            state_visible(state, execution, item_at(state->table.base, table_slot_ref(word)));
        if (item == NULL ||
            (scan->pattern_bytes > 0 && !state_glob(scan->pattern, scan->pattern_bytes, item->bytes,
                                                    item->key_bytes, &scan->steps)))
            continue;
        store_u32(scan->to + scan->bytes, item->key_bytes);
        memcpy(scan->to + scan->bytes + COUNT_BYTES, item->bytes, item->key_bytes);
        scan->bytes += COUNT_BYTES + item->key_bytes;
        scan->count++;
    }
}

void state_scan(const struct state *state, const struct execution *execution, uint8_t *scratch,
                uint32_t scratch_bytes)
{
    const struct wire_command *command = execution->command;
    struct wire_result *result = execution->result;
    if (command->value_bytes < COUNT_BYTES) {
        result->status = WIRE_BAD_COMMAND;
        return;
    }
    struct scan scan = {
        .pattern = command->value + COUNT_BYTES,
        .pattern_bytes = command->value_bytes - COUNT_BYTES,
        .to = scratch,
    };
    if (scan.pattern_bytes > SCAN_PATTERN_MAX || scratch_bytes < BUCKET_MAX) {
        result->status = WIRE_TOO_BIG;
        return;
    }
    uint32_t wanted = load_u32(command->value);
    if (wanted == 0)
        wanted = COUNT_DEFAULT;
    uint64_t at = (uint64_t)command->argument;
    for (uint32_t seen = 0;
         at <= state->table.mask && seen < SCAN_BUCKETS_MAX && scan.count < wanted &&
         scan.steps < STEPS_MAX && scan.bytes + BUCKET_MAX <= scratch_bytes;
         seen++)
        scan_bucket(state, execution, at++, &scan);
    result->type = WIRE_BYTES;
    result->value = scratch;
    result->value_bytes = scan.bytes;
    result->integer = at <= state->table.mask ? (int64_t)at : 0;
}
