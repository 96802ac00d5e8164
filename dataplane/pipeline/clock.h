/* clock.h: the two clocks of a lane. Linked against the machine's clocks in quorated, against virtual time in the
 * simulator.
 *
 * Shape: one call per lane turn, made after the burst was received, so that no decision rests on a time older than
 * the messages it judges. Memory, limits, refusals: none. Threads: any. Cost: two vDSO reads, no system call.
 */
#ifndef DATAPLANE_PIPELINE_CLOCK_H
#define DATAPLANE_PIPELINE_CLOCK_H

#include "numa/base/types.h"

struct clock_sample {
    uint64_t now_ns;  /* monotonic, not slewed */
    uint64_t wall_ms; /* since 1970 */
};

/* `domain` tells simulated nodes apart; the machine's clocks ignore it. */
void clock_read(void *domain, struct clock_sample *sample);

#endif
