#include "numa/base/arena.h"

#include "numa/base/assert.h"

void arena_init(struct arena *arena, void *memory, size_t bytes)
{
    ENSURE((uintptr_t)memory % CACHE_LINE_BYTES == 0);
    *arena = (struct arena){.base = memory, .bytes = bytes};
}

void *arena_carve(struct arena *arena, size_t bytes)
{
    ENSURE(!arena->sealed);
    ENSURE(bytes <= arena->bytes); /* first, so that the sum below can not wrap round */
    size_t offset = layout_add(&arena->carved, bytes);
    ENSURE(arena->carved.bytes <= arena->bytes);
    return arena->base + offset;
}

void arena_seal(struct arena *arena)
{
    arena->sealed = true;
}
