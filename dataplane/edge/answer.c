/* answer.c: results become replies, and replies leave in the order of their commands. */
#include "dataplane/edge/internal.h"
#include "numa/base/bits.h"

#include <string.h>

#define HEAD_BYTES_MAX (RESP_INTEGER_BYTES_MAX + 3u) /* a type, a number, CRLF */

static const char *const failure_text[FAILURE_COUNT] = {
    [FAILURE_NONE] = "",
    [FAILURE_TRY_AGAIN] = "-TRYAGAIN not executed: no answer from the leader in time\r\n",
    [FAILURE_CLUSTER_DOWN] = "-CLUSTERDOWN not executed: there is no leader\r\n",
    [FAILURE_UNCERTAIN] = "-UNCERTAIN it was proposed, its outcome is unknown\r\n",
    [FAILURE_GONE] = "-UNCERTAIN executed, but its answer is no longer kept\r\n",
    [FAILURE_OVERTAKEN] = "-TRYAGAIN read answered out of order\r\n",
    [FAILURE_NO_SPACE] = "-OOM the table is full\r\n",
    [FAILURE_NOT_A_NUMBER] = "-ERR value is not an integer or out of range\r\n",
    [FAILURE_WRONG_TYPE] = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    [FAILURE_TOO_BIG] =
        "-ERR the value would be over 1 MiB, or the command too big for the log\r\n",
    [FAILURE_BAD_COMMAND] = "-ERR the leader does not take this command\r\n",
    [FAILURE_NO_CHUNK] = "-UNCERTAIN executed, but there was no buffer for its answer\r\n",
};

/* ---- bytes ----------------------------------------------------------------------------------- */

/* False: the buffers ran out, and this connection holds the most of them. */
static bool append(struct edge *edge, const struct edge_connection *connection,
                   struct edge_chain *chain, const void *data, uint32_t bytes)
{
    while (!edge_chain_append(&edge->pool, chain, data, bytes))
        if (!edge_make_room(edge, connection))
            return false;
    return true;
}

static void write_out(struct edge *edge, struct edge_connection *connection, const void *data,
                      uint32_t bytes)
{
    if (connection->dead || bytes == 0)
        return;
    if (append(edge, connection, &connection->output, data, bytes)) {
        edge_connection_dirty(edge, connection);
        return;
    }
    edge_count(edge, EDGE_NO_CHUNK);
    edge_connection_kill(edge, connection);
}

/* Behind the slot's inline bytes, or all of it in the stash once those are used up. */
static void keep(struct edge *edge, struct edge_slot *slot, const void *data, uint32_t bytes)
{
    if (bytes == 0)
        return;
    if (slot->stash.first == NULL && slot->text_bytes + bytes <= sizeof slot->text) {
        memcpy(slot->text + slot->text_bytes, data, bytes);
        slot->text_bytes = (uint8_t)(slot->text_bytes + bytes);
        return;
    }
    if (slot->failure == FAILURE_NONE &&
        !append(edge, &edge->connections[slot->connection], &slot->stash, data, bytes)) {
        edge_chain_drop(&edge->pool, &slot->stash);
        slot->text_bytes = 0;
        slot->failure = FAILURE_NO_CHUNK;
    }
}

static uint32_t make_head(uint8_t head[HEAD_BYTES_MAX], char type, int64_t number)
{
    head[0] = (uint8_t)type;
    uint32_t bytes = 1 + resp_digits(head + 1, number);
    head[bytes] = '\r';
    head[bytes + 1] = '\n';
    return bytes + 2;
}

static void write_sum(struct edge *edge, struct edge_connection *connection)
{
    if (connection->sum_failure != FAILURE_NONE) {
        const char *text = failure_text[connection->sum_failure];
        write_out(edge, connection, text, (uint32_t)strlen(text));
    } else {
        uint8_t head[HEAD_BYTES_MAX];
        write_out(edge, connection, head, make_head(head, ':', connection->sum));
    }
    connection->sum = 0;
    connection->sum_failure = FAILURE_NONE;
}

static void write_slot(struct edge *edge, struct edge_connection *connection,
                       struct edge_slot *slot)
{
    if (slot->form == FORM_SUM || slot->form == FORM_SUM_LAST) {
        if (connection->sum_failure == FAILURE_NONE)
            connection->sum_failure = slot->failure;
        connection->sum += slot->integer;
        if (slot->form == FORM_SUM_LAST)
            write_sum(edge, connection);
        return;
    }
    if (slot->failure != FAILURE_NONE) {
        const char *text = failure_text[slot->failure];
        write_out(edge, connection, text, (uint32_t)strlen(text));
        return;
    }
    write_out(edge, connection, slot->text, slot->text_bytes);
    if (slot->stash.first == NULL || connection->dead)
        return;
    edge_chain_move(&connection->output, &slot->stash);
    edge_connection_dirty(edge, connection);
}

