/* internal.h: what the chapters of one state share.
 *
 * Shape: struct state is table, memory, expiry and sessions plus the windows that other cores look
 *   at. A command runs in a struct execution; apply makes one per entry, readers make one per read
 *   and never write through it.
 * Memory, threads, time, limits, refusals, cost: state.h.
 */
#ifndef DATAPLANE_STATE_INTERNAL_H
#define DATAPLANE_STATE_INTERNAL_H

#include "dataplane/state/capture.h"
#include "dataplane/state/expiry.h"
#include "dataplane/state/session.h"
#include "dataplane/state/state.h"
#include "dataplane/state/table.h"

#define PENDING_COUNT 256u

/* The hash of an entry that was prefetched; (index, term) names the entry. */
struct pending_hash {
    uint64_t index;
    uint64_t term;
    uint64_t hash;
    bool item; /* its items have been asked for as well */
};

/* What is copied when the mark is set. */
struct state_mark {
    uint64_t index;
    uint64_t time_ms;
    uint64_t digest;
    uint64_t keys;
    uint64_t live_bytes;
    uint64_t registrations;
    uint32_t sessions;
    uint16_t oldest;
    uint16_t free;
    uint64_t counter[STATE_EVENT_COUNT];
};

/* A version that was given away, and one that was given back, is on a stack: `content` is the next
 * one's reference then, and `timer` the place that it lay in. */
struct state_capture {
    CACHE_ALIGNED uint32_t phase;
    bool overrun;
    CACHE_ALIGNED item_ref given;
    CACHE_ALIGNED item_ref returned;

    CACHE_ALIGNED item_ref back; /* the owner's: returned, and not yet on the queue */
    bool begun;
    uint32_t held_count; /* given and not yet on the queue */
    uint32_t held_count_max;
    uint8_t *taken;              /* by bucket: a bit per slot */
    uint8_t *session_taken;      /* by slot */
    struct session *session;     /* at the mark */
    struct session_reply *reply; /* at the mark, of those that are taken */
    struct state_mark mark;
};

struct state {
    struct state_config config;
    struct state_table table;

    /* Windows: the owner stores, any core loads. */
    CACHE_ALIGNED uint64_t applied_index;
    uint64_t time_ms;
    uint64_t next_expiry_ms;
    uint64_t key_count;
    uint64_t digest;

    /* The owner's own. */
    CACHE_ALIGNED uint64_t items_digest;
    bool capturing; /* changes give versions to a walk */
    struct state_memory memory;
    struct state_expiry expiry;
    struct state_sessions sessions;
    struct pending_hash pending[PENDING_COUNT];
    uint64_t counter[STATE_EVENT_COUNT];
    struct state_capture capture;
};

struct execution {
    const struct wire_command *command;
    struct wire_result *result;
    uint64_t hash;  /* of the command's key */
    uint64_t index; /* of the entry; readers: the last applied */
    uint64_t time_ms;
};

/* Fills the result of a write, or of a read at its place in the log. Total. */
void state_execute(struct state *state, const struct execution *execution);

/* Reads, for the owner at its place in the log and for any reader. Ops outside of the reads:
 * WIRE_BAD_COMMAND. */
void state_execute_read(const struct state *state, const struct execution *execution,
                        uint8_t *scratch, uint32_t scratch_bytes);
void state_scan(const struct state *state, const struct execution *execution, uint8_t *scratch,
                uint32_t scratch_bytes);

/* The version that this execution may see: applied as a whole and not due. NULL: absent. */
const struct item *state_visible(const struct state *state, const struct execution *execution,
                                 const struct item *item);

/* Deletes up to a fixed number of keys that are due. */
void state_expire_keys(struct state *state, uint64_t time_ms);

/* Does `text` match the pattern, by the rules of Redis' MATCH? Adds the steps that it took. */
bool state_glob(const uint8_t *pattern, uint32_t pattern_bytes, const uint8_t *text,
                uint32_t text_bytes, uint64_t *steps);

/* What a capture asks of the owner while `capturing`: before a slot changes (true: what lay there
 * is the walk's now), and before a session keeps an answer. */
bool state_capture_keep(struct state *state, const uint64_t *slot);
void state_capture_keep_session(struct state *state, const struct session *session);
bool state_capture_has(const struct state *state, const uint64_t *slot);

/* With `capture` NULL only for the size. */
void state_capture_lay_out(struct state_capture *capture, uint8_t *base, struct layout *layout,
                           uint32_t keys_max);
uint32_t state_capture_held_max(uint32_t keys_max);
/* Puts on the queue what the walk gave back. */
void state_capture_collect(struct state *state);

/* Makes windows of what has been applied. */
void state_publish(struct state *state, uint64_t index);

static inline uint64_t state_item_digest(const struct item *item)
{
    return hash_fold(item->content ^ HASH_A, item->expiry_ms ^ HASH_B);
}

/* Class of the version of a key and its value; of an MSET: with what they replaced. */
static inline uint32_t state_item_class(uint32_t key_bytes, uint64_t value_bytes, bool together)
{
    return state_class_of(ITEM_BYTES + key_bytes + value_bytes +
                          (together ? sizeof(struct item_before) : 0));
}

static inline uint64_t state_key_hash(const uint8_t *key, uint32_t key_bytes)
{
    return hash_bytes(key, key_bytes, HASH_SEED);
}

#endif
