/* load_internal.h: what load.c (phases, completions) and load_issue.c (what is sent, and when)
 * share.
 *
 * Shape, threads, limits: load.h. Memory: one struct, and arrays per session. Everything but the
 * atomics belongs to the loop's core. Time, refusals, cost: load.h.
 */
#ifndef BENCH_LOAD_INTERNAL_H
#define BENCH_LOAD_INTERNAL_H

#include "bench/load.h"
#include "bench/schedule.h"
#include "numa/base/random.h"
#include "protocols/client/client.h"

#include <stdatomic.h>

enum phase { PHASE_PRELOAD, PHASE_WARM_UP, PHASE_MEASURE, PHASE_DRAIN, PHASE_DONE };

/* One outstanding operation; its place in the array is the cookie that the client machine hands
 * back. */
struct slot {
    uint64_t due_ns; /* closed loop: when it was submitted */
    uint32_t client; /* of the oplog */
    uint32_t number; /* ...          */
    uint8_t op;      /* enum oplog_op */
    bool busy;
};

struct session {
    client *machine;
    void *memory;
    uint16_t group;
    uint32_t free_count;
    uint16_t free_place[CLIENT_WINDOW_MAX];
    struct slot slot[CLIENT_WINDOW_MAX];
};

/* Keys of one group, by index; with one group there is no list, every key is its. */
struct key_list {
    uint32_t count;
    uint32_t *index;
    uint32_t preloaded;
};

struct load {
    struct load_plan plan;
    struct carrier *carrier;
    struct session *session;
    struct key_list keys[LANE_GROUPS_MAX];
    uint8_t *value;
    struct random_state random;
    struct schedule schedule;

    enum phase phase;
    bool exhausted; /* oplog is full: no more operations */
    uint64_t now_ns;
    uint64_t begin_ns;
    uint64_t measure_begin_ns;
    uint64_t measure_end_ns;
    uint64_t next_tick_ns;
    uint64_t next_due_ns; /* open loop: of operation `issued` */
    uint64_t issued;
    uint32_t cursor; /* open loop: whose turn it is */
    uint64_t outstanding;
    uint64_t preload_errors;
    uint64_t answered;    /* ended with a server's word */
    uint64_t done;        /* ... and well               */
    uint64_t done_before; /* the current second */
    uint64_t frames;
    uint64_t cluster; /* as its frames say; 0: not heard yet */

    uint64_t frames_before;
    uint64_t cpu_before_ns;
    struct server_usage before;
    uint64_t second_end_ns;
    struct histogram second; /* latencies of the current second */
    struct load_result result;

    uint32_t taken; /* frames to fill: tx[filled, taken) are empty */
    uint32_t filled;
    struct frame tx[PORT_BURST_MAX];
    struct client_completion completions[CLIENT_WINDOW_MAX];

    _Atomic uint64_t killed_before_ns;
    _Atomic uint64_t killed_after_ns;
    _Atomic uint64_t shown_begin_ns;
    _Atomic uint64_t shown_operations;
    _Atomic uint64_t shown_p50_ns;
    _Atomic uint32_t shown_seconds;
    _Atomic bool shown_finished;
};

/* Every key has been submitted. */
bool load_preloaded(const struct load *load);

/* Open loop: moves on to the next operation's due time. */
void load_schedule_next(struct load *load);

/* Submits what the loop's kind and phase allow; how many. */
uint32_t load_issue(struct load *load);

/* Sends what the sessions have to say; how many frames. */
uint32_t load_send(struct load *load);

void load_return_frames(struct load *load);

#endif