void edge_answer_advance(struct edge *edge, struct edge_connection *connection)
{
    while (!connection->dead && connection->first != EDGE_NONE) {
        uint32_t index = connection->first;
        struct edge_slot *slot = &edge->slots[index];
        if (slot->state == SLOT_WAITING)
            return;
        if (slot->state == SLOT_PARKED) {
            if (!edge_ask_parked(edge, connection))
                edge_connection_list(edge, connection, LIST_STALLED);
            if (slot->state != SLOT_ANSWERED)
                return;
        }
        connection->first = slot->next;
        if (connection->first == EDGE_NONE)
            connection->last = EDGE_NONE;
        write_slot(edge, connection, slot);
        edge_slot_free(edge, index);
    }
}

/* ---- results --------------------------------------------------------------------------------- */

/* Where the pieces of one reply go: to the output when it is their turn, else into the slot. */
struct sink {
    struct edge *edge;
    struct edge_connection *connection;
    struct edge_slot *slot; /* NULL: straight */
};

static void put(const struct sink *sink, const void *data, uint32_t bytes)
{
    if (sink->slot == NULL)
        write_out(sink->edge, sink->connection, data, bytes);
    else
        keep(sink->edge, sink->slot, data, bytes);
}

static void put_number(const struct sink *sink, char type, int64_t number)
{
    uint8_t head[HEAD_BYTES_MAX];
    put(sink, head, make_head(head, type, number));
}

static void put_bulk(const struct sink *sink, const void *value, uint32_t bytes)
{
    put_number(sink, '$', bytes);
    put(sink, value, bytes);
    put(sink, "\r\n", 2);
}

/* The next of the keys that come as | key_bytes 4 | key | after one another. They have crossed the
 * network. */
static bool next_key(const uint8_t **at, const uint8_t *end, struct resp_span *key)
{
    if (end - *at < 4)
        return false;
    key->bytes = load_u32(*at);
    key->data = *at + 4;
    if (key->bytes > (size_t)(end - key->data))
        return false;
    *at = key->data + key->bytes;
    return true;
}

/* The groups' cursors share one number space: the group is the remainder, and a finished group
 * hands over to the next one. */
static void put_scan(const struct sink *sink, uint32_t group, const struct wire_result *result)
{
    uint32_t group_count = sink->edge->config.group_count;
    uint64_t cursor = (uint64_t)result->integer * group_count + group;
    if (result->integer == 0)
        cursor = group + 1 == group_count ? 0 : group + 1;
    uint8_t digits[RESP_INTEGER_BYTES_MAX];
    uint32_t digit_count = resp_digits(digits, (int64_t)cursor);
    const uint8_t *end = result->value + result->value_bytes;
    struct resp_span key;
    uint32_t keys = 0;
    for (const uint8_t *at = result->value; next_key(&at, end, &key);)
        keys++;
    put_number(sink, '*', 2);
    put_bulk(sink, digits, digit_count);
    put_number(sink, '*', keys);
    for (const uint8_t *at = result->value; next_key(&at, end, &key);)
        put_bulk(sink, key.data, key.bytes);
}

static void put_plain(const struct sink *sink, enum edge_form form,
                      const struct wire_result *result)
{
    bool scaled = form == FORM_SECONDS && result->integer > 0;
    switch (result->type) {
    case WIRE_STATUS_OK:
        put(sink, "+OK\r\n", 5);
        break;
    case WIRE_INTEGER:
        put_number(sink, ':', scaled ? (result->integer + 500) / 1000 : result->integer);
        break;
    case WIRE_BYTES:
        put_bulk(sink, result->value, result->value_bytes);
        break;
    default:
        put(sink, "$-1\r\n", 5);
    }
}

static enum edge_failure failure_of(enum wire_status status, enum edge_form form)
{
    switch (status) {
    case WIRE_DONE:
        return FAILURE_NONE;
    case WIRE_NO_SPACE:
        return FAILURE_NO_SPACE;
    case WIRE_WRONG_TYPE:
        return form == FORM_NUMBER ? FAILURE_NOT_A_NUMBER : FAILURE_WRONG_TYPE;
    case WIRE_REPLY_GONE:
        return FAILURE_GONE;
    case WIRE_TOO_BIG:
        return FAILURE_TOO_BIG;
    case WIRE_BAD_COMMAND:
        return FAILURE_BAD_COMMAND;
    default:
        return FAILURE_TRY_AGAIN; /* the others say: not executed */
    }
}

