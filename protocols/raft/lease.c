#include "protocols/raft/internal.h"

/* Send times are noted coarsely: for a round between two notes the older one counts, which only
 * makes a lease end earlier. */
static void note_round(raft *r)
{
    const struct raft_round_time *newest =
        &r->round_time[(r->round_time_count - 1u) % RAFT_ROUND_TIMES_MAX];
    uint64_t apart_ns = r->config.election_timeout_ns / RAFT_ROUND_TIMES_PER_TIMEOUT;
    if (r->round_time_count > 0 && r->now_ns - newest->sent_ns < apart_ns)
        return;
    r->round_time[r->round_time_count % RAFT_ROUND_TIMES_MAX] =
        (struct raft_round_time){.round = r->round, .sent_ns = r->now_ns};
    r->round_time_count++;
}

/* 0: so long ago that nothing is remembered. */
static uint64_t sent_ns(const raft *r, uint64_t round)
{
    uint32_t kept = min_u32(r->round_time_count, RAFT_ROUND_TIMES_MAX);
    for (uint32_t back = 1; back <= kept; back++) {
        const struct raft_round_time *time =
            &r->round_time[(r->round_time_count - back) % RAFT_ROUND_TIMES_MAX];
        if (time->round <= round)
            return time->sent_ns;
    }
    return 0;
}

void raft_lease_begin(raft *r)
{
    r->round_time_count = 0;
    r->round_confirmed = 0;
    r->contact_ns = r->now_ns;
    r->lease_until_ns = 0;
    r->lease_spoiled = false;
    memset(r->echo, 0, sizeof r->echo);
    raft_lease_want_round(r);
}

void raft_lease_end(raft *r)
{
    r->lease_until_ns = 0;
    r->round_open = false;
}

void raft_lease_spoil(raft *r)
{
    if (RAFT_MUTATED(LEASE_AFTER_TRANSFER))
        return;
    r->lease_spoiled = true;
    r->lease_until_ns = 0;
}

void raft_lease_want_round(raft *r)
{
    r->round_wanted = r->round + 1;
    r->appends_due = true;
}

/* Thesis §6.4.1: followers that have heard this round elect nobody else for an election time-out of
 * their own clocks, counted from no earlier than its sending. */
static void confirm(raft *r)
{
    uint64_t round = quorum_value(&r->rule, r->echo);
    if (round <= r->round_confirmed)
        return;
    r->round_confirmed = round;
    r->contact_ns = max_u64(r->contact_ns, sent_ns(r, round));
    if (!r->config.lease_reads || r->lease_spoiled)
        return;
    uint64_t length_ns = r->config.election_timeout_ns;
    uint64_t drift_ns = length_ns / 1000000u * r->config.drift_ppm +
                        length_ns % 1000000u * r->config.drift_ppm / 1000000u + 1;
    if (RAFT_MUTATED(LEASE_WITHOUT_DRIFT))
        drift_ns = 0;
    uint64_t from_ns = sent_ns(r, round);
    if (RAFT_MUTATED(LEASE_FROM_RECEIPT))
        from_ns = r->now_ns;
    if (from_ns != 0)
        r->lease_until_ns = max_u64(r->lease_until_ns, from_ns + length_ns - drift_ns);
}

void raft_lease_open_round(raft *r)
{
    if (r->round_open)
        return;
    r->round_open = true;
    r->round++;
    note_round(r);
    r->echo[r->self] = r->round;
    confirm(r); /* alone, a member is its own quorum */
}

void raft_lease_echo(raft *r, uint32_t position, uint64_t round)
{
    if (round <= r->echo[position])
        return;
    r->echo[position] = round;
    confirm(r);
}

void raft_lease_recount(raft *r)
{
    confirm(r);
}

bool raft_lease_answers(const raft *r, uint32_t position)
{
    uint64_t since_ns = r->echo[position] == 0 ? 0 : sent_ns(r, r->echo[position]);
    return since_ns != 0 && r->now_ns - since_ns < r->config.election_timeout_ns;
}

bool raft_lease_holds(const raft *r)
{
    return r->role == RAFT_LEADER && r->now_ns < r->lease_until_ns &&
           (r->ticked || RAFT_MUTATED(LEASE_ON_STALE_NOW));
}
