/* about.c: what edge and node say of themselves: CONFIG, COMMAND, CLIENT LIST, INFO, QUORATE. */
#include "dataplane/edge/internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A text that grows in the scratch buffer, which is larger than any of these can become. */
struct text {
    char *data;
    uint32_t bytes;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    uint32_t room = WIRE_BODY_BYTES_MAX - text->bytes;
    uint32_t bytes = (uint32_t)vsnprintf(text->data + text->bytes, room, format, arguments);
    va_end(arguments);
    ENSURE(bytes < room);
    text->bytes += bytes;
}

static void add_bulk(struct text *text, const char *bulk)
{
    add(text, "$%zu\r\n%s\r\n", strlen(bulk), bulk);
}

/* ---- CONFIG ---------------------------------------------------------------------------------- */

/* Is setting `name` among those that CONFIG GET asks for? */
static bool is_asked(const struct edge *edge, const char *name)
{
    for (uint32_t i = 2; i < edge->command.argument_count; i++)
        if (resp_is(edge_argument(edge, i), name) || resp_is(edge_argument(edge, i), "*"))
            return true;
    return false;
}

enum edge_step edge_do_config(struct edge *edge, struct edge_connection *connection,
                              const struct edge_command_rule *rule)
{
    static const struct {
        const char *name, *shown, *value;
    } settings[] = {
        {"SAVE", "save", ""},
        {"APPENDONLY", "appendonly", "no"},
        {"DATABASES", "databases", "1"},
        {"PROTO-MAX-BULK-LEN", "proto-max-bulk-len", "1048576"},
    };
    _Static_assert(WIRE_VALUE_BYTES_MAX == 1048576, "the last one's value");
    if (edge->command.argument_count < 3 || !resp_is(edge_argument(edge, 1), "GET"))
        return edge_reply_subcommand(edge, connection, rule);
    struct text text = {.data = (char *)edge->scratch};
    uint32_t asked = 0;
    for (uint32_t i = 0; i < COUNT_OF(settings); i++)
        asked += is_asked(edge, settings[i].name);
    add(&text, "*%u\r\n", 2 * asked);
    for (uint32_t i = 0; i < COUNT_OF(settings); i++) {
        if (!is_asked(edge, settings[i].name))
            continue;
        add_bulk(&text, settings[i].shown);
        add_bulk(&text, settings[i].value);
    }
    return edge_reply(edge, connection, text.data, text.bytes);
}

/* ---- COMMAND --------------------------------------------------------------------------------- */

/* Name, arity, flags, and where the keys are: first, last, step. */
static void add_rule(struct text *text, const struct edge_command_rule *rule)
{
    if (rule == NULL) {
        add(text, "$-1\r\n");
        return;
    }
    char name[EDGE_COMMAND_NAME_MAX + 1];
    edge_rule_name(rule, name);
    bool key = rule->op != 0 && rule->op != WIRE_OP_SIZE && rule->op != WIRE_OP_SCAN;
    bool pairs = rule->op == WIRE_OP_MSET;
    bool many = pairs || rule->handle == edge_do_many || rule->handle == edge_do_mget;
    const char *flag = rule->op > WIRE_OP_WRITE_LAST ? "readonly"
                       : rule->op != 0               ? "write"
                                                     : "fast";
    add(text, "*6\r\n");
    add_bulk(text, name);
    add(text, ":%d\r\n*1\r\n+%s\r\n:%d\r\n:%d\r\n:%d\r\n", rule->arity, flag, key, many ? -1 : key,
        pairs ? 2 : key);
}

