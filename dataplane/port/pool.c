#include "dataplane/port/internal.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf_pool_ops.h>

#define HELD_FRAMES_DEFAULT 1024u
/* What a frame costs beside its bytes: mbuf, the pool's object header and alignment, its place in
 * the pool's ring. */
#define FRAME_OVERHEAD_BYTES 288u
/* What a pool costs beside its frames: itself, and a cache for every core that EAL could ever
 * have. */
#define POOL_OVERHEAD_BYTES                                                                        \
    (sizeof(struct rte_mempool) + RTE_MAX_LCORE * sizeof(struct rte_mempool_cache) + 4096)

/* The sum of everybody who can hold a frame of one lane's pool at the same time. `lanes_fed` counts
 * the lanes whose frames come out of this pool: more than one where lane 0 receives for others. */
static uint32_t frames_of_lane(const struct port_config *config, uint32_t rx_descriptors,
                               uint32_t tx_descriptors, uint32_t lanes_fed)
{
    uint32_t held = config->held_frames == 0 ? HELD_FRAMES_DEFAULT : config->held_frames;
    uint32_t cores = config->core_count == 0 ? rte_lcore_count() : config->core_count;
    uint32_t frames = 0;
    frames += rx_descriptors;      /* the device's receive queue, or the ring of a ring port */
    frames += tx_descriptors;      /* the device's transmit queue, until it reports them sent */
    frames += PORT_PENDING_FRAMES; /* frames that wait for the device */
    frames += lanes_fed * PORT_RING_FRAMES;           /* inboxes: handed over, not yet looked at */
    frames += (lanes_fed - 1) * PORT_RING_FRAMES / 2; /* the outbox, if others send through us */
    frames += lanes_fed * held;                       /* the rooms between port calls */
    frames += 2 * PORT_BURST_MAX; /* one burst on its way in, one on its way out */
    frames +=
        cores * PORT_CACHE_FRAMES * 3 / 2; /* each core's cache of this pool, at its fullest */
    return frames;
}

uint32_t port_pool_frames(const struct port *port, const struct port_config *config, uint32_t lane)
{
    uint32_t strays = port->lane_count - port->device_queues;
    return frames_of_lane(config, port->rx_descriptors, port->tx_descriptors,
                          lane == 0 ? 1 + strays : 1);
}

static uint32_t data_bytes(uint32_t mtu)
{
    /* Some devices count their buffers in units of 1 KiB, so the smallest room for data is 2
     * KiB. */
    uint32_t bytes = mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + 2 * RTE_VLAN_HLEN;
    return RTE_PKTMBUF_HEADROOM + (bytes <= 2048 ? 2048 : (uint32_t)round_up(bytes, 1024));
}

uint64_t port_memory_bytes(const struct port_config *config)
{
    uint64_t frames = 0;
    bool ring = strcmp(config->name, "ring") == 0;
    for (uint32_t lane = 0; lane < config->lane_count; lane++)
        frames +=
            frames_of_lane(config, ring ? PORT_RING_FRAMES : PORT_DESCRIPTORS,
                           ring ? 0 : PORT_DESCRIPTORS, ring || lane > 0 ? 1 : config->lane_count);
    uint64_t rings = (uint64_t)config->lane_count * 6 * PORT_RING_FRAMES * sizeof(void *);
    uint64_t pools = config->lane_count * POOL_OVERHEAD_BYTES;
    uint64_t queues = (uint64_t)config->lane_count *
                      (sizeof(struct port_queue) + PORT_PENDING_FRAMES * sizeof(void *));
    return frames * (data_bytes(config->mtu) + FRAME_OVERHEAD_BYTES) + pools + rings + queues +
           sizeof(struct port);
}

/* As rte_pktmbuf_pool_create, but without hugepages the objects lie back to back. By default each
 * would get a page of its own: twice the memory, and every header in the same few sets of the
 * first-level cache. Objects of such a pool have no IO address, which no device that does DMA can
 * be given: those need hugepages anyway. */
static struct rte_mempool *pool_create(const char *name, uint32_t frames, uint32_t room_bytes,
                                       int numa_node)
{
    struct rte_pktmbuf_pool_private what = {.mbuf_data_room_size = (uint16_t)room_bytes};
    unsigned flags = rte_eal_has_hugepages() ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG;
    struct rte_mempool *pool =
        rte_mempool_create_empty(name, frames, (unsigned)sizeof(struct rte_mbuf) + room_bytes,
                                 PORT_CACHE_FRAMES, sizeof what, numa_node, flags);
    if (pool == NULL)
        return NULL;
    int code = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);
    if (code == 0) {
        rte_pktmbuf_pool_init(pool, &what);
        code = rte_mempool_populate_default(pool);
    }
    if (code < 0) {
        rte_mempool_free(pool);
        rte_errno = -code;
        return NULL;
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
    return pool;
}

bool port_pool_create(struct port *port, const struct port_config *config, uint32_t lane,
                      char error[PORT_ERROR_MAX])
{
    char name[RTE_MEMPOOL_NAMESIZE];
    uint32_t frames = port_pool_frames(port, config, lane);
    snprintf(name, sizeof name, "q%zx_%u", (size_t)port, lane);
    struct rte_mempool *pool = pool_create(name, frames, data_bytes(port->mtu), port->numa_node);
    port->queue[lane]->pool = pool;
    if (pool == NULL)
        snprintf(error, PORT_ERROR_MAX,
                 "No memory for %u frames of port %s (%s), %" PRIu64
                 " MiB more are needed: " PORT_MORE_MEMORY ".",
                 frames, config->name, rte_strerror(rte_errno),
                 (port_memory_bytes(config) >> 20) + 1);
    return pool != NULL;
}

uint32_t port_pool_take(struct rte_mempool *pool, struct rte_mbuf **frames, uint32_t count)
{
    if (LIKELY(rte_pktmbuf_alloc_bulk(pool, frames, count) == 0))
        return count;
    uint32_t taken = 0; /* the bulk call is all or nothing */
    while (taken < count && (frames[taken] = rte_pktmbuf_alloc(pool)) != NULL)
        taken++;
    return taken;
}
