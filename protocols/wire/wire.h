/* wire.h: canonical bytes. What a frame, a message, a log entry, a command and its result look
 * like.
 *
 * Shape: one UDP payload is one frame: a frame header, then messages back to back. A message starts
 * with its own length, so that messages for many groups share a frame. All integers are
 * little-endian.
 *
 *   frame    | header 40 | message | message | ...
 *   message  | header 16 | body (fixed part, then entries, commands or results) | pad to 8
 *            header: bytes 4 (header and body, without the pad), kind 1, flags 1, group 2, zero 8
 *   entry    | header 48 | command bytes | pad to 8      the very bytes that lie in the log arena
 *   command  | header 16 | key | old | value             what a client asks for, in an entry
 *   result   | header 16 | bytes | pad to 8              what apply answers
 *
 * Entries travel and lie with one layout, so a run of them is one memcpy out of the log and one
 * into it. A message that outgrows one frame (a single entry, command or result of up to
 * WIRE_VALUE_BYTES_MAX) is cut into WIRE_FRAGMENT messages of (id, offset, total), see fragment.h.
 *
 * Memory: decoders return views into the caller's buffer and keep nothing; encoders write into the
 * caller's buffer. Threads: pure functions. Time: none.
 * Limits: below. Refusals: decoders return an enum wire_refusal, each with a counter's name in
 * wire_events.def. Nothing is read outside the given length, whatever the bytes.
 * Cost: O(messages) per frame, O(1) per message without entries; measured: not measured.
 */
#ifndef PROTOCOLS_WIRE_WIRE_H
#define PROTOCOLS_WIRE_WIRE_H

#include "numa/base/types.h"

#include <assert.h>

#define WIRE_MAGIC           0x31545251u /* "QRT1" read as little-endian */
#define WIRE_VERSION         1u
#define WIRE_FRAME_BYTES     40u
#define WIRE_MESSAGE_BYTES   16u
#define WIRE_ENTRY_BYTES     48u
#define WIRE_COMMAND_BYTES   16u
#define WIRE_RESULT_BYTES    16u
#define WIRE_KEY_BYTES_MAX   512u
#define WIRE_VALUE_BYTES_MAX (1u << 20)
/* Largest entry body: command header, key, an old value to compare with, a new value. */
#define WIRE_BODY_BYTES_MAX (WIRE_COMMAND_BYTES + WIRE_KEY_BYTES_MAX + 2u * WIRE_VALUE_BYTES_MAX)
#define WIRE_NODE_CLIENT    0xffffu /* `from` of a frame that no member sent */
#define WIRE_SEQUENCE_NONE  0u
#define WIRE_TIME_MS_MAX                                                                           \
    (UINT64_C(1) << 48) /* of an entry: log time never falls, so one wrong one stays */

enum wire_refusal {
    WIRE_OK = 0,
#define WIRE_EVENT(name, sentence) WIRE_REFUSED_##name,
#include "protocols/wire/wire_events.def"
#undef WIRE_EVENT
    WIRE_REFUSAL_COUNT
};

/* The counter's name ("MESSAGE_LENGTH") and the sentence for people. */
const char *wire_refusal_name(enum wire_refusal refusal);
const char *wire_refusal_sentence(enum wire_refusal refusal);

enum wire_kind {
    WIRE_HELLO = 1, /* struct wire_hello: who I am, where my groups listen */
    WIRE_PREVOTE,   /* struct wire_raft from here ... */
    WIRE_PREVOTE_REPLY,
    WIRE_VOTE,
    WIRE_VOTE_REPLY,
    WIRE_APPEND, /* also the heartbeat: no entries */
    WIRE_APPEND_REPLY,
    WIRE_TIMEOUT_NOW, /* ... to here */
    WIRE_REQUEST,     /* struct wire_request: commands of one session, or reads */
    WIRE_REPLY,       /* struct wire_reply: results */
    WIRE_FRAGMENT,    /* a piece of a message that outgrew one frame */
    WIRE_SIGNED,      /* one of the others in an envelope, see signed.h */
    WIRE_SNAPSHOT,    /* struct wire_snapshot, see members.h */
    WIRE_READ_INDEX,  /* struct wire_raft, as what follows */
    WIRE_READ_INDEX_REPLY,
    WIRE_SNAPSHOT_CHUNK, /* some of a snapshot's bytes, see chunk.h ... */
    WIRE_SNAPSHOT_ACK,   /* ... and which of them have come */
    WIRE_KIND_COUNT
};

/* ---- frame ----------------------------------------------------------------------------------- */

