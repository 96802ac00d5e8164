/* resp_client.h: GETs over a blocking connection to a RESP edge, many under way at a time.
 *
 * Shape: send some, then read as many answers, in order. Memory: one buffer for the largest answer,
 * allocated by open.
 * Threads: one. Time: each wait on the socket ends after RESP_CLIENT_WAIT_S seconds.
 * Limits: values of up to 1 MiB. Refusals: an answer that is neither a value nor nil is RESP_ERROR,
 * with its text; a connection that broke stays broken. Cost: system calls; for checks after a run,
 * not for load.
 */
#ifndef BENCH_RESP_CLIENT_H
#define BENCH_RESP_CLIENT_H

#include "numa/base/types.h"

#define RESP_CLIENT_WAIT_S 5

struct resp_client {
    int socket;
    uint8_t *buffer;
    size_t begin; /* of what was received and not read yet */
    size_t end;
};

enum resp_answer {
    RESP_VALUE = 0,
    RESP_NIL,
    RESP_ERROR,  /* the edge refused: text says how */
    RESP_BROKEN, /* no connection, no answer in time, or not RESP */
};

/* On loopback. False: nobody listens there. */
bool resp_client_open(struct resp_client *client, uint16_t port);
void resp_client_close(struct resp_client *client);

bool resp_client_send_get(struct resp_client *client, const uint8_t *key, uint32_t key_bytes);

/* *text is valid until the next call. */
enum resp_answer resp_client_read(struct resp_client *client, const uint8_t **text,
                                  uint32_t *text_bytes);

#endif
