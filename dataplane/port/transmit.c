#include "dataplane/port/capture.h"
#include "dataplane/port/checksum.h"
#include "dataplane/port/internal.h"

void port_hand_over(struct port_queue *from, uint32_t lane, struct rte_mbuf *frame)
{
    if (rte_ring_mp_enqueue(from->port->queue[lane]->inbox, frame) != 0) {
        port_count(from, PORT_INBOX_FULL, 1);
        rte_pktmbuf_free(frame);
    }
}

/* How many the device took. */
static uint32_t device_send(struct port_queue *queue, struct rte_mbuf **frames, uint32_t count)
{
    uint32_t sent = 0;
    if (UNLIKELY(!queue->has_device_queue)) /* lane 0 counts them as sent when they are */
        return rte_ring_mp_enqueue_burst(queue->port->outbox, (void *const *)frames, count, NULL);
    while (sent < count) {
        uint16_t more =
            rte_eth_tx_burst(queue->device, queue->lane, frames + sent, (uint16_t)(count - sent));
        if (more == 0)
            break;
        sent += more;
    }
    port_count(queue, PORT_TX_SENT, sent);
    return sent;
}

static void pending_add(struct port_queue *queue, struct rte_mbuf **frames, uint32_t count)
{
    port_count(queue, PORT_TX_WAITED, count);
    for (uint32_t i = 0; i < count; i++) {
        if (queue->pending_count == PORT_PENDING_FRAMES) {
            rte_pktmbuf_free(queue->pending[queue->pending_first]);
            queue->pending_first = (queue->pending_first + 1) % PORT_PENDING_FRAMES;
            queue->pending_count--;
            port_count(queue, PORT_TX_DROPPED_OLDEST, 1);
        }
        queue->pending[(queue->pending_first + queue->pending_count++) % PORT_PENDING_FRAMES] =
            frames[i];
    }
}

static void pending_send(struct port_queue *queue)
{
    while (queue->pending_count > 0) {
        uint32_t run = min_u32(queue->pending_count, PORT_PENDING_FRAMES - queue->pending_first);
        uint32_t sent = device_send(queue, queue->pending + queue->pending_first, run);
        queue->pending_first = (queue->pending_first + sent) % PORT_PENDING_FRAMES;
        queue->pending_count -= sent;
        if (sent < run)
            return;
    }
}

static void send_or_wait(struct port_queue *queue, struct rte_mbuf **frames, uint32_t count)
{
    if (UNLIKELY(queue->pending_count > 0))
        pending_send(queue); /* those that wait go first, or frames would overtake each other */
    uint32_t sent = queue->pending_count > 0 ? 0 : device_send(queue, frames, count);
    if (UNLIKELY(sent < count))
        pending_add(queue, frames + sent, count - sent);
}

void port_transmit(struct port_queue *queue, struct rte_mbuf **frames, uint32_t count)
{
    if (UNLIKELY(queue->capture != NULL))
        capture_frames(queue->capture, frames, count);
    if (queue->port->wire != NULL)
        port_wire_send(queue, frames, count);
    else
        send_or_wait(queue, frames, count);
}

/* What other lanes, having no device queue of their own, want sent. */
static void outbox_send(struct port_queue *queue)
{
    struct rte_mbuf *frames[PORT_BURST_MAX];
    uint32_t count =
        rte_ring_sc_dequeue_burst(queue->port->outbox, (void **)frames, PORT_BURST_MAX, NULL);
    if (count > 0)
        send_or_wait(queue, frames, count);
}

uint32_t port_tx_flush(struct port_queue *queue, uint64_t now_ns)
{
    if (UNLIKELY(queue->announcements_left > 0))
        port_announce(queue, now_ns);
    if (UNLIKELY(queue->pending_count > 0))
        pending_send(queue);
    if (UNLIKELY(queue->port->outbox != NULL && queue->lane == 0))
        outbox_send(queue);
    return queue->pending_count;
}

uint32_t port_tx_take(struct port_queue *queue, struct frame *frames, uint32_t count)
{
    uint32_t taken = 0;
    while (taken < count) {
        struct rte_mbuf *buffers[PORT_BURST_MAX];
        uint32_t wanted = min_u32(count - taken, PORT_BURST_MAX);
        uint32_t found = port_pool_take(queue->pool, buffers, wanted);
        for (uint32_t i = 0; i < found; i++)
            frames[taken + i] = (struct frame){
                .data = rte_pktmbuf_mtod_offset(buffers[i], uint8_t *, PORT_HEADERS_BYTES),
                .capacity = port_payload_max(queue),
                .buffer = buffers[i],
            };
        taken += found;
        if (UNLIKELY(found < wanted)) {
            port_count(queue, PORT_POOL_EMPTY, 1);
            break;
        }
    }
    return taken;
}

/* Words that were just written are summed from registers: loading them back, wider than they were
 * stored, would wait for the stores. */
