#include "protocols/raft/internal.h"

/* No correct leader contradicts what is committed, as the former configuration must be, or what it
 * has itself sent before in this term. */
static uint64_t settled(const raft *r)
{
    return max_u64(max_u64(r->commit, r->owed.matched), r->former.index);
}

static void reject(raft *r, const struct wire_raft *append, uint64_t hint, enum raft_event reason)
{
    raft_count(r, reason);
    r->owed.reject = true;
    r->owed.reject_round = append->round;
    r->owed.reject_index = hint;
    r->owed.reject_term = raft_log_term(r, hint);
}

/* An APPEND from before the window. True: its entries reach into the window and agree with it at
 * `base`, so *skip of them are known here. (Compacted entries must never be appended again.) */
static bool reaches_window(raft *r, const struct raft_input *input, uint32_t *skip)
{
    const struct wire_raft *append = &input->message;
    uint64_t distance = r->base - append->index;
    if (distance <= append->entry_count) {
        if (input->entries[distance - 1].term == r->base_term) {
            *skip = (uint32_t)distance;
            return true;
        }
        if (r->base <= r->commit) {
            raft_count(r, RAFT_APPEND_REFUSED_SETTLED);
            return false;
        }
    } else if (append->index + append->entry_count <= r->commit) {
        /* leader completeness (§5.4.3): what is committed here is in the leader's log as well */
        raft_count(r, RAFT_ALREADY_COMMITTED);
        r->owed.matched = max_u64(r->owed.matched, r->commit);
        r->owed.reply = true;
        r->owed.echo = true;
        return false;
    }
    /* after a restart the window may begin behind what is known to be committed: point the leader
     * there */
    reject(r, append, r->base, RAFT_APPEND_REFUSED_FORGOTTEN);
    return false;
}

/* False: the entry before the first one is missing or differs; answered. */
static bool previous_matches(raft *r, const struct wire_raft *append)
{
    if (append->index > r->last) {
        reject(r, append, max_u64(raft_log_agreement(r, r->last, append->log_term), r->base),
               RAFT_APPEND_REFUSED_GAP);
        return false;
    }
    if (raft_log_term(r, append->index) == append->log_term || RAFT_MUTATED(SKIP_PREVIOUS_CHECK))
        return true;
    if (append->index <= settled(r)) {
        raft_count(r, RAFT_APPEND_REFUSED_SETTLED);
        return false;
    }
    reject(r, append, max_u64(raft_log_agreement(r, append->index, append->log_term), r->base),
           RAFT_APPEND_REFUSED_CONFLICT);
    return false;
}

/* How many of the entries behind `previous` are here already. Log matching (§5.3): if the last one
 * that could be here is, all before it are. */
static uint32_t count_known(const raft *r, uint64_t previous, const struct raft_entry *entries,
                            uint32_t count)
{
    uint32_t overlap = (uint32_t)min_u64(count, r->last - previous);
    if (overlap == 0 || RAFT_MUTATED(KEEP_CONFLICTING_SUFFIX))
        return overlap;
    if (entries[overlap - 1].term == raft_log_term(r, previous + overlap))
        return overlap;
    uint32_t known = 0;
    while (entries[known].term == raft_log_term(r, previous + known + 1))
        known++;
    return known;
}

/* Of the message's entries those behind the first `skip` have just been appended. */
static void enter_members(raft *r, const struct raft_input *input, uint64_t skip)
{
    for (uint64_t i = skip; i < input->message.entry_count; i++) {
        uint64_t index = input->message.index + i + 1;
        uint32_t number = input->entries[i].members;
        if (number != 0 && index <= r->last)
            raft_members_enter(r, &r->brought[number - 1], index);
    }
}

