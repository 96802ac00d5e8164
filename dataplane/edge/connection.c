/* connection.c: sockets: accept, read, parse, write, close. */
#include "dataplane/edge/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_PER_TURN   4u /* of one connection, before others get their turn */
#define ACCEPTS_PER_TURN 64
#define VECTORS_MAX      32

/* ---- lists ------------------------------------------------------------------------------------ */

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

/* ---- accept and close --------------------------------------------------------------------------- */

static void accept_pause(struct edge *edge, bool accepting)
{
    struct epoll_event event = {.events = accepting ? EPOLLIN : 0, .data.u32 = EDGE_NONE};
    edge->accepting = accepting;
    ENSURE(epoll_ctl(edge->epoll_fd, EPOLL_CTL_MOD, edge->listen_fd, &event) == 0);
}

static void refuse(struct edge *edge, int fd)
{
    static const char text[] = "-ERR max number of clients reached\r\n";
    edge_count(edge, EDGE_CONNECTIONS_FULL);
    (void)send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static bool connection_open(struct edge *edge, int fd, const struct sockaddr_in *peer)
{
    uint32_t index = edge->connection_free;
    struct edge_connection *connection = &edge->connections[index];
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.u32 = index,
    };
    if (epoll_ctl(edge->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return false;
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    edge->connection_free = connection->next_free;
    edge->connection_count++;
    struct edge_order *order = connection->order;
    memset(order, 0, edge->config.group_count * sizeof *order);
    *connection = (struct edge_connection){
        .fd = fd,
        .index = index,
        .first = EDGE_NONE,
        .last = EDGE_NONE,
        .writable = true,
        .needed = 1,
        .id = ++edge->connection_id,
        .since_ns = edge->now_ns,
        .peer_ip = ntohl(peer->sin_addr.s_addr),
        .peer_port = ntohs(peer->sin_port),
        .order = order,
    };
    edge_count(edge, EDGE_CONNECTION);
    return true;
}

void edge_accept(struct edge *edge)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_in peer = {0};
        socklen_t bytes = sizeof peer;
        int fd = accept4(edge->listen_fd, (struct sockaddr *)&peer, &bytes,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
                return;
            /* Out of descriptors or memory: the socket would stay readable and the loop would spin. */
            edge_count(edge, EDGE_ACCEPT_FAILED);
            accept_pause(edge, false);
            return;
        }
        if (edge->connection_free == EDGE_NONE) {
            refuse(edge, fd);
        } else if (!connection_open(edge, fd, &peer)) {
            edge_count(edge, EDGE_ACCEPT_FAILED);
            close(fd);
        }
    }
}

static void input_release(struct edge *edge, struct edge_connection *connection)
{
    if (connection->input == NULL)
        return;
    if (connection->input_big) {
        size_t offset = (size_t)(connection->input - edge->big_inputs);
        edge->big_free[edge->big_free_count++] = (uint32_t)(offset / EDGE_BIG_INPUT_BYTES);
    } else {
        edge_pool_give(&edge->pool, (struct edge_chunk *)(void *)connection->input);
    }
    connection->input = NULL;
    connection->input_big = false;
    connection->begin = 0;
    connection->end = 0;
    edge->wake_stalled = true;
}

void edge_connection_kill(struct edge *edge, struct edge_connection *connection)
{
    if (connection->dead)
        return;
    connection->dead = true;
    close(connection->fd);
    connection->fd = -1;
    input_release(edge, connection);
    edge_chain_drop(&edge->pool, &connection->output);
    for (uint32_t i = connection->first; i != EDGE_NONE;) {
        uint32_t next = edge->slots[i].next;
        if (edge->slots[i].state == SLOT_WAITING)
            edge->slots[i].connection = EDGE_NONE; /* freed by its completion, which always comes */
        else
            edge_slot_free(edge, i);
        i = next;
    }
    connection->first = EDGE_NONE;
    connection->last = EDGE_NONE;
    edge->graves[edge->grave_count++] = connection->index;
    edge->wake_stalled = true; /* so that the lists let go of it */
}