/* bytes: magic 4, version 1, lane 1, from 2, cluster 8, incarnation 8, sequence 8, hash 8 = 40 */
struct wire_frame {
    uint16_t from;        /* member id, or WIRE_NODE_CLIENT */
    uint8_t lane;         /* which core of the sender */
    uint64_t cluster;     /* drawn at bootstrap; 0 in a client's frame: any */
    uint64_t incarnation; /* random at the sender's boot, bound by the configuration */
    uint64_t sequence;    /* rises by one per frame of (from, lane) to a receiver: see `open` */
    uint64_t config_hash; /* hash of the configuration that the sender votes under */
};

/* Writes messages into one payload. `bytes` is what is filled so far, and always a whole frame. */
struct wire_writer {
    uint8_t *data;
    uint32_t capacity;
    uint32_t bytes;
    uint32_t last; /* offset of the last message: wire_put_command and wire_put_result add to it */
};

/* capacity >= WIRE_FRAME_BYTES. Writes the header; no message yet. */
void wire_frame_begin(struct wire_writer *writer, void *data, uint32_t capacity,
                      const struct wire_frame *frame);

/* Reads the header. Refuses: short, not our magic, another version. Does not look at the
 * messages. */
enum wire_refusal wire_frame_decode(const void *data, uint32_t bytes, struct wire_frame *frame);

/* One message inside a frame: a view, checked to lie inside the frame. */
struct wire_view {
    uint8_t kind;
    uint8_t flags;
    uint16_t group;
    uint32_t bytes; /* of body */
    const uint8_t *body;
};

/* Walks the messages: *offset starts at WIRE_FRAME_BYTES; at the end of the frame returns WIRE_OK
 * with view->kind == 0. A refusal ends the walk: what follows a bad length can not be trusted. */
enum wire_refusal wire_message_next(const void *data, uint32_t bytes, uint32_t *offset,
                                    struct wire_view *view);

/* ---- raft ------------------------------------------------------------------------------------ */

#define WIRE_RAFT_GRANTED  0x01u /* vote replies */
#define WIRE_RAFT_REJECTED 0x02u /* append reply: `index`, `log_term` are the hint */
#define WIRE_RAFT_TRANSFER 0x04u /* vote asked for by TimeoutNow: ignores leader leases */
#define WIRE_RAFT_DOUBT    0x08u /* read index: the sender may lack what it has confirmed */

/* One Raft message, in and out of the machine; the fields' meaning by kind:
 *   kind            index            log_term          commit         round
 *   VOTE, PREVOTE   last log index   its term          members index  campaign number
 *   VOTE_REPLY      -                -                 -              campaign number (echo)
 *   APPEND          previous index   its term          leader commit  broadcast round
 *   APPEND_REPLY    matched | hint   - | hint's term   priority       round (echo)
 *   SNAPSHOT        last index       its term          -              broadcast round
 *   READ_INDEX      -                -                 -              nonce of this attempt
 *   READ_INDEX_REPLY  to be seen     -                 -              nonce (echo)
 * The members index is of the entry that brought the candidate's configuration. The priority: how
 * much a follower would rather lead, 0 to 255. To be seen: the
 * index that a read at the asker must have applied. */
struct wire_raft {
    uint8_t kind;
    uint8_t flags;
    uint16_t group;
    uint16_t from;
    uint16_t to;
    uint32_t entry_count; /* APPEND: entries [index + 1, index + entry_count] follow */
    uint32_t entry_bytes; /* their encoded size, headers and padding included */
    uint64_t term;
    uint64_t index;
    uint64_t log_term;
    uint64_t commit;
    uint64_t round;
};

/* body: term 8, index 8, log_term 8, commit 8, round 8, entry_count 4, entry_bytes 4 = 48, then
 * entries. `from` and `to` are the frame's. Returns where the caller copies entry_bytes of entries
 * to (the frame's length includes them already), or NULL when the message does not fit. */
uint8_t *wire_put_raft(struct wire_writer *writer, const struct wire_raft *message);

/* Refuses every message whose entries do not fill entry_bytes exactly, are not numbered index + 1,
 * index + 2, ..., are of another group, have flags, falling terms, none or terms above the
 * message's, or a time above WIRE_TIME_MS_MAX. */
enum wire_refusal wire_get_raft(const struct wire_view *view, struct wire_raft *message,
                                const uint8_t **entries);

/* ---- entries --------------------------------------------------------------------------------- */

enum wire_entry_kind {
    WIRE_ENTRY_NOOP = 1, /* a new leader's first; advances log time */
    WIRE_ENTRY_COMMAND,  /* body is a command, executed once per (session, sequence) */
    WIRE_ENTRY_REGISTER, /* opens a session; body is empty, `sequence` holds the client's nonce */
    WIRE_ENTRY_TIME,     /* advances log time while an expiry is due */
    WIRE_ENTRY_CONFIG,   /* body is a configuration, see members.h */
    WIRE_ENTRY_KIND_COUNT
};

