#include "protocols/raft/internal.h"

/* ---- footprint and init ---------------------------------------------------------------------- */

static struct wire_members first_members(const struct raft_config *c)
{
    struct wire_members members = {.count = (uint16_t)c->member_count};
    for (uint32_t i = 0; i < c->member_count; i++)
        members.member[i] = (struct wire_member){
            .id = c->member[i],
            .role = c->role[i] != WIRE_ROLE_NONE ? c->role[i] : (uint8_t)WIRE_ROLE_VOTER,
            .nonce = c->nonce[i]};
    return members;
}

static bool members_acceptable(const struct raft_config *c)
{
    if (c->member_count + c->joining > QUORUM_MEMBERS_MAX || c->self == RAFT_NOBODY)
        return false;
    bool member = false;
    for (uint32_t i = 0; i < c->member_count; i++)
        member |= c->member[i] == c->self;
    struct wire_members members = first_members(c);
    return member != c->joining && wire_members_valid(&members);
}

static bool acceptable(const struct raft_config *c)
{
    if (!members_acceptable(c))
        return false;
    if (c->heartbeat_ns == 0 || c->heartbeat_ns > c->election_timeout_ns / 2 ||
        c->election_timeout_max_ns <= c->election_timeout_ns ||
        c->election_timeout_max_ns > RAFT_TIMEOUT_NS_MAX)
        return false;
    if ((c->priority_top != 0 && c->priority > c->priority_top) || c->drift_ppm >= 1000000u ||
        (c->lease_reads && !c->check_quorum))
        return false;
    if (!is_power_of_two(c->entries_max) || c->entries_max < RAFT_ENTRIES_MIN ||
        c->entries_max > RAFT_ENTRIES_MAX)
        return false;
    return c->message_entries_max > 0 && c->message_bytes_max > 0 && c->inflight_messages_max > 0 &&
           c->inflight_messages_max <= RAFT_INFLIGHT_MAX && c->inflight_bytes_max > 0 &&
           c->uncommitted_bytes_max > 0;
}

static size_t walk(const struct raft_config *c, size_t *records, size_t *flights, size_t *sends)
{
    struct layout layout = {0};
    (void)layout_add(&layout, sizeof(raft));
    *records = layout_add(&layout, (size_t)c->entries_max * sizeof(struct raft_record));
    *sends = layout_add(&layout, (size_t)RAFT_SEND_MAX * sizeof(struct raft_send));
    /* for everybody that may come; last, so that pages of slots never used are never touched */
    *flights = layout_add(&layout, (size_t)QUORUM_MEMBERS_MAX * c->inflight_messages_max *
                                       sizeof(struct raft_flight));
    return (size_t)round_up(layout.bytes, CACHE_LINE_BYTES);
}

size_t raft_footprint(const struct raft_config *config)
{
    size_t records, flights, sends;
    return acceptable(config) ? walk(config, &records, &flights, &sends) : 0;
}

raft *raft_init(void *memory, const struct raft_config *config, const struct raft_restore *restore)
{
    ENSURE(raft_footprint(config) != 0 && (uintptr_t)memory % CACHE_LINE_BYTES == 0);
    size_t records, flights, sends;
    (void)walk(config, &records, &flights, &sends);
    memset(memory, 0, flights);
    raft *r = memory;
    r->config = *config;
    r->records_offset = records;
    r->flights_offset = flights;
    r->sends_offset = sends;
    random_init(&r->random, config->seed ^ (uint64_t)config->self << 48);
    r->role = RAFT_FOLLOWER;
    r->leader = RAFT_NOBODY;
    r->vote = RAFT_NOBODY;
    r->transferee = RAFT_NO_POSITION;

    static const struct raft_restore fresh = {.vote = RAFT_NOBODY};
    if (restore == NULL)
        restore = &fresh;
    ENSURE(restore->term >= restore->previous_term);
    r->term = restore->term;
    r->vote = restore->term == 0 ? RAFT_NOBODY : restore->vote;
    r->doubtful = r->hard_dirty = restore->doubtful;
    if (r->doubtful)
        raft_count(r, RAFT_IN_DOUBT);
    r->base = restore->first_index == 0 ? 0 : restore->first_index - 1;
    r->base_term = restore->previous_term;
    ENSURE(restore->applied >= r->base);
    r->last = r->base;
    r->persist_next = r->base + 1;
    r->stored = r->base;
    r->commit = r->delivered = r->applied = restore->applied;
    ENSURE(restore->members_index <= r->base);
    struct wire_members first = first_members(config);
    raft_members_settle(r, restore->members != NULL ? restore->members : &first,
                        restore->members_index);
    r->members_changed = false; /* the owner knows */
    r->members_untold = UINT64_MAX;
    raft_pace_init(r);
    return r;
}

