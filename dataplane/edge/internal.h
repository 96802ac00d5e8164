/* internal.h: what the parts of the edge share. For this folder alone.
 *
 * Shape: edge.c turns, guests.c accepts and closes, connection.c reads and writes sockets, table.c
 * finds the handler of a command, keys.c, server.c and about.c handle, ask.c submits and keeps
 * order, answer.c makes replies of results, carrier.c moves frames.
 * Memory, threads, time, limits: see edge.h. Refusals: here and there a bool; the counters are
 * edge_events.def.
 */
#ifndef DATAPLANE_EDGE_INTERNAL_H
#define DATAPLANE_EDGE_INTERNAL_H

#include "dataplane/edge/chain.h"
#include "dataplane/edge/edge.h"
#include "dataplane/edge/keyslot.h"
#include "dataplane/edge/resp.h"
#include "numa/base/assert.h"

#include <pthread.h>
#include <sys/epoll.h>

#define EDGE_NONE             UINT32_MAX
#define EDGE_EVENTS_PER_TURN  64
#define EDGE_FRAMES_PER_BURST 32u
#define EDGE_NAME_BYTES_MAX   64u
#define EDGE_SLOT_TEXT_BYTES  72u /* a value of 64 bytes and what is around it */
#define EDGE_COMMAND_NAME_MAX 16u
#define EDGE_REDIS_VERSION    "7.0.0" /* whose commands these are, for clients that ask */
#define EDGE_COMMANDS_MAX     128u    /* slots of the command table's hash; power of two */
#define EDGE_WORDS_MAX        8192u   /* arguments of an administrator's command */
#define EDGE_SMALL_BYTES_MAX                                                                       \
    1024u /* a command body beyond this goes by the group's session for big ones */
#define EDGE_BIG_WINDOW      4u
#define EDGE_BIG_INPUT_BYTES (RESP_COMMAND_BYTES_MAX + EDGE_CHUNK_BYTES)
#define EDGE_REPLY_BYTES_MAX (WIRE_VALUE_BYTES_MAX + 4096u)

/* How a result becomes a reply. */
enum edge_form {
    FORM_PLAIN = 0, /* by its type                                                     */
    FORM_NUMBER,    /* ... and a wrong type is a wrong number                           */
    FORM_SECONDS,   /* milliseconds come back as seconds                                */
    FORM_SCAN,      /* cursor and keys                                                  */
    FORM_SUM,       /* one of several integers: nothing is written until the last one   */
    FORM_SUM_LAST,
};

/* Why there is no result; index into the sentences of answer.c. */
enum edge_failure {
    FAILURE_NONE = 0,
    FAILURE_TRY_AGAIN,
    FAILURE_CLUSTER_DOWN,
    FAILURE_UNCERTAIN,
    FAILURE_GONE,
    FAILURE_OVERTAKEN,
    FAILURE_NO_SPACE,
    FAILURE_NOT_A_NUMBER,
    FAILURE_WRONG_TYPE,
    FAILURE_TOO_BIG,
    FAILURE_BAD_COMMAND,
    FAILURE_NO_CHUNK,
    FAILURE_COUNT
};

/* PARKED: a read whose answer came before that of an earlier one, so that it might be older than
 * that. It is asked again when everything before it is answered. */
enum slot_state { SLOT_FREE = 0, SLOT_WAITING, SLOT_PARKED, SLOT_ANSWERED };

/* One command, or part of one, between submission and reply. What is answered before its turn is
 * kept here. */
struct edge_slot {
    uint32_t next;       /* of its connection, or free  */
    uint32_t connection; /* EDGE_NONE: it has gone away */
    uint32_t
        ordinal; /* of a read, among those of its connection and group, by when it was asked last */
    uint16_t group;
    uint8_t form;
    uint8_t state;
    uint8_t failure;
    uint8_t text_bytes;
    bool is_read;            /* by itself, not in the log */
    bool harmless;           /* a read, either way        */
    int64_t integer;         /* SLOT_ANSWERED: FORM_SUM's; before: when it was asked first, ns */
    struct edge_chain stash; /* beyond text                                        */
    uint8_t text
        [EDGE_SLOT_TEXT_BYTES]; /* the reply; of a read that is not answered yet, the question */
};
_Static_assert(sizeof(struct edge_slot) == 128, "two cache lines");

/* What a connection has under way in one group. */
struct edge_order {
    uint32_t writes;
    uint32_t reads;
    uint32_t logged; /* reads that took their place in the log among the writes */
    uint32_t ordinal_next;
    uint32_t ordinal_answered; /* of the read answered last                                     */
    uint32_t retried_before;   /* reads below this ordinal were under way when one came back ... */
    uint32_t attempts;         /* ... after this many attempts                                    */
    bool big;                  /* by the session for big commands */
    bool large_answer;         /* of the last read: the session would not keep it for a retry */
};

enum connection_list { LIST_NONE = 0, LIST_READY, LIST_STALLED };

