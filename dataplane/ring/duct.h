/* duct.h: frames between a polling core and a thread that is allowed to sleep (the RESP edge).
 *
 * Shape: two rings of struct frame over a pool of buffers of its own, one in each direction. Each
 * direction's buffers return over a third and fourth ring, so no side allocates. The lane's rx room
 * polls ducts after its port; a frame whose peer.ip is 0 leaves by the duct numbered peer.port. A
 * duct carries `peer` as its sender filled it. Frames that were taken and not sent are given back
 * by duct_free, like received ones.
 *
 *    edge  take ─ fill ─ send ═══► receive ─ free   lane
 *          free ─ receive ◄═══ send ─ fill ─ take
 *
 * Memory: the caller's region, duct_footprint bytes. Threads: one on each side. Time: none.
 * Limits: `frames` per direction, a power of two; payload_bytes each.
 * Refusals: take returns fewer when the other side is slow. Cost: two ring moves a frame; not
 * measured.
 */
#ifndef DATAPLANE_RING_DUCT_H
#define DATAPLANE_RING_DUCT_H

#include "dataplane/port/frame.h"

struct duct;

enum duct_side { DUCT_EDGE = 0, DUCT_LANE = 1 };

size_t duct_footprint(uint32_t frames, uint32_t payload_bytes); /* 0: not acceptable */
struct duct *duct_init(void *memory, uint32_t frames, uint32_t payload_bytes);
uint32_t duct_take(struct duct *, enum duct_side, struct frame *frames, uint32_t count);
void duct_send(struct duct *, enum duct_side, const struct frame *frames, uint32_t count);
uint32_t duct_receive(struct duct *, enum duct_side, struct frame *frames, uint32_t count);
void duct_free(struct duct *, enum duct_side, const struct frame *frames, uint32_t count);

#endif
