/* option.h: the values that options take, read from text.
 *
 * Shape: each reads one value for the option of that name. Memory: none kept. Threads: main, before
 * any other.
 * Time: none. Limits: seconds of up to a day, durations of up to an hour. Refusals: argp_error,
 * which ends the program with a sentence and status 64; 69 for a choice that this build does not
 * have. Cost: none.
 */
#ifndef BENCH_OPTION_H
#define BENCH_OPTION_H

#include "numa/base/types.h"

#include <argp.h>

uint64_t option_number(struct argp_state *state, const char *name, const char *text,
                       uint64_t lowest, uint64_t highest);
uint32_t option_small_number(struct argp_state *state, const char *name, const char *text,
                             uint32_t lowest, uint32_t highest);

/* Of --seconds. */
double option_seconds(struct argp_state *state, const char *text);

/* Above 0, in ns. */
uint64_t option_duration(struct argp_state *state, const char *name, const char *text);

/* "10ms", "2s", "500us", "100ns"; false: no number, no unit, another unit, or over an hour. */
bool option_duration_ns(const char *text, uint64_t *duration_ns);

/* A choice of which this build has only the first; `absent` ends with NULL. */
void option_only_choice(struct argp_state *state, const char *name, const char *text,
                        const char *present, const char *const *absent);

/* Of --protocol. */
void option_protocol(struct argp_state *state, const char *text);

/* True: yes. */
bool option_one_of_two(struct argp_state *state, const char *name, const char *text, const char *no,
                       const char *yes);

#endif
