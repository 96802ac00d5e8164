#include "dataplane/port/capture.h"
#include "dataplane/port/checksum.h"
#include "dataplane/port/internal.h"

#include <rte_prefetch.h>

/* What becomes of a frame. Each of these takes the buffer. */
enum verdict { DELIVER, REFUSE, ARP, ECHO, HAND_OVER };

#define PREFETCH_AHEAD 4u
#define PREFETCH_LINES 3u

static bool source_can_be_answered(const struct port_queue *queue, uint32_t source, bool from_inbox)
{
    const struct port *port = queue->port;
    uint32_t first_byte = source >> 24;
    if (UNLIKELY(first_byte == 0 || first_byte == 127 || first_byte >= 224))
        return false;
    if (UNLIKELY(source == port->ip))
        return from_inbox; /* from ourselves, by no wire */
    uint32_t host_mask = ~port->network_mask;
    bool link_broadcast = host_mask > 1 && (source & host_mask) == host_mask &&
                          ((source ^ port->ip) & port->network_mask) == 0;
    return !link_broadcast;
}

/* RFC 791. */
static enum verdict inspect_ipv4(const struct port_queue *queue, struct rte_mbuf *frame,
                                 bool from_inbox, enum port_event *refusal)
{
    const struct rte_ipv4_hdr *ipv4 = &rte_pktmbuf_mtod(frame, struct packet *)->ipv4;
    uint32_t total_bytes = rte_be_to_cpu_16(ipv4->total_length);
    *refusal = PORT_FRAME_SHORT;
    if (UNLIKELY(frame->data_len < sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr)))
        return REFUSE;
    if (UNLIKELY(ipv4->version_ihl != RTE_IPV4_VHL_DEF)) {
        *refusal = ipv4->version_ihl >> 4 == 4 && (ipv4->version_ihl & 15) > 5 ? PORT_IP_OPTIONS
                                                                               : PORT_IP_VERSION;
        return REFUSE;
    }
    *refusal = PORT_IP_LENGTH;
    if (UNLIKELY(total_bytes < sizeof(struct packet) - sizeof(struct rte_ether_hdr) ||
                 total_bytes > frame->data_len - sizeof(struct rte_ether_hdr)))
        return REFUSE;
    *refusal = PORT_IP_CHECKSUM;
    uint64_t verified = frame->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
    if (UNLIKELY(verified == RTE_MBUF_F_RX_IP_CKSUM_BAD))
        return REFUSE;
    if (verified != RTE_MBUF_F_RX_IP_CKSUM_GOOD &&
        UNLIKELY(checksum_fold(checksum_add(0, ipv4, sizeof *ipv4)) != UINT16_MAX))
        return REFUSE;
    *refusal = PORT_IP_NOT_OURS;
    if (UNLIKELY(ipv4->dst_addr != queue->template.ipv4.src_addr))
        return REFUSE;
    *refusal = PORT_IP_FRAGMENT;
    if (UNLIKELY((ipv4->fragment_offset &
                  RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0))
        return REFUSE;
    *refusal = PORT_IP_TTL;
    if (UNLIKELY(ipv4->time_to_live == 0))
        return REFUSE;
    *refusal = PORT_IP_SOURCE;
    if (UNLIKELY(!source_can_be_answered(queue, rte_be_to_cpu_32(ipv4->src_addr), from_inbox)))
        return REFUSE;
    if (LIKELY(ipv4->next_proto_id == IPPROTO_UDP))
        return DELIVER;
    *refusal = PORT_IP_PROTOCOL;
    return ipv4->next_proto_id == IPPROTO_ICMP ? ECHO : REFUSE;
}

static uint64_t pseudo_header_sum(const struct packet *packet)
{
    /* Both addresses lie behind each other: eight bytes at once. */
    return checksum_add((uint64_t)RTE_BE16(IPPROTO_UDP) + packet->udp.dgram_len,
                        &packet->ipv4.src_addr, 2 * sizeof(uint32_t));
}

