/* The one file of the tests that looks into the machine: to make equal what differs without
 * meaning. It only ever writes what the machine could have come to by itself at another time or
 * with another seed; raft_check runs on the result. */
#include "tests/sim/exhaustive_canonical.h"

#include "protocols/raft/internal.h"

#define TIMEOUT_NS UINT64_C(1000)
#define NOW_NS     (10 * TIMEOUT_NS)

void exhaustive_canonical_times(struct raft_config *config)
{
    config->now_ns = NOW_NS;
    config->heartbeat_ns = 10;
    config->election_timeout_ns = TIMEOUT_NS;
    config->election_timeout_max_ns = 2 * TIMEOUT_NS;
}

uint64_t exhaustive_canonical_timer(const raft *r, bool beat)
{
    return beat ? r->beat_at_ns : r->election_at_ns;
}

/* Now is when the last promise to a leader has lapsed, and any timer is next. */
static void set_clocks(raft *r)
{
    bool leads = r->role == RAFT_LEADER;
    r->now_ns = NOW_NS;
    r->heard_ns = NOW_NS - TIMEOUT_NS;
    r->timeout_ns = TIMEOUT_NS + 2;
    r->beat_at_ns = NOW_NS + 1;
    r->election_at_ns = NOW_NS + 2;
    r->wake_ns = r->role == RAFT_FOLLOWER ? r->election_at_ns : r->beat_at_ns;
    r->transfer_until_ns = 0;
    r->campaigns_lost = 0;
    r->stall_forgiven = false;
    r->contact_ns = leads ? NOW_NS - TIMEOUT_NS : 0;
    memset(r->round_time, 0, sizeof r->round_time);
    r->round_time_count = leads;
    if (leads) /* whatever was answered was answered in time */
        r->round_time[0].sent_ns = NOW_NS;
}

static uint64_t shifted(uint64_t seq, uint64_t by)
{
    return seq > by ? seq - by : 0;
}

static void renumber_persists(raft *r)
{
    struct raft_persist persist[RAFT_PERSISTS_MAX] = {{0}};
    uint64_t by = r->seq_stored;
    for (uint32_t i = 0; i < r->persist_count; i++) {
        persist[i] = r->persist[(r->persist_head + i) % RAFT_PERSISTS_MAX];
        persist[i].seq -= by;
    }
    memcpy(r->persist, persist, sizeof persist);
    r->persist_head = 0;
    r->seq_last = shifted(r->seq_last, by);
    r->seq_hard = shifted(r->seq_hard, by);
    r->seq_stored = 0;
}

static void clear_records(raft *r)
{
    for (uint64_t i = 0; i < r->config.entries_max; i++) {
        bool used = false;
        for (uint64_t index = r->base + 1; index <= r->last; index++)
            used |= raft_record_of(r, index) == &raft_records(r)[i];
        if (!used)
            raft_records(r)[i] = (struct raft_record){0};
    }
}

static void straighten_flights(raft *r, uint32_t position)
{
    enum { ROOM = 16 };
    struct raft_follower *f = &r->follower[position];
    struct raft_flight *flights = raft_flights(r, position);
    struct raft_flight in_order[ROOM] = {{0}};
    ENSURE(r->config.inflight_messages_max <= ROOM);
    for (uint32_t i = 0; i < f->flight_count; i++)
        in_order[i] = flights[(f->flight_head + i) % r->config.inflight_messages_max];
    memcpy(flights, in_order, r->config.inflight_messages_max * sizeof flights[0]);
    f->flight_head = 0;
}

/* Elected, a leader begins all of this anew. */
static void forget_leading(raft *r)
{
    r->term_start = 0;
    r->appends_due = false;
    r->transferee = RAFT_NO_POSITION;
    r->timeout_now_sent = false;
    r->round_wanted = r->round_confirmed = 0;
    memset(r->match, 0, sizeof r->match);
    memset(r->follower, 0, sizeof r->follower);
    memset(r->echo, 0, sizeof r->echo);
    memset(raft_flights(r, 0), 0,
           (size_t)QUORUM_MEMBERS_MAX * r->config.inflight_messages_max *
               sizeof(struct raft_flight));
}

static void tidy_leading(raft *r)
{
    ENSURE(!r->appends_due);
    r->round_wanted = 0; /* all have been sent it: none of a later round is due */
    for (uint32_t i = 0; i < r->slot_count; i++) {
        r->follower[i].sent_round = 0;
        straighten_flights(r, i);
    }
}

void exhaustive_canonical(raft *r)
{
    memset(r->counter, 0, sizeof r->counter);
    random_init(&r->random, 0);
    set_clocks(r);
    renumber_persists(r);
    clear_records(r);
    r->send_count = 0;
    r->send_taken = false;
    r->send_cursor = 0;
    r->round_open = false;
    r->lease_spoiled = false;
    memset(r->caught_up_ns, 0, sizeof r->caught_up_ns);
    for (uint32_t i = r->slot_count; i < QUORUM_MEMBERS_MAX; i++)
        r->slot_id[i] = 0;
    r->owed.reject_round = r->owed.reject_index = r->owed.reject_term = 0;
    r->owed.to = 0;
    if (r->role == RAFT_LEADER)
        tidy_leading(r);
    else
        forget_leading(r);
    if (r->role == RAFT_FOLLOWER)
        r->votes = 0;
    if (r->role != RAFT_CANDIDATE)
        r->refusals = 0;
    r->campaign_transfer = r->role == RAFT_CANDIDATE && r->campaign_transfer;
}

size_t exhaustive_canonical_save(const raft *r, uint8_t *to)
{
    size_t flights =
        (size_t)EXHAUSTIVE_SLOTS * r->config.inflight_messages_max * sizeof(struct raft_flight);
    memcpy(to, r, r->sends_offset);
    memcpy(to + r->sends_offset, raft_flights(r, 0), flights);
    return r->sends_offset + flights;
}

void exhaustive_canonical_load(raft *r, const uint8_t *from)
{
    const raft *saved = (const raft *)from;
    size_t flights =
        (size_t)EXHAUSTIVE_SLOTS * saved->config.inflight_messages_max * sizeof(struct raft_flight);
    memcpy(r, from, saved->sends_offset);
    memcpy(raft_flights(r, 0), from + r->sends_offset, flights);
}
