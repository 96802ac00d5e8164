/* leave.c: how a node goes in good order: whoever leads lets another one lead first. */
#include "dataplane/node/internal.h"

static bool leads(const struct node *node, uint16_t group)
{
    struct lane_group_status status;
    return node_group_status(node, group, &status) && status.role == RAFT_LEADER;
}

uint32_t node_led_count(const struct node *node)
{
    uint32_t count = 0;
    for (uint16_t group = 0; group < node->config.group_count; group++)
        count += leads(node, group);
    return count;
}

uint32_t node_hand_over(struct node *node, uint16_t to, uint32_t only)
{
    uint32_t count = 0;
    for (uint16_t group = 0; group < node->config.group_count; group++)
        if ((only == NODE_ALL_GROUPS || only == group) && leads(node, group))
            count +=
                lane_transfer(node->lane[group % node->config.lane_count].lane, group, to) ? 1 : 0;
    return count;
}

uint32_t host_hand_over(struct host *host, uint32_t *asked)
{
    uint32_t of_node[HOST_NODES_MAX] = {0}, left;
    uint64_t limit_ns = 0, start_ns = node_now_ns();
    *asked = 0;
    for (uint32_t i = 0; i < host->node_count; i++) {
        if (!host->node[i]->alive)
            continue;
        of_node[i] = node_hand_over(host->node[i], RAFT_NOBODY, NODE_ALL_GROUPS);
        *asked += of_node[i];
        limit_ns = max_u64(limit_ns, host->node[i]->config.election_timeout_ns);
    }
    do {
        left = 0;
        for (uint32_t i = 0; i < host->node_count; i++)
            left += of_node[i] != 0 ? node_led_count(host->node[i]) : 0;
        if (left != 0)
            host_control(host, HOST_CONTROL_NS);
    } while (left != 0 && node_now_ns() - start_ns < limit_ns);
    return left;
}

/* No write waits, at two looks with all cores' turns between them. */
static bool all_stored(const struct host *host)
{
    bool stored = true;
    for (uint32_t i = 0; i < host->node_count; i++)
        for (uint32_t lane = 0; host->node[i]->alive && lane < host->node[i]->config.lane_count;
             lane++)
            stored &= storage_age_ns(host->node[i]->lane[lane].storage, node_now_ns()) == 0;
    return stored;
}

bool host_settle(struct host *host)
{
    uint64_t limit_ns = 0, start_ns = node_now_ns();
    bool stored;
    for (uint32_t i = 0; i < host->node_count; i++)
        limit_ns = max_u64(limit_ns, host->node[i]->config.election_timeout_ns);
    do {
        stored = all_stored(host);
        host_control(host, HOST_CONTROL_NS);
        stored &= all_stored(host);
    } while (!stored && node_now_ns() - start_ns < limit_ns);
    return stored;
}
