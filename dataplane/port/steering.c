/* How a frame for lane i's UDP port comes to lane i's device queue. Lanes above the last queue
 * share queue 0. */
#include "dataplane/port/internal.h"

#include <rte_flow.h>
#include <rte_thash.h>

#define SOURCE_PORT_FIRST 49152u /* IANA's dynamic ports */
#define RSS_KEY_WORDS_MIN 4u     /* two addresses, two ports, and one word of look-ahead */

static uint16_t queue_of_lane(const struct port *port, uint32_t lane)
{
    return (uint16_t)(lane < port->device_queues ? lane : 0);
}

void port_rss_prepare(struct port *port, const struct rte_eth_dev_info *info,
                      struct rte_eth_conf *conf)
{
    uint32_t table_entries = info->reta_size;
    uint32_t key_bytes = info->hash_key_size == 0 ? 40 : info->hash_key_size;
    if (port->wire != NULL || port->device_queues < 2 ||
        (info->flow_type_rss_offloads & RTE_ETH_RSS_NONFRAG_IPV4_UDP) == 0 ||
        !is_power_of_two(table_entries) || table_entries > PORT_RSS_TABLE_MAX ||
        key_bytes > PORT_RSS_KEY_MAX || key_bytes < (RSS_KEY_WORDS_MIN * 4))
        return;
    /* Any key without long runs spreads well: the golden ratio's bits, one product per byte. */
    for (uint32_t i = 0; i < key_bytes; i++)
        port->rss_key[i] = (uint8_t)(((i + 1) * 0x9e3779b1u) >> 24);
    port->rss_key_bytes = (uint8_t)key_bytes;
    port->rss_table_entries = (uint16_t)table_entries;
    conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){.rss_key = port->rss_key,
                                                           .rss_key_len = port->rss_key_bytes,
                                                           .rss_hf = RTE_ETH_RSS_NONFRAG_IPV4_UDP};
}

/* Entry i of the table names queue i modulo their number; believed once it was read back, the key
 * likewise. */
static bool rss_settle(struct port *port)
{
    struct rte_eth_rss_reta_entry64 table[PORT_RSS_TABLE_MAX / RTE_ETH_RETA_GROUP_SIZE] = {0};
    uint8_t key[PORT_RSS_KEY_MAX] = {0};
    struct rte_eth_rss_conf conf = {.rss_key = key, .rss_key_len = port->rss_key_bytes};
    uint16_t entries = port->rss_table_entries;
    if (entries == 0)
        return false;
    for (uint16_t i = 0; i < entries; i++) {
        table[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1) << (i % RTE_ETH_RETA_GROUP_SIZE);
        table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
            i % port->device_queues;
    }
    struct rte_eth_rss_conf wanted = {.rss_key = port->rss_key,
                                      .rss_key_len = port->rss_key_bytes,
                                      .rss_hf = RTE_ETH_RSS_NONFRAG_IPV4_UDP};
    /* Some drivers forget at start what they were configured with. */
    (void)rte_eth_dev_rss_hash_update(port->device, &wanted);
    (void)rte_eth_dev_rss_reta_update(port->device, table, entries);
    if (rte_eth_dev_rss_reta_query(port->device, table, entries) != 0 ||
        rte_eth_dev_rss_hash_conf_get(port->device, &conf) != 0 ||
        (conf.rss_hf & RTE_ETH_RSS_NONFRAG_IPV4_UDP) == 0 ||
        memcmp(key, port->rss_key, port->rss_key_bytes) != 0)
        return false;
    for (uint16_t i = 0; i < entries; i++)
        port->rss_table[i] = table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
    return true;
}

static bool flow_create(const struct port *port, uint32_t lane)
{
    const struct rte_flow_attr attribute = {.ingress = 1};
    const struct rte_flow_item_udp udp = {.hdr.dst_port =
                                              rte_cpu_to_be_16((uint16_t)(port->udp_port + lane))};
    const struct rte_flow_item_udp udp_mask = {.hdr.dst_port = UINT16_MAX};
    const struct rte_flow_item pattern[] = {
        {.type = RTE_FLOW_ITEM_TYPE_ETH},
        {.type = RTE_FLOW_ITEM_TYPE_IPV4},
        {.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &udp, .mask = &udp_mask},
        {.type = RTE_FLOW_ITEM_TYPE_END},
    };
    const struct rte_flow_action_queue queue = {.index = queue_of_lane(port, lane)};
    const struct rte_flow_action actions[] = {
        {.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
        {.type = RTE_FLOW_ACTION_TYPE_END},
    };
    struct rte_flow_error error;
    return rte_flow_validate(port->device, &attribute, pattern, actions, &error) == 0 &&
           rte_flow_create(port->device, &attribute, pattern, actions, &error) != NULL;
}

static bool flow_settle(const struct port *port)
{
    struct rte_flow_error error;
    for (uint32_t lane = 0; lane < port->lane_count; lane++)
        if (!flow_create(port, lane)) {
            (void)rte_flow_flush(port->device, &error); /* half a set of rules would only confuse */
            return false;
        }
    return true;
}

void port_steering_settle(struct port *port)
{
    if (port->lane_count == 1)
        port->steering = PORT_STEERING_SINGLE;
    else if (port->wire != NULL)
        port->steering = PORT_STEERING_WIRE;
    else if (port->device_queues > 1 && flow_settle(port))
        port->steering = PORT_STEERING_FLOW;
    else if (port->device_queues > 1 && rss_settle(port))
        port->steering = PORT_STEERING_RSS;
    else
        port->steering = PORT_STEERING_SOFTWARE;
}

uint16_t port_source_port(const struct port *port, uint32_t lane, uint32_t remote_ip)
{
    if (port->steering != PORT_STEERING_RSS)
        return 0;
    for (uint32_t source = SOURCE_PORT_FIRST; source <= UINT16_MAX; source++) {
        uint32_t tuple[3] = {remote_ip, port->ip, source << 16 | (port->udp_port + lane)};
        uint32_t hash = rte_softrss(tuple, 3, port->rss_key);
        if (port->rss_table[hash & (port->rss_table_entries - 1u)] == queue_of_lane(port, lane))
            return (uint16_t)source;
    }
    return 0; /* no port fits: the frames come in at another queue and are handed over */
}

const char *port_steering_name(enum port_steering steering)
{
    switch (steering) {
    case PORT_STEERING_SINGLE:
        return "one lane";
    case PORT_STEERING_WIRE:
        return "ring wire";
    case PORT_STEERING_FLOW:
        return "rte_flow";
    case PORT_STEERING_RSS:
        return "RSS and source ports";
    case PORT_STEERING_SOFTWARE:
        return "software hand-over";
    }
    return "unknown";
}
