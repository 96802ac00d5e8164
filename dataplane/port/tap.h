/* tap.h: raw frames in and out, for tests: what a foreign machine says and hears.
 *
 * Shape: bytes in, bytes out, nothing is answered. A tap sits on a ring wire under a MAC address of
 * its own, or it is the far end of a device that it makes: an Ethernet device over two rings, to be
 * opened as "net_ring_NAME", with as many transmit places as the test wants.
 * Memory: DPDK's heap. Threads: one. Time: none. Limits: frames up to 2,048 bytes, 1,535 waiting.
 * Frames from a tap bear no word about their checksums, so the receiver verifies them.
 * Refusals: send says whether somebody got it. Cost: irrelevant.
 */
#ifndef DATAPLANE_PORT_TAP_H
#define DATAPLANE_PORT_TAP_H

#include "dataplane/port/open.h"

struct port_tap;

/* NULL: no place. */
struct port_tap *port_tap_on_wire(struct port_wire *wire, const uint8_t mac[PORT_MAC_BYTES]);

/* Device "net_ring_NAME" with `queues` pairs; each transmit queue takes `tx_places` frames, then is
 * full until the tap receives. Close the port on it first. NULL: not possible. */
struct port_tap *port_tap_with_device(const char *name, uint32_t queues, uint32_t tx_places);

/* `queue` of a device; 0 on a wire. `split`: as two chained buffers, the first of that many bytes;
 * 0: one. */
bool port_tap_send(struct port_tap *tap, uint32_t queue, const uint8_t *bytes, uint32_t count,
                   uint32_t split);
uint32_t port_tap_receive(struct port_tap *tap, uint32_t queue, uint8_t *bytes,
                          uint32_t capacity); /* 0: none */
void port_tap_close(struct port_tap *tap);

#endif