void raft_restore_entry(raft *r, const struct raft_entry *entry)
{
    ENSURE(r->seq_last == 0 && entry->term >= raft_log_term(r, r->last) && entry->term <= r->term);
    raft_log_slide(r, r->last + 1);
    raft_log_append(r, entry->term, entry->bytes);
    r->persist_next = r->last + 1;
    r->stored = r->last;
}

void raft_restore_members(raft *r, const struct raft_entry *entry,
                          const struct wire_members *members)
{
    ENSURE(wire_members_valid(members) && raft_members_fit(r, members));
    raft_restore_entry(r, entry);
    raft_members_enter(r, members, r->last);
}

/* ---- in -------------------------------------------------------------------------------------- */

/* No sum or next number of what passes here can overflow, and no single message can use the terms
 * up. Only who refuses a pre-vote may have seen no term yet. */
static bool plausible(const raft *r, const struct wire_raft *message)
{
    uint64_t numbers = message->index | message->log_term | message->commit | message->round;
    return (message->term != 0 || message->kind == WIRE_PREVOTE_REPLY) &&
           numbers <= RAFT_NUMBER_MAX &&
           (message->term <= r->term || message->term - r->term <= RAFT_TERM_LEAP_MAX);
}

/* Thesis §4.1: a leader or a candidate may be of a configuration that we do not know yet, or no
 * longer; an answer from no member counts for nothing. */
static bool concerns_members_only(uint8_t kind)
{
    return kind == WIRE_VOTE_REPLY || kind == WIRE_PREVOTE_REPLY || kind == WIRE_APPEND_REPLY ||
           kind == WIRE_READ_INDEX;
}

/* A message of our term. */
static void dispatch(raft *r, struct raft_input *input, uint32_t from)
{
    const struct wire_raft *message = &input->message;
    if (message->kind == WIRE_APPEND)
        raft_append_receive(r, input);
    else if (message->kind == WIRE_APPEND_REPLY)
        raft_replicate_reply(r, message, from);
    else if (message->kind == WIRE_SNAPSHOT)
        raft_snapshot_receive(r, input);
    else if (message->kind == WIRE_READ_INDEX)
        raft_read_question(r, message, from);
    else if (message->kind == WIRE_READ_INDEX_REPLY)
        raft_read_answer(r, message);
    else if (message->kind == WIRE_VOTE_REPLY)
        raft_vote_reply(r, message, from);
    else
        raft_vote_timeout_now(r, message);
}

