/* cmd.h: the verbs of quorate-bench.
 *
 * Shape: each reads its own options, does its work and returns the exit status. Memory, threads:
 * main's. Time: theirs.
 * Limits, refusals: options.h; statuses of sysexits.h. Cost: theirs.
 */
#ifndef BENCH_CMD_H
#define BENCH_CMD_H

#include "numa/base/types.h"

#define CMD_ELECTION_LIMIT_NS UINT64_C(10000000000)
#define CMD_SETTLE_LIMIT_NS   UINT64_C(5000000000)
#define CMD_ANSWER_LIMIT_NS   UINT64_C(15000000000)

/* EX_SOFTWARE: an acknowledged write was lost, came twice or out of order, or replicas disagree. */
int cmd_load(int argc, char **argv);
int cmd_demo(int argc, char **argv);
/* EX_IOERR: a write failed. */
int cmd_log(int argc, char **argv);

/* EX_SOFTWARE: a good signature was found bad. */
int cmd_ed25519(int argc, char **argv);

/* Returns the status. */
int cmd_complain(int status, const char *sentence);

#endif