static bool udp_checksum_holds(struct port_queue *queue, const struct rte_mbuf *frame,
                               uint32_t udp_bytes)
{
    const struct packet *packet = rte_pktmbuf_mtod(frame, const struct packet *);
    switch (frame->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
    case RTE_MBUF_F_RX_L4_CKSUM_GOOD:
    case RTE_MBUF_F_RX_L4_CKSUM_NONE: /* wrong in the bytes, but the driver answers for the data */
        return true;
    case RTE_MBUF_F_RX_L4_CKSUM_BAD:
        return false;
    default:
        break;
    }
    uint64_t pseudo_sum = pseudo_header_sum(packet);
    if (LIKELY(checksum_fold(checksum_add(pseudo_sum, &packet->udp, udp_bytes)) == UINT16_MAX))
        return true;
    /* A kernel that hopes for an offloading NIC leaves the pseudo header's sum alone in the field;
     * between veth ends no NIC ever completes it, and packet sockets show the frame as it is. */
    if (queue->port->unfinished_ok && packet->udp.dgram_cksum == checksum_fold(pseudo_sum)) {
        port_count(queue, PORT_UDP_CHECKSUM_UNFINISHED, 1);
        return true;
    }
    return false;
}

/* RFC 768. */
static enum verdict inspect_udp(struct port_queue *queue, struct rte_mbuf *frame,
                                enum port_event *refusal, uint32_t *lane)
{
    const struct packet *packet = rte_pktmbuf_mtod(frame, const struct packet *);
    uint32_t udp_bytes = rte_be_to_cpu_16(packet->udp.dgram_len);
    *refusal = PORT_UDP_LENGTH;
    if (UNLIKELY(udp_bytes + sizeof(struct rte_ipv4_hdr) !=
                 rte_be_to_cpu_16(packet->ipv4.total_length)))
        return REFUSE;
    *refusal = PORT_UDP_PORT;
    *lane = (uint32_t)rte_be_to_cpu_16(packet->udp.dst_port) - queue->port->udp_port;
    if (UNLIKELY(*lane >= queue->port->lane_count))
        return REFUSE;
    *refusal = PORT_UDP_SOURCE_PORT;
    if (UNLIKELY(packet->udp.src_port == 0))
        return REFUSE;
    if (UNLIKELY(*lane != queue->lane)) /* that lane pays for the checksum */
        return HAND_OVER;
    *refusal = PORT_UDP_CHECKSUM_MISSING;
    if (UNLIKELY(packet->udp.dgram_cksum == 0))
        return REFUSE;
    *refusal = PORT_UDP_CHECKSUM;
    return udp_checksum_holds(queue, frame, udp_bytes) ? DELIVER : REFUSE;
}

static enum verdict inspect(struct port_queue *queue, struct rte_mbuf *frame, bool from_inbox,
                            enum port_event *refusal, uint32_t *lane)
{
    const struct packet *packet = rte_pktmbuf_mtod(frame, const struct packet *);
    *refusal = PORT_FRAME_SHORT;
    if (UNLIKELY(frame->data_len < sizeof(struct rte_ether_hdr)))
        return REFUSE;
    *refusal = PORT_NOT_OUR_MAC;
    bool ours = rte_is_same_ether_addr(&packet->ethernet.dst_addr, &queue->port->mac);
    if (UNLIKELY(!ours && !rte_is_broadcast_ether_addr(&packet->ethernet.dst_addr)))
        return REFUSE;
    *refusal = PORT_ETHERTYPE;
    if (UNLIKELY(packet->ethernet.ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4)))
        return packet->ethernet.ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP) ? ARP : REFUSE;
    *refusal = PORT_NOT_OUR_MAC;
    if (UNLIKELY(!ours)) /* a broadcast speaks to many; only ARP may */
        return REFUSE;
    enum verdict verdict = inspect_ipv4(queue, frame, from_inbox, refusal);
    return LIKELY(verdict == DELIVER) ? inspect_udp(queue, frame, refusal, lane) : verdict;
}

static void describe(struct rte_mbuf *buffer, struct frame *frame)
{
    struct packet *packet = rte_pktmbuf_mtod(buffer, struct packet *);
    uint32_t bytes = rte_be_to_cpu_16(packet->udp.dgram_len) - (uint32_t)sizeof(struct rte_udp_hdr);
    *frame = (struct frame){
        .data = (uint8_t *)packet + sizeof *packet,
        .bytes = bytes,
        .capacity = bytes,
        .peer = {.ip = rte_be_to_cpu_32(packet->ipv4.src_addr),
                 .port = rte_be_to_cpu_16(packet->udp.src_port),
                 .source_port = rte_be_to_cpu_16(packet->udp.dst_port)},
        .buffer = buffer,
    };
}

