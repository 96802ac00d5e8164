/* follow.c: the view follows the logs. Each group's lane tells who belongs, as its log has it; the
 * view has whoever any group names, the former configuration's members too until the new one is
 * committed.
 *
 * Where a member is, no log says: it says so itself, by HELLO, to everybody in its view, each
 * second. Who is taken in later is told where the others are (QUORATE JOIN) and is a guest of
 * theirs from its first hello on, before any configuration names it: whoever then leads knows where
 * to send. A guest is listened to and answered; whether it counts the machines know. So are members
 * that have left, as long as they speak: they may still have to hear what became of their last
 * requests. */
#include "dataplane/node/internal.h"

#include <string.h>

#define GUEST_NS          UINT64_C(10000000000)
#define PROMOTE_PERIOD_NS 500000000u
#define PROMOTE_LAG_MAX   1024u

static struct view_member *find(struct view *view, uint16_t id)
{
    for (uint32_t i = 0; i < view->member_count; i++)
        if (view->member[i].id == id)
            return &view->member[i];
    return NULL;
}

/* NULL: the view is full. */
static struct view_member *insert(struct view *view, const struct view_member *member)
{
    if (view->member_count == VIEW_MEMBERS_MAX)
        return NULL;
    uint32_t at = view->member_count++;
    for (; at > 0 && view->member[at - 1].id > member->id; at--)
        view->member[at] = view->member[at - 1];
    view->member[at] = *member;
    return &view->member[at];
}

/* ---- hellos ---------------------------------------------------------------------------------- */

bool node_hear(struct node *node, uint16_t from, uint64_t incarnation,
               const struct wire_hello *hello, uint64_t now_ns)
{
    struct view_member *member = find(&node->view, from);
    struct view_member guest = {.id = from, .guest = true, .incarnation = incarnation};
    if (from == node->config.id || node->view.cluster == 0)
        return false;
    if (member == NULL)
        member = insert(&node->view, &guest);
    else if (member->guest && member->incarnation != incarnation)
        *member = guest; /* it has started anew */
    if (member == NULL || member->incarnation != incarnation)
        return false; /* no room for guests: it will be said again; or not the one that belongs */
    member->heard_ns = now_ns;
    bool other_build = member->level != hello->level;
    member->level = hello->level;
    if (member->known && hello->view_epoch <= member->hello_epoch)
        return other_build;
    member->known = true;
    member->hello_epoch = hello->view_epoch;
    member->ip = hello->ip;
    member->lane_count = hello->lane_count;
    memcpy(member->port, hello->port, sizeof member->port);
    memcpy(member->source_port, hello->source_port, sizeof member->source_port);
    for (uint32_t lane = 0; lane < node->config.lane_count; lane++)
        member->source_port_to_us[lane] = port_source_port(node->port, lane, member->ip);
    return true;
}

/* ---- logs ------------------------------------------------------------------------------------ */

/* Into `next`, with what `node->view` knows of it already. Of two logs under one id, which no two
 * groups should have, the first one counts. */
static void enlist(struct node *node, struct view *next, uint16_t id, uint64_t nonce)
{
    if (find(next, id) != NULL)
        return;
    struct view_member fresh = {.id = id, .incarnation = nonce};
    struct view_member *known = find(&node->view, id);
    if (known != NULL && known->incarnation == nonce)
        fresh = *known;
    else
        node_address_of(node, &fresh);
    fresh.guest = false;
    (void)insert(next, &fresh);
}

static void rebuild(struct node *node, uint64_t now_ns)
{
    struct view next = node->view;
    next.member_count = 0;
    enlist(node, &next, node->config.id, node->incarnation);
    for (uint32_t g = 0; g < node->config.group_count; g++)
        for (uint32_t i = 0; i < node->members[g].force.count; i++)
            enlist(node, &next, node->members[g].force.member[i].id,
                   node->members[g].force.member[i].nonce);
    for (uint32_t g = 0; g < node->config.group_count; g++)
        for (uint32_t i = 0; i < node->members[g].other_count; i++)
            enlist(node, &next, node->members[g].other[i].id, node->members[g].other[i].nonce);
    for (uint32_t i = 0; i < node->view.member_count; i++) {
        struct view_member left = node->view.member[i];
        if (find(&next, left.id) != NULL)
            continue;
        left.heard_ns = left.guest ? left.heard_ns : now_ns;
        left.guest = true;
        if (now_ns - left.heard_ns <= GUEST_NS)
            (void)insert(&next, &left);
    }
    node->view = next;
}

static bool guest_is_gone(const struct view *view, uint64_t now_ns)
{
    for (uint32_t i = 0; i < view->member_count; i++)
        if (view->member[i].guest && now_ns - view->member[i].heard_ns > GUEST_NS)
            return true;
    return false;
}

bool node_follow(struct node *node, uint64_t now_ns)
{
    bool changed = false;
    for (uint16_t g = 0; g < node->config.group_count; g++)
        changed |= lane_members(node->lane[g % node->config.lane_count].lane, g,
                                &node->members_seen[g], &node->members[g]);
    if (changed || guest_is_gone(&node->view, now_ns)) {
        rebuild(node, now_ns);
        return true;
    }
    return false;
}

/* ---- promotion by itself --------------------------------------------------------------------- */

static uint64_t nonce_of(const struct wire_members *members, uint16_t id)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (members->member[i].id == id)
            return members->member[i].nonce;
    return 0;
}

/* The learner that is the furthest, if voters are wanted and nothing else is under way; whether it
 * has been so for long enough the machine knows. */
static void promote_in(struct node *node, const struct lane_group_status *group)
{
    const struct lane_members *members = &node->members[group->group];
    const struct raft_member_status *best = NULL;
    uint32_t voters = 0;
    for (uint32_t i = 0; i < group->member_count; i++) {
        const struct raft_member_status *member = &group->member[i];
        voters += member->role == WIRE_ROLE_VOTER || member->role == WIRE_ROLE_WITNESS;
        if (member->role == WIRE_ROLE_LEARNER && member->progress == RAFT_REPLICATE &&
            member->match + PROMOTE_LAG_MAX >= group->last_index &&
            (best == NULL || member->match > best->match))
            best = member;
    }
    if (best == NULL || voters >= node->config.voters || group->joint || !members->committed ||
        group->members_index != members->index)
        return;
    struct raft_change change = {
        .kind = RAFT_PROMOTE, .id = best->id, .nonce = nonce_of(&members->force, best->id)};
    (void)lane_change(node->lane[group->group % node->config.lane_count].lane, group->group,
                      &change, 1, false);
}

void node_promote(struct node *node, uint64_t now_ns)
{
    struct lane_group_status group;
    if (node->config.voters == 0 || now_ns < node->next_promotion_ns)
        return;
    node->next_promotion_ns = now_ns + PROMOTE_PERIOD_NS;
    for (uint16_t g = 0; g < node->config.group_count; g++)
        if (node_group_status(node, g, &group) && group.role == RAFT_LEADER)
            promote_in(node, &group);
}