/* Takes what is new of the entries behind `previous`, which matches. */
static void take(raft *r, struct raft_input *input, uint64_t previous, uint32_t skip)
{
    uint32_t count = input->message.entry_count - skip;
    const struct raft_entry *entries = count == 0 ? NULL : input->entries + skip;
    uint32_t known =
        RAFT_MUTATED(TRUNCATE_COMMITTED) ? 0 : count_known(r, previous, entries, count);
    uint64_t at = previous + known;
    uint32_t fresh = (uint32_t)min_u64(count - known, raft_log_room(r, at));
    if (fresh < count - known)
        raft_count(r, RAFT_APPEND_WINDOW_FULL);
    if (fresh > 0 && at < r->last) {
        if (at < settled(r) && !RAFT_MUTATED(TRUNCATE_COMMITTED)) {
            raft_count(r, RAFT_APPEND_REFUSED_SETTLED);
            return;
        }
        raft_count(r, RAFT_TRUNCATED);
        raft_log_truncate(r, at);
    }
    raft_log_slide(r, at + fresh);
    uint64_t before = r->last;
    for (uint32_t i = 0; i < fresh; i++)
        raft_log_append(r, entries[known + i].term, entries[known + i].bytes);
    if (UNLIKELY(r->brought_count > 0))
        enter_members(r, input, before - input->message.index);
    if (fresh > 0) {
        input->take_first = at + 1;
        input->take_count = fresh;
    }
    r->owed.matched = max_u64(r->owed.matched, at + fresh);
    r->owed.reply = true;
    r->owed.echo |= fresh == 0;
    raft_commit_learn(r, input->message.commit);
}

bool raft_append_heed(raft *r, const struct wire_raft *message)
{
    if (r->role == RAFT_LEADER || (r->leader != RAFT_NOBODY && r->leader != message->from)) {
        raft_count(r, RAFT_TWO_LEADERS);
        return false;
    }
    if (r->role != RAFT_FOLLOWER || r->leader != message->from)
        raft_vote_follow(r, r->term, message->from);
    raft_pace_heard(r);
    raft_read_heard(r);
    r->owed.to = message->from;
    r->owed.round = max_u64(r->owed.round, message->round);
    return true;
}

/* Are the entries' configurations such that we can be in their group? */
static bool members_agree(const raft *r, const struct raft_input *input)
{
    for (uint32_t i = 0; i < input->message.entry_count; i++) {
        uint32_t number = input->entries[i].members;
        if (number > r->brought_count)
            return false;
        if (number != 0 && (!wire_members_valid(&r->brought[number - 1]) ||
                            !raft_members_fit(r, &r->brought[number - 1])))
            return false;
    }
    return true;
}

void raft_append_receive(raft *r, struct raft_input *input)
{
    const struct wire_raft *append = &input->message;
    uint32_t count = append->entry_count;
    if (append->log_term > append->term ||
        (count > 0 && (input->entries[0].term < max_u64(append->log_term, 1) ||
                       input->entries[count - 1].term > append->term))) {
        raft_count(r, RAFT_APPEND_MALFORMED);
        return;
    }
    if (UNLIKELY(r->brought_count > 0) && !members_agree(r, input)) {
        raft_count(r, RAFT_APPEND_REFUSED_MEMBERS);
        return;
    }
    if (!raft_append_heed(r, append))
        return;
    uint32_t skip = 0;
    if (append->index < r->base) {
        if (reaches_window(r, input, &skip))
            take(r, input, r->base, skip);
    } else if (previous_matches(r, append)) {
        take(r, input, append->index, 0);
    }
}

static void confirm(raft *r, uint64_t index, uint64_t after_seq)
{
    struct wire_raft *reply = &raft_send_add(r, WIRE_APPEND_REPLY, r->owed.to, after_seq)->message;
    reply->index = index;
    reply->round = r->owed.round;
    /* an answer needs no commit index: its place says how much this member would rather lead */
    reply->commit = r->doubtful ? 0 : r->config.priority;
}

void raft_append_send_owed(raft *r)
{
    struct raft_owed *owed = &r->owed;
    uint64_t term_seq = raft_commit_seq_of_hard_state(r);
    if (owed->reject) {
        struct wire_raft *reply = &raft_send_add(r, WIRE_APPEND_REPLY, owed->to, 0)->message;
        reply->flags = WIRE_RAFT_REJECTED;
        reply->index = owed->reject_index;
        reply->log_term = owed->reject_term;
        reply->round = owed->reject_round;
    }
    if (owed->reply) {
        uint64_t entry_seq = raft_commit_seq_of_entry(r, owed->matched);
        if (entry_seq == 0 || owed->echo) {
            uint64_t index = entry_seq == 0 ? owed->matched : min_u64(owed->matched, r->stored);
            confirm(r, index, term_seq);
        }
        if (entry_seq != 0 && owed->matched > owed->acknowledged)
            confirm(r, owed->matched, max_u64(entry_seq, term_seq));
        owed->acknowledged = max_u64(owed->acknowledged, owed->matched);
    }
    owed->reply = owed->echo = owed->reject = false;
}
