/* load.h: the load generator: sessions on one core, a closed or an open loop, latencies counted.
 *
 * Shape: every turn of the loop receives, completes, issues and sends; one clock reading serves the
 * turn.
 *
 *   rx burst ─► client_receive ─► completions ─► histogram, oplog
 *                                                     │ a slot is free
 *   tx burst ◄─ client_emit ◄─ client_submit ◄────────┴─ closed loop: at once; open loop: when due
 *
 *   [preload: every key once] ─► warm-up ─► measured interval ─► drain ─► done
 *
 *   The drain begins nothing new, but for what an open loop had due within the interval. The
 *   preload ends when every write of it has ended, or after LOAD_PRELOAD_LIMIT_NS. Closed loop:
 *   `window` operations are outstanding per session; a latency runs from submission. Open loop:
 *   operation n is due at a time fixed beforehand (schedule.h) and its latency runs from there,
 *   also if it was sent late because the sessions were full or the cluster stood still.
 *
 *   Either runs from the clock reading of the turn that submitted to that of the turn that
 *   received. In a closed loop the latter is the next operation's beginning as well: the latencies
 *   in one place of a window add up to the interval, nothing is left out between two of them.
 *
 * Memory: load_create allocates, the loop does not. Threads: load_loop on one core; load_look from
 * any thread meanwhile; load_result_of after the loop has ended. Time: CLOCK_MONOTONIC. Chance:
 * plan.seed.
 * Limits: CLIENT_WINDOW_MAX operations per session. Refusals: what does not end well is counted as
 * an error; without any answer for plan.answer_limit_ns the loop ends.
 * Cost: O(1) per operation, O(sessions) per turn; not measured.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench/carrier.h"
#include "bench/histogram.h"
#include "bench/oplog.h"
#include "bench/options.h"
#include "bench/signers.h"

#define LOAD_PRELOAD_LIMIT_NS UINT64_C(5000000000)
#define LOAD_KILLED_GROUP     0 /* whose leader dies; other groups may have another */

struct load_plan {
    enum workload workload;
    uint32_t sessions; /* session s serves group s % groups */
    uint32_t window;
    uint32_t keys;
    uint32_t value_bytes;
    uint32_t reads_percent;
    uint64_t rate; /* 0: closed loop */
    bool preload;  /* write every key once beforehand: what is measured then replaces values */
    uint64_t answer_limit_ns;
    uint64_t warm_up_ns;
    uint64_t measure_ns;
    uint64_t seed;
    struct signers *signers; /* NULL: nobody signs; lent */
    struct oplog *oplog;     /* NULL: values all alike, nothing recorded */
};

struct load_result {
    bool heard;          /* frames of servers came in                                */
    bool answered;       /* false: no operation was ever answered, all else is zero  */
    bool preloaded;      /* every key was written before the warm-up                 */
    uint64_t elapsed_ns; /* of the measured interval                                 */
    uint64_t operations; /* completed well within it                                 */
    uint64_t errors;     /* ended otherwise, from its begin on, the drain included   */
    uint64_t unsent;     /* ... of these: due within it, and never sent              */
    uint64_t retries;    /* sendings beyond the first, of what completed within it   */
    uint64_t frames;     /* sent within it                                           */
    uint64_t commands;   /* in these frames, counted at completion                   */
    uint64_t client_cpu_ns;
    uint64_t failover_ns;        /* 0: no kill, or no write was acknowledged after it        */
    bool cut_short;              /* the oplog was full before the interval had ended         */
    bool servers_seen;           /* false: what they burn can not be seen from here          */
    struct server_usage servers; /* within the interval */
    struct histogram latency;
};

/* What can be watched while it runs; the figures are of the last full second. */
struct load_watch {
    uint64_t measure_begin_ns; /* 0: not yet */
    uint32_t seconds;          /* how many full seconds are over */
    uint64_t operations;
    uint64_t p50_ns;
    bool finished;
};

struct load;

struct load *load_create(const struct load_plan *plan, struct carrier *carrier,
                         char error[CARRIER_ERROR_MAX]);
void load_destroy(struct load *load);

int load_loop(void *argument); /* a struct load; fit for host_client_launch */

void load_look(const struct load *load, struct load_watch *watch);

/* From the main thread: a leader was killed, between these two moments. Failover runs from the
 * first of them to the first acknowledgement of a write that was submitted after the second. */
void load_note_kill(struct load *load, uint64_t before_ns, uint64_t after_ns);

const struct load_result *load_result_of(const struct load *load);

#endif
