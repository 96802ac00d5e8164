/* keys.c: the commands on keys, as wire commands. */
#include "dataplane/edge/internal.h"
#include "numa/base/bits.h"

#include <string.h>

/* Its sum with log time fits 63 bits until the year 2109. */
#define EXPIRE_MS_MAX  (INT64_MAX - (INT64_C(1) << 42))
#define SCAN_COUNT     10
#define SCAN_COUNT_MAX 1000
#define PATTERN_MAX    512u

#define ERROR_SYNTAX          "-ERR syntax error\r\n"
#define ERROR_INTEGER         "-ERR value is not an integer or out of range\r\n"
#define ERROR_KEY             "-ERR key must be of 1 to 512 bytes\r\n"
#define ERROR_VALUE           "-ERR value is over 1 MiB\r\n"
#define ERROR_SLOT            "-CROSSSLOT Keys in request don't hash to the same group\r\n"
#define ERROR_EXPIRE(command) "-ERR invalid expire time in '" command "' command\r\n"

static bool is_key(struct resp_span span)
{
    return span.bytes >= 1 && span.bytes <= WIRE_KEY_BYTES_MAX;
}

static uint16_t group_of(const struct edge *edge, struct resp_span key)
{
    return keyslot_group(key.data, key.bytes, edge->config.group_count);
}

/* Asks about argument 1, its size checked here; `command` holds the rest. */
static enum edge_step ask_key(struct edge *edge, struct edge_connection *connection,
                              struct wire_command *command, enum edge_form form)
{
    struct resp_span key = edge_argument(edge, 1);
    if (!is_key(key))
        return edge_reply_error(edge, connection, EDGE_KEY_SIZE, ERROR_KEY);
    if (command->value_bytes > WIRE_VALUE_BYTES_MAX || command->old_bytes > WIRE_VALUE_BYTES_MAX)
        return edge_reply_error(edge, connection, EDGE_VALUE_SIZE, ERROR_VALUE);
    command->key = key.data;
    command->key_bytes = (uint16_t)key.bytes;
    return edge_ask(edge, connection, group_of(edge, key), command, form);
}

enum edge_step edge_do_key(struct edge *edge, struct edge_connection *connection,
                           const struct edge_command_rule *rule)
{
    struct wire_command command = {.op = rule->op, .argument = rule->unit};
    return ask_key(edge, connection, &command, (enum edge_form)rule->form);
}

enum edge_step edge_do_append(struct edge *edge, struct edge_connection *connection,
                              const struct edge_command_rule *rule)
{
    struct resp_span value = edge_argument(edge, 2);
    struct wire_command command = {.op = rule->op, .value = value.data, .value_bytes = value.bytes};
    return ask_key(edge, connection, &command, FORM_PLAIN);
}

enum edge_step edge_do_getset(struct edge *edge, struct edge_connection *connection,
                              const struct edge_command_rule *rule)
{
    struct resp_span value = edge_argument(edge, 2);
    struct wire_command command = {.op = rule->op,
                                   .flags = WIRE_SET_RETURN_OLD,
                                   .value = value.data,
                                   .value_bytes = value.bytes};
    return ask_key(edge, connection, &command, FORM_PLAIN);
}

enum edge_step edge_do_cas(struct edge *edge, struct edge_connection *connection,
                           const struct edge_command_rule *rule)
{
    struct resp_span old = edge_argument(edge, 2), value = edge_argument(edge, 3);
    struct wire_command command = {.op = rule->op,
                                   .old = old.data,
                                   .old_bytes = old.bytes,
                                   .value = value.data,
                                   .value_bytes = value.bytes};
    return ask_key(edge, connection, &command, FORM_PLAIN);
}

enum edge_step edge_do_add(struct edge *edge, struct edge_connection *connection,
                           const struct edge_command_rule *rule)
{
    int64_t amount;
    if (!resp_integer(edge_argument(edge, 2), &amount))
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT, ERROR_INTEGER);
    if (rule->unit < 0 && amount == INT64_MIN)
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT,
                                "-ERR decrement would overflow\r\n");
    struct wire_command command = {.op = rule->op, .argument = amount * rule->unit};
    return ask_key(edge, connection, &command, FORM_NUMBER);
}

static bool scaled_ms(int64_t amount, int64_t unit, int64_t *ms)
{
    if (amount > EXPIRE_MS_MAX / unit || amount < INT64_MIN / unit)
        return false;
    *ms = amount * unit;
    return true;
}

enum edge_step edge_do_expire(struct edge *edge, struct edge_connection *connection,
                              const struct edge_command_rule *rule)
{
    int64_t amount, ms;
    if (!resp_integer(edge_argument(edge, 2), &amount))
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT, ERROR_INTEGER);
    if (!scaled_ms(amount, rule->unit, &ms))
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT,
                                rule->unit == 1 ? ERROR_EXPIRE("pexpire") : ERROR_EXPIRE("expire"));
    struct wire_command command = {.op = rule->op, .argument = ms};
    return ask_key(edge, connection, &command, FORM_PLAIN);
}

