/* clock.h: the two clocks of a lane. Linked against the machine's clocks in quorated, against
 * virtual time in the simulator.
 *
 * Shape: one call per lane turn, made after the burst was received, so that no decision rests on a
 * time older than the messages it judges. The kernel's raw clock is asked once a millisecond;
 * between two answers the processor's counter is read, at the rate that it had against the raw
 * clock in the millisecond before. A machine whose counter can not be trusted (no invariant TSC)
 * asks the kernel every time.
 *
 *   raw  |----1 ms----|----1 ms----|        now = raw at anchor + ticks since * last stretch's rate
 *   tsc  anchor .. .. anchor .. .. anchor
 *
 * Memory: the sample, which is also the reader's memory of the clocks; zero before the first call.
 * Threads: one per sample. Limits: now_ns never goes back; it is within CLOCK_ERROR_NS of the raw
 * clock: an anchor is off by 300 ns at most, or is not used, and so is the rate over the next
 * millisecond. Refusals: none. Cost: no system call; not measured.
 */
#ifndef DATAPLANE_PIPELINE_CLOCK_H
#define DATAPLANE_PIPELINE_CLOCK_H

#include "numa/base/types.h"

#define CLOCK_ERROR_NS 1000u

struct clock_sample {
    uint64_t now_ns;  /* monotonic, not slewed */
    uint64_t wall_ms; /* since 1970 */

    /* clock_read's own */
    uint64_t anchor_ticks;
    uint64_t anchor_ns;
    uint64_t span_ticks; /* how far from the anchor the counter is believed; 0: not at all */
    uint64_t rate;       /* nanoseconds per tick, 32 bits behind the point; 0: not known   */
    bool trusted;        /* the counter has one rate for good                              */
};

/* `domain` tells simulated nodes apart; the machine's clocks ignore it. */
void clock_read(void *domain, struct clock_sample *sample);

#endif