/* COMMAND, COMMAND COUNT, COMMAND INFO name...; COMMAND DOCS has none to give. */
enum edge_step edge_do_command(struct edge *edge, struct edge_connection *connection,
                               const struct edge_command_rule *rule)
{
    uint32_t count = edge->command.argument_count;
    struct text text = {.data = (char *)edge->scratch};
    if (count == 1) {
        add(&text, "*%u\r\n", edge_rule_count());
        for (uint32_t i = 0; i < edge_rule_count(); i++)
            add_rule(&text, edge_rule(i));
    } else if (count == 2 && resp_is(edge_argument(edge, 1), "COUNT")) {
        add(&text, ":%u\r\n", edge_rule_count());
    } else if (resp_is(edge_argument(edge, 1), "INFO")) {
        add(&text, "*%u\r\n", count - 2);
        for (uint32_t i = 2; i < count; i++)
            add_rule(&text, edge_rule_find(edge, edge_argument(edge, i)));
    } else if (resp_is(edge_argument(edge, 1), "DOCS")) {
        add(&text, "*0\r\n");
    } else {
        return edge_reply_subcommand(edge, connection, rule);
    }
    return edge_reply(edge, connection, text.data, text.bytes);
}

/* ---- CLIENT LIST ----------------------------------------------------------------------------- */

static void add_client(const struct edge *edge, struct text *text,
                       const struct edge_connection *connection)
{
    uint32_t ip = connection->peer_ip;
    add(text, "id=%llu addr=%u.%u.%u.%u:%u name=%.*s age=%llu db=0 qbuf=%u omem=%llu resp=2\n",
        (unsigned long long)connection->id, ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255,
        connection->peer_port, (int)connection->name_bytes, (const char *)connection->name,
        (unsigned long long)((edge->now_ns - connection->since_ns) / 1000000000),
        connection->end - connection->begin, (unsigned long long)connection->output.bytes);
}

/* As many as EDGE_TEXT_MAX bytes hold. */
enum edge_step edge_list_clients(struct edge *edge, struct edge_connection *connection, bool itself)
{
    struct text text = {.data = (char *)edge->scratch};
    for (uint32_t i = 0; i < edge->config.connections_max && text.bytes < EDGE_TEXT_MAX; i++)
        if (edge->connections[i].fd >= 0 && (!itself || i == connection->index))
            add_client(edge, &text, &edge->connections[i]);
    return edge_reply_bulk(edge, connection, text.data, text.bytes);
}

/* ---- INFO and QUORATE ------------------------------------------------------------------------ */

static bool ask_node(struct edge *edge, enum edge_question question, const char *words,
                     struct text *text)
{
    char *to = text->data + text->bytes;
    to[0] = '\0';
    if (edge->config.answer == NULL)
        return false;
    bool answered =
        edge->config.answer(edge->config.answer_context, question, words, to, EDGE_TEXT_MAX);
    text->bytes += (uint32_t)strnlen(to, EDGE_TEXT_MAX);
    return answered;
}

/* INFO [section...]: begins the section if it is asked for. */
static bool section(const struct edge *edge, struct text *text, const char *name, const char *title)
{
    bool wanted = edge->command.argument_count == 1;
    for (uint32_t i = 1; i < edge->command.argument_count && !wanted; i++)
        wanted = resp_is(edge_argument(edge, i), name) || resp_is(edge_argument(edge, i), "ALL") ||
                 resp_is(edge_argument(edge, i), "DEFAULT") ||
                 resp_is(edge_argument(edge, i), "EVERYTHING");
    if (wanted)
        add(text, "%s# %s\r\n", text->bytes != 0 ? "\r\n" : "", title);
    return wanted;
}

static void add_counters(const struct edge *edge, struct text *text)
{
    for (int i = 0; i < EDGE_EVENT_COUNT; i++) {
        char name[64];
        uint32_t at = 0;
        for (const char *p = edge_event_name((enum edge_event)i); *p != '\0' && at < 63; p++)
            name[at++] = (char)tolower((unsigned char)*p);
        name[at] = '\0';
        add(text, "%s:%llu\r\n", name, (unsigned long long)edge->counter[i]);
    }
}

