#include "tests/sim/witness.h"

#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "tests/sim/disk.h"
#include "tests/sim/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* raft_check is O(entries): so seldom that it costs a turn little, however long the log. */
#define CHECK_TURNS          61u
#define CHECK_ENTRIES_A_TURN 16u

/* What a node was seen at last. */
struct seen {
    uint64_t term;
    uint64_t commit;
    uint64_t applied;
    uint64_t hard_term; /* over restarts */
    uint16_t hard_vote;
    bool leads;
    uint64_t check_at;         /* turn of the node */
    struct raft_ticket ticket; /* a read under way; term 0: none */
    uint64_t ticket_committed; /* what was committed when it was taken */
};

/* A committed index: which entry, and the lowest term whose leader knew it. */
struct commitment {
    uint64_t chain;
    uint64_t term;
};

/* An entry that somebody had in a log: index and term name it. */
struct known_entry {
    uint64_t index;
    uint64_t term;
    uint64_t chain;
};

struct group_witness {
    uint64_t committed;
    uint64_t room;
    struct commitment *commitment;
    uint64_t *digest; /* of the state at an index; 0: nobody was seen there */
    uint64_t digest_room;
    uint32_t *leader_of; /* by term: node number + 1, 0: none */
    uint64_t terms;
    struct known_entry *known; /* open addressing by (index, term) */
    uint64_t known_count;
    uint64_t known_room;
    uint32_t leader; /* latest */
};

struct witness {
    struct world *world;
    uint64_t elections;
    struct group_witness group[GROUPS_MAX];
    struct seen seen[NODES_MAX][GROUPS_MAX];
};

struct witness *witness_open(struct world *world)
{
    struct witness *witness = sim_allocate(sizeof *witness);
    witness->world = world;
    for (uint32_t g = 0; g < GROUPS_MAX; g++) {
        witness->group[g].leader = NODES_MAX;
        witness->group[g].known_room = 1024;
        witness->group[g].known = sim_allocate(1024 * sizeof(struct known_entry));
        for (uint32_t n = 0; n < NODES_MAX; n++)
            witness->seen[n][g].hard_vote = RAFT_NOBODY;
    }
    return witness;
}

void witness_close(struct witness *witness)
{
    for (uint32_t g = 0; g < GROUPS_MAX; g++) {
        struct group_witness *group = &witness->group[g];
        free(group->commitment);
        free(group->digest);
        free(group->leader_of);
        free(group->known);
    }
    free(witness);
}

/* Grows an array whose new part must read as zero. */
static void *grown(void *array, uint64_t *room, uint64_t index, size_t size)
{
    if (index < *room)
        return array;
    uint64_t more = power_of_two_at_least(index + 256);
    array = sim_grow(array, more * size);
    memset((uint8_t *)array + *room * size, 0, (more - *room) * size);
    *room = more;
    return array;
}

static uint32_t majority(const struct witness *witness)
{
    return quorum_majority(witness->world->shape.replicas);
}

/* ---- log matching ---------------------------------------------------------------------------- */

static struct known_entry *known_slot(struct known_entry *known, uint64_t room, uint64_t index,
                                      uint64_t term)
{
    uint64_t at = trace_mix(index, term) & (room - 1);
    while (known[at].index != 0 && (known[at].index != index || known[at].term != term))
        at = (at + 1) & (room - 1);
    return &known[at];
}

static void grow_known(struct group_witness *group)
{
    uint64_t room = 2 * group->known_room;
    struct known_entry *known = sim_allocate(room * sizeof *known);
    for (uint64_t i = 0; i < group->known_room; i++) {
        const struct known_entry *entry = &group->known[i];
        if (entry->index != 0)
            *known_slot(known, room, entry->index, entry->term) = *entry;
    }
    free(group->known);
    group->known = known;
    group->known_room = room;
}

static void match_entry(struct witness *witness, uint32_t number, uint32_t g, uint64_t index,
                        uint64_t term, uint64_t chain)
{
    struct group_witness *group = &witness->group[g];
    struct known_entry *known = known_slot(group->known, group->known_room, index, term);
    if (known->index == 0) {
        *known = (struct known_entry){index, term, chain};
        if (2 * ++group->known_count > group->known_room)
            grow_known(group);
    } else if (known->chain != chain) {
        report_violation(witness->world,
                         "log matching: node %u holds an entry %" PRIu64 " of term %" PRIu64
                         " in group %u that differs from another node's, or follows others",
                         number + 1, index, term, g);
    }
}

