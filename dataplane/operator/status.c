/* status.c: what every node says about itself, and what one says about the members. */
#include "dataplane/operator/operator.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

json_t *operator_ask_json(const struct operator_options *options, const char *endpoint,
                          const char *what, json_type type)
{
    struct operator_connection connection;
    const char *why;
    if (!operator_open(&connection, endpoint, options->timeout_ms, &why)) {
        operator_complain(endpoint, "%s", why);
        return NULL;
    }
    const char *const words[] = {"QUORATE", what};
    struct operator_reply reply = operator_ask(&connection, 2, words);
    json_error_t error;
    json_t *answer = NULL;
    if (reply.type != REPLY_TEXT)
        operator_complain(endpoint, "%s", reply.text);
    else if ((answer = json_loadb(reply.text, reply.bytes, JSON_REJECT_DUPLICATES, &error)) == NULL)
        operator_complain(endpoint, "answer is no JSON: %s", error.text);
    else if (json_typeof(answer) != type)
        operator_complain(endpoint, "answer is JSON of another kind");
    operator_close(&connection);
    if (answer == NULL || json_typeof(answer) == type)
        return answer;
    json_decref(answer);
    return NULL;
}

/* The member as a cell: strings and numbers as they are, what is missing as nothing. */
static void cell_of(struct operator_table *table, uint32_t column, const json_t *object,
                    const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_string(value))
        operator_cell(table, column, "%s", json_string_value(value));
    else if (json_is_integer(value))
        operator_cell(table, column, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

static void add_groups(struct operator_table *table, const char *endpoint, const json_t *node)
{
    static const char *const of_node[] = {"id", "incarnation", "cluster", "durability"};
    static const char *const of_group[] = {"group",  "role",    "leader", "term",
                                           "commit", "applied", "keys",   "sessions"};
    const json_t *groups = json_object_get(node, "groups");
    size_t count = json_array_size(groups) > 0 ? json_array_size(groups) : 1;
    for (size_t g = 0; g < count && operator_table_row(table); g++) {
        uint32_t column = 0;
        operator_cell(table, column++, "%s", endpoint);
        for (size_t i = 0; i < COUNT_OF(of_node); i++)
            cell_of(table, column++, node, of_node[i]);
        for (size_t i = 0; i < COUNT_OF(of_group); i++)
            cell_of(table, column++, json_array_get(groups, g), of_group[i]);
    }
}

static void print_line(json_t *object)
{
    if (json_dumpf(object, stdout, JSON_COMPACT) == 0)
        (void)putchar('\n');
}

int operator_status(const struct operator_options *options)
{
    static const char *const titles[] = {"ENDPOINT", "ID",   "INCARNATION", "CLUSTER", "DURABILITY",
                                         "GROUP",    "ROLE", "LEADER",      "TERM",    "COMMIT",
                                         "APPLIED",  "KEYS", "SESSIONS",    NULL};
    struct operator_table table;
    uint32_t answered = 0;
    operator_table_init(&table, titles);
    for (uint32_t i = 0; i < options->endpoint_count; i++) {
        const char *endpoint = options->endpoint[i];
        json_t *node = operator_ask_json(options, endpoint, "STATUS", JSON_OBJECT);
        answered += node != NULL;
        if (options->output == OUTPUT_JSON && node != NULL) {
            (void)json_object_set_new(node, "endpoint", json_string(endpoint));
            print_line(node);
        } else if (node != NULL) {
            add_groups(&table, endpoint, node);
        } else if (options->output != OUTPUT_JSON && operator_table_row(&table)) {
            operator_cell(&table, 0, "%s", endpoint);
            operator_cell(&table, 6, "no answer");
        }
        json_decref(node);
    }
    if (options->output != OUTPUT_JSON)
        operator_table_print(&table, options->output, stdout);
    return answered > 0 ? EX_OK : EX_UNAVAILABLE;
}

int operator_members(const struct operator_options *options)
{
    static const char *const titles[] = {"ID", "INCARNATION", "ADDRESS", "STATE", NULL};
    static const char *const names[] = {"id", "incarnation", "address", "state"};
    json_t *members = NULL;
    /* A node that is in no cluster yet knows of none; another may. */
    for (uint32_t i = 0; i < options->endpoint_count && json_array_size(members) == 0; i++) {
        json_t *answer = operator_ask_json(options, options->endpoint[i], "MEMBERS", JSON_ARRAY);
        if (answer == NULL)
            continue;
        json_decref(members);
        members = answer;
    }
    if (members == NULL)
        return EX_UNAVAILABLE;
    struct operator_table table;
    size_t at;
    json_t *member;
    operator_table_init(&table, titles);
    json_array_foreach(members, at, member)
    {
        if (options->output == OUTPUT_JSON)
            print_line(member);
        else if (operator_table_row(&table))
            for (uint32_t c = 0; c < COUNT_OF(names); c++)
                cell_of(&table, c, member, names[c]);
    }
    if (options->output != OUTPUT_JSON)
        operator_table_print(&table, options->output, stdout);
    json_decref(members);
    return EX_OK;
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int operator_ping(const struct operator_options *options)
{
    static const char *const titles[] = {"ENDPOINT", "ROUND TRIP", NULL};
    static const char *const words[] = {"PING"};
    struct operator_table table;
    uint32_t answered = 0;
    operator_table_init(&table, titles);
    for (uint32_t i = 0; i < options->endpoint_count; i++) {
        struct operator_connection connection;
        const char *endpoint = options->endpoint[i], *why;
        double us = -1;
        if (operator_open(&connection, endpoint, options->timeout_ms, &why)) {
            double start = now_us();
            struct operator_reply reply = operator_ask(&connection, 1, words);
            us = reply.type == REPLY_STATUS ? now_us() - start : -1;
            if (us < 0)
                operator_complain(endpoint, "%s", reply.text);
            operator_close(&connection);
        } else {
            operator_complain(endpoint, "%s", why);
        }
        answered += us >= 0;
        if (options->output == OUTPUT_JSON) {
            json_t *round_trip = us < 0 ? json_null() : json_real(us);
            json_t *line =
                json_pack("{s:s, s:o}", "endpoint", endpoint, "round_trip_us", round_trip);
            print_line(line);
            json_decref(line);
        } else if (operator_table_row(&table)) {
            operator_cell(&table, 0, "%s", endpoint);
            if (us < 0)
                operator_cell(&table, 1, "no answer");
            else
                operator_cell(&table, 1, "%.0f us", us);
        }
    }
    if (options->output != OUTPUT_JSON)
        operator_table_print(&table, options->output, stdout);
    return answered > 0 ? EX_OK : EX_UNAVAILABLE;
}
