/* server.c: the commands of the connection, which touch no key. */
#include "dataplane/edge/internal.h"

#include <stdio.h>
#include <string.h>

static bool is_subcommand(const struct edge *edge, const char *name, uint32_t count)
{
    return edge->command.argument_count == count && resp_is(edge_argument(edge, 1), name);
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
    struct resp_span text = edge_argument(edge, 1);
    return edge_reply_bulk(edge, connection, text.data, text.bytes);
}

enum edge_step edge_do_select(struct edge *edge, struct edge_connection *connection,
                              const struct edge_command_rule *rule)
{
    (void)rule;
    int64_t index;
    if (!resp_integer(edge_argument(edge, 1), &index))
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT,
                                "-ERR value is not an integer or out of range\r\n");
    if (index != 0)
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT,
                                "-ERR DB index is out of range\r\n");
    return edge_reply_text(edge, connection, "+OK\r\n");
}

/* READONLY as in Redis Cluster: from here on this connection's reads may be stale. Writes are not
 * refused, and a read behind a write under way is as fresh as ever. READWRITE takes it back. */
enum edge_step edge_do_readonly(struct edge *edge, struct edge_connection *connection,
                                const struct edge_command_rule *rule)
{
    enum edge_step step = edge_reply_text(edge, connection, "+OK\r\n");
    if (step == STEP_DONE)
        connection->stale = rule->unit != 0;
    return step;
}

/* ---- CLIENT ---------------------------------------------------------------------------------- */

/* Printable and without blanks, so that lists of clients can be read by programs. */
static const char *refused_name(struct resp_span name)
{
    if (name.bytes > EDGE_NAME_BYTES_MAX)
        return "-ERR Client names are up to 64 bytes\r\n";
    for (uint32_t i = 0; i < name.bytes; i++)
        if (name.data[i] < '!' || name.data[i] > '~')
            return "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
    return NULL;
}

static void set_name(struct edge_connection *connection, struct resp_span name)
{
    memcpy(connection->name, name.data, name.bytes);
    connection->name_bytes = (uint8_t)name.bytes;
}

enum edge_step edge_do_client(struct edge *edge, struct edge_connection *connection,
                              const struct edge_command_rule *rule)
{
    if (is_subcommand(edge, "SETNAME", 3)) {
        const char *error = refused_name(edge_argument(edge, 2));
        if (error != NULL)
            return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT, error);
        enum edge_step step = edge_reply_text(edge, connection, "+OK\r\n");
        if (step == STEP_DONE)
            set_name(connection, edge_argument(edge, 2));
        return step;
    }
    if (is_subcommand(edge, "SETINFO", 4))
        return edge_reply_text(edge, connection, "+OK\r\n");
    if (is_subcommand(edge, "GETNAME", 2) && connection->name_bytes == 0)
        return edge_reply_text(edge, connection, "$-1\r\n");
    if (is_subcommand(edge, "GETNAME", 2))
        return edge_reply_bulk(edge, connection, connection->name, connection->name_bytes);
    if (is_subcommand(edge, "ID", 2)) {
        char text[32];
        (void)snprintf(text, sizeof text, ":%llu\r\n", (unsigned long long)connection->id);
        return edge_reply_text(edge, connection, text);
    }
    if (is_subcommand(edge, "LIST", 2) || is_subcommand(edge, "INFO", 2))
        return edge_list_clients(edge, connection, resp_is(edge_argument(edge, 1), "INFO"));
    return edge_reply_subcommand(edge, connection, rule);
}

/* HELLO [2 [SETNAME name]]; there is nobody to be authenticated as. */
enum edge_step edge_do_hello(struct edge *edge, struct edge_connection *connection,
                             const struct edge_command_rule *rule)
{
    (void)rule;
    uint32_t count = edge->command.argument_count;
    int64_t version = 2;
    const char *error = NULL;
    if (count > 1 && !resp_integer(edge_argument(edge, 1), &version))
        error = "-ERR Protocol version is not an integer or out of range\r\n";
    else if (version != 2)
        error = "-NOPROTO unsupported protocol version\r\n";
    else if (count == 4 && resp_is(edge_argument(edge, 2), "SETNAME"))
        error = refused_name(edge_argument(edge, 3));
    else if (count > 2)
        error = "-ERR Syntax error in HELLO: only SETNAME is known\r\n";
    if (error != NULL)
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT, error);
    char text[256];
    int bytes = snprintf(text, sizeof text,
                         "*14\r\n$6\r\nserver\r\n$7\r\nquorate\r\n"
                         "$7\r\nversion\r\n$5\r\n" EDGE_REDIS_VERSION "\r\n$5\r\nproto\r\n:2\r\n"
                         "$2\r\nid\r\n:%llu\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"
                         "$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n",
                         (unsigned long long)connection->id);
    enum edge_step step = edge_reply(edge, connection, text, (uint32_t)bytes);
    if (step == STEP_DONE && count == 4)
        set_name(connection, edge_argument(edge, 3));
    return step;
}

enum edge_step edge_do_cluster(struct edge *edge, struct edge_connection *connection,
                               const struct edge_command_rule *rule)
{
    (void)rule;
    char text[32];
    if (!is_subcommand(edge, "KEYSLOT", 3))
        return edge_reply_error(edge, connection, EDGE_BAD_ARGUMENT,
                                "-ERR This instance has cluster support disabled\r\n");
    struct resp_span key = edge_argument(edge, 2);
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
