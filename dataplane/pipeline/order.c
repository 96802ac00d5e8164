/* order: the only fork. Steps the machines with what arrived; append copies entries into the log
 * here, where the frame still is. */
#include "dataplane/pipeline/internal.h"

static void tell_machine(struct lane *lane, struct group *group)
{
    uint64_t applied = state_applied_index(group->state);
    if (UNLIKELY(group->installing != 0)) {
        if (applied < group->installing)
            return; /* it is still the former state */
        order_installed(lane, group);
    }
    if (applied != group->applied_told) {
        group->applied_told = applied;
        raft_applied(group->raft, applied);
        log_release(group->log, applied);
    }
    uint64_t first = log_first_index(group->log);
    if (first != group->first_told) {
        group->first_told = first;
        raft_compacted(group->raft, first);
    }
}

void order_touch(struct lane *lane, uint32_t slot)
{
    struct group *group = &lane->group[slot];
    if (group->touched)
        return;
    group->touched = true;
    lane->order.touched[lane->order.touched_count++] = slot;
    tell_machine(lane, group);
    raft_tick(group->raft, lane->look[ROOM_ORDER]->clock.now_ns);
}

/* Sizes and terms of the entries of a checked APPEND, into lane->step_entries; it is cut short
 * where it brings too many configurations at a time. */
static void list_entries(struct lane *lane, struct wire_raft *message, const uint8_t *entries)
{
    const uint8_t *first = entries;
    lane->order.brought_count = 0;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        struct wire_entry entry; /* in a frame they may lie anywhere */
        memcpy(&entry, entries, sizeof entry);
        uint32_t size = wire_entry_size(entry.body_bytes);
        lane->step_entries[i] = (struct raft_entry){.term = entry.term, .bytes = size};
        if (UNLIKELY(entry.kind == WIRE_ENTRY_CONFIG) &&
            !order_bring(lane, entries + sizeof entry, entry.body_bytes, &lane->step_entries[i])) {
            message->entry_count = i;
            message->entry_bytes = (uint32_t)(entries - first);
        }
        entries += size;
    }
}

static void append_taken(struct lane *lane, struct group *group, const struct raft_input *input,
                         const uint8_t *entries)
{
    uint32_t skipped = (uint32_t)(input->take_first - input->message.index - 1);
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < skipped; i++)
        entries += lane->step_entries[i].bytes;
    for (uint32_t i = 0; i < input->take_count; i++)
        bytes += lane->step_entries[skipped + i].bytes;
    bool fits = log_append_run(group->log, input->take_first, entries, input->take_count, bytes);
    ENSURE(fits); /* asked before the machine took it */
    group->time.last_ms = log_entry(group->log, input->take_first + input->take_count - 1)->time_ms;
    group->time.last_seen_ns = lane->look[ROOM_ORDER]->clock.now_ns;
}

static uint32_t step(struct lane *lane, struct group *group, struct raft_input *input)
{
    const struct order_room *order = &lane->order;
    if (LIKELY(order->brought_count == 0))
        return raft_step(group->raft, input, 1);
    return raft_step_members(group->raft, input, 1, order->brought, order->brought_count);
}

/* True when the machine took the message; its entries are in the log then. */
static bool step_append(struct lane *lane, uint32_t slot, struct raft_input *input,
                        const uint8_t *entries)
{
    struct group *group = &lane->group[slot];
    if (input->message.entry_count != 0 && !order_appends_stored(lane))
        return false;
    if (!order_log_fits(lane, group, input->message.entry_count, input->message.entry_bytes)) {
        count_event(lane, LANE_LOG_FULL);
        return false;
    }
    uint32_t taken = step(lane, group, input);
    if (taken == 0 && order_ready(lane, slot))
        taken = step(lane, group, input);
    if (taken != 0 && input->take_count != 0)
        append_taken(lane, group, input, entries);
    return taken != 0;
}

