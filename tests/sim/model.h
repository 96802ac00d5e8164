/* model.h: the dumbest key there is: what one key would do if clients came one at a time.
 *
 * Shape: a state is two words; a step takes an operation of a history and says whether its recorded
 *   answer fits and what the state is afterwards. A key with a time to live may vanish by itself
 *   before any step: `expired` asks for that branch. Once it was seen gone it stays gone until
 *   somebody writes it.
 * Memory: none of its own; values are texts of the history. Threads: one owner. Time: that of the
 * history. Limits: none. Refusals: false when the answer does not fit. Cost: O(1), for APPEND
 * O(bytes); not measured.
 */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H

#include "tests/sim/history.h"

struct model_state {
    uint32_t value;    /* text; TEXT_NONE: absent                        */
    uint32_t deadline; /* 0: none; else 1 + the operation that set it    */
};

/* How far log time may lie from the history's time. UINT64_MAX: any distance. */
struct model_rules {
    uint64_t expires_early_ns;
    uint64_t expires_late_ns;
};

bool model_step(const struct history *, const struct model_rules *, uint32_t operation,
                bool expired, const struct model_state *state, struct model_state *next);

#endif
