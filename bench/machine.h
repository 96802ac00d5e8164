/* machine.h: where a figure was measured, and with which clocks.
 *
 * Shape: a handful of look-ups. Memory: the caller's. Threads: any. Time: machine_now_ns is
 * CLOCK_MONOTONIC.
 * Limits: texts are cut at their field. Refusals: what the system does not say reads "unknown".
 * Cost: file reads; the clocks are one vDSO call and one instruction.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include "numa/base/types.h"

struct machine {
    char host[128];
    char cpu[192]; /* model and how many of them are online */
    char kernel[192];
};

void machine_describe(struct machine *machine);

uint64_t machine_now_ns(void);
uint64_t machine_thread_cpu_ns(void); /* burnt by the calling thread */
uint64_t machine_random(void);        /* from the kernel */

static inline uint64_t machine_cycles(void)
{
    return __builtin_ia32_rdtsc();
}

#endif
