/* host.h: what is global to a process: EAL, polling cores, RCU registration, nodes by name.
 *
 * Shape: host_start brings up EAL from a placement; nodes are objects inside: several replicas can
 * share a process and even a core (bench, demo, tests), a server has one. The control thread (the
 * caller's) publishes views, moves the grace epoch, and answers the operator.
 *
 *   host_start ─► host_node_add × n ─► host_bootstrap ─► ... host_node_kill ... ─► host_stop
 *
 * Memory: reserved on the placement's NUMA nodes, carved, sealed by host_seal; polling starts with
 * it.
 * Threads: all calls from the control thread, but for those marked "any". Time: the machine's.
 * Limits: HOST_NODES_MAX nodes, HOST_CORES_MAX polling cores.
 * Refusals: an error sentence that says the mend. Cost: start-up about 0.3 s.
 */
#ifndef DATAPLANE_NODE_HOST_H
#define DATAPLANE_NODE_HOST_H

#include "dataplane/pipeline/lane.h"
#include "numa/placement.h"

#include <stdio.h>

#define HOST_NODES_MAX 16u
#define HOST_CORES_MAX 16u
#define HOST_ERROR_MAX 256u

struct host;
struct node;
struct keeper;

enum idle_policy { IDLE_YIELD = 0, IDLE_SPIN, IDLE_SLEEP };
enum huge_policy { HUGE_AUTO = 0, HUGE_NONE, HUGE_REQUIRED };

struct host_config {
    uint32_t replicas;     /* nodes to come: the plan is made before EAL starts          */
    uint32_t lanes;        /* per replica                                                */
    uint32_t groups;       /* per replica                                                */
    uint32_t cuts;         /* PLACEMENT_CUT(...): where a lane is split; 0: fused        */
    const char *nic;       /* PCI address that the plan keeps near; NULL: none           */
    uint32_t cores;        /* polling cores for servers; 0: all that are useful but one  */
    uint32_t client_cores; /* polling cores for load generators in this process          */
    uint32_t mtu;          /* largest of the ports to come; 0: 1500                      */
    const char *port_name; /* what the ports to come are like: memory is sized for it    */
    enum idle_policy idle;
    enum huge_policy huge;
    bool pci;                  /* probe PCI devices (a real NIC) */
    const char *eal_arguments; /* extra, blank-separated; NULL: none */
    const char *vdevs[HOST_NODES_MAX];
    uint32_t vdev_count;
};

/* Who may ask over the network; the edge's clients may always. */
struct node_clients {
    bool sign; /* false: everybody may, and no signature is looked at */
    /* Ascending, each fit for signatures; outlives the node. */
    const uint8_t (*key)[ED25519_KEY_BYTES];
    uint32_t key_count;   /* 0: whoever signs may ask */
    uint32_t tables;      /* keys that have one, per lane */
    uint64_t table_bytes; /* what the tables of a lane may take: decides how wide they are */
};

struct node_config {
    uint16_t id; /* 1 ... */
    uint16_t lane_count;
    uint16_t group_count;
    char port_name[96]; /* "ring", "net_af_packet0,iface=dp0", "0000:81:00.0" */
    uint32_t ip;
    uint8_t prefix_bits;
    uint16_t udp_port; /* of lane 0; lane i listens on udp_port + i */
    uint16_t mtu;
    uint16_t member_count; /* of the cluster; addresses of the others, for hello */
    uint16_t member[VIEW_MEMBERS_MAX];
    uint32_t member_ip[VIEW_MEMBERS_MAX];
    uint16_t member_port[VIEW_MEMBERS_MAX];
    uint16_t voters; /* that there shall be: learners are promoted up to it; 0: none by itself */
    uint64_t seed;
    uint64_t heartbeat_ns;
    uint64_t election_timeout_ns;
    uint64_t election_timeout_max_ns;
    uint64_t write_age_max_ns; /* a leader with an older write steps down */
    uint8_t priority;          /* as in lane_config, and so is the next */
    uint64_t handover_ns;
    uint64_t log_bytes;
    const char *data;              /* folder of its logs; NULL: durability volatile */
    uint64_t log_file_bytes;       /* of a lane's write-ahead log */
    bool snapshot_never;           /* but where somebody asks for one, or needs it */
    uint64_t snapshot_after_bytes; /* of a lane's log, with data; 0: a quarter of log_file_bytes */
    uint64_t snapshot_rate_bytes;  /* per second, to each receiver */
    bool strict_restart;           /* no restart is trusted: none votes before its log is matched */
    struct state_config state;
    bool lease_reads;
    struct node_clients clients;
    uint32_t gateway_ip;
    const char *capture_path; /* pcap of the port, NULL: none */
    bool resp;                /* has a RESP edge                              */
    uint32_t resp_ip;         /* it listens here; 0: all addresses            */
    uint16_t resp_port;       /* 0: any free one, node_resp_port says which   */
};

