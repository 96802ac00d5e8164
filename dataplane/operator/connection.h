/* connection.h: one blocking connection to a node's RESP edge.
 *
 * Shape: open, ask and wait, ask again, close. One command at a time; replies are one line, number
 * or text, never arrays: the operator asks for nothing else. Memory: the caller's struct; a reply's
 * text stays valid until the next ask or close, and always ends with a NUL. Threads: one per
 * connection. Time: connecting gives up after OPERATOR_CONNECT_MS per address of the name (to
 * resolve it takes what the resolver takes), question and answer together after timeout_ms;
 * OPERATOR_ANSWER_MS is longer than an edge's own deadline.
 * Limits: OPERATOR_TEXT_MAX bytes of a reply. Refusals: false and a sentence, or REPLY_BROKEN: then
 * it is not known whether the command was executed. Cost: system calls; not measured.
 */
#ifndef DATAPLANE_OPERATOR_CONNECTION_H
#define DATAPLANE_OPERATOR_CONNECTION_H

#include "numa/base/types.h"

#define OPERATOR_CONNECT_MS    1000u
#define OPERATOR_ANSWER_MS     5000u /* unless the operator wants another */
#define OPERATOR_TEXT_MAX      ((1u << 20) + 65536u)
#define OPERATOR_ENDPOINT_MAX  128u
#define OPERATOR_ARGUMENTS_MAX 8u

struct operator_connection {
    int fd; /* -1: closed */
    char *buffer;
    size_t bytes; /* received, from the start of the reply on */
    uint32_t timeout_ms;
    int64_t until_ms; /* when the answer is given up */
};

enum operator_reply_type {
    REPLY_BROKEN = 0,
    REPLY_ERROR,
    REPLY_STATUS,
    REPLY_NUMBER,
    REPLY_TEXT,
    REPLY_NIL
};

struct operator_reply {
    enum operator_reply_type type;
    const char *text; /* also of a number; of REPLY_BROKEN: what broke */
    size_t bytes;
};

/* endpoint: "host:port". False: *why is a sentence. */
bool operator_open(struct operator_connection *connection, const char *endpoint,
                   uint32_t timeout_ms, const char **why);
struct operator_reply operator_ask(struct operator_connection *connection, uint32_t count,
                                   const char *const *words);
void operator_close(struct operator_connection *connection);

#endif
