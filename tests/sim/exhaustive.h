/* exhaustive.h: every state that three real Raft machines can reach within bounds, breadth first.
 *
 * Shape: a state is three members' states (exhaustive_member.h) and a bag of messages in flight.
 *   Events: a message arrives, in any order, once or (duplicates) again; a time-out; a heartbeat; a
 *   proposal; a change of members; a write is done; a crash, which loses what was not written, and
 *   a restart. Loss is not an event of its own: a message may stay in the bag for ever, so the full
 *   bag can do whatever a smaller one can; where it overflows, every way to lose some is tried.
 *   Every step has to be a step of the abstract machine (refine.h), and every state safe: election
 *   safety, leader append-only, log matching, leader completeness, state machine safety (figure 3),
 *   what is committed is on a quorum of disks, what is acknowledged is the leader's.
 *   States are compared as a whole, not by hashes. What differs by names alone is visited once: the
 *   first to time out is member 1, and of 2 and 3 the first to do anything is 2.
 * Memory: about 90 bytes per state, malloc'd. Threads: one, one search per process. Time: only to
 *   say how long it took. Limits: exhaustive_bounds. Refusals: bounds that are none: EX_USAGE.
 * Cost: about a microsecond per step that has been taken before from the same member's state.
 */
#ifndef TESTS_SIM_EXHAUSTIVE_H
#define TESTS_SIM_EXHAUSTIVE_H

#include "numa/base/types.h"

#include <stdio.h>

/* All are maxima over one behaviour, but `messages`, in flight at a time; `writes`, under way to
 * one disk at a time; `slow`, how many members have writes under way while anything else happens;
 * `states`, where the search gives up. `prevote` is a switch. */
#define EXHAUSTIVE_BOUNDS(BOUND)                                                                   \
    BOUND(terms, 3)                                                                                \
    BOUND(timeouts, 3)                                                                             \
    BOUND(proposals, 1)                                                                            \
    BOUND(messages, 3)                                                                             \
    BOUND(duplicates, 0)                                                                           \
    BOUND(beats, 0)                                                                                \
    BOUND(crashes, 1)                                                                              \
    BOUND(changes, 0)                                                                              \
    BOUND(writes, 2)                                                                               \
    BOUND(slow, 1)                                                                                 \
    BOUND(prevote, 0)                                                                              \
    BOUND(states, 50000000)

struct exhaustive_bounds {
#define BOUND(name, standard) uint32_t name;
    EXHAUSTIVE_BOUNDS(BOUND)
#undef BOUND
};

/* `list`: NULL, or names with numbers: "terms=3,crashes=2". Prints what was visited, one line, to
 * standard output. Returns EX_OK; EX_SOFTWARE: a violation, with the shortest way to it on standard
 * error; EX_TEMPFAIL: given up; EX_USAGE. */
int exhaustive_run(const char *list, bool json);

struct exhaustive_search_report {
    uint64_t states, steps; /* steps: between states, those taken again included */
    uint64_t member_states, member_steps, messages, bytes;
    uint32_t depth;
    bool given_up;
    const char *violation; /* NULL: none */
};

/* A violation is told to `transcript`. */
void exhaustive_search(const struct exhaustive_bounds *bounds, FILE *transcript,
                       struct exhaustive_search_report *report);

#endif
