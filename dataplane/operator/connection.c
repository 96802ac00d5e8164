#include "dataplane/operator/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- open ------------------------------------------------------------------------------------ */

static bool split_endpoint(const char *endpoint, char *host, char *port)
{
    const char *colon = strrchr(endpoint, ':');
    if (colon == NULL || colon == endpoint || colon[1] == '\0' ||
        strlen(endpoint) >= OPERATOR_ENDPOINT_MAX)
        return false;
    memcpy(host, endpoint, (size_t)(colon - endpoint));
    host[colon - endpoint] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return true;
}

static int64_t now_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool wait_until(int fd, short events, int64_t until_ms)
{
    struct pollfd waiting = {.fd = fd, .events = events};
    int found;
    do {
        int64_t left_ms = until_ms - now_ms();
        found = poll(&waiting, 1, left_ms > 0 ? (int)left_ms : 0);
    } while (found < 0 && errno == EINTR);
    if (found == 0)
        errno = ETIMEDOUT;
    return found > 0;
}

static bool connect_within(int fd, const struct addrinfo *address, uint32_t timeout_ms)
{
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return true;
    if (errno != EINPROGRESS ||
        !wait_until(fd, POLLOUT, now_ms() + min_u32(timeout_ms, OPERATOR_CONNECT_MS)))
        return false;
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0 || error == 0)
        return error == 0;
    errno = error;
    return false;
}

bool operator_open(struct operator_connection *connection, const char *endpoint,
                   uint32_t timeout_ms, const char **why)
{
    char host[OPERATOR_ENDPOINT_MAX], port[OPERATOR_ENDPOINT_MAX];
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    *connection = (struct operator_connection){.fd = -1, .timeout_ms = timeout_ms};
    if (!split_endpoint(endpoint, host, port)) {
        *why = "an endpoint is HOST:PORT";
        return false;
    }
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed != 0) {
        *why = gai_strerror(failed);
        return false;
    }
    for (const struct addrinfo *a = found; a != NULL && connection->fd < 0; a = a->ai_next) {
        connection->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connection->fd >= 0 && !connect_within(connection->fd, a, timeout_ms)) {
            int error = errno;
            close(connection->fd);
            connection->fd = -1;
            errno = error;
        }
    }
    freeaddrinfo(found);
    *why = connection->fd < 0 ? strerrordesc_np(errno) : "";
    if (connection->fd < 0)
        return false;
    int on =
        1; /* a command leaves in pieces, which must not wait for each other's acknowledgement */
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->buffer = malloc(OPERATOR_TEXT_MAX);
    if (connection->buffer == NULL) {
        *why = "out of memory";
        operator_close(connection);
        return false;
    }
    return true;
}

void operator_close(struct operator_connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    free(connection->buffer);
    *connection = (struct operator_connection){.fd = -1};
}

/* ---- ask ------------------------------------------------------------------------------------- */

static bool send_all(const struct operator_connection *connection, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t sent = send(connection->fd, data, bytes, MSG_NOSIGNAL);
        if (sent > 0) {
            data += sent;
            bytes -= (size_t)sent;
        } else if (errno != EINTR && (errno != EAGAIN ||
                                      !wait_until(connection->fd, POLLOUT, connection->until_ms))) {
            return false;
        }
    }
    return true;
}

static bool send_command(const struct operator_connection *connection, uint32_t count,
                         const char *const *words)
{
    char head[32];
    int bytes = snprintf(head, sizeof head, "*%u\r\n", count);
    if (!send_all(connection, head, (size_t)bytes))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        bytes = snprintf(head, sizeof head, "$%zu\r\n", strlen(words[i]));
        if (!send_all(connection, head, (size_t)bytes) ||
            !send_all(connection, words[i], strlen(words[i])) || !send_all(connection, "\r\n", 2))
            return false;
    }
    return true;
}

static bool receive_more(struct operator_connection *connection)
{
    size_t room = OPERATOR_TEXT_MAX - connection->bytes;
    if (room == 0) {
        errno = EMSGSIZE;
        return false;
    }
    for (;;) {
        ssize_t got = recv(connection->fd, connection->buffer + connection->bytes, room, 0);
        if (got > 0) {
            connection->bytes += (size_t)got;
            return true;
        }
        if (got == 0) {
            errno = ECONNRESET;
            return false;
        }
        if (errno != EINTR &&
            (errno != EAGAIN || !wait_until(connection->fd, POLLIN, connection->until_ms)))
            return false;
    }
}

/* The first line of the reply, its end replaced by a NUL; where the next byte lies. 0: broken. */
static size_t receive_line(struct operator_connection *connection)
{
    for (size_t seen = 0;;) {
        char *end = seen + 1 < connection->bytes
                        ? memmem(connection->buffer + seen, connection->bytes - seen, "\r\n", 2)
                        : NULL;
        if (end != NULL) {
            *end = '\0';
            return (size_t)(end - connection->buffer) + 2;
        }
        seen = connection->bytes > 0 ? connection->bytes - 1 : 0;
        if (!receive_more(connection))
            return 0;
    }
}

static struct operator_reply broken(const char *why)
{
    return (struct operator_reply){.type = REPLY_BROKEN, .text = why, .bytes = strlen(why)};
}

static struct operator_reply receive_text(struct operator_connection *connection, size_t at)
{
    char *end;
    long length = strtol(connection->buffer + 1, &end, 10);
    if (end == connection->buffer + 1 || *end != '\0' || length < -1 ||
        length > (long)OPERATOR_TEXT_MAX - 64)
        return broken("a length in the answer makes no sense");
    if (length == -1)
        return (struct operator_reply){.type = REPLY_NIL, .text = ""};
    while (connection->bytes < at + (size_t)length + 2)
        if (!receive_more(connection))
            return broken(strerrordesc_np(errno));
    connection->buffer[at + (size_t)length] = '\0';
    return (struct operator_reply){
        .type = REPLY_TEXT, .text = connection->buffer + at, .bytes = (size_t)length};
}

struct operator_reply operator_ask(struct operator_connection *connection, uint32_t count,
                                   const char *const *words)
{
    connection->bytes = 0;
    connection->until_ms = now_ms() + connection->timeout_ms;
    if (!send_command(connection, count, words))
        return broken(strerrordesc_np(errno));
    size_t at = receive_line(connection);
    if (at == 0)
        return broken(strerrordesc_np(errno));
    struct operator_reply reply = {.text = connection->buffer + 1, .bytes = at - 3};
    switch (connection->buffer[0]) {
    case '+':
        reply.type = REPLY_STATUS;
        return reply;
    case '-':
        reply.type = REPLY_ERROR;
        return reply;
    case ':':
        reply.type = REPLY_NUMBER;
        return reply;
    case '$':
        return receive_text(connection, at);
    default:
        return broken("the answer is not in Redis protocol 2");
    }
}
