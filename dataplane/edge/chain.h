/* chain.h: bytes on their way to a socket, in chunks of one bounded pool.
 *
 * Shape: a pool of chunks of 16 KiB; a chain is a list of them that grows at its end and is written
 * from its front. An input buffer is one chunk as well, used as plain bytes (edge_pool_take), so
 * one sum bounds them all. The last chunk freed is the first one used again: a connection that is
 * answered at once stays in the same cache lines.
 *
 * Memory: the caller's region, edge_pool_footprint bytes; a chunk is first touched when first used.
 * Threads: one. Time: none. Limits: `chunks` of the pool. Refusals: NULL or false when the pool has
 * not enough. Cost: one copy of what is appended; not measured.
 */
#ifndef DATAPLANE_EDGE_CHAIN_H
#define DATAPLANE_EDGE_CHAIN_H

#include "numa/base/types.h"

#define EDGE_CHUNK_BYTES 16384u

struct edge_chunk {
    struct edge_chunk *next;
    uint32_t begin; /* of what is not written yet */
    uint32_t end;
    uint8_t data[EDGE_CHUNK_BYTES - 16];
};

struct edge_pool {
    struct edge_chunk *memory;
    struct edge_chunk *free; /* used before */
    uint32_t count;
    uint32_t fresh; /* chunks [fresh, count) were never used */
    uint32_t in_use;
};

/* All zero is an empty chain. */
struct edge_chain {
    struct edge_chunk *first;
    struct edge_chunk *last;
    uint64_t bytes;
};

static inline size_t edge_pool_footprint(uint32_t chunks)
{
    return (size_t)chunks * EDGE_CHUNK_BYTES;
}

void edge_pool_init(struct edge_pool *pool, void *memory, uint32_t chunks);
struct edge_chunk *edge_pool_take(struct edge_pool *pool); /* NULL: none left */
void edge_pool_give(struct edge_pool *pool, struct edge_chunk *chunk);

/* All or nothing. False: the pool has not enough chunks. */
bool edge_chain_append(struct edge_pool *pool, struct edge_chain *chain, const void *data,
                       uint32_t bytes);
/* Moves all of `from` behind `to`, without copying; `from` is empty afterwards. */
void edge_chain_move(struct edge_chain *to, struct edge_chain *from);
/* `bytes` <= chain->bytes were written. */
void edge_chain_consume(struct edge_pool *pool, struct edge_chain *chain, uint64_t bytes);
void edge_chain_drop(struct edge_pool *pool, struct edge_chain *chain);

#endif
