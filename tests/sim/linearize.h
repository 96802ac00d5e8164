/* linearize.h: is there an order of these operations that respects real time and in which every
 * answer is right?
 *
 * Shape: keys are independent (Herlihy & Wing 1990, locality), so each key is searched alone: pick
 *   an operation that may come next (nothing that is left returned before its call), let the model
 *   answer, go on; when stuck, undo (Wing & Gong 1993). A pair (set of operations done, state) that
 *   was seen before is not searched again (Lowe 2017). Operations of unknown outcome never have to
 *   be placed, but may be placed anywhere after their call.
 * Memory: a key's events, and 16 bytes for each pair seen. Pairs are remembered by 128-bit hashes:
 *   an accepted history has an order that was found; a rejection is wrong only if two of its pairs
 *   collide.
 * Threads: one owner. Time: none; the budget counts model steps, so that the same history gives the
 * same verdict everywhere. Limits: steps_max per key. Refusals: LINEARIZE_UNDECIDED when the budget
 * ends the search. Cost: exponential in concurrency at worst, about a step per operation when the
 * history is right; not measured.
 */
#ifndef TESTS_SIM_LINEARIZE_H
#define TESTS_SIM_LINEARIZE_H

#include "tests/sim/model.h"

enum linearize_verdict { LINEARIZE_OK, LINEARIZE_VIOLATION, LINEARIZE_UNDECIDED };

struct linearize_limits {
    uint64_t steps_max; /* per key */
    struct model_rules rules;
};

struct linearize_report {
    enum linearize_verdict verdict;
    uint32_t keys;
    uint32_t keys_undecided;
    uint64_t steps;
    uint32_t operation; /* violation: in the best order found, this one returned and fits nowhere */
};

#define LINEARIZE_STEPS_MAX 4000000u

void linearize_limits_defaults(struct linearize_limits *limits);

/* Stops at the first key that is wrong. */
enum linearize_verdict linearize(const struct history *, const struct linearize_limits *limits,
                                 struct linearize_report *report);

const char *linearize_verdict_name(enum linearize_verdict verdict);

#endif
