#include "tests/sim/network.h"

#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "tests/sim/actor.h"
#include "tests/sim/node.h"
#include "tests/sim/report.h"
#include "tests/sim/witness.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ADDRESS  0x0a000001u /* 10.0.0.1 */
#define STORM_FRAMES   100000u     /* thirty times what a busy run sends */
#define BUFFERS_A_TIME 256u
#define POISON         0xdb

#define HOLDER_NOBODY    0xffffffffu /* in the pool */
#define HOLDER_IN_FLIGHT 0xfffffffeu

/* Long enough to come back from an earlier leadership, or an earlier life of the sender. */
#define STRAGGLER_NS_MAX (3 * SECOND_NS)
#define REORDER_NS_MAX   (30 * MILLISECOND_NS)

struct buffer {
    struct buffer *next;
    uint32_t holder;
    uint32_t bytes;
    uint32_t from;
    uint32_t to;
    _Alignas(CACHE_LINE_BYTES) uint8_t data[];
};

struct flight {
    uint64_t due_ns;
    uint64_t order; /* equal times: as sent */
    struct buffer *buffer;
};

struct port_queue {
    struct network *network;
    uint32_t host;
    uint32_t held; /* buffers that the lane has */
    uint32_t inbox_head;
    uint32_t inbox_tail;
    struct buffer *inbox[INBOX_FRAMES];
    uint64_t counter[PORT_EVENT_COUNT];
};

struct network {
    struct world *world;
    struct random_state random;
    uint32_t hosts;
    uint32_t payload_max;
    struct buffer *spare;
    void **block; /* of BUFFERS_A_TIME each */
    uint32_t block_count;
    struct flight *heap;
    uint32_t heap_count;
    uint32_t heap_room;
    uint64_t sent;
    uint64_t second;         /* of virtual time, and ...   */
    uint64_t sent_in_second; /* ... frames sent in it so far */
    int cut[HOSTS_MAX][HOSTS_MAX];
    struct port_queue queue[HOSTS_MAX];
};

struct network *network_open(struct world *world)
{
    struct network *network = sim_allocate(sizeof *network);
    network->world = world;
    network->hosts = world->shape.replicas + world->shape.network_actors;
    network->payload_max = world->shape.payload_max;
    random_init(&network->random, random_next(&world->random));
    for (uint32_t i = 0; i < network->hosts; i++)
        network->queue[i] = (struct port_queue){.network = network, .host = i};
    return network;
}

void network_close(struct network *network)
{
    for (uint32_t i = 0; i < network->block_count; i++)
        free(network->block[i]);
    free(network->block);
    free(network->heap);
    free(network);
}

struct port_queue *network_queue(struct network *network, uint32_t host)
{
    return &network->queue[host];
}

struct endpoint network_endpoint(uint32_t host)
{
    return (struct endpoint){.ip = FIRST_ADDRESS + host, .port = NODE_PORT};
}

/* ---- buffers --------------------------------------------------------------------------------- */

static void add_block(struct network *network)
{
    size_t stride = round_up(sizeof(struct buffer) + network->payload_max, CACHE_LINE_BYTES);
    uint8_t *block = aligned_alloc(CACHE_LINE_BYTES, BUFFERS_A_TIME * stride);
    ENSURE(block != NULL);
    network->block = sim_grow(network->block, (network->block_count + 1) * sizeof *network->block);
    network->block[network->block_count++] = block;
    for (uint32_t i = 0; i < BUFFERS_A_TIME; i++) {
        struct buffer *buffer = (void *)(block + i * stride);
        *buffer = (struct buffer){.next = network->spare, .holder = HOLDER_NOBODY};
        network->spare = buffer;
    }
}

static struct buffer *buffer_take(struct network *network, uint32_t holder)
{
    if (network->spare == NULL)
        add_block(network);
    struct buffer *buffer = network->spare;
    network->spare = buffer->next;
    buffer->holder = holder;
    buffer->bytes = 0;
    return buffer;
}

static void buffer_free(struct network *network, struct buffer *buffer)
{
    memset(buffer->data, POISON, buffer->bytes);
    buffer->holder = HOLDER_NOBODY;
    buffer->next = network->spare;
    network->spare = buffer;
}

/* ---- heap of frames under way ---------------------------------------------------------------- */

static bool earlier(const struct flight *a, const struct flight *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void heap_push(struct network *network, struct flight flight)
{
    if (network->heap_count == network->heap_room) {
        network->heap_room = network->heap_room != 0 ? 2 * network->heap_room : 1024;
        network->heap = sim_grow(network->heap, network->heap_room * sizeof *network->heap);
    }
    uint32_t at = network->heap_count++;
    for (; at != 0 && earlier(&flight, &network->heap[(at - 1) / 2]); at = (at - 1) / 2)
        network->heap[at] = network->heap[(at - 1) / 2];
    network->heap[at] = flight;
}

static struct buffer *heap_pop(struct network *network)
{
    struct flight *heap = network->heap;
    struct buffer *first = heap[0].buffer;
    struct flight last = heap[--network->heap_count];
    uint32_t at = 0, count = network->heap_count;
    for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && earlier(&heap[child + 1], &heap[child]))
            child++;
        if (!earlier(&heap[child], &last))
            break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return first;
}

