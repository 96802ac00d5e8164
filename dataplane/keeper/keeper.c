/* The turn, and what others ask. */
#include "dataplane/keeper/internal.h"

#include "numa/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *keeper_event_name(enum keeper_event event)
{
    static const char *const name[] = {
#define KEEPER_EVENT(name, sentence) #name,
#include "dataplane/keeper/keeper_events.def"
#undef KEEPER_EVENT
    };
    return name[event];
}

const char *keeper_event_sentence(enum keeper_event event)
{
    static const char *const text[] = {
#define KEEPER_EVENT(name, sentence) sentence,
#include "dataplane/keeper/keeper_events.def"
#undef KEEPER_EVENT
    };
    return text[event];
}

/* ---- life ------------------------------------------------------------------------------------ */

struct keeper *keeper_open(const struct keeper_config *config, char error[KEEPER_ERROR_MAX])
{
    ENSURE(config->group_count > 0 && config->lane_count > 0 &&
           config->lane_count <= WIRE_LANES_MAX && config->run > 0 &&
           state_footprint(&config->state) != 0);
    struct keeper *keeper = calloc(1, sizeof *keeper);
    struct keeper_group *groups = calloc(config->group_count, sizeof *groups);
    (void)snprintf(error, KEEPER_ERROR_MAX, "out of memory");
    if (keeper == NULL || groups == NULL) {
        free(keeper);
        free(groups);
        return NULL;
    }
    keeper->config = *config;
    keeper->group = groups;
    keeper->folder = -1;
    keeper->run = config->run;
    keeper->state_bytes = state_footprint(&config->state);
    (void)pthread_mutex_init(&keeper->lock, NULL);
    for (uint32_t i = 0; i < KEEPER_SENDERS_MAX; i++)
        keeper->sender[i].fd = -1;
    for (uint32_t g = 0; g < config->group_count; g++)
        groups[g].reception.fd = -1;
    if (config->data != NULL && !keeper_folder(keeper)) {
        (void)snprintf(error, KEEPER_ERROR_MAX, "snapshots: %.150s: %s", config->data,
                       strerrordesc_np(errno));
        keeper_close(keeper);
        return NULL;
    }
    if (config->data != NULL)
        keeper_sweep(keeper, false);
    return keeper;
}

void keeper_close(struct keeper *keeper)
{
    if (keeper->take != NULL)
        snapshot_take_stop(keeper->take);
    for (uint32_t i = 0; i < KEEPER_SENDERS_MAX; i++)
        send_stop(&keeper->sender[i]);
    for (uint32_t g = 0; g < keeper->config.group_count; g++)
        receive_drop(keeper, &keeper->group[g].reception);
    for (uint32_t i = 0; i < keeper->config.lane_count; i++)
        memory_release(keeper->lane[i].spare.mapping, keeper->state_bytes);
    if (keeper->own_folder[0] != '\0' && keeper->folder >= 0)
        keeper_sweep(keeper, true);
    if (keeper->own_folder[0] != '\0')
        (void)rmdir(keeper->own_folder);
    if (keeper->folder >= 0)
        (void)close(keeper->folder);
    (void)pthread_mutex_destroy(&keeper->lock);
    free(keeper->message);
    free(keeper->data);
    free(keeper->group);
    free(keeper);
}

void keeper_identify(struct keeper *keeper, uint64_t cluster, uint64_t config_hash)
{
    atomic_store_explicit(&keeper->config_hash, config_hash, memory_order_relaxed);
    atomic_store_explicit(&keeper->cluster, cluster, memory_order_release);
}

void keeper_serve(struct keeper *keeper, uint16_t index, struct lane *lane,
                  const struct storage *storage)
{
    uint32_t heads = WIRE_MESSAGE_BYTES + WIRE_CHUNK_HEAD, most = lane_message_bytes_max(lane);
    ENSURE(index < keeper->config.lane_count && most >= heads + WIRE_CHUNK_BYTES_MIN);
    keeper->lane[index].lane = lane;
    keeper->lane[index].storage = storage;
    keeper->lane[index].unit = min_u64((most - heads) / 16 * 16, WIRE_CHUNK_BYTES_MAX);
    if (most <= keeper->message_bytes)
        return;
    free(keeper->message);
    free(keeper->data);
    keeper->message = malloc(most);
    keeper->data = malloc(most);
    keeper->message_bytes = most;
    ENSURE(keeper->message != NULL && keeper->data != NULL);
}

/* ---- a turn ---------------------------------------------------------------------------------- */

