#include "protocols/wire/signed.h"

#include "numa/base/assert.h"
#include "protocols/wire/message.h"

#define PURPOSE    UINT64_C(0x31304e4749535251) /* "QRSIGN01" read as little-endian */
#define PURPOSE_AT WIRE_SIGNATURE_BYTES
#define CLUSTER_AT (PURPOSE_AT + 8u)
#define KEY_AT     (CLUSTER_AT + 8u)

static void describe(const uint8_t *body, uint32_t bytes, struct wire_signed *out)
{
    *out = (struct wire_signed){
        .signature = body,
        .key = body + KEY_AT,
        .covered = body + PURPOSE_AT,
        .covered_bytes = bytes - PURPOSE_AT,
        .cluster = load_u64(body + CLUSTER_AT),
    };
}

enum wire_refusal wire_get_signed(const struct wire_view *view, struct wire_signed *out)
{
    if (view->bytes < WIRE_SIGNED_FIXED + WIRE_MESSAGE_BYTES)
        return WIRE_REFUSED_MESSAGE_SHORT;
    describe(view->body, view->bytes, out);
    if (load_u64(view->body + PURPOSE_AT) != PURPOSE)
        return WIRE_REFUSED_SIGNED;
    uint32_t offset = WIRE_SIGNED_FIXED;
    enum wire_refusal refusal = wire_message_next(view->body, view->bytes, &offset, &out->inner);
    if (refusal != WIRE_OK)
        return refusal;
    if (offset != view->bytes || out->inner.kind == WIRE_SIGNED || out->inner.kind != view->flags ||
        out->inner.group != view->group)
        return WIRE_REFUSED_SIGNED;
    return WIRE_OK;
}

void wire_wrap_signed(void *frame, uint32_t *bytes, uint32_t capacity, uint64_t cluster,
                      const uint8_t key[WIRE_KEY_BYTES], uint8_t **signature,
                      struct wire_signed *out)
{
    uint8_t *header = (uint8_t *)frame + WIRE_FRAME_BYTES;
    struct wire_view inner;
    uint32_t offset = WIRE_FRAME_BYTES;
    enum wire_refusal refusal = wire_message_next(frame, *bytes, &offset, &inner);
    ENSURE(refusal == WIRE_OK && offset == *bytes && *bytes + WIRE_SIGNED_BYTES <= capacity);
    uint32_t message_bytes = *bytes - WIRE_FRAME_BYTES;
    memmove(header + WIRE_SIGNED_BYTES, header, message_bytes);
    wire_message_header(header, WIRE_SIGNED, inner.kind, inner.group,
                        WIRE_SIGNED_BYTES + message_bytes);
    uint8_t *body = header + WIRE_MESSAGE_BYTES;
    memset(body, 0, WIRE_SIGNATURE_BYTES);
    store_u64(body + PURPOSE_AT, PURPOSE);
    store_u64(body + CLUSTER_AT, cluster);
    memcpy(body + KEY_AT, key, WIRE_KEY_BYTES);
    *bytes += WIRE_SIGNED_BYTES;
    *signature = body;
    describe(body, WIRE_SIGNED_FIXED + message_bytes, out);
    offset = WIRE_SIGNED_FIXED;
    refusal = wire_message_next(body, WIRE_SIGNED_FIXED + message_bytes, &offset, &out->inner);
    ENSURE(refusal == WIRE_OK);
}