static void step_one(raft *r, struct raft_input *input)
{
    const struct wire_raft *message = &input->message;
    uint32_t from = raft_position(r, message->from);
    if (message->group != r->config.group) {
        raft_count(r, RAFT_WRONG_GROUP);
        return;
    }
    if (message->to != r->config.self) {
        raft_count(r, RAFT_WRONG_RECEIVER);
        return;
    }
    if (message->from == r->config.self || message->from == RAFT_NOBODY ||
        (from == RAFT_NO_POSITION && concerns_members_only(message->kind))) {
        raft_count(r, RAFT_STRANGER);
        return;
    }
    if (!plausible(r, message)) {
        raft_count(r, RAFT_IMPLAUSIBLE);
        return;
    }
    switch (message->kind) {
    case WIRE_PREVOTE:
    case WIRE_VOTE:
        raft_vote_request(r, message);
        return;
    case WIRE_PREVOTE_REPLY: /* its term is not the sender's but the one asked for */
        raft_vote_reply(r, message, from);
        return;
    case WIRE_VOTE_REPLY:
    case WIRE_APPEND:
    case WIRE_APPEND_REPLY:
    case WIRE_TIMEOUT_NOW:
    case WIRE_SNAPSHOT:
    case WIRE_READ_INDEX:
    case WIRE_READ_INDEX_REPLY:
        break;
    default:
        raft_count(r, RAFT_UNKNOWN_KIND);
        return;
    }
    if (message->term < r->term) {
        raft_count(r, RAFT_STALE_TERM);
        if (message->kind == WIRE_APPEND ||
            message->kind == WIRE_SNAPSHOT) /* its sender must learn that it leads no longer */
            raft_send_add(r, WIRE_APPEND_REPLY, message->from, 0)->message.flags =
                WIRE_RAFT_REJECTED;
        return;
    }
    if (message->term > r->term) {
        raft_vote_follow(r, message->term, RAFT_NOBODY);
        if (message->kind == WIRE_APPEND_REPLY || message->kind == WIRE_VOTE_REPLY)
            return; /* its term was all that it had to say */
    }
    dispatch(r, input, from);
}

static void empty_outbox(raft *r)
{
    if (r->send_taken) {
        r->send_taken = false;
        r->send_count = 0;
    }
}

uint32_t raft_step_members(raft *r, struct raft_input *inputs, uint32_t count,
                           const struct wire_members *members, uint32_t members_count)
{
    r->brought = members;
    r->brought_count = members_count;
    uint32_t taken = raft_step(r, inputs, count);
    r->brought = NULL;
    r->brought_count = 0;
    return taken;
}

uint32_t raft_step(raft *r, struct raft_input *inputs, uint32_t count)
{
    empty_outbox(r);
    for (uint32_t i = 0; i < count; i++) {
        if (r->send_count >= RAFT_ANSWERS_MAX) {
            raft_count(r, RAFT_OUTBOX_FULL);
            return i;
        }
        inputs[i].take_first = 0;
        inputs[i].take_count = 0;
        inputs[i].take_snapshot = false;
        step_one(r, &inputs[i]);
    }
    return count;
}

/* Bytes that are appended and not committed, as far as the window knows. */
static uint64_t uncommitted_bytes(const raft *r)
{
    return raft_log_sum(r, r->last) - raft_log_sum(r, max_u64(r->commit, r->base));
}

bool raft_noop_due(const raft *r)
{
    return r->role == RAFT_LEADER && r->last < r->term_start;
}

/* Proposals leave a reserve, so that leaders elected over a full window still have room for the
 * entry that lets them commit what is there; each election that comes to nothing may use up one
 * place of it. */
uint32_t raft_proposal_room(const raft *r)
{
    if (raft_noop_due(r))
        return raft_log_room(r, r->last) > 0;
    uint64_t used = r->last - r->applied;
    uint64_t usable = r->config.entries_max - r->config.entries_max / RAFT_RESERVE_FRACTION;
    return used < usable ? (uint32_t)(usable - used) : 0;
}