void host_config_defaults(struct host_config *config);
void node_config_defaults(struct node_config *config); /* contract.md's defaults; ring port */
/* Whatever host_node_add refuses without looking at the machine. False: the error names the key and
 * its bounds. */
bool node_config_check(const struct node_config *config, char error[HOST_ERROR_MAX]);

const char *host_idle_policy_name(enum idle_policy policy);

struct host *host_start(const struct host_config *config,
                        char error[HOST_ERROR_MAX]); /* NULL: error */
struct node *host_node_add(struct host *, const struct node_config *config,
                           char error[HOST_ERROR_MAX]);

const struct placement *host_placement(const struct host *);
void host_draw_placement(const struct host *, FILE *out);

/* Starts polling: no allocation on a polling core from here on. */
bool host_run(struct host *, char error[HOST_ERROR_MAX]);

/* The first configuration of a cluster that lives in this process: binds (id, incarnation) of the
 * given nodes. */
bool host_bootstrap(struct host *, struct node *const *nodes, uint32_t count,
                    char error[HOST_ERROR_MAX]);

/* A crash: stops polling it, detaches its port, forgets its memory unflushed, returns its
 * frames. */
void host_node_kill(struct host *, struct node *);

/* Publishes pending views, moves the grace epoch, expires neighbours: once per millisecond at
 * least. Returns after about `slice_ns`; sleeps in between. */
void host_control(struct host *, uint64_t slice_ns);
/* Before host_stop: the leaders among its nodes let others lead. Returns how many of the *asked
 * groups are still led from here: nobody could take over within an election time-out. */
uint32_t host_hand_over(struct host *, uint32_t *asked);
/* Then: waits until all that was handed to the disks is durable, an election time-out at most.
 * False: it is not. */
bool host_settle(struct host *);
void host_stop(struct host *);

/* CPU nanoseconds burnt so far by every thread of the servers: polling cores, control, edges,
 * those that write logs, killed nodes' too. */
uint64_t host_server_cpu_ns(const struct host *);

/* ---- nodes ----------------------------------------------------------------------------------- */

/* What was agreed with the port's driver, in one line for people; at least 512 bytes. */
void node_port_line(const struct node *, char *line);
uint16_t node_resp_port(const struct node *); /* 0: no edge */
/* Where a lane's write-ahead log lies. False: the name is too long. */
bool node_log_path(const struct node_config *config, uint32_t lane, char *path, size_t bytes);
/* Where the file lies that says who it is. */
bool node_identity_path(const struct node_config *config, char *path, size_t bytes);
/* What a group's snapshot up to entry `index` is called in the same folder. */
bool node_snapshot_name(const struct node_config *config, uint32_t group, uint64_t index,
                        char *name, size_t bytes);
/* "volatile" or "fsync" */
const char *node_durability(const struct node *);
/* Of the cluster that it was in before this start; 0: it is new. */
uint64_t node_returned_to(const struct node *);
uint16_t node_id(const struct node *);
uint64_t node_incarnation(const struct node *);
bool node_alive(const struct node *);
uint16_t node_lane_count(const struct node *);
struct lane *node_lane(const struct node *, uint16_t index); /* looks only */
struct keeper *node_keeper(const struct node *); /* its snapshots: keeper.h says what any may ask */
bool node_group_status(const struct node *, uint16_t group,
                       struct lane_group_status *status); /* any */
uint32_t node_group_of_key(const struct node *, const uint8_t *key,
                           uint32_t key_bytes); /* Redis slot and hash tag */
const struct node_config *node_configuration(const struct node *);

/* ---- load generators inside the process ------------------------------------------------------ */

/* A ring port of its own on the wire, for a client core. ip is assigned. NULL: error. Before
 * host_run. */
struct port_queue *host_client_port(struct host *, char error[HOST_ERROR_MAX]);
/* Runs fn(argument) on client core `index` until it returns; registered as an RCU reader. After
 * host_run. */
bool host_client_launch(struct host *, uint32_t index, int (*fn)(void *), void *argument);
void host_client_wait(struct host *, uint32_t index);
/* Where a node's group is reached from a client: for frame.peer. Any thread. */
struct endpoint node_endpoint(const struct node *, uint16_t group);

#endif