/* ---- SET ------------------------------------------------------------------------------------- */

/* What EX and PX count in, ms; 0: the option is another one. */
static int64_t expiry_unit_ms(struct resp_span option)
{
    return resp_is(option, "EX") ? 1000 : resp_is(option, "PX");
}

/* NX, XX, GET, KEEPTTL in `flags`, EX and PX in `argument`. Returns the error, NULL: none. As in
 * Redis the last EX counts, and a number is looked at only when all the words make sense. */
static const char *set_options(const struct edge *edge, struct wire_command *command)
{
    static const uint8_t exclusive = WIRE_SET_IF_ABSENT | WIRE_SET_IF_PRESENT;
    struct resp_span number = {0};
    int64_t unit_ms = 0, amount;
    for (uint32_t i = 3; i < edge->command.argument_count; i++) {
        struct resp_span option = edge_argument(edge, i);
        int64_t expiry_ms = expiry_unit_ms(option);
        if (resp_is(option, "NX")) {
            command->flags |= WIRE_SET_IF_ABSENT;
        } else if (resp_is(option, "XX")) {
            command->flags |= WIRE_SET_IF_PRESENT;
        } else if (resp_is(option, "GET")) {
            command->flags |= WIRE_SET_RETURN_OLD;
        } else if (resp_is(option, "KEEPTTL")) {
            command->flags |= WIRE_SET_KEEP_TTL;
        } else if (expiry_ms != 0 && (unit_ms == 0 || unit_ms == expiry_ms) &&
                   i + 1 < edge->command.argument_count) {
            unit_ms = expiry_ms;
            number = edge_argument(edge, ++i);
        } else {
            return ERROR_SYNTAX;
        }
    }
    if ((command->flags & exclusive) == exclusive ||
        (unit_ms != 0 && (command->flags & WIRE_SET_KEEP_TTL)))
        return ERROR_SYNTAX;
    if (unit_ms == 0)
        return NULL;
    if (!resp_integer(number, &amount))
        return ERROR_INTEGER;
    bool fits = amount > 0 && scaled_ms(amount, unit_ms, &command->argument);
    return fits ? NULL : ERROR_EXPIRE("set");
}

enum edge_step edge_do_set(struct edge *edge, struct edge_connection *connection,
                           const struct edge_command_rule *rule)
{
    struct resp_span value = edge_argument(edge, 2);
    struct wire_command command = {.op = rule->op, .value = value.data, .value_bytes = value.bytes};
    const char *error = set_options(edge, &command);
    if (error != NULL)
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT, error);
    return ask_key(edge, connection, &command, FORM_PLAIN);
}

/* ---- several keys ---------------------------------------------------------------------------- */

/* Every `stride`-th argument from 1 on is a key, all of one group. Returns the error, or NULL. */
static const char *check_keys(struct edge *edge, uint32_t stride, enum edge_event *event)
{
    for (uint32_t i = 1; i < edge->command.argument_count; i += stride) {
        if (!is_key(edge_argument(edge, i))) {
            *event = EDGE_KEY_SIZE;
            return ERROR_KEY;
        }
        if (group_of(edge, edge_argument(edge, i)) != group_of(edge, edge_argument(edge, 1))) {
            *event = EDGE_CROSS_SLOT;
            return ERROR_SLOT;
        }
    }
    return NULL;
}

/* One command per key from part `first` on; parts that found no room are asked when the command is
 * dispatched again. */
static enum edge_step ask_each(struct edge *edge, struct edge_connection *connection, uint8_t op,
                               bool sum)
{
    uint32_t keys = edge->command.argument_count - 1;
    uint16_t group = group_of(edge, edge_argument(edge, 1));
    for (; connection->part < keys; connection->part++) {
        struct resp_span key = edge_argument(edge, 1 + connection->part);
        struct wire_command command = {.op = op, .key = key.data, .key_bytes = (uint16_t)key.bytes};
        enum edge_form form = connection->part + 1 < keys ? FORM_SUM : FORM_SUM_LAST;
        if (edge_ask(edge, connection, group, &command, sum ? form : FORM_PLAIN) == STEP_WAIT)
            return STEP_WAIT;
        if (connection->dead)
            return STEP_DONE;
    }
    return STEP_DONE;
}

enum edge_step edge_do_many(struct edge *edge, struct edge_connection *connection,
                            const struct edge_command_rule *rule)
{
    enum edge_event event = EDGE_BAD_ARGUMENT;
    const char *error = connection->part == 0 ? check_keys(edge, 1, &event) : NULL;
    if (error != NULL)
        return edge_reply_error(edge, connection, event, error);
    return ask_each(edge, connection, rule->op, edge->command.argument_count > 2);
}

