#include "dataplane/ring/ring.h"

#include "numa/base/assert.h"
#include "numa/base/layout.h"

#include <rte_ring.h>

#define RING_CAPACITY_MAX     (1u << 24)
#define RING_RECORD_BYTES_MAX 512u

struct ring {
    struct rte_ring *queue;
    uint32_t record_bytes;
};

static size_t ring_layout(uint32_t capacity, uint32_t record_bytes, size_t *queue_offset)
{
    if (!is_power_of_two(capacity) || capacity > RING_CAPACITY_MAX || record_bytes == 0 ||
        record_bytes % 8 != 0 || record_bytes > RING_RECORD_BYTES_MAX)
        return 0;
    /* An rte_ring of N slots holds N - 1 records. Twice the slots cost address space and some
     * cache, but a capacity that means what it says spares every caller the "minus one". */
    ssize_t queue_bytes = rte_ring_get_memsize_elem(record_bytes, 2 * capacity);
    ENSURE(queue_bytes > 0);
    struct layout layout = {0};
    (void)layout_add(&layout, sizeof(struct ring));
    *queue_offset = layout_add(&layout, (size_t)queue_bytes);
    return layout.bytes;
}

size_t ring_footprint(uint32_t capacity, uint32_t record_bytes)
{
    size_t queue_offset;
    return ring_layout(capacity, record_bytes, &queue_offset);
}

struct ring *ring_init(void *memory, uint32_t capacity, uint32_t record_bytes)
{
    size_t queue_offset;
    ENSURE((uintptr_t)memory % CACHE_LINE_BYTES == 0);
    ENSURE(ring_layout(capacity, record_bytes, &queue_offset) != 0);
    struct ring *ring = memory;
    ring->queue = (struct rte_ring *)((uint8_t *)memory + queue_offset);
    ring->record_bytes = record_bytes;
    int failed = rte_ring_init(ring->queue, "ring", capacity,
                               RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    ENSURE(failed == 0);
    return ring;
}

uint32_t ring_push(struct ring *ring, const void *records, uint32_t count)
{
    return rte_ring_sp_enqueue_burst_elem(ring->queue, records, ring->record_bytes, count, NULL);
}

uint32_t ring_pop(struct ring *ring, void *records, uint32_t count)
{
    return rte_ring_sc_dequeue_burst_elem(ring->queue, records, ring->record_bytes, count, NULL);
}

uint32_t ring_room(const struct ring *ring)
{
    return rte_ring_free_count(ring->queue);
}

uint32_t ring_count(const struct ring *ring)
{
    return rte_ring_count(ring->queue);
}
