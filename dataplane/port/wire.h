/* wire.h: the switch inside a process: places with a MAC address, each a set of rings and pools.
 *
 * Shape: a frame is delivered by copying it into a buffer of the receiver's pool and putting that
 * into the receiver's ring, so no two nodes ever hold the same memory, and a slow receiver costs
 * the sender nothing.
 *
 *   sender's burst ─ group by (place, lane) ─► bulk take from its pool ─ copy ─► one ring enqueue
 *
 * Memory: the places lie in the wire; rings and pools belong to who attached them. Threads: senders
 * on any core; attach, detach and release from one control thread. A place's MAC word is written
 * last and cleared first; what it guards is not touched again before port_wire_release, which
 * follows a grace period (open.h).
 * Time: none. Limits: PORT_WIRE_PORTS_MAX places; broadcasts reach lane 0 of each. Refusals: the
 * tally.
 * Cost: per frame one copy, per burst and receiver one multi-producer enqueue; not measured.
 */
#ifndef DATAPLANE_PORT_WIRE_H
#define DATAPLANE_PORT_WIRE_H

#include "dataplane/port/internal.h"

struct port_wire_place {
    struct rte_ring *ring[PORT_LANES_MAX];
    struct rte_mempool *pool[PORT_LANES_MAX];
    uint32_t frame_bytes_max; /* MTU and Ethernet header */
    uint16_t udp_port;
    uint16_t lane_count;
    bool taken; /* control thread's */
};

struct port_wire_tally {
    uint32_t sent;
    uint32_t no_receiver;
    uint32_t too_long;
    uint32_t pool_empty;
    uint32_t ring_full;
};

/* NULL: no place is left, or the MAC address is taken. */
struct port_wire_place *port_wire_place_take(struct port_wire *wire,
                                             const uint8_t mac[PORT_MAC_BYTES],
                                             const struct port_wire_place *what);
void port_wire_place_hide(struct port_wire *wire, const uint8_t mac[PORT_MAC_BYTES]);
void port_wire_place_release(struct port_wire_place *place);

/* Copies; the frames stay the caller's. rx_flags is what the receiver reads of checksums. count <=
 * PORT_BURST_MAX. */
void port_wire_deliver(struct port_wire *wire, struct rte_mbuf *const *frames, uint32_t count,
                       uint64_t rx_flags, struct port_wire_tally *tally);

#endif