enum edge_step edge_do_info(struct edge *edge, struct edge_connection *connection,
                            const struct edge_command_rule *rule)
{
    (void)rule;
    struct text text = {.data = (char *)edge->scratch};
    if (section(edge, &text, "SERVER", "Server"))
        add(&text, "server_name:quorate\r\nredis_version:%s\r\nredis_mode:standalone\r\n",
            EDGE_REDIS_VERSION);
    if (section(edge, &text, "CLIENTS", "Clients"))
        add(&text, "connected_clients:%u\r\nmaxclients:%u\r\nblocked_clients:%u\r\n",
            edge->connection_count, edge->config.connections_max, edge->stalled_count);
    if (section(edge, &text, "MEMORY", "Memory"))
        add(&text, "edge_buffers_used:%u\r\nedge_buffers_max:%u\r\nedge_buffer_bytes:%u\r\n",
            edge->pool.in_use, edge->pool.count, EDGE_CHUNK_BYTES);
    if (section(edge, &text, "EDGE", "Edge"))
        add_counters(edge, &text);
    if (section(edge, &text, "NODE", "Node"))
        (void)ask_node(edge, EDGE_ASK_INFO, "", &text);
    return edge_reply_bulk(edge, connection, text.data, text.bytes);
}

/* The arguments from the third on, separated by blanks. False: too long. */
static bool join_words(const struct edge *edge, char *words, uint32_t capacity)
{
    uint32_t at = 0;
    for (uint32_t i = 2; i < edge->command.argument_count; i++) {
        struct resp_span word = edge_argument(edge, i);
        if (word.bytes + 2 > capacity - at || memchr(word.data, '\0', word.bytes) != NULL)
            return false;
        if (i > 2)
            words[at++] = ' ';
        memcpy(words + at, word.data, word.bytes);
        at += word.bytes;
    }
    words[at] = '\0';
    return true;
}

enum edge_step edge_do_quorate(struct edge *edge, struct edge_connection *connection,
                               const struct edge_command_rule *rule)
{
    static const struct {
        const char *name;
        enum edge_question question;
    } verbs[] = {
        {"STATUS", EDGE_ASK_STATUS},
        {"MEMBERS", EDGE_ASK_MEMBERS},
        {"INCARNATION", EDGE_ASK_INCARNATION},
        {"BOOTSTRAP", EDGE_ASK_BOOTSTRAP},
        {"MOVE-LEADER", EDGE_ASK_MOVE_LEADER},
        {"GROUP", EDGE_ASK_GROUP},
        {"JOIN", EDGE_ASK_JOIN},
        {"CHANGE", EDGE_ASK_CHANGE},
        {"SNAPSHOT", EDGE_ASK_SNAPSHOT},
    };
    char words[EDGE_WORDS_MAX];
    uint32_t verb = 0;
    while (verb < COUNT_OF(verbs) && !resp_is(edge_argument(edge, 1), verbs[verb].name))
        verb++;
    if (verb == COUNT_OF(verbs) || !join_words(edge, words, sizeof words))
        return edge_reply_subcommand(edge, connection, rule);
    /* The node is asked once: its answer must not be lost for want of a slot. */
    if (connection->first != EDGE_NONE && edge->slot_free == EDGE_NONE)
        return STEP_WAIT;
    struct text text = {.data = (char *)edge->scratch};
    if (ask_node(edge, verbs[verb].question, words, &text))
        return edge_reply_bulk(edge, connection, text.data, text.bytes);
    char error[EDGE_ERROR_MAX + 16];
    for (uint32_t i = 0; i < text.bytes; i++) /* an error is one line */
        text.data[i] = (char)((unsigned char)text.data[i] < ' ' ? ' ' : text.data[i]);
    (void)snprintf(error, sizeof error, "-ERR %.*s\r\n", (int)EDGE_ERROR_MAX,
                   text.bytes != 0 ? text.data : "this edge belongs to no node");
    return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT, error);
}
