/* Who has our address, who are our neighbours, are you there: ARP (RFC 826, 5227) and ICMP echo
 * (RFC 792). */
#include "dataplane/port/checksum.h"
#include "dataplane/port/internal.h"

#include <rte_arp.h>
#include <rte_icmp.h>

struct arp_packet {
    struct rte_ether_hdr ethernet;
    struct rte_arp_hdr arp;
};

static bool on_link(const struct port *port, uint32_t ip)
{
    return ((ip ^ port->ip) & port->network_mask) == 0;
}

static void arp_write(struct port_queue *queue, struct rte_mbuf *frame, uint16_t operation,
                      const uint8_t *target_mac, uint32_t target_ip)
{
    const struct port *port = queue->port;
    bool everybody = target_mac == NULL;
    struct arp_packet *packet = rte_pktmbuf_mtod(frame, struct arp_packet *);
    memset(packet, 0, PORT_FRAME_BYTES_MIN);
    if (everybody)
        memset(&packet->ethernet.dst_addr, 0xff, PORT_MAC_BYTES);
    else
        memcpy(&packet->ethernet.dst_addr, target_mac, PORT_MAC_BYTES);
    packet->ethernet.src_addr = port->mac;
    packet->ethernet.ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP);
    struct rte_arp_hdr *arp = &packet->arp;
    arp->arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
    arp->arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4);
    arp->arp_hlen = PORT_MAC_BYTES;
    arp->arp_plen = sizeof(uint32_t);
    arp->arp_opcode = rte_cpu_to_be_16(operation);
    arp->arp_data.arp_sha = port->mac;
    arp->arp_data.arp_sip = rte_cpu_to_be_32(port->ip);
    if (!everybody)
        memcpy(&arp->arp_data.arp_tha, target_mac, PORT_MAC_BYTES);
    arp->arp_data.arp_tip = rte_cpu_to_be_32(target_ip);
    frame->data_len = PORT_FRAME_BYTES_MIN;
    frame->pkt_len = PORT_FRAME_BYTES_MIN;
    frame->ol_flags = 0;
}

static void arp_ask(struct port_queue *queue, uint32_t ip)
{
    struct rte_mbuf *frame;
    if (port_pool_take(queue->pool, &frame, 1) == 0) {
        port_count(queue, PORT_POOL_EMPTY, 1);
        return;
    }
    arp_write(queue, frame, RTE_ARP_OP_REQUEST, NULL, ip);
    port_transmit(queue, &frame, 1);
}

void port_announce(struct port_queue *queue, uint64_t now_ns)
{
    if (now_ns < queue->announce_at_ns)
        return;
    queue->announcements_left--;
    queue->announce_at_ns = now_ns + NEIGHBOUR_ASK_NS;
    arp_ask(queue, queue->port->ip);
}

/* Every lane keeps its own table; the lane that heard the packet tells the others. */
static void arp_tell(struct port_queue *queue, const struct rte_mbuf *frame)
{
    for (uint32_t lane = 0; lane < queue->port->lane_count; lane++) {
        struct rte_mbuf *copy;
        if (lane == queue->lane)
            continue;
        if (port_pool_take(queue->pool, &copy, 1) == 0) {
            port_count(queue, PORT_POOL_EMPTY, 1);
            return;
        }
        memcpy(rte_pktmbuf_mtod(copy, void *), rte_pktmbuf_mtod(frame, void *),
               sizeof(struct arp_packet));
        copy->data_len = sizeof(struct arp_packet);
        copy->pkt_len = sizeof(struct arp_packet);
        port_hand_over(queue, lane, copy);
    }
}

static bool arp_is_well_formed(const struct rte_mbuf *frame)
{
    const struct rte_arp_hdr *arp = &rte_pktmbuf_mtod(frame, struct arp_packet *)->arp;
    return frame->data_len >= sizeof(struct arp_packet) &&
           arp->arp_hardware == RTE_BE16(RTE_ARP_HRD_ETHER) &&
           arp->arp_protocol == RTE_BE16(RTE_ETHER_TYPE_IPV4) && arp->arp_hlen == PORT_MAC_BYTES &&
           arp->arp_plen == sizeof(uint32_t) &&
           (arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST) ||
            arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REPLY));
}

