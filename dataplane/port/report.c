#include "dataplane/port/internal.h"

#include <ctype.h>

void port_report(const struct port *port, struct port_report *report)
{
    struct rte_eth_stats stats = {0};
    struct rte_eth_link link = {0};
    (void)rte_eth_stats_get(port->device, &stats);
    bool wire = port->wire != NULL;
    *report = (struct port_report){
        .steering = port->steering,
        .ip = port->ip,
        .udp_port = port->udp_port,
        .lane_count = port->lane_count,
        .device_queues = port->device_queues,
        .rx_descriptors = port->rx_descriptors,
        .tx_descriptors = port->tx_descriptors,
        .mtu = port->mtu,
        .numa_node = port->numa_node,
        .pool_frames = port->queue[0]->pool->size,
        .promiscuous = port->promiscuous,
        .link_up = wire || (rte_eth_link_get_nowait(port->device, &link) == 0 &&
                            link.link_status == RTE_ETH_LINK_UP),
        .rx_ip_checksum_in_hardware =
            wire || (port->rx_offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0,
        .rx_udp_checksum_in_hardware =
            wire || (port->rx_offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM) != 0,
        .tx_ip_checksum_in_hardware = (port->tx_offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0,
        .tx_udp_checksum_in_hardware = (port->tx_offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0,
        .device_rx_missed = stats.imissed,
        .device_rx_errors = stats.ierrors + stats.rx_nombuf,
        .device_tx_errors = stats.oerrors,
    };
    memcpy(report->mac, &port->mac, PORT_MAC_BYTES);
    snprintf(report->name, sizeof report->name, "%s", port->name);
    snprintf(report->driver, sizeof report->driver, "%s", port->driver);
}

static const char *where(bool hardware)
{
    return hardware ? "hardware" : "software";
}

void port_report_line(const struct port_report *report, char line[PORT_REPORT_LINE_MAX])
{
    const uint8_t *mac = report->mac;
    char node[16] = "any";
    if (report->numa_node >= 0)
        snprintf(node, sizeof node, "%d", report->numa_node);
    snprintf(
        line, PORT_REPORT_LINE_MAX,
        "%s (%s) %u.%u.%u.%u:%u+%u %02x:%02x:%02x:%02x:%02x:%02x link %s%s, MTU %u, node %s, "
        "queues %u of %u, "
        "descriptors %u/%u, frames %u, steering %s, checksums: rx ip %s udp %s, tx ip %s udp %s",
        report->name, report->driver, report->ip >> 24, report->ip >> 16 & 255,
        report->ip >> 8 & 255, report->ip & 255, report->udp_port, report->lane_count, mac[0],
        mac[1], mac[2], mac[3], mac[4], mac[5], report->link_up ? "up" : "down",
        report->promiscuous ? ", promiscuous" : "", report->mtu, node, report->device_queues,
        report->lane_count, report->rx_descriptors, report->tx_descriptors, report->pool_frames,
        port_steering_name(report->steering), where(report->rx_ip_checksum_in_hardware),
        where(report->rx_udp_checksum_in_hardware), where(report->tx_ip_checksum_in_hardware),
        where(report->tx_udp_checksum_in_hardware));
}

const uint64_t *port_counters(const struct port_queue *queue)
{
    return queue->counters;
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
