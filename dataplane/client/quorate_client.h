/* quorate_client.h: the C library for programs that use a cluster, over kernel UDP sockets.
 *
 * Shape: a handle is one session of one group (protocols/client) and one UDP socket. Calls either block until their
 * command has its answer, or are split: quorate_submit hands a command over, quorate_poll brings answers. There is no
 * thread behind it: the network is attended to inside the calls.
 *
 *   quorate_open ─► quorate_set, quorate_get, ...            one at a time
 *              └──► quorate_submit ... ─► quorate_poll ...   up to `window` under way, writes in order of submission
 *
 * Memory: quorate_open allocates; a result's value is the library's and stays until the next call with the handle.
 * Threads: a handle belongs to one thread at a time; handles are independent. No global state.
 * Time: CLOCK_MONOTONIC; every command ends within deadline_ns, whatever happens to the cluster.
 * Limits: QUORATE_ENDPOINTS_MAX members; keys of 512 bytes, values of 1 MiB (protocols/wire); 256 under way.
 * Refusals: enum quorate_status, each with a sentence. Cost: one system call per datagram; not measured.
 */
#ifndef DATAPLANE_CLIENT_QUORATE_CLIENT_H
#define DATAPLANE_CLIENT_QUORATE_CLIENT_H

#include "protocols/wire/wire.h"

#define QUORATE_ENDPOINTS_MAX 64u
#define QUORATE_ERROR_BYTES   160u
#define QUORATE_TAG_RESERVED  UINT64_MAX /* not for quorate_submit */

struct quorate;

enum quorate_status {
#define QUORATE_STATUS(name, sentence) QUORATE_##name,
#include "dataplane/client/quorate_status.def"
#undef QUORATE_STATUS
    QUORATE_STATUS_COUNT
};
const char *quorate_status_name(enum quorate_status status);
const char *quorate_status_sentence(enum quorate_status status);

/* Zero stands for the value in brackets. */
struct quorate_options {
    uint64_t cluster;         /* [any] refuse to talk to another cluster                       */
    uint16_t group;           /* [0]                                                           */
    uint32_t window;          /* [64] commands under way, at most 256                          */
    uint32_t value_bytes_max; /* [65,536] largest value sent or received, at most 1 MiB        */
    uint64_t deadline_ns;     /* [5 s]                                                         */
    uint64_t retry_ns;        /* [50 ms] first retry; doubles up to 16 times this              */
};

struct quorate_result {
    uint64_t tag; /* of quorate_submit */
    enum quorate_status status;
    int64_t
        integer; /* DEL, EXISTS: how many; INCR: the sum; APPEND, STRLEN: bytes; CAS: 1 swapped, 0 not */
    const void *
        value; /* GET: what is stored                                                                */
    uint32_t value_bytes;
};

/* Endpoints are "a.b.c.d:port" of the group at every member; `options` may be NULL. Sends nothing yet. NULL:
 * `error` (of QUORATE_ERROR_BYTES, may be NULL) says why. */
struct quorate *quorate_open(const char *const *endpoints, uint32_t count,
                             const struct quorate_options *options, char *error);
/* What is under way is forgotten, and may still be executed. */
void quorate_close(struct quorate *);

/* ---- one at a time -------------------------------------------------------------------------- */

/* ttl_ms 0: for ever. */
enum quorate_status quorate_set(struct quorate *, const void *key, uint32_t key_bytes,
                                const void *value, uint32_t value_bytes, uint64_t ttl_ms);
/* QUORATE_NIL: there is no such key. */
enum quorate_status quorate_get(struct quorate *, const void *key, uint32_t key_bytes,
                                struct quorate_result *result);
/* QUORATE_NIL: there was none. */
enum quorate_status quorate_del(struct quorate *, const void *key, uint32_t key_bytes);
/* Replaces the value if it is `old`. QUORATE_MISMATCH: it is not, or there is none. */
enum quorate_status quorate_cas(struct quorate *, const void *key, uint32_t key_bytes,
                                const void *old, uint32_t old_bytes, const void *value,
                                uint32_t value_bytes);
enum quorate_status quorate_incr(struct quorate *, const void *key, uint32_t key_bytes, int64_t by,
                                 int64_t *sum);
/* Any command of wire.h but REGISTER. */
enum quorate_status quorate_execute(struct quorate *, const struct wire_command *command,
                                    struct quorate_result *result);

/* ---- many at a time ------------------------------------------------------------------------- */

/* Copies the command. QUORATE_FULL: poll first; QUORATE_BAD_COMMAND: too large or not well formed; otherwise
 * QUORATE_OK, and quorate_poll will bring a result with this tag, once. */
enum quorate_status quorate_submit(struct quorate *, const struct wire_command *command,
                                   uint64_t tag);
/* Waits for at most timeout_ns, returns as soon as there is a result (0: none came). Values stay until the next
 * call. */
uint32_t quorate_poll(struct quorate *, struct quorate_result *results, uint32_t count,
                      uint64_t timeout_ns);
uint32_t quorate_outstanding(const struct quorate *); /* submitted and not yet polled */

#endif