/* bytes: body_bytes 4, kind 1, flags 1, group 2, index 8, term 8, time_ms 8, session 8, sequence 8
 * = 48. In memory it has the same layout: a pointer to an 8-aligned entry is a pointer to this. */
struct wire_entry {
    uint32_t body_bytes;
    uint8_t kind;
    uint8_t flags;
    uint16_t group;
    uint64_t index;
    uint64_t term;
    uint64_t time_ms; /* log time: max(previous entry, leader's wall clock), never falls */
    uint64_t session; /* 0: of no session */
    uint64_t sequence;
};
static_assert(sizeof(struct wire_entry) == WIRE_ENTRY_BYTES,
              "an entry in memory is an entry on the wire");

/* Space that an entry with this body takes, padding included. */
static inline uint32_t wire_entry_size(uint32_t body_bytes)
{
    return WIRE_ENTRY_BYTES + ((body_bytes + 7u) & ~7u);
}

/* ---- commands -------------------------------------------------------------------------------- */

enum wire_op {
    WIRE_OP_SET = 1, /* value; argument: time to live in ms, 0 none; flags below */
    WIRE_OP_DEL,
    WIRE_OP_INCRBY, /* argument: signed */
    WIRE_OP_APPEND, /* value */
    WIRE_OP_CAS,    /* old_bytes of `old`, then the new value */
    WIRE_OP_EXPIRE, /* argument: ms from log time, signed; not above 0 deletes */
    WIRE_OP_PERSIST,
    WIRE_OP_MSET, /* value: pairs | key_bytes 4 | value_bytes 4 | key | value |; all or none */
    WIRE_OP_WRITE_LAST = WIRE_OP_MSET,
    WIRE_OP_GET = 16, /* reads; as a log entry they answer at their place in the log */
    WIRE_OP_EXISTS,
    WIRE_OP_STRLEN,
    WIRE_OP_TTL,  /* ms; -1 without expiry, -2 absent */
    WIRE_OP_SIZE, /* number of keys of the group */
    WIRE_OP_SCAN, /* argument: cursor; value: | count 4 | pattern | */
    WIRE_OP_READ_LAST = WIRE_OP_SCAN,
    WIRE_OP_REGISTER = 32, /* a session please; argument: nonce */
};

#define WIRE_SET_IF_ABSENT  0x01u /* NX */
#define WIRE_SET_IF_PRESENT 0x02u /* XX */
#define WIRE_SET_RETURN_OLD 0x04u /* GET */
#define WIRE_SET_KEEP_TTL   0x08u /* KEEPTTL */
/* Of a read with session 0: any member may answer from what it has applied, which may be old. */
#define WIRE_READ_STALE 0x10u

/* bytes: op 1, flags 1, key_bytes 2, old_bytes 4, argument 8, then key, old, value to the end of
 * the body */
struct wire_command {
    uint8_t op;
    uint8_t flags;
    uint16_t key_bytes;
    uint32_t old_bytes;
    uint32_t value_bytes;
    int64_t argument;
    const uint8_t *key;
    const uint8_t *old;
    const uint8_t *value;
};

/* Encoded size of the body. */
static inline uint32_t wire_command_size(const struct wire_command *command)
{
    return WIRE_COMMAND_BYTES + command->key_bytes + command->old_bytes + command->value_bytes;
}

/* `to` has wire_command_size bytes. */
void wire_command_encode(const struct wire_command *command, uint8_t *to);

/* Refuses: unknown op, a key over 512 bytes or (where a key is needed) empty, a value over 1 MiB,
 * lengths that do not add up, MSET pairs that do not tile the value. What it accepts, apply
 * executes: it is total. */
enum wire_refusal wire_command_decode(const uint8_t *body, uint32_t bytes,
                                      struct wire_command *command);

/* ---- results --------------------------------------------------------------------------------- */

enum wire_status {
    WIRE_DONE = 0,        /* committed and applied (or read); type and value are the answer */
    WIRE_NOT_LEADER,      /* reply's leader hint says who is; never executed by this request */
    WIRE_BUSY,            /* full; retry later; not proposed */
    WIRE_OUT_OF_ORDER,    /* integer: the sequence that is expected next; not executed */
    WIRE_SESSION_EXPIRED, /* evicted or never opened: this sequence will never be executed again */
    WIRE_REPLY_GONE,      /* committed and applied, the answer is no longer kept */
    WIRE_TOO_BIG,
    WIRE_BAD_COMMAND,
    WIRE_NO_SPACE,     /* the table is full by its own count: same answer on every replica */
    WIRE_WRONG_TYPE,   /* INCR of something that is no number, or it would overflow */
    WIRE_UNAUTHORIZED, /* the cluster wants a signature, or this key may not ask; not executed */
    WIRE_STATUS_COUNT
};

