/* exhaustive_member.h: one real Raft machine with its log and disk, whose every state is kept once
 * and whose every step is taken once.
 *
 * Shape: a member's state is its region (a copy of the region is a copy of the machine), the log
 *   that its owner keeps, the disk, what is on its way there, and the messages that wait for it. It
 *   gets a number. The machine is pure, so a step depends on that number and on the event alone:
 *
 *     step(state, event) ─► state, messages        looked up, or taken by the real raft_* calls
 *
 *   A turn is one event, raft_ready until there is no more, and applying what is committed; a new
 *   leader's no-op and leaving a joint configuration belong to the turn. Each new state is compared
 *   with the abstract machine (refine.h) and checked by raft_check.
 *
 *   What can not matter is made equal: counters, chance, sequence numbers (only their order
 *   counts), rings that begin elsewhere, what a follower remembers of having led. Clocks: in every
 *   state an election time-out has just passed for promises to others, and one's own timers are
 *   about to fire: any timer may fire at any time, in any order. So nothing here is said of leases
 *   and check-quorum, which are off; the simulator has them.
 * Memory: malloc'd, grows with the states: about 400 bytes each. Threads: one. Time: none.
 * Limits: refine.h's; no learners, witnesses or snapshots; one input per turn.
 * Refusals: EXHAUSTIVE_BEYOND where a step leads out of the bounds.
 * Cost: a few microseconds per new step, a look-up for one taken before.
 */
#ifndef TESTS_SIM_EXHAUSTIVE_MEMBER_H
#define TESTS_SIM_EXHAUSTIVE_MEMBER_H

#include "tests/sim/refine.h"

#define EXHAUSTIVE_BEYOND UINT32_MAX

/* argument: REFINE_RECEIVE a message's number; REFINE_PROPOSE a value; REFINE_CHANGE who is to
 * stay, as bits. */
struct exhaustive_event {
    uint8_t member; /* 0, 1, 2 */
    uint8_t kind;   /* enum refine_event */
    uint32_t argument;
};

struct exhaustive_step {
    uint32_t state;        /* EXHAUSTIVE_BEYOND: not looked at */
    const char *broken;    /* why this is no step of Raft's; NULL: it is one */
    const uint32_t *sends; /* numbers of messages; valid until the next call */
    uint32_t send_count;
};

struct exhaustive_members;

struct exhaustive_member_bounds {
    uint32_t terms;  /* highest */
    uint32_t writes; /* under way to one disk, at most REFINE_IMAGES_MAX */
    bool pre_vote;
};

/* Of no bounds may the log outgrow REFINE_ENTRIES_MAX; that is asserted. */
struct exhaustive_members *exhaustive_members_new(const struct exhaustive_member_bounds *bounds);
void exhaustive_members_free(struct exhaustive_members *members);

uint32_t exhaustive_member_first(const struct exhaustive_members *members, uint32_t member);
struct exhaustive_step exhaustive_member_step(struct exhaustive_members *members, uint32_t state,
                                              const struct exhaustive_event *event);

/* Valid until the next step. */
const struct refine_server *exhaustive_member_server(const struct exhaustive_members *members,
                                                     uint32_t state);
const struct refine_message *exhaustive_message(const struct exhaustive_members *members,
                                                uint32_t number);

struct exhaustive_members_count {
    uint64_t states, steps, messages, bytes;
};
struct exhaustive_members_count exhaustive_members_count(const struct exhaustive_members *members);

#endif
