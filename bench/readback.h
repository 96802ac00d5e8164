/* readback.h: reads every list through the RESP edge of every live node, and checks the appends.
 *
 * Shape: a thread of its own does the blocking reads, while the main thread keeps the cluster
 * alive.
 * Memory: one oplog's marks, one connection at a time. Threads: called on the main thread, after
 * the load has ended.
 * Time: an answer that can not be had is asked for again, for READBACK_PATIENCE_S seconds in all.
 * Limits: none of its own. Refusals: false, and a sentence: what was not read was not checked.
 * Cost: one GET per list and live node.
 */
#ifndef BENCH_READBACK_H
#define BENCH_READBACK_H

#include "bench/appends.h"
#include "bench/cluster.h"

#define READBACK_PATIENCE_S 20

/* Each count is that of the node where it was worst. history NULL: the reads are not written
 * down. */
bool readback_run(struct cluster *cluster, const struct oplog *log, uint32_t keys, FILE *history,
                  struct appends *worst, char error[CARRIER_ERROR_MAX]);

#endif
