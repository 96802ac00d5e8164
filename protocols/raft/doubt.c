#include "protocols/raft/internal.h"

/* What this member promised was promised in terms up to the restored one. Its leader is of that
 * term or a later one, so it has all that was committed in terms before; and when it has voided
 * what this member confirmed to it, and has shown that it still leads, its commit index covers
 * whatever those confirmations have helped to commit. */

bool raft_doubt_asks(const raft *r)
{
    return UNLIKELY(r->doubtful) && r->doubt_term != r->term;
}

void raft_doubt_answered(raft *r, uint64_t index)
{
    r->doubt_term = r->term;
    r->doubt_index = index;
}

bool raft_doubt_over(const raft *r)
{
    if (LIKELY(!r->doubtful) || r->leader == RAFT_NOBODY)
        return false;
    if (RAFT_MUTATED(DOUBT_ENDS_WITH_ANY_MATCH))
        return r->owed.matched > 0;
    return r->doubt_term == r->term && min_u64(r->owed.matched, r->stored) >= r->doubt_index;
}

void raft_doubt_end(raft *r)
{
    raft_count(r, RAFT_DOUBT_ENDED);
    r->doubtful = false;
    r->hard_dirty = true;
    /* This term's vote may be what is lost. It is decided: who leads can be voted for again. */
    if (r->vote == RAFT_NOBODY)
        r->vote = r->leader;
}
