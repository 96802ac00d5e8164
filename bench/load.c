#include "bench/load.h"

#include "bench/load_internal.h"
#include "bench/machine.h"
#include "bench/payload.h"
#include "numa/base/assert.h"

#include <string.h>

#define DRAIN_LIMIT_NS   UINT64_C(12000000000) /* beyond every command's deadline */
#define SECOND_NS        UINT64_C(1000000000)
#define TICK_NS          UINT64_C(1000000)
#define IDLE_TURNS_MAX   64u
#define PER_MILLION_HALF 500000u

/* ---- completions ----------------------------------------------------------------------------- */

static void note_outcome(struct load *load, const struct slot *slot,
                         const struct client_completion *completion, bool done)
{
    enum oplog_outcome outcome = OPLOG_OPEN;
    uint32_t result_client = OPLOG_NOBODY;
    uint32_t result = 0;
    if (done)
        outcome = OPLOG_OK;
    else if (completion->outcome == CLIENT_DONE || completion->outcome == CLIENT_REFUSED)
        outcome = OPLOG_FAIL;
    if (done && slot->op == OPLOG_APPEND)
        result = (uint32_t)completion->result.integer;
    if (done && slot->op == OPLOG_GET && completion->result.type == WIRE_BYTES &&
        !payload_value_parse(completion->result.value, completion->result.value_bytes,
                             &result_client, &result))
        load->result.errors++; /* nobody wrote such a value */
    oplog_end(load->plan.oplog, slot->client, slot->number, outcome, load->now_ns, result_client,
              result);
}

static void note_failover(struct load *load, const struct client_completion *completion)
{
    uint64_t after_ns = atomic_load_explicit(&load->killed_after_ns, memory_order_acquire);
    if (after_ns == 0 || load->result.failover_ns != 0 || completion->submitted_ns <= after_ns)
        return;
    load->result.failover_ns =
        load->now_ns - atomic_load_explicit(&load->killed_before_ns, memory_order_relaxed);
}

static bool due_inside(const struct load *load, const struct slot *slot)
{
    return slot->due_ns >= load->measure_begin_ns && slot->due_ns < load->measure_end_ns;
}

static void count_completion(struct load *load, const struct slot *slot,
                             const struct client_completion *completion, bool done)
{
    bool inside = load->phase == PHASE_MEASURE;
    bool sampled = load->plan.rate == 0 ? inside : due_inside(load, slot);
    uint64_t latency_ns = load->now_ns - slot->due_ns;
    if (sampled)
        histogram_record(&load->result.latency, latency_ns);
    histogram_record(&load->second, latency_ns);
    if (inside) {
        load->result.operations += done;
        load->result.commands += completion->attempts;
        load->result.retries += completion->attempts > 1 ? completion->attempts - 1 : 0;
    }
    load->answered += completion->outcome == CLIENT_DONE;
    load->done += done;
    if (!done && load->phase == PHASE_PRELOAD)
        load->preload_errors++;
    if (!done && load->phase >= PHASE_MEASURE)
        load->result.errors++;
}

static void complete(struct load *load, struct session *session, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct client_completion *completion = &load->completions[i];
        uint32_t place = (uint32_t)completion->cookie;
        ENSURE(place < load->plan.window);
        struct slot *slot = &session->slot[place];
        bool done = completion->outcome == CLIENT_DONE && completion->result.status == WIRE_DONE;
        if (load->plan.oplog != NULL)
            note_outcome(load, slot, completion, done);
        if (done && slot->op != OPLOG_GET && session->group == LOAD_KILLED_GROUP)
            note_failover(load, completion);
        count_completion(load, slot, completion, done);
        slot->busy = false;
        session->free_place[session->free_count++] = (uint16_t)place;
    }
    load->outstanding -= count;
}

/* ---- in -------------------------------------------------------------------------------------- */

static void receive_message(struct load *load, const struct wire_view *view)
{
    uint32_t first = 0;
    uint32_t end = load->plan.sessions;
    if (view->kind == WIRE_REPLY && end > 1) {
        struct wire_reply reply;
        if (wire_get_reply(view, &reply) != WIRE_OK || reply.route >= end)
            return;
        first = reply.route;
        end = first + 1;
    }
    for (uint32_t i = first; i < end; i++) {
        struct session *session = &load->session[i];
        complete(load, session,
                 client_receive(session->machine, view, load->now_ns, load->completions,
                                CLIENT_WINDOW_MAX));
    }
}

