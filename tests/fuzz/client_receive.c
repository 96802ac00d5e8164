/* The client machine under a program of choices: submissions, frames that leave, answers to what
 * was sent, answers of raw input, time. Each command completes once; what is counted adds up; an
 * outstanding command has a wake time. */
#include "protocols/client/client.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#define COOKIES_MAX 4096u
#define SENT_MAX    512u

struct world {
    client *client;
    uint64_t now_ns;
    uint32_t submitted;
    uint32_t completed;
    bool done[COOKIES_MAX];
    uint64_t sent_sequence[SENT_MAX]; /* a ring of what left lately */
    uint64_t sent_session[SENT_MAX];
    uint32_t sent;
};

static void take_completions(struct world *world, const struct client_completion *completions,
                             uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t cookie = completions[i].cookie;
        ENSURE(cookie < world->submitted && !world->done[cookie]);
        ENSURE(completions[i].outcome != CLIENT_UNCERTAIN || completions[i].attempts != 0);
        world->done[cookie] = true;
        world->completed++;
    }
    ENSURE(client_outstanding(world->client) == world->submitted - world->completed);
}

static void submit(struct world *world, struct fuzz_input *input)
{
    static const uint8_t ops[] = {WIRE_OP_SET, WIRE_OP_GET, WIRE_OP_SIZE, WIRE_OP_INCRBY};
    static const uint8_t value[3000];
    struct wire_command command = {
        .op = ops[fuzz_u8(input) % COUNT_OF(ops)], .key = value, .value = value};
    command.key_bytes = command.op != WIRE_OP_SIZE;
    command.value_bytes = command.op == WIRE_OP_SET ? fuzz_u8(input) * 12u : 0;
    if (world->submitted == COOKIES_MAX)
        return;
    bool room = client_room(world->client) != 0;
    bool taken = client_submit(world->client, &command, world->submitted, world->now_ns);
    ENSURE(taken || !room || wire_command_size(&command) > 2000);
    world->submitted += taken;
}

static void remember(struct world *world, const uint8_t *payload, uint32_t bytes)
{
    uint32_t offset = WIRE_FRAME_BYTES;
    struct wire_view view;
    struct wire_request request;
    enum wire_refusal refusal;
    while ((refusal = wire_message_next(payload, bytes, &offset, &view)) == WIRE_OK &&
           view.kind != 0) {
        if (wire_get_request(&view, &request) != WIRE_OK)
            continue;
        const uint8_t *at = request.commands;
        for (uint32_t i = 0; i < request.count; i++) {
            uint32_t body_bytes;
            struct wire_command command;
            const uint8_t *body =
                wire_next_command(&at, &world->sent_sequence[world->sent % SENT_MAX], &body_bytes);
            world->sent_session[world->sent++ % SENT_MAX] = request.session;
            ENSURE(wire_command_decode(body, body_bytes, &command) == WIRE_OK);
        }
    }
    ENSURE(refusal == WIRE_OK);
}

static void emit(struct world *world)
{
    uint8_t payload[800];
    uint32_t bytes;
    uint16_t target;
    while (client_emit(world->client, payload, sizeof payload, world->now_ns, &bytes, &target)) {
        ENSURE(target >= 1 && target <= 3 && bytes <= sizeof payload);
        remember(world, payload, bytes);
    }
    ENSURE(client_outstanding(world->client) == 0 || client_wake_ns(world->client) != UINT64_MAX);
}

static void receive(struct world *world, const uint8_t *payload, uint32_t bytes)
{
    static struct client_completion completions[CLIENT_WINDOW_MAX];
    uint32_t offset = WIRE_FRAME_BYTES;
    struct wire_view view;
    while (wire_message_next(payload, bytes, &offset, &view) == WIRE_OK && view.kind != 0)
        take_completions(
            world, completions,
            client_receive(world->client, &view, world->now_ns, completions, CLIENT_WINDOW_MAX));
}

