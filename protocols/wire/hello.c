#include "numa/base/assert.h"
#include "protocols/wire/message.h"

#define HELLO_FIXED_BYTES 16u
#define LANE_BYTES        4u

bool wire_put_hello(struct wire_writer *writer, const struct wire_hello *hello)
{
    ENSURE(hello->lane_count > 0 && hello->lane_count <= WIRE_LANES_MAX);
    uint8_t *body = wire_message_begin(
        writer, WIRE_HELLO, 0, 0, HELLO_FIXED_BYTES + (uint64_t)hello->lane_count * LANE_BYTES);
    if (body == NULL)
        return false;
    store_u64(body, hello->view_epoch);
    store_u32(body + 8, hello->ip);
    store_u16(body + 12, hello->lane_count);
    store_u16(body + 14, hello->level);
    uint8_t *lane = body + HELLO_FIXED_BYTES;
    for (uint32_t i = 0; i < hello->lane_count; i++, lane += LANE_BYTES) {
        store_u16(lane, hello->port[i]);
        store_u16(lane + 2, hello->source_port[i]);
    }
    return true;
}

enum wire_refusal wire_get_hello(const struct wire_view *view, struct wire_hello *hello)
{
    if (view->kind != WIRE_HELLO)
        return WIRE_REFUSED_MESSAGE_KIND;
    if (view->bytes < HELLO_FIXED_BYTES)
        return WIRE_REFUSED_MESSAGE_SHORT;
    const uint8_t *body = view->body;
    uint16_t lane_count = load_u16(body + 12);
    if (lane_count == 0 || lane_count > WIRE_LANES_MAX)
        return WIRE_REFUSED_HELLO;
    if (view->bytes < HELLO_FIXED_BYTES + lane_count * LANE_BYTES)
        return WIRE_REFUSED_MESSAGE_SHORT;
    *hello = (struct wire_hello){
        .view_epoch = load_u64(body),
        .ip = load_u32(body + 8),
        .level = body[14],
        .lane_count = lane_count,
    };
    const uint8_t *lane = body + HELLO_FIXED_BYTES;
    for (uint32_t i = 0; i < lane_count; i++, lane += LANE_BYTES) {
        hello->port[i] = load_u16(lane);
        hello->source_port[i] = load_u16(lane + 2);
        if (hello->port[i] == 0)
            return WIRE_REFUSED_HELLO;
    }
    return WIRE_OK;
}