static void receive_frame(struct load *load, const struct frame *frame)
{
    struct wire_frame header;
    struct wire_view view;
    uint32_t offset = WIRE_FRAME_BYTES;
    if (wire_frame_decode(frame->data, frame->bytes, &header) != WIRE_OK)
        return;
    load->result.heard = true;
    if (header.cluster != 0)
        load->cluster = header.cluster;
    while (wire_message_next(frame->data, frame->bytes, &offset, &view) == WIRE_OK &&
           view.kind != 0) {
        if (view.kind == WIRE_REPLY || view.kind == WIRE_FRAGMENT)
            receive_message(load, &view);
    }
}

/* ---- phases ---------------------------------------------------------------------------------- */

static void begin_warm_up(struct load *load)
{
    load->phase = PHASE_WARM_UP;
    load->begin_ns = load->now_ns;
    load->next_due_ns = load->now_ns;
    load->schedule = (struct schedule){.start_ns = load->now_ns, .rate = load->plan.rate};
}

static void begin_measure(struct load *load)
{
    load->phase = PHASE_MEASURE;
    load->measure_begin_ns = load->now_ns;
    load->measure_end_ns = load->now_ns + load->plan.measure_ns;
    load->second_end_ns = load->now_ns + SECOND_NS;
    load->done_before = load->done;
    histogram_init(&load->second);
    load->frames_before = load->frames;
    load->cpu_before_ns = machine_thread_cpu_ns();
    load->result.servers_seen = load->carrier->calls->usage != NULL;
    if (load->result.servers_seen)
        load->carrier->calls->usage(load->carrier, &load->before);
    atomic_store_explicit(&load->shown_begin_ns, load->now_ns, memory_order_release);
}

/* Once a second: what the watcher may see. */
static void show_second(struct load *load)
{
    if (load->phase != PHASE_MEASURE || load->now_ns < load->second_end_ns)
        return;
    atomic_store_explicit(&load->shown_operations, load->done - load->done_before,
                          memory_order_relaxed);
    atomic_store_explicit(&load->shown_p50_ns, histogram_value(&load->second, PER_MILLION_HALF),
                          memory_order_relaxed);
    atomic_fetch_add_explicit(&load->shown_seconds, 1, memory_order_release);
    histogram_init(&load->second);
    load->done_before = load->done;
    load->second_end_ns += SECOND_NS;
}

static void measure_servers(struct load *load)
{
    struct server_usage after;
    struct server_usage *spent = &load->result.servers;
    load->carrier->calls->usage(load->carrier, &after);
    spent->now_cycles = after.now_cycles - load->before.now_cycles;
    spent->server_cpu_ns = after.server_cpu_ns - load->before.server_cpu_ns;
    for (uint32_t room = 0; room < ROOM_COUNT; room++)
        spent->room_cycles[room] = after.room_cycles[room] - load->before.room_cycles[room];
    for (uint32_t i = 0; i < LANE_BATCH_SIZES; i++) /* a killed node takes its own with it */
        spent->verify_batches[i] = after.verify_batches[i] > load->before.verify_batches[i]
                                       ? after.verify_batches[i] - load->before.verify_batches[i]
                                       : 0;
}

static void begin_drain(struct load *load)
{
    show_second(load); /* the last one, which ends with the interval */
    load->phase = PHASE_DRAIN;
    load->measure_end_ns = load->now_ns;
    if (load->result.servers_seen)
        measure_servers(load);
    load->result.elapsed_ns = load->now_ns - load->measure_begin_ns;
    load->result.client_cpu_ns = machine_thread_cpu_ns() - load->cpu_before_ns;
    load->result.frames = load->frames - load->frames_before;
    load->result.cut_short = load->exhausted;
}

/* Open loop: is there something left that was due before the interval ended? */
static bool backlog(const struct load *load)
{
    return load->plan.rate != 0 && load->next_due_ns < load->measure_end_ns && !load->exhausted;
}

/* What did not end has waited at least until now. */
static void give_up_outstanding(struct load *load)
{
    for (uint32_t i = 0; i < load->plan.sessions; i++) {
        for (uint32_t place = 0; place < load->plan.window; place++) {
            const struct slot *slot = &load->session[i].slot[place];
            if (slot->busy && load->plan.rate != 0 && due_inside(load, slot))
                histogram_record(&load->result.latency, load->now_ns - slot->due_ns);
        }
    }
    load->result.errors += load->outstanding;
}

