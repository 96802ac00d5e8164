#include "numa/base/assert.h"
#include "protocols/wire/message.h"

static const char *const refusal_name[WIRE_REFUSAL_COUNT] = {
    [WIRE_OK] = "OK",
#define WIRE_EVENT(name, sentence) [WIRE_REFUSED_##name] = #name,
#include "protocols/wire/wire_events.def"
#undef WIRE_EVENT
};

static const char *const refusal_sentence[WIRE_REFUSAL_COUNT] = {
    [WIRE_OK] = "accepted",
#define WIRE_EVENT(name, sentence) [WIRE_REFUSED_##name] = sentence,
#include "protocols/wire/wire_events.def"
#undef WIRE_EVENT
};

const char *wire_refusal_name(enum wire_refusal refusal)
{
    ENSURE((uint32_t)refusal < WIRE_REFUSAL_COUNT);
    return refusal_name[refusal];
}

const char *wire_refusal_sentence(enum wire_refusal refusal)
{
    ENSURE((uint32_t)refusal < WIRE_REFUSAL_COUNT);
    return refusal_sentence[refusal];
}

void wire_frame_begin(struct wire_writer *writer, void *data, uint32_t capacity,
                      const struct wire_frame *frame)
{
    ENSURE(capacity >= WIRE_FRAME_BYTES);
    uint8_t *to = data;
    store_u32(to, WIRE_MAGIC);
    to[4] = WIRE_VERSION;
    to[5] = frame->lane;
    store_u16(to + 6, frame->from);
    store_u64(to + 8, frame->cluster);
    store_u64(to + 16, frame->incarnation);
    store_u64(to + 24, frame->sequence);
    store_u64(to + 32, frame->config_hash);
    *writer = (struct wire_writer){
        .data = to, .capacity = capacity, .bytes = WIRE_FRAME_BYTES, .last = WIRE_FRAME_BYTES};
}

enum wire_refusal wire_frame_decode(const void *data, uint32_t bytes, struct wire_frame *frame)
{
    const uint8_t *from = data;
    if (UNLIKELY(bytes < WIRE_FRAME_BYTES))
        return WIRE_REFUSED_SHORT_FRAME;
    if (UNLIKELY(load_u32(from) != WIRE_MAGIC))
        return WIRE_REFUSED_FOREIGN_MAGIC;
    if (UNLIKELY(from[4] != WIRE_VERSION))
        return WIRE_REFUSED_VERSION;
    *frame = (struct wire_frame){
        .from = load_u16(from + 6),
        .lane = from[5],
        .cluster = load_u64(from + 8),
        .incarnation = load_u64(from + 16),
        .sequence = load_u64(from + 24),
        .config_hash = load_u64(from + 32),
    };
    return WIRE_OK;
}

enum wire_refusal wire_message_next(const void *data, uint32_t bytes, uint32_t *offset,
                                    struct wire_view *view)
{
    ENSURE(*offset <= bytes);
    uint32_t left = bytes - *offset;
    if (left == 0) {
        *view = (struct wire_view){0};
        return WIRE_OK;
    }
    if (UNLIKELY(left < WIRE_MESSAGE_BYTES))
        return WIRE_REFUSED_MESSAGE_LENGTH;
    const uint8_t *header = (const uint8_t *)data + *offset;
    uint32_t length = load_u32(header);
    if (UNLIKELY(length < WIRE_MESSAGE_BYTES || wire_padded(length) > left))
        return WIRE_REFUSED_MESSAGE_LENGTH;
    uint8_t kind = header[4];
    if (UNLIKELY(kind == 0 || kind >= WIRE_KIND_COUNT))
        return WIRE_REFUSED_MESSAGE_KIND;
    if (UNLIKELY(load_u64(header + 8) != 0))
        return WIRE_REFUSED_RESERVED;
    *view = (struct wire_view){
        .kind = kind,
        .flags = header[5],
        .group = load_u16(header + 6),
        .bytes = length - WIRE_MESSAGE_BYTES,
        .body = header + WIRE_MESSAGE_BYTES,
    };
    *offset += (uint32_t)wire_padded(length);
    return WIRE_OK;
}