enum edge_step edge_do_mget(struct edge *edge, struct edge_connection *connection,
                            const struct edge_command_rule *rule)
{
    if (!connection->headed) {
        enum edge_event event = EDGE_BAD_ARGUMENT;
        const char *error = check_keys(edge, 1, &event);
        if (error != NULL)
            return edge_reply_error(edge, connection, event, error);
        if (edge_reply_array_head(edge, connection, edge->command.argument_count - 1) == STEP_WAIT)
            return STEP_WAIT;
        connection->headed = true;
    }
    enum edge_step step = ask_each(edge, connection, rule->op, false);
    connection->headed = step == STEP_WAIT;
    return step;
}

enum edge_step edge_do_mset(struct edge *edge, struct edge_connection *connection,
                            const struct edge_command_rule *rule)
{
    uint32_t count = edge->command.argument_count;
    if (count % 2 == 0)
        return edge_reply_arity(edge, connection, rule);
    enum edge_event event = EDGE_BAD_ARGUMENT;
    const char *error = check_keys(edge, 2, &event);
    if (error != NULL)
        return edge_reply_error(edge, connection, event, error);
    uint32_t at = 0;
    for (uint32_t i = 1; i < count; i += 2) {
        struct resp_span key = edge_argument(edge, i), value = edge_argument(edge, i + 1);
        uint64_t end = (uint64_t)at + 8 + key.bytes + value.bytes;
        if (value.bytes > WIRE_VALUE_BYTES_MAX || end > WIRE_BODY_BYTES_MAX - WIRE_COMMAND_BYTES)
            return edge_reply_error(edge, connection, EDGE_VALUE_SIZE, ERROR_VALUE);
        store_u32(edge->scratch + at, key.bytes);
        store_u32(edge->scratch + at + 4, value.bytes);
        memcpy(edge->scratch + at + 8, key.data, key.bytes);
        memcpy(edge->scratch + at + 8 + key.bytes, value.data, value.bytes);
        at = (uint32_t)end;
    }
    struct wire_command command = {.op = rule->op, .value = edge->scratch, .value_bytes = at};
    return edge_ask(edge, connection, group_of(edge, edge_argument(edge, 1)), &command, FORM_PLAIN);
}

/* ---- all keys -------------------------------------------------------------------------------- */

enum edge_step edge_do_size(struct edge *edge, struct edge_connection *connection,
                            const struct edge_command_rule *rule)
{
    for (; connection->part < edge->config.group_count; connection->part++) {
        struct wire_command command = {.op = rule->op};
        bool last = connection->part + 1u == edge->config.group_count;
        if (edge_ask(edge, connection, (uint16_t)connection->part, &command,
                     last ? FORM_SUM_LAST : FORM_SUM) == STEP_WAIT)
            return STEP_WAIT;
        if (connection->dead)
            return STEP_DONE;
    }
    return STEP_DONE;
}

enum edge_step edge_do_scan(struct edge *edge, struct edge_connection *connection,
                            const struct edge_command_rule *rule)
{
    int64_t cursor, count = SCAN_COUNT;
    struct resp_span pattern = {(const uint8_t *)"*", 1};
    if (!resp_integer(edge_argument(edge, 1), &cursor) || cursor < 0)
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT, "-ERR invalid cursor\r\n");
    const char *error = NULL;
    for (uint32_t i = 2; i < edge->command.argument_count && error == NULL; i += 2) {
        bool pair = i + 1 < edge->command.argument_count;
        if (pair && resp_is(edge_argument(edge, i), "MATCH"))
            pattern = edge_argument(edge, i + 1);
        else if (!pair || !resp_is(edge_argument(edge, i), "COUNT"))
            error = ERROR_SYNTAX;
        else if (!resp_integer(edge_argument(edge, i + 1), &count))
            error = ERROR_INTEGER;
        else if (count < 1)
            error = ERROR_SYNTAX;
    }
    if (pattern.bytes > PATTERN_MAX)
        error = "-ERR pattern is over 512 bytes\r\n";
    if (error != NULL)
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT, error);
    uint8_t value[4 + PATTERN_MAX];
    store_u32(value, (uint32_t)(count < SCAN_COUNT_MAX ? count : SCAN_COUNT_MAX));
    memcpy(value + 4, pattern.data, pattern.bytes);
    struct wire_command command = {.op = rule->op,
                                   .argument = cursor / edge->config.group_count,
                                   .value = value,
                                   .value_bytes = 4 + pattern.bytes};
    return edge_ask(edge, connection, (uint16_t)(cursor % edge->config.group_count), &command,
                    FORM_SCAN);
}
