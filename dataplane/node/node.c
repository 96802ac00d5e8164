/* node.c: a node's memory, port, lanes and edge: made, seated on its cores, taken away again. */
#include "dataplane/node/internal.h"

#include "dataplane/edge/keyslot.h"
#include "dataplane/keeper/keeper.h"
#include "dataplane/log/wal.h"

#include <stdlib.h>
#include <string.h>

static bool reserve(struct node *node, struct region *region, size_t bytes, uint32_t memory_node,
                    char *error)
{
    region->memory = memory_reserve(bytes, memory_node, &node->host->topology, NULL);
    if (region->memory == NULL) {
        (void)snprintf(error, HOST_ERROR_MAX,
                       "%zu MiB of address space could not be reserved; lower log or state sizes",
                       bytes >> 20);
        return false;
    }
    region->bytes = bytes;
    return true;
}

static const struct placement_lane *planned(const struct node *node, uint32_t lane)
{
    const struct placement *plan = &node->host->placement;
    return &plan->lanes[node->replica * plan->lanes_per_replica + lane];
}

static bool open_port(struct node *node, char *error)
{
    const struct node_config *config = &node->config;
    struct port_config port;
    port_config_defaults(&port);
    port.name = config->port_name;
    port.wire = strcmp(config->port_name, "ring") == 0 ? node->host->wire : NULL;
    port.ip = config->ip;
    port.gateway_ip = config->gateway_ip;
    port.prefix_bits = config->prefix_bits;
    port.udp_port = config->udp_port;
    port.lane_count = config->lane_count;
    port.mtu = config->mtu;
    port.link_wait_ms = 5000;
    port.capture_path = config->capture_path;
    node->port = port_open(&port, error);
    if (node->port == NULL)
        return false;
    struct port_report report;
    port_report(node->port, &report);
    return node_mtu_check(config->port_name, report.mtu, error);
}

static struct lane_config lane_config_of(const struct node *node, uint32_t i)
{
    const struct node_config *config = &node->config;
    struct lane_config lane = {
        .self = config->id,
        .index = (uint8_t)i,
        .lane_count = (uint8_t)config->lane_count,
        .group_count = config->group_count,
        .incarnation = node->incarnation,
        .seed = config->seed != 0 ? config->seed : host_random(),
        .heartbeat_ns = config->heartbeat_ns,
        .election_timeout_ns = config->election_timeout_ns,
        .election_timeout_max_ns = config->election_timeout_max_ns,
        .write_age_max_ns = config->write_age_max_ns,
        .priority = config->priority,
        .handover_ns = config->handover_ns,
        .strict = config->strict_restart,
        .drift_ppm = 500,
        .lease_reads = config->lease_reads,
        .log_bytes = config->log_bytes,
        .entries_max = (uint32_t)power_of_two_at_least(config->log_bytes / NODE_ENTRY_BYTES),
        .state = config->state,
        .time_jump_max_ms = 5000,
        .voters_max = config->voters,
        .view = node->view_cell,
        .queue = port_queue_of(node->port, i),
        .storage = node->lane[i].storage,
        .recover_state = keeper_load,
        .recover_state_domain = node->keeper,
    };
    if (config->data != NULL) {
        lane.recover = wal_recover;
        lane.recover_entry = wal_recover_entry;
        lane.recover_domain = node->lane[i].storage;
    }
    if (config->resp) {
        lane.duct[0] = node->lane[i].duct;
        lane.duct_count = 1;
    }
    return lane;
}

