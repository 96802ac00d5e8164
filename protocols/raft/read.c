#include "protocols/raft/internal.h"

/* ---- tickets --------------------------------------------------------------------------------- */

bool raft_read(raft *r, struct raft_ticket *ticket)
{
    if (r->role != RAFT_LEADER) {
        raft_count(r, RAFT_READ_REFUSED_NOT_LEADER);
        return false;
    }
    /* §6.4 step 1: until then entries may be committed that this leader does not know to be */
    if (r->commit < r->term_start && !RAFT_MUTATED(READ_BEFORE_OWN_TERM_COMMIT)) {
        raft_count(r, RAFT_READ_REFUSED_TOO_EARLY);
        return false;
    }
    ticket->term = r->term;
    ticket->index = r->commit;
    if (raft_lease_holds(r) || RAFT_MUTATED(READ_WITHOUT_ROUND)) {
        ticket->round = 0;
        raft_count(r, RAFT_READ_BY_LEASE);
        return true;
    }
    raft_lease_want_round(r);
    ticket->round = r->round_wanted;
    raft_count(r, RAFT_READ_BY_ROUND);
    return true;
}

bool raft_read_follower(raft *r, struct raft_ticket *ticket)
{
    if (r->role != RAFT_FOLLOWER || r->leader == RAFT_NOBODY) {
        raft_count(r, RAFT_READ_REFUSED_NO_LEADER);
        return false;
    }
    r->ask_wanted = true;
    *ticket = (struct raft_ticket){.round = r->ask_number + 1};
    return true;
}

/* Terms are never 0: such a ticket is a follower's. */
static enum raft_ticket_state state_at_follower(const raft *r, struct raft_ticket *ticket)
{
    if (r->ask_answered >= ticket->round) {
        ticket->index = r->ask_index; /* later questions may raise it: this one is enough */
        ticket->round = 0;
        return RAFT_TICKET_READY;
    }
    return r->role == RAFT_FOLLOWER && r->leader != RAFT_NOBODY ? RAFT_TICKET_WAIT
                                                                : RAFT_TICKET_LOST;
}

enum raft_ticket_state raft_ticket_state(const raft *r, struct raft_ticket *ticket)
{
    if (ticket->round == 0)
        return RAFT_TICKET_READY; /* confirmed once, and for ever */
    if (ticket->term == 0)
        return state_at_follower(r, ticket);
    if (r->role != RAFT_LEADER || r->term != ticket->term)
        return RAFT_TICKET_LOST;
    return r->round_confirmed >= ticket->round ? RAFT_TICKET_READY : RAFT_TICKET_WAIT;
}

/* ---- who asks -------------------------------------------------------------------------------- */

static bool may_ask(const raft *r)
{
    return r->ask_wanted && r->ask_nonce == 0 && r->role == RAFT_FOLLOWER &&
           r->leader != RAFT_NOBODY;
}

/* The clock as well, in case that somebody starts a member twice from one seed. */
static uint64_t fresh_nonce(raft *r)
{
    uint64_t drawn = random_next(&r->random) ^ r->now_ns * UINT64_C(0x9e3779b97f4a7c15);
    return (drawn & RAFT_NUMBER_MAX) | 1u;
}

/* One question at a time, for all tickets taken before it; those taken meanwhile wait for the next,
 * since the leader's commit index may have been looked at before they came. */
void raft_read_ask(raft *r)
{
    if (LIKELY(!may_ask(r)) || r->send_count == RAFT_SEND_MAX)
        return;
    raft_count(r, RAFT_READ_ASKED);
    r->ask_wanted = false;
    r->ask_number++;
    r->ask_nonce = fresh_nonce(r);
    r->ask_again_ns = r->now_ns + r->config.election_timeout_ns;
    struct wire_raft *question = &raft_send_add(r, WIRE_READ_INDEX, r->leader, 0)->message;
    question->round = r->ask_nonce;
    question->flags = raft_doubt_asks(r) ? WIRE_RAFT_DOUBT : 0;
}

