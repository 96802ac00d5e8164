#include "protocols/raft/internal.h"

/* What has been sent so far and not been answered is given up: its rejections say nothing new. */
static void set_progress(raft *r, struct raft_follower *f, enum raft_progress progress)
{
    f->progress = (uint8_t)progress;
    f->since_round = r->round + 1;
    f->probe_sent = false;
    f->flight_head = 0;
    f->flight_count = 0;
    f->flight_bytes = 0;
}

static void need_snapshot(raft *r, struct raft_follower *f)
{
    if (f->progress != RAFT_SNAPSHOT) {
        raft_count(r, RAFT_NEEDS_SNAPSHOT);
        set_progress(r, f, RAFT_SNAPSHOT);
    }
    f->next = r->base + 1;
}

void raft_replicate_welcome(raft *r, uint32_t position)
{
    r->match[position] = 0;
    r->follower[position] = (struct raft_follower){.next = r->last + 1};
    set_progress(r, &r->follower[position], RAFT_PROBE);
}

void raft_replicate_lead(raft *r)
{
    r->transferee = RAFT_NO_POSITION;
    r->timeout_now_sent = false;
    r->successor = RAFT_NO_POSITION;
    r->match_voided = false;
    r->send_cursor = 0;
    memset(r->caught_up_ns, 0, sizeof r->caught_up_ns);
    for (uint32_t i = 0; i < r->slot_count; i++)
        raft_replicate_welcome(r, i);
    r->match[r->self] = r->stored;
}

/* Its log must be searched anew, and answers from before say nothing of what it has now. */
void raft_replicate_void(raft *r, uint32_t position)
{
    raft_count(r, RAFT_FOLLOWER_IN_DOUBT);
    if (RAFT_MUTATED(DOUBT_KEEPS_MATCH))
        return;
    raft_replicate_welcome(r, position);
    r->follower[position].void_round = r->round + 1;
    r->caught_up_ns[position] = 0;
    r->match_voided = true;
    r->appends_due = true;
}

static void land_flights(raft *r, uint32_t position, uint64_t match)
{
    struct raft_follower *f = &r->follower[position];
    const struct raft_flight *flights = raft_flights(r, position);
    while (f->flight_count > 0 && flights[f->flight_head].last <= match) {
        f->flight_bytes -= flights[f->flight_head].bytes;
        f->flight_head =
            f->flight_head + 1 == r->config.inflight_messages_max ? 0 : f->flight_head + 1;
        f->flight_count--;
    }
}

static void accepted(raft *r, const struct wire_raft *reply, uint32_t from)
{
    struct raft_follower *f = &r->follower[from];
    f->priority = (uint8_t)min_u64(reply->commit, UINT8_MAX);
    bool moved = reply->index > r->match[from];
    if (moved) {
        r->match[from] = reply->index;
        f->next = max_u64(f->next, reply->index + 1);
        land_flights(r, from, reply->index);
        if (reply->index > r->commit)
            raft_commit_count(r);
    }
    bool found = moved || (reply->index == r->match[from] && reply->round >= f->since_round);
    if (f->progress != RAFT_REPLICATE && found && r->match[from] >= r->base) {
        set_progress(r, f, RAFT_REPLICATE);
        f->next = r->match[from] + 1;
    }
    if (f->next <= r->last || r->transferee == from)
        r->appends_due = true;
}

static void rejected(raft *r, const struct wire_raft *reply, uint32_t from)
{
    struct raft_follower *f = &r->follower[from];
    if (reply->round < f->since_round) {
        raft_count(r, RAFT_REPLY_OUTDATED);
        return;
    }
    uint64_t agreed = max_u64(raft_log_agreement(r, reply->index, reply->log_term), r->match[from]);
    if (agreed < r->base) {
        need_snapshot(r, f);
        return;
    }
    /* A correction that corrects nothing waits for the heartbeat: no ping-pong at the speed of the
     * wire. */
    bool stuck = f->progress == RAFT_PROBE && f->next == agreed + 1;
    raft_count(r, RAFT_PROBED);
    set_progress(r, f, RAFT_PROBE);
    f->next = agreed + 1;
    f->probe_sent = stuck;
    r->appends_due = true;
}