void edge_answer_result(struct edge *edge, uint32_t index, const struct wire_result *result)
{
    struct edge_slot *slot = &edge->slots[index];
    enum edge_failure failure =
        failure_of((enum wire_status)result->status, (enum edge_form)slot->form);
    if (failure != FAILURE_NONE) {
        edge_answer_failure(edge, index, failure);
        return;
    }
    struct edge_connection *connection = &edge->connections[slot->connection];
    slot->text_bytes = 0;
    slot->state = SLOT_ANSWERED;
    struct sink sink = {edge, connection, connection->first == index ? NULL : slot};
    if (slot->form == FORM_SUM || slot->form == FORM_SUM_LAST)
        slot->integer = result->integer;
    else if (slot->form == FORM_SCAN)
        put_scan(&sink, slot->group, result);
    else
        put_plain(&sink, (enum edge_form)slot->form, result);
    edge_answer_advance(edge, connection);
}

void edge_answer_failure(struct edge *edge, uint32_t index, enum edge_failure failure)
{
    static const enum edge_event event[FAILURE_COUNT] = {
        [FAILURE_TRY_AGAIN] = EDGE_TRY_AGAIN,     [FAILURE_CLUSTER_DOWN] = EDGE_TRY_AGAIN,
        [FAILURE_UNCERTAIN] = EDGE_UNCERTAIN,     [FAILURE_GONE] = EDGE_UNCERTAIN,
        [FAILURE_OVERTAKEN] = EDGE_TRY_AGAIN,     [FAILURE_NO_SPACE] = EDGE_NO_SPACE,
        [FAILURE_NOT_A_NUMBER] = EDGE_WRONG_TYPE, [FAILURE_WRONG_TYPE] = EDGE_WRONG_TYPE,
        [FAILURE_TOO_BIG] = EDGE_VALUE_SIZE,      [FAILURE_BAD_COMMAND] = EDGE_BAD_ARGUMENT,
        [FAILURE_NO_CHUNK] = EDGE_UNCERTAIN,
    };
    struct edge_slot *slot = &edge->slots[index];
    edge_count(edge, event[failure]);
    slot->text_bytes = 0;
    slot->integer = 0;
    slot->failure = (uint8_t)failure;
    slot->state = SLOT_ANSWERED;
    edge_answer_advance(edge, &edge->connections[slot->connection]);
}

/* ---- replies of the edge's own --------------------------------------------------------------- */

/* In its place: straight when nothing is under way, else in a slot behind it. False: no slot. */
static bool open_sink(struct sink *sink, struct edge *edge, struct edge_connection *connection)
{
    *sink = (struct sink){edge, connection, NULL};
    if (connection->first == EDGE_NONE)
        return true;
    sink->slot = edge_slot_append(edge, connection);
    if (sink->slot == NULL)
        return false;
    sink->slot->state = SLOT_ANSWERED;
    return true;
}

enum edge_step edge_reply(struct edge *edge, struct edge_connection *connection, const void *text,
                          uint32_t bytes)
{
    struct sink sink;
    if (!open_sink(&sink, edge, connection))
        return STEP_WAIT;
    put(&sink, text, bytes);
    return STEP_DONE;
}

enum edge_step edge_reply_text(struct edge *edge, struct edge_connection *connection,
                               const char *text)
{
    return edge_reply(edge, connection, text, (uint32_t)strlen(text));
}

enum edge_step edge_reply_error(struct edge *edge, struct edge_connection *connection,
                                enum edge_event event, const char *text)
{
    enum edge_step step = edge_reply_text(edge, connection, text);
    if (step == STEP_DONE)
        edge_count(edge, event);
    return step;
}

enum edge_step edge_reply_array_head(struct edge *edge, struct edge_connection *connection,
                                     uint32_t count)
{
    uint8_t head[HEAD_BYTES_MAX];
    return edge_reply(edge, connection, head, make_head(head, '*', count));
}

enum edge_step edge_reply_bulk(struct edge *edge, struct edge_connection *connection,
                               const void *data, uint32_t bytes)
{
    struct sink sink;
    if (!open_sink(&sink, edge, connection))
        return STEP_WAIT;
    put_bulk(&sink, data, bytes);
    return STEP_DONE;
}
