#include "protocols/raft/internal.h"

#define CAUGHT_UP_LAG_FRACTION 8u
#define STABLE_TIMEOUTS        10u

/* ---- who has caught up ----------------------------------------------------------------------- */

bool raft_change_close_behind(const raft *r, uint32_t position)
{
    uint64_t lag_max = r->config.promote_lag_max;
    if (lag_max == 0)
        lag_max = r->config.entries_max / CAUGHT_UP_LAG_FRACTION;
    return r->follower[position].progress == RAFT_REPLICATE && raft_lease_answers(r, position) &&
           r->last - r->match[position] <= lag_max;
}

/* One miss at a heartbeat, and the time begins anew: who comes and goes stays a learner. */
void raft_change_observe(raft *r)
{
    for (member_set left = r->learners & ~raft_bit(r->self); left != 0; left &= left - 1) {
        uint32_t position = (uint32_t)__builtin_ctzll(left);
        if (!raft_change_close_behind(r, position))
            r->caught_up_ns[position] = 0;
        else if (r->caught_up_ns[position] == 0)
            r->caught_up_ns[position] = max_u64(r->now_ns, 1);
    }
}

static bool caught_up(const raft *r, uint16_t id)
{
    uint32_t position = raft_position(r, id);
    uint64_t stable_ns = r->config.promote_stable_ns;
    if (stable_ns == 0)
        stable_ns = STABLE_TIMEOUTS * r->config.election_timeout_ns;
    return r->caught_up_ns[position] != 0 && raft_change_close_behind(r, position) &&
           r->now_ns - r->caught_up_ns[position] >= stable_ns;
}

/* ---- what a change comes to ------------------------------------------------------------------ */

/* RAFT_EVENT_COUNT: nothing speaks against it. */
static enum raft_event reason_to_wait(const raft *r)
{
    if (r->role != RAFT_LEADER)
        return RAFT_CHANGE_REFUSED_NOT_LEADER;
    if (r->transferee != RAFT_NO_POSITION)
        return RAFT_CHANGE_REFUSED_TRANSFERRING;
    /* Until then the log may hold a change that others know to be over, or to have never been. */
    if (r->commit < r->term_start)
        return RAFT_CHANGE_REFUSED_TOO_EARLY;
    if (r->force.members.joint || r->force.index > r->commit)
        return RAFT_CHANGE_REFUSED_IN_PROGRESS;
    return raft_proposal_room(r) == 0 ? RAFT_CHANGE_REFUSED_WINDOW_FULL : RAFT_EVENT_COUNT;
}

static struct wire_member *find(struct wire_members *members, uint16_t id)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (members->member[i].id == id)
            return &members->member[i];
    return NULL;
}

static enum raft_event add(struct wire_members *next, const struct raft_change *change)
{
    if (change->id == RAFT_NOBODY)
        return RAFT_CHANGE_REFUSED_IMPOSSIBLE;
    if (find(next, change->id) != NULL)
        return RAFT_CHANGE_REFUSED_ALREADY_MEMBER;
    if (next->count == WIRE_MEMBERS_MAX)
        return RAFT_CHANGE_REFUSED_TOO_MANY;
    uint32_t at = next->count++;
    for (; at > 0 && next->member[at - 1].id > change->id; at--)
        next->member[at] = next->member[at - 1];
    next->member[at] =
        (struct wire_member){.id = change->id, .role = WIRE_ROLE_LEARNER, .nonce = change->nonce};
    return RAFT_EVENT_COUNT;
}

/* Every member of `next` bears the role that it has as its old one as well, until it is changed. */
static enum raft_event plan_one(const raft *r, struct wire_members *next,
                                const struct raft_change *change)
{
    if (change->kind == RAFT_ADD_LEARNER)
        return add(next, change);
    if (change->kind == 0 || change->kind > RAFT_REMOVE)
        return RAFT_CHANGE_REFUSED_IMPOSSIBLE;
    struct wire_member *member = find(next, change->id);
    if (member == NULL || member->nonce != change->nonce)
        return RAFT_CHANGE_REFUSED_UNKNOWN_MEMBER;
    static const struct {
        uint8_t from, to;
    } way[] = {
        [RAFT_PROMOTE] = {WIRE_ROLE_LEARNER, WIRE_ROLE_VOTER},
        [RAFT_PROMOTE_WITNESS] = {WIRE_ROLE_LEARNER, WIRE_ROLE_WITNESS},
        [RAFT_DEMOTE] = {WIRE_ROLE_VOTER, WIRE_ROLE_LEARNER},
        [RAFT_REMOVE] = {WIRE_ROLE_NONE, WIRE_ROLE_NONE}, /* from any role */
    };
    if (member->role != member->old_role ||
        (change->kind != RAFT_REMOVE && member->role != way[change->kind].from))
        return RAFT_CHANGE_REFUSED_IMPOSSIBLE;
    if (member->role == WIRE_ROLE_LEARNER && change->kind != RAFT_REMOVE &&
        !caught_up(r, member->id))
        return RAFT_CHANGE_REFUSED_NOT_CAUGHT_UP;
    member->role = way[change->kind].to;
    return RAFT_EVENT_COUNT;
}

