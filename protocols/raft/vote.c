#include "protocols/raft/internal.h"

/* ---- roles ----------------------------------------------------------------------------------- */

static void set_role(raft *r, uint8_t role, uint16_t leader)
{
    r->role_changed |= r->role != role || r->leader != leader;
    if (r->leader != leader)
        raft_read_leader_changed(r);
    r->role = role;
    r->leader = leader;
    r->requests_due = 0;
}

/* Figure 2: latest term seen, and whom it was given to, before anything is answered in it. */
static void enter_term(raft *r, uint64_t term, uint16_t vote)
{
    r->term = term;
    r->vote = vote;
    r->hard_dirty = true;
    r->owed = (struct raft_owed){0}; /* was owed to a former leader */
}

void raft_vote_follow(raft *r, uint64_t term, uint16_t leader)
{
    ENSURE(term >= r->term);
    bool was_leader = r->role == RAFT_LEADER;
    bool was_follower = r->role == RAFT_FOLLOWER;
    if (term > r->term) {
        raft_count(r, RAFT_TERM_RAISED);
        if (was_leader)
            raft_count(r, RAFT_DEPOSED);
        enter_term(r, term, RAFT_NOBODY);
    }
    set_role(r, RAFT_FOLLOWER, leader);
    if (was_leader) {
        raft_lease_end(r);
        r->leaving = r->write_hung = false;
    }
    if (!was_follower)
        raft_pace_follow(r, was_leader);
}

static void lead(raft *r)
{
    raft_count(r, RAFT_ELECTED);
    set_role(r, RAFT_LEADER, r->config.self);
    r->term_start = r->last + 1;
    r->leaving = !raft_belongs(r);
    raft_lease_begin(r);
    raft_replicate_lead(r);
    raft_pace_lead(r);
}

void raft_vote_resign(raft *r)
{
    raft_count(r, r->write_hung ? RAFT_WRITE_HUNG : RAFT_LEADER_LEFT);
    for (member_set left = r->heirs & ~raft_bit(r->self); left != 0; left &= left - 1) {
        uint32_t position = (uint32_t)__builtin_ctzll(left);
        if (r->match[position] != r->last || !raft_lease_answers(r, position))
            continue;
        (void)raft_send_add(r, WIRE_TIMEOUT_NOW, r->slot_id[position], 0);
        break;
    }
    raft_vote_follow(r, r->term, RAFT_NOBODY);
}

/* ---- campaigns ------------------------------------------------------------------------------- */

static void count_votes(raft *r);

void raft_vote_ask_again(raft *r)
{
    r->requests_due = raft_voters(r) & ~r->votes & ~r->refusals & ~raft_bit(r->self);
}

static void ask_everybody(raft *r)
{
    r->campaign++;
    r->refusals = 0;
    raft_vote_ask_again(r);
    raft_pace_campaign(r);
}

/* §9.6: changes nothing but our own mind, so nothing is stored and nobody is disturbed. */
static void ask_before(raft *r)
{
    raft_count(r, RAFT_PREVOTE_STARTED);
    set_role(r, RAFT_PRECANDIDATE, RAFT_NOBODY);
    r->votes = raft_bit(r->self) & raft_voters(r);
    ask_everybody(r);
    count_votes(r);
}

static void stand(raft *r, bool transfer)
{
    raft_count(r, RAFT_CAMPAIGN_STARTED);
    enter_term(r, r->term + 1, r->config.self);
    set_role(r, RAFT_CANDIDATE, RAFT_NOBODY);
    r->campaign_transfer = transfer;
    r->votes = 0; /* our own counts once it is stored */
    ask_everybody(r);
}

static void count_votes(raft *r)
{
    if (!quorum_reached(&r->rule, r->votes))
        return;
    if (r->role == RAFT_PRECANDIDATE)
        stand(r, false);
    else
        lead(r);
}

