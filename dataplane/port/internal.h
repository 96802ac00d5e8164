/* internal.h: what the files of this folder share: the insides of a port and of a queue.
 *
 * Shape: a queue owns everything that its lane touches; the port holds what is agreed once and only
 * read later.
 *
 *   device queue ──► inspect ─┬─► frames for the lane        wire, device queue, or lane 0's outbox
 *   inbox ────────►           ├─► ARP: learn, answer, tell          ▲
 *     ▲                       ├─► ping: answer ──────────► transmit ┤
 *     │                       └─► another lane's inbox              │
 *     other lanes, ourselves      frames ─► address, checksum ──────┘ (pending: what was not taken)
 *
 * Memory: rte_zmalloc on the port's NUMA node. Threads: as open.h says; static neighbours and the
 * rings are the only things two threads touch. Time, limits, refusals: port.h. Cost: port.h.
 */
#ifndef DATAPLANE_PORT_INTERNAL_H
#define DATAPLANE_PORT_INTERNAL_H

#include "dataplane/port/neighbour.h"
#include "dataplane/port/open.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"

#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_udp.h>

#include <stdatomic.h>

#define PORT_HEADERS_BYTES   42u /* Ethernet 14, IPv4 20, UDP 8 */
#define PORT_FRAME_BYTES_MIN 60u /* Ethernet's minimum without the check sequence */
#define PORT_RING_FRAMES     1024u
#define PORT_PENDING_FRAMES  512u
#define PORT_DESCRIPTORS     512u
#define PORT_CACHE_FRAMES    256u
#define PORT_RSS_KEY_MAX     64u
#define PORT_RSS_TABLE_MAX   2048u
#define PORT_TIME_TO_LIVE    64u
/* What somebody can do who has only a configuration file. */
#define PORT_MORE_MEMORY "give EAL more, [host] eal = -m MIB, or lower mtu or lanes"

struct packet {
    struct rte_ether_hdr ethernet;
    struct rte_ipv4_hdr ipv4;
    struct rte_udp_hdr udp;
};
_Static_assert(sizeof(struct packet) == PORT_HEADERS_BYTES, "payload follows the headers at once");

struct capture;

struct port_queue {
    struct port *port;
    struct rte_mempool *pool;
    struct rte_ring *inbox;  /* from other lanes, or from ourselves */
    struct capture *capture; /* NULL: nothing is written */
    uint16_t lane;
    uint16_t device;
    bool has_device_queue; /* else lane 0 receives and sends for us */
    bool inbox_first;
    uint32_t announcements_left;
    uint64_t announce_at_ns;

    /* Frames that wait for the device, oldest at `pending_first`. */
    uint32_t pending_first;
    uint32_t pending_count;
    struct rte_mbuf **pending; /* PORT_PENDING_FRAMES */

    struct packet template; /* what every frame of ours has in common */
    uint32_t template_ip_sum;
    uint32_t template_udp_sum;
    struct neighbour_table neighbours;
    uint32_t statics_seen;

    CACHE_ALIGNED uint64_t counters[PORT_EVENT_COUNT];
} CACHE_ALIGNED;

struct port_static_neighbour {
    uint32_t ip;
    uint8_t mac[PORT_MAC_BYTES];
};

struct port {
    struct port_wire *wire; /* NULL: a device */
    struct port_wire_place *place;
    struct port_queue *queue[PORT_LANES_MAX];
    struct rte_ring *rx_ring[PORT_LANES_MAX]; /* ring port only */
    struct rte_ring *outbox;                  /* from lanes without a device queue to lane 0 */
    uint16_t device;
    bool device_exists;
    bool device_started;
    bool unfinished_ok; /* the driver takes frames from a kernel of this machine */
    uint16_t lane_count;
    uint16_t device_queues;
    uint16_t udp_port;
    uint16_t mtu;
    uint16_t rx_descriptors;
    uint16_t tx_descriptors;
    uint32_t ip;
    uint32_t network_mask;
    uint32_t gateway_ip;
    struct rte_ether_addr mac;
    uint64_t rx_offloads;
    uint64_t tx_offloads;
    int numa_node;
    bool promiscuous;
    enum port_steering steering;
    uint8_t rss_key[PORT_RSS_KEY_MAX];
    uint8_t rss_key_bytes;
    uint16_t rss_table_entries;
    uint16_t rss_table[PORT_RSS_TABLE_MAX]; /* hash & (entries - 1) ─► device queue */
    char name[64];                          /* the device's */
    char bus[8];
    char driver[32];

    _Atomic uint32_t static_count; /* rises after its entry is written */
    struct port_static_neighbour statics[PORT_NEIGHBOURS_STATIC_MAX];
};

/* One writer; others look without order. */
static inline void port_count(struct port_queue *queue, enum port_event event, uint64_t count)
{
    uint64_t *counter = &queue->counters[event];
    __atomic_store_n(counter, *counter + count, __ATOMIC_RELAXED);
}

/* transmit.c: takes all; what the device does not take waits. */
void port_transmit(struct port_queue *queue, struct rte_mbuf **frames, uint32_t count);
/* An inbox takes it, or it is dropped and counted at `from`. */
void port_hand_over(struct port_queue *from, uint32_t lane, struct rte_mbuf *frame);

/* pool.c */
uint32_t port_pool_frames(const struct port *port, const struct port_config *config, uint32_t lane);
bool port_pool_create(struct port *port, const struct port_config *config, uint32_t lane,
                      char error[PORT_ERROR_MAX]);
/* As many as there are; the shortfall is not counted here. */
uint32_t port_pool_take(struct rte_mempool *pool, struct rte_mbuf **frames, uint32_t count);

/* answer.c: both own the frame from here on. */
void port_arp(struct port_queue *queue, struct rte_mbuf *frame, bool from_inbox, uint64_t now_ns);
void port_echo(struct port_queue *queue, struct rte_mbuf *frame);
/* Where frames to `ip` go, or NULL: counted, asked for. */
const uint8_t *port_next_hop(struct port_queue *queue, uint32_t ip, uint64_t now_ns);
void port_announce(struct port_queue *queue, uint64_t now_ns);
void port_statics_absorb(struct port_queue *queue);

/* device.c, steering.c */
bool port_device_attach(struct port *port, const struct port_config *config,
                        char error[PORT_ERROR_MAX]);
bool port_device_negotiate(struct port *port, const struct port_config *config,
                           char error[PORT_ERROR_MAX]);
bool port_device_start(struct port *port, const struct port_config *config,
                       char error[PORT_ERROR_MAX]);
void port_device_release(struct port *port);
void port_rss_prepare(struct port *port, const struct rte_eth_dev_info *info,
                      struct rte_eth_conf *conf);
void port_steering_settle(struct port *port);

/* wire.c */
bool port_wire_attach(struct port_wire *wire, struct port *port, char error[PORT_ERROR_MAX]);
void port_wire_detach(struct port_wire *wire, struct port *port);
void port_wire_release(struct port_wire *wire, struct port *port);
void port_wire_send(struct port_queue *queue, struct rte_mbuf **frames, uint32_t count);

/* 02:51 (locally administered) and the IPv4 address. */
static inline void port_mac_from_ip(uint32_t ip, uint8_t mac[PORT_MAC_BYTES])
{
    mac[0] = 0x02;
    mac[1] = 0x51;
    for (int i = 0; i < 4; i++)
        mac[2 + i] = (uint8_t)(ip >> (24 - 8 * i));
}

#endif
