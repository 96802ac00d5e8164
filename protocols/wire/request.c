#include "protocols/wire/fragment.h"
#include "protocols/wire/message.h"

#define REQUEST_FIXED_BYTES 24u
#define REQUEST_COUNT_AT    20u
#define ITEM_BYTES          16u /* sequence and length in front of each command */

static void write_fixed(uint8_t *body, const struct wire_request *request, uint32_t count)
{
    store_u64(body, request->client);
    store_u64(body + 8, request->session);
    store_u32(body + 16, request->route);
    store_u32(body + REQUEST_COUNT_AT, count);
}

static void write_item(uint8_t *item, uint64_t sequence, uint32_t body_bytes)
{
    store_u64(item, sequence);
    store_u32(item + 8, body_bytes);
    store_u32(item + 12, 0);
}

bool wire_put_request(struct wire_writer *writer, const struct wire_request *request)
{
    uint8_t *body =
        wire_message_begin(writer, WIRE_REQUEST, 0, request->group, REQUEST_FIXED_BYTES);
    if (body == NULL)
        return false;
    write_fixed(body, request, 0);
    return true;
}

/* Returns where the body goes. */
static uint8_t *add_item(struct wire_writer *writer, uint64_t sequence, uint32_t body_bytes)
{
    uint8_t *item = wire_message_extend(writer, ITEM_BYTES + wire_padded(body_bytes));
    if (item == NULL)
        return NULL;
    write_item(item, sequence, body_bytes);
    wire_pad(item + ITEM_BYTES, body_bytes);
    uint8_t *count = writer->data + writer->last + WIRE_MESSAGE_BYTES + REQUEST_COUNT_AT;
    store_u32(count, load_u32(count) + 1);
    return item + ITEM_BYTES;
}

bool wire_put_command(struct wire_writer *writer, uint64_t sequence,
                      const struct wire_command *command)
{
    uint8_t *body = add_item(writer, sequence, wire_command_size(command));
    if (body == NULL)
        return false;
    wire_command_encode(command, body);
    return true;
}

bool wire_put_body(struct wire_writer *writer, uint64_t sequence, const uint8_t *body,
                   uint32_t body_bytes)
{
    uint8_t *to = add_item(writer, sequence, body_bytes);
    if (to == NULL)
        return false;
    memcpy(to, body, body_bytes);
    return true;
}

void wire_request_head(uint8_t head[WIRE_REQUEST_HEAD_BYTES], const struct wire_request *request,
                       uint64_t sequence, uint32_t body_bytes)
{
    wire_message_header(head, WIRE_REQUEST, 0, request->group,
                        WIRE_REQUEST_HEAD_BYTES + wire_padded(body_bytes));
    write_fixed(head + WIRE_MESSAGE_BYTES, request, 1);
    write_item(head + WIRE_MESSAGE_BYTES + REQUEST_FIXED_BYTES, sequence, body_bytes);
}

static struct wire_request read_fixed(uint16_t group, const uint8_t *body)
{
    return (struct wire_request){
        .group = group,
        .client = load_u64(body),
        .session = load_u64(body + 8),
        .route = load_u32(body + 16),
        .count = load_u32(body + REQUEST_COUNT_AT),
    };
}

bool wire_peek_request(const struct wire_fragment *fragment, struct wire_request *request,
                       uint64_t *sequence)
{
    if (fragment->kind != WIRE_REQUEST || fragment->offset != 0 ||
        fragment->bytes < WIRE_REQUEST_HEAD_BYTES)
        return false;
    const uint8_t *body = fragment->data + WIRE_MESSAGE_BYTES;
    *request = read_fixed(fragment->group, body);
    *sequence = load_u64(body + REQUEST_FIXED_BYTES);
    return request->count == 1;
}

static bool commands_tile(const uint8_t *at, uint64_t left, uint32_t count)
{
    for (; count != 0; count--) {
        if (UNLIKELY(left < ITEM_BYTES))
            return false;
        uint32_t body_bytes = load_u32(at + 8);
        if (UNLIKELY(body_bytes < WIRE_COMMAND_BYTES || body_bytes > WIRE_BODY_BYTES_MAX))
            return false;
        uint64_t size = ITEM_BYTES + wire_padded(body_bytes);
        if (UNLIKELY(size > left))
            return false;
        at += size;
        left -= size;
    }
    return left == 0;
}

enum wire_refusal wire_get_request(const struct wire_view *view, struct wire_request *request)
{
    if (UNLIKELY(view->kind != WIRE_REQUEST))
        return WIRE_REFUSED_MESSAGE_KIND;
    if (UNLIKELY(view->bytes < REQUEST_FIXED_BYTES))
        return WIRE_REFUSED_MESSAGE_SHORT;
    *request = read_fixed(view->group, view->body);
    request->bytes = view->bytes - REQUEST_FIXED_BYTES;
    request->commands = view->body + REQUEST_FIXED_BYTES;
    return LIKELY(commands_tile(request->commands, request->bytes, request->count))
               ? WIRE_OK
               : WIRE_REFUSED_COMMAND;
}

const uint8_t *wire_next_command(const uint8_t **at, uint64_t *sequence, uint32_t *body_bytes)
{
    const uint8_t *item = *at;
    *sequence = load_u64(item);
    *body_bytes = load_u32(item + 8);
    *at = item + ITEM_BYTES + wire_padded(*body_bytes);
    return item + ITEM_BYTES;
}
