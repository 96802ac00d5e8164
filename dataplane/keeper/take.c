/* Taking: wishes, one walk at a time, and what the lane is told of it. */
#include "dataplane/keeper/internal.h"

#include "dataplane/view/view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- wishes ---------------------------------------------------------------------------------- */

static uint64_t applied(struct keeper *keeper, uint16_t group)
{
    return state_applied_index(lane_state_to_walk(keeper_lane_of(keeper, group)->lane, group));
}

static bool is_scarce(const struct keeper_lane *lane)
{
    struct storage_report report;
    if (lane->storage == NULL)
        return false;
    storage_report(lane->storage, &report);
    return report.capacity_bytes != 0 && report.room_bytes < report.capacity_bytes / 2;
}

uint64_t take_written(const struct keeper_lane *lane)
{
    struct storage_report report;
    if (lane->storage == NULL)
        return 0;
    storage_report(lane->storage, &report);
    return report.write_bytes;
}

/* A group whose newest snapshot is of all that is applied has nothing to give. */
static void want(struct keeper *keeper, uint16_t group)
{
    if (applied(keeper, group) > keeper->group[group].newest.head.index)
        keeper->group[group].wanted = true;
}

void take_policy(struct keeper *keeper, uint64_t now_ns)
{
    uint64_t after = keeper->config.snapshot_after_bytes;
    if (after == 0 || now_ns < keeper->policy_ns)
        return;
    keeper->policy_ns = now_ns + KEEPER_SECOND_NS;
    for (uint32_t g = 0; g < keeper->config.group_count; g++) {
        const struct keeper_lane *lane = keeper_lane_of(keeper, (uint16_t)g);
        if (lane->lane != NULL && take_written(lane) - keeper->group[g].written_at >= after)
            want(keeper, (uint16_t)g);
    }
    for (uint32_t i = 0; i < keeper->config.lane_count; i++) {
        const struct keeper_lane *lane = &keeper->lane[i];
        uint16_t group;
        if (lane->lane != NULL && keeper->config.pinned_by != NULL && is_scarce(lane) &&
            keeper->config.pinned_by(lane->storage, &group) && group < keeper->config.group_count)
            want(keeper, group);
    }
}

static bool may_begin(struct keeper *keeper, uint16_t group, uint64_t now_ns)
{
    struct keeper_group *kept = &keeper->group[group];
    struct lane *lane = keeper_lane_of(keeper, group)->lane;
    bool asked = atomic_load_explicit(&kept->asks, memory_order_acquire) != kept->answered;
    /* A state that is about to be replaced is not walked, and the other way round. */
    bool installs =
        kept->reception.step == RECEPTION_ASKING || kept->reception.step == RECEPTION_WAITING;
    return (kept->wanted || asked) && lane != NULL && now_ns >= kept->not_before_ns &&
           !kept->told_due && !installs &&
           state_capture_phase(lane_state_to_walk(lane, group)) == STATE_CAPTURE_IDLE;
}

/* The group after the last one first, so that none waits for ever. */
void take_begin(struct keeper *keeper, uint64_t now_ns)
{
    uint32_t count = keeper->config.group_count;
    if (keeper->take_step != TAKE_NONE ||
        atomic_load_explicit(&keeper->cluster, memory_order_acquire) == 0)
        return;
    for (uint32_t i = 1; i <= count; i++) {
        uint16_t group = (uint16_t)((keeper->take_group + i) % count);
        struct keeper_group *kept = &keeper->group[group];
        if (!may_begin(keeper, group, now_ns))
            continue;
        kept->serving = atomic_load_explicit(&kept->asks, memory_order_acquire);
        keeper->take_group = group;
        keeper->take_step = TAKE_ASKED;
        lane_snapshot_ask(keeper_lane_of(keeper, group)->lane, group);
        return;
    }
}

/* ---- the walk -------------------------------------------------------------------------------- */

/* Who asked hears how it ended, unless it is tried again. */
static void answer(struct keeper *keeper, enum snapshot_refusal refusal,
                   const struct snapshot_about *about)
{
    struct keeper_group *kept = &keeper->group[keeper->take_group];
    (void)pthread_mutex_lock(&keeper->lock);
    kept->answered = kept->serving;
    kept->answer = (struct keeper_answer){.refusal = refusal};
    if (refusal == SNAPSHOT_OK) {
        kept->answer.index = about->head.index;
        kept->answer.bytes = about->bytes;
        char name[KEEPER_NAME_MAX];
        keeper_name(keeper, keeper->take_group, about->head.index, "snap", name);
        (void)snprintf(kept->answer.name, sizeof kept->answer.name, "%s", name);
    }
    (void)pthread_mutex_unlock(&keeper->lock);
}

