/* edge.c: memory, sockets, the thread and its turns. */
#include "dataplane/edge/edge.h"

#include "dataplane/edge/internal.h"
#include "numa/base/layout.h"
#include "numa/base/random.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LISTEN_BACKLOG 1024
#define LOCAL_SLOTS    4096u /* the edge's own replies that stand behind commands under way */
#define SECOND_NS      UINT64_C(1000000000)
#define SECOND_MS      1000
#define WAKE_INDEX     (EDGE_NONE - 1) /* epoll: the wake-up; EDGE_NONE: the listening socket */
#define CHUNKS_MIN     16u
#define MACHINES_MAX   65536u /* a route's low half */

static const char *const event_name[EDGE_EVENT_COUNT] = {
#define EDGE_EVENT(name, sentence) #name,
#include "dataplane/edge/edge_events.def"
#undef EDGE_EVENT
};
static const char *const event_sentence[EDGE_EVENT_COUNT] = {
#define EDGE_EVENT(name, sentence) sentence,
#include "dataplane/edge/edge_events.def"
#undef EDGE_EVENT
};

const char *edge_event_name(enum edge_event event)
{
    return event_name[event];
}

const char *edge_event_sentence(enum edge_event event)
{
    return event_sentence[event];
}

void edge_config_defaults(struct edge_config *config)
{
    *config = (struct edge_config){
        .node = 1,
        .listen_ip = INADDR_LOOPBACK,
        .group_count = 1,
        .lane_count = 1,
        .sessions = 8, /* 8 x 256 commands: 50 connections x 32, and some */
        .connections_max = 1024,
        .chunks = 8192, /* 128 MiB of address space */
        .big_inputs = 16,
        .backlog_bytes_max = UINT64_C(64) << 20,
        .half_sent_ns = 10 * SECOND_NS,
        .unread_ns = 60 * SECOND_NS,
        .deadline_ns = 2 * SECOND_NS,
        /* Nothing is lost on a duct; what a leader took with it is asked again after this. */
        .retry_ns = 50 * 1000 * 1000,
        .retry_max_ns = 400 * 1000 * 1000,
    };
}

/* ---- memory ---------------------------------------------------------------------------------- */

struct edge_layout {
    size_t connections, orders, lists, slots, machines, clients, big_clients, pool, big_inputs,
        big_free, scratch, bytes;
    size_t client_stride, big_client_stride;
    uint32_t machine_count, slot_count;
};

static bool acceptable(const struct edge_config *config)
{
    return config->group_count >= 1 && config->group_count <= EDGE_GROUPS_MAX &&
           config->lane_count >= 1 && config->lane_count <= WIRE_LANES_MAX &&
           config->sessions >= 1 && config->sessions <= EDGE_SESSIONS_MAX &&
           config->connections_max >= 1 && config->connections_max <= EDGE_CONNECTIONS_MAX &&
           config->chunks >= CHUNKS_MIN && config->big_inputs >= 1 && config->deadline_ns > 0 &&
           (config->sessions + 1u) * config->group_count <= MACHINES_MAX;
}

static bool lay_out(const struct edge_config *config, struct edge_layout *out)
{
    if (!acceptable(config))
        return false;
    struct layout layout = {0};
    uint32_t small = config->sessions * config->group_count;
    out->machine_count = small + config->group_count;
    out->client_stride = round_up(edge_machine_footprint(config, false), CACHE_LINE_BYTES);
    out->big_client_stride = round_up(edge_machine_footprint(config, true), CACHE_LINE_BYTES);
    if (out->client_stride == 0 || out->big_client_stride == 0)
        return false;
    out->slot_count =
        small * CLIENT_WINDOW_MAX + config->group_count * EDGE_BIG_WINDOW + LOCAL_SLOTS;
    (void)layout_add(&layout, sizeof(struct edge));
    size_t connections = config->connections_max;
    out->connections = layout_add(&layout, connections * sizeof(struct edge_connection));
    out->orders =
        layout_add(&layout, connections * config->group_count * sizeof(struct edge_order));
    out->lists = layout_add(&layout, 5 * connections * sizeof(uint32_t));
    out->slots = layout_add(&layout, out->slot_count * sizeof(struct edge_slot));
    out->machines = layout_add(&layout, out->machine_count * sizeof(struct edge_machine));
    out->clients = layout_add(&layout, small * out->client_stride);
    out->big_clients = layout_add(&layout, config->group_count * out->big_client_stride);
    out->pool = layout_add(&layout, edge_pool_footprint(config->chunks));
    out->big_inputs = layout_add(&layout, (size_t)config->big_inputs * EDGE_BIG_INPUT_BYTES);
    out->big_free = layout_add(&layout, config->big_inputs * sizeof(uint32_t));
    out->scratch = layout_add(&layout, WIRE_BODY_BYTES_MAX);
    out->bytes = layout.bytes;
    return true;
}

