/* The two ends of the corridor: rx takes frames in, tx lets them out. */
#include "dataplane/pipeline/internal.h"

static uint32_t push_frames(struct lane *lane, const struct frame *frames, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct frame *record = doorway_reserve(lane->arrived, sizeof *record);
        ENSURE(record != NULL); /* asked before the frames were taken */
        *record = frames[i];
    }
    return count;
}

uint32_t lane_rx_poll(struct lane *lane)
{
    struct frame frames[LANE_BURST];
    if (!doorway_fits(lane->arrived, LANE_BURST * (1 + LANE_DUCTS_MAX), sizeof(struct frame)))
        return 0; /* back-pressure: frames stay in the port's ring, which drops when full */
    uint32_t found =
        port_rx_burst(lane->config.queue, frames, LANE_BURST, lane->look[ROOM_RX]->clock.now_ns);
    uint32_t pushed = push_frames(lane, frames, found);
    for (uint32_t d = 0; d < lane->config.duct_count; d++) {
        found = duct_receive(lane->config.duct[d], DUCT_LANE, frames, LANE_BURST);
        for (uint32_t i = 0; i < found; i++)
            frames[i].peer = (struct endpoint){.port = (uint16_t)d};
        pushed += push_frames(lane, frames, found);
    }
    if (pushed != 0)
        doorway_publish(lane->arrived);
    return pushed;
}

static void send_by_duct(struct lane *lane, const struct frame *frame)
{
    duct_send(lane->config.duct[frame->peer.port], DUCT_LANE, frame, 1);
}

uint32_t lane_tx_poll(struct lane *lane)
{
    struct frame frames[LANE_BURST];
    uint32_t count = 0, total = 0, bytes;
    const struct frame *record;
    while ((record = doorway_next(lane->sealed, &bytes)) != NULL) {
        total++;
        if (record->peer.ip == 0) {
            send_by_duct(lane, record);
            continue;
        }
        frames[count++] = *record;
        if (count == LANE_BURST) {
            port_tx_burst(lane->config.queue, frames, count, lane->look[ROOM_TX]->clock.now_ns);
            count = 0;
        }
    }
    if (count != 0)
        port_tx_burst(lane->config.queue, frames, count, lane->look[ROOM_TX]->clock.now_ns);
    uint32_t waiting = port_tx_flush(lane->config.queue, lane->look[ROOM_TX]->clock.now_ns);
    if (waiting != atomic_load_explicit(&lane->tx_waiting, memory_order_relaxed))
        atomic_store_explicit(&lane->tx_waiting, waiting, memory_order_relaxed);
    if (total != 0)
        doorway_done(lane->sealed);
    return total;
}