static void check_hard_state(struct witness *witness, const struct node *node, uint32_t g,
                             const struct disk_log *written)
{
    struct seen *seen = &witness->seen[node->number][g];
    if (written->hard_term < seen->hard_term)
        report_violation(witness->world,
                         "node %u writes term %" PRIu64 " of group %u after term %" PRIu64,
                         node_id(node), written->hard_term, g, seen->hard_term);
    bool same_term = written->hard_term == seen->hard_term;
    if (same_term && seen->hard_vote != RAFT_NOBODY && written->hard_vote != seen->hard_vote)
        report_violation(witness->world, "node %u votes twice in term %" PRIu64 " of group %u",
                         node_id(node), written->hard_term, g);
    seen->hard_term = written->hard_term;
    seen->hard_vote = written->hard_vote;
}

/* How far the log goes along with what is committed. Chains agree up to there and nowhere
 * behind. */
uint64_t witness_held(const struct witness *witness, const struct node *node, uint16_t group)
{
    const struct disk_log *written = disk_written(node->disk, group);
    const struct group_witness *known = &witness->group[group];
    uint64_t low = 0, high = min_u64(written->last, known->committed);
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (written->chain[middle] == known->commitment[middle].chain)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void witness_wrote(struct witness *witness, const struct node *node, uint16_t group, uint64_t first,
                   uint64_t held)
{
    const struct disk_log *written = disk_written(node->disk, group);
    check_hard_state(witness, node, group, written);
    for (uint64_t i = first; first != 0 && i <= written->last; i++)
        match_entry(witness, node->number, group, i, written->term[i], written->chain[i]);
    uint64_t holds = witness_held(witness, node, group);
    if (holds < held)
        report_violation(witness->world,
                         "node %u gives up entry %" PRIu64 " of group %u, which is committed",
                         node_id(node), holds + 1, group);
}

/* ---- elections ------------------------------------------------------------------------------- */

/* Disks that hold a vote for this leader, or went on to a later term and may have held one. */
static uint32_t stored_votes(const struct witness *witness, uint32_t g, uint64_t term, uint16_t id)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < witness->world->shape.replicas; n++) {
        const struct disk_log *durable = disk_durable(witness->world->node[n]->disk, (uint16_t)g);
        count += durable->damaged || durable->hard_term > term ||
                 (durable->hard_term == term && durable->hard_vote == id);
    }
    return count;
}

/* The last index that leaders of terms before `term` had committed. Terms rise with indexes,
 * almost: a deposed leader may commit late, so this looks back from the end. */
static uint64_t committed_before(const struct group_witness *group, uint64_t term)
{
    uint64_t index = group->committed;
    while (index != 0 && group->commitment[index].term >= term)
        index--;
    return index;
}

static void check_new_leader(struct witness *witness, const struct node *node, uint32_t g,
                             uint64_t term)
{
    struct world *world = witness->world;
    struct group_witness *group = &witness->group[g];
    const struct disk_log *written = disk_written(node->disk, (uint16_t)g);
    group->leader_of = grown(group->leader_of, &group->terms, term, sizeof *group->leader_of);
    uint32_t other = group->leader_of[term];
    if (other != 0 && other != node_id(node))
        report_violation(world,
                         "election safety: nodes %u and %u both lead group %u in term %" PRIu64,
                         other, node_id(node), g, term);
    if (other == 0)
        witness->elections++;
    group->leader_of[term] = node_id(node);
    group->leader = node->number;
    world_note(world, TRACE_LEADS, node_id(node), g, term, 0);
    if (stored_votes(witness, g, term, node_id(node)) < majority(witness))
        report_violation(
            world, "node %u leads group %u in term %" PRIu64 " without a majority of stored votes",
            node_id(node), g, term);
    uint64_t index = committed_before(group, term);
    if (index != 0 &&
        (written->last < index || written->chain[index] != group->commitment[index].chain))
        report_violation(world,
                         "leader completeness: node %u leads group %u in term %" PRIu64
                         " without entry %" PRIu64 ", committed in term %" PRIu64,
                         node_id(node), g, term, index, group->commitment[index].term);
}

