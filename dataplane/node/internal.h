/* internal.h: what the files of this folder share. Shape, memory, threads: see host.h. */
#ifndef DATAPLANE_NODE_INTERNAL_H
#define DATAPLANE_NODE_INTERNAL_H

#include "dataplane/edge/edge.h"
#include "dataplane/log/wal_file.h"
#include "dataplane/node/host.h"
#include "dataplane/node/identity.h"
#include "dataplane/port/eal.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "numa/memory.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#define CORE_SEATS_MAX 64u
#define HOST_PORTS_MAX (HOST_NODES_MAX + HOST_CORES_MAX)
/* Where there is no core to spare, control takes its time from a polling core or a client: seldom,
 * so. What is replaced in the state waits for two of these. */
#define HOST_CONTROL_NS  5000000u
#define DUCT_FRAMES      1024u
#define NODE_ENTRY_BYTES 128u /* of the log for each entry whose term is kept */
#define ALL_ROOMS        ((1u << ROOM_COUNT) - 1)

/* A lane, or some rooms of one, on a core. Control asks for LEAVING; the core says LEFT. */
enum seat_state { SEAT_FREE, SEAT_POLLED, SEAT_LEAVING, SEAT_LEFT };

struct seat {
    struct lane *lane;
    struct wal_file *log; /* of the lane whose persist room is here; NULL: none */
    uint32_t rooms;
    _Atomic uint32_t state;
};

struct core {
    CACHE_ALIGNED struct seat seat[CORE_SEATS_MAX];
    _Atomic uint32_t seat_count;
    struct seat *speaker; /* whose poll last found something; the core's own */
    _Atomic bool stop;
    _Atomic bool running;
    bool yields;
    enum idle_policy idle;
    uint32_t lcore;
    clockid_t cpu_clock;
    /* client cores */
    int (*client)(void *);
    void *client_argument;
};

struct region {
    void *memory;
    size_t bytes;
};

struct node_lane {
    struct lane *lane;
    struct duct *duct;
    struct storage *storage;
    struct wal_file *file; /* under it; NULL: volatile */
    struct region region;
};

struct node {
    struct node_config config;
    struct host *host;
    uint64_t incarnation;
    struct identity_file identity_file; /* fd -1: volatile */
    struct identity identity;
    uint64_t boots;   /* of its logs; 0: they were made now, or there are none */
    uint32_t replica; /* in the placement */
    bool alive;
    bool mending; /* one of its logs was found damaged, and is not matched yet */
    struct port *port;
    struct view_cell *view_cell;
    struct view view; /* control's copy, published when it changes */
    struct region region;
    struct node_lane lane[WIRE_LANES_MAX];
    struct edge *edge;
    struct region edge_region;
    /* Bootstrap and joining by the operator come in on the edge's thread and are published by
     * control's. */
    pthread_mutex_t view_lock;
    bool view_asked;
    struct view
        shown_view; /* what is published, or will be; for the edge's thread, under the lock */
    uint64_t cluster_shown; /* 0: awaiting bootstrap */
    /* Control's: who belongs to each group, as its lane has told. */
    struct lane_members *members;
    uint64_t *members_seen;
    uint64_t next_promotion_ns;
    struct keeper *keeper;
    pthread_t keeper_thread;
    bool keeper_runs;
    _Atomic bool keeper_stop;
    uint64_t saving[LANE_GROUPS_MAX]; /* tickets of snapshots that the operator wants; the edge's */
};

struct host {
    struct host_config config;
    struct topology topology;
    struct placement placement;
    cpu_set_t cpus; /* where the process may run: threads that are not placed go anywhere there */
    struct port_wire *wire;
    struct core core[HOST_CORES_MAX]; /* servers, by worker of the placement */
    struct core client[HOST_CORES_MAX];
    struct port *client_port[HOST_CORES_MAX];
    uint32_t client_port_count;
    struct node *node[HOST_NODES_MAX];
    uint32_t node_count;
    clockid_t control_clock;
    uint64_t gone_cpu_ns;      /* of nodes that were killed: edges, writers of logs */
    struct ed25519_base *base; /* for those nodes whose clients sign; NULL: none yet */
    struct region base_region;
    bool running;
};

