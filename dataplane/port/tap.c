#include "dataplane/port/tap.h"

#include "dataplane/port/wire.h"

#include <rte_dev.h>
#include <rte_eth_ring.h>
#include <rte_malloc.h>

#define TAP_FRAMES      1535u
#define TAP_FRAME_BYTES 2048u

struct port_tap {
    struct port_wire *wire;
    struct port_wire_place *place;
    uint32_t queues;
    struct rte_ring *to[PORT_LANES_MAX];   /* what the device receives */
    struct rte_ring *from[PORT_LANES_MAX]; /* what it sends, or what the wire brings */
    struct rte_mempool *pool;
    uint8_t mac[PORT_MAC_BYTES];
    char device[64];
};

static struct rte_ring *ring_create(const struct port_tap *tap, char kind, uint32_t queue,
                                    uint32_t places)
{
    char name[RTE_RING_NAMESIZE];
    snprintf(name, sizeof name, "%c%zx_%u", kind, (size_t)tap, queue);
    return rte_ring_create(name, places, SOCKET_ID_ANY, RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

static struct port_tap *tap_create(uint32_t queues, uint32_t places)
{
    char name[RTE_MEMPOOL_NAMESIZE];
    struct port_tap *tap = rte_zmalloc("port_tap", sizeof *tap, CACHE_LINE_BYTES);
    ENSURE(tap != NULL && queues >= 1 && queues <= PORT_LANES_MAX);
    snprintf(name, sizeof name, "t%zx", (size_t)tap);
    tap->pool = rte_pktmbuf_pool_create(name, TAP_FRAMES, 0, 0,
                                        RTE_PKTMBUF_HEADROOM + TAP_FRAME_BYTES, SOCKET_ID_ANY);
    tap->queues = queues;
    for (uint32_t i = 0; i < queues; i++) {
        tap->to[i] = ring_create(tap, 'a', i, TAP_FRAMES);
        tap->from[i] = ring_create(tap, 'b', i, places);
        ENSURE(tap->to[i] != NULL && tap->from[i] != NULL && tap->pool != NULL);
    }
    return tap;
}

struct port_tap *port_tap_on_wire(struct port_wire *wire, const uint8_t mac[PORT_MAC_BYTES])
{
    struct port_tap *tap = tap_create(1, TAP_FRAMES);
    struct port_wire_place what = {.ring = {tap->from[0]},
                                   .pool = {tap->pool},
                                   .frame_bytes_max = TAP_FRAME_BYTES,
                                   .lane_count = 1};
    tap->wire = wire;
    memcpy(tap->mac, mac, PORT_MAC_BYTES);
    tap->place = port_wire_place_take(wire, mac, &what);
    if (tap->place == NULL) {
        port_tap_close(tap);
        return NULL;
    }
    return tap;
}

struct port_tap *port_tap_with_device(const char *name, uint32_t queues, uint32_t tx_places)
{
    struct port_tap *tap = tap_create(queues, tx_places);
    snprintf(tap->device, sizeof tap->device, "net_ring_%s", name);
    if (rte_eth_from_rings(name, tap->to, queues, tap->from, queues, (unsigned)SOCKET_ID_ANY) < 0) {
        port_tap_close(tap);
        return NULL;
    }
    return tap;
}

static struct rte_mbuf *buffer_of(struct port_tap *tap, const uint8_t *bytes, uint32_t count)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(tap->pool);
    ENSURE(frame != NULL && count <= TAP_FRAME_BYTES);
    memset(rte_pktmbuf_mtod(frame, void *), 0,
           PORT_FRAME_BYTES_MIN); /* a short frame ends in nothing */
    memcpy(rte_pktmbuf_mtod(frame, void *), bytes, count);
    frame->data_len = (uint16_t)count;
    frame->pkt_len = count;
    return frame;
}

bool port_tap_send(struct port_tap *tap, uint32_t queue, const uint8_t *bytes, uint32_t count,
                   uint32_t split)
{
    struct rte_mbuf *frame = buffer_of(tap, bytes, split == 0 ? count : split);
    if (split != 0)
        ENSURE(rte_pktmbuf_chain(frame, buffer_of(tap, bytes + split, count - split)) == 0);
    if (tap->wire == NULL && rte_ring_enqueue(tap->to[queue], frame) == 0)
        return true;
    struct port_wire_tally tally = {0};
    if (tap->wire != NULL)
        port_wire_deliver(tap->wire, &frame, 1, 0, &tally);
    rte_pktmbuf_free(frame);
    return tally.sent > 0;
}

uint32_t port_tap_receive(struct port_tap *tap, uint32_t queue, uint8_t *bytes, uint32_t capacity)
{
    struct rte_mbuf *frame;
    if (rte_ring_dequeue(tap->from[queue], (void **)&frame) != 0)
        return 0;
    uint32_t count = min_u32(frame->data_len, capacity);
    memcpy(bytes, rte_pktmbuf_mtod(frame, void *), count);
    rte_pktmbuf_free(frame);
    return count;
}

void port_tap_close(struct port_tap *tap)
{
    uint8_t nothing[1];
    if (tap->place != NULL) {
        port_wire_place_hide(tap->wire, tap->mac);
        port_wire_place_release(tap->place);
    }
    uint16_t device;
    if (tap->device[0] != '\0' &&
        rte_eth_dev_get_port_by_name(tap->device, &device) == 0) /* never opened */
        (void)rte_eal_hotplug_remove("vdev", tap->device);
    for (uint32_t i = 0; i < tap->queues; i++) {
        while (port_tap_receive(tap, i, nothing, 0) > 0 || rte_ring_count(tap->from[i]) > 0)
            ;
        rte_ring_free(tap->to[i]);
        rte_ring_free(tap->from[i]);
    }
    rte_mempool_free(tap->pool);
    rte_free(tap);
}
