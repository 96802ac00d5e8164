/* server.c: the commands that the edge answers itself, or asks the node about. */
#include "dataplane/edge/internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_SUBCOMMAND "-ERR unknown subcommand or wrong number of arguments\r\n"
#define REDIS_VERSION    "7.0.0" /* whose commands these are, for clients that ask */

static struct resp_span argument(const struct edge *edge, uint32_t index)
{
    return edge->command.argument[index];
}

static bool is_subcommand(const struct edge *edge, const char *name, uint32_t count)
{
    return edge->command.argument_count == count && resp_is(argument(edge, 1), name);
}

static enum edge_step unknown_subcommand(struct edge *edge, struct edge_connection *connection)
{
    return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT, ERROR_SUBCOMMAND);
}

enum edge_step edge_do_ping(struct edge *edge, struct edge_connection *connection,
                            const struct edge_command_rule *rule)
{
    if (edge->command.argument_count > 2)
        return edge_reply_arity(edge, connection, rule);
    if (edge->command.argument_count == 1)
        return edge_reply_text(edge, connection, "+PONG\r\n");
    return edge_do_echo(edge, connection, rule);
}

enum edge_step edge_do_echo(struct edge *edge, struct edge_connection *connection,
                            const struct edge_command_rule *rule)
{
    (void)rule;
    struct resp_span text = argument(edge, 1);
    return edge_reply_bulk(edge, connection, text.data, text.bytes);
}

enum edge_step edge_do_hello(struct edge *edge, struct edge_connection *connection,
                             const struct edge_command_rule *rule)
{
    (void)rule;
    if (edge->command.argument_count > 1 && !resp_is(argument(edge, 1), "2"))
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT,
                                "-NOPROTO unsupported protocol version\r\n");
    if (edge->command.argument_count > 2)
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT,
                                "-ERR syntax error in HELLO option\r\n");
    char text[256];
    int bytes = snprintf(text, sizeof text,
                         "*14\r\n+server\r\n+quorate\r\n+version\r\n+" REDIS_VERSION
                         "\r\n+proto\r\n:2\r\n+id\r\n:%llu\r\n+mode\r\n+standalone\r\n"
                         "+role\r\n+master\r\n+modules\r\n*0\r\n",
                         (unsigned long long)connection->id);
    return edge_reply(edge, connection, text, (uint32_t)bytes);
}

enum edge_step edge_do_select(struct edge *edge, struct edge_connection *connection,
                              const struct edge_command_rule *rule)
{
    (void)rule;
    if (resp_is(argument(edge, 1), "0"))
        return edge_reply_text(edge, connection, "+OK\r\n");
    return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT,
                            "-ERR DB index is out of range\r\n");
}

enum edge_step edge_do_config(struct edge *edge, struct edge_connection *connection,
                              const struct edge_command_rule *rule)
{
    (void)rule;
    if (is_subcommand(edge, "GET", 3) && resp_is(argument(edge, 2), "SAVE"))
        return edge_reply_text(edge, connection, "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
    if (is_subcommand(edge, "GET", 3) && resp_is(argument(edge, 2), "APPENDONLY"))
        return edge_reply_text(edge, connection, "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n");
    if (edge->command.argument_count > 2 && resp_is(argument(edge, 1), "GET"))
        return edge_reply_text(edge, connection, "*0\r\n");
    return unknown_subcommand(edge, connection);
}

enum edge_step edge_do_command(struct edge *edge, struct edge_connection *connection,
                               const struct edge_command_rule *rule)
{
    (void)rule;
    char text[32];
    if (!is_subcommand(edge, "COUNT", 2))
        return edge_reply_text(edge, connection, "*0\r\n");
    (void)snprintf(text, sizeof text, ":%u\r\n", edge_table_count());
    return edge_reply_text(edge, connection, text);
}

/* ---- CLIENT ----------------------------------------------------------------------------------- */

static enum edge_step set_name(struct edge *edge, struct edge_connection *connection)
{
    struct resp_span name = argument(edge, 2);
    bool printable = name.bytes <= EDGE_NAME_BYTES_MAX;
    for (uint32_t i = 0; printable && i < name.bytes; i++)
        printable = name.data[i] > ' ' && name.data[i] <= '~';
    if (!printable)
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT,
                                "-ERR Client names are up to 64 characters without blanks\r\n");
    enum edge_step step = edge_reply_text(edge, connection, "+OK\r\n");
    if (step == STEP_DONE) {
        memcpy(connection->name, name.data, name.bytes);
        connection->name_bytes = (uint8_t)name.bytes;
    }
    return step;
}