uint32_t raft_propose(raft *r, const uint32_t *bytes, uint32_t count)
{
    if (r->role != RAFT_LEADER || r->transferee != RAFT_NO_POSITION) {
        raft_count(r, r->role != RAFT_LEADER ? RAFT_PROPOSE_REFUSED_NOT_LEADER
                                             : RAFT_PROPOSE_REFUSED_TRANSFERRING);
        return 0;
    }
    bool first = raft_noop_due(r);
    uint32_t fits = min_u32(count, raft_proposal_room(r));
    if (fits < count)
        raft_count(r,
                   first && fits > 0 ? RAFT_PROPOSE_NOOP_FIRST : RAFT_PROPOSE_REFUSED_WINDOW_FULL);
    raft_log_slide(r, r->last + fits);
    uint64_t waiting_bytes = uncommitted_bytes(r);
    uint32_t taken = 0;
    for (; taken < fits; taken++) {
        bool alone = first || waiting_bytes == 0;
        waiting_bytes += bytes[taken];
        if (waiting_bytes > r->config.uncommitted_bytes_max && !alone) {
            raft_count(r, RAFT_PROPOSE_REFUSED_BUSY);
            break;
        }
        raft_log_append(r, r->term, bytes[taken]);
    }
    r->appends_due |= taken > 0;
    return taken;
}

/* ---- out ------------------------------------------------------------------------------------- */

struct raft_send *raft_send_add(raft *r, uint8_t kind, uint16_t to, uint64_t after_seq)
{
    ENSURE(r->send_count < RAFT_SEND_MAX);
    struct raft_send *send = &raft_sends(r)[r->send_count++];
    *send = (struct raft_send){.message = {.kind = kind,
                                           .group = r->config.group,
                                           .from = r->config.self,
                                           .to = to,
                                           .term = r->term},
                               .after_seq = after_seq};
    return send;
}

static void release_answers(raft *r)
{
    struct raft_send *sends = raft_sends(r);
    for (uint32_t i = 0; i < r->send_count; i++)
        if (sends[i].after_seq == RAFT_HELD)
            sends[i].after_seq = raft_commit_seq_of_hard_state(r);
}

static void tell_members(raft *r, struct raft_ready *ready)
{
    if (LIKELY(!raft_members_due(r)))
        return;
    r->members_changed = false;
    r->members_untold = r->force.index <= r->commit ? UINT64_MAX : r->force.index;
    ready->members_changed = true;
}

/* The leader's part. */
static void lead_on(raft *r, struct raft_ready *ready)
{
    bool resign = raft_must_resign(r);
    raft_read_reply(r);
    if (resign) /* first they shall know what is committed */
        raft_lease_want_round(r);
    if (r->appends_due) {
        r->snapshot_wanted = false;
        raft_replicate_send(r);
        ready->snapshot_wanted = r->snapshot_wanted;
    }
    if (resign && !r->appends_due && r->send_count < RAFT_SEND_MAX)
        raft_vote_resign(r);
}

static inline bool dirty(const raft *r)
{
    return r->role_changed || r->hard_dirty || r->persist_next <= r->last || r->owed.reply ||
           r->owed.reject || r->requests_due != 0 || (r->send_count > 0 && !r->send_taken) ||
           (r->appends_due && r->role == RAFT_LEADER) || raft_must_resign(r) ||
           raft_members_due(r) || raft_read_due(r) || raft_doubt_over(r) ||
           raft_commit_deliverable(r) > r->delivered;
}

void raft_ready(raft *r, uint64_t seq, struct raft_ready *ready)
{
    empty_outbox(r);
    *ready = (struct raft_ready){.role_changed = r->role_changed};
    r->role_changed = false;
    tell_members(r, ready);
    if (raft_doubt_over(r))
        raft_doubt_end(r);

    raft_commit_persist(r, seq, ready);
    ready->term = r->term;
    ready->vote = r->vote;
    ready->doubtful = r->doubtful;

    release_answers(r);
    if (r->owed.reply || r->owed.reject)
        raft_append_send_owed(r);
    if (r->requests_due != 0)
        raft_vote_send(r);
    if (r->role == RAFT_LEADER)
        lead_on(r, ready);
    else
        raft_read_ask(r);
    ready->send = raft_sends(r);
    ready->send_count = r->send_count;
    r->send_taken = true;
    r->ticked = false;

    raft_commit_deliver(r, ready);
    ready->wake_ns = r->wake_ns;
    ready->more = dirty(r);
}

bool raft_dirty(const raft *r)
{
    return dirty(r);
}
