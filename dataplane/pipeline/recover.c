/* recover.c: what storage kept becomes log and state of a group again, before the lane's first
 * turn.
 *
 *   | first ... committed ................ | ... last |
 *     applied from recovery's memory         not known to be committed
 *                          | ring: these, and as many before as half of it holds |
 *
 * The ring is not filled: whoever is elected needs room for the entry that lets it commit. */
#include "dataplane/pipeline/internal.h"

#define PREFETCH_AHEAD 6u
#define RECLAIM_EVERY  64u

static const struct wire_entry *kept_entry(const struct lane *lane, const struct group *group,
                                           uint64_t index)
{
    return lane->config.recover_entry(lane->config.recover_domain, group->number, index);
}

/* The first entry that goes into the ring. Those before it are committed. */
static uint64_t first_for_ring(const struct lane *lane, const struct group *group,
                               const struct storage_recovered *found)
{
    uint64_t bytes = 0, first = found->last + 1;
    while (first > found->first) {
        bytes += wire_entry_size(kept_entry(lane, group, first - 1)->body_bytes);
        bool enough = bytes > lane->config.log_bytes / 2 ||
                      found->last + 2 - first > lane->config.entries_max / 2;
        if (enough && first <= found->commit + 1)
            break;
        first--;
    }
    return first;
}

/* Nobody reads this state yet: what is replaced is free at once. */
static void apply_kept(struct lane *lane, struct group *group,
                       const struct storage_recovered *found)
{
    const struct wire_entry *ahead[PREFETCH_AHEAD] = {0};
    for (uint64_t i = found->first; i <= found->commit + PREFETCH_AHEAD; i++) {
        const struct wire_entry *entry = ahead[i % PREFETCH_AHEAD];
        const struct wire_entry *coming = i <= found->commit ? kept_entry(lane, group, i) : NULL;
        ahead[i % PREFETCH_AHEAD] = coming;
        if (coming != NULL)
            state_prefetch(group->state, coming);
        if (entry == NULL)
            continue;
        struct wire_result result;
        apply_entry(group->state, entry, &result);
        if (entry->index % RECLAIM_EVERY == 0)
            state_reclaim(group->state, 0, 1);
    }
    state_reclaim(group->state, 0, 1);
}

static bool fill_ring(struct lane *lane, struct group *group, uint64_t first, uint64_t last)
{
    struct log_config config = {
        .group = group->number,
        .bytes = lane->config.log_bytes,
        .entries_max = lane->config.entries_max,
        .first_index = first,
    };
    group->log = log_init(group->log, &config);
    for (uint64_t i = first; i <= last; i++) {
        const struct wire_entry *entry = kept_entry(lane, group, i);
        if (!log_append_run(group->log, i, (const uint8_t *)entry, 1,
                            wire_entry_size(entry->body_bytes)))
            return false;
    }
    return true;
}

/* False: the entry holds none. */
static bool configuration_of(const struct wire_entry *entry, struct wire_members *members)
{
    if (LIKELY(entry->kind != WIRE_ENTRY_CONFIG))
        return false;
    enum wire_refusal refusal =
        wire_members_decode((const uint8_t *)(entry + 1), entry->body_bytes, members);
    ENSURE(refusal == WIRE_OK); /* it was when it was appended, and recovery has checked its sum */
    return true;
}

/* The last configuration before the ring; those in it are read when there is a machine. */
static void keep_members(const struct lane *lane, struct group *group, uint64_t first, uint64_t end)
{
    struct kept *kept = &group->kept;
    for (uint64_t i = end; i > first && kept->restore.members == NULL; i--) {
        if (!configuration_of(kept_entry(lane, group, i - 1), &kept->members))
            continue;
        kept->restore.members = &kept->members;
        kept->restore.members_index = i - 1;
    }
}

static const char *recover_group(struct lane *lane, struct group *group)
{
    struct storage_recovered found = {.vote = RAFT_NOBODY};
    if (!lane->config.recover(lane->config.recover_domain, group->number, &found))
        return NULL;
    lane->frame_number_base = max_u64(lane->frame_number_base, found.boots << 40);
    if (found.first != 1)
        return "the log begins behind a snapshot, which this version can not read";
    uint64_t first = first_for_ring(lane, group, &found);
    if (!fill_ring(lane, group, first, found.last))
        return "more of the log may not be committed yet than [storage] log holds: raise it";
    apply_kept(lane, group, &found);
    log_release(group->log, found.commit);
    group->kept = (struct kept){
        .any = true,
        .damaged = found.damaged,
        .restore =
            {
                .term = found.term,
                .vote = found.vote,
                .first_index = first,
                .previous_term = first > 1 ? kept_entry(lane, group, first - 1)->term : 0,
                .applied = found.commit,
            },
    };
    keep_members(lane, group, found.first, first);
    group->first_told = first;
    group->handed = group->applied_told = found.commit;
    if (found.last != 0)
        group->time.last_ms = kept_entry(lane, group, found.last)->time_ms;
    return NULL;
}

const char *lane_recover(struct lane *lane)
{
    const char *wrong = NULL;
    ENSURE(!lane->started);
    for (uint32_t i = 0; i < lane->group_count && wrong == NULL; i++)
        wrong = recover_group(lane, &lane->group[i]);
    return wrong;
}

/* In the machine's terms; once its first configuration is known. What the log says of members is
 * told step by step: who belonged before a change that is not known to be committed counts too. */
void recover_machine(struct group *group, const struct raft_config *machine)
{
    group->raft = raft_init(group->raft, machine, group->kept.any ? &group->kept.restore : NULL);
    order_tell_members(group, machine->self);
    if (!group->kept.any)
        return;
    for (uint64_t i = group->kept.restore.first_index; i <= log_last_index(group->log); i++) {
        const struct wire_entry *entry = log_entry(group->log, i);
        struct raft_entry known = {.term = entry->term,
                                   .bytes = wire_entry_size(entry->body_bytes)};
        struct wire_members members;
        if (!configuration_of(entry, &members)) {
            raft_restore_entry(group->raft, &known);
            continue;
        }
        raft_restore_members(group->raft, &known, &members);
        order_tell_members(group, machine->self);
    }
}