struct edge_connection {
    int fd; /* -1: not in use */
    uint32_t index;
    uint32_t next_free;
    enum connection_list listed;
    bool readable; /* the socket may hold more */
    bool writable;
    bool hang_up; /* the other side has closed: read on to the end */
    bool closing; /* nothing more is parsed; closed once all is answered and written */
    bool dead;
    bool dirty;
    bool input_big;
    bool stale; /* READONLY was said: reads may be answered from what this node has applied */
    uint8_t *input;
    uint32_t input_bytes_max;
    uint32_t begin; /* input[begin, end) is not parsed */
    uint32_t end;
    uint32_t needed; /* bytes from begin on before parsing again can succeed   */
    uint32_t part;   /* of the command at begin: parts already submitted       */
    bool headed;     /* ... and the array's head is already among the replies  */
    uint32_t first;  /* slots in order of their commands                       */
    uint32_t last;
    uint64_t unread_since_ns; /* 0: the socket takes answers */
    uint64_t half_since_ns;   /* 0: no incomplete command in the input */
    uint64_t room_since_ns;   /* 0: not waiting for an input buffer    */
    uint64_t stall_since_ns;  /* 0: not waiting for room or order      */
    uint64_t id;
    uint64_t since_ns;
    uint32_t peer_ip; /* host order */
    uint16_t peer_port;
    int64_t sum;
    uint8_t sum_failure;
    uint8_t name_bytes;
    uint8_t name[EDGE_NAME_BYTES_MAX];
    struct edge_chain output;
    struct edge_order *order; /* group_count of them */
};

/* A command's name in small letters, zeroes behind it. */
struct edge_name {
    uint64_t half[2];
};

/* One session: a client machine and where its frames go. */
struct edge_machine {
    client *client;
    uint64_t name;
    uint32_t waiting; /* commands whose completion is due */
    uint16_t group;
    uint16_t lane;
    bool dirty; /* has something to send */
};

enum edge_step { STEP_DONE = 0, STEP_WAIT };

struct edge_command_rule;

struct edge {
    struct edge_config config;
    uint64_t now_ns;
    int epoll_fd;
    uint32_t event_count;
    struct epoll_event events[EDGE_EVENTS_PER_TURN];
    int listen_fd;
    int wake_fd;
    int spare_fd; /* given up to refuse a connection when there are no more */
    uint16_t port;
    bool accepting;
    bool wake_stalled; /* something became free: whoever waits shall try again */
    uint64_t second_ns;
    uint64_t connection_id;

    struct edge_connection *connections;
    uint32_t connection_free;
    uint32_t connection_count;
    uint32_t *ready, *ready_before, *stalled, *dirty, *graves; /* indexes of connections */
    uint32_t ready_count, stalled_count, dirty_count, grave_count;

    struct edge_slot *slots;
    uint32_t slot_free;
    uint32_t waiting; /* slots whose completion is due */

    struct edge_machine *machines; /* per group: sessions, then the one for big commands */
    uint32_t machine_count;
    struct frame spare[WIRE_LANES_MAX]
                      [EDGE_FRAMES_PER_BURST]; /* taken from the duct, not filled yet */
    uint32_t spare_count[WIRE_LANES_MAX];

    struct edge_pool pool;
    uint8_t *big_inputs;
    uint32_t *big_free;
    uint32_t big_free_count;
    uint8_t *scratch; /* WIRE_BODY_BYTES_MAX: MSET's pairs, texts */
    struct resp_command command;
    struct client_completion completions[CLIENT_WINDOW_MAX];
    const struct edge_command_rule *rules[EDGE_COMMANDS_MAX]; /* open addressing by name */
    struct edge_name rule_names[EDGE_COMMANDS_MAX];

    pthread_t thread;
    bool started;
    int32_t thread_clock;  /* atomic; 0: no thread           */
    uint64_t cpu_ns_ended; /* atomic; of threads that ended */
    uint32_t stop;         /* atomic */
    CACHE_ALIGNED uint64_t counter[EDGE_EVENT_COUNT];
};

static inline void edge_count(struct edge *edge, enum edge_event event)
{
    __atomic_store_n(&edge->counter[event], edge->counter[event] + 1, __ATOMIC_RELAXED);
}

/* ---- table.c --------------------------------------------------------------------------------- */

/* Whose arguments are in edge->command. STEP_WAIT: call again later with the same bytes. */
typedef enum edge_step edge_handler(struct edge *edge, struct edge_connection *connection,
                                    const struct edge_command_rule *rule);

struct edge_command_rule {
    const char *name; /* in capitals, at most EDGE_COMMAND_NAME_MAX letters */
    int8_t arity;     /* with the name; negative: at least */
    uint8_t op;
    uint8_t form;
    int16_t unit; /* sign or scale, the handler's */
    edge_handler *handle;
};

void edge_table_init(struct edge *edge);
uint32_t edge_rule_count(void);
const struct edge_command_rule *edge_rule(uint32_t index);
const struct edge_command_rule *edge_rule_find(const struct edge *edge, struct resp_span name);
void edge_rule_name(const struct edge_command_rule *rule, char name[EDGE_COMMAND_NAME_MAX + 1]);
enum edge_step edge_dispatch(struct edge *edge, struct edge_connection *connection);
enum edge_step edge_reply_arity(struct edge *edge, struct edge_connection *connection,
                                const struct edge_command_rule *rule);