void raft_read_answer(raft *r, const struct wire_raft *answer)
{
    bool this_one = answer->round == r->ask_nonce || RAFT_MUTATED(READ_OLD_ANSWER);
    if (r->ask_nonce == 0 || !this_one || answer->from != r->leader) {
        raft_count(r, RAFT_READ_ANSWER_OLD);
        return;
    }
    raft_count(r, RAFT_READ_ANSWERED);
    r->ask_nonce = 0;
    r->ask_answered = r->ask_number;
    r->ask_index = answer->index;
    raft_commit_learn(r, answer->index); /* tickets need not wait for a heartbeat to say it again */
    if (raft_doubt_asks(r))              /* and so did the question */
        raft_doubt_answered(r, answer->index);
}

/* What was asked is asked anew, together with whatever has come since. */
static void ask_anew(raft *r)
{
    r->ask_wanted = true;
    r->ask_nonce = 0;
}

void raft_read_heard(raft *r)
{
    r->ask_wanted |= raft_doubt_asks(r) && r->ask_nonce == 0;
    if (LIKELY(r->ask_nonce == 0) || r->now_ns < r->ask_again_ns)
        return;
    raft_count(r, RAFT_READ_ASKED_AGAIN);
    ask_anew(r);
}

void raft_read_leader_changed(raft *r)
{
    r->asking = r->asked = 0;
    if (r->ask_nonce != 0)
        ask_anew(r);
}

/* ---- who answers ----------------------------------------------------------------------------- */

void raft_read_question(raft *r, const struct wire_raft *question, uint32_t from)
{
    if (r->role != RAFT_LEADER) {
        raft_count(r, RAFT_READ_REFUSED_NOT_LEADER);
        return;
    }
    raft_count(r, RAFT_READ_QUESTION);
    if (UNLIKELY(question->flags & WIRE_RAFT_DOUBT))
        raft_replicate_void(r, from);
    r->question[from].nonce = question->round;
    r->asking |= raft_bit(from);
    r->asked &= ~raft_bit(from);
}

void raft_read_seen_off(raft *r, uint32_t position)
{
    r->asking &= ~raft_bit(position);
    r->asked &= ~raft_bit(position);
}

/* All that wait share a round. */
static void look_up(raft *r)
{
    bool certain = raft_lease_holds(r) || RAFT_MUTATED(READ_WITHOUT_ROUND);
    if (!certain)
        raft_lease_want_round(r);
    for (member_set left = r->asking; left != 0; left &= left - 1)
        r->question[__builtin_ctzll(left)].round = certain ? 0 : r->round_wanted;
    r->asked |= r->asking;
    r->asking = 0;
}

void raft_read_reply(raft *r)
{
    /* §6.4 step 1, as for tickets; but there is no need to ask again */
    bool early = r->commit < r->term_start && !RAFT_MUTATED(READ_BEFORE_OWN_TERM_COMMIT);
    if (UNLIKELY(r->asking != 0) && !early)
        look_up(r);
    for (member_set left = r->asked; left != 0; left &= left - 1) {
        uint32_t position = (uint32_t)__builtin_ctzll(left);
        const struct raft_question *question = &r->question[position];
        if (question->round > r->round_confirmed || r->send_count == RAFT_SEND_MAX)
            continue;
        struct wire_raft *reply =
            &raft_send_add(r, WIRE_READ_INDEX_REPLY, r->slot_id[position], 0)->message;
        reply->index = r->commit; /* of now: whatever was executed here meanwhile is covered, too */
        reply->round = question->nonce;
        r->asked &= ~raft_bit(position);
    }
}

bool raft_read_due(const raft *r)
{
    if (r->role != RAFT_LEADER)
        return UNLIKELY(may_ask(r));
    if (r->asking != 0 && r->commit >= r->term_start)
        return true;
    for (member_set left = r->asked; left != 0; left &= left - 1)
        if (r->question[__builtin_ctzll(left)].round <= r->round_confirmed)
            return true;
    return false;
}