/* ---- commits --------------------------------------------------------------------------------- */

static uint32_t holders(const struct witness *witness, uint32_t g, uint64_t index, uint64_t chain)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < witness->world->shape.replicas; n++) {
        const struct disk_log *durable = disk_durable(witness->world->node[n]->disk, (uint16_t)g);
        count += durable->damaged || (durable->last >= index && durable->chain[index] == chain);
    }
    return count;
}

static void check_commit(struct witness *witness, const struct node *node, uint32_t g,
                         uint64_t term, uint64_t commit)
{
    struct world *world = witness->world;
    struct group_witness *group = &witness->group[g];
    const struct disk_log *written = disk_written(node->disk, (uint16_t)g);
    if (written->last < commit)
        report_violation(world,
                         "node %u takes index %" PRIu64
                         " of group %u as committed, its log ends at %" PRIu64,
                         node_id(node), commit, g, written->last);
    uint64_t agreed = min_u64(commit, group->committed);
    if (agreed != 0 && written->chain[agreed] != group->commitment[agreed].chain)
        report_violation(world,
                         "state machine safety: node %u takes another entry %" PRIu64
                         " of group %u as committed than others did",
                         node_id(node), agreed, g);
    if (commit <= group->committed)
        return;
    uint32_t count = holders(witness, g, commit, written->chain[commit]);
    if (count < majority(witness))
        report_violation(world,
                         "durability: node %u takes index %" PRIu64
                         " of group %u as committed, %u disks hold it",
                         node_id(node), commit, g, count);
    group->commitment = grown(group->commitment, &group->room, commit, sizeof *group->commitment);
    for (uint64_t i = group->committed + 1; i <= commit; i++)
        group->commitment[i] = (struct commitment){written->chain[i], term};
    group->committed = commit;
    world_note(world, TRACE_COMMITTED, node_id(node), g, commit, term);
}

static void check_state(struct witness *witness, const struct node *node, uint32_t g,
                        uint64_t applied)
{
    struct group_witness *group = &witness->group[g];
    uint64_t digest = state_digest(lane_state(node->lane, (uint16_t)g)) | 1;
    world_note(witness->world, TRACE_APPLIED, node_id(node), g, applied, digest);
    if (applied > group->committed)
        report_violation(witness->world,
                         "node %u applied index %" PRIu64 " of group %u, which is not committed",
                         node_id(node), applied, g);
    group->digest = grown(group->digest, &group->digest_room, applied, sizeof *group->digest);
    if (group->digest[applied] == 0)
        group->digest[applied] = digest;
    else if (group->digest[applied] != digest)
        report_violation(
            witness->world,
            "state machine safety: node %u has another state of group %u than others at index "
            "%" PRIu64,
            node_id(node), g, applied);
}

/* Raft §5.4.2, figure 8. What it committed as a follower it may have learnt in its last turn as
 * one. */
static void check_counting(struct witness *witness, const struct node *node, uint32_t g,
                           uint64_t term, uint64_t commit)
{
    const struct seen *seen = &witness->seen[node->number][g];
    const struct disk_log *written = disk_written(node->disk, (uint16_t)g);
    if (seen->leads && seen->term == term && written->term[commit] != term)
        report_violation(witness->world,
                         "commit by counting: node %u, leader of term %" PRIu64
                         ", commits entry %" PRIu64 " of group %u, which is of term %" PRIu64,
                         node_id(node), term, commit, g, written->term[commit]);
}

/* ---- reads ----------------------------------------------------------------------------------- */

static void judge_ticket(struct witness *witness, const struct node *node, uint32_t g,
                         const raft *machine)
{
    struct seen *seen = &witness->seen[node->number][g];
    if (seen->ticket.term == 0)
        return;
    enum raft_ticket_state state = raft_ticket_state(machine, &seen->ticket);
    if (state == RAFT_TICKET_READY && seen->ticket.index < seen->ticket_committed)
        report_violation(
            witness->world,
            "read safety: node %u, leader of term %" PRIu64 ", reads group %u at index %" PRIu64
            ", index %" PRIu64 " was committed before",
            node_id(node), seen->ticket.term, g, seen->ticket.index, seen->ticket_committed);
    if (state != RAFT_TICKET_WAIT)
        seen->ticket.term = 0;
}

