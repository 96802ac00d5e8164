#include "protocols/raft/internal.h"

/* ---- what is durable ------------------------------------------------------------------------- */

static struct raft_persist *persist_at(raft *r, uint32_t i)
{
    return &r->persist[(r->persist_head + i) % RAFT_PERSISTS_MAX];
}

static void clip_persists(raft *r, uint64_t last)
{
    for (uint32_t i = 0; i < r->persist_count; i++)
        persist_at(r, i)->last = min_u64(persist_at(r, i)->last, last);
}

void raft_commit_persist(raft *r, uint64_t seq, struct raft_ready *ready)
{
    bool entries = r->persist_next <= r->last;
    if (!entries && !r->hard_dirty)
        return;
    ENSURE(seq > r->seq_last && seq > r->seq_stored && seq != RAFT_HELD);
    r->seq_last = seq;
    ready->must_persist = true;
    if (r->hard_dirty) {
        ready->hard_state_changed = true;
        r->seq_hard = seq;
        r->hard_dirty = false;
    }
    if (entries) {
        ready->persist_first = r->persist_next;
        ready->persist_last = r->last;
        r->persist_next = r->last + 1;
    }
    if (RAFT_MUTATED(STORED_SURVIVES_TRUNCATION))
        clip_persists(r, r->last);
    if (r->persist_count < RAFT_PERSISTS_MAX)
        r->persist_count++;
    *persist_at(r, r->persist_count - 1) =
        (struct raft_persist){.seq = seq, .last = r->last, .since_ns = r->now_ns};
}

void raft_commit_truncated(raft *r, uint64_t last)
{
    /* Reports still to come speak of entries that are gone behind `last`, whatever bears their
     * index now. */
    r->stored = min_u64(r->stored, last);
    if (!RAFT_MUTATED(STORED_SURVIVES_TRUNCATION))
        clip_persists(r, last);
}

void raft_commit_installed(raft *r, uint64_t index, bool keep)
{
    r->commit = r->delivered = r->applied = index;
    r->stored = keep ? max_u64(r->stored, index) : index;
    for (uint32_t i = 0; i < r->persist_count; i++) {
        uint64_t *last = &persist_at(r, i)->last;
        *last = keep ? max_u64(*last, index) : index;
    }
}

void raft_stored(raft *r, uint64_t seq)
{
    if (seq <= r->seq_stored)
        return;
    r->seq_stored = seq;
    while (r->persist_count > 0 && persist_at(r, 0)->seq <= seq) {
        r->stored = max_u64(r->stored, persist_at(r, 0)->last);
        r->persist_head = (r->persist_head + 1) % RAFT_PERSISTS_MAX;
        r->persist_count--;
    }
    raft_vote_stored(r);
    raft_commit_count(r);
}

uint64_t raft_commit_seq_of_hard_state(const raft *r)
{
    ENSURE(!r->hard_dirty);
    return r->seq_hard > r->seq_stored ? r->seq_hard : 0;
}

uint64_t raft_commit_seq_of_entry(const raft *r, uint64_t index)
{
    ENSURE(index < r->persist_next);
    if (index <= r->stored || RAFT_MUTATED(ACK_BEFORE_STORED))
        return 0;
    uint64_t seq = 0;
    for (uint32_t i = r->persist_count; i > 0; i--) {
        const struct raft_persist *persist =
            &r->persist[(r->persist_head + i - 1) % RAFT_PERSISTS_MAX];
        if (persist->last < index)
            break;
        seq = persist->seq;
    }
    ENSURE(seq > r->seq_stored);
    return seq;
}

/* ---- what is committed ----------------------------------------------------------------------- */

void raft_commit_count(raft *r)
{
    if (r->role != RAFT_LEADER)
        return;
    r->match[r->self] = RAFT_MUTATED(COUNT_UNSTORED_SELF) ? r->last : r->stored;
    uint64_t index = quorum_value(&r->rule, r->match);
    r->match[r->self] = r->stored;
    r->appends_due |= UNLIKELY(r->witnesses != 0); /* they may be told more */
    if (RAFT_MUTATED(COMMIT_WITHOUT_QUORUM))
        index = r->stored;
    /* §5.4.2, figure 8: only an entry of this term is committed by counting, and what precedes it
     * with it */
    if (index < r->term_start && !RAFT_MUTATED(COMMIT_OLD_TERM_BY_COUNT))
        return;
    r->commit = max_u64(r->commit, index);
    if (RAFT_MUTATED(MEMBERS_AT_COMMIT))
        raft_members_seat(r);
}

void raft_commit_learn(raft *r, uint64_t leader_commit)
{
    uint64_t known = min_u64(leader_commit, r->owed.matched);
    if (RAFT_MUTATED(COMMIT_BEYOND_MATCH))
        known = min_u64(leader_commit, r->last);
    r->commit = max_u64(r->commit, known);
    if (RAFT_MUTATED(MEMBERS_AT_COMMIT))
        raft_members_seat(r);
}

/* ---- what is applied ------------------------------------------------------------------------- */

void raft_commit_deliver(raft *r, struct raft_ready *ready)
{
    uint64_t upto = raft_commit_deliverable(r);
    if (upto <= r->delivered)
        return;
    ready->commit_first = r->delivered + 1;
    ready->commit_last = upto;
    r->delivered = upto;
}

void raft_applied(raft *r, uint64_t index)
{
    ENSURE(index >= r->applied && index <= r->delivered);
    r->applied = index;
}

void raft_compacted(raft *r, uint64_t first_index)
{
    ENSURE(first_index <= r->applied + 1);
    if (first_index <= r->base + 1)
        return;
    uint64_t base = first_index - 1;
    r->base_term = raft_log_term(r, base);
    r->base_sum = raft_log_sum(r, base);
    r->base = base;
}
