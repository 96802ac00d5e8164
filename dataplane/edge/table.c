/* table.c: which command is which: name, number of arguments, handler. */
#include "dataplane/edge/internal.h"
#include "numa/base/bits.h"

#include <stdio.h>
#include <string.h>

static const struct edge_command_rule rules[] = {
    {"GET", 2, WIRE_OP_GET, FORM_PLAIN, 0, edge_do_key},
    {"SET", -3, WIRE_OP_SET, FORM_PLAIN, 0, edge_do_set},
    {"GETSET", 3, WIRE_OP_SET, FORM_PLAIN, 0, edge_do_getset},
    {"MGET", -2, WIRE_OP_GET, FORM_PLAIN, 0, edge_do_mget},
    {"MSET", -3, WIRE_OP_MSET, FORM_PLAIN, 0, edge_do_mset},
    {"DEL", -2, WIRE_OP_DEL, FORM_PLAIN, 0, edge_do_many},
    {"EXISTS", -2, WIRE_OP_EXISTS, FORM_PLAIN, 0, edge_do_many},
    {"INCR", 2, WIRE_OP_INCRBY, FORM_NUMBER, 1, edge_do_key},
    {"DECR", 2, WIRE_OP_INCRBY, FORM_NUMBER, -1, edge_do_key},
    {"INCRBY", 3, WIRE_OP_INCRBY, FORM_NUMBER, 1, edge_do_add},
    {"DECRBY", 3, WIRE_OP_INCRBY, FORM_NUMBER, -1, edge_do_add},
    {"APPEND", 3, WIRE_OP_APPEND, FORM_PLAIN, 0, edge_do_append},
    {"STRLEN", 2, WIRE_OP_STRLEN, FORM_PLAIN, 0, edge_do_key},
    {"EXPIRE", 3, WIRE_OP_EXPIRE, FORM_PLAIN, 1000, edge_do_expire},
    {"PEXPIRE", 3, WIRE_OP_EXPIRE, FORM_PLAIN, 1, edge_do_expire},
    {"TTL", 2, WIRE_OP_TTL, FORM_SECONDS, 0, edge_do_key},
    {"PTTL", 2, WIRE_OP_TTL, FORM_PLAIN, 0, edge_do_key},
    {"PERSIST", 2, WIRE_OP_PERSIST, FORM_PLAIN, 0, edge_do_key},
    {"CAS", 4, WIRE_OP_CAS, FORM_PLAIN, 0, edge_do_cas},
    {"SCAN", -2, WIRE_OP_SCAN, FORM_SCAN, 0, edge_do_scan},
    {"DBSIZE", 1, WIRE_OP_SIZE, FORM_PLAIN, 0, edge_do_size},
    {"PING", -1, 0, 0, 0, edge_do_ping},
    {"ECHO", 2, 0, 0, 0, edge_do_echo},
    {"HELLO", -1, 0, 0, 0, edge_do_hello},
    {"SELECT", 2, 0, 0, 0, edge_do_select},
    {"READONLY", 1, 0, 0, 1, edge_do_readonly},
    {"READWRITE", 1, 0, 0, 0, edge_do_readonly},
    {"INFO", -1, 0, 0, 0, edge_do_info},
    {"CONFIG", -2, 0, 0, 0, edge_do_config},
    {"COMMAND", -1, 0, 0, 0, edge_do_command},
    {"CLIENT", -2, 0, 0, 0, edge_do_client},
    {"CLUSTER", -2, 0, 0, 0, edge_do_cluster},
    {"QUIT", -1, 0, 0, 0, edge_do_quit},
    {"QUORATE", -2, 0, 0, 0, edge_do_quorate},
};
_Static_assert(COUNT_OF(rules) <= EDGE_COMMANDS_MAX / 2, "the hash stays sparse");

uint32_t edge_rule_count(void)
{
    return COUNT_OF(rules);
}

const struct edge_command_rule *edge_rule(uint32_t index)
{
    return &rules[index];
}

void edge_rule_name(const struct edge_command_rule *rule, char name[EDGE_COMMAND_NAME_MAX + 1])
{
    uint32_t at = 0;
    for (; rule->name[at] != '\0'; at++)
        name[at] = (char)(rule->name[at] | ' ');
    name[at] = '\0';
}

