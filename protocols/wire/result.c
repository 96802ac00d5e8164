#include "numa/base/assert.h"
#include "protocols/wire/fragment.h"
#include "protocols/wire/message.h"

#define REPLY_FIXED_BYTES 32u
#define REPLY_COUNT_AT    20u
#define REPLY_LEADER_AT   30u
#define ITEM_BYTES        24u /* sequence and result header in front of each value */

static const char *const status_name[WIRE_STATUS_COUNT] = {
    [WIRE_DONE] = "DONE",
    [WIRE_NOT_LEADER] = "NOT_LEADER",
    [WIRE_BUSY] = "BUSY",
    [WIRE_OUT_OF_ORDER] = "OUT_OF_ORDER",
    [WIRE_SESSION_EXPIRED] = "SESSION_EXPIRED",
    [WIRE_REPLY_GONE] = "REPLY_GONE",
    [WIRE_TOO_BIG] = "TOO_BIG",
    [WIRE_BAD_COMMAND] = "BAD_COMMAND",
    [WIRE_NO_SPACE] = "NO_SPACE",
    [WIRE_WRONG_TYPE] = "WRONG_TYPE",
    [WIRE_UNAUTHORIZED] = "UNAUTHORIZED",
};

const char *wire_status_name(enum wire_status status)
{
    ENSURE((uint32_t)status < WIRE_STATUS_COUNT);
    return status_name[status];
}

static void write_fixed(uint8_t *body, const struct wire_reply *reply, uint32_t count)
{
    store_u64(body, reply->client);
    store_u64(body + 8, reply->session);
    store_u32(body + 16, reply->route);
    store_u32(body + REPLY_COUNT_AT, count);
    store_u32(body + 24, reply->leader_ip);
    store_u16(body + 28, reply->leader_port);
    store_u16(body + REPLY_LEADER_AT, reply->leader);
}

static void write_item(uint8_t *item, uint64_t sequence, const struct wire_result *result)
{
    store_u64(item, sequence);
    item[8] = result->status;
    item[9] = result->type;
    store_u16(item + 10, 0);
    store_u32(item + 12, result->value_bytes);
    store_u64(item + 16, (uint64_t)result->integer);
}

bool wire_put_reply(struct wire_writer *writer, const struct wire_reply *reply)
{
    uint8_t *body = wire_message_begin(writer, WIRE_REPLY, 0, reply->group, REPLY_FIXED_BYTES);
    if (body == NULL)
        return false;
    write_fixed(body, reply, 0);
    return true;
}

bool wire_put_result(struct wire_writer *writer, uint64_t sequence,
                     const struct wire_result *result)
{
    uint8_t *item = wire_message_extend(writer, ITEM_BYTES + wire_padded(result->value_bytes));
    if (item == NULL)
        return false;
    write_item(item, sequence, result);
    wire_pad(item + ITEM_BYTES, result->value_bytes);
    wire_copy(item + ITEM_BYTES, result->value, result->value_bytes);
    uint8_t *count = writer->data + writer->last + WIRE_MESSAGE_BYTES + REPLY_COUNT_AT;
    store_u32(count, load_u32(count) + 1);
    return true;
}

void wire_reply_head(uint8_t head[WIRE_REPLY_HEAD_BYTES], const struct wire_reply *reply,
                     uint64_t sequence, const struct wire_result *result)
{
    wire_message_header(head, WIRE_REPLY, 0, reply->group,
                        WIRE_REPLY_HEAD_BYTES + wire_padded(result->value_bytes));
    write_fixed(head + WIRE_MESSAGE_BYTES, reply, 1);
    write_item(head + WIRE_MESSAGE_BYTES + REPLY_FIXED_BYTES, sequence, result);
}

static bool results_tile(const uint8_t *at, uint64_t left, uint32_t count)
{
    for (; count != 0; count--) {
        if (UNLIKELY(left < ITEM_BYTES))
            return false;
        uint64_t size = ITEM_BYTES + wire_padded(load_u32(at + 12));
        if (UNLIKELY(size > left || at[8] >= WIRE_STATUS_COUNT || at[9] > WIRE_STATUS_OK))
            return false;
        at += size;
        left -= size;
    }
    return left == 0;
}

enum wire_refusal wire_get_reply(const struct wire_view *view, struct wire_reply *reply)
{
    if (UNLIKELY(view->kind != WIRE_REPLY))
        return WIRE_REFUSED_MESSAGE_KIND;
    if (UNLIKELY(view->bytes < REPLY_FIXED_BYTES))
        return WIRE_REFUSED_MESSAGE_SHORT;
    const uint8_t *body = view->body;
    *reply = (struct wire_reply){
        .group = view->group,
        .leader = load_u16(body + REPLY_LEADER_AT),
        .leader_port = load_u16(body + 28),
        .leader_ip = load_u32(body + 24),
        .client = load_u64(body),
        .session = load_u64(body + 8),
        .route = load_u32(body + 16),
        .count = load_u32(body + REPLY_COUNT_AT),
        .bytes = view->bytes - REPLY_FIXED_BYTES,
        .results = body + REPLY_FIXED_BYTES,
    };
    return LIKELY(results_tile(reply->results, reply->bytes, reply->count)) ? WIRE_OK
                                                                            : WIRE_REFUSED_RESULTS;
}

void wire_next_result(const uint8_t **at, uint64_t *sequence, struct wire_result *result)
{
    const uint8_t *item = *at;
    *sequence = load_u64(item);
    *result = (struct wire_result){
        .status = item[8],
        .type = item[9],
        .value_bytes = load_u32(item + 12),
        .integer = (int64_t)load_u64(item + 16),
        .value = item + ITEM_BYTES,
    };
    *at = item + ITEM_BYTES + wire_padded(result->value_bytes);
}

void wire_rename_leader(uint8_t *reply_body, uint16_t leader)
{
    store_u16(reply_body + REPLY_LEADER_AT, leader);
}