/* A term raised by who can not store it, or may lack what is committed, only disturbs. */
static bool must_withhold(const raft *r)
{
    return (r->doubtful && !RAFT_MUTATED(DOUBT_CAMPAIGNS)) || raft_pace_hung(r);
}

void raft_vote_timed_out(raft *r)
{
    bool withhold = must_withhold(r);
    if (withhold)
        raft_count(r, RAFT_CAMPAIGN_WITHHELD);
    if (withhold || !raft_may_lead(r)) { /* it may be asked to vote: others may know more */
        set_role(r, RAFT_FOLLOWER, RAFT_NOBODY);
        raft_pace_wait(r);
    } else if (r->config.pre_vote)
        ask_before(r);
    else
        stand(r, false);
}

void raft_vote_stored(raft *r)
{
    if (r->role != RAFT_CANDIDATE || r->hard_dirty || r->seq_hard > r->seq_stored)
        return;
    r->votes |= raft_bit(r->self) & raft_voters(r);
    count_votes(r);
}

void raft_vote_send(raft *r)
{
    while (r->requests_due != 0 && r->send_count < RAFT_SEND_MAX) {
        uint32_t position = (uint32_t)__builtin_ctzll(r->requests_due);
        r->requests_due &= r->requests_due - 1;
        bool real = r->role == RAFT_CANDIDATE;
        struct wire_raft *request =
            &raft_send_add(r, real ? WIRE_VOTE : WIRE_PREVOTE, r->slot_id[position],
                           real ? raft_commit_seq_of_hard_state(r) : 0)
                 ->message;
        request->term = real ? r->term : r->term + 1;
        request->flags = real && r->campaign_transfer ? WIRE_RAFT_TRANSFER : 0;
        request->index = r->last;
        request->log_term = raft_log_term(r, r->last);
        request->commit = r->force.index;
        request->round = r->campaign;
    }
}

/* ---- voters ---------------------------------------------------------------------------------- */

/* §5.4.1: the later last term wins; in equal terms the longer log. */
static bool up_to_date(const raft *r, const struct wire_raft *request)
{
    uint64_t last_term = raft_log_term(r, r->last);
    if (RAFT_MUTATED(VOTE_WITHOUT_LOG_CHECK))
        return true;
    return request->log_term > last_term ||
           (request->log_term == last_term && request->index >= r->last);
}

/* Names the reason to refuse; RAFT_EVENT_COUNT: none. A request's term is ours by now if it may
 * be. */
static enum raft_event reason_to_refuse(const raft *r, const struct wire_raft *request)
{
    bool real = request->kind == WIRE_VOTE;
    if (request->term < r->term || (!real && request->term == r->term))
        return RAFT_STALE_TERM;
    if (real && r->vote != RAFT_NOBODY && r->vote != request->from &&
        !(RAFT_MUTATED(VOTE_TWICE) && r->role == RAFT_FOLLOWER))
        return RAFT_VOTE_REFUSED_ALREADY_VOTED;
    if (UNLIKELY(r->doubtful) && !RAFT_MUTATED(DOUBT_VOTES))
        return RAFT_VOTE_REFUSED_IN_DOUBT;
    if (!up_to_date(r, request))
        return RAFT_VOTE_REFUSED_OLD_LOG;
    return RAFT_EVENT_COUNT;
}

/* §4.2.3, §6.4.1: not even a higher term counts while a leader is heard, unless it asked for this
 * (§3.10). */
static bool loyal_to_leader(const raft *r, const struct wire_raft *request)
{
    return raft_pace_leader_lives(r) && request->term >= r->term &&
           !(request->flags & WIRE_RAFT_TRANSFER) && !RAFT_MUTATED(VOTE_WHILE_LEADER_LIVES);
}

/* Not in a configuration that is committed here and not older than its own. Whoever is newer than
 * what we know must be answered as a member: it may lack nothing but our vote. */
static bool removed(const raft *r, const struct wire_raft *request)
{
    return request->commit <= r->force.index && r->force.index <= r->commit &&
           raft_position(r, request->from) == RAFT_NO_POSITION;
}