/* One or two results, for commands that were sent or nearly so. */
static void answer(struct world *world, struct fuzz_input *input)
{
    uint8_t payload[400];
    struct wire_writer writer;
    struct wire_frame frame = {0};
    wire_frame_begin(&writer, payload, sizeof payload, &frame);
    for (uint32_t messages = 0; messages < 2; messages++) {
        uint32_t back = fuzz_u8(input) % SENT_MAX;
        uint32_t which = (world->sent - 1 - back) % SENT_MAX;
        uint8_t choice = fuzz_u8(input);
        struct wire_reply reply = {
            .client = 1, .leader = choice >> 6, .session = world->sent_session[which]};
        struct wire_result result = {.status = choice % WIRE_STATUS_COUNT, .type = WIRE_INTEGER};
        result.integer = fuzz_u8(input);
        bool put =
            wire_put_reply(&writer, &reply) &&
            wire_put_result(&writer, world->sent_sequence[which] + (fuzz_u8(input) == 1), &result);
        ENSURE(put);
    }
    receive(world, payload, writer.bytes);
}

static void raw(struct world *world, struct fuzz_input *input)
{
    uint8_t payload[2000];
    struct wire_writer writer;
    struct wire_frame frame = {0};
    wire_frame_begin(&writer, payload, sizeof payload, &frame);
    uint32_t got;
    const uint8_t *bytes =
        fuzz_bytes(input, fuzz_u16(input) % (sizeof payload - WIRE_FRAME_BYTES), &got);
    memcpy(payload + WIRE_FRAME_BYTES, bytes, got);
    receive(world, payload, WIRE_FRAME_BYTES + got);
}

static void pass_time(struct world *world, struct fuzz_input *input)
{
    static struct client_completion completions[CLIENT_WINDOW_MAX];
    world->now_ns += fuzz_u16(input);
    uint64_t wake_ns = client_wake_ns(world->client);
    if (fuzz_u8(input) % 2 == 1 && wake_ns != UINT64_MAX)
        world->now_ns = max_u64(world->now_ns, wake_ns);
    take_completions(world, completions,
                     client_tick(world->client, world->now_ns, completions, CLIENT_WINDOW_MAX));
}

static void step(struct world *world, struct fuzz_input *input)
{
    switch (fuzz_u8(input) % 8) {
    case 0:
    case 1:
        submit(world, input);
        break;
    case 2:
    case 3:
        emit(world);
        break;
    case 4:
    case 5:
        answer(world, input);
        break;
    case 6:
        raw(world, input);
        break;
    default:
        pass_time(world, input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input input = {data, bytes};
    uint8_t first = fuzz_u8(&input);
    struct client_config config = {
        .client = 1,
        .seed = 1,
        .target_count = 3,
        .target = {1, 2, 3},
        .window = first % 2 == 0 ? 8 : CLIENT_WINDOW_MAX,
        .command_bytes_max = 2000,
        .reply_bytes_max = first % 4 == 0 ? 0 : 4096,
        .retry_ns = 1000,
        .retry_max_ns = 20000,
        .deadline_ns = 200000,
        .fixed_target = first % 8 == 0,
    };
    struct world *world = calloc(1, sizeof *world);
    void *memory =
        aligned_alloc(CACHE_LINE_BYTES, round_up(client_footprint(&config), CACHE_LINE_BYTES));
    ENSURE(world != NULL && memory != NULL);
    world->client = client_init(memory, &config, 0);
    while (input.bytes != 0)
        step(world, &input);
    /* Time alone ends everything. */
    static struct client_completion completions[CLIENT_WINDOW_MAX];
    world->now_ns += config.deadline_ns;
    take_completions(world, completions,
                     client_tick(world->client, world->now_ns, completions, CLIENT_WINDOW_MAX));
    ENSURE(client_outstanding(world->client) == 0);
    free(memory);
    free(world);
    return 0;
}