static void checksums_write(const struct port_queue *queue, const struct frame *frame)
{
    struct rte_mbuf *buffer = frame->buffer;
    struct packet *packet = rte_pktmbuf_mtod(buffer, struct packet *);
    const struct port *port = queue->port;
    uint32_t destination = rte_cpu_to_be_32(frame->peer.ip);
    uint64_t address_sum = (destination & UINT16_MAX) + (destination >> 16);
    uint64_t flags = 0;
    if (port->tx_offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM)
        flags |=
            RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4; /* the field is 0, as in the template */
    else
        packet->ipv4.hdr_checksum =
            checksum_of(queue->template_ip_sum + address_sum + packet->ipv4.total_length);
    uint64_t pseudo_sum = queue->template_udp_sum + address_sum + packet->udp.dgram_len;
    if (port->tx_offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) {
        flags |= RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV4;
        packet->udp.dgram_cksum = checksum_fold(pseudo_sum);
    } else {
        uint64_t header_sum = packet->udp.src_port + packet->udp.dst_port + packet->udp.dgram_len;
        packet->udp.dgram_cksum =
            checksum_of_udp(checksum_add(pseudo_sum + header_sum, frame->data, frame->bytes));
    }
    buffer->ol_flags = flags;
    buffer->l2_len = sizeof packet->ethernet;
    buffer->l3_len = sizeof packet->ipv4;
}

/* Headers before the payload, checksums over both. */
static void address(const struct port_queue *queue, const struct frame *frame, const uint8_t *mac)
{
    struct rte_mbuf *buffer = frame->buffer;
    struct packet *packet = rte_pktmbuf_mtod(buffer, struct packet *);
    uint32_t udp_bytes = frame->bytes + (uint32_t)sizeof packet->udp;
    uint32_t frame_bytes = frame->bytes + PORT_HEADERS_BYTES;
    *packet = queue->template;
    memcpy(&packet->ethernet.dst_addr, mac, PORT_MAC_BYTES);
    packet->ipv4.dst_addr = rte_cpu_to_be_32(frame->peer.ip);
    packet->ipv4.total_length = rte_cpu_to_be_16((uint16_t)(udp_bytes + sizeof packet->ipv4));
    packet->udp.dst_port = rte_cpu_to_be_16(frame->peer.port);
    if (frame->peer.source_port != 0)
        packet->udp.src_port = rte_cpu_to_be_16(frame->peer.source_port);
    packet->udp.dgram_len = rte_cpu_to_be_16((uint16_t)udp_bytes);
    if (UNLIKELY(frame_bytes < PORT_FRAME_BYTES_MIN)) { /* virtual drivers do not pad */
        memset(frame->data + frame->bytes, 0, PORT_FRAME_BYTES_MIN - frame_bytes);
        frame_bytes = PORT_FRAME_BYTES_MIN;
    }
    buffer->data_len = (uint16_t)frame_bytes;
    buffer->pkt_len = frame_bytes;
    checksums_write(queue, frame);
}

/* To our own address: no device would bring it back. */
static void send_to_self(struct port_queue *queue, const struct frame *frame)
{
    uint32_t lane = (uint32_t)frame->peer.port - queue->port->udp_port;
    if (lane >= queue->port->lane_count) {
        port_count(queue, PORT_TX_NO_LANE, 1);
        rte_pktmbuf_free(frame->buffer);
        return;
    }
    address(queue, frame, queue->port->mac.addr_bytes);
    ((struct rte_mbuf *)frame->buffer)->ol_flags =
        RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    port_hand_over(queue, lane, frame->buffer);
}

void port_tx_burst(struct port_queue *queue, struct frame *frames, uint32_t count, uint64_t now_ns)
{
    struct rte_mbuf *out[PORT_BURST_MAX];
    uint32_t out_count = 0;
    if (UNLIKELY(atomic_load_explicit(&queue->port->static_count, memory_order_relaxed) !=
                 queue->statics_seen))
        port_statics_absorb(queue);
    for (uint32_t i = 0; i < count; i++) {
        struct frame *frame = &frames[i];
        struct rte_mbuf *buffer = frame->buffer;
        ENSURE(frame->bytes <= port_payload_max(queue));
        ENSURE(buffer->pool == queue->pool &&
               frame->data == rte_pktmbuf_mtod_offset(buffer, uint8_t *, PORT_HEADERS_BYTES));
        if (UNLIKELY(frame->peer.ip == queue->port->ip)) {
            send_to_self(queue, frame);
            continue;
        }
        const uint8_t *mac = port_next_hop(queue, frame->peer.ip, now_ns);
        if (UNLIKELY(mac == NULL)) {
            rte_pktmbuf_free(buffer);
            continue;
        }
        address(queue, frame, mac);
        out[out_count++] = buffer;
        if (out_count == PORT_BURST_MAX) {
            port_transmit(queue, out, out_count);
            out_count = 0;
        }
    }
    if (out_count > 0)
        port_transmit(queue, out, out_count);
}

uint32_t port_payload_max(const struct port_queue *queue)
{
    return queue->port->mtu - (uint32_t)(sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr));
}