/* Answered or not; the caller frees what was not sent back. */
static bool arp_judge(struct port_queue *queue, struct rte_mbuf *frame, bool from_inbox,
                      uint64_t now_ns)
{
    const struct port *port = queue->port;
    if (!arp_is_well_formed(frame)) {
        port_count(queue, PORT_ARP_MALFORMED, 1);
        return false;
    }
    struct rte_arp_hdr *arp = &rte_pktmbuf_mtod(frame, struct arp_packet *)->arp;
    struct rte_ether_addr sender_mac = arp->arp_data.arp_sha;
    uint32_t sender_ip = rte_be_to_cpu_32(arp->arp_data.arp_sip);
    uint32_t target_ip = rte_be_to_cpu_32(arp->arp_data.arp_tip);
    bool probe = sender_ip == 0; /* RFC 5227: asks whether an address is taken, has none itself */
    if (!rte_is_valid_assigned_ether_addr(&sender_mac) || (!probe && !on_link(port, sender_ip))) {
        port_count(queue, PORT_ARP_SENDER, 1);
        return false;
    }
    if (sender_ip == port->ip) {
        port_count(queue, PORT_ARP_CONFLICT, 1);
        return false;
    }
    if (!from_inbox)
        arp_tell(queue, frame);
    bool for_us = target_ip == port->ip;
    bool learnt = !probe && neighbour_learn(&queue->neighbours, sender_ip, sender_mac.addr_bytes,
                                            for_us, now_ns);
    if (learnt)
        port_count(queue, PORT_ARP_LEARNT, 1);
    if (!for_us && !learnt)
        port_count(queue, PORT_ARP_OTHERS, 1);
    if (!for_us || from_inbox || arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST))
        return false;
    port_count(queue, PORT_ARP_ANSWERED, 1);
    arp_write(queue, frame, RTE_ARP_OP_REPLY, sender_mac.addr_bytes, sender_ip);
    port_transmit(queue, &frame, 1);
    return true;
}

void port_arp(struct port_queue *queue, struct rte_mbuf *frame, bool from_inbox, uint64_t now_ns)
{
    if (!arp_judge(queue, frame, from_inbox, now_ns))
        rte_pktmbuf_free(frame);
}

void port_statics_absorb(struct port_queue *queue)
{
    const struct port *port = queue->port;
    uint32_t count = atomic_load_explicit(&port->static_count, memory_order_acquire);
    for (; queue->statics_seen < count; queue->statics_seen++) {
        const struct port_static_neighbour *neighbour = &port->statics[queue->statics_seen];
        (void)neighbour_fix(&queue->neighbours, neighbour->ip, neighbour->mac);
    }
}

const uint8_t *port_next_hop(struct port_queue *queue, uint32_t ip, uint64_t now_ns)
{
    const struct port *port = queue->port;
    uint32_t hop = ip;
    if (UNLIKELY(!on_link(port, ip))) {
        if (port->gateway_ip == 0) {
            port_count(queue, PORT_TX_NO_ROUTE, 1);
            return NULL;
        }
        hop = port->gateway_ip;
    }
    bool ask;
    const uint8_t *mac = neighbour_resolve(&queue->neighbours, hop, now_ns, &ask);
    if (UNLIKELY(ask))
        arp_ask(queue, hop);
    if (UNLIKELY(mac == NULL))
        port_count(queue, PORT_TX_UNRESOLVED, 1);
    return mac;
}

static enum port_event echo_judge(struct port_queue *queue, struct rte_mbuf *frame)
{
    struct packet *packet = rte_pktmbuf_mtod(frame, struct packet *);
    uint32_t icmp_bytes =
        rte_be_to_cpu_16(packet->ipv4.total_length) - (uint32_t)sizeof(struct rte_ipv4_hdr);
    struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)(void *)&packet->udp;
    if (icmp_bytes < sizeof(struct rte_icmp_hdr))
        return PORT_IP_LENGTH;
    if (checksum_fold(checksum_add(0, icmp, icmp_bytes)) != UINT16_MAX)
        return PORT_ICMP_CHECKSUM;
    if (icmp->icmp_type != RTE_IP_ICMP_ECHO_REQUEST || icmp->icmp_code != 0)
        return PORT_ICMP_OTHER;
    icmp->icmp_type = RTE_IP_ICMP_ECHO_REPLY;
    icmp->icmp_cksum = 0;
    icmp->icmp_cksum = checksum_of(checksum_add(0, icmp, icmp_bytes));
    packet->ethernet.dst_addr = packet->ethernet.src_addr;
    packet->ethernet.src_addr = queue->port->mac;
    packet->ipv4.dst_addr = packet->ipv4.src_addr;
    packet->ipv4.src_addr = rte_cpu_to_be_32(queue->port->ip);
    packet->ipv4.time_to_live = PORT_TIME_TO_LIVE;
    packet->ipv4.hdr_checksum = 0;
    packet->ipv4.hdr_checksum = checksum_of(checksum_add(0, &packet->ipv4, sizeof packet->ipv4));
    frame->ol_flags = 0;
    return PORT_ECHO_ANSWERED;
}

void port_echo(struct port_queue *queue, struct rte_mbuf *frame)
{
    enum port_event event = echo_judge(queue, frame);
    port_count(queue, event, 1);
    if (event == PORT_ECHO_ANSWERED)
        port_transmit(queue, &frame, 1);
    else
        rte_pktmbuf_free(frame);
}