void raft_replicate_reply(raft *r, const struct wire_raft *reply, uint32_t from)
{
    if (r->role != RAFT_LEADER) {
        raft_count(r, RAFT_REPLY_UNEXPECTED);
        return;
    }
    bool accepting = !(reply->flags & WIRE_RAFT_REJECTED);
    if (reply->round > r->round || (accepting && reply->index > r->last)) {
        raft_count(r, RAFT_REPLY_NONSENSE);
        return;
    }
    if (UNLIKELY(reply->round < r->follower[from].void_round)) {
        raft_count(r, RAFT_REPLY_OUTDATED);
        return;
    }
    raft_lease_echo(r, from, reply->round);
    if (accepting)
        accepted(r, reply, from);
    else
        rejected(r, reply, from);
}

/* ---- what goes out --------------------------------------------------------------------------- */

/* Entries [next, next + count) for the follower at `to`; 0: a heartbeat, which asks whether next -
 * 1 is there. */
static void send_append(raft *r, uint32_t to, uint32_t count, uint64_t bytes)
{
    struct raft_follower *f = &r->follower[to];
    raft_lease_open_round(r);
    struct wire_raft *append = &raft_send_add(r, WIRE_APPEND, r->slot_id[to], 0)->message;
    append->index = f->next - 1;
    append->log_term = raft_log_term(r, f->next - 1);
    append->commit = r->commit;
    append->round = r->round;
    append->entry_count = count;
    append->entry_bytes = (uint32_t)bytes;
    f->sent_round = r->round;
}

/* Witnesses are told of an entry once somebody who stays has stored it in full: or they could
 * commit it, or keep others from being elected, when nobody has it. */
static uint64_t stored_in_full(const raft *r)
{
    uint64_t index = RAFT_MUTATED(MEMBERS_WITNESS_AHEAD) ? r->last : 0;
    for (member_set left = r->heirs; left != 0; left &= left - 1)
        index = max_u64(index, r->match[__builtin_ctzll(left)]);
    return index;
}

/* How many entries up to `upto` the next message takes; 0: none, or it must wait. Room in flight
 * is given out by whole messages, so that a full pipeline does not crumble; alone, even an entry
 * larger than a message may go. */
static inline uint32_t fit_message(const raft *r, const struct raft_follower *f, uint64_t upto,
                                   uint64_t *bytes)
{
    const struct raft_config *c = &r->config;
    bool full = f->flight_count == c->inflight_messages_max ||
                f->flight_bytes + c->message_bytes_max > c->inflight_bytes_max;
    if (f->next > upto || (full && f->flight_count > 0))
        return 0;
    uint32_t count_max = (uint32_t)min_u64(c->message_entries_max, upto - f->next + 1);
    uint32_t count = raft_log_fit(r, f->next, count_max, c->message_bytes_max, bytes);
    if (count == 0 && f->flight_count == 0) {
        count = 1;
        *bytes = raft_log_sum(r, f->next) - raft_log_sum(r, f->next - 1);
    }
    return count;
}

static void fly(raft *r, uint32_t to, uint32_t count, uint64_t bytes)
{
    struct raft_follower *f = &r->follower[to];
    uint32_t at = f->flight_head + f->flight_count;
    if (at >= r->config.inflight_messages_max)
        at -= r->config.inflight_messages_max;
    f->next += count;
    raft_flights(r, to)[at] = (struct raft_flight){.last = f->next - 1, .bytes = bytes};
    f->flight_count++;
    f->flight_bytes += bytes;
}

/* False: the send array is full. */
static bool offer_snapshot(raft *r, uint32_t to)
{
    if (r->snapshot.index < r->base) {
        r->snapshot_wanted = true;
        return true;
    }
    if (r->send_count == RAFT_SEND_MAX)
        return false;
    raft_count(r, RAFT_SNAPSHOT_OFFERED);
    raft_lease_open_round(r);
    struct wire_raft *offer = &raft_send_add(r, WIRE_SNAPSHOT, r->slot_id[to], 0)->message;
    offer->index = r->snapshot.index;
    offer->log_term = r->snapshot.term;
    offer->round = r->round;
    r->follower[to].probe_sent = true;
    r->follower[to].sent_round = r->round;
    return true;
}