/* ---- the way of a frame ---------------------------------------------------------------------- */

static uint64_t way_ns(struct network *network)
{
    uint64_t link_ns = network->world->shape.link_ns;
    uint64_t way = link_ns / 2 + random_below(&network->random, link_ns);
    if (chance(&network->random, 2)) /* a queue somewhere */
        way += random_below(&network->random, 10 * link_ns);
    return way;
}

static void fly(struct network *network, struct buffer *buffer, uint64_t after_ns)
{
    buffer->holder = HOLDER_IN_FLIGHT;
    heap_push(network, (struct flight){network->world->now_ns + after_ns, network->sent++, buffer});
}

static void duplicate(struct network *network, const struct buffer *buffer)
{
    struct world *world = network->world;
    struct buffer *copy = buffer_take(network, HOLDER_IN_FLIGHT);
    copy->bytes = buffer->bytes;
    copy->from = buffer->from;
    copy->to = buffer->to;
    memcpy(copy->data, buffer->data, buffer->bytes);
    uint64_t late_ns = chance(&network->random, 5)
                           ? random_below(&network->random, STRAGGLER_NS_MAX)
                           : random_below(&network->random, 5 * world->shape.link_ns);
    world_note(world, TRACE_DUPLICATED, buffer->from, buffer->to, 0, 0);
    fly(network, copy, way_ns(network) + late_ns);
}

/* Somebody who answers at once to whoever asks at once is a storm as soon as a frame is doubled. */
static void count_frame(struct network *network)
{
    struct world *world = network->world;
    if (network->second != world->now_ns / SECOND_NS) {
        network->second = world->now_ns / SECOND_NS;
        network->sent_in_second = 0;
    }
    if (++network->sent_in_second > STORM_FRAMES)
        report_violation(world, "storm: more than %u frames in one second", STORM_FRAMES);
}

static void send(struct network *network, struct buffer *buffer)
{
    struct world *world = network->world;
    uint32_t from = buffer->from, to = buffer->to;
    count_frame(network);
    world_note(world, TRACE_SENT, buffer->bytes, from, to, trace_hash(buffer->data, buffer->bytes));
    if (to >= network->hosts || network->cut[from][to] != 0) {
        world_note(world, TRACE_CUT_OFF, from, to, 0, 0);
        buffer_free(network, buffer);
        return;
    }
    if (faults_hits(world, FAULT_LOSS, from)) {
        world_note(world, TRACE_LOST, from, to, 0, 0);
        buffer_free(network, buffer);
        return;
    }
    if (faults_hits(world, FAULT_DUPLICATE, from))
        duplicate(network, buffer);
    uint64_t after_ns = way_ns(network);
    if (faults_hits(world, FAULT_REORDER, from)) {
        uint64_t most = chance(&network->random, 3) ? STRAGGLER_NS_MAX : REORDER_NS_MAX;
        uint64_t extra_ns = random_below(&network->random, most);
        world_note(world, TRACE_DELAYED, from, to, extra_ns / MICROSECOND_NS, 0);
        after_ns += extra_ns;
    }
    fly(network, buffer, after_ns);
}

uint64_t network_next_ns(const struct network *network)
{
    return network->heap_count != 0 ? network->heap[0].due_ns : UINT64_MAX;
}

static void deliver_to_node(struct network *network, struct buffer *buffer)
{
    struct world *world = network->world;
    struct port_queue *queue = &network->queue[buffer->to];
    struct node *node = world->node[buffer->to];
    if (node->state == NODE_DOWN || queue->inbox_tail - queue->inbox_head == INBOX_FRAMES) {
        world_note(world, TRACE_UNDELIVERED, buffer->from, buffer->to, 0, 0);
        buffer_free(network, buffer);
        return;
    }
    queue->inbox[queue->inbox_tail++ % INBOX_FRAMES] = buffer;
    node_wake(node);
}

void network_deliver(struct network *network)
{
    struct world *world = network->world;
    while (network_next_ns(network) <= world->now_ns) {
        struct buffer *buffer = heap_pop(network);
        world_note(world, TRACE_DELIVERED, buffer->bytes, buffer->from, buffer->to, 0);
        if (buffer->to < world->shape.replicas) {
            deliver_to_node(network, buffer);
            continue;
        }
        actor_receive(world->actor[buffer->to - world->shape.replicas], buffer->data,
                      buffer->bytes);
        buffer_free(network, buffer);
    }
}

