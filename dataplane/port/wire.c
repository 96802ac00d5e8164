#include "dataplane/port/wire.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

/* An mbuf, its headroom, and the headers and payload of a small frame. */
#define PREFETCH_LINES 7u

#define MAC_MASK UINT64_C(0xffffffffffff)

struct port_wire {
    _Atomic uint64_t
        mac[PORT_WIRE_PORTS_MAX]; /* as eight bytes are loaded; 0: nobody is heard here */
    struct port_wire_place place[PORT_WIRE_PORTS_MAX];
};

/* What one frame, or a run of frames, is for. */
struct target {
    uint16_t place;
    uint16_t lane;
};
#define TARGET_NOBODY    UINT16_MAX
#define TARGET_EVERYBODY (UINT16_MAX - 1)

struct port_wire *port_wire_create(char error[PORT_ERROR_MAX])
{
    struct port_wire *wire = rte_zmalloc("port_wire", sizeof *wire, CACHE_LINE_BYTES);
    if (wire == NULL)
        snprintf(error, PORT_ERROR_MAX, "No memory for the ring wire: " PORT_MORE_MEMORY ".");
    return wire;
}

void port_wire_destroy(struct port_wire *wire)
{
    for (uint32_t i = 0; i < PORT_WIRE_PORTS_MAX; i++)
        ENSURE(!wire->place[i].taken);
    rte_free(wire);
}

static uint64_t mac_word(const uint8_t mac[PORT_MAC_BYTES])
{
    uint64_t word = 0;
    memcpy(&word, mac, PORT_MAC_BYTES);
    return word;
}

/* Addresses made from IPv4 addresses differ in their last byte first. */
static uint32_t place_guess(uint64_t mac)
{
    return (uint32_t)(mac >> 40) % PORT_WIRE_PORTS_MAX;
}

static uint16_t place_find(struct port_wire *wire, uint64_t mac)
{
    uint32_t guess = place_guess(mac);
    for (uint32_t i = 0; i < PORT_WIRE_PORTS_MAX; i++) {
        uint32_t place = (guess + i) % PORT_WIRE_PORTS_MAX;
        if (atomic_load_explicit(&wire->mac[place], memory_order_acquire) == mac)
            return (uint16_t)place;
    }
    return TARGET_NOBODY;
}

struct port_wire_place *port_wire_place_take(struct port_wire *wire,
                                             const uint8_t mac[PORT_MAC_BYTES],
                                             const struct port_wire_place *what)
{
    uint64_t word = mac_word(mac);
    if (place_find(wire, word) != TARGET_NOBODY)
        return NULL;
    for (uint32_t i = 0; i < PORT_WIRE_PORTS_MAX; i++) {
        uint32_t index = (place_guess(word) + i) % PORT_WIRE_PORTS_MAX;
        struct port_wire_place *place = &wire->place[index];
        if (place->taken)
            continue;
        *place = *what;
        place->taken = true;
        atomic_store_explicit(&wire->mac[index], word, memory_order_release);
        return place;
    }
    return NULL;
}

void port_wire_place_hide(struct port_wire *wire, const uint8_t mac[PORT_MAC_BYTES])
{
    uint16_t place = place_find(wire, mac_word(mac));
    if (place != TARGET_NOBODY)
        atomic_store_explicit(&wire->mac[place], 0, memory_order_release);
}

void port_wire_place_release(struct port_wire_place *place)
{
    *place = (struct port_wire_place){0};
}

static struct target target_of(struct port_wire *wire, const struct rte_mbuf *frame)
{
    const struct packet *packet = rte_pktmbuf_mtod(frame, const struct packet *);
    if (UNLIKELY(packet->ethernet.dst_addr.addr_bytes[0] & 1))
        return (struct target){.place = TARGET_EVERYBODY};
    struct target target = {.place = place_find(wire, load_u64(packet) & MAC_MASK)};
    if (LIKELY(target.place != TARGET_NOBODY &&
               packet->ethernet.ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
               packet->ipv4.next_proto_id == IPPROTO_UDP && frame->data_len >= sizeof *packet)) {
        const struct port_wire_place *place = &wire->place[target.place];
        uint32_t lane = (uint32_t)rte_be_to_cpu_16(packet->udp.dst_port) - place->udp_port;
        if (lane < place->lane_count)
            target.lane = (uint16_t)lane;
    }
    return target;
}

/* Buffers of another core's pool are in that core's cache: the next one to be taken is fetched
 * ahead of its use. */
static void prefetch_next(struct rte_mempool *pool)
{
    const struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());
    if (UNLIKELY(cache == NULL || cache->len == 0))
        return;
    uint8_t *buffer = cache->objs[cache->len - 1];
    for (uint32_t line = 0; line < PREFETCH_LINES; line++)
        __builtin_prefetch(buffer + line * CACHE_LINE_BYTES, 1);
}