/* Only the new roles, and those who have one. */
static void drop_old_half(struct wire_members *members)
{
    uint16_t kept = 0;
    for (uint32_t i = 0; i < members->count; i++) {
        if (members->member[i].role == WIRE_ROLE_NONE)
            continue;
        members->member[kept] = members->member[i];
        members->member[kept++].old_role = WIRE_ROLE_NONE;
    }
    memset(&members->member[kept], 0, (members->count - kept) * sizeof members->member[0]);
    members->count = kept;
    members->joint = false;
}

/* Where the voters stay the same, so do the quorums, and one step is enough. */
static bool voters_change(const struct wire_members *members)
{
    for (uint32_t i = 0; i < members->count; i++) {
        const struct wire_member *member = &members->member[i];
        if (member->role != member->old_role &&
            (raft_role_votes(member->role) || raft_role_votes(member->old_role)))
            return true;
    }
    return false;
}

static enum raft_event judge(const raft *r, const struct wire_members *next)
{
    uint32_t voters = 0, promotions = 0;
    for (uint32_t i = 0; i < next->count; i++) {
        bool votes = raft_role_votes(next->member[i].role);
        voters += votes;
        promotions += votes && next->joint && next->member[i].old_role == WIRE_ROLE_LEARNER;
    }
    if (promotions > 0 && r->config.voters_max != 0 && voters > r->config.voters_max)
        return RAFT_CHANGE_REFUSED_TOO_MANY;
    member_set answering = raft_bit(r->self);
    for (member_set left = r->slots & ~answering; left != 0; left &= left - 1) {
        uint32_t position = (uint32_t)__builtin_ctzll(left);
        if (raft_lease_answers(r, position))
            answering |= raft_bit(position);
    }
    struct quorum_rule rule = raft_members_rule(r, next);
    if (!wire_members_valid(next) || (next->joint && !quorum_reached(&rule, answering)))
        return RAFT_CHANGE_REFUSED_LOSES_QUORUM;
    return RAFT_EVENT_COUNT;
}

/* The same members, of another level: it never falls. */
static enum raft_event raise_level(struct wire_members *next, uint16_t level)
{
    if (level <= next->level || level > UINT8_MAX)
        return RAFT_CHANGE_REFUSED_IMPOSSIBLE;
    next->level = (uint8_t)level;
    return RAFT_EVENT_COUNT;
}

static enum raft_event plan(const raft *r, const struct raft_change *changes, uint32_t count,
                            struct wire_members *next)
{
    enum raft_event reason = reason_to_wait(r);
    *next = r->force.members;
    if (count == 1 && changes[0].kind == RAFT_RAISE)
        return reason != RAFT_EVENT_COUNT ? reason : raise_level(next, changes[0].id);
    for (uint32_t i = 0; i < next->count; i++)
        next->member[i].old_role = next->member[i].role;
    for (uint32_t i = 0; i < count && reason == RAFT_EVENT_COUNT; i++)
        reason = plan_one(r, next, &changes[i]);
    if (reason != RAFT_EVENT_COUNT)
        return reason;
    if (count == 0)
        return RAFT_CHANGE_REFUSED_IMPOSSIBLE;
    if (voters_change(next))
        next->joint = true;
    else
        drop_old_half(next);
    return judge(r, next);
}

/* ---- the leader's two steps ------------------------------------------------------------------ */

static void append_members(raft *r, const struct wire_members *members)
{
    raft_log_slide(r, r->last + 1);
    raft_log_append(r, r->term, wire_entry_size(wire_members_size(members->count)));
    raft_members_enter(r, members, r->last);
    raft_lease_recount(r);
    raft_commit_count(r);
    r->appends_due = true;
}

enum raft_event raft_change(raft *r, const struct raft_change *changes, uint32_t count,
                            struct wire_members *members)
{
    enum raft_event reason = plan(r, changes, count, members);
    if (reason == RAFT_EVENT_COUNT) {
        reason = RAFT_CHANGE_STARTED;
        append_members(r, members);
    }
    raft_count(r, reason);
    return reason;
}

bool raft_leave_due(const raft *r)
{
    return r->role == RAFT_LEADER && r->force.members.joint &&
           (r->force.index <= r->commit || RAFT_MUTATED(MEMBERS_LEAVE_JOINT_EARLY)) &&
           r->commit >= r->term_start && r->transferee == RAFT_NO_POSITION &&
           raft_proposal_room(r) > 0;
}

bool raft_leave(raft *r, struct wire_members *members)
{
    if (!raft_leave_due(r))
        return false;
    raft_count(r, RAFT_JOINT_LEFT);
    *members = r->force.members;
    drop_old_half(members);
    append_members(r, members);
    return true;
}
