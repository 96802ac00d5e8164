/* state.h: one group's replicated state: key-value table, sessions, log time. A total function of
 * the log.
 *
 * Shape: the owning core applies entries in order; any core reads keys without a lock. Same
 * entries, same state and same results on every replica: nothing here looks at a clock, at memory
 * pressure or at who asks. Limits are counted in logical bytes, which are a function of the log;
 * memory behind them is larger.
 *
 *   entry ─► session: new? ─► command ─► table ─► result ─► session's reply cache
 *                 └─ seen before: cached result, or WIRE_REPLY_GONE
 *
 *   A session executes its sequences in order: one above the last is executed, lower is answered
 *   from the cache, higher is answered WIRE_OUT_OF_ORDER with the one expected. Sessions:
 *   SESSIONS_MAX per group, opened, expired (session_ttl_ms of log time without a command) and
 *   evicted (least recently used in log order) by entries alone. A registration with a nonce that
 *   an open session bears returns that session. Session ids never repeat. Log time is the last
 *   applied entry's; keys expire against it, on read and by deletion while entries apply.
 *
 *   What a command answers (status WIRE_DONE unless said otherwise):
 *
 *   SET       STATUS_OK; with RETURN_OLD the old value or NIL, set or not; refused by NX or XX: NIL
 *   MSET      STATUS_OK; asks for room as if no value shrank and no key came twice
 *   DEL EXISTS EXPIRE PERSIST CAS   INTEGER 1 done, 0 not; CAS of an absent key is 0, even with an
 *                                   empty `old`
 *   INCRBY    INTEGER the sum; WIRE_WRONG_TYPE
 *   APPEND    INTEGER the new length; WIRE_TOO_BIG above 1 MiB
 *   GET       BYTES or NIL
 *   STRLEN    INTEGER, 0 when absent
 *   TTL       INTEGER ms; -1 without expiry, -2 absent
 *   SIZE      INTEGER keys, those included that are due and not yet deleted
 *   SCAN      BYTES: keys, each | key_bytes 4 | key |; integer: the next cursor, 0 at the end
 *   REGISTER  INTEGER the session's id; nonce 0 is nobody's: it always opens a new session
 *   writes that need room may answer WIRE_NO_SPACE: nothing changed then
 *
 *   SET and MSET end a time to live (SET unless KEEP_TTL), INCRBY, APPEND and CAS keep it. SCAN's
 *   count is how many keys it looks for before it stops at a bucket's end; it looks at
 *   SCAN_BUCKETS_MAX buckets at most. A key that is there from the first to the last call comes
 *   exactly once.
 *
 * Memory: one flat region of the caller, state_footprint bytes (address space; pages are touched on
 *   use). Versions replaced by the writer are kept until the grace epoch has passed them. Threads:
 *   one writer; any readers
 *   registered with view.h. Time: log time only.
 * Limits: keys_max, bytes_max, SESSIONS_MAX, SESSION_WINDOW replies of SESSION_REPLY_BYTES each.
 *   What waits for a grace period is an extra: half of bytes_max and 16 MiB. Beyond it
 *   state_can_apply says no, which delays entries
 *   and never changes their results.
 * Refusals: WIRE_NO_SPACE, WIRE_WRONG_TYPE, ... as results: same on every replica.
 * state_events.def.
 * Cost: one bucket line and one item line per look-up; measured: not measured.
 */
#ifndef DATAPLANE_STATE_STATE_H
#define DATAPLANE_STATE_STATE_H

#include "protocols/wire/wire.h"

#define SESSIONS_MAX        4096u
#define SESSION_WINDOW      256u
#define SESSION_REPLY_BYTES 16u /* longer values are not kept with their reply: WIRE_REPLY_GONE */
#define SCAN_BUCKETS_MAX    1024u
#define SCAN_PATTERN_MAX    1024u /* longer: WIRE_TOO_BIG */
#define SCAN_BYTES_MIN      3612u /* scratch that any bucket's keys fit into */

enum state_event {
#define STATE_EVENT(name, sentence) STATE_##name,
#include "dataplane/state/state_events.def"
#undef STATE_EVENT
    STATE_EVENT_COUNT
};
const char *state_event_name(enum state_event event);
const char *state_event_sentence(enum state_event event);

struct state;

struct state_config {
    uint32_t keys_max;  /* power of two, at least 16 */
    uint64_t bytes_max; /* logical bytes of keys and values, rounded by size class; at most 2^40 */
    uint64_t session_ttl_ms; /* 0: sessions end by eviction only */
};

size_t state_footprint(const struct state_config *config); /* 0: not acceptable */
struct state *state_init(void *memory, const struct state_config *config);

/* Ask before each state_apply. False: too many replaced versions wait for a grace period; nothing
 * is wrong, come back when state_reclaim has freed some. */
bool state_can_apply(const struct state *);

/* Entries come in index order, without gaps, the first is 1; state_can_apply was asked.
 * result->value stays valid until the next state_reclaim. */
void state_apply(struct state *, const struct wire_entry *entry, struct wire_result *result);

/* Brings the lines that state_apply of this entry will touch: the key's bucket at the first call,
 * its items at a second one. Up to 128 entries ahead; a second call that never comes is made good
 * by state_apply, a few entries ahead. */
void state_prefetch(struct state *, const struct wire_entry *entry);

/* A read (WIRE_OP_GET ... WIRE_OP_SCAN) against what is applied; from any registered, online
 * reader. value is valid until its quiescent report, or lies in scratch (SCAN, which needs
 * SCAN_BYTES_MIN at least: WIRE_TOO_BIG). The pairs of an MSET appear together: at the moment its
 * entry is applied. */
void state_read(const struct state *, const struct wire_command *command,
                struct wire_result *result, uint8_t *scratch, uint32_t scratch_bytes);

/* Owner, once per loop turn. Versions replaced since the last call are tagged with `started_epoch`,
 * which must have been read (view_epoch_started) after the state_apply calls before; those with a
 * tag below `completed_epoch` are reused. */
void state_reclaim(struct state *, uint64_t started_epoch, uint64_t completed_epoch);

uint64_t state_applied_index(const struct state *); /* any core, acquire: what a reader waits for */
uint64_t state_time_ms(const struct state *);       /* log time */
/* Log time when the next key is due; UINT64_MAX: none. */
uint64_t state_next_expiry_ms(const struct state *);
uint64_t state_key_count(const struct state *);
/* Of keys, values, deadlines, sessions' sequences and log time: same on replicas that applied the
 * same entries. */
uint64_t state_digest(const struct state *);

/* Any core: next sequence of a session, for admission in order; 0: no such session. */
uint64_t state_session_next(const struct state *, uint64_t session);
uint32_t state_session_count(const struct state *);
const uint64_t *state_counters(const struct state *); /* STATE_EVENT_COUNT, by enum state_event */

#endif
