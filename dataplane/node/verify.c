/* verify.c: what the verify rooms of a node's lanes are given, and what they have seen. */
#include "dataplane/node/internal.h"

#define BASE_WINDOW 12u /* 4.1 MiB, for all nodes of the process */

/* Near the first lane that asks: its nodes' lanes are there, unless the card's node has too few
 * cores. */
static bool make_base(struct host *host, uint32_t memory_node, char *error)
{
    struct region *region = &host->base_region;
    if (host->base != NULL)
        return true;
    region->bytes = ed25519_base_footprint(BASE_WINDOW);
    region->memory = memory_reserve(region->bytes, memory_node, &host->topology, NULL);
    if (region->memory == NULL || !memory_populate(region->memory, region->bytes)) {
        (void)snprintf(error, HOST_ERROR_MAX, "%zu MiB for tables of signatures are not to be had",
                       region->bytes >> 20);
        return false;
    }
    host->base = ed25519_base_init(region->memory, BASE_WINDOW, ed25519_backend_best());
    return true;
}

bool node_verify_furnish(struct node *node, uint32_t memory_node, struct lane_clients *clients,
                         char *error)
{
    const struct node_clients *config = &node->config.clients;
    *clients = (struct lane_clients){0};
    if (!config->sign)
        return true;
    uint32_t tables = node_client_tables(config);
    if (!make_base(node->host, memory_node, error))
        return false;
    *clients = (struct lane_clients){
        .base = node->host->base,
        .tables = tables,
        .window = ed25519_keyset_window(ed25519_backend_best(), tables, config->table_bytes),
        .key = config->key,
        .key_count = config->key_count,
    };
    return true;
}

static json_t *report_json(const struct lane_verify_report *report)
{
    json_t *batches = json_array();
    for (uint32_t i = 0; i < LANE_BATCH_SIZES; i++)
        (void)json_array_append_new(batches, json_integer((json_int_t)report->batches[i]));
    json_t *bad = json_null();
    if (report->bad_peer.ip != 0) {
        char key[2 * ED25519_KEY_BYTES + 1], peer[32];
        uint32_t ip = report->bad_peer.ip;
        ed25519_to_hex(key, report->bad_key, ED25519_KEY_BYTES);
        (void)snprintf(peer, sizeof peer, "%u.%u.%u.%u:%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
                       ip & 255, (unsigned)report->bad_peer.port);
        bad = json_pack("{s:s,s:s}", "from", peer, "claims", key);
    }
    return json_pack("{s:o,s:I,s:I,s:o}", "batches", batches, "without_table",
                     (json_int_t)report->without_table, "evicted", (json_int_t)report->evicted,
                     "last_bad", bad);
}

void node_verify_report(const struct node *node, json_t *status)
{
    json_t *lanes = json_array();
    for (uint32_t i = 0; i < node->config.lane_count; i++) {
        struct lane_verify_report report;
        lane_verify_report(node->lane[i].lane, &report);
        if (report.on)
            (void)json_array_append_new(lanes, report_json(&report));
    }
    (void)json_object_set_new(status, "verify", lanes);
}
