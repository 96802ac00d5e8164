/* cluster.h: an embedded cluster: replicas in this process, joined by ring ports, and one client port.
 *
 * Shape: start brings up host and nodes and waits for nothing; the main thread then keeps calling cluster_control,
 * which is the cluster's heart for everything that is not polled.
 *
 *   start ─► await_leaders ─► [client core: load.h] ... kill ... settle ─► stop
 *
 * Memory: the host's, and the caller's struct. Threads: the main thread, but for cluster_usage (any).
 * Time: the machine's. Limits: OPTIONS_REPLICAS_MAX replicas. Refusals: an error sentence. Cost: start-up below a
 * second.
 */
#ifndef BENCH_CLUSTER_H
#define BENCH_CLUSTER_H

#include "bench/options.h"
#include "dataplane/node/host.h"

#include <pthread.h>

#define CLUSTER_ERROR_MAX     HOST_ERROR_MAX
#define CLUSTER_PLACEMENT_MAX 4096u
#define CLUSTER_SLICE_NS      UINT64_C(1000000)
#define CLUSTER_NOBODY        UINT32_MAX

/* What the servers have burnt so far; differences of two are what an interval cost. */
struct cluster_usage {
    uint64_t now_cycles;
    uint64_t server_cpu_ns;
    uint64_t room_cycles[ROOM_COUNT]; /* of polls that found work, over all lanes of all nodes */
};

struct cluster {
    struct host *host;
    struct port_queue *client_queue;
    uint32_t count;
    uint16_t group_count;
    struct node *node[OPTIONS_REPLICAS_MAX];
    struct endpoint endpoint[OPTIONS_REPLICAS_MAX][LANE_GROUPS_MAX];
    char placement[CLUSTER_PLACEMENT_MAX];
    pthread_mutex_t usage_lock; /* usage on the client core against kill on the main thread */
    bool alive[OPTIONS_REPLICAS_MAX];
    uint64_t dead_cycles[ROOM_COUNT]; /* of killed nodes, up to their end */
};

/* with_edges: each node listens for RESP on loopback. */
bool cluster_start(struct cluster *cluster, const struct load_options *options, bool with_edges,
                   char error[CLUSTER_ERROR_MAX]);
void cluster_stop(struct cluster *cluster);

/* One slice of the main thread's work for the cluster. */
void cluster_control(struct cluster *cluster);

/* Until each group has a leader that has committed; false: not within limit_ns. */
bool cluster_await_leaders(struct cluster *cluster, uint64_t limit_ns);

/* Index of the live node that leads the group, of the highest term if several think so; CLUSTER_NOBODY. */
uint32_t cluster_leader(const struct cluster *cluster, uint16_t group);

void cluster_kill(struct cluster *cluster, uint32_t index);

/* Waits until all live replicas have applied the same entries of every group, and compares the digests of their
 * states. False: they differ, or did not settle within limit_ns. */
bool cluster_settle(struct cluster *cluster, uint64_t limit_ns);

void cluster_usage(struct cluster *cluster, struct cluster_usage *usage);
void cluster_usage_between(const struct cluster_usage *before, const struct cluster_usage *after,
                           struct cluster_usage *difference);

#endif
