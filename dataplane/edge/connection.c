/* connection.c: what goes in and out of one connection: read, parse, write. */
#include "dataplane/edge/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define READS_PER_TURN 4u /* of one connection, before others get their turn */
#define VECTORS_MAX    32

/* ---- lists ----------------------------------------------------------------------------------- */

void edge_connection_list(struct edge *edge, struct edge_connection *connection,
                          enum connection_list list)
{
    if (connection->listed != LIST_NONE || connection->dead)
        return;
    connection->listed = list;
    if (list == LIST_READY)
        edge->ready[edge->ready_count++] = connection->index;
    else
        edge->stalled[edge->stalled_count++] = connection->index;
}

void edge_connection_dirty(struct edge *edge, struct edge_connection *connection)
{
    if (connection->dirty)
        return;
    connection->dirty = true;
    edge->dirty[edge->dirty_count++] = connection->index;
}

/* ---- write ----------------------------------------------------------------------------------- */

/* Answered and written: nothing keeps it any longer. A last look at the input spares the client a
 * reset that would destroy the answer it has not read yet. */
static void close_if_done(struct edge *edge, struct edge_connection *connection)
{
    if (!connection->closing || connection->first != EDGE_NONE || connection->output.bytes != 0)
        return;
    (void)shutdown(connection->fd, SHUT_WR);
    for (uint32_t i = 0; i < READS_PER_TURN; i++)
        if (recv(connection->fd, edge->scratch, WIRE_BODY_BYTES_MAX, MSG_DONTWAIT) <= 0)
            break;
    edge_connection_kill(edge, connection);
}

static bool write_some(struct edge *edge, struct edge_connection *connection)
{
    struct iovec vector[VECTORS_MAX];
    struct msghdr message = {.msg_iov = vector};
    for (struct edge_chunk *chunk = connection->output.first;
         chunk != NULL && message.msg_iovlen < VECTORS_MAX; chunk = chunk->next)
        vector[message.msg_iovlen++] = (struct iovec){
            .iov_base = chunk->data + chunk->begin,
            .iov_len = chunk->end - chunk->begin,
        };
    ssize_t written = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written > 0) {
        edge_chain_consume(&edge->pool, &connection->output, (uint64_t)written);
        connection->unread_since_ns = 0;
        edge->wake_stalled |=
            connection->listed == LIST_STALLED; /* it may be that it waits for this */
        return true;
    }
    if (errno == EINTR)
        return true;
    if (errno == EAGAIN) {
        connection->writable = false;
        if (connection->unread_since_ns == 0)
            connection->unread_since_ns = edge->now_ns;
        return false;
    }
    edge_count(edge, EDGE_CONNECTION_LOST);
    edge_connection_kill(edge, connection);
    return false;
}

void edge_connection_flush(struct edge *edge, struct edge_connection *connection)
{
    if (connection->dead)
        return;
    while (connection->output.bytes != 0 && connection->writable)
        if (!write_some(edge, connection))
            break;
    if (!connection->dead)
        close_if_done(edge, connection);
}

/* ---- read and parse -------------------------------------------------------------------------- */

/* False: no slot for the sentence, wait. */
static bool refuse_bytes(struct edge *edge, struct edge_connection *connection,
                         enum resp_outcome refusal)
{
    char text[128];
    int bytes =
        snprintf(text, sizeof text, "-ERR Protocol error: %s\r\n", resp_refusal_sentence(refusal));
    if (edge_reply(edge, connection, text, (uint32_t)bytes) == STEP_WAIT)
        return false;
    edge_count(edge, (enum edge_event)(refusal - (RESP_MORE + 1)));
    if (!connection->dead)
        edge_connection_stop(edge, connection);
    return true;
}

static void note_half(struct edge *edge, struct edge_connection *connection, bool progress)
{
    if (connection->begin == connection->end)
        connection->half_since_ns = 0;
    else if (connection->half_since_ns == 0 || progress)
        connection->half_since_ns = edge->now_ns;
}

/* What it waits for is not its own fault, and no time that it takes to send. */
static void stall(struct edge *edge, struct edge_connection *connection)
{
    connection->half_since_ns = 0;
    edge_connection_list(edge, connection, LIST_STALLED);
}