/* Takes a ticket as the lane would in this turn: by the clock of now. */
static void take_ticket(struct witness *witness, const struct node *node, uint32_t g, raft *machine)
{
    struct seen *seen = &witness->seen[node->number][g];
    uint64_t committed = witness->group[g].committed;
    raft_tick(machine, node_local_ns(node));
    if (seen->ticket.term != 0 || raft_commit(machine) >= committed ||
        !raft_read(machine, &seen->ticket))
        return;
    seen->ticket_committed = committed;
    judge_ticket(witness, node, g, machine);
}

/* ---- a turn ---------------------------------------------------------------------------------- */

void witness_booted(struct witness *witness, const struct node *node)
{
    for (uint32_t g = 0; g < witness->world->shape.groups; g++) {
        struct seen *seen = &witness->seen[node->number][g];
        const struct disk_log *durable = disk_durable(node->disk, (uint16_t)g);
        *seen = (struct seen){.hard_term = durable->hard_term, .hard_vote = durable->hard_vote};
    }
}

/* Entries that are missing behind `commit` a damaged log may have held. */
void witness_found(struct witness *witness, const struct node *node, uint16_t group,
                   uint64_t commit)
{
    const struct group_witness *known = &witness->group[group];
    const struct disk_log *found = disk_written(node->disk, group);
    if (commit > known->committed || commit > found->last ||
        (commit != 0 && found->chain[commit] != known->commitment[commit].chain))
        report_violation(witness->world,
                         "recovery: node %u takes its log of group %u up to index %" PRIu64
                         " as committed, which is another entry, or none",
                         node_id(node), group, commit);
}

static void check_group(struct witness *witness, const struct node *node, uint32_t g)
{
    struct world *world = witness->world;
    struct seen *seen = &witness->seen[node->number][g];
    raft *machine = lane_raft(node->lane, (uint16_t)g);
    /* When a doorway or the log was full, a machine knows more than its disk was told: it is looked
     * at again. */
    if (machine == NULL || raft_dirty(machine) || disk_refuses(node->disk))
        return;
    uint64_t term = raft_term(machine), commit = raft_commit(machine);
    uint64_t applied = state_applied_index(lane_state(node->lane, (uint16_t)g));
    bool leads = raft_is_leader(machine);
    if (term < seen->term || commit < seen->commit || applied < seen->applied)
        report_violation(world, "node %u's term, commit or applied index of group %u falls",
                         node_id(node), g);
    if (leads && (!seen->leads || term != seen->term))
        check_new_leader(witness, node, g, term);
    else if (!leads && seen->leads)
        world_note(world, TRACE_FOLLOWS, node_id(node), g, term, 0);
    if (commit != seen->commit) {
        check_counting(witness, node, g, term, commit);
        check_commit(witness, node, g, term, commit);
    }
    if (applied != seen->applied)
        check_state(witness, node, g, applied);
    if (raft_last_index(machine) != disk_written(node->disk, (uint16_t)g)->last)
        report_violation(world, "node %u's log of group %u ends elsewhere than what it wrote",
                         node_id(node), g);
    if (node->polls >= seen->check_at || leads != seen->leads) {
        raft_check(machine);
        seen->check_at =
            node->polls + CHECK_TURNS + raft_last_index(machine) / CHECK_ENTRIES_A_TURN;
    }
    seen->term = term;
    seen->commit = commit;
    seen->applied = applied;
    seen->leads = leads;
    judge_ticket(witness, node, g, machine);
    if (leads && commit < witness->group[g].committed)
        take_ticket(witness, node, g, machine);
}

void witness_turned(struct witness *witness, const struct node *node, bool idle)
{
    if (witness->world->shape.split_rooms && !idle)
        return; /* between rooms, the same */
    for (uint32_t g = 0; g < witness->world->shape.groups; g++)
        check_group(witness, node, g);
}

