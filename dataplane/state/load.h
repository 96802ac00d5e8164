/* load.h: a state from the parts that a walk wrote, equal in all that entries can ask.
 *
 * Shape: begin in memory of its own, parts in their order, end: it is a state then, at the walk's
 *   index, with the same keys in the same slots, the same sessions, lists, counters, limits and
 *   digest. Readers of a former state go on meanwhile: the two share nothing, and the owner puts
 *   one in the other's place between two entries.
 *
 *   begin ─► part* ─► end ─► state            any refusal: the memory holds no state
 *
 * Memory: state_footprint bytes of the caller, as for state_init; so during an install there are
 *   two states of that group. Parts are read only during the call. Threads: one, and nobody else
 *   looks before end. Time: none.
 * Limits: the config's, which must be those of the state that was walked.
 * Refusals: an enum state_load_refusal, in load_refusals.def. Total: whatever the bytes, nothing is
 *   read or written outside, and what is accepted fulfils each invariant that entries rely on.
 * Cost: one table line and one version per key; measured: dataplane/snapshot/README.md.
 */
#ifndef DATAPLANE_STATE_LOAD_H
#define DATAPLANE_STATE_LOAD_H

#include "dataplane/state/state.h"

enum state_load_refusal {
    STATE_LOADED = 0,
#define LOAD_REFUSAL(name, sentence) STATE_LOAD_##name,
#include "dataplane/state/load_refusals.def"
#undef LOAD_REFUSAL
    STATE_LOAD_REFUSAL_COUNT
};
const char *state_load_refusal_name(enum state_load_refusal refusal);
const char *state_load_refusal_sentence(enum state_load_refusal refusal);

struct state_load {
    struct state *state;
    bool headed;
    uint64_t index;
    uint64_t digest;
    uint64_t keys;
    uint64_t live_bytes;
    uint64_t next_place;   /* of items */
    uint32_t next_session; /* slot */
    uint32_t sessions;
};

/* The config must be acceptable. */
void state_load_begin(struct state_load *load, void *memory, const struct state_config *config);
enum state_load_refusal state_load_part(struct state_load *load, const uint8_t *part,
                                        uint32_t bytes);
enum state_load_refusal state_load_end(struct state_load *load, struct state **state);

#endif