/* False: the send array is full. */
static bool send_to(raft *r, uint32_t to)
{
    struct raft_follower *f = &r->follower[to];
    uint64_t bytes = 0;
    uint64_t upto = UNLIKELY(r->witnesses >> to & 1) ? stored_in_full(r) : r->last;
    if (f->next <= r->base || f->progress == RAFT_SNAPSHOT)
        need_snapshot(r, f);
    if (f->progress == RAFT_SNAPSHOT && !f->probe_sent && !offer_snapshot(r, to))
        return false;
    if (f->progress == RAFT_REPLICATE) {
        for (uint32_t count; (count = fit_message(r, f, upto, &bytes)) > 0;) {
            if (r->send_count == RAFT_SEND_MAX)
                return false;
            send_append(r, to, count, bytes);
            fly(r, to, count, bytes);
        }
    } else if (f->progress == RAFT_PROBE && !f->probe_sent) {
        if (r->send_count == RAFT_SEND_MAX)
            return false;
        uint32_t count = fit_message(r, f, upto, &bytes);
        send_append(r, to, count, count > 0 ? bytes : 0);
        f->probe_sent = true;
    }
    if (f->sent_round >= r->round_wanted)
        return true;
    if (r->send_count == RAFT_SEND_MAX)
        return false;
    send_append(r, to, 0, 0);
    return true;
}

static void send_timeout_now(raft *r)
{
    uint32_t to = r->transferee;
    if (to == RAFT_NO_POSITION || r->timeout_now_sent || r->match[to] != r->last)
        return;
    if (r->send_count == RAFT_SEND_MAX) {
        r->appends_due = true;
        return;
    }
    raft_send_add(r, WIRE_TIMEOUT_NOW, r->slot_id[to], 0);
    r->timeout_now_sent = true;
}

void raft_replicate_send(raft *r)
{
    r->appends_due = false;
    r->round_open = false;
    if (r->round_wanted > r->round)
        raft_lease_open_round(r);
    uint32_t count = r->slot_count;
    for (uint32_t i = 0; i < count && !r->appends_due; i++) {
        uint32_t to = (r->send_cursor + i) % count;
        if (to != r->self && (r->slots >> to & 1) != 0 && !send_to(r, to)) {
            r->appends_due = true;
            r->send_cursor = to; /* whoever was cut short comes first next time */
        }
    }
    send_timeout_now(r);
}

/* ---- hand-over (§3.10) ----------------------------------------------------------------------- */

bool raft_transfer(raft *r, uint16_t to)
{
    uint32_t position = raft_position(r, to);
    if (r->role != RAFT_LEADER || r->transferee != RAFT_NO_POSITION || r->last < r->term_start ||
        position == RAFT_NO_POSITION || position == r->self || (r->heirs >> position & 1) == 0 ||
        r->follower[position].progress == RAFT_SNAPSHOT) {
        raft_count(r, RAFT_TRANSFER_REFUSED);
        return false;
    }
    raft_count(r, RAFT_TRANSFER_STARTED);
    raft_lease_spoil(r); /* its campaign will not respect what followers promised us */
    raft_pace_transfer(r);
    r->transferee = position;
    r->timeout_now_sent = false;
    r->appends_due = true;
    return true;
}

void raft_prefer(raft *r, uint8_t priority)
{
    ENSURE(r->config.priority_top == 0 || priority <= r->config.priority_top);
    r->config.priority = priority;
}

/* Of those with the highest priority above ours, whom we wait for already. */
static uint32_t preferred(const raft *r)
{
    uint32_t best = RAFT_NO_POSITION;
    uint8_t priority = r->config.priority;
    for (member_set left = r->heirs & ~raft_bit(r->self); left != 0; left &= left - 1) {
        uint32_t position = (uint32_t)__builtin_ctzll(left);
        uint8_t its = r->follower[position].priority;
        bool better = its > priority ||
                      (best != RAFT_NO_POSITION && its == priority && position == r->successor);
        if (better && raft_change_close_behind(r, position)) {
            best = position;
            priority = its;
        }
    }
    return best;
}

void raft_replicate_prefer(raft *r)
{
    uint32_t best = r->transferee != RAFT_NO_POSITION ? RAFT_NO_POSITION : preferred(r);
    bool waits = best != RAFT_NO_POSITION && best == r->successor &&
                 r->echo[best] != r->successor_echo; /* it has answered since the last heartbeat */
    if (!waits) {
        r->successor = best;
        r->successor_since_ns = r->now_ns;
    }
    if (best != RAFT_NO_POSITION)
        r->successor_echo = r->echo[best];
    if (waits && r->now_ns - r->successor_since_ns >= r->config.handover_ns)
        (void)raft_transfer(r, r->slot_id[best]);
}
