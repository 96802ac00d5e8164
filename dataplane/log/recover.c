/* recover: reads a log back, write after write, and judges where it ends. docs/log-format.md says
 * what is concluded from what. */
#include "dataplane/log/recovery.h"

#include <stdlib.h>

#define ALL_GROUPS UINT64_MAX

/* ---- taking ---------------------------------------------------------------------------------- */

static bool grow(struct wal_recovery *mine, struct recovered_group *group, uint64_t count)
{
    if (count <= group->room)
        return true;
    uint64_t room = power_of_two_at_least(count + 1024);
    void *entry = realloc(group->entry, room * sizeof *group->entry);
    if (entry == NULL)
        return judge_refuse(mine, WAL_REFUSED_MEMORY);
    group->entry = entry;
    group->room = room;
    return true;
}

static bool take_entries(struct wal_recovery *mine, uint32_t slot,
                         const struct format_record *record, const uint8_t *entries)
{
    struct recovered_group *group = &mine->group[slot];
    const struct wal_config *config = &mine->wal->config;
    if (group->origin == 0 || record->first < group->origin) {
        group->origin = record->first;
        group->count = 0;
    }
    uint64_t before = record->first - group->origin;
    if (before > config->segments * config->segment_bytes / WIRE_ENTRY_BYTES) {
        mine->damaged |= UINT64_C(1) << slot; /* a gap that no log of this size can fill */
        return true;
    }
    if (!grow(mine, group, before + record->count))
        return false;
    for (uint64_t i = group->count; i < before; i++)
        group->entry[i] = NULL;
    group->count = before;
    for (uint32_t i = 0; i < record->count; i++) {
        const struct wire_entry *entry = (const void *)entries;
        group->entry[group->count++] = entry;
        entries += wire_entry_size(entry->body_bytes);
    }
    return true;
}

static const struct wire_entry *entry_at(const struct recovered_group *group, uint64_t index)
{
    return group->origin != 0 && index >= group->origin && index - group->origin < group->count
               ? group->entry[index - group->origin]
               : NULL;
}

/* Behind something missing an entry may be an older one than what was committed in its place. */
static void note_commit(struct wal_recovery *mine, uint32_t slot,
                        const struct format_record *record)
{
    struct recovered_group *group = &mine->group[slot];
    uint64_t end = record->first + record->count;
    if (record->behind == 0 || record->behind > end)
        return;
    group->commit = max_u64(group->commit, end - record->behind);
    if (!mine->missing)
        group->sound = group->commit;
}

/* Where a snapshot of another history took the log's place, what lies behind it is none of its. */
static void forget_replaced(struct wal_recovery *mine, uint32_t slot)
{
    struct recovered_group *group = &mine->group[slot];
    const struct wal_group *state = &mine->wal->group[slot];
    const struct wire_entry *entry = entry_at(group, state->released);
    if (entry == NULL || entry->term == state->released_term)
        return;
    group->count = state->released - group->origin;
    group->commit = min_u64(group->commit, state->released);
    group->sound = min_u64(group->sound, state->released);
}

static bool take_record(struct wal_recovery *mine, uint64_t segment,
                        const struct format_record *record, const uint8_t *entries)
{
    struct wal *wal = mine->wal;
    uint32_t slot = record->group / wal->config.lanes;
    if (record->group % wal->config.lanes != wal->config.lane || slot >= wal->groups_here)
        return judge_refuse(mine, WAL_REFUSED_GROUPS);
    struct wal_group *group = &wal->group[slot];
    group->known = true;
    group->term = record->term;
    group->vote = record->vote;
    if (record->released > group->released) {
        group->released = record->released;
        group->released_term = record->released_term;
        forget_replaced(mine, slot);
    }
    if (record->count == 0)
        return true;
    note_commit(mine, slot, record);
    writer_note_entries(wal, slot, segment, record->first, record->first + record->count - 1);
    return take_entries(mine, slot, record, entries);
}