static void read_note(struct keeper *keeper, const struct lane_note *note, uint64_t now_ns)
{
    switch (note->kind) {
    case LANE_NOTE_WANTED:
        keeper->group[note->group].wanted = true;
        break;
    case LANE_NOTE_MARKED:
    case LANE_NOTE_UNMARKED:
        take_marked(keeper, note, now_ns);
        break;
    case LANE_NOTE_OFFERED:
        send_offered(keeper, note, now_ns);
        break;
    case LANE_NOTE_COMES:
        receive_comes(keeper, note);
        break;
    case LANE_NOTE_CHUNK:
        receive_chunk(keeper, note);
        break;
    case LANE_NOTE_ACK:
        send_ack(keeper, note, now_ns);
        break;
    default:
        receive_installed(keeper, note, note->kind == LANE_NOTE_INSTALLED, now_ns);
        break;
    }
}

static bool read_notes(struct keeper *keeper, struct lane *lane, uint64_t now_ns)
{
    for (uint32_t i = 0; i < KEEPER_NOTES_TURN; i++) {
        const struct lane_note *note = lane_next_note(lane);
        if (note == NULL)
            return false;
        read_note(keeper, note, now_ns);
    }
    return true;
}

static void publish(struct keeper *keeper)
{
    (void)pthread_mutex_lock(&keeper->lock);
    for (uint32_t g = 0; g < keeper->config.group_count; g++) {
        struct keeper_group *kept = &keeper->group[g];
        const struct reception *reception = &kept->reception;
        struct keeper_group_report *report = &kept->report;
        report->taking = keeper->take_step != TAKE_NONE && keeper->take_group == g;
        report->receiving = reception->step == RECEPTION_TAKING;
        report->installing =
            reception->step >= RECEPTION_LOADING && reception->step <= RECEPTION_WAITING;
        report->done_bytes = reception->begun ? reception->transfer.have : 0;
        report->whole_bytes = reception->begun ? reception->transfer.id.bytes : 0;
        report->sending = 0;
    }
    for (uint32_t i = 0; i < KEEPER_SENDERS_MAX; i++)
        if (keeper->sender[i].used && keeper->sender[i].fd >= 0)
            keeper->group[keeper->sender[i].group].report.sending++;
    (void)pthread_mutex_unlock(&keeper->lock);
}

bool keeper_turn(struct keeper *keeper, uint64_t now_ns)
{
    bool more = false;
    for (uint32_t i = 0; i < keeper->config.lane_count; i++)
        if (keeper->lane[i].lane != NULL)
            more |= read_notes(keeper, keeper->lane[i].lane, now_ns);
    more |= send_step(keeper, now_ns);
    for (uint32_t g = 0; g < keeper->config.group_count; g++) {
        if (keeper_lane_of(keeper, (uint16_t)g)->lane == NULL)
            continue;
        more |= receive_step(keeper, (uint16_t)g);
        take_tell(keeper, (uint16_t)g);
    }
    take_policy(keeper, now_ns);
    take_begin(keeper, now_ns);
    more |= take_step(keeper, now_ns);
    publish(keeper);
    return more;
}

static bool is_moving(const struct keeper *keeper)
{
    bool moves = keeper->take_step != TAKE_NONE;
    for (uint32_t i = 0; i < KEEPER_SENDERS_MAX; i++)
        moves |= keeper->sender[i].used && keeper->sender[i].end == SENDER_GOES;
    for (uint32_t g = 0; g < keeper->config.group_count; g++)
        moves |= keeper->group[g].reception.step != RECEPTION_NONE &&
                 keeper->group[g].reception.step != RECEPTION_DONE;
    return moves;
}

uint64_t keeper_wake_ns(const struct keeper *keeper, uint64_t now_ns)
{
    return now_ns + (is_moving(keeper) ? KEEPER_NAP_NS : KEEPER_IDLE_NS);
}

/* ---- asked by others ------------------------------------------------------------------------- */

uint64_t keeper_ask(struct keeper *keeper, uint16_t group)
{
    if (group >= keeper->config.group_count)
        return 0;
    return atomic_fetch_add_explicit(&keeper->group[group].asks, 1, memory_order_acq_rel) + 1;
}

bool keeper_answer(struct keeper *keeper, uint16_t group, uint64_t ticket,
                   struct keeper_answer *answer)
{
    ENSURE(group < keeper->config.group_count);
    (void)pthread_mutex_lock(&keeper->lock);
    bool there = keeper->group[group].answered >= ticket;
    *answer = keeper->group[group].answer;
    (void)pthread_mutex_unlock(&keeper->lock);
    return there;
}

bool keeper_report(struct keeper *keeper, uint16_t group, struct keeper_group_report *report)
{
    if (group >= keeper->config.group_count)
        return false;
    (void)pthread_mutex_lock(&keeper->lock);
    *report = keeper->group[group].report;
    (void)pthread_mutex_unlock(&keeper->lock);
    return true;
}

void keeper_counters(struct keeper *keeper, uint64_t counters[KEEPER_EVENT_COUNT])
{
    for (uint32_t i = 0; i < KEEPER_EVENT_COUNT; i++)
        counters[i] = atomic_load_explicit(&keeper->counter[i], memory_order_relaxed);
}