/* ---- promises that leave --------------------------------------------------------------------- */

static void check_promise(struct witness *witness, const struct node *node,
                          const struct wire_raft *message)
{
    const struct disk_log *durable = disk_durable(node->disk, message->group);
    if (durable->hard_term > message->term)
        return; /* it has moved on since it promised, and with it what lies on the disk */
    bool granted = message->kind == WIRE_VOTE_REPLY && (message->flags & WIRE_RAFT_GRANTED) != 0;
    if (granted && durable->hard_term < message->term)
        report_violation(witness->world,
                         "durability: a vote of node %u for term %" PRIu64
                         " of group %u leaves before it is stored",
                         node_id(node), message->term, message->group);
    const struct disk_log *written = disk_written(node->disk, message->group);
    bool matched = message->kind == WIRE_APPEND_REPLY && (message->flags & WIRE_RAFT_REJECTED) == 0;
    if (!matched || message->index == 0 || written->hard_term > message->term)
        return; /* in the same term a log only grows: what it holds now is what it spoke of */
    if (durable->last < message->index ||
        durable->chain[message->index] != written->chain[message->index])
        report_violation(witness->world,
                         "durability: node %u acknowledges index %" PRIu64
                         " of group %u, which its disk does not hold",
                         node_id(node), message->index, message->group);
}

void witness_sent(struct witness *witness, const struct node *node, uint32_t to,
                  const uint8_t *payload, uint32_t bytes)
{
    struct wire_frame frame;
    struct wire_view view;
    uint32_t offset = WIRE_FRAME_BYTES;
    if (wire_frame_decode(payload, bytes, &frame) != WIRE_OK)
        report_violation(witness->world, "node %u sends a malformed frame", node_id(node));
    for (;;) {
        if (wire_message_next(payload, bytes, &offset, &view) != WIRE_OK)
            report_violation(witness->world, "node %u sends a malformed message", node_id(node));
        if (view.kind == 0)
            return;
        if (view.kind < WIRE_PREVOTE || view.kind > WIRE_TIMEOUT_NOW)
            continue;
        struct wire_raft message;
        const uint8_t *entries;
        if (wire_get_raft(&view, &message, &entries) != WIRE_OK)
            report_violation(witness->world, "node %u sends a malformed raft message",
                             node_id(node));
        if (message.kind == WIRE_PREVOTE)
            faults_asked(witness->world, to);
        check_promise(witness, node, &message);
    }
}

/* ---- looks ----------------------------------------------------------------------------------- */

bool witness_lags(const struct witness *witness, const struct node *node)
{
    for (uint32_t g = 0; g < witness->world->shape.groups; g++) {
        const struct seen *seen = &witness->seen[node->number][g];
        if (seen->leads && seen->commit < witness->group[g].committed)
            return true;
    }
    return false;
}

uint32_t witness_leader(const struct witness *witness, uint16_t group)
{
    return witness->group[group].leader;
}

uint64_t witness_elections(const struct witness *witness)
{
    return witness->elections;
}

uint64_t witness_committed(const struct witness *witness, uint16_t group)
{
    return witness->group[group].committed;
}

uint64_t witness_commits(const struct witness *witness)
{
    uint64_t commits = 0;
    for (uint32_t g = 0; g < witness->world->shape.groups; g++)
        commits += witness->group[g].committed;
    return commits;
}

bool witness_converged(const struct witness *witness, struct witness_laggard *laggard)
{
    const struct world *world = witness->world;
    for (uint16_t g = 0; g < world->shape.groups; g++) {
        laggard->group = g;
        laggard->commit = witness->group[g].committed;
        for (uint32_t n = 0; n < world->shape.replicas; n++)
            laggard->commit =
                max_u64(laggard->commit, raft_commit(lane_raft(world->node[n]->lane, g)));
        for (uint32_t n = 0; n < world->shape.replicas; n++) {
            /* Not looked at yet: whether doubt ends, and the member catches up. */
            if (disk_written(world->node[n]->disk, g)->damaged)
                continue;
            laggard->node = n;
            laggard->applied = state_applied_index(lane_state(world->node[n]->lane, g));
            if (laggard->applied != laggard->commit)
                return false;
        }
    }
    return true;
}
