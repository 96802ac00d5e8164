/* run.h: one load on one embedded cluster, from launch to drain, with a leader's death half-way if
 * asked for.
 *
 * Shape: the main thread keeps the cluster alive while the client core loads it. Memory: the
 * caller's.
 * Threads: the main thread. Time: as long as the plan says, and the drain. Limits: none of its own.
 * Refusals: an error sentence. Cost: none of its own.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "bench/cluster.h"
#include "bench/load.h"

/* Called about once a millisecond meanwhile. */
typedef void run_observer(void *context, const struct cluster *cluster,
                          const struct load_watch *watch);

struct run {
    struct load *load; /* for load_result_of; the caller destroys it */
    uint32_t killed;   /* index of the node, CLUSTER_NOBODY: none */
};

bool run_load(struct cluster *cluster, const struct load_plan *plan, bool leader_kill,
              run_observer *observer, void *context, struct run *run,
              char error[CARRIER_ERROR_MAX]);

#endif
