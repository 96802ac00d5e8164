/* cluster.h: an embedded cluster: replicas in this process, joined by ring ports, and one client
 * port.
 *
 * Shape: start brings up host and nodes and waits for nothing; the main thread then keeps calling
 * cluster_control, which is the cluster's heart for everything that is not polled.
 *
 *   start ─► await_leaders ─► [client core: load.h] ... kill ... settle ─► stop
 *
 * Memory: the host's, and the caller's struct. Threads: the main thread, but for the carrier's
 * calls (client core).
 * Time: the machine's. Limits: OPTIONS_REPLICAS_MAX replicas. Refusals: an error sentence. Cost:
 * start-up below a second.
 */
#ifndef BENCH_CLUSTER_H
#define BENCH_CLUSTER_H

#include "bench/carrier.h"
#include "bench/options.h"
#include "bench/signers.h"
#include "dataplane/node/host.h"

#include <pthread.h>

#define CLUSTER_PLACEMENT_MAX 4096u
#define CLUSTER_SLICE_NS      UINT64_C(1000000)
#define CLUSTER_NOBODY        UINT32_MAX
#define CLUSTER_PATH_MAX      512u

struct cluster {
    struct carrier carrier; /* first: the carrier's calls find the cluster by it */
    struct host *host;
    struct port_queue *client_queue;
    uint32_t count;
    uint32_t core_count; /* polling cores of the servers, as many as there are */
    struct node *node[OPTIONS_REPLICAS_MAX];
    char placement[CLUSTER_PLACEMENT_MAX];
    pthread_mutex_t usage_lock; /* usage on the client core against kill on the main thread */
    bool alive[OPTIONS_REPLICAS_MAX];
    uint64_t dead_cycles[ROOM_COUNT]; /* of killed nodes, up to their end */
    uint32_t log_count;
    char log_path[OPTIONS_REPLICAS_MAX * (WIRE_LANES_MAX + 1)][CLUSTER_PATH_MAX];
};

/* with_edges: each node listens for RESP on loopback. signers: only they may ask; NULL:
 * everybody. */
bool cluster_start(struct cluster *cluster, const struct load_options *options, bool with_edges,
                   const struct signers *signers, char error[CARRIER_ERROR_MAX]);
void cluster_stop(struct cluster *cluster);

/* One slice of the main thread's work for the cluster. */
void cluster_control(struct cluster *cluster);

/* Until each group has a leader that has committed; false: not within limit_ns. */
bool cluster_await_leaders(struct cluster *cluster, uint64_t limit_ns);

/* Index of the live node that leads the group, of the highest term if several think so;
 * CLUSTER_NOBODY. */
uint32_t cluster_leader(const struct cluster *cluster, uint16_t group);

void cluster_kill(struct cluster *cluster, uint32_t index);

/* Waits until all live replicas have applied the same entries of every group, and compares the
 * digests of their states. False: they differ, or did not settle within limit_ns. */
bool cluster_settle(struct cluster *cluster, uint64_t limit_ns);

#endif
