/* cmd.h: the verbs of quorate-bench.
 *
 * Shape: each reads its own options, does its work and returns the exit status. Memory, threads: main's. Time: theirs.
 * Limits, refusals: options.h; statuses of sysexits.h. Cost: theirs.
 */
#ifndef BENCH_CMD_H
#define BENCH_CMD_H

int cmd_load(int argc, char **argv);

/* Status 1: an acknowledged write was lost, came twice or out of order, or replicas disagree. */
int cmd_demo(int argc, char **argv);

#endif
