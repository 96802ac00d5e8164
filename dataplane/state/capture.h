/* capture.h: the state as it was at one applied index, read while entries go on being applied.
 *
 * Shape: the owner sets a mark between two entries, which copies what is small (sessions' table,
 *   counters, log time); then a control thread walks the table. Each slot of the table has a bit,
 *   "taken": whoever comes first, the walk or a change, takes the slot. A change that comes first
 *   gives the version that lay there to the walk, on a stack; the walk keeps it until it gets to
 *   that slot, and gives it back then. A session's kept answers are copied by the first answer
 *   after the mark.
 *
 *   phase   IDLE ─ ask ─► ASKED ─ begin ─► WALKING ─ last state_walk_next ─► WALKED ─ end ─► IDLE
 *   who            control        owner             control                         owner
 *
 *   The walk loads a slot, then takes its bit; a change gives the old version away, then takes the
 *   bit, then stores the slot. So a slot that the walk took before any change was loaded before any
 *   change, and for a bit that the walk finds taken the version is on the stack already. Nobody
 *   waits for anybody.
 *   What comes out (image.h) is in the order of slots, sessions and lists, hence a function of the
 *   log: replicas at the same index write the same bytes.
 *
 * Memory: the state's region: a byte per bucket, and room for 32 MiB of answers (pages come when a
 *   session answers during a walk). Versions that wait for the walk are beside what a table may
 *   hold: at most bytes_max / 4 + 8 MiB, and as many versions as state_walk_footprint has room for
 *   (half of keys_max).
 * Threads: one owner, one walking thread, which is a registered, online reader (view.h) from
 *   state_capture_ask to its last call and reports between calls. Time: none.
 * Limits: one walk at a time per state.
 * Refusals: where changes outrun the walk, so that more would wait than may, the walk is given up:
 *   STATE_WALK_OVERRUN. Writers never wait for a walk. That takes a table of which a good quarter
 *   is replaced before the walk has come by; ask again.
 * Cost: without a walk one branch per write. During one a load per write, for the first change of
 *   each slot two locked instructions; for the first answer of each session 8 KiB of memcpy;
 *   deadlines move in a copy of their version while its slot is not taken.
 */
#ifndef DATAPLANE_STATE_CAPTURE_H
#define DATAPLANE_STATE_CAPTURE_H

#include "dataplane/state/state.h"

/* What one call of state_walk_next gives is whole records, and fits in this. */
#define STATE_PART_BYTES_MAX ((1u << 18) + (1u << 20) + 4096u)

enum state_capture_phase {
    STATE_CAPTURE_IDLE,
    STATE_CAPTURE_ASKED,
    STATE_CAPTURE_WALKING,
    STATE_CAPTURE_WALKED
};

enum state_walk_result {
    STATE_WALK_PART,   /* `to` holds a part */
    STATE_WALK_MORE,   /* not yet: report, and call again with the same `to` */
    STATE_WALK_END,    /* there is no more */
    STATE_WALK_OVERRUN /* all parts so far are worthless */
};

struct state_walk;

enum state_capture_phase state_capture_phase(const struct state *); /* any thread */

/* Control, while IDLE. */
void state_capture_ask(struct state *);

/* Owner, between two entries, while ASKED: the mark is set at what is applied. */
void state_capture_begin(struct state *);

/* Owner, while WALKED; state_reclaim does it as well, and takes back what the walk gave back: so it
 * is to be called in every turn while the phase is not IDLE. */
void state_capture_end(struct state *);

/* Memory for walks of states with this config. */
size_t state_walk_footprint(const struct state_config *config);

/* Control, while WALKING. */
struct state_walk *state_walk_init(void *memory, struct state *state);

/* What the mark is of. */
void state_walk_mark(const struct state_walk *walk, uint64_t *index, uint64_t *time_ms,
                     uint64_t *digest);

/* Writes the next part to `to`, which has STATE_PART_BYTES_MAX; nothing of the state is held when
 * it returns but what was given to the walk. After END or OVERRUN the phase is WALKED, and it may
 * not be called again. A walk that nobody wants any more ends by state_walk_stop. */
enum state_walk_result state_walk_next(struct state_walk *walk, uint8_t *to, uint32_t *bytes);
void state_walk_stop(struct state_walk *walk);

/* Control, while WALKING, instead of a walk for which there was no memory. */
void state_capture_abandon(struct state *);

#endif
