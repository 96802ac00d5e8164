#include "dataplane/ring/duct.h"

#include "dataplane/ring/ring.h"
#include "numa/base/assert.h"
#include "numa/base/layout.h"

#define DUCT_FRAMES_MAX        (1u << 20)
#define DUCT_PAYLOAD_BYTES_MAX 65507u

/* What one side owns alone: frames that it took and gave back unsent. */
struct side {
    uint8_t **spare;
    uint32_t spare_count;
} CACHE_ALIGNED;

struct duct {
    struct side side[2];   /* by sender                        */
    struct ring *full[2];  /* by sender: sent, not yet received */
    struct ring *empty[2]; /* by sender: on their way back      */
    uint8_t *buffers[2];   /* by sender                        */
    size_t buffers_bytes;  /* of one direction                 */
    uint32_t payload_bytes;
    uint32_t stride;
};

struct duct_layout {
    size_t full[2], empty[2], spare[2], buffers[2];
    size_t bytes;
    uint32_t stride;
};

static bool duct_lay_out(uint32_t frames, uint32_t payload_bytes, struct duct_layout *out)
{
    if (!is_power_of_two(frames) || frames > DUCT_FRAMES_MAX || payload_bytes == 0 ||
        payload_bytes > DUCT_PAYLOAD_BYTES_MAX)
        return false;
    struct layout layout = {0};
    (void)layout_add(&layout, sizeof(struct duct));
    out->stride = (uint32_t)round_up(payload_bytes, CACHE_LINE_BYTES);
    for (int side = 0; side < 2; side++) {
        out->full[side] = layout_add(&layout, ring_footprint(frames, sizeof(struct frame)));
        out->empty[side] = layout_add(&layout, ring_footprint(frames, sizeof(uint8_t *)));
        out->spare[side] = layout_add(&layout, frames * sizeof(uint8_t *));
        out->buffers[side] = layout_add(&layout, (size_t)frames * out->stride);
    }
    out->bytes = layout.bytes;
    return true;
}

size_t duct_footprint(uint32_t frames, uint32_t payload_bytes)
{
    struct duct_layout layout;
    return duct_lay_out(frames, payload_bytes, &layout) ? layout.bytes : 0;
}

struct duct *duct_init(void *memory, uint32_t frames, uint32_t payload_bytes)
{
    struct duct_layout layout;
    ENSURE((uintptr_t)memory % CACHE_LINE_BYTES == 0);
    ENSURE(duct_lay_out(frames, payload_bytes, &layout));
    uint8_t *base = memory;
    struct duct *duct = memory;
    duct->payload_bytes = payload_bytes;
    duct->stride = layout.stride;
    duct->buffers_bytes = (size_t)frames * layout.stride;
    for (int side = 0; side < 2; side++) {
        duct->full[side] = ring_init(base + layout.full[side], frames, sizeof(struct frame));
        duct->empty[side] = ring_init(base + layout.empty[side], frames, sizeof(uint8_t *));
        duct->buffers[side] = base + layout.buffers[side];
        duct->side[side].spare = (uint8_t **)(void *)(base + layout.spare[side]);
        duct->side[side].spare_count = frames;
        for (uint32_t i = 0; i < frames; i++) /* the first buffer lies on top of the stack */
            duct->side[side].spare[i] =
                duct->buffers[side] + (size_t)(frames - 1 - i) * layout.stride;
    }
    return duct;
}

uint32_t duct_take(struct duct *duct, enum duct_side side, struct frame *frames, uint32_t count)
{
    struct side *own = &duct->side[side];
    uint32_t taken = 0;
    while (taken < count) {
        uint8_t *buffer;
        if (own->spare_count > 0)
            buffer = own->spare[--own->spare_count];
        else if (ring_pop(duct->empty[side], &buffer, 1) == 0)
            break;
        frames[taken++] =
            (struct frame){.data = buffer, .capacity = duct->payload_bytes, .buffer = buffer};
    }
    return taken;
}

void duct_send(struct duct *duct, enum duct_side side, const struct frame *frames, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ENSURE(frames[i].bytes <= duct->payload_bytes);
    /* There are no more buffers than places. */
    ENSURE(ring_push(duct->full[side], frames, count) == count);
}

uint32_t duct_receive(struct duct *duct, enum duct_side side, struct frame *frames, uint32_t count)
{
    return ring_pop(duct->full[1 - side], frames, count);
}

void duct_free(struct duct *duct, enum duct_side side, const struct frame *frames, uint32_t count)
{
    struct side *own = &duct->side[side];
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *buffer = frames[i].buffer;
        uintptr_t offset = (uintptr_t)buffer - (uintptr_t)duct->buffers[side];
        if (offset <
            duct->buffers_bytes) /* taken here, never sent: the other side has not seen it */
            own->spare[own->spare_count++] = buffer;
        else
            ENSURE(ring_push(duct->empty[1 - side], &buffer, 1) == 1);
    }
}
