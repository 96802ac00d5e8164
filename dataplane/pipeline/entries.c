/* entries.c: log time, and the entries that a leader proposes by itself: the no-op of its term, and
 * time. */
#include "dataplane/pipeline/internal.h"

/* The time that an entry would bear now: the wall clock, but never back, and never further ahead of
 * what has passed since the term began than a wrong wall clock is allowed to move it. */
static uint64_t log_time_now_ms(const struct lane *lane, struct group *group)
{
    struct log_clock *time = &group->time;
    const struct clock_sample *clock = &lane->look[ROOM_ORDER]->clock;
    uint64_t term = raft_term(group->raft);
    if (time->anchor_term != term) {
        time->anchor_term = term;
        time->anchor_ms = time->last_ms != 0 ? time->last_ms : clock->wall_ms;
        time->anchor_now_ns = time->last_ms != 0 ? time->last_seen_ns : clock->now_ns;
    }
    uint64_t elapsed_ms = (clock->now_ns - time->anchor_now_ns) / 1000000;
    uint64_t bound_ms = time->anchor_ms + elapsed_ms + lane->config.time_jump_max_ms;
    return max_u64(time->last_ms, min_u64(clock->wall_ms, bound_ms));
}

uint64_t order_entry_time_ms(struct lane *lane, struct group *group)
{
    group->time.last_ms = log_time_now_ms(lane, group);
    group->time.last_seen_ns = lane->look[ROOM_ORDER]->clock.now_ns;
    return group->time.last_ms;
}

static void propose_own(struct lane *lane, struct group *group, enum wire_entry_kind kind)
{
    uint32_t size = wire_entry_size(0);
    if (!order_log_fits(lane, group, 1, size) || raft_propose(group->raft, &size, 1) == 0)
        return; /* tried again when the group is next touched */
    uint64_t index = raft_last_index(group->raft);
    uint64_t time_ms = order_entry_time_ms(lane, group);
    struct wire_entry *entry = log_append(group->log, index, 0);
    ENSURE(entry != NULL); /* log_fits was asked */
    entry->kind = (uint8_t)kind;
    entry->flags = 0;
    entry->term = raft_term(group->raft);
    entry->time_ms = time_ms;
    entry->session = 0;
    entry->sequence = 0;
}

void order_noop(struct lane *lane, struct group *group)
{
    if (raft_noop_due(group->raft))
        propose_own(lane, group, WIRE_ENTRY_NOOP);
}

/* Keys expire by log time alone, so time has to enter the log while a key is due and nothing else
 * is proposed. */
void order_time(struct lane *lane, struct group *group)
{
    if (!raft_leader_ready(group->raft) || raft_last_index(group->raft) != group->applied_told)
        return;
    uint64_t due_ms = state_next_expiry_ms(group->state);
    if (due_ms > group->time.last_ms && due_ms <= log_time_now_ms(lane, group))
        propose_own(lane, group, WIRE_ENTRY_TIME);
}
