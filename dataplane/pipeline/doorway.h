/* doorway.h: one writer, one reader, records of any size, written and read in place.
 *
 * Shape: a byte ring between two rooms. The writer reserves, fills, and publishes a whole burst
 * with one store; the reader walks what is published and gives it all back with one store. A record
 * never wraps: where it would, a skip is left and it starts at the beginning. A writer that finds
 * the ring empty starts at the beginning too, so that a doorway between fused rooms stays in the
 * first lines of the cache.
 *
 *   writer: reserve ─ fill ─ reserve ─ fill ─ publish        reader: next ─ use ─ next ─ use ─ done
 *
 * Memory: the caller's region, doorway_footprint bytes. A record is valid from next to done.
 *   Threads: one writer, one reader, on one core or two; fused and split rooms use it alike, so who
 *   polls a room changes no byte.
 * Time: none. Limits: capacity a power of two; one record, and one question to doorway_fits,
 *   at most an eighth of it.
 * Refusals: reserve returns NULL when there is no room: the room takes no more input. Cost: no
 *   atomic read-modify-write; measured: not measured.
 */
#ifndef DATAPLANE_PIPELINE_DOORWAY_H
#define DATAPLANE_PIPELINE_DOORWAY_H

#include "numa/base/types.h"

struct doorway;

size_t doorway_footprint(uint32_t capacity_bytes); /* 0: not acceptable */
struct doorway *doorway_init(void *memory, uint32_t capacity_bytes);

/* Writer. 8-aligned room for `bytes`; not seen by the reader before publish. */
void *doorway_reserve(struct doorway *, uint32_t bytes);
void doorway_publish(struct doorway *);
/* Would `count` records of `bytes` each fit now? May say no a little early. */
bool doorway_fits(struct doorway *, uint32_t count, uint32_t bytes);

/* Reader. NULL: nothing more is published. */
void *doorway_next(struct doorway *, uint32_t *bytes);
/* Goes back over what was handed out since the last done: next starts there again. */
void doorway_again(struct doorway *);
void doorway_done(struct doorway *);
/* Only the records before `record` are given back; next starts at `record` again. */
void doorway_done_before(struct doorway *, const void *record);

#endif
