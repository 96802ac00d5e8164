/* frame.h: what the rooms see of a packet.
 *
 * Shape: a descriptor, passed by value, of one UDP payload that lies in a buffer of the port.
 * Headers are the port's business: on receive they have been checked and stripped, on send the port
 * writes them.
 * Memory: the buffer belongs to whoever holds the descriptor; it goes back by port_tx_burst or
 * port_frame_free, exactly once. Threads: one holder at a time; may be handed to another core over
 * a ring.
 * Time: none. Limits: bytes <= capacity <= 65,507. Refusals: none. Cost: none.
 */
#ifndef DATAPLANE_PORT_FRAME_H
#define DATAPLANE_PORT_FRAME_H

#include "numa/base/types.h"

/* The other side. ip 0 stands for a local duct (duct.h); `port` is then its number. */
struct endpoint {
    uint32_t ip;          /* host order                                                       */
    uint16_t port;        /* UDP port of the other side                                       */
    uint16_t source_port; /* send: our source port, 0: the queue's own; receive: ours it hit  */
};

struct frame {
    uint8_t *data;
    uint32_t bytes;
    uint32_t capacity;
    struct endpoint peer;
    void *buffer; /* the port's */
};

#endif
