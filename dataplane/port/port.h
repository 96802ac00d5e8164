/* port.h: the five calls that a polling core makes, whatever lies underneath.
 *
 * Shape: a port is a NIC or its stand-in (open.h says how one is opened and wired); a queue is one
 * receive and one transmit queue of it, polled by one core. ARP is resolved and answered, ICMP echo
 * is answered, IPv4 and UDP checksums are made and verified, inside these calls. The simulator
 * links its own five.
 *
 * Memory: buffers come from the queue's pool, on the port's NUMA node. Threads: one core per queue.
 * Time: `now_ns` of the caller's monotonic clock; used for ARP only.
 * Limits: PORT_BURST_MAX frames a call. Refusals: counters in port_events.def, read by
 * port_counters.
 * Cost: see docs; measured: not measured.
 */
#ifndef DATAPLANE_PORT_PORT_H
#define DATAPLANE_PORT_PORT_H

#include "dataplane/port/frame.h"

#define PORT_BURST_MAX 64u

struct port_queue;

enum port_event {
#define PORT_EVENT(name, sentence) PORT_##name,
#include "dataplane/port/port_events.def"
#undef PORT_EVENT
    PORT_EVENT_COUNT
};

/* Up to `count` UDP payloads for us; what was answered (ARP, echo) or refused on the way is not
 * among them. */
uint32_t port_rx_burst(struct port_queue *queue, struct frame *frames, uint32_t count,
                       uint64_t now_ns);

/* Empty frames to fill: data, capacity and buffer are set, bytes is 0. Fewer than `count` when the
 * pool runs low (counted). */
uint32_t port_tx_take(struct port_queue *queue, struct frame *frames, uint32_t count);

/* Sends data[0, bytes) to frame.peer. Frames are those of port_tx_take on this queue; received ones
 * are only freed. To our own address: comes in at the lane of that port. Takes every frame: what
 * the port can not take now waits in one ring's worth of room, beyond that the oldest is dropped
 * and counted; the protocols repair loss. */
void port_tx_burst(struct port_queue *queue, struct frame *frames, uint32_t count, uint64_t now_ns);

/* Tries again what waits; once per loop turn. Returns how many frames the device has still not
 * taken. */
uint32_t port_tx_flush(struct port_queue *queue, uint64_t now_ns);

void port_frame_free(struct port_queue *queue, const struct frame *frames, uint32_t count);

/* Largest UDP payload without IP fragmentation: MTU - 28. */
uint32_t port_payload_max(const struct port_queue *queue);

/* PORT_EVENT_COUNT counters; single writer, read relaxed by anybody. */
const uint64_t *port_counters(const struct port_queue *queue);
const char *port_event_name(enum port_event event);
const char *port_event_sentence(enum port_event event);

#endif