static struct wire_raft *answer(raft *r, const struct wire_raft *request, uint64_t after_seq)
{
    uint8_t kind = request->kind == WIRE_VOTE ? WIRE_VOTE_REPLY : WIRE_PREVOTE_REPLY;
    struct wire_raft *reply = &raft_send_add(r, kind, request->from, after_seq)->message;
    reply->round = request->round;
    return reply;
}

static void grant(raft *r, const struct wire_raft *request)
{
    bool real = request->kind == WIRE_VOTE;
    raft_count(r, real ? RAFT_VOTE_GRANTED : RAFT_PREVOTE_GRANTED);
    bool held = real && !RAFT_MUTATED(VOTE_BEFORE_STORED);
    struct wire_raft *reply = answer(r, request, held ? RAFT_HELD : 0);
    reply->flags = WIRE_RAFT_GRANTED;
    reply->term = request->term;
    if (!real)
        return;
    r->hard_dirty |= r->vote != request->from;
    r->vote = request->from;
    raft_pace_voted(r);
}

void raft_vote_request(raft *r, const struct wire_raft *request)
{
    bool real = request->kind == WIRE_VOTE;
    if (removed(r, request)) {
        raft_count(r, RAFT_VOTE_REFUSED_REMOVED);
        return;
    }
    if (loyal_to_leader(r, request)) {
        raft_count(r, RAFT_VOTE_REFUSED_LEADER_LIVES);
        if (!real) /* a real candidate can do nothing with a term that is not above its own */
            (void)answer(r, request, 0);
        return;
    }
    if (real && request->term > r->term)
        raft_vote_follow(r, request->term, RAFT_NOBODY);
    enum raft_event reason = reason_to_refuse(r, request);
    if (reason == RAFT_EVENT_COUNT) {
        grant(r, request);
    } else {
        raft_count(r, reason);
        (void)answer(r, request, 0);
    }
}

void raft_vote_reply(raft *r, const struct wire_raft *reply, uint32_t from)
{
    bool real = reply->kind == WIRE_VOTE_REPLY;
    bool granted = reply->flags & WIRE_RAFT_GRANTED;
    if (!granted && reply->term > r->term) {
        raft_vote_follow(r, reply->term, RAFT_NOBODY);
        return;
    }
    uint64_t term = real ? r->term : r->term + 1;
    bool asked = r->role == (real ? RAFT_CANDIDATE : RAFT_PRECANDIDATE);
    if (!asked || reply->round != r->campaign || (granted && reply->term != term)) {
        raft_count(r, RAFT_VOTE_REPLY_LATE);
        return;
    }
    if (!granted) {
        /* a vote refused in this term stays refused; a pre-vote may be granted once a leader is
         * missed */
        r->refusals |= real ? raft_bit(from) : 0;
        return;
    }
    if ((raft_voters(r) >> from & 1) == 0) {
        raft_count(r, RAFT_VOTE_OF_NON_VOTER);
        return;
    }
    r->votes |= raft_bit(from);
    count_votes(r);
}

/* §3.10: its log is the leader's, so it need not ask whether it could win. */
void raft_vote_timeout_now(raft *r, const struct wire_raft *message)
{
    if (r->role != RAFT_FOLLOWER || message->from != r->leader || !raft_may_lead(r) ||
        must_withhold(r)) {
        raft_count(r, RAFT_TIMEOUT_NOW_REFUSED);
        return;
    }
    raft_count(r, RAFT_TRANSFER_OBEYED);
    stand(r, true);
}

bool raft_forget_leader(raft *r)
{
    if (r->role != RAFT_FOLLOWER || r->leader == RAFT_NOBODY || r->config.lease_reads) {
        raft_count(r, RAFT_FORGET_REFUSED);
        return false;
    }
    raft_count(r, RAFT_LEADER_FORGOTTEN);
    set_role(r, RAFT_FOLLOWER, RAFT_NOBODY);
    raft_pace_forget(r);
    return true;
}
