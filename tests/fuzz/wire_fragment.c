/* The table of messages in pieces, under a program of choices: good pieces of known messages in any
 * order, pieces with a bit turned, pieces made of raw input, time. Whole messages of which no bad
 * piece was accepted are right, and a buffer is never in use twice. */
#include "protocols/wire/fragment.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#define MESSAGES 4u
#define BUFFERS  WIRE_ASSEMBLIES_MAX

struct message {
    uint8_t head[WIRE_REQUEST_HEAD_BYTES];
    uint8_t *body;
    uint32_t body_bytes;
    struct wire_cut cut;
};

struct world {
    struct wire_assembly_table table;
    struct message message[MESSAGES];
    uint8_t *buffer[BUFFERS]; /* NULL: not in use */
    bool tainted[BUFFERS];    /* a piece that is not of its message was accepted */
    uint64_t now_ns;
};

static uint32_t find_buffer(const struct world *world, const uint8_t *buffer)
{
    uint32_t i = 0;
    while (i < BUFFERS && world->buffer[i] != buffer)
        i++;
    ENSURE(i < BUFFERS);
    return i;
}

static void give_back(struct world *world, uint8_t *buffer)
{
    uint32_t i = find_buffer(world, buffer);
    free(buffer);
    world->buffer[i] = NULL;
}

static struct wire_assembly *find_or_open(struct world *world, uint64_t peer,
                                          const struct wire_fragment *fragment)
{
    struct wire_abandoned abandoned;
    struct wire_assembly *assembly =
        wire_assembly_find(&world->table, peer, fragment, world->now_ns);
    if (assembly != NULL)
        return assembly;
    while (wire_assembly_make_room(&world->table, peer, world->now_ns, &abandoned))
        give_back(world, abandoned.buffer);
    uint32_t i = find_buffer(world, NULL);
    world->buffer[i] = malloc(fragment->total);
    world->tainted[i] = false;
    ENSURE(world->buffer[i] != NULL);
    return wire_assembly_open(&world->table, peer, fragment, world->buffer[i], world->now_ns);
}

static void check_whole(const struct world *world, const struct wire_assembly *assembly)
{
    struct wire_view view;
    if (wire_assembly_view(assembly, &view) == WIRE_OK)
        ENSURE(view.body + view.bytes <= assembly->buffer + assembly->total);
    if (world->tainted[find_buffer(world, assembly->buffer)])
        return;
    const struct message *message = &world->message[assembly->id];
    ENSURE(assembly->total == message->cut.total);
    ENSURE(memcmp(assembly->buffer, message->head, sizeof message->head) == 0);
    ENSURE(memcmp(assembly->buffer + sizeof message->head, message->body, message->body_bytes) ==
           0);
}

static void deliver(struct world *world, uint64_t peer, const struct wire_writer *writer,
                    bool tainted)
{
    uint32_t offset = WIRE_FRAME_BYTES;
    struct wire_view view;
    struct wire_fragment fragment;
    if (wire_message_next(writer->data, writer->bytes, &offset, &view) != WIRE_OK ||
        wire_get_fragment(&view, &fragment) != WIRE_OK)
        return;
    struct wire_assembly *assembly = find_or_open(world, peer, &fragment);
    uint32_t missing_bytes = assembly->missing_bytes;
    if (wire_assembly_add(assembly, &fragment) != WIRE_OK) {
        ENSURE(assembly->missing_bytes == missing_bytes);
        return;
    }
    ENSURE(assembly->missing_bytes == missing_bytes ||
           assembly->missing_bytes == missing_bytes - fragment.bytes);
    world->tainted[find_buffer(world, assembly->buffer)] |= tainted;
    if (assembly->missing_bytes != 0)
        return;
    check_whole(world, assembly);
    uint8_t *buffer = assembly->buffer;
    wire_assembly_close(&world->table, assembly);
    give_back(world, buffer);
}

static void step(struct world *world, struct fuzz_input *input)
{
    uint8_t payload[2048];
    struct wire_writer writer;
    struct wire_frame frame = {0};
    struct wire_abandoned abandoned;
    uint8_t choice = fuzz_u8(input);
    uint64_t peer = choice >> 6;
    uint32_t got;
    wire_frame_begin(&writer, payload, sizeof payload, &frame);
    switch (choice % 4) {
    case 0:
    case 1: {
        const struct message *message = &world->message[fuzz_u8(input) % MESSAGES];
        bool put = wire_put_fragment(&writer, &message->cut, fuzz_u8(input) % message->cut.count);
        ENSURE(put);
        if (choice % 4 == 1)
            payload[WIRE_FRAME_BYTES + fuzz_u16(input) % (writer.bytes - WIRE_FRAME_BYTES)] ^=
                fuzz_u8(input);
        deliver(world, peer, &writer, choice % 4 == 1);
        break;
    }
    case 2: {
        uint32_t wanted = fuzz_u16(input) % (sizeof payload - WIRE_FRAME_BYTES);
        const uint8_t *bytes = fuzz_bytes(input, wanted, &got);
        memcpy(payload + WIRE_FRAME_BYTES, bytes, got);
        writer.bytes += got;
        deliver(world, peer, &writer, true);
        break;
    }
    default:
        world->now_ns += fuzz_u8(input);
        while (wire_assembly_expire(&world->table, world->now_ns, &abandoned))
            give_back(world, abandoned.buffer);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input input = {data, bytes};
    struct world *world = calloc(1, sizeof *world);
    ENSURE(world != NULL);
    wire_assembly_table_init(&world->table, 200);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct message *message = &world->message[i];
        struct wire_request request = {.group = (uint16_t)i, .client = i};
        message->body_bytes = 16 + i * 1700;
        message->body = malloc(message->body_bytes);
        ENSURE(message->body != NULL);
        memset(message->body, (int)i + 1, message->body_bytes);
        wire_request_head(message->head, &request, i, message->body_bytes);
        wire_cut_begin(&message->cut, i, message->head, sizeof message->head, message->body,
                       message->body_bytes, 600 + i * 100);
    }
    while (input.bytes != 0)
        step(world, &input);
    for (uint32_t i = 0; i < BUFFERS; i++)
        free(world->buffer[i]);
    for (uint32_t i = 0; i < MESSAGES; i++)
        free(world->message[i].body);
    free(world);
    return 0;
}
