/* transfer: leadership goes to another member because somebody said so: control, or an operator.
 * What they wish waits in the groups; one counter says that there is something. Lasting wishes are
 * priorities. */
#include "dataplane/pipeline/internal.h"

bool lane_transfer(struct lane *lane, uint16_t group, uint16_t to)
{
    uint32_t slot;
    if (!group_slot(lane, group, &slot))
        return false;
    atomic_store_explicit(&lane->group[slot].transfer_to, to + 1u, memory_order_relaxed);
    wish(lane);
    return true;
}

/* The follower with the longest log: it is soonest ready to lead. */
static uint16_t successor(const raft *machine, uint16_t self)
{
    struct raft_status status;
    uint16_t best = RAFT_NOBODY;
    uint64_t match = 0;
    raft_status(machine, &status);
    for (uint32_t i = 0; i < status.member_count; i++) {
        const struct raft_member_status *member = &status.member[i];
        if (member->id == self || member->role != WIRE_ROLE_VOTER ||
            member->progress != RAFT_REPLICATE || (best != RAFT_NOBODY && member->match <= match))
            continue;
        best = member->id;
        match = member->match;
    }
    return best;
}

uint32_t order_transfer(struct lane *lane, uint32_t slot)
{
    struct group *group = &lane->group[slot];
    uint32_t to = atomic_exchange_explicit(&group->transfer_to, 0, memory_order_relaxed);
    if (to == 0 || !raft_is_leader(group->raft))
        return 0;
    order_touch(lane, slot);
    /* Refusals are the machine's: counted there. */
    if (to - 1 == RAFT_NOBODY)
        to = successor(group->raft, lane->config.self) + 1u;
    (void)raft_transfer(group->raft, (uint16_t)(to - 1));
    return 1;
}

/* Of n voters, number g mod n has the first claim on group g, the next one the second, ...: with
 * all of them up, each leads as many. */
static uint32_t turn(const struct wire_members *force, uint16_t group, uint16_t self)
{
    uint32_t voters = 0, own = 0;
    for (uint32_t i = 0; i < force->count; i++) {
        if (force->member[i].role != WIRE_ROLE_VOTER)
            continue;
        if (force->member[i].id < self)
            own++;
        voters++;
    }
    return voters == 0 ? 0 : voters - 1 - (own + voters - group % voters) % voters;
}

void order_prefer(const struct lane *lane, struct group *group)
{
    const struct lane_config *config = &lane->config;
    uint32_t among =
        config->group_count > 1 ? turn(&group->members.force, group->number, config->self) : 0;
    raft_prefer(group->raft, (uint8_t)(config->priority * QUORUM_MEMBERS_MAX + among));
}

uint32_t order_wishes(struct lane *lane)
{
    uint32_t asked = atomic_load_explicit(&lane->wishes_asked, memory_order_acquire);
    uint32_t count = 0;
    if (LIKELY(asked == lane->order.wishes_seen))
        return 0;
    lane->order.wishes_seen = asked;
    for (uint32_t slot = 0; slot < lane->group_count; slot++)
        count += order_transfer(lane, slot) + order_change(lane, slot) + order_mark(lane, slot);
    return count;
}
