#include "protocols/wire/message.h"

#define PAIR_BYTES       8u /* key_bytes and value_bytes in front of each MSET pair */
#define SCAN_COUNT_BYTES 4u
#define MSET_BYTES_MAX   (WIRE_BODY_BYTES_MAX - WIRE_COMMAND_BYTES)
#define SET_FLAGS                                                                                  \
    (WIRE_SET_IF_ABSENT | WIRE_SET_IF_PRESENT | WIRE_SET_RETURN_OLD | WIRE_SET_KEEP_TTL)
#define SET_CONTRADICTION (WIRE_SET_IF_ABSENT | WIRE_SET_IF_PRESENT)

/* What an operation may carry; known is 0 for numbers that are no operation. */
struct op_rule {
    uint8_t known;
    uint8_t needs_key;
    uint8_t takes_old;
    uint8_t flags;
    uint32_t value_bytes_min;
    uint32_t value_bytes_max;
};

static const struct op_rule op_rule[WIRE_OP_REGISTER + 1] = {
    [WIRE_OP_SET] = {1, 1, 0, SET_FLAGS, 0, WIRE_VALUE_BYTES_MAX},
    [WIRE_OP_DEL] = {1, 1, 0, 0, 0, 0},
    [WIRE_OP_INCRBY] = {1, 1, 0, 0, 0, 0},
    [WIRE_OP_APPEND] = {1, 1, 0, 0, 0, WIRE_VALUE_BYTES_MAX},
    [WIRE_OP_CAS] = {1, 1, 1, 0, 0, WIRE_VALUE_BYTES_MAX},
    [WIRE_OP_EXPIRE] = {1, 1, 0, 0, 0, 0},
    [WIRE_OP_PERSIST] = {1, 1, 0, 0, 0, 0},
    [WIRE_OP_MSET] = {1, 0, 0, 0, PAIR_BYTES + 1, MSET_BYTES_MAX},
    [WIRE_OP_GET] = {1, 1, 0, WIRE_READ_STALE, 0, 0},
    [WIRE_OP_EXISTS] = {1, 1, 0, WIRE_READ_STALE, 0, 0},
    [WIRE_OP_STRLEN] = {1, 1, 0, WIRE_READ_STALE, 0, 0},
    [WIRE_OP_TTL] = {1, 1, 0, WIRE_READ_STALE, 0, 0},
    [WIRE_OP_SIZE] = {1, 0, 0, WIRE_READ_STALE, 0, 0},
    [WIRE_OP_SCAN] = {1, 0, 0, WIRE_READ_STALE, SCAN_COUNT_BYTES, WIRE_VALUE_BYTES_MAX},
    [WIRE_OP_REGISTER] = {1, 0, 0, 0, 0, 0},
};

void wire_command_encode(const struct wire_command *command, uint8_t *to)
{
    to[0] = command->op;
    to[1] = command->flags;
    store_u16(to + 2, command->key_bytes);
    store_u32(to + 4, command->old_bytes);
    store_u64(to + 8, (uint64_t)command->argument);
    to += WIRE_COMMAND_BYTES;
    wire_copy(to, command->key, command->key_bytes);
    to += command->key_bytes;
    wire_copy(to, command->old, command->old_bytes);
    wire_copy(to + command->old_bytes, command->value, command->value_bytes);
}

static enum wire_refusal check_pairs(const uint8_t *at, uint32_t left)
{
    while (left != 0) {
        if (left < PAIR_BYTES)
            return WIRE_REFUSED_COMMAND;
        uint32_t key_bytes = load_u32(at);
        uint32_t value_bytes = load_u32(at + 4);
        if (key_bytes == 0 || key_bytes > WIRE_KEY_BYTES_MAX)
            return WIRE_REFUSED_KEY_BYTES;
        if (value_bytes > WIRE_VALUE_BYTES_MAX)
            return WIRE_REFUSED_VALUE_BYTES;
        uint32_t pair = PAIR_BYTES + key_bytes + value_bytes;
        if (pair > left)
            return WIRE_REFUSED_COMMAND;
        at += pair;
        left -= pair;
    }
    return WIRE_OK;
}

static bool set_options_agree(const struct wire_command *command)
{
    if ((command->flags & SET_CONTRADICTION) == SET_CONTRADICTION || command->argument < 0)
        return false;
    return !(command->flags & WIRE_SET_KEEP_TTL) || command->argument == 0;
}

enum wire_refusal wire_command_decode(const uint8_t *body, uint32_t bytes,
                                      struct wire_command *command)
{
    if (UNLIKELY(bytes < WIRE_COMMAND_BYTES || body[0] > WIRE_OP_REGISTER))
        return WIRE_REFUSED_COMMAND;
    const struct op_rule *rule = &op_rule[body[0]];
    uint16_t key_bytes = load_u16(body + 2);
    uint32_t old_bytes = load_u32(body + 4);
    if (UNLIKELY(!rule->known || (body[1] & ~rule->flags) != 0))
        return WIRE_REFUSED_COMMAND;
    if (UNLIKELY(key_bytes > WIRE_KEY_BYTES_MAX || (key_bytes == 0 && rule->needs_key)))
        return WIRE_REFUSED_KEY_BYTES;
    if (UNLIKELY(old_bytes > WIRE_VALUE_BYTES_MAX))
        return WIRE_REFUSED_VALUE_BYTES;
    uint32_t head_bytes = WIRE_COMMAND_BYTES + key_bytes + old_bytes;
    if (UNLIKELY(head_bytes > bytes || (key_bytes != 0 && !rule->needs_key) ||
                 (old_bytes != 0 && !rule->takes_old)))
        return WIRE_REFUSED_COMMAND;
    uint32_t value_bytes = bytes - head_bytes;
    if (UNLIKELY(value_bytes > rule->value_bytes_max))
        return rule->value_bytes_max == 0 ? WIRE_REFUSED_COMMAND : WIRE_REFUSED_VALUE_BYTES;
    if (UNLIKELY(value_bytes < rule->value_bytes_min))
        return WIRE_REFUSED_COMMAND;
    *command = (struct wire_command){
        .op = body[0],
        .flags = body[1],
        .key_bytes = key_bytes,
        .old_bytes = old_bytes,
        .value_bytes = value_bytes,
        .argument = (int64_t)load_u64(body + 8),
        .key = body + WIRE_COMMAND_BYTES,
        .old = body + WIRE_COMMAND_BYTES + key_bytes,
        .value = body + head_bytes,
    };
    if (command->op == WIRE_OP_SET)
        return set_options_agree(command) ? WIRE_OK : WIRE_REFUSED_COMMAND;
    return command->op == WIRE_OP_MSET ? check_pairs(command->value, value_bytes) : WIRE_OK;
}
