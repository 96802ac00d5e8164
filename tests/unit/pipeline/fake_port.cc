#include "tests/unit/pipeline/fake_port.h"

#include <cstdlib>
#include <cstring>

static const uint32_t payload_bytes = 1472;

static struct frame make_frame()
{
    struct frame frame = {};
    frame.data = static_cast<uint8_t *>(std::malloc(payload_bytes));
    frame.buffer = frame.data;
    frame.capacity = payload_bytes;
    return frame;
}

extern "C" {

uint32_t port_rx_burst(struct port_queue *queue, struct frame *frames, uint32_t count, uint64_t)
{
    uint32_t taken = 0;
    while (taken < count && !queue->arriving.empty() && queue->out < queue->limit) {
        struct frame frame = make_frame();
        frame.peer = queue->arriving.front().peer;
        frame.bytes = static_cast<uint32_t>(queue->arriving.front().bytes.size());
        if (frame.bytes != 0) /* an empty vector has no data to copy from */
            std::memcpy(frame.data, queue->arriving.front().bytes.data(), frame.bytes);
        queue->arriving.pop_front();
        queue->out++;
        frames[taken++] = frame;
    }
    return taken;
}

uint32_t port_tx_take(struct port_queue *queue, struct frame *frames, uint32_t count)
{
    uint32_t taken = 0;
    while (taken < count && queue->out < queue->limit) {
        frames[taken++] = make_frame();
        queue->out++;
    }
    return taken;
}

void port_frame_free(struct port_queue *queue, const struct frame *frames, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++, queue->out--)
        std::free(frames[i].buffer);
}

void port_tx_burst(struct port_queue *queue, struct frame *frames, uint32_t count, uint64_t)
{
    for (uint32_t i = 0; i < count; i++)
        queue->sent.push_back({frames[i].peer, {frames[i].data, frames[i].data + frames[i].bytes}});
    port_frame_free(queue, frames, count);
}

uint32_t port_tx_flush(struct port_queue *queue, uint64_t)
{
    return queue->waiting;
}

uint32_t port_payload_max(const struct port_queue *)
{
    return payload_bytes;
}

const uint64_t *port_counters(const struct port_queue *)
{
    static const uint64_t none[PORT_EVENT_COUNT] = {};
    return none;
}

void clock_read(void *domain, struct clock_sample *sample)
{
    const auto *queue = static_cast<const struct port_queue *>(domain);
    sample->now_ns = queue->now_ns;
    sample->wall_ms = queue->wall_ms;
}

} // extern "C"