static bool make_lane(struct node *node, uint32_t i, char *error)
{
    struct node_lane *lane = &node->lane[i];
    struct lane_config config;
    uint32_t payload = port_payload_max(port_queue_of(node->port, i));
    size_t duct_bytes = round_up(duct_footprint(DUCT_FRAMES, payload), CACHE_LINE_BYTES);
    size_t storage_bytes = node_storage_footprint(node, i);
    struct lane_clients clients;
    if (!node_verify_furnish(node, planned(node, i)->memory_node, &clients, error))
        return false;
    lane->storage = (void *)1; /* any: the footprint does not depend on it */
    config = lane_config_of(node, i);
    config.clients = clients;
    size_t steady, lane_bytes = lane_footprint(&config, &steady);
    lane->storage = NULL;
    ENSURE(lane_bytes != 0); /* node_config_check and node_mtu_check have been asked */
    if (storage_bytes == 0) {
        (void)snprintf(error, HOST_ERROR_MAX, "lane %u: no storage of this size", i);
        return false;
    }
    if (!reserve(node, &lane->region, duct_bytes + storage_bytes + lane_bytes,
                 planned(node, i)->memory_node, error))
        return false;
    uint8_t *memory = lane->region.memory;
    if (!memory_populate(memory, duct_bytes + storage_bytes + steady)) {
        (void)snprintf(error, HOST_ERROR_MAX,
                       "%zu MiB of memory are not to be had; lower the log's size", steady >> 20);
        return false;
    }
    lane->duct = duct_init(memory, DUCT_FRAMES, payload);
    lane->storage = node_storage_open(node, i, memory + duct_bytes, error);
    if (lane->storage == NULL)
        return false;
    config = lane_config_of(node, i);
    config.clients = clients;
    lane->lane = lane_init(memory + duct_bytes + storage_bytes, &config);
    return node_recover(node, i, error);
}

static bool make_edge(struct node *node, char *error)
{
    const struct node_config *config = &node->config;
    struct edge_config edge;
    edge_config_defaults(&edge);
    edge.node = config->id;
    edge.listen_ip = config->resp_ip;
    edge.listen_port = config->resp_port;
    edge.group_count = config->group_count;
    edge.lane_count = config->lane_count;
    for (uint32_t i = 0; i < config->lane_count; i++)
        edge.duct[i] = node->lane[i].duct; /* duct 0 of each lane: route 0 */
    edge.seed = host_random();
    edge.answer = node_answer;
    edge.answer_context = node;
    size_t bytes = edge_footprint(&edge);
    if (bytes == 0 || !reserve(node, &node->edge_region, bytes, 0, error))
        return false;
    node->edge = edge_init(node->edge_region.memory, &edge, error);
    return node->edge != NULL && edge_start(node->edge, error);
}

static bool make_view(struct node *node, char *error)
{
    node->view = (struct view){
        .epoch = 1,
        .self = node->config.id,
        .group_count = node->config.group_count,
    };
    if (!reserve(node, &node->region, view_cell_footprint(), 0, error))
        return false;
    node->view_cell = view_cell_init(node->region.memory, &node->view);
    return true;
}

struct node *node_create(struct host *host, const struct node_config *config, uint32_t replica,
                         char *error)
{
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        (void)snprintf(error, HOST_ERROR_MAX, "out of memory");
        return NULL;
    }
    node->config = *config;
    node->host = host;
    node->replica = replica;
    node->incarnation = host_random();
    node->identity_file.fd = -1;
    (void)pthread_mutex_init(&node->view_lock, NULL);
    if (node->config.ip == 0)
        node->config.ip = (10u << 24) | (77u << 16) | config->id;
    node->members = calloc(config->group_count, sizeof node->members[0]);
    node->members_seen = calloc(config->group_count, sizeof node->members_seen[0]);
    bool made = node->members != NULL && node->members_seen != NULL;
    if (!made)
        (void)snprintf(error, HOST_ERROR_MAX, "out of memory");
    made = made && node_identity_open(node, error) && make_view(node, error) &&
           open_port(node, error) && node_keeper_open(node, error);
    for (uint32_t i = 0; made && i < config->lane_count; i++)
        made = make_lane(node, i, error);
    if (made)
        node_keeper_serve(node);
    made = made && node_identity_made(node, error) && node_return(node, error);
    node->alive = true;
    made = made && node_keeper_start(node, error);
    if (made && (!config->resp || make_edge(node, error)))
        return node;
    node_destroy(node);
    free(node);
    return NULL;
}

