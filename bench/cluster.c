#include "bench/cluster.h"

#include "bench/machine.h"
#include "bench/payload.h"
#include "numa/base/bits.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_WINDOWS       4u /* windows of commands that the log holds at least */
#define LOG_BYTES_MAX     (UINT64_C(1) << 30)
#define GROUP_LOG_BYTES   (UINT64_C(16) << 20) /* each of many groups has a log of its own */
#define STATE_SLACK_BYTES (UINT64_C(16) << 20)

static_assert(CARRIER_ERROR_MAX == HOST_ERROR_MAX, "one buffer serves both");
static_assert(CARRIER_SERVERS_MAX >= OPTIONS_REPLICAS_MAX, "an endpoint for every node");

/* ---- configuration --------------------------------------------------------------------------- */

/* Makes room for what the options will store; the defaults stay where they are larger. */
static void fit_memory(struct node_config *config, const struct load_options *options)
{
    uint64_t keys = options->keys; /* of a group: chance may give one more than its share */
    uint64_t item_bytes = PAYLOAD_KEY_BYTES + options->value_bytes + 64;
    if (options->workload == WORKLOAD_APPEND)
        item_bytes += options_list_bytes(options);
    uint64_t keys_max = power_of_two_at_least(keys + keys / 2);
    config->state.keys_max =
        (uint32_t)max_u64(keys_max, 1u << 16); /* as an operator would size it */
    config->state.bytes_max =
        max_u64(config->state.bytes_max, 2 * keys * item_bytes + STATE_SLACK_BYTES);
    if (options->groups > 1)
        config->log_bytes = min_u64(config->log_bytes, GROUP_LOG_BYTES);
    uint64_t command_bytes =
        wire_entry_size(WIRE_COMMAND_BYTES + PAYLOAD_KEY_BYTES + options->value_bytes);
    uint64_t outstanding = (uint64_t)options->clients * options->window / options->groups + 1;
    uint64_t wanted = power_of_two_at_least(LOG_WINDOWS * outstanding * command_bytes);
    config->log_bytes = max_u64(config->log_bytes, min_u64(wanted, LOG_BYTES_MAX));
}

static void configure(struct node_config *config, const struct load_options *options,
                      uint32_t index, bool with_edge)
{
    node_config_defaults(config);
    config->id = (uint16_t)(index + 1);
    config->lane_count = (uint16_t)options->lanes;
    config->group_count = (uint16_t)options->groups;
    config->mtu = (uint16_t)options->mtu;
    config->heartbeat_ns = options->heartbeat_ns;
    config->election_timeout_ns = options->election_timeout_ns;
    config->election_timeout_max_ns = 2 * options->election_timeout_ns;
    config->resp = with_edge;
    config->data = options->durable ? options->data : NULL;
    fit_memory(config, options);
}

/* Its clients, and nobody else, may ask. */
static void ask_for_signatures(struct node_config *config, const struct load_options *options,
                               const struct signers *signers)
{
    config->clients.sign = true;
    config->clients.key = signers_keys(signers);
    config->clients.key_count = options->clients;
    config->clients.tables = options->clients;
}

/* ---- the load's way in ----------------------------------------------------------------------- */

static struct cluster *cluster_of(struct carrier *carrier)
{
    return (struct cluster *)carrier;
}

static uint32_t receive(struct carrier *carrier, struct frame *frames, uint32_t count,
                        uint64_t now_ns)
{
    return port_rx_burst(cluster_of(carrier)->client_queue, frames, count, now_ns);
}

static uint32_t take(struct carrier *carrier, struct frame *frames, uint32_t count)
{
    return port_tx_take(cluster_of(carrier)->client_queue, frames, count);
}

static void send_frames(struct carrier *carrier, struct frame *frames, uint32_t count,
                        uint64_t now_ns)
{
    port_tx_burst(cluster_of(carrier)->client_queue, frames, count, now_ns);
}

static void free_frames(struct carrier *carrier, const struct frame *frames, uint32_t count)
{
    port_frame_free(cluster_of(carrier)->client_queue, frames, count);
}

static void end_turn(struct carrier *carrier, uint64_t now_ns)
{
    port_tx_flush(cluster_of(carrier)->client_queue, now_ns);
    view_quiescent();
}

/* Servers may share this core. Stays online, so that a grace period never waits for long, and never
 * sleeps. */
