#include "protocols/raft/internal.h"

/* ---- at whoever has one ---------------------------------------------------------------------- */

bool raft_snapshot_describe(const raft *r, uint64_t index, struct raft_snapshot *snapshot)
{
    const struct raft_force *force = r->force.index <= index ? &r->force : &r->former;
    uint64_t term = raft_log_term(r, index);
    if (term == 0 || index > r->applied || force->index > index)
        return false;
    *snapshot = (struct raft_snapshot){
        .index = index, .term = term, .members_index = force->index, .members = force->members};
    return true;
}

void raft_snapshot_taken(raft *r, const struct raft_snapshot *snapshot)
{
    ENSURE(snapshot->index <= r->applied && snapshot->term > 0);
    if (snapshot->index <= r->snapshot.index)
        return;
    r->snapshot = *snapshot;
    r->appends_due = true;
}

const struct raft_snapshot *raft_snapshot_of(const raft *r)
{
    return &r->snapshot;
}

static struct raft_follower *receiver(raft *r, uint16_t to)
{
    uint32_t position = raft_position(r, to);
    if (r->role != RAFT_LEADER || position == RAFT_NO_POSITION || position == r->self)
        return NULL;
    struct raft_follower *f = &r->follower[position];
    return f->progress == RAFT_SNAPSHOT && f->probe_sent ? f : NULL;
}

void raft_snapshot_sent(raft *r, uint16_t to, uint64_t index)
{
    struct raft_follower *f = receiver(r, to);
    if (f == NULL || index > r->snapshot.index)
        return;
    raft_count(r, RAFT_SNAPSHOT_SENT);
    f->progress = RAFT_PROBE; /* its log goes on behind the snapshot, or this one came too late */
    f->since_round = r->round + 1;
    f->probe_sent = false;
    f->next = max_u64(index, r->match[raft_position(r, to)]) + 1; /* it may have more by now */
    r->appends_due = true;
}

void raft_snapshot_failed(raft *r, uint16_t to)
{
    struct raft_follower *f = receiver(r, to);
    if (f == NULL)
        return;
    raft_count(r, RAFT_SNAPSHOT_FAILED);
    f->probe_sent = false;
}

/* ---- at whoever needs one -------------------------------------------------------------------- */

void raft_snapshot_receive(raft *r, struct raft_input *input)
{
    const struct wire_raft *offer = &input->message;
    if (offer->index == 0 || offer->log_term == 0 || offer->log_term > offer->term) {
        raft_count(r, RAFT_APPEND_MALFORMED);
        return;
    }
    if (!raft_append_heed(r, offer))
        return;
    if (offer->index <= r->commit) {
        raft_count(r, RAFT_ALREADY_COMMITTED);
        r->owed.matched = max_u64(r->owed.matched, r->commit);
    } else {
        raft_count(r, RAFT_SNAPSHOT_WELCOME);
        input->take_snapshot = true;
    }
    r->owed.reply = true;
    r->owed.echo = true;
}

/* Figure 13 of the extended paper (§7). */
enum raft_install raft_snapshot_installed(raft *r, const struct raft_snapshot *snapshot)
{
    if (r->role == RAFT_LEADER || snapshot->index <= r->commit || snapshot->index < r->base ||
        snapshot->term == 0 || snapshot->term > r->term ||
        snapshot->members_index > snapshot->index || !wire_members_valid(&snapshot->members) ||
        !raft_members_fit(r, &snapshot->members)) {
        raft_count(r, RAFT_SNAPSHOT_REFUSED);
        return RAFT_INSTALL_REFUSED;
    }
    raft_count(r, RAFT_SNAPSHOT_INSTALLED);
    if (r->role != RAFT_FOLLOWER) /* its request for votes spoke of another log */
        raft_vote_follow(r, r->term, RAFT_NOBODY);
    bool keep = raft_log_term(r, snapshot->index) == snapshot->term;
    raft_log_restart(r, snapshot->index, snapshot->term, keep);
    raft_commit_installed(r, snapshot->index, keep);
    if (!keep || r->force.index <= snapshot->index) {
        raft_members_settle(r, &snapshot->members, snapshot->members_index);
    } else if (r->former.index < snapshot->members_index) {
        r->former.index = snapshot->members_index;
        r->former.members = snapshot->members;
    }
    struct raft_owed *owed = &r->owed;
    owed->matched = keep ? max_u64(owed->matched, snapshot->index) : snapshot->index;
    owed->acknowledged = min_u64(owed->acknowledged, owed->matched);
    if (r->leader != RAFT_NOBODY) {
        owed->to = r->leader;
        owed->reply = true;
        owed->echo = true;
    }
    return keep ? RAFT_INSTALL_KEEPS : RAFT_INSTALL_RESETS;
}
