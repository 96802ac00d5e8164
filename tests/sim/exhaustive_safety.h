/* exhaustive_safety.h: what has to hold of all members together (figure 3 of the extended paper).
 *
 * Shape: a state carries what has happened as far as safety asks for it: who led each term, the
 *   log that it led with, what is committed and by which term. A step by one member is looked at
 *   with them, and they go on.
 * Memory: malloc'd, one log per different log. Threads: one. Time: none. Limits: refine.h's.
 * Refusals: a sentence that names the property. Cost: O(members x entries) per step.
 */
#ifndef TESTS_SIM_EXHAUSTIVE_SAFETY_H
#define TESTS_SIM_EXHAUSTIVE_SAFETY_H

#include "tests/sim/exhaustive_member.h"

#define EXHAUSTIVE_BAG_MAX 7u

/* One state of everything; bytes without padding. */
struct exhaustive_state {
    uint32_t member[REFINE_MEMBERS];  /* numbers of their states */
    uint32_t bag[EXHAUSTIVE_BAG_MAX]; /* numbers of messages, ascending; zero behind bag_count */
    uint16_t committed;               /* number of a log */
    uint16_t led_log[REFINE_TERMS_MAX];
    uint8_t led_by[REFINE_TERMS_MAX];       /* member's id; 0: nobody yet */
    uint8_t committed_by[REFINE_TERMS_MAX]; /* how many entries leaders up to this term committed */
    uint8_t bag_count;
    uint8_t timeouts, beats, crashes, proposals, changes, duplicates;
    uint8_t zero[3];
};

struct exhaustive_safety;

/* same_members: they never change, so it can be said on whose disks what is committed must be. */
struct exhaustive_safety *exhaustive_safety_new(bool same_members);
void exhaustive_safety_free(struct exhaustive_safety *safety);

/* `member` has come to next->member[member] by `step`. NULL: safe. */
const char *exhaustive_safety_step(struct exhaustive_safety *safety,
                                   const struct exhaustive_members *members,
                                   struct exhaustive_state *next, uint32_t member,
                                   const struct exhaustive_step *step);

#endif
