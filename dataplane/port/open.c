#include "dataplane/port/capture.h"
#include "dataplane/port/checksum.h"
#include "dataplane/port/internal.h"

#include <rte_errno.h>
#include <rte_malloc.h>

#include <errno.h>

#define MTU_DEFAULT 1500u
#define MTU_MIN     576u /* what every IPv4 host must take (RFC 791) */

void port_config_defaults(struct port_config *config)
{
    *config = (struct port_config){
        .prefix_bits = 24, .lane_count = 1, .mtu = MTU_DEFAULT, .numa_node = -1};
}

static const char *config_fault(const struct port_config *config)
{
    bool ring = config->name != NULL && strcmp(config->name, "ring") == 0;
    uint32_t first_byte = config->ip >> 24;
    if (config->name == NULL || config->name[0] == '\0')
        return "it has no name: say \"ring\", a virtual device such as "
               "\"net_af_packet0,iface=dp0\", or a PCI address";
    if (ring != (config->wire != NULL))
        return "a ring port needs a wire, and no other port has one";
    if (config->lane_count == 0 || config->lane_count > PORT_LANES_MAX)
        return "lanes must be 1 to 16";
    if (config->udp_port == 0 || config->udp_port + config->lane_count - 1u > UINT16_MAX)
        return "UDP ports of all lanes must lie between 1 and 65535";
    if (config->prefix_bits == 0 || config->prefix_bits > 32)
        return "prefix must have 1 to 32 bits";
    if (first_byte == 0 || first_byte == 127 || first_byte >= 224)
        return "its IPv4 address is not one of a host";
    if (config->mtu < MTU_MIN || config->mtu > PORT_MTU_MAX)
        return "MTU must be 576 to 9600";
    if (config->mac[0] & 1)
        return "its MAC address is one of a group";
    return NULL;
}

static void template_write(struct port_queue *queue)
{
    const struct port *port = queue->port;
    struct packet *packet = &queue->template;
    packet->ethernet.src_addr = port->mac;
    packet->ethernet.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
    packet->ipv4.version_ihl = RTE_IPV4_VHL_DEF;
    packet->ipv4.fragment_offset =
        RTE_BE16(RTE_IPV4_HDR_DF_FLAG); /* nobody cuts ours, and id may stay 0 (RFC 6864) */
    packet->ipv4.time_to_live = PORT_TIME_TO_LIVE;
    packet->ipv4.next_proto_id = IPPROTO_UDP;
    packet->ipv4.src_addr = rte_cpu_to_be_32(port->ip);
    packet->udp.src_port = rte_cpu_to_be_16((uint16_t)(port->udp_port + queue->lane));
    queue->template_ip_sum = (uint32_t)checksum_add(0, &packet->ipv4, sizeof packet->ipv4);
    queue->template_udp_sum = (uint32_t)checksum_add(RTE_BE16(IPPROTO_UDP), &packet->ipv4.src_addr,
                                                     sizeof packet->ipv4.src_addr);
}

static bool queue_create(struct port *port, const struct port_config *config, uint16_t lane,
                         char error[PORT_ERROR_MAX])
{
    char name[RTE_RING_NAMESIZE];
    struct port_queue *queue =
        rte_zmalloc_socket("port_queue", sizeof *queue, CACHE_LINE_BYTES, port->numa_node);
    port->queue[lane] = queue;
    snprintf(name, sizeof name, "i%zx_%u", (size_t)port, lane);
    if (queue != NULL) {
        queue->port = port;
        queue->lane = lane;
        queue->device = port->device;
        queue->has_device_queue = lane < port->device_queues;
        queue->announcements_left = lane == 0 ? 3 : 0;
        queue->pending = rte_zmalloc_socket("port_pending", PORT_PENDING_FRAMES * sizeof(void *),
                                            CACHE_LINE_BYTES, port->numa_node);
        queue->inbox = rte_ring_create(name, PORT_RING_FRAMES, port->numa_node,
                                       RING_F_SC_DEQ | RING_F_EXACT_SZ);
    }
    if (queue == NULL || queue->pending == NULL || queue->inbox == NULL) {
        snprintf(error, PORT_ERROR_MAX, "No memory for lane %u of port %s: " PORT_MORE_MEMORY ".",
                 lane, config->name);
        return false;
    }
    if (config->capture_path != NULL) {
        queue->capture = capture_open(config->capture_path, lane);
        if (queue->capture == NULL) {
            snprintf(error, PORT_ERROR_MAX, "Can not write capture file %s.%u: %s.",
                     config->capture_path, lane, rte_strerror(errno));
            return false;
        }
    }
    return port_pool_create(port, config, lane, error);
}