static void finish(struct load *load)
{
    load->phase = PHASE_DONE;
    give_up_outstanding(load);
    for (; backlog(load); load_schedule_next(load)) {
        histogram_record(&load->result.latency, load->now_ns - load->next_due_ns);
        load->result.errors++;
        load->result.unsent++;
    }
}

static void advance_phase(struct load *load)
{
    uint64_t now_ns = load->now_ns;
    uint64_t passed_ns = now_ns - load->begin_ns;
    if (load->phase < PHASE_MEASURE && load->answered == 0 &&
        passed_ns >= load->plan.answer_limit_ns) {
        load->phase = PHASE_DONE;
        return;
    }
    switch (load->phase) {
    case PHASE_PRELOAD: {
        bool ended = load_preloaded(load) && load->outstanding == 0;
        load->result.preloaded = ended && load->preload_errors == 0;
        if (ended || passed_ns >= LOAD_PRELOAD_LIMIT_NS)
            begin_warm_up(load);
        return;
    }
    case PHASE_WARM_UP:
        if (passed_ns >= load->plan.warm_up_ns && load->answered > 0) {
            load->result.answered = true;
            begin_measure(load);
        }
        return;
    case PHASE_MEASURE:
        if (now_ns >= load->measure_end_ns || load->exhausted)
            begin_drain(load);
        return;
    case PHASE_DRAIN:
        if ((load->outstanding == 0 && !backlog(load)) ||
            now_ns - load->measure_end_ns >= DRAIN_LIMIT_NS)
            finish(load);
        return;
    case PHASE_DONE:
        return;
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void tick(struct load *load)
{
    if (load->now_ns < load->next_tick_ns)
        return;
    load->next_tick_ns = load->now_ns + TICK_NS;
    for (uint32_t i = 0; i < load->plan.sessions; i++) {
        struct session *session = &load->session[i];
        complete(load, session,
                 client_tick(session->machine, load->now_ns, load->completions, CLIENT_WINDOW_MAX));
    }
}

static uint32_t turn(struct load *load)
{
    struct frame frames[PORT_BURST_MAX];
    struct carrier *carrier = load->carrier;
    uint32_t received = carrier->calls->receive(carrier, frames, PORT_BURST_MAX, load->now_ns);
    load->now_ns = machine_now_ns();
    advance_phase(load);
    for (uint32_t i = 0; i < received; i++)
        receive_frame(load, &frames[i]);
    carrier->calls->free(carrier, frames, received);
    tick(load);
    uint32_t sent = load_issue(load) + load_send(load);
    show_second(load);
    carrier->calls->turn(carrier, load->now_ns);
    return received + sent;
}

/* Retries may wait for the next tick: they are counted in tens of milliseconds. */
static uint64_t wake_ns(const struct load *load)
{
    bool due_ahead = load->plan.rate != 0 && load->next_due_ns > load->now_ns;
    return due_ahead ? min_u64(load->next_due_ns, load->next_tick_ns) : load->next_tick_ns;
}

int load_loop(void *argument)
{
    struct load *load = argument;
    uint32_t idle_turns = 0;
    load->now_ns = machine_now_ns();
    begin_warm_up(load);
    if (load->plan.preload)
        load->phase = PHASE_PRELOAD;
    while (load->phase != PHASE_DONE) {
        idle_turns = turn(load) > 0 ? 0 : idle_turns + 1;
        if (idle_turns >= IDLE_TURNS_MAX)
            load->carrier->calls->rest(load->carrier, load->now_ns, wake_ns(load));
    }
    load_return_frames(load);
    atomic_store_explicit(&load->shown_finished, true, memory_order_release);
    return 0;
}

/* ---- from the main thread -------------------------------------------------------------------- */

void load_look(const struct load *load, struct load_watch *watch)
{
    watch->finished = atomic_load_explicit(&load->shown_finished, memory_order_acquire);
    watch->measure_begin_ns = atomic_load_explicit(&load->shown_begin_ns, memory_order_acquire);
    watch->seconds = atomic_load_explicit(&load->shown_seconds, memory_order_acquire);
    watch->operations = atomic_load_explicit(&load->shown_operations, memory_order_relaxed);
    watch->p50_ns = atomic_load_explicit(&load->shown_p50_ns, memory_order_relaxed);
}

void load_note_kill(struct load *load, uint64_t before_ns, uint64_t after_ns)
{
    atomic_store_explicit(&load->killed_before_ns, before_ns, memory_order_relaxed);
    atomic_store_explicit(&load->killed_after_ns, after_ns, memory_order_release);
}

const struct load_result *load_result_of(const struct load *load)
{
    return &load->result;
}
