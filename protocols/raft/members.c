#include "protocols/raft/internal.h"

static_assert(WIRE_MEMBERS_MAX == QUORUM_MEMBERS_MAX, "a configuration fits the slots");

/* ---- slots ----------------------------------------------------------------------------------- */

static bool listed(const struct wire_members *members, uint16_t id)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (members->member[i].id == id)
            return true;
    return false;
}

bool raft_members_fit(const raft *r, const struct wire_members *members)
{
    return members->count < QUORUM_MEMBERS_MAX || listed(members, r->config.self);
}

static void see_off(raft *r, uint32_t position)
{
    r->slots &= ~raft_bit(position);
    r->slot_id[position] = RAFT_NOBODY;
    raft_read_seen_off(r, position);
    if (r->transferee == position)
        r->transferee = RAFT_NO_POSITION;
}

static void welcome(raft *r, uint16_t id)
{
    if (raft_position(r, id) != RAFT_NO_POSITION)
        return;
    ENSURE(r->slots != UINT64_MAX);
    uint32_t position = (uint32_t)__builtin_ctzll(~r->slots);
    r->slots |= raft_bit(position);
    r->slot_id[position] = id;
    if (r->slot_count <= position)
        r->slot_count = position + 1;
    r->caught_up_ns[position] = 0;
    r->echo[position] = 0;
    raft_replicate_welcome(r, position);
}

/* ---- who counts ------------------------------------------------------------------------------ */

static bool votes(uint8_t role)
{
    return raft_role_votes(role) ||
           (role == WIRE_ROLE_LEARNER && RAFT_MUTATED(MEMBERS_LEARNER_COUNTED));
}

/* 0: not seated, which only those are that have just come in. */
static member_set bit_of(const raft *r, uint16_t id)
{
    uint32_t position = raft_position(r, id);
    return position == RAFT_NO_POSITION ? 0 : raft_bit(position);
}

struct quorum_rule raft_members_rule(const raft *r, const struct wire_members *members)
{
    struct quorum_rule rule = {0};
    for (uint32_t i = 0; i < members->count; i++) {
        const struct wire_member *member = &members->member[i];
        member_set bit = bit_of(r, member->id);
        rule.incoming |= votes(member->role) ? bit : 0;
        rule.outgoing |= votes(member->old_role) ? bit : 0;
    }
    if (RAFT_MUTATED(MEMBERS_JOINT_ONE_MAJORITY))
        rule.outgoing = 0;
    return rule;
}

static void sort_by_role(raft *r)
{
    const struct raft_force *force = &r->force;
    if (RAFT_MUTATED(MEMBERS_AT_COMMIT) && force->index > r->commit)
        force = &r->former;
    r->rule = raft_members_rule(r, &force->members);
    r->electable = r->heirs = r->learners = r->witnesses = 0;
    for (uint32_t i = 0; i < force->members.count; i++) {
        const struct wire_member *member = &force->members.member[i];
        member_set bit = bit_of(r, member->id);
        bool heir = member->role == WIRE_ROLE_VOTER;
        r->heirs |= heir ? bit : 0;
        r->electable |= heir || member->old_role == WIRE_ROLE_VOTER ? bit : 0;
        r->learners |= member->role == WIRE_ROLE_LEARNER ? bit : 0;
        bool witness = member->role == WIRE_ROLE_WITNESS || member->old_role == WIRE_ROLE_WITNESS;
        r->witnesses |= witness ? bit : 0;
    }
}

static bool leads_in(const struct wire_members *members, uint16_t id)
{
    for (uint32_t i = 0; i < members->count; i++) {
        const struct wire_member *member = &members->member[i];
        if (member->id == id)
            return member->role == WIRE_ROLE_VOTER || member->old_role == WIRE_ROLE_VOTER;
    }
    return false;
}

void raft_members_seat(raft *r)
{
    const struct wire_members *members = &r->force.members;
    for (uint32_t i = 0; i < r->slot_count; i++)
        if ((r->slots >> i & 1) != 0 && r->slot_id[i] != r->config.self &&
            !listed(members, r->slot_id[i]))
            see_off(r, i);
    for (uint32_t i = 0; i < members->count; i++)
        welcome(r, members->member[i].id);
    welcome(r, r->config.self);
    r->self = raft_position(r, r->config.self);
    r->slot_count = QUORUM_MEMBERS_MAX - (uint32_t)__builtin_clzll(r->slots);
    sort_by_role(r);
    r->former_voter = leads_in(&r->former.members, r->config.self);
    r->leaving = r->role == RAFT_LEADER && !raft_belongs(r);
}

/* ---- what is in force ------------------------------------------------------------------------ */

void raft_members_settle(raft *r, const struct wire_members *members, uint64_t index)
{
    r->force.index = index;
    r->force.members = *members;
    r->former = r->force;
    r->members_untold = index;
    r->members_changed = true;
    raft_members_seat(r);
}

/* No leader begins a change before it knows the last one to be committed, so a configuration's
 * being there says that the one before it is: two are enough to remember. */
void raft_members_enter(raft *r, const struct wire_members *members, uint64_t index)
{
    raft_count(r, RAFT_MEMBERS_ENTERED);
    r->former = r->force;
    r->force.index = index;
    r->force.members = *members;
    r->members_untold = index;
    r->members_changed = true;
    raft_members_seat(r);
}

void raft_members_truncated(raft *r, uint64_t last)
{
    if (r->force.index <= last || RAFT_MUTATED(MEMBERS_SURVIVE_TRUNCATION))
        return;
    ENSURE(r->former.index <= last);
    raft_count(r, RAFT_MEMBERS_TAKEN_BACK);
    r->force = r->former;
    r->members_untold = r->force.index;
    r->members_changed = true;
    raft_members_seat(r);
}

bool raft_is_witness(const raft *r, uint16_t id)
{
    return (r->witnesses & bit_of(r, id)) != 0;
}

const struct wire_members *raft_members(const raft *r, uint64_t *index)
{
    *index = r->force.index;
    return &r->force.members;
}
