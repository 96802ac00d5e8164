/* chunk.h: the bytes of a snapshot on their way, and what the receiver says of them.
 *
 * Shape: both name the snapshot by index, term and sum, so that a piece of another one is told
 * apart, and the same one goes on after a restart of either side, or from another member.
 *
 *   id       | index 8 | term 8 | sum 8 | bytes of the whole 8 |
 *   chunk    | id 32 | offset 8 | unit 4 | crc 4 | bytes to the end of the body |
 *   ack      | id 32 | run 8 | offset 8 | ahead 8 | status 4 | zero 4 |
 *
 *   A chunk lies at a multiple of `unit` and is that long, but for the last one. An ack says that
 *   all before `offset` is here, and with bit i of `ahead` that the chunk i units further is, too.
 *   `run` rises when the receiver starts anew, maybe with less than it had.
 *
 * Memory: views into the caller's bytes. Threads: pure functions. Time: none.
 * Limits: WIRE_CHUNK_BYTES_MIN to WIRE_CHUNK_BYTES_MAX per chunk.
 * Refusals: WIRE_REFUSED_CHUNK for what can not be; the crc is the receiver's to check.
 * Cost: O(1), and the copy of the bytes.
 */
#ifndef PROTOCOLS_WIRE_CHUNK_H
#define PROTOCOLS_WIRE_CHUNK_H

#include "protocols/wire/wire.h"

#define WIRE_CHUNK_BYTES_MIN 256u /* fits the smallest MTU */
#define WIRE_CHUNK_BYTES_MAX (1u << 16)
#define WIRE_CHUNK_HEAD      48u
#define WIRE_CHUNK_AHEAD_MAX 64u

struct wire_snapshot_id {
    uint64_t index;
    uint64_t term; /* of that entry */
    uint64_t sum;  /* of the file */
    uint64_t bytes;
};

struct wire_chunk {
    uint16_t group;
    struct wire_snapshot_id id;
    uint64_t offset;
    uint32_t unit;
    uint32_t crc;
    uint32_t bytes;
    const uint8_t *data;
};

enum wire_chunk_status {
    WIRE_CHUNK_GOING = 0,
    WIRE_CHUNK_WHOLE,  /* all of it is here, checked and durable */
    WIRE_CHUNK_REFUSED /* not wanted, or no room: stop */
};

struct wire_chunk_ack {
    uint16_t group;
    struct wire_snapshot_id id;
    uint64_t run;
    uint64_t offset;
    uint64_t ahead;
    uint32_t status;
};

static inline bool wire_snapshot_id_equal(const struct wire_snapshot_id *a,
                                          const struct wire_snapshot_id *b)
{
    return a->index == b->index && a->term == b->term && a->sum == b->sum && a->bytes == b->bytes;
}

/* Length of the chunk at `offset`. */
static inline uint32_t wire_chunk_length(uint64_t bytes, uint64_t offset, uint32_t unit)
{
    return (uint32_t)(bytes - offset < unit ? bytes - offset : unit);
}

/* NULL: no room; else where chunk->bytes of data go. */
uint8_t *wire_put_chunk(struct wire_writer *writer, const struct wire_chunk *chunk);
enum wire_refusal wire_get_chunk(const struct wire_view *view, struct wire_chunk *chunk);

bool wire_put_chunk_ack(struct wire_writer *writer, const struct wire_chunk_ack *ack);
enum wire_refusal wire_get_chunk_ack(const struct wire_view *view, struct wire_chunk_ack *ack);

#endif