enum wire_type { WIRE_NIL = 0, WIRE_INTEGER, WIRE_BYTES, WIRE_STATUS_OK };

/* bytes: status 1, type 1, pad 2, value_bytes 4, integer 8, then value, pad to 8 */
struct wire_result {
    uint8_t status;
    uint8_t type;
    uint32_t value_bytes;
    int64_t integer;
    const uint8_t *value;
};

static inline uint32_t wire_result_size(uint32_t value_bytes)
{
    return WIRE_RESULT_BYTES + ((value_bytes + 7u) & ~7u);
}

const char *wire_status_name(enum wire_status status);

/* ---- client: requests and replies ------------------------------------------------------------ */

/* A request message carries commands of one session (or reads and registrations, session 0), each
 *   | sequence 8 | body_bytes 4 | pad 4 | command body | pad to 8 |
 * body: client 8, session 8, route 4, count 4 = 24, then the commands. */
struct wire_request {
    uint16_t group;
    uint64_t client;  /* the asker's random name: replies are matched on it */
    uint64_t session; /* 0: only reads and registrations */
    uint32_t route;   /* opaque to everyone but the node where it entered; echoed in the reply */
    uint32_t count;
    uint32_t bytes; /* of commands */
    const uint8_t *commands;
};

/* Starts a request; wire_put_command adds to it and keeps count and lengths right, false: no room
 * (what is there stays a whole frame). The writer's last message must be this request. */
bool wire_put_request(struct wire_writer *writer, const struct wire_request *request);
bool wire_put_command(struct wire_writer *writer, uint64_t sequence,
                      const struct wire_command *command);
/* The same for a command that has been encoded already, as it is kept for a retry. */
bool wire_put_body(struct wire_writer *writer, uint64_t sequence, const uint8_t *body,
                   uint32_t body_bytes);

/* Refuses what does not tile: count commands fill the body exactly, each body decodable later. */
enum wire_refusal wire_get_request(const struct wire_view *view, struct wire_request *request);

/* Walks a decoded request: *at starts at request->commands; count calls. */
const uint8_t *wire_next_command(const uint8_t **at, uint64_t *sequence, uint32_t *body_bytes);

/* A reply message carries results | sequence 8 | result |; body: client 8, session 8, route 4,
 * count 4, leader_ip 4, leader_port 2, leader 2 = 32, then the results. */
struct wire_reply {
    uint16_t group;
    uint16_t leader;      /* hint: member id, WIRE_NODE_CLIENT when unknown */
    uint16_t leader_port; /* UDP port of this group at the leader */
    uint32_t leader_ip;
    uint64_t client;
    uint64_t session;
    uint32_t route;
    uint32_t count;
    uint32_t bytes;
    const uint8_t *results;
};

bool wire_put_reply(struct wire_writer *writer, const struct wire_reply *reply);
bool wire_put_result(struct wire_writer *writer, uint64_t sequence,
                     const struct wire_result *result);
enum wire_refusal wire_get_reply(const struct wire_view *view, struct wire_reply *reply);
void wire_next_result(const uint8_t **at, uint64_t *sequence, struct wire_result *result);
/* For carriers that number the members themselves: the leader of an encoded reply, whose body
 * begins here. */
void wire_rename_leader(uint8_t *reply_body, uint16_t leader);

/* ---- levels ---------------------------------------------------------------------------------- */

/* What this build speaks: levels 0 to this one. Whatever an older build would misread, in a
 * message, an entry or a file, waits until the configuration in force is of the level that brought
 * it: then every member speaks it, and none can go back. Until then a build may be replaced by an
 * older one. No level but 0 has been given out yet. */
extern const uint8_t wire_level;

/* ---- hello ----------------------------------------------------------------------------------- */

#define WIRE_LANES_MAX 16u

/* Sent on change and every second to every configured member: where this node's lanes receive.
 * body: view_epoch 8, ip 4, lane_count 2, level 1, zero 1, then per lane port 2, source_port 2. */
struct wire_hello {
    uint64_t view_epoch; /* sender's count of its own changes: older ones are stale */
    uint32_t ip;
    uint8_t level;                        /* the highest that its build speaks */
    uint16_t lane_count;                  /* group g is served by lane g % lane_count */
    uint16_t port[WIRE_LANES_MAX];        /* destination port that reaches the lane's queue */
    uint16_t source_port[WIRE_LANES_MAX]; /* source port to use when RSS picks the queue; 0: any */
};

bool wire_put_hello(struct wire_writer *writer, const struct wire_hello *hello);
enum wire_refusal wire_get_hello(const struct wire_view *view, struct wire_hello *hello);

#endif