void order_raft(struct lane *lane, const struct arrival *arrival)
{
    struct raft_input input = {.entries = lane->step_entries};
    const uint8_t *entries;
    enum wire_refusal refusal = wire_get_raft(&arrival->view, &input.message, &entries);
    if (refusal == WIRE_OK &&
        input.message.entry_count > lane->raft_entry_bytes_max / WIRE_ENTRY_BYTES)
        refusal = WIRE_REFUSED_ENTRIES;
    if (refusal != WIRE_OK) {
        lane->open.refused[refusal]++;
        return;
    }
    input.message.from = arrival->from;
    input.message.to = lane->config.self;
    list_entries(lane, &input.message, entries);
    (void)step_append(lane, arrival->slot, &input, entries);
}

/* An entry that came in pieces lies in a reserved slot of the log: the machine's consent makes it
 * the entry. */
bool order_append_in_place(struct lane *lane, uint32_t slot, struct wire_raft *message,
                           uint8_t *memory)
{
    struct group *group = &lane->group[slot];
    struct raft_input input = {.entries = lane->step_entries};
    if (!log_fits(group->log, 1, 0)) { /* its bytes have their slot, its index needs a place */
        count_event(lane, LANE_LOG_FULL);
        return false;
    }
    list_entries(lane, message, memory + WIRE_RAFT_HEAD_BYTES);
    input.message = *message;
    uint32_t taken = step(lane, group, &input);
    if (taken == 0 && order_ready(lane, slot))
        taken = step(lane, group, &input);
    if (taken == 0 || input.take_count == 0)
        return false;
    bool adopted = log_adopt(group->log, memory, WIRE_RAFT_HEAD_BYTES, input.take_first);
    ENSURE(adopted); /* the machine numbers entries without gaps, as the log does */
    group->time.last_ms = log_entry(group->log, input.take_first)->time_ms;
    group->time.last_seen_ns = lane->look[ROOM_ORDER]->clock.now_ns;
    return true;
}

static void order_message(struct lane *lane, const struct arrival *arrival)
{
    struct wire_request request;
    enum wire_refusal refusal;
    switch (arrival->view.kind) {
    case WIRE_REQUEST:
        refusal = wire_get_request(&arrival->view, &request);
        if (refusal != WIRE_OK)
            lane->open.refused[refusal]++;
        else if (arrival->unauthorized)
            order_unauthorized(lane, arrival, &request);
        else
            order_request(lane, arrival, &request);
        break;
    case WIRE_REPLY:
        order_reply_home(lane, arrival);
        break;
    case WIRE_FRAGMENT:
        order_fragment(lane, arrival);
        break;
    case WIRE_HELLO:
        order_hello(lane, arrival);
        break;
    case WIRE_SNAPSHOT:
        order_snapshot(lane, arrival);
        break;
    case WIRE_SNAPSHOT_CHUNK:
    case WIRE_SNAPSHOT_ACK:
        order_snapshot_bytes(lane, arrival);
        break;
    default:
        order_raft(lane, arrival);
    }
}

static void free_frames(struct lane *lane)
{
    struct order_room *order = &lane->order;
    uint32_t ported = 0;
    for (uint32_t i = 0; i < order->freed_count; i++) {
        const struct frame *frame = &order->freed[i];
        if (frame->peer.ip == 0)
            duct_free(lane->config.duct[frame->peer.port], DUCT_LANE, frame, 1);
        else
            order->freed[ported++] = *frame;
    }
    if (ported != 0)
        port_frame_free(lane->config.queue, order->freed, ported);
    order->freed_count = 0;
}

static uint32_t take_arrivals(struct lane *lane)
{
    uint32_t count = 0, bytes;
    const struct arrival *arrival;
    while (count < 4 * LANE_BURST && lane->order.freed_count < LANE_BURST) {
        if (!order_has_room(lane) || (arrival = doorway_next(lane->verified, &bytes)) == NULL)
            break;
        count++;
        if (arrival->kind == ARRIVAL_FRAME_DONE) {
            lane->order.freed[lane->order.freed_count++] = arrival->frame;
            continue;
        }
        if (arrival->view.kind != WIRE_HELLO && arrival->view.kind != WIRE_REPLY && lane->started)
            order_touch(lane, arrival->slot);
        order_message(lane, arrival);
    }
    if (count != 0)
        doorway_done(lane->verified);
    return count;
}