void edge_connections_bury(struct edge *edge)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < edge->grave_count; i++) {
        struct edge_connection *connection = &edge->connections[edge->graves[i]];
        if (connection->listed != LIST_NONE || connection->dirty) {
            edge->graves[left++] = connection->index;
            continue;
        }
        connection->next_free = edge->connection_free;
        edge->connection_free = connection->index;
        edge->connection_count--;
    }
    edge->grave_count = left;
}

/* ---- write ------------------------------------------------------------------------------------ */

/* Answered and written: nothing keeps it any longer. A last look at the input spares the client a reset that would
 * destroy the answer it has not read yet. */
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
    if (connection->dead)
        return;
    if (connection->output.bytes > edge->config.backlog_bytes_max) {
        edge_count(edge, EDGE_BACKLOG_FULL);
        edge_connection_kill(edge, connection);
        return;
    }
    close_if_done(edge, connection);
}

/* ---- read and parse ----------------------------------------------------------------------------- */

static void stop_parsing(struct edge *edge, struct edge_connection *connection)
{
    connection->closing = true;
    connection->half_since_ns = 0;
    input_release(edge, connection);
    edge_connection_dirty(edge, connection); /* it may be done already */
}

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
        stop_parsing(edge, connection);
    return true;
}

static void note_half(struct edge *edge, struct edge_connection *connection, bool progress)
{
    if (connection->begin == connection->end)
        connection->half_since_ns = 0;
    else if (connection->half_since_ns == 0 || progress)
        connection->half_since_ns = edge->now_ns;
}

/* Everything that is whole in the input. False: stalled, closing or dead. */
static bool parse_input(struct edge *edge, struct edge_connection *connection)
{
    bool progress = false;
    while (connection->end - connection->begin >= connection->needed) {
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
            connection->half_since_ns = 0; /* not its fault */
            edge_connection_list(edge, connection, LIST_STALLED);
            return false;
        }
        if (connection->closing) {
            stop_parsing(edge, connection);
            return false;
        }
        connection->begin += edge->command.bytes;
        connection->needed = 1;
        progress = true;
    }
    note_half(edge, connection, progress);
    if (connection->begin == connection->end)
        input_release(edge, connection);
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
    input_release(edge, connection);
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
        connection->input = (uint8_t *)edge_pool_take(&edge->pool);
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
        connection->half_since_ns = 0; /* not its fault */
        edge_connection_list(edge, connection, LIST_STALLED);
        return false;
    }
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
        stop_parsing(edge, connection); /* it may still want its answers */
    } else if (errno == EAGAIN || errno == EINTR) {
        connection->readable = errno == EINTR;
        if (connection->begin == connection->end)
            input_release(edge, connection);
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

/* ---- what is due once per second ------------------------------------------------------------------ */

static void close_half_sent(struct edge *edge, struct edge_connection *connection)
{
    static const char text[] = "-ERR Protocol error: command was half sent for too long\r\n";
    if (edge_reply(edge, connection, text, sizeof text - 1) == STEP_WAIT)
        return; /* in the next second, then */
    edge_count(edge, EDGE_HALF_SENT);
    if (!connection->dead)
        stop_parsing(edge, connection);
}

void edge_connections_second(struct edge *edge)
{
    if (!edge->accepting)
        accept_pause(edge, true);
    edge->wake_stalled = true; /* those that have waited too long are told so */
    for (uint32_t i = 0; i < edge->config.connections_max; i++) {
        struct edge_connection *connection = &edge->connections[i];
        if (connection->fd < 0)
            continue;
        if (connection->unread_since_ns != 0 &&
            edge->now_ns - connection->unread_since_ns >= edge->config.unread_ns) {
            edge_count(edge, EDGE_UNREAD);
            edge_connection_kill(edge, connection);
        } else if (connection->half_since_ns != 0 &&
                   edge->now_ns - connection->half_since_ns >= edge->config.half_sent_ns) {
            close_half_sent(edge, connection);
        }
    }
}
