#include "bench/resp_client.h"

#include "protocols/wire/wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (WIRE_VALUE_BYTES_MAX + 4096u)

bool resp_client_open(struct resp_client *client, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct timeval wait = {.tv_sec = RESP_CLIENT_WAIT_S};
    int on = 1;
    *client = (struct resp_client){.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (client->socket < 0)
        return false;
    client->buffer = malloc(BUFFER_BYTES);
    if (client->buffer != NULL &&
        setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
        setsockopt(client->socket, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
        setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
        connect(client->socket, (struct sockaddr *)&address, sizeof address) == 0)
        return true;
    resp_client_close(client);
    return false;
}

void resp_client_close(struct resp_client *client)
{
    if (client->socket >= 0)
        (void)close(client->socket);
    free(client->buffer);
    *client = (struct resp_client){.socket = -1};
}

bool resp_client_send_get(struct resp_client *client, const uint8_t *key, uint32_t key_bytes)
{
    char request[WIRE_KEY_BYTES_MAX + 64];
    int head = snprintf(request, sizeof request, "*2\r\n$3\r\nGET\r\n$%u\r\n", key_bytes);
    if (head < 0 || key_bytes > WIRE_KEY_BYTES_MAX)
        return false;
    size_t bytes = (size_t)head;
    memcpy(request + bytes, key, key_bytes);
    bytes += key_bytes;
    request[bytes++] = '\r';
    request[bytes++] = '\n';
    for (size_t sent = 0; sent < bytes;) {
        ssize_t part = send(client->socket, request + sent, bytes - sent, MSG_NOSIGNAL);
        if (part <= 0)
            return false;
        sent += (size_t)part;
    }
    return true;
}

/* More bytes behind `end`. False: none came, or the answer is larger than any may be. */
static bool receive_more(struct resp_client *client)
{
    if (client->begin > 0) {
        memmove(client->buffer, client->buffer + client->begin, client->end - client->begin);
        client->end -= client->begin;
        client->begin = 0;
    }
    if (client->end == BUFFER_BYTES)
        return false;
    ssize_t part =
        recv(client->socket, client->buffer + client->end, BUFFER_BYTES - client->end, 0);
    if (part <= 0)
        return false;
    client->end += (size_t)part;
    return true;
}

/* A line without its end; it starts at begin, which does not move. */
static bool read_line(struct resp_client *client, size_t *bytes)
{
    size_t looked = 0;
    for (;;) {
        size_t held = client->end - client->begin;
        const uint8_t *line = client->buffer + client->begin;
        for (; looked + 1 < held; looked++) {
            if (line[looked] == '\r' && line[looked + 1] == '\n') {
                *bytes = looked;
                return true;
            }
        }
        if (!receive_more(client))
            return false;
    }
}

static bool bulk_bytes(const uint8_t *digits, size_t count, uint32_t *bytes)
{
    uint32_t value = 0;
    if (count == 0 || count > 7)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(digits[i] - '0');
    }
    *bytes = value;
    return value <= WIRE_VALUE_BYTES_MAX;
}

enum resp_answer resp_client_read(struct resp_client *client, const uint8_t **text,
                                  uint32_t *text_bytes)
{
    size_t line_bytes;
    uint32_t bytes;
    *text = NULL;
    *text_bytes = 0;
    if (!read_line(client, &line_bytes) || line_bytes == 0)
        return RESP_BROKEN;
    const uint8_t *line = client->buffer + client->begin;
    if (line[0] == '-') {
        *text = line + 1;
        *text_bytes = (uint32_t)line_bytes - 1;
        client->begin += line_bytes + 2;
        return RESP_ERROR;
    }
    if (line_bytes == 3 && memcmp(line, "$-1", 3) == 0) {
        client->begin += line_bytes + 2;
        return RESP_NIL;
    }
    if (line[0] != '$' || !bulk_bytes(line + 1, line_bytes - 1, &bytes))
        return RESP_BROKEN;
    size_t whole = line_bytes + 2 + bytes + 2;
    while (client->end - client->begin < whole) {
        if (!receive_more(client))
            return RESP_BROKEN;
    }
    *text = client->buffer + client->begin + line_bytes + 2;
    *text_bytes = bytes;
    client->begin += whole;
    return memcmp(*text + bytes, "\r\n", 2) == 0 ? RESP_VALUE : RESP_BROKEN;
}
