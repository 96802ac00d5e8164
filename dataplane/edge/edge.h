/* edge.h: Redis protocol clients on one side, the node's lanes on the other.
 *
 * Shape: one thread with kernel sockets and epoll; never a polling core. A command is parsed where
 * it was read, turned into a wire command, and submitted to a client machine (protocols/client),
 * whose frames cross a duct to the lane of the command's group. All that one turn has read leaves
 * together. Answers are gathered and written with one call per connection and turn.
 *
 *   socket ─► input ─► resp_parse ─► table ─► client_submit ─► client_emit ─► duct ─► lane
 *      ◄─ writev ─ chain ◄─ slots in order ◄─ completion ◄─ client_receive ◄─ duct ◄──┘
 *
 *   Order: what a connection pipelines on keys of one group behaves as if executed one after the
 *   other. A connection uses one session per group, so its writes are executed as they were sent; a
 *   read that finds writes under way takes its place among them, in the log. A read that finds none
 *   is answered without the log; writes wait for such reads. Those run side by side; one whose
 *   answer may be older than that of an earlier one is asked again. Where the last read's answer
 *   was large, reads wait for the writes instead: a session keeps no large answer for a retry.
 *   Across groups there is no order within a pipeline. A command that finds no room in its session
 *   stays in the input buffer; nobody queues but the kernel. DEL and EXISTS of many keys and MGET
 *   are one command per key: each is atomic, all together are not.
 *
 * Memory: one flat region of the caller, edge_footprint bytes (address space; buffers are touched
 *   on use). Nothing is allocated after edge_init, which also opens the sockets. Ducts are lent
 *   until edge_fini.
 * Threads: edge_wait and edge_poll on one (edge_start makes it); edge_stop from the one that
 *   started it; counters and edge_cpu_ns from any.
 * Time: passed to edge_poll; the thread reads CLOCK_MONOTONIC once per turn.
 * Limits: EDGE_CONNECTIONS_MAX connections; EDGE_SESSIONS_MAX sessions of CLIENT_WINDOW_MAX
 *   commands per group. Half a command may lie for half_sent_ns. Beyond backlog_bytes_max of
 *   answers nothing more is parsed until some are read; a client that takes no byte of that many
 *   for a second, or of fewer for unread_ns, is closed. When chunks run out, the connection whose
 *   answers hold the most is closed. A command waits for an input buffer up to deadline_ns.
 *   Commands: see resp.h.
 * Refusals: an error to the client, by name, and a counter: edge_events.def.
 * Cost: per SET with pipelining, parse to answer: not measured.
 */
#ifndef DATAPLANE_EDGE_EDGE_H
#define DATAPLANE_EDGE_EDGE_H

#include "dataplane/ring/duct.h"
#include "protocols/client/client.h"

#define EDGE_CONNECTIONS_MAX 16384u
#define EDGE_GROUPS_MAX      1024u
#define EDGE_SESSIONS_MAX    32u
#define EDGE_ERROR_MAX       256u
#define EDGE_TEXT_MAX        65536u

struct edge;

enum edge_event {
#define EDGE_EVENT(name, sentence) EDGE_##name,
#include "dataplane/edge/edge_events.def"
#undef EDGE_EVENT
    EDGE_EVENT_COUNT
};
const char *edge_event_name(enum edge_event event);
const char *edge_event_sentence(enum edge_event event);

/* What only the node can answer. */
enum edge_question {
    EDGE_ASK_INFO,        /* lines "name:value\r\n" that INFO shows after the edge's own */
    EDGE_ASK_STATUS,      /* QUORATE STATUS: JSON */
    EDGE_ASK_MEMBERS,     /* QUORATE MEMBERS: JSON */
    EDGE_ASK_INCARNATION, /* QUORATE INCARNATION: "id hex" */
    EDGE_ASK_BOOTSTRAP,   /* QUORATE BOOTSTRAP; argument: cluster-hex id=incarnation-hex,... */
    EDGE_ASK_MOVE_LEADER, /* QUORATE MOVE-LEADER; argument: id (0: any), perhaps a group; nothing */
    EDGE_ASK_GROUP,       /* QUORATE GROUP; argument: its number. JSON */
    EDGE_ASK_JOIN,   /* QUORATE JOIN; argument: cluster-hex id=hex,... id=hex@address:port,... */
    EDGE_ASK_CHANGE, /* QUORATE CHANGE; argument: group add|promote|witness|demote|remove:id=hex */
    EDGE_ASK_SNAPSHOT, /* QUORATE SNAPSHOT; argument: TAKE group index | READ group index offset */
};

/* Writes a NUL-terminated text of less than `capacity` bytes. False: the text says why not. Called
 * on the edge's thread, which serves nobody meanwhile. */
typedef bool edge_answer(void *context, enum edge_question question, const char *argument,
                         char *text, uint32_t capacity);

struct edge_config {
    uint16_t node;        /* own member id; the lane forwards to the leader by itself */
    uint32_t listen_ip;   /* host order; 0: all of the machine's addresses             */
    uint16_t listen_port; /* 0: any free one, edge_port says which                    */
    uint16_t group_count;
    uint16_t lane_count;
    struct duct *duct[WIRE_LANES_MAX]; /* group g goes by duct[g % lane_count]           */
    uint32_t route[WIRE_LANES_MAX];    /* the lane's number of that duct, times 65,536    */
    uint32_t sessions;                 /* per group; a connection uses one of them        */
    uint32_t connections_max;
    uint32_t chunks;     /* of 16 KiB, for input and answers of all connections   */
    uint32_t big_inputs; /* commands over 16 KiB that may be under way at a time  */
    uint64_t backlog_bytes_max;
    uint64_t half_sent_ns;
    uint64_t unread_ns;
    uint64_t deadline_ns; /* of a command; after it comes -TRYAGAIN or -UNCERTAIN */
    uint64_t retry_ns;
    uint64_t retry_max_ns;
    uint64_t seed;       /* names of the sessions: must differ from start to start */
    edge_answer *answer; /* NULL: such commands are refused */
    void *answer_context;
};

/* One group, loopback, 8 sessions, 1,024 connections, 2 s; no ducts yet. */
void edge_config_defaults(struct edge_config *config);

size_t edge_footprint(const struct edge_config *config); /* 0: not acceptable */
/* Listens at once. NULL: the error says the mend. */
struct edge *edge_init(void *memory, const struct edge_config *config, char error[EDGE_ERROR_MAX]);
bool edge_start(struct edge *edge, char error[EDGE_ERROR_MAX]);
void edge_stop(
    struct edge *edge); /* returns when the thread has ended; may be called without a start */
void edge_fini(struct edge *edge); /* closes everything; stopped edges only */

/* One turn in two halves, for owners of a thread of their own (tests): waits for sockets, up to
 * wait_ms if nothing is under way, then does what there is to do. edge_poll returns how much work
 * it found. */
void edge_wait(struct edge *edge, int wait_ms);
uint32_t edge_poll(struct edge *edge, uint64_t now_ns);

uint16_t edge_port(const struct edge *edge);
uint64_t edge_cpu_ns(const struct edge *edge); /* burnt by its threads so far */
/* EDGE_EVENT_COUNT counters; single writer, read relaxed by anybody. */
const uint64_t *edge_counters(const struct edge *edge);
/* Of its client machines, summed. */
void edge_client_counters(const struct edge *edge, uint64_t counters[CLIENT_EVENT_COUNT]);

#endif
