#include "dataplane/edge/chain.h"

#include "numa/base/assert.h"

#include <string.h>

_Static_assert(sizeof(struct edge_chunk) == EDGE_CHUNK_BYTES, "chunks tile the pool");

void edge_pool_init(struct edge_pool *pool, void *memory, uint32_t chunks)
{
    *pool = (struct edge_pool){.memory = memory, .count = chunks};
}

struct edge_chunk *edge_pool_take(struct edge_pool *pool)
{
    struct edge_chunk *chunk = pool->free;
    if (chunk != NULL)
        pool->free = chunk->next;
    else if (pool->fresh < pool->count)
        chunk = &pool->memory[pool->fresh++];
    else
        return NULL;
    pool->in_use++;
    return chunk;
}

void edge_pool_give(struct edge_pool *pool, struct edge_chunk *chunk)
{
    ENSURE(pool->in_use > 0);
    chunk->next = pool->free;
    pool->free = chunk;
    pool->in_use--;
}

static void chain_grow(struct edge_pool *pool, struct edge_chain *chain)
{
    struct edge_chunk *chunk = edge_pool_take(pool);
    ENSURE(chunk != NULL);
    chunk->next = NULL;
    chunk->begin = 0;
    chunk->end = 0;
    if (chain->last == NULL)
        chain->first = chunk;
    else
        chain->last->next = chunk;
    chain->last = chunk;
}

/* How many chunks more `bytes` more take. */
static uint32_t chunks_for(const struct edge_chain *chain, uint32_t bytes)
{
    uint32_t chunk_bytes = (uint32_t)sizeof chain->last->data;
    uint32_t room = chain->last == NULL ? 0 : chunk_bytes - chain->last->end;
    return bytes <= room ? 0 : (bytes - room + chunk_bytes - 1) / chunk_bytes;
}

bool edge_chain_append(struct edge_pool *pool, struct edge_chain *chain, const void *data,
                       uint32_t bytes)
{
    const uint8_t *from = data;
    if (chunks_for(chain, bytes) > pool->count - pool->in_use)
        return false;
    while (bytes > 0) {
        if (chain->last == NULL || chain->last->end == sizeof chain->last->data)
            chain_grow(pool, chain);
        struct edge_chunk *chunk = chain->last;
        uint32_t part = min_u32(bytes, (uint32_t)sizeof chunk->data - chunk->end);
        memcpy(chunk->data + chunk->end, from, part);
        chunk->end += part;
        chain->bytes += part;
        from += part;
        bytes -= part;
    }
    return true;
}

void edge_chain_move(struct edge_chain *to, struct edge_chain *from)
{
    if (from->first == NULL)
        return;
    if (to->last == NULL)
        to->first = from->first;
    else
        to->last->next = from->first;
    to->last = from->last;
    to->bytes += from->bytes;
    *from = (struct edge_chain){0};
}

void edge_chain_consume(struct edge_pool *pool, struct edge_chain *chain, uint64_t bytes)
{
    ENSURE(bytes <= chain->bytes);
    chain->bytes -= bytes;
    while (chain->first != NULL) {
        struct edge_chunk *chunk = chain->first;
        uint32_t part = chunk->end - chunk->begin;
        if (part > bytes) {
            chunk->begin += (uint32_t)bytes;
            return;
        }
        bytes -= part;
        chain->first = chunk->next;
        edge_pool_give(pool, chunk);
    }
    chain->last = NULL;
}

void edge_chain_drop(struct edge_pool *pool, struct edge_chain *chain)
{
    edge_chain_consume(pool, chain, chain->bytes);
}