/* Everything that is whole in the input. False: stalled, closing or dead. */
static bool parse_input(struct edge *edge, struct edge_connection *connection)
{
    bool progress = false;
    while (connection->end - connection->begin >= connection->needed) {
        if (connection->output.bytes >= edge->config.backlog_bytes_max) {
            edge_count(edge, EDGE_BACKLOG_WAITED);
            stall(edge, connection);
            return false;
        }
        enum resp_outcome outcome = resp_parse(connection->input + connection->begin,
                                               connection->end - connection->begin, &edge->command);
        if (outcome == RESP_MORE) {
            connection->needed = edge->command.needed;
            break;
        }
        bool waits = outcome == RESP_COMMAND ? edge_dispatch(edge, connection) == STEP_WAIT
                                             : !refuse_bytes(edge, connection, outcome);
        if (connection->dead)
            return false;
        if (waits) {
            stall(edge, connection);
            return false;
        }
        if (connection->closing) {
            edge_connection_stop(edge, connection);
            return false;
        }
        connection->begin += edge->command.bytes;
        connection->needed = 1;
        progress = true;
    }
    connection->stall_since_ns = 0;
    note_half(edge, connection, progress);
    if (connection->begin == connection->end)
        edge_input_release(edge, connection);
    return true;
}

/* Moves what is left of the input to a buffer for big commands. False: there is none now. */
static bool input_grow(struct edge *edge, struct edge_connection *connection)
{
    if (edge->big_free_count == 0)
        return false;
    uint32_t index = edge->big_free[--edge->big_free_count];
    uint8_t *big = edge->big_inputs + (size_t)index * EDGE_BIG_INPUT_BYTES;
    uint32_t left = connection->end - connection->begin;
    memcpy(big, connection->input + connection->begin, left);
    edge_input_release(edge, connection);
    connection->input = big;
    connection->input_big = true;
    connection->input_bytes_max = EDGE_BIG_INPUT_BYTES;
    connection->end = left;
    return true;
}

/* Makes room for at least one more byte, and for all of the command under way. */
static bool input_room(struct edge *edge, struct edge_connection *connection)
{
    if (connection->input == NULL) {
        do
            connection->input = (uint8_t *)edge_pool_take(&edge->pool);
        while (connection->input == NULL && edge_make_room(edge, connection));
        connection->input_bytes_max = EDGE_CHUNK_BYTES;
        return connection->input != NULL;
    }
    if (connection->needed > connection->input_bytes_max)
        return input_grow(edge, connection);
    uint32_t left = connection->end - connection->begin;
    if (connection->begin + connection->needed > connection->input_bytes_max ||
        connection->end == connection->input_bytes_max) {
        memmove(connection->input, connection->input + connection->begin, left);
        connection->begin = 0;
        connection->end = left;
    }
    return true;
}

/* One read. False: there is nothing more for now, or no room. */
static bool read_input(struct edge *edge, struct edge_connection *connection)
{
    if (!input_room(edge, connection)) {
        edge_count(edge, EDGE_INPUT_WAITED);
        if (connection->room_since_ns == 0)
            connection->room_since_ns = edge->now_ns;
        stall(edge, connection);
        return false;
    }
    connection->room_since_ns = 0;
    uint32_t room = connection->input_bytes_max - connection->end;
    ssize_t bytes = recv(connection->fd, connection->input + connection->end, room, MSG_DONTWAIT);
    if (bytes > 0) {
        connection->end += (uint32_t)bytes;
        /* A short read has emptied the socket; only its end may still be there. */
        connection->readable = (uint32_t)bytes == room || connection->hang_up;
        return true;
    }
    connection->readable = false;
    if (bytes == 0) {
        edge_connection_stop(edge, connection); /* it may still want its answers */
    } else if (errno == EAGAIN || errno == EINTR) {
        connection->readable = errno == EINTR;
        if (connection->begin == connection->end)
            edge_input_release(edge, connection);
    } else {
        edge_count(edge, EDGE_CONNECTION_LOST);
        edge_connection_kill(edge, connection);
    }
    return false;
}

void edge_connection_run(struct edge *edge, struct edge_connection *connection)
{
    edge_answer_advance(edge, connection);
    for (uint32_t i = 0; !connection->dead && !connection->closing; i++) {
        if (connection->listed != LIST_NONE || !parse_input(edge, connection))
            return;
        if (!connection->readable)
            return;
        if (i == READS_PER_TURN) {
            edge_connection_list(edge, connection, LIST_READY);
            return;
        }
        if (!read_input(edge, connection))
            return;
    }
}

void edge_connection_event(struct edge *edge, struct edge_connection *connection, uint32_t events)
{
    if (connection->dead || connection->fd < 0)
        return;
    if (events & EPOLLERR) {
        edge_count(edge, EDGE_CONNECTION_LOST);
        edge_connection_kill(edge, connection);
        return;
    }
    if (events & (EPOLLRDHUP | EPOLLHUP))
        connection->hang_up = true;
    if (events & EPOLLOUT && !connection->writable) {
        connection->writable = true;
        edge_connection_dirty(edge, connection);
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) {
        connection->readable = true;
        edge_connection_list(edge, connection, LIST_READY);
    }
}