static void rest(struct carrier *carrier, uint64_t now_ns, uint64_t wake_ns)
{
    (void)carrier;
    (void)now_ns;
    (void)wake_ns;
    (void)sched_yield();
}

static void add_lane_cycles(const struct node *node, uint64_t cycles[ROOM_COUNT])
{
    for (uint16_t lane = 0; lane < node_lane_count(node); lane++) {
        struct lane_room_meter meter[ROOM_COUNT];
        lane_rooms(node_lane(node, lane), meter);
        for (uint32_t room = 0; room < ROOM_COUNT; room++)
            cycles[room] += meter[room].cycles;
    }
}

static void add_batches(const struct node *node, uint64_t batches[LANE_BATCH_SIZES])
{
    for (uint16_t lane = 0; lane < node_lane_count(node); lane++) {
        struct lane_verify_report seen;
        lane_verify_report(node_lane(node, lane), &seen);
        for (uint32_t i = 0; i < LANE_BATCH_SIZES; i++)
            batches[i] += seen.batches[i];
    }
}

static void usage(struct carrier *carrier, struct server_usage *usage)
{
    struct cluster *cluster = cluster_of(carrier);
    (void)pthread_mutex_lock(&cluster->usage_lock);
    memcpy(usage->room_cycles, cluster->dead_cycles, sizeof usage->room_cycles);
    memset(usage->verify_batches, 0, sizeof usage->verify_batches);
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (!cluster->alive[i])
            continue;
        add_lane_cycles(cluster->node[i], usage->room_cycles);
        add_batches(cluster->node[i], usage->verify_batches);
    }
    (void)pthread_mutex_unlock(&cluster->usage_lock);
    usage->server_cpu_ns = host_server_cpu_ns(cluster->host);
    usage->now_cycles = machine_cycles();
}

