#include "protocols/raft/internal.h"

uint64_t raft_log_term(const raft *r, uint64_t index)
{
    if (index > r->base && index <= r->last)
        return raft_record_of(r, index)->term;
    return index == r->base ? r->base_term : 0;
}

uint64_t raft_log_sum(const raft *r, uint64_t index)
{
    ENSURE(index >= r->base && index <= r->last);
    return index == r->base ? r->base_sum : raft_record_of(r, index)->sum;
}

uint64_t raft_log_room(const raft *r, uint64_t last)
{
    /* The window holds back whoever lags in applying. What is not committed is bounded by its
     * leader, and to refuse that could keep it from ever being committed: after a restart commit
     * begins at applied again. */
    if (r->applied == r->commit)
        return r->config.entries_max;
    uint64_t used = last - r->applied;
    return used < r->config.entries_max ? r->config.entries_max - used : 0;
}

void raft_log_slide(raft *r, uint64_t last)
{
    if (last - r->base <= r->config.entries_max)
        return;
    uint64_t base = last - r->config.entries_max;
    ENSURE(base <= r->last);
    r->base_term = raft_log_term(r, base);
    r->base_sum = raft_log_sum(r, base);
    r->base = base;
}

void raft_log_restart(raft *r, uint64_t index, uint64_t term, bool keep)
{
    if (keep) {
        r->base_sum = raft_log_sum(r, index);
        r->persist_next = max_u64(r->persist_next, index + 1);
    } else {
        r->base_sum = r->last_sum; /* whatever it is: only differences count */
        r->last = index;
        r->persist_next = index + 1;
    }
    r->base = index;
    r->base_term = RAFT_MUTATED(SNAPSHOT_WITHOUT_TERM) ? 0 : term;
}

void raft_log_truncate(raft *r, uint64_t last)
{
    ENSURE(last >= r->commit && last >= r->base && last <= r->last);
    r->last_sum = raft_log_sum(r, last);
    r->last = last;
    r->persist_next = min_u64(r->persist_next, last + 1);
    raft_commit_truncated(r, last);
    raft_members_truncated(r, last);
}

uint64_t raft_log_agreement(const raft *r, uint64_t index, uint64_t term)
{
    if (index < r->base || r->base_term > term)
        return r->base == 0 ? 0 : r->base - 1;
    /* terms never fall along a log, so the last one that is low enough is found by halving */
    uint64_t low = r->base;
    uint64_t high = min_u64(index, r->last);
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (raft_log_term(r, middle) <= term)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

uint32_t raft_log_fit(const raft *r, uint64_t first, uint32_t count_max, uint64_t bytes_max,
                      uint64_t *bytes)
{
    uint64_t before = raft_log_sum(r, first - 1);
    uint64_t low = 0;
    uint64_t high = min_u64(count_max, r->last - first + 1);
    if (raft_log_sum(r, first - 1 + high) - before <= bytes_max)
        low = high;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (raft_log_sum(r, first - 1 + middle) - before <= bytes_max)
            low = middle;
        else
            high = middle - 1;
    }
    *bytes = raft_log_sum(r, first - 1 + low) - before;
    return (uint32_t)low;
}
