/* schedule.h: when each operation of an open loop is meant to be sent.
 *
 * Shape: operation n is due at start + floor(n * 10^9 / rate), whatever happened to the ones before
 * it: a stall makes no operation's due time later, so the wait behind a stall is measured and not
 * omitted.
 * Memory: the caller's. Threads: one owner. Time: nanoseconds of the caller's clock. Limits: rate 1
 * ... 10^9 per second; n below 2^63. Refusals: none. Cost: two divisions.
 */
#ifndef BENCH_SCHEDULE_H
#define BENCH_SCHEDULE_H

#include "numa/base/types.h"

#define SCHEDULE_RATE_MAX UINT64_C(1000000000)

struct schedule {
    uint64_t start_ns;
    uint64_t rate;
};

static inline uint64_t schedule_due_ns(const struct schedule *schedule, uint64_t number)
{
    /* Split in whole seconds and the rest, so that no product overflows. */
    uint64_t seconds = number / schedule->rate;
    uint64_t rest = number % schedule->rate;
    return schedule->start_ns + seconds * UINT64_C(1000000000) +
           rest * UINT64_C(1000000000) / schedule->rate;
}

#endif
