/* guests.c: connections come and go, and some stay too long or take too much. */
#include "dataplane/edge/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64
#define SECOND_NS        UINT64_C(1000000000)

/* ---- accept ---------------------------------------------------------------------------------- */

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

/* Out of descriptors: with the spare one whoever has come is told so, and does not wait unheard. */
static bool refuse_with_spare(struct edge *edge)
{
    close(edge->spare_fd);
    int fd = accept4(edge->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        refuse(edge, fd);
    edge->spare_fd = fcntl(edge->wake_fd, F_DUPFD_CLOEXEC, 0);
    return fd >= 0 && edge->spare_fd >= 0;
}

void edge_accept(struct edge *edge)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_in peer = {0};
        socklen_t bytes = sizeof peer;
        int fd = accept4(edge->listen_fd, (struct sockaddr *)&peer, &bytes,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && edge->connection_free == EDGE_NONE) {
            refuse(edge, fd);
        } else if (fd >= 0 && !connection_open(edge, fd, &peer)) {
            edge_count(edge, EDGE_ACCEPT_FAILED);
            close(fd);
        } else if (fd < 0) {
            if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
                return;
            edge_count(edge, EDGE_ACCEPT_FAILED);
            /* The socket stays readable: without a pause the loop would spin. */
            if ((errno != EMFILE && errno != ENFILE) || !refuse_with_spare(edge))
                accept_pause(edge, false);
            return;
        }
    }
}

/* ---- close ----------------------------------------------------------------------------------- */

void edge_input_release(struct edge *edge, struct edge_connection *connection)
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

void edge_connection_stop(struct edge *edge, struct edge_connection *connection)
{
    connection->closing = true;
    connection->half_since_ns = 0;
    edge_input_release(edge, connection);
    edge_connection_dirty(edge, connection); /* it may be done already */
}

void edge_connection_kill(struct edge *edge, struct edge_connection *connection)
{
    if (connection->dead)
        return;
    connection->dead = true;
    close(connection->fd);
    connection->fd = -1;
    edge_input_release(edge, connection);
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

/* ---- whoever takes too much ------------------------------------------------------------------ */

/* Bytes of answers that wait for their turn or for their reader. */
static uint64_t held_bytes(const struct edge *edge, const struct edge_connection *connection)
{
    uint64_t bytes = connection->output.bytes;
    for (uint32_t i = connection->first; i != EDGE_NONE; i = edge->slots[i].next)
        bytes += edge->slots[i].stash.bytes;
    return bytes;
}

bool edge_make_room(struct edge *edge, const struct edge_connection *connection)
{
    struct edge_connection *most = NULL;
    uint64_t most_bytes = 0;
    for (uint32_t i = 0; i < edge->config.connections_max; i++) {
        struct edge_connection *other = &edge->connections[i];
        uint64_t bytes = other->fd < 0 ? 0 : held_bytes(edge, other);
        if (bytes > most_bytes) {
            most = other;
            most_bytes = bytes;
        }
    }
    if (most == NULL || most == connection)
        return false;
    edge_count(edge, EDGE_NO_CHUNK);
    edge_connection_kill(edge, most);
    return true;
}

/* ---- what is due once per second ------------------------------------------------------------- */

static bool past(const struct edge *edge, uint64_t since_ns, uint64_t limit_ns)
{
    return since_ns != 0 && edge->now_ns - since_ns >= limit_ns;
}

/* Without a slot for the sentence: in the next second, then. */
static void close_with(struct edge *edge, struct edge_connection *connection, enum edge_event event,
                       const char *text)
{
    if (edge_reply_error(edge, connection, event, text) == STEP_DONE && !connection->dead)
        edge_connection_stop(edge, connection);
}

static void check_patience(struct edge *edge, struct edge_connection *connection)
{
    const struct edge_config *config = &edge->config;
    if (past(edge, connection->unread_since_ns, config->unread_ns)) {
        edge_count(edge, EDGE_UNREAD);
        edge_connection_kill(edge, connection);
    } else if (connection->output.bytes >= config->backlog_bytes_max &&
               past(edge, connection->unread_since_ns, SECOND_NS)) {
        edge_count(edge, EDGE_BACKLOG_FULL);
        edge_connection_kill(edge, connection);
    } else if (past(edge, connection->half_since_ns, config->half_sent_ns)) {
        close_with(edge, connection, EDGE_HALF_SENT,
                   "-ERR Protocol error: command was half sent for too long\r\n");
    } else if (past(edge, connection->room_since_ns, config->deadline_ns)) {
        close_with(edge, connection, EDGE_NO_INPUT,
                   "-TRYAGAIN not executed: no buffer came free for a command of this size\r\n");
    }
}

void edge_connections_second(struct edge *edge)
{
    if (!edge->accepting)
        accept_pause(edge, true);
    edge->wake_stalled = true; /* those that have waited too long are told so */
    for (uint32_t i = 0; i < edge->config.connections_max; i++)
        if (edge->connections[i].fd >= 0)
            check_patience(edge, &edge->connections[i]);
}