/* core.c */
int core_run(void *argument); /* a struct core */
int core_run_client(void *argument);
void core_seat_add(struct core *, struct lane *, uint32_t rooms, struct wal_file *log);
void core_seat_leave(struct core *, const struct lane *); /* returns when the core has left it */

/* node.c */
struct node *node_create(struct host *, const struct node_config *, uint32_t replica, char *error);
void node_seat(struct node *);
void node_destroy(struct node *);
/* judge.c: how many keys get a table: no more than there are */
uint32_t node_client_tables(const struct node_clients *clients);
/* judge.c: false if the port was granted less than a message in pieces needs */
bool node_mtu_check(const char *port, uint32_t granted, char *error);
/* leave.c: how many groups it asks its lanes to hand over, of all or of one, and how many the node
 * leads */
#define NODE_ALL_GROUPS UINT32_MAX
uint32_t node_hand_over(struct node *, uint16_t to, uint32_t only);
uint32_t node_led_count(const struct node *);
/* verify.c: what lanes need to know of clients. False: error. */
bool node_verify_furnish(struct node *, uint32_t memory_node, struct lane_clients *clients,
                         char *error);
void node_verify_report(const struct node *, json_t *status);
/* control.c */
void node_publish(struct node *);
uint64_t node_now_ns(void);
/* Where the configuration file says that this member is; a hello may correct it. */
void node_address_of(const struct node *, struct view_member *member);
bool node_bind(struct node *, uint64_t cluster, const uint16_t *ids, const uint64_t *incarnations,
               uint32_t count, struct view *view);
void node_control(struct node *);
/* A lane's storage, as the configuration asks for it. Footprint 0: sizes are not acceptable. */
size_t node_storage_footprint(const struct node *, uint32_t lane);
struct storage *node_storage_open(struct node *, uint32_t lane, void *memory, char *error);
void node_storage_close(struct node *, uint32_t lane);
uint64_t node_storage_cpu_ns(const struct node *); /* of the threads that write its logs */
/* Who it is, from its folder: node->incarnation, and what it is to be bound to again. */
bool node_identity_open(struct node *, char *error);
/* Tells logs that were found damaged once their groups' machines have matched them. */
void node_mend(struct node *);
/* Its logs have been made: without them it does not come back. */
bool node_identity_made(struct node *, char *error);
/* The lane takes back what its log has. */
bool node_recover(struct node *, uint32_t lane, char *error);
/* The cluster, its first members, and where those are that a node which joins was told of: for the
 * next start. False: the folder can not be written. */
bool node_remember(struct node *, const struct view *view);
/* Per lane: calls, room, and how long writes took. */
void node_storage_report(const struct node *, json_t *status);
/* keeping.c: snapshots. Opened before lanes are made, stopped before they are unmade, closed after
 * that. */
bool node_keeper_open(struct node *, char *error);
void node_keeper_serve(struct node *);
bool node_keeper_start(struct node *, char *error);
void node_keeper_stop(struct node *);
void node_keeper_close(struct node *);
uint64_t node_keeper_cpu_ns(const struct node *);
void node_keeper_report(const struct node *, json_t *status);
/* control.c: the same member again, if it was one. */
bool node_return(struct node *, char *error);

/* follow.c: the view follows the logs, and hellos. Control thread; true: publish. */
bool node_hear(struct node *, uint16_t from, uint64_t incarnation, const struct wire_hello *hello,
               uint64_t now_ns);
bool node_follow(struct node *, uint64_t now_ns);
void node_promote(struct node *, uint64_t now_ns);
/* membership.c: for the operator, on the edge's thread */
json_t *node_members_json(struct node *);
json_t *node_first_json(struct node *);
json_t *node_group_json(struct node *, const char *argument); /* NULL: no such group */
json_t *node_member_json(const struct raft_member_status *member);
bool node_join(struct node *, const char *argument, char *text, uint32_t capacity);
/* The view of a node that comes back and had joined, where the identity's places are guides. */
void node_joined_view(const struct node *, struct view *view);
bool node_change(struct node *, const char *argument, char *text, uint32_t capacity);
/* saving.c */
bool node_snapshot(struct node *, const char *argument, char *text, uint32_t capacity);
/* admin.c */
json_t *node_hex(uint64_t value);
const char *node_role_name(uint8_t role);
bool node_answer(void *node, enum edge_question question, const char *argument, char *text,
                 uint32_t capacity);

uint64_t host_random(void);

#endif