/* Ever later, up to a minute. */
static void back_off(struct keeper *keeper, uint64_t now_ns)
{
    struct keeper_group *kept = &keeper->group[keeper->take_group];
    uint32_t doublings = (uint32_t)min_u64(kept->failures, 6);
    kept->failures++;
    kept->wanted = true;
    kept->not_before_ns = now_ns + (KEEPER_RETRY_NS << doublings);
    keeper->take_step = TAKE_NONE;
    keeper->take = NULL;
}

static void not_taken(struct keeper *keeper, enum snapshot_refusal refusal, uint64_t now_ns)
{
    bool overrun = refusal == SNAPSHOT_REFUSED_OVERRUN;
    keeper_count(keeper, overrun ? KEEPER_OVERRUN : KEEPER_NOT_TAKEN);
    if (!overrun) {
        answer(keeper, refusal, NULL);
        if (keeper->group[keeper->take_group].failures == 0)
            keeper_say(keeper, keeper->take_group, 0,
                       refusal == SNAPSHOT_REFUSED_FILE ? strerrordesc_np(errno)
                                                        : snapshot_refusal_sentence(refusal));
    }
    back_off(keeper, now_ns);
}

static void taken(struct keeper *keeper, const struct snapshot_about *about, uint64_t now_ns)
{
    uint16_t group = keeper->take_group;
    struct keeper_group *kept = &keeper->group[group];
    keeper_count(keeper, KEEPER_TAKEN);
    kept->newest = *about;
    kept->told = keeper->take_of;
    kept->told_due = true;
    kept->wanted = false;
    kept->failures = 0;
    kept->not_before_ns = now_ns + KEEPER_RETRY_NS;
    kept->written_at = take_written(keeper_lane_of(keeper, group));
    (void)pthread_mutex_lock(&keeper->lock);
    kept->report.index = about->head.index;
    kept->report.bytes = about->bytes;
    kept->report.taken_ns = now_ns;
    (void)pthread_mutex_unlock(&keeper->lock);
    answer(keeper, SNAPSHOT_OK, about);
    keeper->take_step = TAKE_NONE;
    keeper->take = NULL;
    keeper_prune(keeper, group);
}

void take_tell(struct keeper *keeper, uint16_t group)
{
    struct keeper_group *kept = &keeper->group[group];
    const struct keeper_lane *lane = keeper_lane_of(keeper, group);
    if (kept->told_due && lane_snapshot_taken(lane->lane, group, &kept->told, is_scarce(lane)))
        kept->told_due = false;
}

void take_marked(struct keeper *keeper, const struct lane_note *note, uint64_t now_ns)
{
    struct state *state =
        lane_state_to_walk(keeper_lane_of(keeper, note->group)->lane, note->group);
    ENSURE(keeper->take_step == TAKE_ASKED && note->group == keeper->take_group);
    if (note->kind == LANE_NOTE_UNMARKED) {
        keeper_count(keeper, KEEPER_UNMARKED);
        state_capture_abandon(state);
        back_off(keeper, now_ns);
        return;
    }
    enum snapshot_refusal refusal = SNAPSHOT_REFUSED_FILE;
    struct snapshot_head head = keeper_head(keeper, note->group, &note->snapshot);
    char name[KEEPER_NAME_MAX];
    keeper->take_of = note->snapshot;
    keeper_name(keeper, note->group, note->snapshot.index, "snap", name);
    if (keeper_folder(keeper))
        keeper->take = snapshot_take_begin(state, &keeper->config.state, keeper->folder, name,
                                           &head, &refusal);
    else
        state_capture_abandon(state);
    if (keeper->take == NULL)
        not_taken(keeper, refusal, now_ns);
    else
        keeper->take_step = TAKE_WALKING;
}

bool take_step(struct keeper *keeper, uint64_t now_ns)
{
    enum snapshot_refusal refusal;
    struct snapshot_about about;
    if (keeper->take_step != TAKE_WALKING)
        return false;
    bool reads = snapshot_take_reads(keeper->take);
    if (!reads)
        view_offline();
    bool more = snapshot_take_step(keeper->take, &refusal, &about);
    if (!reads)
        view_online();
    if (more)
        return true;
    if (refusal == SNAPSHOT_OK)
        taken(keeper, &about, now_ns);
    else
        not_taken(keeper, refusal, now_ns);
    return true;
}
