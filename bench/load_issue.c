#include "bench/load_internal.h"

#include "bench/machine.h"
#include "bench/payload.h"
#include "dataplane/edge/keyslot.h"
#include "numa/base/assert.h"
#include "numa/base/layout.h"
#include "protocols/wire/signed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS     UINT64_C(10000000) /* the machine raises it to twice its round trip */
#define RETRY_MAX_NS UINT64_C(200000000)
#define DEADLINE_NS  UINT64_C(10000000000)

/* ---- one operation --------------------------------------------------------------------------- */

static uint32_t choose_key(struct load *load, uint16_t group)
{
    struct key_list *keys = &load->keys[group];
    uint32_t at = load->phase == PHASE_PRELOAD ? keys->preloaded++
                                               : (uint32_t)random_below(&load->random, keys->count);
    return keys->index == NULL ? at : keys->index[at];
}

static enum oplog_op choose_op(struct load *load)
{
    if (load->plan.workload == WORKLOAD_APPEND)
        return OPLOG_APPEND;
    uint32_t reads = load->phase == PHASE_PRELOAD ? 0 : load->plan.reads_percent;
    return reads > 0 && random_below(&load->random, 100) < reads ? OPLOG_GET : OPLOG_SET;
}

static bool group_preloaded(const struct load *load, uint16_t group)
{
    return load->keys[group].preloaded == load->keys[group].count;
}

bool load_preloaded(const struct load *load)
{
    for (uint16_t group = 0; group < load->carrier->group_count; group++) {
        if (!group_preloaded(load, group))
            return false;
    }
    return true;
}

/* False: the session or the oplog is full, or its group has been preloaded. */
static bool submit(struct load *load, uint32_t which, uint64_t due_ns)
{
    struct session *session = &load->session[which];
    if (session->free_count == 0)
        return false;
    if (load->phase == PHASE_PRELOAD && group_preloaded(load, session->group))
        return false;
    uint32_t place = session->free_place[session->free_count - 1];
    struct slot *slot = &session->slot[place];
    uint32_t key_index = choose_key(load, session->group);
    enum oplog_op op = choose_op(load);
    uint32_t number = 0;
    if (load->plan.oplog != NULL) {
        number = oplog_begin(load->plan.oplog, which, which * load->plan.window + place, op,
                             key_index, load->now_ns);
        if (number == OPLOG_FULL) {
            load->exhausted = true;
            return false;
        }
    }
    uint8_t key[PAYLOAD_KEY_BYTES];
    uint8_t element[PAYLOAD_ELEMENT_BYTES_MAX];
    struct wire_command command = {.key = key, .key_bytes = PAYLOAD_KEY_BYTES};
    if (op == OPLOG_APPEND) {
        payload_list(key, key_index);
        command.op = WIRE_OP_APPEND;
        command.value = element;
        command.value_bytes = payload_element(element, which, number);
    } else {
        payload_key(key, key_index);
        command.op = op == OPLOG_GET ? WIRE_OP_GET : WIRE_OP_SET;
        if (op == OPLOG_SET) {
            if (load->plan.oplog != NULL)
                payload_value(load->value, load->plan.value_bytes, which, number);
            command.value = load->value;
            command.value_bytes = load->plan.value_bytes;
        }
    }
    *slot = (struct slot){
        .due_ns = due_ns, .client = which, .number = number, .op = (uint8_t)op, .busy = true};
    /* The window is the machine's own, and every command fits: it can not refuse. */
    ENSURE(client_submit(session->machine, &command, place, load->now_ns));
    session->free_count--;
    load->outstanding++;
    return true;
}

/* ---- when ------------------------------------------------------------------------------------ */

void load_schedule_next(struct load *load)
{
    load->issued++;
    load->next_due_ns = schedule_due_ns(&load->schedule, load->issued);
}

static uint32_t issue_open(struct load *load)
{
    uint32_t count = 0;
    uint64_t until_ns = load->now_ns;
    if (load->phase == PHASE_DRAIN)
        until_ns = min_u64(until_ns, load->measure_end_ns - 1);
    while (load->next_due_ns <= until_ns && !load->exhausted) {
        uint32_t tried = 0;
        while (tried < load->plan.sessions && !submit(load, load->cursor, load->next_due_ns)) {
            load->cursor = (load->cursor + 1) % load->plan.sessions;
            tried++;
        }
        if (tried == load->plan.sessions)
            break;
        load->cursor = (load->cursor + 1) % load->plan.sessions;
        load_schedule_next(load);
        count++;
    }
    return count;
}

static uint32_t issue_closed(struct load *load)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < load->plan.sessions; i++) {
        while (!load->exhausted && submit(load, i, load->now_ns))
            count++;
    }
    return count;
}