static bool queues_create(struct port *port, const struct port_config *config,
                          char error[PORT_ERROR_MAX])
{
    char name[RTE_RING_NAMESIZE];
    for (uint16_t lane = 0; lane < port->lane_count; lane++)
        if (!queue_create(port, config, lane, error))
            return false;
    if (port->device_queues == port->lane_count)
        return true;
    snprintf(name, sizeof name, "o%zx", (size_t)port);
    port->outbox = rte_ring_create(name, PORT_RING_FRAMES / 2, port->numa_node,
                                   RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (port->outbox == NULL)
        snprintf(error, PORT_ERROR_MAX, "No memory for port %s: " PORT_MORE_MEMORY ".",
                 config->name);
    return port->outbox != NULL;
}

struct port *port_open(const struct port_config *config, char error[PORT_ERROR_MAX])
{
    struct port_config checked = *config;
    if (checked.mtu == 0)
        checked.mtu = MTU_DEFAULT;
    const char *fault = config_fault(&checked);
    if (fault != NULL) {
        snprintf(error, PORT_ERROR_MAX, "Port %s: %s.", checked.name == NULL ? "" : checked.name,
                 fault);
        return NULL;
    }
    struct port *port = rte_zmalloc("port", sizeof *port, CACHE_LINE_BYTES);
    if (port == NULL) {
        snprintf(error, PORT_ERROR_MAX, "No memory for port %s: " PORT_MORE_MEMORY ".",
                 checked.name);
        return NULL;
    }
    port->wire = checked.wire;
    port->lane_count = checked.lane_count;
    port->udp_port = checked.udp_port;
    port->ip = checked.ip;
    port->gateway_ip = checked.gateway_ip;
    port->network_mask = UINT32_MAX << (32 - checked.prefix_bits);
    port->numa_node = checked.numa_node;
    bool open = port_device_attach(port, &checked, error) &&
                port_device_negotiate(port, &checked, error) &&
                queues_create(port, &checked, error) && port_device_start(port, &checked, error);
    for (uint32_t lane = 0; open && lane < port->lane_count; lane++)
        template_write(port->queue[lane]);
    if (!open || (port->wire != NULL && !port_wire_attach(port->wire, port, error))) {
        (void)port_close(port);
        return NULL;
    }
    return port;
}

struct port_queue *port_queue_of(struct port *port, uint32_t lane)
{
    ENSURE(lane < port->lane_count);
    return port->queue[lane];
}

void port_detach(struct port *port)
{
    if (port->wire != NULL)
        port_wire_detach(port->wire, port);
}

static void ring_empty(struct rte_ring *ring)
{
    struct rte_mbuf *frame;
    while (ring != NULL && rte_ring_dequeue(ring, (void **)&frame) == 0)
        rte_pktmbuf_free(frame);
}

static void queue_empty(struct port *port, uint32_t lane)
{
    struct port_queue *queue = port->queue[lane];
    ring_empty(port->rx_ring[lane]);
    if (queue == NULL)
        return;
    ring_empty(queue->inbox);
    for (; queue->pending_count > 0; queue->pending_count--) {
        rte_pktmbuf_free(queue->pending[queue->pending_first]);
        queue->pending_first = (queue->pending_first + 1) % PORT_PENDING_FRAMES;
    }
}

static uint32_t queue_destroy(struct port *port, uint32_t lane)
{
    struct port_queue *queue = port->queue[lane];
    uint32_t lost = 0;
    rte_ring_free(port->rx_ring[lane]);
    if (queue == NULL)
        return 0;
    if (queue->pool != NULL)
        lost = rte_mempool_in_use_count(queue->pool);
    rte_mempool_free(queue->pool);
    rte_ring_free(queue->inbox);
    if (queue->capture != NULL)
        capture_close(queue->capture);
    rte_free(queue->pending);
    rte_free(queue);
    return lost;
}

uint32_t port_close(struct port *port)
{
    uint32_t lost = 0;
    port_detach(port);
    ring_empty(port->outbox);
    for (uint32_t lane = 0; lane < port->lane_count; lane++)
        queue_empty(port, lane);
    port_device_release(port); /* gives back what lay in the device's queues */
    if (port->wire != NULL)
        port_wire_release(port->wire, port);
    for (uint32_t lane = 0; lane < port->lane_count; lane++)
        lost += queue_destroy(port, lane);
    rte_ring_free(port->outbox);
    rte_free(port);
    return lost;
}

bool port_neighbour_set(struct port *port, uint32_t ip, const uint8_t mac[PORT_MAC_BYTES])
{
    uint32_t count = atomic_load_explicit(&port->static_count, memory_order_relaxed);
    if (count == PORT_NEIGHBOURS_STATIC_MAX)
        return false;
    port->statics[count].ip = ip;
    memcpy(port->statics[count].mac, mac, PORT_MAC_BYTES);
    atomic_store_explicit(&port->static_count, count + 1, memory_order_release);
    return true;
}

bool port_neighbour_find(const struct port_queue *queue, uint32_t ip, uint8_t mac[PORT_MAC_BYTES])
{
    const uint8_t *found = neighbour_find(&queue->neighbours, ip);
    if (found != NULL)
        memcpy(mac, found, PORT_MAC_BYTES);
    return found != NULL;
}
