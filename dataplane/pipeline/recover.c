/* recover.c: what storage and the newest snapshot kept becomes log and state of a group again,
 * before the lane's first turn.
 *
 *   | snapshot | ... committed ................ | ... last |
 *     loaded     applied from recovery's memory   not known to be committed
 *                            | ring: these, and as many before as half of it holds |
 *
 * The ring is not filled: whoever is elected needs room for the entry that lets it commit. */
#include "dataplane/pipeline/internal.h"

#define PREFETCH_AHEAD 6u
#define RECLAIM_EVERY  64u
/* So many elections at most are lost with what is damaged: of a term behind them nothing was
 * promised. */
#define DOUBT_TERMS 65536u

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
static void apply_kept(struct lane *lane, struct group *group, uint64_t first,
                       const struct storage_recovered *found)
{
    const struct wire_entry *ahead[PREFETCH_AHEAD] = {0};
    for (uint64_t i = first; i <= found->commit + PREFETCH_AHEAD; i++) {
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

/* False: the entry holds none that this build could read. */
static bool configuration_of(struct group *group, const struct wire_entry *entry,
                             struct wire_members *members)
{
    if (LIKELY(entry->kind != WIRE_ENTRY_CONFIG))
        return false;
    enum wire_refusal refusal =
        wire_members_decode((const uint8_t *)(entry + 1), entry->body_bytes, members);
    group->kept.unspoken |= refusal == WIRE_REFUSED_LEVEL;
    /* it was one when it was appended, and recovery has checked its sum */
    ENSURE(refusal == WIRE_OK || refusal == WIRE_REFUSED_LEVEL);
    return refusal == WIRE_OK;
}

static bool fill_ring(struct lane *lane, struct group *group, uint64_t first, uint64_t last)
{
    struct wire_members members;
    struct log_config config = {
        .group = group->number,
        .bytes = lane->config.log_bytes,
        .entries_max = lane->config.entries_max,
        .first_index = first,
    };
    group->log = log_init(group->log, &config);
    for (uint64_t i = first; i <= last; i++) {
        const struct wire_entry *entry = kept_entry(lane, group, i);
        (void)configuration_of(group, entry, &members);
        if (!log_append_run(group->log, i, (const uint8_t *)entry, 1,
                            wire_entry_size(entry->body_bytes)))
            return false;
    }
    return true;
}

/* The configuration in force where the ring begins: of the last entry before it that has one, or
 * the snapshot's; those in the ring are read when there is a machine. Where the snapshot's came
 * in the ring, and nothing says what was before it, the ring begins behind that. Returns where. */
static uint64_t keep_members(const struct lane *lane, struct group *group, uint64_t first,
                             uint64_t begin)
{
    struct kept *kept = &group->kept;
    const struct raft_snapshot *snapshot = &kept->snapshot;
    for (uint64_t i = begin; i > first && kept->restore.members == NULL; i--) {
        if (!configuration_of(group, kept_entry(lane, group, i - 1), &kept->members))
            continue;
        kept->restore.members = &kept->members;
        kept->restore.members_index = i - 1;
    }
    if (kept->restore.members != NULL || snapshot->index == 0)
        return begin;
    kept->members = snapshot->members;
    kept->restore.members = &kept->members;
    kept->restore.members_index = snapshot->members_index;
    return max_u64(begin, snapshot->members_index + 1);
}

static uint64_t term_at(const struct lane *lane, const struct group *group,
                        const struct storage_recovered *found, uint64_t index)
{
    return index < found->first ? found->previous_term : kept_entry(lane, group, index)->term;
}

/* A snapshot is of what is committed. A log that ends before it, or is of another history there,
 * was to begin anew behind it when the power went: so it does now. */
static void begin_behind(struct lane *lane, struct group *group, struct storage_recovered *found)
{
    const struct raft_snapshot *snapshot = &group->kept.snapshot;
    bool reaches = snapshot->index <= found->last;
    if (!reaches || term_at(lane, group, found, snapshot->index) != snapshot->term) {
        found->first = snapshot->index + 1;
        found->last = snapshot->index;
        found->previous_term = snapshot->term;
        order_forget_stored(lane, group, snapshot->index, snapshot->term);
        doorway_publish(lane->writes);
    }
    found->commit = max_u64(found->commit, snapshot->index);
    if (found->term < snapshot->term) { /* nothing was promised in a term that was never stored */
        found->term = snapshot->term;
        found->vote = RAFT_NOBODY;
    }
}

/* False: there is none. The state is at its index then. */
static bool load_snapshot(struct lane *lane, struct group *group)
{
    struct raft_snapshot *snapshot = &group->kept.snapshot;
    void *memory = group->state;
    struct state *loaded;
    if (lane->config.recover_state == NULL)
        return false;
    if (lane->config.recover_state(lane->config.recover_state_domain, group->number, memory,
                                   &lane->config.state, snapshot, &loaded)) {
        group->state = loaded;
        return true;
    }
    group->state = state_init(memory, &lane->config.state);
    snapshot->index = 0;
    return false;
}

static const char *recover_group(struct lane *lane, struct group *group)
{
    struct storage_recovered found = {.first = 1, .vote = RAFT_NOBODY};
    bool stored = lane->config.recover != NULL &&
                  lane->config.recover(lane->config.recover_domain, group->number, &found);
    bool loaded = load_snapshot(lane, group);
    if (!stored && !loaded)
        return NULL;
    lane->frame_number_base = max_u64(lane->frame_number_base, found.boots << 40);
    uint64_t behind = group->kept.snapshot.index;
    if (found.first > behind + 1)
        return "the log begins behind a snapshot that is missing or damaged";
    if (loaded)
        begin_behind(lane, group, &found);
    bool doubtful = found.damaged || (stored && lane->config.strict);
    group->kept.restore = (struct raft_restore){
        .term = found.term + (found.damaged ? DOUBT_TERMS : 0),
        .vote = doubtful ? RAFT_NOBODY : found.vote,
        .applied = found.commit,
        .doubtful = doubtful,
    };
    group->kept.any = true;
    uint64_t first = keep_members(lane, group, found.first, first_for_ring(lane, group, &found));
    group->kept.restore.first_index = first;
    group->kept.restore.previous_term = first > 1 ? term_at(lane, group, &found, first - 1) : 0;
    if (!fill_ring(lane, group, first, found.last))
        return "more of the log may not be committed yet than [storage] log holds: raise it";
    if (group->kept.unspoken)
        return "the cluster has been raised to a level that this build does not speak: start a "
               "newer one";
    apply_kept(lane, group, behind + 1, &found);
    log_release(group->log, found.commit);
    group->first_told = first;
    group->handed = group->applied_told = found.commit;
    group->time.last_ms = state_time_ms(group->state);
    if (found.last >= found.first)
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
    if (group->kept.snapshot.index != 0)
        raft_snapshot_taken(group->raft, &group->kept.snapshot);
    for (uint64_t i = group->kept.restore.first_index; i <= log_last_index(group->log); i++) {
        const struct wire_entry *entry = log_entry(group->log, i);
        struct raft_entry known = {.term = entry->term,
                                   .bytes = wire_entry_size(entry->body_bytes)};
        struct wire_members members;
        if (!configuration_of(group, entry, &members)) {
            raft_restore_entry(group->raft, &known);
            continue;
        }
        raft_restore_members(group->raft, &known, &members);
        order_tell_members(group, machine->self);
    }
}
