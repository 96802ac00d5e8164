/* ring.h: one writer, one reader, fixed-size records by value: the doorway between two rooms.
 *
 * Shape: a bounded queue (rte_ring underneath, single producer, single consumer) of records of one
 * size. Fused rooms use the very same doorways as split ones, so which core runs a room changes no
 * byte.
 * Memory: the caller's region, ring_footprint bytes; records are copied in and out.
 * Threads: one pusher, one popper, the same core or two. Time: none.
 * Limits: capacity is a power of two; record_bytes a multiple of 8, at most 512.
 * Refusals: push takes what fits and says how many. Cost: one copy each way; measured: not
 * measured.
 */
#ifndef DATAPLANE_RING_RING_H
#define DATAPLANE_RING_RING_H

#include "numa/base/types.h"

struct ring;

size_t ring_footprint(uint32_t capacity, uint32_t record_bytes); /* 0: not acceptable */
struct ring *ring_init(void *memory, uint32_t capacity, uint32_t record_bytes);
uint32_t ring_push(struct ring *ring, const void *records, uint32_t count); /* how many went in */
uint32_t ring_pop(struct ring *ring, void *records, uint32_t count);        /* how many came out */
uint32_t ring_room(const struct ring *ring);  /* pusher's side: how many would fit now */
uint32_t ring_count(const struct ring *ring); /* popper's side: how many are waiting   */

#endif
