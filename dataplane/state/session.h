/* session.h: exactly-once: who may write under which number, and what was answered.
 *
 * Shape: SESSIONS_MAX slots. id = number of the registration * SESSIONS_MAX + slot, so that looking
 *   up is an array access and an id never comes back. Open sessions form a list by last use in log
 *   order: its old end is who times
 *   out and who is evicted. Answers lie in a ring of SESSION_WINDOW per session.
 * Memory: a part of the state's region; answers of slots never opened are never touched. Threads:
 *   the owner; state_sessions_next from any core. Time: log time. Limits: state.h. Refusals: closed
 *   sessions are not found;
 *   answers that were too long or too long ago are WIRE_REPLY_GONE. Cost: O(1), one line of answers
 *   per command. An answer is stored by words, for a walk (capture.h) that looks on.
 */
#ifndef DATAPLANE_STATE_SESSION_H
#define DATAPLANE_STATE_SESSION_H

#include "dataplane/state/hash.h"
#include "dataplane/state/state.h"
#include "numa/base/layout.h"

#define SESSION_NOBODY      0xffffu
#define SESSION_NONCE_LISTS 8192u

struct session {
    uint64_t id;   /* 0: closed */
    uint64_t next; /* sequence to be executed next */
    uint64_t nonce;
    uint64_t last_ms;
    uint16_t older;
    uint16_t newer; /* of a closed slot: the next free one */
    uint16_t same_list;
    uint16_t spare[13];
};

struct session_reply {
    uint8_t status;
    uint8_t type;
    uint8_t value_bytes;
    uint8_t spare[5];
    int64_t integer;
    uint8_t value[SESSION_REPLY_BYTES];
};

struct state_sessions {
    struct session *session;
    struct session_reply *reply;
    uint16_t *list; /* open sessions by nonce */
    uint64_t registrations;
    uint64_t digest; /* over (id, next) of all open ones */
    uint32_t count;
    uint16_t oldest;
    uint16_t newest;
    uint16_t free;
};

void state_sessions_lay_out(struct state_sessions *sessions, uint8_t *base, struct layout *layout);

struct session *state_sessions_find(const struct state_sessions *sessions,
                                    uint64_t id); /* NULL: closed */
struct session *state_sessions_find_nonce(const struct state_sessions *sessions, uint64_t nonce);
struct session *
state_sessions_oldest(const struct state_sessions *sessions); /* NULL: none is open */

/* There must be a free slot. */
struct session *state_sessions_open(struct state_sessions *sessions, uint64_t nonce);
void state_sessions_close(struct state_sessions *sessions, struct session *session);
void state_sessions_touch(struct state_sessions *sessions, struct session *session,
                          uint64_t time_ms);

/* Keeps the answer of `next` and moves on. */
void state_sessions_answered(struct state_sessions *sessions, struct session *session,
                             const struct wire_result *result);

/* For a load, when no session is open: which slots are open (least recently used first) and free
 * (next first); all SESSIONS_MAX slots, each once. Then each open one, in its slot. */
void state_sessions_order(struct state_sessions *sessions, const uint16_t *slots, uint32_t open);
void state_sessions_restore(struct state_sessions *sessions, uint32_t slot, uint64_t id,
                            uint64_t next, uint64_t nonce, uint64_t last_ms);

/* The kept answer of a sequence below `next`; NULL: no longer kept. */
const struct session_reply *state_sessions_reply(const struct state_sessions *sessions,
                                                 const struct session *session, uint64_t sequence);

static inline void state_sessions_prefetch(const struct state_sessions *sessions, uint64_t id,
                                           uint64_t sequence)
{
    uint64_t slot = id % SESSIONS_MAX;
    __builtin_prefetch(&sessions->session[slot], 1);
    __builtin_prefetch(&sessions->reply[slot * SESSION_WINDOW + sequence % SESSION_WINDOW], 1);
}

#endif
