/* internal.h: what the chapters of one state share.
 *
 * Shape: struct state is table, memory, expiry and sessions plus the windows that other cores look
 *   at. A command runs in a struct execution; apply makes one per entry, readers make one per read
 *   and never write through it.
 * Memory, threads, time, limits, refusals, cost: state.h.
 */
#ifndef DATAPLANE_STATE_INTERNAL_H
#define DATAPLANE_STATE_INTERNAL_H

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
    struct state_memory memory;
    struct state_expiry expiry;
    struct state_sessions sessions;
    struct pending_hash pending[PENDING_COUNT];
    uint64_t counter[STATE_EVENT_COUNT];
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

static inline uint64_t state_key_hash(const uint8_t *key, uint32_t key_bytes)
{
    return hash_bytes(key, key_bytes, HASH_SEED);
}

#endif