void network_cut(struct network *network, uint32_t from, uint32_t to, int change)
{
    network->cut[from][to] += change;
    ENSURE(network->cut[from][to] >= 0);
}

bool network_waiting(const struct network *network, uint32_t host)
{
    return network->queue[host].inbox_head != network->queue[host].inbox_tail;
}

bool network_reset(struct network *network, uint32_t host)
{
    struct port_queue *queue = &network->queue[host];
    while (queue->inbox_head != queue->inbox_tail)
        buffer_free(network, queue->inbox[queue->inbox_head++ % INBOX_FRAMES]);
    return queue->held == 0;
}

/* ---- port.h ---------------------------------------------------------------------------------- */

static struct frame frame_of(struct network *network, struct buffer *buffer)
{
    return (struct frame){.data = buffer->data, .capacity = network->payload_max, .buffer = buffer};
}

/* Ends a lane's hold; a frame that it does not hold is a bug worth stopping for. */
static struct buffer *give_back(struct port_queue *queue, const struct frame *frame)
{
    struct buffer *buffer = frame->buffer;
    if (buffer->holder != queue->host)
        report_violation(queue->network->world, "host %u gives back a frame that it does not hold",
                         queue->host);
    ENSURE(queue->held > 0);
    queue->held--;
    return buffer;
}

uint32_t port_rx_burst(struct port_queue *queue, struct frame *frames, uint32_t count,
                       uint64_t now_ns)
{
    (void)now_ns;
    uint32_t taken = 0;
    for (; taken < count && queue->inbox_head != queue->inbox_tail; taken++) {
        struct buffer *buffer = queue->inbox[queue->inbox_head++ % INBOX_FRAMES];
        buffer->holder = queue->host;
        frames[taken] = frame_of(queue->network, buffer);
        frames[taken].bytes = buffer->bytes;
        frames[taken].peer = network_endpoint(buffer->from);
        frames[taken].peer.source_port = NODE_PORT;
    }
    queue->held += taken;
    queue->counter[PORT_RX_DELIVERED] += taken;
    return taken;
}

uint32_t port_tx_take(struct port_queue *queue, struct frame *frames, uint32_t count)
{
    uint32_t taken = 0;
    for (; taken < count && queue->held < FRAMES_HELD_MAX; taken++, queue->held++)
        frames[taken] = frame_of(queue->network, buffer_take(queue->network, queue->host));
    if (taken < count)
        queue->counter[PORT_POOL_EMPTY]++;
    return taken;
}

void port_tx_burst(struct port_queue *queue, struct frame *frames, uint32_t count, uint64_t now_ns)
{
    (void)now_ns;
    struct world *world = queue->network->world;
    for (uint32_t i = 0; i < count; i++) {
        struct buffer *buffer = give_back(queue, &frames[i]);
        ENSURE(frames[i].bytes <= queue->network->payload_max);
        buffer->bytes = frames[i].bytes;
        buffer->from = queue->host;
        buffer->to = frames[i].peer.ip - FIRST_ADDRESS;
        witness_sent(world->witness, world->node[queue->host], buffer->to, buffer->data,
                     buffer->bytes);
        send(queue->network, buffer);
    }
    queue->counter[PORT_TX_SENT] += count;
}

uint32_t port_tx_flush(struct port_queue *queue, uint64_t now_ns)
{
    (void)queue;
    (void)now_ns;
    return 0;
}

void port_frame_free(struct port_queue *queue, const struct frame *frames, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        buffer_free(queue->network, give_back(queue, &frames[i]));
}

uint32_t port_payload_max(const struct port_queue *queue)
{
    return queue->network->payload_max;
}

const uint64_t *port_counters(const struct port_queue *queue)
{
    return queue->counter;
}

const char *port_event_name(enum port_event event)
{
    static const char *const names[PORT_EVENT_COUNT] = {
#define PORT_EVENT(name, sentence) #name,
#include "dataplane/port/port_events.def"
#undef PORT_EVENT
    };
    return names[event];
}

const char *port_event_sentence(enum port_event event)
{
    static const char *const sentences[PORT_EVENT_COUNT] = {
#define PORT_EVENT(name, sentence) sentence,
#include "dataplane/port/port_events.def"
#undef PORT_EVENT
    };
    return sentences[event];
}

/* ---- clients --------------------------------------------------------------------------------- */

void network_take(struct network *network, uint32_t host, struct frame *frame)
{
    *frame = frame_of(network, buffer_take(network, host));
    network->queue[host].held++;
}

void network_send(struct network *network, uint32_t from, const struct frame *frame)
{
    struct buffer *buffer = give_back(&network->queue[from], frame);
    buffer->bytes = frame->bytes;
    buffer->from = from;
    buffer->to = frame->peer.ip - FIRST_ADDRESS;
    send(network, buffer);
}

void network_return(struct network *network, uint32_t host, const struct frame *frame)
{
    buffer_free(network, give_back(&network->queue[host], frame));
}
