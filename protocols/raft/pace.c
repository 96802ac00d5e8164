#include "protocols/raft/internal.h"

/* A stall of this many heartbeats beyond the promised wake-up is ours, not the leader's silence. */
#define RAFT_STALL_HEARTBEATS 1u
/* Lost campaigns widen the interval that time-outs are drawn from, up to four times its width. */
#define RAFT_BACKOFF_STEPS_MAX 6u

static uint64_t draw(raft *r)
{
    const struct raft_config *c = &r->config;
    uint64_t width = c->election_timeout_max_ns - c->election_timeout_ns;
    uint64_t deference_ns = 0;
    if (c->priority_top != 0)
        deference_ns = width * (uint64_t)(c->priority_top - c->priority) / c->priority_top;
    width += width / 2 * min_u32(r->campaigns_lost, RAFT_BACKOFF_STEPS_MAX);
    return c->election_timeout_ns + deference_ns + random_below(&r->random, width + 1);
}

static void await_leader(raft *r)
{
    r->election_at_ns = r->now_ns + r->timeout_ns;
    r->wake_ns = r->election_at_ns;
}

void raft_pace_init(raft *r)
{
    r->now_ns = r->config.now_ns;
    r->heard_ns = r->now_ns; /* a leader that we have forgotten may still count on our silence */
    if (RAFT_MUTATED(VOTE_AT_START))
        raft_pace_forget(r);
    r->timeout_ns = draw(r);
    await_leader(r);
}

void raft_pace_heard(raft *r)
{
    r->heard_ns = r->now_ns;
    r->campaigns_lost = 0;
    r->stall_forgiven = false;
    await_leader(r);
}

void raft_pace_voted(raft *r)
{
    await_leader(r);
}

void raft_pace_campaign(raft *r)
{
    r->timeout_ns = draw(r);
    await_leader(r);
    r->beat_at_ns = r->now_ns + r->config.heartbeat_ns;
    r->wake_ns = min_u64(r->election_at_ns, r->beat_at_ns);
}

void raft_pace_wait(raft *r)
{
    r->timeout_ns = draw(r);
    await_leader(r);
}

void raft_pace_lead(raft *r)
{
    r->campaigns_lost = 0;
    r->stall_forgiven = false;
    r->beat_at_ns = r->now_ns + r->config.heartbeat_ns;
    r->wake_ns = r->beat_at_ns;
}

void raft_pace_follow(raft *r, bool was_leader)
{
    if (was_leader) {
        r->timeout_ns = draw(r);
        await_leader(r);
    }
    r->wake_ns = r->election_at_ns;
}

void raft_pace_transfer(raft *r)
{
    r->transfer_until_ns = r->now_ns + r->config.election_timeout_ns;
}

bool raft_pace_leader_lives(const raft *r)
{
    uint64_t since = r->role == RAFT_LEADER ? r->contact_ns : r->heard_ns;
    return r->now_ns - since < r->config.election_timeout_ns;
}

void raft_pace_forget(raft *r)
{
    r->heard_ns = r->now_ns - r->config.election_timeout_ns; /* may wrap: only differences count */
}

bool raft_pace_hung(const raft *r)
{
    return r->config.write_age_max_ns != 0 && r->persist_count > 0 &&
           r->now_ns - r->persist[r->persist_head].since_ns > r->config.write_age_max_ns;
}

/* What arrived while we slept has not been looked at: give it one heartbeat's time, once. */
static bool forgive_stall(raft *r, uint64_t due_ns)
{
    if (r->stall_forgiven || r->now_ns - due_ns <= RAFT_STALL_HEARTBEATS * r->config.heartbeat_ns)
        return false;
    r->stall_forgiven = true;
    raft_count(r, RAFT_STALL_FORGIVEN);
    return true;
}

static void beat_as_leader(raft *r)
{
    uint64_t due_ns = r->beat_at_ns;
    r->beat_at_ns = r->now_ns + r->config.heartbeat_ns;
    r->wake_ns = r->beat_at_ns;
    bool lost = r->config.check_quorum && !raft_pace_leader_lives(r);
    bool hung = raft_pace_hung(r) && !RAFT_MUTATED(LEAD_WITH_HUNG_DISK);
    if (UNLIKELY(lost || hung) && !forgive_stall(r, due_ns)) {
        if (lost) {
            raft_count(r, RAFT_QUORUM_LOST);
            raft_vote_follow(r, r->term, RAFT_NOBODY);
            return;
        }
        r->write_hung = true; /* ready hands over to whoever has everything, and steps down */
    }
    if (r->now_ns - r->contact_ns < r->config.heartbeat_ns * 2)
        r->stall_forgiven = false;
    if (r->transferee != RAFT_NO_POSITION && r->now_ns >= r->transfer_until_ns) {
        r->transferee = RAFT_NO_POSITION;
        raft_count(r, RAFT_TRANSFER_ABANDONED);
    }
    if (r->learners != 0)
        raft_change_observe(r);
    if (r->config.handover_ns != 0)
        raft_replicate_prefer(r);
    r->timeout_now_sent = false; /* again with every heartbeat */
    raft_lease_want_round(r);
}

static void await_as_others(raft *r)
{
    if (r->now_ns >= r->election_at_ns) {
        if (forgive_stall(r, r->election_at_ns)) {
            r->election_at_ns = r->now_ns + r->config.heartbeat_ns;
            r->wake_ns = r->election_at_ns;
            return;
        }
        if (r->role == RAFT_CANDIDATE) {
            r->campaigns_lost++;
            raft_count(r, RAFT_SPLIT_VOTE);
        }
        raft_vote_timed_out(r);
        return;
    }
    /* woken before the time-out: a campaign is running, and requests or answers may be lost */
    r->beat_at_ns = r->now_ns + r->config.heartbeat_ns;
    r->wake_ns = min_u64(r->election_at_ns, r->beat_at_ns);
    raft_vote_ask_again(r);
}

void raft_tick(raft *r, uint64_t now_ns)
{
    r->now_ns = max_u64(r->now_ns, now_ns);
    r->ticked = true;
    if (LIKELY(r->now_ns < r->wake_ns))
        return;
    if (r->role == RAFT_LEADER)
        beat_as_leader(r);
    else
        await_as_others(r);
}
