/* defaults.c: what a node and its process are where nobody says otherwise, and what placement they
 * ask for. Linked into the operator's command, too: `quorate plan` shows what quorated will do. */
#include "dataplane/node/config.h"

#include <netinet/in.h>

void host_config_defaults(struct host_config *config)
{
    *config = (struct host_config){
        .replicas = 1, .lanes = 1, .groups = 1, .cores = 1, .port_name = "ring"};
}

void node_config_defaults(struct node_config *config)
{
    *config = (struct node_config){
        .id = 1,
        .lane_count = 1,
        .group_count = 1,
        .port_name = "ring",
        .prefix_bits = 16,
        .udp_port = 7700,
        .mtu = 1500,
        .heartbeat_ns = 20000000,
        .election_timeout_ns = 100000000,
        .election_timeout_max_ns = 200000000,
        .write_age_max_ns = 1000000000,
        .priority = 1,
        .handover_ns = 10000000000,
        .log_bytes = 64u << 20,
        .log_file_bytes = 1u << 30,
        .snapshot_rate_bytes = 64u << 20,
        .state = {.keys_max = 1u << 20, .bytes_max = 512u << 20, .session_ttl_ms = 60000},
        .lease_reads = true,
        .clients = {.tables = 128, .table_bytes = 64u << 20},
        .resp_ip = INADDR_LOOPBACK,
    };
}

void config_placement(const struct host_config *config, struct placement_request *request)
{
    *request = (struct placement_request){
        .nic = config->nic,
        .replicas = config->replicas,
        .lanes = config->lanes,
        .groups = config->groups,
        .cuts = config->cuts,
        .cores_max = config->cores,
        .control_threads = 1,
    };
}
