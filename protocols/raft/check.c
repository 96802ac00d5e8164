#include "protocols/raft/internal.h"

/* Figure 3 as far as one member can see it: what it would take a second member to see is checked by
 * the tests. */

static void check_log(const raft *r)
{
    ENSURE(r->base <= r->last && r->last - r->base <= r->config.entries_max);
    ENSURE(r->base_term <= r->term && r->last_sum == raft_log_sum(r, r->last));
    uint64_t term = r->base_term;
    uint64_t sum = r->base_sum;
    for (uint64_t i = r->base + 1; i <= r->last; i++) {
        const struct raft_record *record = raft_record_of(r, i);
        /* terms never fall along a log, and none is from the future */
        ENSURE(record->term >= term && record->term <= r->term && record->term > 0);
        ENSURE(record->sum >= sum);
        term = record->term;
        sum = record->sum;
    }
}

static void check_progress_of_entries(const raft *r)
{
    ENSURE(r->applied <= r->delivered);
    ENSURE(r->delivered <= r->commit);
    /* state machine safety rests on never applying what a crash could take back */
    ENSURE(r->delivered <= r->stored);
    ENSURE(r->commit <= r->last);
    ENSURE(r->stored <= r->last && r->stored < r->persist_next);
    ENSURE(r->persist_next <= r->last + 1);
    uint64_t seq = r->seq_stored;
    uint64_t last = r->stored;
    for (uint32_t i = 0; i < r->persist_count; i++) {
        const struct raft_persist *persist = &r->persist[(r->persist_head + i) % RAFT_PERSISTS_MAX];
        ENSURE(persist->seq > seq && persist->seq <= r->seq_last);
        ENSURE(persist->last >= last && persist->last < r->persist_next);
        seq = persist->seq;
        last = persist->last;
    }
    ENSURE(last ==
           r->persist_next - 1); /* what was handed to persist is either durable or under way */
}

static void check_role(const raft *r)
{
    ENSURE(r->role >= RAFT_FOLLOWER && r->role <= RAFT_LEADER);
    ENSURE((r->leader == r->config.self) == (r->role == RAFT_LEADER));
    ENSURE(r->term > 0 || r->vote == RAFT_NOBODY);
    if (r->role == RAFT_CANDIDATE || r->role == RAFT_PRECANDIDATE)
        ENSURE(raft_may_lead(r) && (r->votes & ~raft_voters(r)) == 0);
    if (r->role == RAFT_CANDIDATE || r->role == RAFT_LEADER)
        ENSURE(r->vote == r->config.self);
    /* election safety, this member's half of it; a leader that has changed the members since was
     * elected by others than these */
    if (r->role == RAFT_LEADER && r->force.index < r->term_start)
        ENSURE(quorum_reached(&r->rule, r->votes));
    ENSURE(r->role == RAFT_LEADER || (r->lease_until_ns == 0 && !r->write_hung));
    ENSURE(r->role == RAFT_FOLLOWER || !r->doubtful || RAFT_MUTATED(DOUBT_CAMPAIGNS));
    ENSURE(r->role == RAFT_CANDIDATE || r->role == RAFT_PRECANDIDATE || r->requests_due == 0);
    ENSURE(r->owed.matched <= r->last && r->owed.acknowledged <= r->owed.matched);
}

static void check_follower(const raft *r, uint32_t position)
{
    const struct raft_follower *f = &r->follower[position];
    const struct raft_flight *flights = raft_flights(r, position);
    ENSURE(f->progress >= RAFT_PROBE && f->progress <= RAFT_SNAPSHOT);
    ENSURE(r->match[position] < f->next || f->progress == RAFT_SNAPSHOT);
    ENSURE(f->next <= r->last + 1 && r->match[position] <= r->last);
    ENSURE(f->flight_count <= r->config.inflight_messages_max);
    ENSURE(f->flight_count == 0 || f->progress == RAFT_REPLICATE);
    ENSURE(f->flight_bytes <= r->config.inflight_bytes_max || f->flight_count == 1);
    uint64_t bytes = 0;
    uint64_t last = r->match[position];
    for (uint32_t i = 0; i < f->flight_count; i++) {
        const struct raft_flight *flight =
            &flights[(f->flight_head + i) % r->config.inflight_messages_max];
        ENSURE(flight->last > last && flight->last < f->next);
        last = flight->last;
        bytes += flight->bytes;
    }
    ENSURE(bytes == f->flight_bytes);
    ENSURE(r->echo[position] <= r->round && f->sent_round <= r->round);
}

static void check_leader(const raft *r)
{
    ENSURE(r->match[r->self] == r->stored);
    for (uint32_t i = 0; i < r->slot_count; i++)
        if (i != r->self && (r->slots >> i & 1) != 0)
            check_follower(r, i);
    /* leader append-only: what it wrote since its election bears its term */
    ENSURE(r->term_start <= r->last + 1);
    ENSURE(r->last < r->term_start || r->base >= r->term_start ||
           raft_log_term(r, r->term_start) == r->term);
    ENSURE(r->term_start <= r->base + 1 || raft_log_term(r, r->term_start - 1) < r->term);
    /* §5.4.2: an entry of its own term is committed once a quorum has stored it */
    bool same = r->force.index < r->term_start; /* members as at the election */
    if (r->commit >= r->term_start && !r->match_voided && (same || r->commit >= r->force.index))
        ENSURE(quorum_value(&r->rule, r->match) >= r->commit);
    uint64_t confirmed = quorum_value(&r->rule, r->echo);
    ENSURE(same ? confirmed == r->round_confirmed : confirmed <= r->round_confirmed);
    ENSURE(r->round_wanted <= r->round + 1);
    ENSURE(r->lease_until_ns <= r->now_ns + r->config.election_timeout_ns);
    ENSURE(r->lease_until_ns == 0 || (r->config.lease_reads && !r->lease_spoiled));
}

static bool seated(const raft *r, const struct wire_members *members)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (raft_position(r, members->member[i].id) == RAFT_NO_POSITION)
            return false;
    return true;
}

static void check_members(const raft *r)
{
    ENSURE(wire_members_valid(&r->force.members) && seated(r, &r->force.members));
    ENSURE(r->former.index <= r->force.index && r->force.index <= r->last);
    ENSURE(r->slot_id[r->self] == r->config.self && r->slots >> r->self & 1);
    /* whoever leads holds a full copy and votes, in one half at least; unless it is leaving */
    ENSURE(r->role != RAFT_LEADER || raft_belongs(r) != r->leaving);
    ENSURE((r->learners & raft_voters(r) & ~r->electable) == 0);
    ENSURE(r->snapshot.index <= r->applied);
}

void raft_check(const raft *r)
{
    check_members(r);
    check_log(r);
    check_progress_of_entries(r);
    check_role(r);
    if (r->role == RAFT_LEADER)
        check_leader(r);
}
