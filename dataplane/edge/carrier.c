/* carrier.c: the sessions' frames, out over the ducts and back. */
#include "dataplane/edge/internal.h"
#include "protocols/wire/fragment.h"

#define BURSTS_PER_TURN 8u /* of one lane, before the sockets get their turn */

static struct client_config machine_config(const struct edge_config *config, bool big)
{
    return (struct client_config){
        .client = 1, /* replaced before use; never 0 */
        .target_count = 1,
        .target = {config->node},
        .window = big ? EDGE_BIG_WINDOW : CLIENT_WINDOW_MAX,
        .command_bytes_max = big ? WIRE_BODY_BYTES_MAX : EDGE_SMALL_BYTES_MAX,
        .reply_bytes_max = EDGE_REPLY_BYTES_MAX,
        .retry_ns = config->retry_ns,
        .retry_max_ns = config->retry_max_ns,
        .deadline_ns = config->deadline_ns,
        .fixed_target = true,
    };
}

size_t edge_machine_footprint(const struct edge_config *config, bool big)
{
    struct client_config machine = machine_config(config, big);
    return client_footprint(&machine);
}

void edge_machine_init(struct edge *edge, uint32_t index, void *memory, uint64_t name,
                       uint64_t now_ns)
{
    struct edge_machine *machine = &edge->machines[index];
    uint32_t per_group = edge->config.sessions + 1;
    uint16_t group = (uint16_t)(index / per_group);
    uint16_t lane = (uint16_t)(group % edge->config.lane_count);
    struct client_config config =
        machine_config(&edge->config, index % per_group == edge->config.sessions);
    config.client = name;
    config.seed = name;
    config.group = group;
    config.route = edge->config.route[lane] | index;
    *machine = (struct edge_machine){.name = name, .group = group, .lane = lane};
    machine->client = client_init(memory, &config, now_ns);
    ENSURE(machine->client != NULL);
}

/* ---- out ------------------------------------------------------------------------------------- */

/* An empty frame of this lane's duct; NULL: the lane has not caught up. It stays the edge's until
 * it is sent. */
static struct frame *spare_frame(struct edge *edge, uint16_t lane)
{
    struct frame *spare = edge->spare[lane];
    if (edge->spare_count[lane] == 0)
        edge->spare_count[lane] =
            duct_take(edge->config.duct[lane], DUCT_EDGE, spare, EDGE_FRAMES_PER_BURST);
    return edge->spare_count[lane] == 0 ? NULL : &spare[edge->spare_count[lane] - 1];
}

/* False: no frame left. */
static bool machine_send(struct edge *edge, struct edge_machine *machine, uint32_t *frames)
{
    struct frame *frame;
    while ((frame = spare_frame(edge, machine->lane)) != NULL) {
        uint16_t target;
        if (!client_emit(machine->client, frame->data, frame->capacity, edge->now_ns, &frame->bytes,
                         &target))
            return true;
        duct_send(edge->config.duct[machine->lane], DUCT_EDGE, frame, 1);
        edge->spare_count[machine->lane]--;
        ++*frames;
    }
    return false;
}

static void complete(struct edge *edge, struct edge_machine *machine, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        edge_completed(edge, machine, &edge->completions[i]);
}

uint32_t edge_carrier_send(struct edge *edge)
{
    uint32_t work = 0;
    for (uint32_t i = 0; i < edge->machine_count; i++) {
        struct edge_machine *machine = &edge->machines[i];
        if (machine->waiting == 0)
            continue;
        bool due = client_wake_ns(machine->client) <= edge->now_ns;
        if (due) {
            uint32_t count =
                client_tick(machine->client, edge->now_ns, edge->completions, CLIENT_WINDOW_MAX);
            complete(edge, machine, count);
            work += count;
        }
        if (due || machine->dirty)
            machine->dirty = !machine_send(edge, machine, &work);
    }
    return work;
}

/* ---- back ------------------------------------------------------------------------------------ */

/* The requests' route came back: its low half is the machine's index, in a fragment it is the upper
 * half of the id. */
static struct edge_machine *machine_of(struct edge *edge, const struct wire_view *view)
{
    uint32_t route;
    if (view->kind == WIRE_FRAGMENT) {
        struct wire_fragment fragment;
        if (wire_get_fragment(view, &fragment) != WIRE_OK)
            return NULL;
        route = (uint32_t)(fragment.id >> 32);
    } else {
        struct wire_reply reply;
        if (wire_get_reply(view, &reply) != WIRE_OK)
            return NULL;
        route = reply.route;
    }
    uint32_t index = route & 0xffff;
    return index < edge->machine_count ? &edge->machines[index] : NULL;
}

static void receive_frame(struct edge *edge, const struct frame *frame)
{
    struct wire_frame header;
    struct wire_view view;
    uint32_t offset = WIRE_FRAME_BYTES;
    if (wire_frame_decode(frame->data, frame->bytes, &header) != WIRE_OK) {
        edge_count(edge, EDGE_BAD_FRAME);
        return;
    }
    for (;;) {
        if (wire_message_next(frame->data, frame->bytes, &offset, &view) != WIRE_OK) {
            edge_count(edge, EDGE_BAD_FRAME);
            return;
        }
        if (view.kind == 0)
            return;
        struct edge_machine *machine = machine_of(edge, &view);
        if (machine == NULL) {
            edge_count(edge, EDGE_STRANGE_REPLY);
            continue;
        }
        machine->dirty = true; /* an answer may open the session or ask for a retry */
        complete(edge, machine,
                 client_receive(machine->client, &view, edge->now_ns, edge->completions,
                                CLIENT_WINDOW_MAX));
    }
}

static uint32_t receive_burst(struct edge *edge, struct duct *duct)
{
    struct frame frames[EDGE_FRAMES_PER_BURST];
    uint32_t count = duct_receive(duct, DUCT_EDGE, frames, EDGE_FRAMES_PER_BURST);
    for (uint32_t i = 0; i < count; i++)
        receive_frame(edge, &frames[i]);
    if (count != 0)
        duct_free(duct, DUCT_EDGE, frames, count);
    return count;
}

uint32_t edge_carrier_receive(struct edge *edge)
{
    uint32_t work = 0;
    for (uint16_t lane = 0; lane < edge->config.lane_count; lane++) {
        uint32_t count = EDGE_FRAMES_PER_BURST;
        for (uint32_t i = 0; i < BURSTS_PER_TURN && count == EDGE_FRAMES_PER_BURST; i++) {
            count = receive_burst(edge, edge->config.duct[lane]);
            work += count;
        }
    }
    return work;
}

void edge_carrier_fini(struct edge *edge)
{
    for (uint16_t lane = 0; lane < edge->config.lane_count; lane++) {
        duct_free(edge->config.duct[lane], DUCT_EDGE, edge->spare[lane], edge->spare_count[lane]);
        edge->spare_count[lane] = 0;
    }
}
