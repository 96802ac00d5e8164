#include "dataplane/state/internal.h"

const struct item *state_visible(const struct state *state, const struct execution *execution,
                                 const struct item *item)
{
    while (item != NULL && item->together) {
        struct item_before before;
        memcpy(&before, item_value(item) + item->value_bytes, sizeof before);
        if (before.index <= execution->index)
            break;
        item = before.before == 0 ? NULL : item_at(state->table.base, before.before);
    }
    if (item == NULL)
        return NULL;
    uint64_t expiry_ms = item_expiry(item);
    return expiry_ms != 0 && expiry_ms <= execution->time_ms ? NULL : item;
}

static int64_t ttl_of(const struct execution *execution, const struct item *item)
{
    if (item == NULL)
        return -2;
    /* Loaded once more: it may have moved, and both are right. */
    uint64_t expiry_ms = item_expiry(item);
    if (expiry_ms == 0)
        return -1;
    uint64_t left = expiry_ms > execution->time_ms ? expiry_ms - execution->time_ms : 0;
    return (int64_t)min_u64(left, INT64_MAX);
}

static void read_item(const struct execution *execution, const struct item *item)
{
    struct wire_result *result = execution->result;
    result->type = WIRE_INTEGER;
    switch (execution->command->op) {
    case WIRE_OP_GET:
        result->type = item == NULL ? WIRE_NIL : WIRE_BYTES;
        result->value = item == NULL ? NULL : item_value(item);
        result->value_bytes = item == NULL ? 0 : item->value_bytes;
        return;
    case WIRE_OP_EXISTS:
        result->integer = item != NULL;
        return;
    case WIRE_OP_STRLEN:
        result->integer = item == NULL ? 0 : item->value_bytes;
        return;
    case WIRE_OP_TTL:
        result->integer = ttl_of(execution, item);
        return;
    default:
        *result = (struct wire_result){.status = WIRE_BAD_COMMAND};
        return;
    }
}

void state_execute_read(const struct state *state, const struct execution *execution,
                        uint8_t *scratch, uint32_t scratch_bytes)
{
    const struct wire_command *command = execution->command;
    if (command->op == WIRE_OP_SCAN) {
        state_scan(state, execution, scratch, scratch_bytes);
    } else if (command->op == WIRE_OP_SIZE) {
        execution->result->type = WIRE_INTEGER;
        execution->result->integer = (int64_t)state_key_count(state);
    } else {
        const struct item *item = state_table_find(&state->table, command->key, command->key_bytes,
                                                   execution->hash, NULL);
        read_item(execution, state_visible(state, execution, item));
    }
}

void state_read(const struct state *state, const struct wire_command *command,
                struct wire_result *result, uint8_t *scratch, uint32_t scratch_bytes)
{
    *result = (struct wire_result){.status = WIRE_DONE};
    struct execution execution = {
        .command = command,
        .result = result,
        .hash = state_key_hash(command->key, command->key_bytes),
        .index = state_applied_index(state),
        .time_ms = state_time_ms(state),
    };
    state_execute_read(state, &execution, scratch, scratch_bytes);
}