static void open_carrier(struct cluster *cluster, uint16_t groups)
{
    static const struct carrier_calls calls = {
        .receive = receive,
        .take = take,
        .send = send_frames,
        .free = free_frames,
        .turn = end_turn,
        .rest = rest,
        .usage = usage,
    };
    cluster->carrier.calls = &calls;
    cluster->carrier.payload_max = port_payload_max(cluster->client_queue);
    cluster->carrier.server_count = (uint16_t)cluster->count;
    cluster->carrier.group_count = groups;
    for (uint32_t i = 0; i < cluster->count; i++) {
        for (uint16_t group = 0; group < groups; group++)
            cluster->carrier.endpoint[i][group] = node_endpoint(cluster->node[i], group);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Of logs that are made now, to remove them when all is over; others' stay. */
static void keep_paths(struct cluster *cluster, const struct node_config *config)
{
    for (uint32_t lane = 0; config->data != NULL && lane < config->lane_count; lane++) {
        char *path = cluster->log_path[cluster->log_count];
        if (node_log_path(config, lane, path, CLUSTER_PATH_MAX) && access(path, F_OK) != 0)
            cluster->log_count++;
    }
    char *path = cluster->log_path[cluster->log_count];
    if (config->data != NULL && node_identity_path(config, path, CLUSTER_PATH_MAX) &&
        access(path, F_OK) != 0)
        cluster->log_count++;
}

static bool add_nodes(struct cluster *cluster, const struct load_options *options, bool with_edges,
                      const struct signers *signers, char error[CARRIER_ERROR_MAX])
{
    for (uint32_t i = 0; i < options->replicas; i++) {
        struct node_config config;
        configure(&config, options, i, with_edges);
        if (signers != NULL)
            ask_for_signatures(&config, options, signers);
        keep_paths(cluster, &config);
        cluster->node[i] = host_node_add(cluster->host, &config, error);
        if (cluster->node[i] == NULL)
            return false;
        cluster->alive[i] = true;
        cluster->count++;
    }
    return true;
}

static void draw_placement(struct cluster *cluster)
{
    FILE *text = fmemopen(cluster->placement, sizeof cluster->placement - 1, "w");
    if (text == NULL)
        return;
    host_draw_placement(cluster->host, text);
    /* The host gives it the first of the cores on which control threads may run. */
    (void)fprintf(text, "load generator: PU %u\n", host_placement(cluster->host)->control[0]);
    (void)fclose(text);
}

bool cluster_start(struct cluster *cluster, const struct load_options *options, bool with_edges,
                   const struct signers *signers, char error[CARRIER_ERROR_MAX])
{
    memset(cluster, 0, sizeof *cluster);
    (void)pthread_mutex_init(&cluster->usage_lock, NULL);
    struct host_config config;
    host_config_defaults(&config);
    config.replicas = options->replicas;
    config.lanes = options->lanes;
    config.cuts = options->cuts;
    config.groups = options->groups;
    config.cores = options->cores;
    config.client_cores = 1;
    config.mtu = options->mtu;
    cluster->host = host_start(&config, error);
    if (cluster->host == NULL)
        return false;
    cluster->core_count = host_placement(cluster->host)->worker_count;
    bool up = add_nodes(cluster, options, with_edges, signers, error);
    if (up) {
        cluster->client_queue = host_client_port(cluster->host, error);
        up = cluster->client_queue != NULL;
    }
    up = up && host_run(cluster->host, error) &&
         host_bootstrap(cluster->host, cluster->node, cluster->count, error);
    if (!up) {
        cluster_stop(cluster);
        return false;
    }
    open_carrier(cluster, (uint16_t)options->groups);
    draw_placement(cluster);
    return true;
}

void cluster_stop(struct cluster *cluster)
{
    if (cluster->host == NULL)
        return;
    host_stop(cluster->host);
    cluster->host = NULL;
    while (cluster->log_count > 0)
        (void)unlink(cluster->log_path[--cluster->log_count]);
    (void)pthread_mutex_destroy(&cluster->usage_lock);
}

void cluster_control(struct cluster *cluster)
{
    host_control(cluster->host, CLUSTER_SLICE_NS);
}

/* ---- leaders --------------------------------------------------------------------------------- */

uint32_t cluster_leader(const struct cluster *cluster, uint16_t group)
{
    uint32_t leader = CLUSTER_NOBODY;
    uint64_t term = 0;
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct lane_group_status status;
        if (!cluster->alive[i] || !node_group_status(cluster->node[i], group, &status))
            continue;
        if (status.role == RAFT_LEADER && status.commit > 0 && status.term > term) {
            leader = i;
            term = status.term;
        }
    }
    return leader;
}

static bool all_lead(const struct cluster *cluster)
{
    for (uint16_t group = 0; group < cluster->carrier.group_count; group++) {
        if (cluster_leader(cluster, group) == CLUSTER_NOBODY)
            return false;
    }
    return true;
}

bool cluster_await_leaders(struct cluster *cluster, uint64_t limit_ns)
{
    uint64_t begin_ns = machine_now_ns();
    while (!all_lead(cluster)) {
        if (machine_now_ns() - begin_ns > limit_ns)
            return false;
        cluster_control(cluster);
    }
    return true;
}

void cluster_kill(struct cluster *cluster, uint32_t index)
{
    (void)pthread_mutex_lock(&cluster->usage_lock);
    add_lane_cycles(cluster->node[index], cluster->dead_cycles);
    cluster->alive[index] = false;
    (void)pthread_mutex_unlock(&cluster->usage_lock);
    /* Not under the lock: it waits for a grace period, and so for the client core. */
    host_node_kill(cluster->host, cluster->node[index]);
}

/* ---- agreement ------------------------------------------------------------------------------- */

enum agreement { AGREE, BEHIND, DIFFER };

static enum agreement compare_group(const struct cluster *cluster, uint16_t group)
{
    struct lane_group_status first = {0};
    bool have_first = false;
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct lane_group_status status;
        if (!cluster->alive[i])
            continue;
        if (!node_group_status(cluster->node[i], group, &status))
            return BEHIND;
        if (!have_first) {
            first = status;
            have_first = true;
        }
        if (status.applied != first.applied)
            return BEHIND;
        if (status.digest != first.digest)
            return DIFFER;
    }
    return AGREE;
}

bool cluster_settle(struct cluster *cluster, uint64_t limit_ns)
{
    uint64_t begin_ns = machine_now_ns();
    uint16_t group = 0;
    while (group < cluster->carrier.group_count) {
        enum agreement agreement = compare_group(cluster, group);
        if (agreement == DIFFER)
            return false;
        if (agreement == AGREE) {
            group++;
            continue;
        }
        if (machine_now_ns() - begin_ns > limit_ns)
            return false;
        cluster_control(cluster);
    }
    return true;
}