size_t edge_footprint(const struct edge_config *config)
{
    struct edge_layout layout;
    return lay_out(config, &layout) ? layout.bytes : 0;
}

static void init_machines(struct edge *edge, uint8_t *base, const struct edge_layout *layout)
{
    struct random_state random;
    random_init(&random, edge->config.seed);
    edge->machines = (struct edge_machine *)(void *)(base + layout->machines);
    edge->machine_count = layout->machine_count;
    uint32_t per_group = edge->config.sessions + 1, small = 0, big = 0;
    for (uint32_t i = 0; i < edge->machine_count; i++) {
        bool is_big = i % per_group == edge->config.sessions;
        uint8_t *memory = is_big ? base + layout->big_clients + big++ * layout->big_client_stride
                                 : base + layout->clients + small++ * layout->client_stride;
        uint64_t name;
        do
            name = random_next(&random);
        while (name == 0);
        edge_machine_init(edge, i, memory, name, edge->now_ns);
    }
}

static void init_connections(struct edge *edge, uint8_t *base, const struct edge_layout *layout)
{
    uint32_t count = edge->config.connections_max;
    edge->connections = (struct edge_connection *)(void *)(base + layout->connections);
    struct edge_order *orders = (struct edge_order *)(void *)(base + layout->orders);
    edge->connection_free = EDGE_NONE;
    for (uint32_t i = count; i-- > 0;) {
        edge->connections[i] = (struct edge_connection){
            .fd = -1,
            .index = i,
            .next_free = edge->connection_free,
            .order = orders + (size_t)i * edge->config.group_count,
        };
        edge->connection_free = i;
    }
    uint32_t *lists = (uint32_t *)(void *)(base + layout->lists);
    edge->ready = lists;
    edge->ready_before = lists + count;
    edge->stalled = lists + 2 * (size_t)count;
    edge->dirty = lists + 3 * (size_t)count;
    edge->graves = lists + 4 * (size_t)count;
}

static void carve(struct edge *edge, const struct edge_layout *layout)
{
    uint8_t *base = (uint8_t *)edge;
    init_connections(edge, base, layout);
    init_machines(edge, base, layout);
    edge->slots = (struct edge_slot *)(void *)(base + layout->slots);
    edge->slot_free = EDGE_NONE;
    for (uint32_t i = layout->slot_count; i-- > 0;) {
        edge->slots[i] = (struct edge_slot){.next = edge->slot_free, .connection = EDGE_NONE};
        edge->slot_free = i;
    }
    edge_pool_init(&edge->pool, base + layout->pool, edge->config.chunks);
    edge->big_inputs = base + layout->big_inputs;
    edge->big_free = (uint32_t *)(void *)(base + layout->big_free);
    edge->big_free_count = edge->config.big_inputs;
    for (uint32_t i = 0; i < edge->config.big_inputs; i++)
        edge->big_free[i] = i;
    edge->scratch = base + layout->scratch;
    edge_table_init(edge);
}

/* ---- sockets --------------------------------------------------------------------------------- */

