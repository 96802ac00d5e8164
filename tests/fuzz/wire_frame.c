/* Any bytes as a frame: every getter on every message. What is accepted is walked to its end,
 * touching each byte that a caller would, and encodes to the same bytes again. */
#include "protocols/wire/chunk.h"
#include "protocols/wire/fragment.h"
#include "protocols/wire/signed.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#define AGAIN_BYTES (1u << 20)

static uint64_t touched; /* keeps the reads alive */

static void touch(const uint8_t *from, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++)
        touched += from[i];
}

static void same(const struct wire_view *view, const struct wire_writer *again)
{
    const uint8_t *message = view->body - WIRE_MESSAGE_BYTES;
    ENSURE(again->bytes >= WIRE_FRAME_BYTES + WIRE_MESSAGE_BYTES + view->bytes);
    ENSURE(memcmp(message, again->data + WIRE_FRAME_BYTES, WIRE_MESSAGE_BYTES + view->bytes) == 0);
}

static void take_raft(const struct wire_view *view, struct wire_writer *writer)
{
    struct wire_raft message;
    const uint8_t *entries;
    if (wire_get_raft(view, &message, &entries) != WIRE_OK)
        return;
    const uint8_t *at = entries;
    for (uint32_t i = 0; i < message.entry_count; i++) {
        struct wire_entry entry;
        struct wire_command command;
        memcpy(&entry, at, sizeof entry);
        ENSURE(entry.index == message.index + 1 + i);
        if (wire_command_decode(at + sizeof entry, entry.body_bytes, &command) == WIRE_OK)
            touch(command.value, command.value_bytes);
        at += wire_entry_size(entry.body_bytes);
    }
    ENSURE(at == entries + message.entry_bytes);
    uint8_t *to = wire_put_raft(writer, &message);
    ENSURE(to != NULL);
    memcpy(to, entries, message.entry_bytes);
    same(view, writer);
}

static void take_request(const struct wire_view *view, struct wire_writer *writer)
{
    struct wire_request request;
    if (wire_get_request(view, &request) != WIRE_OK)
        return;
    const uint8_t *at = request.commands;
    ENSURE(wire_put_request(writer, &request));
    for (uint32_t i = 0; i < request.count; i++) {
        uint64_t sequence;
        uint32_t bytes;
        struct wire_command command;
        const uint8_t *body = wire_next_command(&at, &sequence, &bytes);
        touch(body, bytes);
        if (wire_command_decode(body, bytes, &command) == WIRE_OK)
            ENSURE(wire_put_command(writer, sequence, &command));
        else
            ENSURE(wire_put_body(writer, sequence, body, bytes));
    }
    ENSURE(at == request.commands + request.bytes);
    ENSURE(writer->bytes == WIRE_FRAME_BYTES + WIRE_MESSAGE_BYTES + view->bytes);
}

static void take_reply(const struct wire_view *view, struct wire_writer *writer)
{
    struct wire_reply reply;
    if (wire_get_reply(view, &reply) != WIRE_OK)
        return;
    const uint8_t *at = reply.results;
    ENSURE(wire_put_reply(writer, &reply));
    for (uint32_t i = 0; i < reply.count; i++) {
        uint64_t sequence;
        struct wire_result result;
        wire_next_result(&at, &sequence, &result);
        touch(result.value, result.value_bytes);
        ENSURE(wire_status_name((enum wire_status)result.status) != NULL);
        ENSURE(wire_put_result(writer, sequence, &result));
    }
    ENSURE(at == reply.results + reply.bytes);
    ENSURE(writer->bytes == WIRE_FRAME_BYTES + WIRE_MESSAGE_BYTES + view->bytes);
}

static void take_others(const struct wire_view *view)
{
    struct wire_hello hello;
    struct wire_fragment fragment;
    if (wire_get_hello(view, &hello) == WIRE_OK)
        ENSURE(hello.lane_count > 0 && hello.lane_count <= WIRE_LANES_MAX);
    if (wire_get_fragment(view, &fragment) == WIRE_OK) {
        ENSURE((uint64_t)fragment.offset + fragment.bytes <= fragment.total);
        touch(fragment.data, fragment.bytes);
    }
    struct wire_chunk chunk;
    if (view->kind == WIRE_SNAPSHOT_CHUNK && wire_get_chunk(view, &chunk) == WIRE_OK) {
        ENSURE(chunk.offset + chunk.bytes <= chunk.id.bytes && chunk.bytes <= chunk.unit);
        touch(chunk.data, chunk.bytes);
    }
    struct wire_chunk_ack ack;
    if (view->kind == WIRE_SNAPSHOT_ACK && wire_get_chunk_ack(view, &ack) == WIRE_OK)
        ENSURE(ack.offset <= ack.id.bytes && ack.status <= WIRE_CHUNK_REFUSED);
    struct wire_signed envelope;
    if (view->kind == WIRE_SIGNED && wire_get_signed(view, &envelope) == WIRE_OK) {
        touch(envelope.covered, envelope.covered_bytes);
        ENSURE(envelope.inner.body + envelope.inner.bytes <= view->body + view->bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint8_t again[AGAIN_BYTES];
    struct wire_frame frame;
    if (bytes > AGAIN_BYTES / 2 || wire_frame_decode(data, (uint32_t)bytes, &frame) != WIRE_OK)
        return 0;
    uint32_t offset = WIRE_FRAME_BYTES;
    struct wire_view view;
    while (wire_message_next(data, (uint32_t)bytes, &offset, &view) == WIRE_OK && view.kind != 0) {
        ENSURE(offset <= bytes);
        struct wire_writer writer;
        wire_frame_begin(&writer, again, sizeof again, &frame);
        ENSURE(memcmp(again, data, WIRE_FRAME_BYTES) == 0);
        take_raft(&view, &writer);
        take_request(&view, &writer);
        take_reply(&view, &writer);
        take_others(&view);
    }
    return 0;
}
