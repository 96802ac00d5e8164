/* apply: executes what is committed, in order, and answers who asked. It decides nothing. */
#include "dataplane/pipeline/internal.h"

#define PREFETCH_AHEAD 6u
#define LOOK_AHEAD_MAX 64u

/* Largest value that fits beside its reply in one frame. */
static uint32_t value_bytes_max(const struct lane *lane)
{
    return port_payload_max(lane->config.queue) - WIRE_FRAME_BYTES - WIRE_REPLY_HEAD_BYTES - 8;
}

static void answer(struct lane *lane, uint16_t group, uint16_t leader, const struct asker *asker,
                   const struct wire_result *result)
{
    if (result->value_bytes > value_bytes_max(lane)) {
        cut_begin(lane, group, leader, asker, result);
        return;
    }
    struct parcel *parcel =
        doorway_reserve(lane->replies, (uint32_t)sizeof *parcel + result->value_bytes);
    ENSURE(parcel != NULL); /* apply_replies_fit was asked */
    parcel->kind = PARCEL_REPLY;
    parcel->group = group;
    parcel->as.reply.asker = *asker;
    parcel->as.reply.result = *result;
    parcel->as.reply.leader = leader;
    if (result->value_bytes != 0)
        memcpy(parcel + 1, result->value, result->value_bytes);
}

static void answer_entry(struct lane *lane, struct group *group, const struct wire_entry *entry,
                         const struct wire_result *result)
{
    const struct origin *origin = &group->origins[entry->index % ORIGINS_MAX];
    if (origin->index != entry->index || origin->term != entry->term)
        return;
    struct asker asker = {
        .peer = origin->peer,
        .client = origin->client,
        .session = entry->session,
        .sequence = origin->sequence,
        .route = origin->route,
        .member = origin->member,
    };
    lane->apply.operations++;
    answer(lane, group->number, lane->config.self, &asker, result);
}

/* Who belongs to the group is nothing to its state: there, such an entry is time that passes. */
void apply_entry(struct state *state, const struct wire_entry *entry, struct wire_result *result)
{
    struct wire_entry time;
    if (UNLIKELY(entry->kind == WIRE_ENTRY_CONFIG)) {
        time = *entry;
        time.kind = WIRE_ENTRY_NOOP;
        time.body_bytes = 0;
        entry = &time;
    }
    state_apply(state, entry, result);
}

/* False: the rest of the span has to wait. */
static bool apply_span(struct lane *lane, const struct work *work, uint32_t *applied)
{
    struct group *group = &lane->group[work->slot];
    struct state *state = group->state;
    uint64_t index = lane->apply.cursor != 0 ? lane->apply.cursor : work->first;
    for (uint64_t i = index; i <= min_u64(work->last, index + PREFETCH_AHEAD - 1); i++)
        state_prefetch(state, log_entry(group->log, i));
    for (; index <= work->last; index++) {
        /* A state that waits for a grace period delays entries; it never refuses one. */
        if (!cut_has_room(lane) || !apply_replies_fit(lane) || !state_can_apply(state)) {
            lane->apply.cursor = index;
            return false;
        }
        if (index + PREFETCH_AHEAD <= work->last)
            state_prefetch(state, log_entry(group->log, index + PREFETCH_AHEAD));
        const struct wire_entry *entry = log_entry(group->log, index);
        ENSURE(entry != NULL); /* the log keeps what is not applied */
        struct wire_result result;
        apply_entry(state, entry, &result);
        if (work->leading &&
            (entry->kind == WIRE_ENTRY_COMMAND || entry->kind == WIRE_ENTRY_REGISTER))
            answer_entry(lane, group, entry, &result);
        ++*applied;
    }
    lane->apply.cursor = 0;
    return true;
}

/* What entries will need when they are committed; one that has been replaced meanwhile is not
 * found. */
static uint32_t look_ahead(struct lane *lane, const struct work *work)
{
    struct group *group = &lane->group[work->slot];
    uint64_t last = min_u64(work->last, work->first + LOOK_AHEAD_MAX - 1);
    for (uint64_t i = work->first; i <= last; i++) {
        const struct wire_entry *entry = log_entry(group->log, i);
        if (entry != NULL)
            state_prefetch(group->state, entry);
    }
    return 1;
}

/* False: not yet, the former state is still being read here. Readers elsewhere may go on with it
 * until they report. */
static bool put_in_place(struct lane *lane, const struct work *work)
{
    struct group *group = &lane->group[work->slot];
    if (lane->apply.cutting_count != 0 || state_capture_phase(group->state) != STATE_CAPTURE_IDLE)
        return false;
    atomic_store_explicit(&group->state, work->loaded, memory_order_release);
    return true;
}

static uint32_t apply_read(struct lane *lane, const struct work *work)
{
    struct group *group = &lane->group[work->slot];
    struct wire_command command;
    struct wire_result result;
    enum wire_refusal refusal =
        wire_command_decode((const uint8_t *)(work + 1), work->body_bytes, &command);
    ENSURE(refusal == WIRE_OK); /* admission decoded it */
    state_read(group->state, &command, &result, lane->apply.scratch, APPLY_SCRATCH_BYTES);
    lane->apply.operations++;
    answer(lane, group->number, work->leader, &work->asker, &result);
    return 1;
}

static void reclaim(struct lane *lane, uint64_t groups)
{
    if (lane->apply.cutting_count != 0)
        return; /* values are still being read */
    uint64_t started = view_epoch_started(), completed = view_epoch_completed();
    for (; groups != 0; groups &= groups - 1)
        state_reclaim(lane->group[__builtin_ctzll(groups)].state, started, completed);
}

uint32_t lane_apply_poll(struct lane *lane)
{
    uint32_t bytes, done = cut_on(lane);
    uint64_t groups = 0;
    bool whole = true;
    if (UNLIKELY(atomic_load_explicit(&lane->captures, memory_order_relaxed) != 0))
        groups = apply_captures(lane, &done);
    const struct work *work;
    while (whole && cut_has_room(lane) && apply_replies_fit(lane) &&
           (work = doorway_next(lane->work, &bytes)) != NULL) {
        groups |= (uint64_t)1 << work->slot;
        if (work->kind == WORK_COMMIT)
            whole = apply_span(lane, work, &done);
        else if (work->kind == WORK_READ)
            done += apply_read(lane, work);
        else if (UNLIKELY(work->kind == WORK_INSTALL))
            done += whole = put_in_place(lane, work);
        else
            done += look_ahead(lane, work);
    }
    done += cut_on(lane);
    if (done != 0)
        doorway_publish(lane->replies);
    if (groups == 0)
        return done;
    if (whole)
        doorway_done(lane->work);
    else
        doorway_done_before(lane->work, work);
    reclaim(lane, groups);
    return done;
}
