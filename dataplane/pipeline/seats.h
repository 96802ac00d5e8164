/* seats.h: where a room keeps what belongs to a member, while the view's members come and go.
 *
 * Shape: a member keeps its seat for as long as the view has it in the same incarnation; who is new
 *   gets a free one. Rooms index their own arrays by seat and ask once per view.
 *
 *   view.member[0 1 2 3] ── seat ──► [2 0 3 1]        member[1] leaves: [2 3 1], seat 0 is free
 *
 * Memory: the room's, zeroed before the first call. Threads: the room's. Time: none.
 * Limits: VIEW_MEMBERS_MAX, as in a view. Refusals: none.
 * Cost: one comparison while the view stays; O(members squared) when it changes; not measured.
 */
#ifndef DATAPLANE_PIPELINE_SEATS_H
#define DATAPLANE_PIPELINE_SEATS_H

#include "dataplane/view/view.h"

struct seats {
    uint64_t epoch;                 /* of the view that `seat` is of; 0: of none */
    uint64_t taken;                 /* bit per seat */
    uint8_t seat[VIEW_MEMBERS_MAX]; /* by position in the view */
    uint16_t id[VIEW_MEMBERS_MAX];  /* by seat */
    uint64_t incarnation[VIEW_MEMBERS_MAX];
};

/* Follows another view. Returns a bit for each seat whose member is new. */
uint64_t seats_change(struct seats *seats, const struct view *view);

static inline uint64_t seats_follow(struct seats *seats, const struct view *view)
{
    return __builtin_expect(seats->epoch == view->epoch, 1) ? 0 : seats_change(seats, view);
}

#endif
