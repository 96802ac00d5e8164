/* fragment.h: a message that outgrew one frame, cut into pieces and put together again.
 *
 * Shape: the sender describes the encoded message as a head (message header and fixed part, made by
 * one of the wire_*_head functions), a body where it lies, and zeros up to a multiple of 8; piece k
 * is a WIRE_FRAGMENT message that holds bytes [k * unit, (k + 1) * unit) of it. All pieces but the
 * last are of one size, so a bitmap tells what has arrived, in whatever order and however often.
 *
 *   fragment | id 8 | offset 4 | total 4 | bytes       group: the inner message's; flags: its kind
 *
 *   receiver:  wire_assembly_find ── none ──► make_room ─► reserve a buffer ─► open ─► add
 *                     └─ found ─► add ─► missing_bytes 0 ─► view ─► close
 *
 *   The receiver fills a buffer of its own choice, a reserved slot of the log: in a whole REQUEST
 *   of one command 56 bytes lie before the command's body, in an APPEND the entry lies at offset
 *   64, so the slot becomes a log entry (header of 48) without another copy. An id names bytes: the
 *   same id may be sent again, and what arrived of both attempts adds up; if any byte has changed,
 *   the id must have changed too. Bytes that disagree are refused, the first ones stay.
 *
 * Memory: the structures are the caller's and flat; a buffer is kept from open to close, expiry or
 *   eviction; a cut points to head and body until its last piece is written. Threads: one owner per
 *   table. Time: passed in, ns.
 * Limits: WIRE_FRAGMENT_TOTAL_MAX bytes in a message; WIRE_FRAGMENT_UNIT_MIN bytes in each piece
 *   but the last, so the bitmap is of fixed size; WIRE_ASSEMBLIES_PER_PEER open messages of one
 *   peer, WIRE_ASSEMBLIES_MAX of all.
 * Refusals: enum wire_refusal, FRAGMENT above all; counters of the table: fragment_events.def.
 * Cost: one copy per piece, a scan of WIRE_ASSEMBLIES_MAX keys per look-up; measured: not measured.
 */
#ifndef PROTOCOLS_WIRE_FRAGMENT_H
#define PROTOCOLS_WIRE_FRAGMENT_H

#include "protocols/wire/wire.h"

#define WIRE_FRAGMENT_BYTES     16u /* id, offset, total */
#define WIRE_RAFT_HEAD_BYTES    64u
#define WIRE_REQUEST_HEAD_BYTES 56u
#define WIRE_REPLY_HEAD_BYTES   72u

/* The largest is an APPEND of one entry of the largest body. */
#define WIRE_FRAGMENT_TOTAL_MAX (WIRE_RAFT_HEAD_BYTES + WIRE_ENTRY_BYTES + WIRE_BODY_BYTES_MAX)
#define WIRE_FRAGMENT_UNIT_MIN  512u
/* Smallest frame whose piece is of UNIT_MIN. */
#define WIRE_FRAGMENT_FRAME_BYTES_MIN                                                              \
    (WIRE_FRAME_BYTES + WIRE_MESSAGE_BYTES + WIRE_FRAGMENT_BYTES + WIRE_FRAGMENT_UNIT_MIN)
/* Smallest MTU, with the headers of IPv4 and UDP around such a frame. */
#define WIRE_MTU_MIN (20 + 8 + WIRE_FRAGMENT_FRAME_BYTES_MIN)

/* ---- sender ---------------------------------------------------------------------------------- */

/* The bytes of a message up to where its one entry, command body or result value begins. What
 * follows is message->entry_bytes, body_bytes, or result->value_bytes long. */
void wire_raft_head(uint8_t head[WIRE_RAFT_HEAD_BYTES], const struct wire_raft *message);
void wire_request_head(uint8_t head[WIRE_REQUEST_HEAD_BYTES], const struct wire_request *request,
                       uint64_t sequence, uint32_t body_bytes);
void wire_reply_head(uint8_t head[WIRE_REPLY_HEAD_BYTES], const struct wire_reply *reply,
                     uint64_t sequence, const struct wire_result *result);

/* A message to be sent in pieces. */
struct wire_cut {
    uint64_t id;
    const uint8_t *head;
    const uint8_t *body;
    uint32_t head_bytes;
    uint32_t body_bytes;
    uint32_t unit;  /* bytes in each piece but the last                 */
    uint32_t total; /* bytes of the message, padded to a multiple of 8  */
    uint32_t count; /* pieces                                           */
};

/* frame_bytes: capacity of the frames, >= WIRE_FRAGMENT_FRAME_BYTES_MIN. The head is that of a
 * whole message, its length field included; head and body make up a message of at most
 * WIRE_FRAGMENT_TOTAL_MAX. */
void wire_cut_begin(struct wire_cut *cut, uint64_t id, const uint8_t *head, uint32_t head_bytes,
                    const uint8_t *body, uint32_t body_bytes, uint32_t frame_bytes);

/* Writes piece k < cut->count. False: no room in this frame. */
bool wire_put_fragment(struct wire_writer *writer, const struct wire_cut *cut, uint32_t k);

/* ---- receiver: one message ------------------------------------------------------------------- */

struct wire_fragment {
    uint64_t id;
    const uint8_t *data;
    uint32_t offset;
    uint32_t total;
    uint32_t bytes;
    uint16_t group;
    uint8_t kind; /* of the inner message */
};