/* A run of frames for one ring. */
static void place_deliver(const struct port_wire_place *place, uint32_t lane,
                          struct rte_mbuf *const *frames, uint32_t count, uint64_t rx_flags,
                          struct port_wire_tally *tally)
{
    struct rte_mbuf *copies[PORT_BURST_MAX];
    uint32_t room = port_pool_take(place->pool[lane], copies, count);
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct rte_mbuf *frame = frames[i];
        if (UNLIKELY(frame->data_len > place->frame_bytes_max)) {
            tally->too_long++;
            continue;
        }
        if (UNLIKELY(used == room)) {
            tally->pool_empty++;
            continue;
        }
        struct rte_mbuf *copy = copies[used++];
        memcpy(rte_pktmbuf_mtod(copy, void *), rte_pktmbuf_mtod(frame, void *), frame->data_len);
        copy->data_len = frame->data_len;
        copy->pkt_len = frame->data_len;
        copy->ol_flags = rx_flags;
    }
    uint32_t sent = rte_ring_mp_enqueue_burst(place->ring[lane], (void *const *)copies, used, NULL);
    prefetch_next(place->pool[lane]);
    tally->sent += sent;
    tally->ring_full += used - sent;
    if (UNLIKELY(sent < room))
        rte_pktmbuf_free_bulk(copies + sent, room - sent);
}

static void broadcast(struct port_wire *wire, struct rte_mbuf *frame, uint64_t rx_flags,
                      struct port_wire_tally *tally)
{
    uint64_t source =
        load_u64(rte_pktmbuf_mtod(frame, const struct packet *)->ethernet.src_addr.addr_bytes) &
        MAC_MASK;
    for (uint32_t i = 0; i < PORT_WIRE_PORTS_MAX; i++) {
        uint64_t mac = atomic_load_explicit(&wire->mac[i], memory_order_acquire);
        if (mac != 0 && mac != source)
            place_deliver(&wire->place[i], 0, &frame, 1, rx_flags, tally);
    }
}

void port_wire_deliver(struct port_wire *wire, struct rte_mbuf *const *frames, uint32_t count,
                       uint64_t rx_flags, struct port_wire_tally *tally)
{
    struct target target[PORT_BURST_MAX];
    ENSURE(count <= PORT_BURST_MAX);
    for (uint32_t i = 0; i < count; i++)
        target[i] = target_of(wire, frames[i]);
    /* A node's burst goes to its peers in turn, so runs are gathered over the whole burst; order
     * within one receiver is kept. */
    uint64_t waiting = count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
    while (waiting != 0) {
        struct rte_mbuf *run[PORT_BURST_MAX];
        uint32_t run_count = 0;
        struct target now = target[__builtin_ctzll(waiting)];
        for (uint64_t rest = waiting; rest != 0; rest &= rest - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(rest);
            if (target[i].place != now.place || target[i].lane != now.lane)
                continue;
            run[run_count++] = frames[i];
            waiting &= ~(UINT64_C(1) << i);
        }
        if (UNLIKELY(now.place == TARGET_NOBODY))
            tally->no_receiver += run_count;
        else if (UNLIKELY(now.place == TARGET_EVERYBODY))
            for (uint32_t i = 0; i < run_count; i++)
                broadcast(wire, run[i], rx_flags, tally);
        else
            place_deliver(&wire->place[now.place], now.lane, run, run_count, rx_flags, tally);
    }
}
_Static_assert(PORT_BURST_MAX == 64, "a burst is one word of bits");

void port_wire_send(struct port_queue *queue, struct rte_mbuf **frames, uint32_t count)
{
    struct port_wire_tally tally = {0};
    port_wire_deliver(queue->port->wire, frames, count,
                      RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD, &tally);
    rte_pktmbuf_free_bulk(frames, count);
    port_count(queue, PORT_TX_SENT, tally.sent);
    if (LIKELY(tally.sent == count))
        return;
    port_count(queue, PORT_WIRE_NO_RECEIVER, tally.no_receiver);
    port_count(queue, PORT_WIRE_TOO_LONG, tally.too_long);
    port_count(queue, PORT_WIRE_POOL_EMPTY, tally.pool_empty);
    port_count(queue, PORT_WIRE_RING_FULL, tally.ring_full);
}

bool port_wire_attach(struct port_wire *wire, struct port *port, char error[PORT_ERROR_MAX])
{
    struct port_wire_place what = {
        .frame_bytes_max = port->mtu + (uint32_t)sizeof(struct rte_ether_hdr),
        .udp_port = port->udp_port,
        .lane_count = port->lane_count,
    };
    for (uint32_t lane = 0; lane < port->lane_count; lane++) {
        what.ring[lane] = port->rx_ring[lane];
        what.pool[lane] = port->queue[lane]->pool;
    }
    port->place = port_wire_place_take(wire, port->mac.addr_bytes, &what);
    if (port->place == NULL)
        snprintf(
            error, PORT_ERROR_MAX,
            "The ring wire has no place for this port: its address is taken, or all %u places are: "
            "give each node an address of its own.",
            PORT_WIRE_PORTS_MAX);
    return port->place != NULL;
}

void port_wire_detach(struct port_wire *wire, struct port *port)
{
    if (port->place != NULL)
        port_wire_place_hide(wire, port->mac.addr_bytes);
}

void port_wire_release(struct port_wire *wire, struct port *port)
{
    (void)wire;
    if (port->place != NULL)
        port_wire_place_release(port->place);
    port->place = NULL;
}