enum edge_step edge_do_client(struct edge *edge, struct edge_connection *connection,
                              const struct edge_command_rule *rule)
{
    (void)rule;
    char text[160];
    unsigned long long id = connection->id;
    if (is_subcommand(edge, "SETNAME", 3))
        return set_name(edge, connection);
    if (is_subcommand(edge, "SETINFO", 4))
        return edge_reply_text(edge, connection, "+OK\r\n");
    if (is_subcommand(edge, "GETNAME", 2))
        return edge_reply_bulk(edge, connection, connection->name, connection->name_bytes);
    if (is_subcommand(edge, "ID", 2)) {
        (void)snprintf(text, sizeof text, ":%llu\r\n", id);
        return edge_reply_text(edge, connection, text);
    }
    if (is_subcommand(edge, "LIST", 2)) {
        int bytes = snprintf(text, sizeof text, "id=%llu name=%.*s db=0 resp=2\n", id,
                             (int)connection->name_bytes, (const char *)connection->name);
        return edge_reply_bulk(edge, connection, text, (uint32_t)bytes);
    }
    return unknown_subcommand(edge, connection);
}

enum edge_step edge_do_cluster(struct edge *edge, struct edge_connection *connection,
                               const struct edge_command_rule *rule)
{
    (void)rule;
    char text[32];
    if (!is_subcommand(edge, "KEYSLOT", 3))
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT,
                                "-ERR This instance has cluster support disabled\r\n");
    struct resp_span key = argument(edge, 2);
    (void)snprintf(text, sizeof text, ":%u\r\n", keyslot(key.data, key.bytes));
    return edge_reply_text(edge, connection, text);
}

enum edge_step edge_do_quit(struct edge *edge, struct edge_connection *connection,
                            const struct edge_command_rule *rule)
{
    (void)rule;
    enum edge_step step = edge_reply_text(edge, connection, "+OK\r\n");
    connection->closing = step == STEP_DONE;
    return step;
}

/* ---- INFO and QUORATE ------------------------------------------------------------------------- */

/* A text that grows in the scratch buffer; what does not fit is left out. */
struct text {
    char *data;
    uint32_t bytes;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text->data + text->bytes, EDGE_TEXT_MAX - text->bytes, format, arguments);
    va_end(arguments);
    text->bytes = min_u32(text->bytes + (uint32_t)bytes, EDGE_TEXT_MAX - 1);
}

static bool ask_node(struct edge *edge, enum edge_question question, const char *words,
                     struct text *text)
{
    char *to = text->data + text->bytes;
    to[0] = '\0';
    if (edge->config.answer == NULL)
        return false;
    bool answered = edge->config.answer(edge->config.answer_context, question, words, to,
                                        EDGE_TEXT_MAX - text->bytes);
    text->bytes += (uint32_t)strnlen(to, EDGE_TEXT_MAX - text->bytes);
    return answered;
}

enum edge_step edge_do_info(struct edge *edge, struct edge_connection *connection,
                            const struct edge_command_rule *rule)
{
    (void)rule;
    struct text text = {.data = (char *)edge->scratch};
    add(&text, "# Server\r\nserver_name:quorate\r\nredis_version:%s\r\nredis_mode:standalone\r\n",
        REDIS_VERSION);
    add(&text, "\r\n# Clients\r\nconnected_clients:%u\r\nblocked_clients:%u\r\n",
        edge->connection_count, edge->stalled_count);
    add(&text, "\r\n# Edge\r\n");
    for (int i = 0; i < EDGE_EVENT_COUNT; i++) {
        char name[64];
        uint32_t at = 0;
        for (const char *p = edge_event_name((enum edge_event)i); *p != '\0' && at < 63; p++)
            name[at++] = (char)tolower((unsigned char)*p);
        name[at] = '\0';
        add(&text, "%s:%llu\r\n", name, (unsigned long long)edge->counter[i]);
    }
    add(&text, "\r\n# Node\r\n");
    (void)ask_node(edge, EDGE_ASK_INFO, "", &text);
    return edge_reply_bulk(edge, connection, text.data, text.bytes);
}

/* The arguments from the third on, separated by blanks. False: too long. */
static bool join_words(const struct edge *edge, char *words, uint32_t capacity)
{
    uint32_t at = 0;
    for (uint32_t i = 2; i < edge->command.argument_count; i++) {
        struct resp_span word = argument(edge, i);
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
    (void)rule;
    static const struct {
        const char *name;
        enum edge_question question;
    } verbs[] = {
        {"STATUS", EDGE_ASK_STATUS},
        {"MEMBERS", EDGE_ASK_MEMBERS},
        {"INCARNATION", EDGE_ASK_INCARNATION},
        {"BOOTSTRAP", EDGE_ASK_BOOTSTRAP},
    };
    char words[EDGE_WORDS_MAX];
    uint32_t verb = 0;
    while (verb < COUNT_OF(verbs) && !resp_is(argument(edge, 1), verbs[verb].name))
        verb++;
    if (verb == COUNT_OF(verbs) || !join_words(edge, words, sizeof words))
        return unknown_subcommand(edge, connection);
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
