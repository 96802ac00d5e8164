/* carrier.h: how the load's frames reach the servers, and what can be seen of these from here.
 *
 * Shape: the loop (load.h) knows servers by their place, 1 ... server_count, which is also what
 * replies name as the leader, and speaks to them in frames. Two carriers: cluster.h (a ring port to
 * nodes in this process) and target.h (a UDP socket to a running cluster).
 *
 *   take ─► fill ─► send      receive ─► read ─► free    turn: ends a turn    rest: nothing to do
 *
 * Memory: frames are the carrier's; each goes back once, by send or by free. Threads: one, the load
 * loop's.
 * Time: nanoseconds of machine_now_ns, passed in. Limits: CARRIER_SERVERS_MAX servers,
 * PORT_BURST_MAX frames a call.
 * Refusals: what the network does not take is lost, like any datagram. Cost: one indirect call per
 * burst.
 */
#ifndef BENCH_CARRIER_H
#define BENCH_CARRIER_H

#include "dataplane/pipeline/lane.h"

#define CARRIER_SERVERS_MAX 16u
#define CARRIER_ERROR_MAX   256u

struct carrier;

/* What the servers have burnt so far; differences of two are what an interval cost. */
struct server_usage {
    uint64_t now_cycles;
    uint64_t server_cpu_ns;
    uint64_t room_cycles[ROOM_COUNT]; /* of polls that found work, over all lanes of all nodes */
    uint64_t verify_batches[LANE_BATCH_SIZES]; /* by size, see lane_verify_report; of nodes alive */
};

struct carrier_calls {
    uint32_t (*receive)(struct carrier *, struct frame *frames, uint32_t count, uint64_t now_ns);
    uint32_t (*take)(struct carrier *, struct frame *frames, uint32_t count);
    void (*send)(struct carrier *, struct frame *frames, uint32_t count, uint64_t now_ns);
    void (*free)(struct carrier *, const struct frame *frames, uint32_t count);
    void (*turn)(struct carrier *, uint64_t now_ns);
    /* Lets others run, until something arrives or wake_ns at the latest. */
    void (*rest)(struct carrier *, uint64_t now_ns, uint64_t wake_ns);
    /* NULL: the servers are elsewhere. */
    void (*usage)(struct carrier *, struct server_usage *usage);
};

struct carrier {
    const struct carrier_calls *calls;
    uint32_t payload_max; /* of a frame that is sent */
    uint16_t server_count;
    uint16_t group_count;
    struct endpoint endpoint[CARRIER_SERVERS_MAX][LANE_GROUPS_MAX]; /* server - 1, group */
};

#endif