/* Headers and rooms want one piece. */
static bool join(struct port_queue *queue, struct rte_mbuf *frame)
{
    bool joined = rte_pktmbuf_linearize(frame) == 0;
    port_count(queue, joined ? PORT_RX_JOINED : PORT_FRAME_SEGMENTED, 1);
    return joined;
}

/* A frame that another core wrote: buffer, headers and the first of the payload are asked for at
 * once. Where the data lies is not read but guessed, as pools lay it out. */
static void frame_prefetch(const struct rte_mbuf *buffer)
{
    const uint8_t *data = (const uint8_t *)(buffer + 1) + RTE_PKTMBUF_HEADROOM;
    rte_prefetch0(buffer);
    for (uint32_t line = 0; line < PREFETCH_LINES; line++)
        rte_prefetch0(data + line * CACHE_LINE_BYTES);
}

/* Fills `frames` with the payloads among them; every other buffer finds its way from here. */
static uint32_t sort(struct port_queue *queue, struct rte_mbuf **buffers, uint32_t count,
                     bool from_inbox, struct frame *frames, uint64_t now_ns)
{
    uint32_t delivered = 0;
    for (uint32_t i = 0; i < min_u32(PREFETCH_AHEAD, count); i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): the first `count` are buffers */
        frame_prefetch(buffers[i]);
    for (uint32_t i = 0; i < count; i++) {
        struct rte_mbuf *buffer = buffers[i];
        enum port_event refusal;
        uint32_t lane;
        if (i + PREFETCH_AHEAD < count)
            frame_prefetch(buffers[i + PREFETCH_AHEAD]);
        if (UNLIKELY(buffer->nb_segs > 1) && !join(queue, buffer)) {
            rte_pktmbuf_free(buffer);
            continue;
        }
        switch (inspect(queue, buffer, from_inbox, &refusal, &lane)) {
        case DELIVER:
            describe(buffer, &frames[delivered++]);
            break;
        case HAND_OVER:
            port_count(queue, PORT_RX_HANDED_OVER, 1);
            port_hand_over(queue, lane, buffer);
            break;
        case ARP:
            port_arp(queue, buffer, from_inbox, now_ns);
            break;
        case ECHO:
            port_echo(queue, buffer);
            break;
        case REFUSE:
            port_count(queue, refusal, 1);
            rte_pktmbuf_free(buffer);
            break;
        }
    }
    return delivered;
}

uint32_t port_rx_burst(struct port_queue *queue, struct frame *frames, uint32_t count,
                       uint64_t now_ns)
{
    struct rte_mbuf *buffers[PORT_BURST_MAX];
    uint32_t delivered = 0;
    count = min_u32(count, PORT_BURST_MAX);
    if (UNLIKELY(!rte_ring_empty(queue->inbox))) {
        /* Half for each source, the odd one in turn: neither can starve the other. */
        queue->inbox_first = !queue->inbox_first;
        uint32_t found = rte_ring_sc_dequeue_burst(
            queue->inbox, (void **)buffers,
            queue->has_device_queue ? (count + queue->inbox_first) / 2 : count, NULL);
        delivered = sort(queue, buffers, found, true, frames, now_ns);
    }
    if (LIKELY(queue->has_device_queue && delivered < count)) {
        uint32_t found =
            rte_eth_rx_burst(queue->device, queue->lane, buffers, (uint16_t)(count - delivered));
        if (UNLIKELY(queue->capture != NULL))
            capture_frames(queue->capture, buffers, found);
        delivered += sort(queue, buffers, found, false, frames + delivered, now_ns);
    }
    if (delivered > 0)
        port_count(queue, PORT_RX_DELIVERED, delivered);
    return delivered;
}

void port_frame_free(struct port_queue *queue, const struct frame *frames, uint32_t count)
{
    struct rte_mbuf *buffers[PORT_BURST_MAX];
    (void)queue; /* a frame that was handed over goes back to the pool that it came from */
    while (count > 0) {
        uint32_t batch = min_u32(count, PORT_BURST_MAX);
        for (uint32_t i = 0; i < batch; i++)
            buffers[i] = frames[i].buffer;
        rte_pktmbuf_free_bulk(buffers, batch);
        frames += batch;
        count -= batch;
    }
}