/* Up to eight letters as one number, whatever their case. No other byte becomes a small letter by
 * setting this bit but the letter's two cases. */
static uint64_t letters(const uint8_t *name, uint32_t bytes)
{
    uint64_t number = 0;
    if (bytes == 0)
        return 0;
    memcpy(&number, name, bytes);
    return number | UINT64_C(0x2020202020202020) >> (8 * (8 - bytes));
}

static struct edge_name name_of(const void *name, uint32_t bytes)
{
    const uint8_t *at = name;
    uint32_t first = bytes < 8 ? bytes : 8;
    return (struct edge_name){{letters(at, first), letters(at + first, bytes - first)}};
}

static uint32_t name_hash(struct edge_name name)
{
    return (uint32_t)(((name.half[0] ^ name.half[1]) * UINT64_C(0x9e3779b97f4a7c15)) >> 57);
}
_Static_assert(EDGE_COMMANDS_MAX == 1u << 7, "the hash's width");

void edge_table_init(struct edge *edge)
{
    for (uint32_t i = 0; i < COUNT_OF(rules); i++) {
        struct edge_name name = name_of(rules[i].name, (uint32_t)strlen(rules[i].name));
        uint32_t at = name_hash(name);
        while (edge->rules[at] != NULL)
            at = (at + 1) % EDGE_COMMANDS_MAX;
        edge->rules[at] = &rules[i];
        edge->rule_names[at] = name;
    }
}

const struct edge_command_rule *edge_rule_find(const struct edge *edge, struct resp_span name)
{
    if (name.bytes == 0 || name.bytes > EDGE_COMMAND_NAME_MAX)
        return NULL;
    struct edge_name wanted = name_of(name.data, name.bytes);
    for (uint32_t at = name_hash(wanted); edge->rules[at] != NULL;
         at = (at + 1) % EDGE_COMMANDS_MAX) {
        const struct edge_name *known = &edge->rule_names[at];
        if (known->half[0] == wanted.half[0] && known->half[1] == wanted.half[1])
            return edge->rules[at];
    }
    return NULL;
}

static enum edge_step reply_unknown(struct edge *edge, struct edge_connection *connection,
                                    struct resp_span name)
{
    char text[128];
    int at = snprintf(text, sizeof text, "-ERR unknown command '");
    for (uint32_t i = 0; i < name.bytes && i < 64; i++) /* no byte may end the line early */
        text[at++] = (char)(name.data[i] < ' ' || name.data[i] > '~' ? '?' : name.data[i]);
    at += snprintf(text + at, sizeof text - (size_t)at, "'\r\n");
    enum edge_step step = edge_reply(edge, connection, text, (uint32_t)at);
    if (step == STEP_DONE)
        edge_count(edge, EDGE_UNKNOWN_COMMAND);
    return step;
}

enum edge_step edge_reply_arity(struct edge *edge, struct edge_connection *connection,
                                const struct edge_command_rule *rule)
{
    char text[128], name[EDGE_COMMAND_NAME_MAX + 1];
    edge_rule_name(rule, name);
    (void)snprintf(text, sizeof text, "-ERR wrong number of arguments for '%s' command\r\n", name);
    return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT, text);
}

enum edge_step edge_reply_subcommand(struct edge *edge, struct edge_connection *connection,
                                     const struct edge_command_rule *rule)
{
    (void)rule;
    return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT,
                            "-ERR unknown subcommand or wrong number of arguments\r\n");
}

enum edge_step edge_dispatch(struct edge *edge, struct edge_connection *connection)
{
    uint32_t count = edge->command.argument_count;
    if (count == 0)
        return STEP_DONE;
    const struct edge_command_rule *rule = edge_rule_find(edge, edge_argument(edge, 0));
    enum edge_step step;
    if (rule == NULL)
        step = reply_unknown(edge, connection, edge_argument(edge, 0));
    else if (rule->arity < 0 ? count < (uint32_t)-rule->arity : count != (uint32_t)rule->arity)
        step = edge_reply_arity(edge, connection, rule);
    else
        step = rule->handle(edge, connection, rule);
    if (step == STEP_DONE) {
        connection->part = 0;
        edge_count(edge, EDGE_COMMAND);
    }
    return step;
}