void node_seat(struct node *node)
{
    for (uint32_t i = 0; i < node->config.lane_count; i++) {
        const struct placement_lane *lane = planned(node, i);
        uint32_t seated = 0;
        for (uint32_t room = 0; room < ROOM_COUNT; room++) {
            uint32_t worker = lane->worker[room], rooms = 0;
            for (uint32_t other = 0; other < ROOM_COUNT; other++)
                rooms |= lane->worker[other] == worker ? 1u << other : 0;
            if ((seated & rooms) == 0)
                core_seat_add(&node->host->core[worker], node->lane[i].lane, rooms,
                              (rooms >> ROOM_PERSIST & 1) != 0 ? node->lane[i].file : NULL);
            seated |= rooms;
        }
    }
}

static void unseat(struct node *node)
{
    for (uint32_t w = 0; w < node->host->placement.worker_count; w++)
        for (uint32_t i = 0; i < node->config.lane_count; i++)
            if (node->lane[i].lane != NULL)
                core_seat_leave(&node->host->core[w], node->lane[i].lane);
}

/* What a crash leaves: nothing. Frames go back to their pools first, then memory goes. */
void node_destroy(struct node *node)
{
    node->alive = false;
    node_keeper_stop(node);
    unseat(node);
    node->host->gone_cpu_ns += node_storage_cpu_ns(node);
    if (node->edge != NULL) {
        edge_stop(node->edge);
        node->host->gone_cpu_ns += edge_cpu_ns(node->edge);
        edge_fini(node->edge);
        node->edge = NULL;
    }
    if (node->port != NULL) {
        port_detach(node->port);
        view_synchronize(); /* nobody is inside a send to it any more */
        for (uint32_t i = 0; i < node->config.lane_count; i++)
            if (node->lane[i].lane != NULL)
                lane_fini(node->lane[i].lane);
        (void)port_close(node->port);
        node->port = NULL;
    }
    for (uint32_t i = 0; i < node->config.lane_count; i++) {
        node_storage_close(node, i);
        memory_release(node->lane[i].region.memory, node->lane[i].region.bytes);
        node->lane[i] = (struct node_lane){0};
    }
    node_keeper_close(node);
    identity_close(&node->identity_file);
    memory_release(node->edge_region.memory, node->edge_region.bytes);
    memory_release(node->region.memory, node->region.bytes);
    node->edge_region = node->region = (struct region){0};
    node->view_cell = NULL;
    free(node->members);
    free(node->members_seen);
    node->members = NULL;
    node->members_seen = NULL;
    (void)pthread_mutex_destroy(&node->view_lock);
}

void node_port_line(const struct node *node, char *line)
{
    struct port_report report;
    port_report(node->port, &report);
    port_report_line(&report, line);
}

uint16_t node_id(const struct node *node)
{
    return node->config.id;
}

uint64_t node_incarnation(const struct node *node)
{
    return node->incarnation;
}

const char *node_durability(const struct node *node)
{
    return storage_durability(node->lane[0].storage);
}

uint64_t node_returned_to(const struct node *node)
{
    return node->boots == 0 ? 0 : node->identity.cluster;
}

bool node_alive(const struct node *node)
{
    return node->alive;
}

uint16_t node_lane_count(const struct node *node)
{
    return node->config.lane_count;
}

struct lane *node_lane(const struct node *node, uint16_t index)
{
    return node->lane[index].lane;
}

struct keeper *node_keeper(const struct node *node)
{
    return node->keeper;
}

uint16_t node_resp_port(const struct node *node)
{
    return node->edge == NULL ? 0 : edge_port(node->edge);
}

const struct node_config *node_configuration(const struct node *node)
{
    return &node->config;
}

bool node_group_status(const struct node *node, uint16_t group, struct lane_group_status *status)
{
    if (!node->alive || group >= node->config.group_count)
        return false;
    return lane_group_status(node->lane[group % node->config.lane_count].lane, group, status);
}

uint32_t node_group_of_key(const struct node *node, const uint8_t *key, uint32_t key_bytes)
{
    return keyslot_group(key, key_bytes, node->config.group_count);
}

struct endpoint node_endpoint(const struct node *node, uint16_t group)
{
    return (struct endpoint){
        .ip = node->config.ip,
        .port = (uint16_t)(node->config.udp_port + group % node->config.lane_count),
    };
}