uint32_t load_issue(struct load *load)
{
    if (load->phase == PHASE_DONE)
        return 0;
    if (load->plan.rate != 0 && load->phase != PHASE_PRELOAD)
        return issue_open(load);
    return load->phase == PHASE_DRAIN ? 0 : issue_closed(load);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void flush(struct load *load, uint32_t *sent)
{
    if (load->filled == *sent)
        return;
    load->carrier->calls->send(load->carrier, load->tx + *sent, load->filled - *sent, load->now_ns);
    *sent = load->filled;
}

/* An empty frame for a client to fill at tx[filled]; false: the pool has none now. */
static bool empty_frame(struct load *load, uint32_t session, uint32_t *sent)
{
    if (load->filled < load->taken)
        return true;
    if (load->plan.signers != NULL)
        signers_sign(load->plan.signers, session);
    flush(load, sent);
    load->filled = 0;
    *sent = 0;
    load->taken = load->carrier->calls->take(load->carrier, load->tx, PORT_BURST_MAX);
    return load->taken > 0;
}

uint32_t load_send(struct load *load)
{
    struct carrier *carrier = load->carrier;
    struct signers *signers = load->plan.signers;
    uint32_t sent = load->filled; /* what lies before went out in an earlier turn */
    uint32_t count = 0;
    for (uint32_t i = 0; i < load->plan.sessions; i++) {
        struct session *session = &load->session[i];
        if (client_wake_ns(session->machine) > load->now_ns)
            continue; /* nothing to say, or pausing */
        while (empty_frame(load, i, &sent)) {
            struct frame *frame = &load->tx[load->filled];
            uint16_t target;
            uint32_t capacity = min_u32(frame->capacity, carrier->payload_max);
            if (signers != NULL)
                capacity -= WIRE_SIGNED_BYTES;
            if (!client_emit(session->machine, frame->data, capacity, load->now_ns, &frame->bytes,
                             &target))
                break;
            ENSURE(target >= 1 && target <= carrier->server_count);
            frame->peer = carrier->endpoint[target - 1][session->group];
            if (signers != NULL)
                signers_add(signers, i, load->cluster, frame);
            load->filled++;
            load->frames++;
            count++;
        }
        if (signers != NULL)
            signers_sign(signers, i);
    }
    flush(load, &sent);
    return count;
}

void load_return_frames(struct load *load)
{
    load->carrier->calls->free(load->carrier, load->tx + load->filled, load->taken - load->filled);
    load->filled = load->taken;
}

/* ---- life ------------------------------------------------------------------------------------ */

static bool list_keys(struct load *load)
{
    uint16_t groups = load->carrier->group_count;
    if (groups == 1) {
        load->keys[0].count = load->plan.keys;
        return true;
    }
    for (uint16_t group = 0; group < groups; group++) {
        load->keys[group].index = malloc((size_t)load->plan.keys * sizeof(uint32_t));
        if (load->keys[group].index == NULL)
            return false;
    }
    for (uint32_t i = 0; i < load->plan.keys; i++) {
        uint8_t key[PAYLOAD_KEY_BYTES];
        if (load->plan.workload == WORKLOAD_APPEND)
            payload_list(key, i);
        else
            payload_key(key, i);
        struct key_list *keys = &load->keys[keyslot_group(key, sizeof key, groups)];
        keys->index[keys->count++] = i;
    }
    for (uint16_t group = 0; group < groups; group++) {
        if (load->keys[group].count == 0)
            return false;
    }
    return true;
}

static bool open_session(struct load *load, uint32_t which)
{
    struct session *session = &load->session[which];
    uint16_t servers = load->carrier->server_count;
    session->group = (uint16_t)(which % load->carrier->group_count);
    struct client_config config = {
        .client = machine_random() | 1,
        .seed = machine_random(),
        .route = which,
        .group = session->group,
        .one_message = load->plan.signers != NULL,
        .target_count = servers,
        .window = load->plan.window,
        .command_bytes_max = WIRE_COMMAND_BYTES + PAYLOAD_KEY_BYTES +
                             (load->plan.workload == WORKLOAD_APPEND ? PAYLOAD_ELEMENT_BYTES_MAX
                                                                     : load->plan.value_bytes),
        .reply_bytes_max = load->plan.reads_percent > 0 ? load->plan.value_bytes + 4096 : 0,
        .retry_ns = RETRY_NS,
        .retry_max_ns = RETRY_MAX_NS,
        .deadline_ns = DEADLINE_NS,
    };
    for (uint16_t i = 0; i < servers; i++)
        config.target[i] = (uint16_t)(i + 1);
    size_t bytes = client_footprint(&config);
    if (bytes == 0)
        return false;
    session->memory = aligned_alloc(CACHE_LINE_BYTES, round_up(bytes, CACHE_LINE_BYTES));
    if (session->memory == NULL)
        return false;
    session->machine = client_init(session->memory, &config, machine_now_ns());
    session->free_count = load->plan.window;
    for (uint32_t i = 0; i < load->plan.window; i++)
        session->free_place[i] = (uint16_t)i;
    return session->machine != NULL;
}

struct load *load_create(const struct load_plan *plan, struct carrier *carrier,
                         char error[CARRIER_ERROR_MAX])
{
    struct load *load = calloc(1, sizeof *load);
    if (load != NULL) {
        load->plan = *plan;
        load->carrier = carrier;
        load->session = calloc(plan->sessions, sizeof *load->session);
        load->value = malloc(plan->value_bytes + 1);
    }
    if (load == NULL || load->session == NULL || load->value == NULL) {
        (void)snprintf(error, CARRIER_ERROR_MAX, "no memory for %u client sessions",
                       plan->sessions);
        load_destroy(load);
        return NULL;
    }
    memset(load->value, 'v', plan->value_bytes);
    random_init(&load->random, plan->seed);
    histogram_init(&load->second);
    histogram_init(&load->result.latency);
    bool ready = list_keys(load);
    for (uint32_t i = 0; ready && i < plan->sessions; i++)
        ready = open_session(load, i);
    if (!ready) {
        (void)snprintf(
            error, CARRIER_ERROR_MAX,
            "no memory for %u client sessions, or a group without keys: more --keys mend the "
            "latter",
            plan->sessions);
        load_destroy(load);
        return NULL;
    }
    return load;
}

void load_destroy(struct load *load)
{
    if (load == NULL)
        return;
    for (uint32_t i = 0; load->session != NULL && i < load->plan.sessions; i++)
        free(load->session[i].memory);
    for (uint32_t group = 0; group < LANE_GROUPS_MAX; group++)
        free(load->keys[group].index);
    free(load->session);
    free(load->value);
    free(load);
}
