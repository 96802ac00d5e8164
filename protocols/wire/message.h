/* message.h: how the folder's own files put a message into a frame. Not for others: they use
 * wire.h.
 *
 * Shape: a message is written at once with its header, or started short and made longer while it is
 * the last one. Memory: the writer's. Threads, time: none. Limits: the writer's capacity.
 * Refusals: NULL when there is no room; the frame stays whole. Cost: two stores and the padding.
 */
#ifndef PROTOCOLS_WIRE_MESSAGE_H
#define PROTOCOLS_WIRE_MESSAGE_H

#include "numa/base/bits.h"
#include "protocols/wire/wire.h"

#define WIRE_ALIGN 8u

/* memcpy that may be told to copy nothing from nowhere. */
static inline void wire_copy(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
    if (bytes != 0)
        memcpy(to, from, bytes);
}

static inline uint64_t wire_padded(uint64_t bytes)
{
    return round_up(bytes, WIRE_ALIGN);
}

/* Zeroes the padding behind a part that ends at to + bytes, with one store that reaches back
 * into it: call it before the part's last bytes are written. */
static inline void wire_pad(uint8_t *to, uint64_t bytes)
{
    if (bytes % WIRE_ALIGN != 0)
        store_u64(to + wire_padded(bytes) - WIRE_ALIGN, 0);
}

static inline void wire_message_header(uint8_t *header, uint8_t kind, uint8_t flags, uint16_t group,
                                       uint64_t bytes)
{
    store_u32(header, (uint32_t)bytes);
    header[4] = kind;
    header[5] = flags;
    store_u16(header + 6, group);
    store_u64(header + 8, 0);
}

/* Adds a message with an unwritten body of body_bytes; returns the body. */
static inline uint8_t *wire_message_begin(struct wire_writer *writer, uint8_t kind, uint8_t flags,
                                          uint16_t group, uint64_t body_bytes)
{
    uint64_t bytes = WIRE_MESSAGE_BYTES + body_bytes;
    if (wire_padded(bytes) > writer->capacity - writer->bytes)
        return NULL;
    uint8_t *header = writer->data + writer->bytes;
    wire_message_header(header, kind, flags, group, bytes);
    wire_pad(header, bytes);
    writer->last = writer->bytes;
    writer->bytes += (uint32_t)wire_padded(bytes);
    return header + WIRE_MESSAGE_BYTES;
}

/* The fixed part of a Raft message, which must be there. */
void wire_read_raft(const struct wire_view *view, struct wire_raft *message);

/* Makes the last message longer by `bytes`, a multiple of WIRE_ALIGN, as must be its length so far.
 * Returns where they lie. */
static inline uint8_t *wire_message_extend(struct wire_writer *writer, uint64_t bytes)
{
    if (bytes > writer->capacity - writer->bytes)
        return NULL;
    uint8_t *header = writer->data + writer->last;
    uint8_t *end = writer->data + writer->bytes;
    store_u32(header, load_u32(header) + (uint32_t)bytes);
    writer->bytes += (uint32_t)bytes;
    return end;
}

#endif