/* The next one is to follow this one. */
static void follow(struct wal_recovery *mine, uint64_t segment, uint64_t offset,
                   const struct format_head *head)
{
    mine->last = head->number;
    mine->chain = format_chain(mine->bytes[judge_place(mine, segment)] + offset, head);
    mine->any = false;
    mine->expected = mine->last + 1;
}

/* The whole write becomes part of what is recovered; from here on it lies there opened. */
static bool take_write(struct wal_recovery *mine, uint64_t offset, const struct format_head *head)
{
    uint8_t *data = mine->bytes[judge_place(mine, head->segment)] + offset;
    follow(mine, head->segment, offset, head);
    mine->expected = mine->last == mine->wal->super.after ? mine->wal->super.first : mine->last + 1;
    format_open(data, head);
    uint32_t at = FORMAT_HEAD_BYTES, records = 0;
    struct format_record record;
    const uint8_t *entries;
    while (format_record_get(data, head, &at, &record, &entries)) {
        records++;
        if (!take_record(mine, head->segment, &record, entries))
            return false;
    }
    if (at != head->bytes || records != head->records) {
        mine->damaged |= head->groups; /* whole, and yet not what a writer writes */
        mine->missing = true;
    }
    return true;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static bool follows(const struct wal_recovery *mine, const struct format_head *head)
{
    return mine->any || (head->previous == mine->last && head->chain == mine->chain);
}

/* The next write of the log: behind the last one, or at the beginning of the next segment. The
 * first one of all has its place. */
static bool next_write(struct wal_recovery *mine, uint64_t *segment, uint64_t *offset,
                       struct format_head *head)
{
    if (judge_write(mine, *segment, *offset, head) == WRITE_WHOLE && follows(mine, head))
        return true;
    if (mine->any || judge_start(mine, *segment + 1) == NULL ||
        judge_write(mine, *segment + 1, 0, head) != WRITE_WHOLE || !follows(mine, head))
        return false;
    ++*segment;
    *offset = 0;
    return true;
}

/* Behind something damaged: the next whole write that is newer than all that was taken. */
static bool find_next(struct wal_recovery *mine, uint64_t newest, uint64_t *segment,
                      uint64_t *offset, struct format_head *head)
{
    uint64_t at = *offset + FORMAT_BLOCK_BYTES;
    uint64_t from = *segment, last = max_u64(newest, from + judge_has_next(mine, from));
    last = min_u64(last, from + mine->wal->config.segments);
    for (uint64_t s = from; s <= last && mine->refusal == WAL_OPENED; s++, at = 0) {
        if (s > from + 1 && judge_start(mine, s) == NULL)
            continue;
        for (; at < mine->wal->config.segment_bytes; at += FORMAT_BLOCK_BYTES) {
            if (judge_write(mine, s, at, head) != WRITE_WHOLE)
                continue;
            *segment = s;
            *offset = at;
            return true;
        }
    }
    return false;
}

/* A gap that an earlier start has counted, and that still is the same, is not counted again. */
static bool is_known(struct wal_recovery *mine, uint64_t from, uint64_t to)
{
    bool known = false;
    for (uint32_t i = 0; i < FORMAT_GAPS_MAX; i++) {
        const struct format_gap *gap = &mine->wal->super.gap[i];
        known |= gap->from == from && gap->to == to;
    }
    if (mine->gap_count < FORMAT_GAPS_MAX)
        mine->gap[mine->gap_count++] = (struct format_gap){.from = from, .to = to};
    return known;
}

/* It says that it comes next, but of a predecessor that was another one. Numbers are never used
 * again, so no crash leaves that. */
static bool breaks_chain(const struct wal_recovery *mine, enum judge_verdict verdict,
                         const struct format_head *head)
{
    return verdict == WRITE_WHOLE && !mine->any && head->previous == mine->last &&
           head->chain != mine->chain;
}

/* Nothing follows at this place. True: the log goes on elsewhere nevertheless. */
static bool pass_damage(struct wal_recovery *mine, uint64_t newest, uint64_t *segment,
                        uint64_t *offset, struct format_head *head)
{
    struct format_head here, there = {0};
    enum judge_verdict verdict = judge_write(mine, *segment, *offset, &here), next = WRITE_ABSENT;
    /* A whole write that does not follow on is one whose predecessor is missing. */
    bool damaged = verdict == WRITE_DAMAGED || breaks_chain(mine, verdict, &here);
    if (judge_has_next(mine, *segment))
        next = judge_write(mine, *segment + 1, 0, &there);
    damaged |= next == WRITE_DAMAGED || breaks_chain(mine, next, &there);
    if (!damaged && !judge_lost(mine, *segment, *offset))
        return false;
    uint64_t groups = verdict == WRITE_DAMAGED && here.sectors != 0 && follows(mine, &here)
                          ? here.groups
                          : ALL_GROUPS;
    uint64_t number = here.number;
    mine->missing = true;
    if (verdict == WRITE_WHOLE)
        *offset -= FORMAT_BLOCK_BYTES; /* it is the next one itself */
    mine->any = true;
    if (!find_next(mine, newest, segment, offset, head)) {
        mine->damaged |= groups;
        return false;
    }
    if (head->previous != number)
        groups = ALL_GROUPS;
    if (!is_known(mine, mine->last, head->number))
        mine->damaged |= groups;
    return true;
}

static void replay(struct wal_recovery *mine, uint64_t newest)
{
    struct wal *wal = mine->wal;
    uint64_t segment = wal->oldest, offset = 0;
    struct format_head head;
    mine->any = true;
    mine->last = 0;
    mine->chain = 0;
    mine->expected = wal->super.after == 0 ? wal->super.first : 1;
    while (mine->refusal == WAL_OPENED) {
        uint64_t next = segment, at = offset;
        bool found =
            next_write(mine, &next, &at, &head) || pass_damage(mine, newest, &next, &at, &head);
        if (!found || !take_write(mine, at, &head))
            break;
        segment = next;
        offset = at + (uint64_t)head.sectors * FORMAT_SECTOR_BYTES;
    }
    wal->segment = segment;
    wal->offset = offset;
    wal->opening = offset == 0;
    wal->previous = mine->last;
    wal->chain = mine->chain;
    /* Of an end that was lost nothing can be said but that it is. */
    if (mine->last < wal->super.after)
        mine->damaged |= ALL_GROUPS;
}

/* The oldest segment needed, as the last write says that has all those before it. With two in
 * flight the newest segment, and the one before, may have been begun by writes that have not. */
static uint64_t find_oldest(struct wal_recovery *mine, uint64_t newest)
{
    uint64_t segment = newest - min_u64(newest, WAL_IN_FLIGHT_MAX);
    while (segment < newest && judge_start(mine, segment) == NULL)
        segment++;
    /* Older than need be, if nothing better is found: then more is looked at, not less. */
    uint64_t oldest = judge_start(mine, segment)->head.oldest, offset = 0;
    struct format_head head;
    mine->any = true;
    mine->expected = 1;
    while (next_write(mine, &segment, &offset, &head)) {
        oldest = head.oldest;
        follow(mine, segment, offset, &head);
        offset += (uint64_t)head.sectors * FORMAT_SECTOR_BYTES;
    }
    /* Places that newer ones have taken hold it no more. */
    uint64_t segments = mine->wal->config.segments;
    return newest - oldest < segments ? oldest : newest + 1 - segments;
}

/* ---- the results ----------------------------------------------------------------------------- */

/* What the walk did not find missing may have been missing for ever. */
static void damage_group(struct wal_recovery *mine, uint32_t slot)
{
    mine->damaged |= UINT64_C(1) << slot;
    if (!mine->missing)
        mine->group[slot].sound = 0;
}

/* Entries behind released ones, as far as none is missing. */
static void settle_group(struct wal_recovery *mine, uint32_t slot)
{
    struct recovered_group *group = &mine->group[slot];
    uint64_t first = mine->wal->group[slot].released + 1;
    if (group->origin == 0 || group->origin + group->count <= first)
        return;
    uint64_t have = first >= group->origin ? first - group->origin : 0;
    bool gap = first < group->origin;
    while (!gap && have < group->count && group->entry[have] != NULL)
        have++;
    if (gap || have < group->count)
        damage_group(mine, slot);
    group->count = gap ? 0 : have;
    /* Terms do not fall along a log, else something is wrong that no checksum shows. */
    for (uint64_t i = first > group->origin ? first - group->origin + 1 : 1; i < group->count; i++)
        if (group->entry[i]->term < group->entry[i - 1]->term) {
            damage_group(mine, slot);
            group->count = i;
        }
}

static uint64_t newest_start(const struct wal_recovery *mine, bool *any)
{
    uint64_t newest = 0;
    *any = false;
    for (uint32_t i = 0; i < mine->wal->config.segments; i++) {
        if (!mine->start[i].is_write)
            continue;
        newest = max_u64(newest, mine->start[i].segment);
        *any = true;
    }
    return newest;
}

enum wal_refusal recover_read(struct wal *wal, uint64_t *damaged, uint64_t *first)
{
    struct wal_recovery *mine = calloc(1, sizeof *mine);
    if (mine == NULL)
        return WAL_REFUSED_MEMORY;
    wal->recovery = mine;
    mine->wal = wal;
    mine->start = calloc(wal->config.segments, sizeof *mine->start);
    mine->bytes = calloc(wal->config.segments, sizeof *mine->bytes);
    if (mine->start == NULL || mine->bytes == NULL)
        return WAL_REFUSED_MEMORY;
    if (!judge_starts(mine))
        return mine->refusal;
    bool any;
    uint64_t newest = newest_start(mine, &any);
    wal->oldest = any ? find_oldest(mine, newest) : 0;
    replay(mine, newest);
    for (uint32_t slot = 0; slot < wal->groups_here; slot++)
        settle_group(mine, slot);
    uint64_t all =
        wal->groups_here == WAL_GROUPS_MAX ? ALL_GROUPS : (UINT64_C(1) << wal->groups_here) - 1;
    *damaged = mine->damaged & all;
    memcpy(wal->super.gap, mine->gap, sizeof mine->gap);
    *first = max_u64(max_u64(mine->highest, mine->last), wal->super.first) + FORMAT_LEAP;
    return mine->refusal;
}

void recover_free(struct wal *wal)
{
    struct wal_recovery *mine = wal->recovery;
    if (mine == NULL)
        return;
    for (uint32_t i = 0; mine->bytes != NULL && i < wal->config.segments; i++)
        free(mine->bytes[i]);
    for (uint32_t slot = 0; slot < WAL_GROUPS_MAX; slot++)
        free(mine->group[slot].entry);
    free(mine->bytes);
    free(mine->start);
    free(mine);
    wal->recovery = NULL;
}

bool recover_group(const struct wal *wal, uint32_t slot, struct storage_recovered *recovered)
{
    const struct wal_group *state = &wal->group[slot];
    if (!state->known || wal->recovery == NULL)
        return false;
    const struct recovered_group *group = &wal->recovery->group[slot];
    recovered->term = state->term;
    recovered->vote = state->vote;
    recovered->first = state->released + 1;
    recovered->previous_term = state->released_term;
    recovered->last = max_u64(state->released, group->origin + group->count - 1);
    if (group->count == 0)
        recovered->last = state->released;
    bool damaged = (wal->super.damaged >> slot & 1) != 0;
    uint64_t commit = max_u64(damaged ? group->sound : group->commit, state->released);
    recovered->commit = min_u64(commit, recovered->last);
    return true;
}

const struct wire_entry *recover_entry(const struct wal *wal, uint32_t slot, uint64_t index)
{
    if (wal->recovery == NULL || index <= wal->group[slot].released)
        return NULL;
    return entry_at(&wal->recovery->group[slot], index);
}