/* Refuses a piece that lies outside its message, is misaligned or too small, or is of a message
 * over the limit. */
enum wire_refusal wire_get_fragment(const struct wire_view *view, struct wire_fragment *fragment);

/* What the first piece of a REQUEST says of its one command (route, client, session, sequence),
 * so that it can be answered before the others are here. False: another piece, or of something
 * else. */
bool wire_peek_request(const struct wire_fragment *fragment, struct wire_request *request,
                       uint64_t *sequence);

#define WIRE_ASSEMBLY_WORDS ((WIRE_FRAGMENT_TOTAL_MAX / WIRE_FRAGMENT_UNIT_MIN + 64) / 64)

struct wire_assembly {
    uint64_t id;
    uint8_t *buffer; /* total bytes of the caller */
    uint32_t total;
    uint32_t missing_bytes; /* 0: the message is whole                            */
    uint32_t unit;          /* 0: not known yet, at most the last piece is here   */
    uint32_t last_bytes;    /* of the last piece; 0: not here yet                 */
    uint16_t group;
    uint8_t kind;
    uint64_t held[WIRE_ASSEMBLY_WORDS]; /* bit k: piece k is here; the last has no bit */
};

/* Starts with nothing held: add the first piece like all others. Buffer: fragment->total bytes. */
void wire_assembly_begin(struct wire_assembly *assembly, const struct wire_fragment *fragment,
                         uint8_t *buffer);

/* Copies the piece to its place; a duplicate changes nothing. Refuses, FRAGMENT, what disagrees
 * with the message or with bytes that are here already. */
enum wire_refusal wire_assembly_add(struct wire_assembly *assembly,
                                    const struct wire_fragment *fragment);

/* Would the piece be added, and bring bytes that are not here? */
bool wire_assembly_lacks(const struct wire_assembly *assembly,
                         const struct wire_fragment *fragment);

/* The message, once whole: a view into the buffer. Refuses bytes that are no single message, or
 * another kind or group than the pieces said. */
enum wire_refusal wire_assembly_view(const struct wire_assembly *assembly, struct wire_view *view);

/* ---- receiver: all messages ------------------------------------------------------------------ */

#define WIRE_ASSEMBLIES_MAX      32u
#define WIRE_ASSEMBLIES_PER_PEER 2u

enum wire_assembly_event {
#define WIRE_ASSEMBLY_EVENT(name, sentence) WIRE_ASSEMBLY_##name,
#include "protocols/wire/fragment_events.def"
#undef WIRE_ASSEMBLY_EVENT
    WIRE_ASSEMBLY_EVENT_COUNT
};
const char *wire_assembly_event_name(enum wire_assembly_event event);
const char *wire_assembly_event_sentence(enum wire_assembly_event event);

/* `peer` tells senders apart whose ids could collide: (member, lane, group), or a client's name. */
struct wire_assembly_table {
    uint64_t timeout_ns;  /* since the last piece that was missing */
    uint64_t patience_ns; /* what has waited less gives way to nothing newer; 0 after init */
    uint32_t open;        /* bit i: slot i is in use */
    uint64_t peer[WIRE_ASSEMBLIES_MAX];
    uint64_t touched_ns[WIRE_ASSEMBLIES_MAX];
    struct wire_assembly assembly[WIRE_ASSEMBLIES_MAX];
    uint64_t counter[WIRE_ASSEMBLY_EVENT_COUNT];
};

/* A buffer that is the caller's again. */
struct wire_abandoned {
    uint8_t *buffer;
    uint16_t group;
    uint8_t kind;
};

void wire_assembly_table_init(struct wire_assembly_table *table, uint64_t timeout_ns);

/* The open message that this piece belongs to; NULL: none. A piece that it lacks, and no other,
 * keeps it alive. */
struct wire_assembly *wire_assembly_find(struct wire_assembly_table *table, uint64_t peer,
                                         const struct wire_fragment *fragment, uint64_t now_ns);

/* Before an open: if this peer, or all together, have as many as they may, gives up the one that
 * has waited longest for a piece, at least patience_ns. True: `abandoned` says which. */
bool wire_assembly_make_room(struct wire_assembly_table *table, uint64_t peer, uint64_t now_ns,
                             struct wire_abandoned *abandoned);

/* May this peer open another one? Two that make progress together must not both give way to a
 * third: then none of the three would ever be whole. */
bool wire_assembly_has_room(const struct wire_assembly_table *table, uint64_t peer);

/* There must be room. The buffer stays with the message until it is closed or abandoned. */
struct wire_assembly *wire_assembly_open(struct wire_assembly_table *table, uint64_t peer,
                                         const struct wire_fragment *fragment, uint8_t *buffer,
                                         uint64_t now_ns);

/* The open message that fills this buffer; NULL: none. */
struct wire_assembly *wire_assembly_filling(struct wire_assembly_table *table,
                                            const uint8_t *buffer);

/* The buffer is the caller's again. Whole or not tells which counter moves. */
void wire_assembly_close(struct wire_assembly_table *table, struct wire_assembly *assembly);

/* Gives up one message that is over its time; call until false. */
bool wire_assembly_expire(struct wire_assembly_table *table, uint64_t now_ns,
                          struct wire_abandoned *abandoned);

#endif