/* What became durable since the last turn. */
static uint32_t take_stored(struct lane *lane)
{
    struct order_room *order = &lane->order;
    uint64_t stored = atomic_load_explicit(&lane->stored, memory_order_acquire);
    uint32_t count = 0;
    while (order->pending_head != order->pending_tail) {
        const struct pending_write *write =
            &order->pending[order->pending_head % PENDING_WRITES_MAX];
        if (write->seq > stored)
            break;
        order_touch(lane, write->slot);
        raft_stored(lane->group[write->slot].raft, write->seq);
        order->pending_head++;
        count++;
    }
    return count;
}

/* Timers, and groups that apply has moved on: once per due time, not per turn. */
static uint32_t take_timers(struct lane *lane)
{
    struct order_room *order = &lane->order;
    if (lane->look[ROOM_ORDER]->clock.now_ns < order->wake_ns)
        return 0;
    uint64_t wake = UINT64_MAX;
    uint32_t count = 0;
    order_expire_fragments(lane);
    for (uint32_t slot = 0; slot < lane->group_count; slot++) {
        struct group *group = &lane->group[slot];
        if (lane->look[ROOM_ORDER]->clock.now_ns >= group->wake_ns) {
            order_touch(lane, slot);
            order_time(lane, group);
            count++;
        } else {
            wake = min_u64(wake, group->wake_ns);
        }
    }
    order->wake_ns = wake; /* touched groups lower it again when they are done */
    return count;
}

/* A leader wakes when a key is due, to bring time into the log. */
static uint64_t expiry_wake_ns(const struct lane *lane, const struct group *group)
{
    uint64_t due_ms = raft_is_leader(group->raft) ? state_next_expiry_ms(group->state) : UINT64_MAX;
    if (due_ms == UINT64_MAX)
        return UINT64_MAX;
    uint64_t wait_ms = due_ms > lane->look[ROOM_ORDER]->clock.wall_ms
                           ? due_ms - lane->look[ROOM_ORDER]->clock.wall_ms
                           : 1;
    return lane->look[ROOM_ORDER]->clock.now_ns + min_u64(wait_ms, 1000) * 1000000;
}

static void finish_touched(struct lane *lane)
{
    struct order_room *order = &lane->order;
    for (uint32_t i = 0; i < order->touched_count; i++) {
        uint32_t slot = order->touched[i];
        struct group *group = &lane->group[slot];
        group->touched = false;
        bool whole = order_ready(lane, slot);
        order_reads(lane, slot);
        /* Again next turn where a doorway was full, or where apply will have moved on. */
        if (UNLIKELY(group->installing != 0)) /* a walk may be in apply's way */
            group->wake_ns = lane->look[ROOM_ORDER]->clock.now_ns + INSTALL_LOOK_NS;
        else if (!whole || group->handed != group->applied_told)
            group->wake_ns = lane->look[ROOM_ORDER]->clock.now_ns;
        group->wake_ns = min_u64(group->wake_ns, expiry_wake_ns(lane, group));
        order->wake_ns = min_u64(order->wake_ns, group->wake_ns);
    }
    order->touched_count = 0;
}

uint32_t lane_order_poll(struct lane *lane)
{
    if (!lane->started && lane->look[ROOM_ORDER]->view->cluster != 0)
        (void)lane_start(lane);
    lane->order.storage_refuses =
        storage_full(lane->config.storage) || storage_failed(lane->config.storage);
    if (UNLIKELY(lane->order.storage_refuses) && lane->started)
        order_give_up_leading(lane);
    uint32_t work = lane->started ? take_stored(lane) + take_timers(lane) + order_wishes(lane) +
                                        order_errands(lane)
                                  : 0;
    work += take_arrivals(lane);
    if (lane->order.touched_count != 0)
        finish_touched(lane);
    if (work != 0) {
        doorway_publish(lane->writes);
        doorway_publish(lane->work);
        doorway_publish(lane->parcels);
        free_frames(lane);
    }
    if (lane->look[ROOM_ORDER]->clock.now_ns >= lane->order.next_status_ns) {
        lane->order.next_status_ns = lane->look[ROOM_ORDER]->clock.now_ns + STATUS_PERIOD_NS;
        status_publish(lane);
    }
    return work;
}