enum edge_step edge_reply_subcommand(struct edge *edge, struct edge_connection *connection,
                                     const struct edge_command_rule *rule);

static inline struct resp_span edge_argument(const struct edge *edge, uint32_t index)
{
    return edge->command.argument[index];
}

/* keys.c */
edge_handler edge_do_key, edge_do_set, edge_do_getset, edge_do_append, edge_do_add, edge_do_expire,
    edge_do_cas, edge_do_many, edge_do_mget, edge_do_mset, edge_do_size, edge_do_scan;
/* server.c */
edge_handler edge_do_ping, edge_do_echo, edge_do_hello, edge_do_select, edge_do_readonly,
    edge_do_client, edge_do_cluster, edge_do_quit;
/* about.c */
edge_handler edge_do_config, edge_do_command, edge_do_info, edge_do_quorate;
enum edge_step edge_list_clients(struct edge *edge, struct edge_connection *connection,
                                 bool itself);

/* ---- ask.c ----------------------------------------------------------------------------------- */

/* Sends one command, or part of one, to its group; its reply takes its place among the
 * connection's. STEP_WAIT: no room, or an earlier one must be answered first. After the deadline
 * the answer is -TRYAGAIN. */
enum edge_step edge_ask(struct edge *edge, struct edge_connection *connection, uint16_t group,
                        const struct wire_command *command, enum edge_form form);
void edge_completed(struct edge *edge, struct edge_machine *machine,
                    const struct client_completion *completion);
/* A local reply must stand behind what is under way. NULL: no slot, wait. */
struct edge_slot *edge_slot_append(struct edge *edge, struct edge_connection *connection);
void edge_slot_free(struct edge *edge, uint32_t index);
/* The first slot of the connection is parked: asks it again, and those parked right behind it.
 * False: no room. */
bool edge_ask_parked(struct edge *edge, struct edge_connection *connection);
struct edge_machine *edge_machine_of(struct edge *edge, const struct edge_connection *connection,
                                     uint16_t group, bool big);

/* ---- answer.c -------------------------------------------------------------------------------- */

/* A reply of the edge's own, in its place. STEP_WAIT: no slot. */
enum edge_step edge_reply(struct edge *edge, struct edge_connection *connection, const void *text,
                          uint32_t bytes);
enum edge_step edge_reply_text(struct edge *edge, struct edge_connection *connection,
                               const char *text);
enum edge_step edge_reply_bulk(struct edge *edge, struct edge_connection *connection,
                               const void *data, uint32_t bytes);
enum edge_step edge_reply_error(struct edge *edge, struct edge_connection *connection,
                                enum edge_event event, const char *text);
enum edge_step edge_reply_array_head(struct edge *edge, struct edge_connection *connection,
                                     uint32_t count);
/* The slot is answered; everything that is now in order goes to the output. */
void edge_answer_result(struct edge *edge, uint32_t index, const struct wire_result *result);
void edge_answer_failure(struct edge *edge, uint32_t index, enum edge_failure failure);
/* Writes out what is in order at the front of the connection's slots. */
void edge_answer_advance(struct edge *edge, struct edge_connection *connection);

/* ---- carrier.c ------------------------------------------------------------------------------- */

size_t edge_machine_footprint(const struct edge_config *config, bool big);
void edge_machine_init(struct edge *edge, uint32_t index, void *memory, uint64_t name,
                       uint64_t now_ns);
/* Both return how much work they found. */
uint32_t edge_carrier_send(struct edge *edge);
uint32_t edge_carrier_receive(struct edge *edge);
void edge_carrier_fini(struct edge *edge);

/* ---- connection.c ---------------------------------------------------------------------------- */

void edge_connection_event(struct edge *edge, struct edge_connection *connection, uint32_t events);
/* Parses and reads as far as it goes. */
void edge_connection_run(struct edge *edge, struct edge_connection *connection);
void edge_connection_flush(struct edge *edge, struct edge_connection *connection);
void edge_connection_dirty(struct edge *edge, struct edge_connection *connection);
void edge_connection_list(struct edge *edge, struct edge_connection *connection,
                          enum connection_list list);

/* ---- guests.c -------------------------------------------------------------------------------- */

void edge_accept(struct edge *edge);
void edge_input_release(struct edge *edge, struct edge_connection *connection);
/* Nothing more is parsed; closed once all is answered and written. */
void edge_connection_stop(struct edge *edge, struct edge_connection *connection);
void edge_connection_kill(struct edge *edge, struct edge_connection *connection);
/* Out of buffers: whoever holds the most loses them. False: that is `connection` itself, or nobody
 * holds any. */
bool edge_make_room(struct edge *edge, const struct edge_connection *connection);
void edge_connections_second(struct edge *edge); /* what is due once per second */
void edge_connections_bury(struct edge *edge);   /* indexes of the dead become free */

#endif
