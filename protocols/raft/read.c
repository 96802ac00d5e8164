#include "protocols/raft/internal.h"

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

enum raft_ticket_state raft_ticket_state(const raft *r, const struct raft_ticket *ticket)
{
    if (ticket->round == 0)
        return RAFT_TICKET_READY; /* confirmed when it was taken, and for ever */
    if (r->role != RAFT_LEADER || r->term != ticket->term)
        return RAFT_TICKET_LOST;
    return r->round_confirmed >= ticket->round ? RAFT_TICKET_READY : RAFT_TICKET_WAIT;
}