static void close_descriptor(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool watch(struct edge *edge, int fd, uint32_t index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    return epoll_ctl(edge->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_sockets(struct edge *edge)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(edge->config.listen_port),
        .sin_addr.s_addr = htonl(edge->config.listen_ip),
    };
    socklen_t bytes = sizeof address;
    int on = 1;
    edge->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    edge->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    edge->spare_fd = fcntl(edge->wake_fd, F_DUPFD_CLOEXEC, 0);
    edge->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (edge->epoll_fd < 0 || edge->spare_fd < 0 || edge->listen_fd < 0 ||
        setsockopt(edge->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(edge->listen_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(edge->listen_fd, LISTEN_BACKLOG) != 0 ||
        getsockname(edge->listen_fd, (struct sockaddr *)&address, &bytes) != 0)
        return false;
    edge->port = ntohs(address.sin_port);
    edge->accepting = true;
    return watch(edge, edge->listen_fd, EDGE_NONE) && watch(edge, edge->wake_fd, WAKE_INDEX);
}

struct edge *edge_init(void *memory, const struct edge_config *config, char error[EDGE_ERROR_MAX])
{
    struct edge_layout layout;
    ENSURE((uintptr_t)memory % CACHE_LINE_BYTES == 0);
    if (!lay_out(config, &layout)) {
        (void)snprintf(error, EDGE_ERROR_MAX,
                       "RESP edge: a size in its configuration is out of "
                       "bounds (see dataplane/edge/edge.h)");
        return NULL;
    }
    struct edge *edge = memory;
    *edge = (struct edge){
        .config = *config, .epoll_fd = -1, .listen_fd = -1, .wake_fd = -1, .spare_fd = -1};
    for (uint16_t lane = 0; lane < config->lane_count; lane++)
        ENSURE(config->duct[lane] != NULL);
    carve(edge, &layout);
    if (!open_sockets(edge)) {
        (void)snprintf(error, EDGE_ERROR_MAX,
                       "RESP edge: can not listen on port %u: %s; choose another port",
                       config->listen_port, strerrordesc_np(errno));
        edge_fini(edge);
        return NULL;
    }
    return edge;
}

void edge_fini(struct edge *edge)
{
    ENSURE(!edge->started);
    for (uint32_t i = 0; i < edge->config.connections_max; i++)
        if (edge->connections[i].fd >= 0)
            edge_connection_kill(edge, &edge->connections[i]);
    edge_carrier_fini(edge);
    close_descriptor(&edge->listen_fd);
    close_descriptor(&edge->wake_fd);
    close_descriptor(&edge->spare_fd);
    close_descriptor(&edge->epoll_fd);
}

/* ---- turns ----------------------------------------------------------------------------------- */

void edge_wait(struct edge *edge, int wait_ms)
{
    bool busy = edge->waiting != 0 || edge->ready_count != 0 || edge->wake_stalled;
    int count = epoll_wait(edge->epoll_fd, edge->events, EDGE_EVENTS_PER_TURN, busy ? 0 : wait_ms);
    edge->event_count = count > 0 ? (uint32_t)count : 0;
}

static uint32_t handle_events(struct edge *edge)
{
    for (uint32_t i = 0; i < edge->event_count; i++) {
        uint32_t index = edge->events[i].data.u32;
        uint64_t ignored;
        if (index == EDGE_NONE)
            edge_accept(edge);
        else if (index == WAKE_INDEX)
            (void)!read(edge->wake_fd, &ignored, sizeof ignored);
        else
            edge_connection_event(edge, &edge->connections[index], edge->events[i].events);
    }
    uint32_t count = edge->event_count;
    edge->event_count = 0;
    return count;
}

static uint32_t run_ready(struct edge *edge)
{
    uint32_t *list = edge->ready, count = edge->ready_count;
    edge->ready = edge->ready_before; /* those that are not through go to the next turn */
    edge->ready_before = list;
    edge->ready_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct edge_connection *connection = &edge->connections[list[i]];
        connection->listed = LIST_NONE;
        if (!connection->dead)
            edge_connection_run(edge, connection);
    }
    return count;
}

/* In the order in which they came to wait. */
static void wake_stalled(struct edge *edge)
{
    uint32_t count = edge->stalled_count;
    edge->stalled_count = 0;
    edge->wake_stalled = false;
    for (uint32_t i = 0; i < count; i++) {
        struct edge_connection *connection = &edge->connections[edge->stalled[i]];
        connection->listed = LIST_NONE;
        edge_connection_list(edge, connection, LIST_READY);
    }
}

static void flush_dirty(struct edge *edge)
{
    for (uint32_t i = 0; i < edge->dirty_count; i++) {
        struct edge_connection *connection = &edge->connections[edge->dirty[i]];
        connection->dirty = false;
        edge_connection_flush(edge, connection);
    }
    edge->dirty_count = 0;
}

uint32_t edge_poll(struct edge *edge, uint64_t now_ns)
{
    edge->now_ns = now_ns;
    uint32_t work = handle_events(edge);
    if (now_ns - edge->second_ns >= SECOND_NS) {
        edge->second_ns = now_ns;
        edge_connections_second(edge);
    }
    if (edge->wake_stalled)
        wake_stalled(edge);
    work += run_ready(edge);
    if (edge->waiting != 0) {
        work += edge_carrier_send(edge);
        work += edge_carrier_receive(edge);
    }
    flush_dirty(edge);
    edge_connections_bury(edge);
    return work;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static void *edge_thread(void *argument)
{
    struct edge *edge = argument;
    clockid_t clock;
    if (pthread_getcpuclockid(pthread_self(), &clock) == 0)
        __atomic_store_n(&edge->thread_clock, clock, __ATOMIC_RELAXED);
    while (__atomic_load_n(&edge->stop, __ATOMIC_ACQUIRE) == 0) {
        edge_wait(edge, SECOND_MS);
        if (edge_poll(edge, clock_ns(CLOCK_MONOTONIC)) == 0 && edge->waiting != 0)
            sched_yield(); /* whoever shall answer may need this very core */
    }
    __atomic_store_n(&edge->thread_clock, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&edge->cpu_ns_ended, edge->cpu_ns_ended + clock_ns(CLOCK_THREAD_CPUTIME_ID),
                     __ATOMIC_RELAXED);
    return NULL;
}

bool edge_start(struct edge *edge, char error[EDGE_ERROR_MAX])
{
    ENSURE(!edge->started);
    edge->stop = 0;
    int failed = pthread_create(&edge->thread, NULL, edge_thread, edge);
    if (failed != 0) {
        (void)snprintf(error, EDGE_ERROR_MAX, "RESP edge: no thread: %s", strerrordesc_np(failed));
        return false;
    }
    (void)pthread_setname_np(edge->thread, "resp-edge");
    edge->started = true;
    return true;
}

void edge_stop(struct edge *edge)
{
    if (!edge->started)
        return;
    __atomic_store_n(&edge->stop, 1, __ATOMIC_RELEASE);
    uint64_t one = 1;
    (void)!write(edge->wake_fd, &one, sizeof one);
    ENSURE(pthread_join(edge->thread, NULL) == 0);
    edge->started = false;
}

/* ---- looks ----------------------------------------------------------------------------------- */

uint16_t edge_port(const struct edge *edge)
{
    return edge->port;
}

uint64_t edge_cpu_ns(const struct edge *edge)
{
    clockid_t clock = __atomic_load_n(&edge->thread_clock, __ATOMIC_RELAXED);
    uint64_t ended_ns = __atomic_load_n(&edge->cpu_ns_ended, __ATOMIC_RELAXED);
    return ended_ns + (clock == 0 ? 0 : clock_ns(clock));
}

const uint64_t *edge_counters(const struct edge *edge)
{
    return edge->counter;
}

void edge_client_counters(const struct edge *edge, uint64_t counters[CLIENT_EVENT_COUNT])
{
    memset(counters, 0, CLIENT_EVENT_COUNT * sizeof counters[0]);
    for (uint32_t i = 0; i < edge->machine_count; i++) {
        const uint64_t *of_machine = client_counters(edge->machines[i].client);
        for (uint32_t e = 0; e < CLIENT_EVENT_COUNT; e++)
            counters[e] += of_machine[e];
    }
}
