#include "protocols/wire/chunk.h"

#include "protocols/wire/message.h"

#define ID_BYTES  32u
#define ACK_BYTES 64u

static void put_id(uint8_t *to, const struct wire_snapshot_id *id)
{
    store_u64(to, id->index);
    store_u64(to + 8, id->term);
    store_u64(to + 16, id->sum);
    store_u64(to + 24, id->bytes);
}

static bool get_id(const uint8_t *from, struct wire_snapshot_id *id)
{
    *id = (struct wire_snapshot_id){
        .index = load_u64(from),
        .term = load_u64(from + 8),
        .sum = load_u64(from + 16),
        .bytes = load_u64(from + 24),
    };
    return id->index != 0 && id->term != 0 && id->bytes != 0;
}

uint8_t *wire_put_chunk(struct wire_writer *writer, const struct wire_chunk *chunk)
{
    uint8_t *body = wire_message_begin(writer, WIRE_SNAPSHOT_CHUNK, 0, chunk->group,
                                       (uint64_t)WIRE_CHUNK_HEAD + chunk->bytes);
    if (body == NULL)
        return NULL;
    put_id(body, &chunk->id);
    store_u64(body + ID_BYTES, chunk->offset);
    store_u32(body + ID_BYTES + 8, chunk->unit);
    store_u32(body + ID_BYTES + 12, chunk->crc);
    return body + WIRE_CHUNK_HEAD;
}

enum wire_refusal wire_get_chunk(const struct wire_view *view, struct wire_chunk *chunk)
{
    if (view->kind != WIRE_SNAPSHOT_CHUNK)
        return WIRE_REFUSED_MESSAGE_KIND;
    if (view->bytes < WIRE_CHUNK_HEAD)
        return WIRE_REFUSED_MESSAGE_SHORT;
    if (view->flags != 0)
        return WIRE_REFUSED_RESERVED;
    *chunk = (struct wire_chunk){
        .group = view->group,
        .offset = load_u64(view->body + ID_BYTES),
        .unit = load_u32(view->body + ID_BYTES + 8),
        .crc = load_u32(view->body + ID_BYTES + 12),
        .bytes = view->bytes - WIRE_CHUNK_HEAD,
        .data = view->body + WIRE_CHUNK_HEAD,
    };
    return get_id(view->body, &chunk->id) && chunk->unit >= WIRE_CHUNK_BYTES_MIN &&
                   chunk->unit <= WIRE_CHUNK_BYTES_MAX && chunk->offset < chunk->id.bytes &&
                   chunk->offset % chunk->unit == 0 &&
                   chunk->bytes == wire_chunk_length(chunk->id.bytes, chunk->offset, chunk->unit)
               ? WIRE_OK
               : WIRE_REFUSED_CHUNK;
}

bool wire_put_chunk_ack(struct wire_writer *writer, const struct wire_chunk_ack *ack)
{
    uint8_t *body = wire_message_begin(writer, WIRE_SNAPSHOT_ACK, 0, ack->group, ACK_BYTES);
    if (body == NULL)
        return false;
    put_id(body, &ack->id);
    store_u64(body + ID_BYTES, ack->run);
    store_u64(body + ID_BYTES + 8, ack->offset);
    store_u64(body + ID_BYTES + 16, ack->ahead);
    store_u64(body + ID_BYTES + 24, ack->status);
    return true;
}

enum wire_refusal wire_get_chunk_ack(const struct wire_view *view, struct wire_chunk_ack *ack)
{
    if (view->kind != WIRE_SNAPSHOT_ACK)
        return WIRE_REFUSED_MESSAGE_KIND;
    if (view->bytes < ACK_BYTES)
        return WIRE_REFUSED_MESSAGE_SHORT;
    if (view->flags != 0 || load_u32(view->body + ID_BYTES + 28) != 0)
        return WIRE_REFUSED_RESERVED;
    *ack = (struct wire_chunk_ack){
        .group = view->group,
        .run = load_u64(view->body + ID_BYTES),
        .offset = load_u64(view->body + ID_BYTES + 8),
        .ahead = load_u64(view->body + ID_BYTES + 16),
        .status = load_u32(view->body + ID_BYTES + 24),
    };
    /* what is next is not here, and only what is here can be whole */
    return view->bytes == ACK_BYTES && get_id(view->body, &ack->id) && ack->run != 0 &&
                   ack->offset <= ack->id.bytes && (ack->ahead & 1) == 0 &&
                   ack->status <= WIRE_CHUNK_REFUSED &&
                   (ack->status != WIRE_CHUNK_WHOLE || ack->offset == ack->id.bytes)
               ? WIRE_OK
               : WIRE_REFUSED_CHUNK;
}
