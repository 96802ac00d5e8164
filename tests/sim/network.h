/* network.h: frames under way: delayed, lost, doubled, reordered, cut off. And the port on top of
 * it.
 *
 * Shape: hosts have one address and one queue each; hosts [0, nodes) are nodes, the others clients.
 *   A frame is put into a heap by its time of arrival; a node's frames then wait in its inbox until
 *   its
 *   lane polls (port.h's calls are defined here), a client's are handed to it at once.
 * Memory: buffers from a pool that grows when needed; a buffer that was given back is overwritten,
 *   so that whoever still reads it sees nonsense. Threads: one. Time: virtual.
 * Limits: INBOX_FRAMES per host, FRAMES_HELD_MAX taken and not given back per host.
 * Refusals: as a switch: dropped. Cost: O(log frames) per frame; not measured.
 */
#ifndef TESTS_SIM_NETWORK_H
#define TESTS_SIM_NETWORK_H

#include "tests/sim/world.h"

#define INBOX_FRAMES    512u
#define FRAMES_HELD_MAX 4096u
#define NODE_PORT       7000u

struct network *network_open(struct world *);
void network_close(struct network *);

/* How lane_config names a host's queue. */
struct port_queue *network_queue(struct network *, uint32_t host);
struct endpoint network_endpoint(uint32_t host);

uint64_t network_next_ns(const struct network *);
void network_deliver(struct network *); /* what is due now */

/* Clients: an empty frame, and sending it. */
void network_take(struct network *, uint32_t host, struct frame *frame);
void network_send(struct network *, uint32_t from, const struct frame *frame);
void network_return(struct network *, uint32_t host, const struct frame *frame); /* unsent */

bool network_waiting(const struct network *, uint32_t host); /* inbox is not empty */
/* After a crash: forgets the inbox. False: the lane kept frames. */
bool network_reset(struct network *, uint32_t host);

void network_cut(struct network *, uint32_t from, uint32_t to, int change); /* +1 cuts, -1 mends */

#endif
