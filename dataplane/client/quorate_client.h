/* quorate_client.h: the C library for programs that use a cluster, over kernel UDP sockets.
 *
 * Shape: a handle is one session of one group (protocols/client) and one UDP socket. Calls either
 * block until their command has its answer, or are split: quorate_submit hands a command over,
 * quorate_poll brings answers. There is no thread behind it: the network is attended to inside the
 * calls, and nothing happens between them.
 *
 *   quorate_open ─► quorate_set, quorate_get, ...            one at a time
 *              └──► quorate_submit ... ─► quorate_poll ...   up to `window` under way, writes in
 *                                                            order of submission
 *
 * Memory: quorate_open allocates (window + 1) x (2 x value_bytes_max + 1 KiB) + value_bytes_max,
 *   touched as it is used, and 100 KiB; a result's value is allocated as well. It is the library's,
 *   and stays until the next call with the handle. Keys and values are copied before a call
 *   returns.
 * Threads: a handle belongs to one thread at a time; handles are independent. No global state.
 * Time: CLOCK_MONOTONIC; every command ends within deadline_ns, whatever happens to the cluster, if
 *   the handle is attended to. Signals do not end a wait.
 * Limits: QUORATE_ENDPOINTS_MAX members, IPv4; keys of 1 to 512 bytes, values of 1 MiB
 *   (protocols/wire); 256 commands under way or not polled yet. The answer to a read comes as one
 *   burst: beyond some 100 KiB it needs a socket buffer that net.core.rmem_max grants only when it
 *   is raised, 4 MiB for the largest values.
 * Refusals: enum quorate_status, each with a sentence. A reply is believed if it bears the handle's
 *   random 64-bit name: replies are not signed. With a secret key, what the handle sends is.
 * Cost: one system call per datagram, and one per wait; a signature takes some 17 us; not measured.
 */
#ifndef DATAPLANE_CLIENT_QUORATE_CLIENT_H
#define DATAPLANE_CLIENT_QUORATE_CLIENT_H

#include "protocols/wire/wire.h"

#define QUORATE_ENDPOINTS_MAX 64u
#define QUORATE_ERROR_BYTES   160u
#define QUORATE_SECRET_BYTES  64u
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
    /* [any] Members of another one do not answer. Name it beside `secret`: otherwise the first
     * answer, whoever sent it, says for which cluster the handle signs. */
    uint64_t cluster;
    uint16_t group;           /* [0]                                                           */
    uint32_t window;          /* [64] commands under way, at most 256                          */
    uint32_t value_bytes_max; /* [65,536] largest value sent or received, at most 1 MiB        */
    uint64_t deadline_ns;     /* [5 s] of each command, from its submission                    */
    uint64_t retry_ns;        /* [50 ms] first retry; doubles up to 16 times this              */
    const uint8_t *secret;    /* [none] QUORATE_SECRET_BYTES: what is sent is signed           */
};

struct quorate_result {
    uint64_t tag; /* of quorate_submit */
    enum quorate_status status;
    /* DEL, EXISTS: how many; INCRBY: the sum; APPEND, STRLEN: bytes; CAS: 1 or 0; TTL: ms;
     * SCAN: the next cursor, 0 at the end. */
    int64_t integer;
    /* GET, SET with RETURN_OLD: what is, or was, stored; SCAN: keys, each after its length in 4
     * bytes. NULL if there is none. */
    const void *value;
    uint32_t value_bytes;
};

/* Reads the file that `quorate keygen` writes. False: errno, or EINVAL if it holds something
 * else. */
bool quorate_secret_load(const char *path, uint8_t secret[QUORATE_SECRET_BYTES]);

/* Endpoints are "a.b.c.d:port", UDP, of the group at every member; `options` may be NULL. Sends
 * nothing yet. NULL: `error` (of QUORATE_ERROR_BYTES, may be NULL) says why, in one sentence. Text,
 * options and the secret key are not needed afterwards. */
struct quorate *quorate_open(const char *const *endpoints, uint32_t count,
                             const struct quorate_options *options, char *error);
/* What is under way is forgotten, and may still be executed. NULL is fine. */
void quorate_close(struct quorate *);

/* ---- one at a time --------------------------------------------------------------------------- */

/* Each returns when its command is done, refused or out of time. QUORATE_FULL: others of this
 * handle fill the window, poll first. QUORATE_REFUSED may be repeated without thought,
 * QUORATE_UNCERTAIN and QUORATE_GONE may not. Pointers may be NULL only where the length is 0. */

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
/* An absent key counts as 0. `sum` may be NULL, and is 0 unless QUORATE_OK. */
enum quorate_status quorate_incr(struct quorate *, const void *key, uint32_t key_bytes, int64_t by,
                                 int64_t *sum);
/* Any command of wire.h but REGISTER. QUORATE_NIL: no such key, or a SET whose condition did not
 * hold. */
enum quorate_status quorate_execute(struct quorate *, const struct wire_command *command,
                                    struct quorate_result *result);

/* ---- many at a time -------------------------------------------------------------------------- */

/* Copies the command, and sends it in the next quorate_poll or blocking call. QUORATE_FULL: poll
 * first; QUORATE_BAD_COMMAND: too large or not well formed; otherwise QUORATE_OK, and quorate_poll
 * will bring a result with this tag, once. */
enum quorate_status quorate_submit(struct quorate *, const struct wire_command *command,
                                   uint64_t tag);
/* Waits for at most timeout_ns and returns as soon as there is a result, or nothing under way; how
 * many it has written, up to `count`. Values stay until the next call. */
uint32_t quorate_poll(struct quorate *, struct quorate_result *results, uint32_t count,
                      uint64_t timeout_ns);
uint32_t quorate_outstanding(const struct quorate *); /* submitted and not yet polled */

#endif
