#include "tests/sim/refine.h"

#include <string.h>

/* ---- logs and quorums ------------------------------------------------------------------------ */

static uint8_t term_at(const struct refine_log *log, uint32_t index)
{
    return index == 0 || index > log->count ? 0 : log->entry[index - 1].term;
}

bool refine_same_prefix(const struct refine_log *a, const struct refine_log *b, uint32_t count)
{
    return a->count >= count && b->count >= count &&
           memcmp(a->entry, b->entry, count * sizeof a->entry[0]) == 0;
}

bool refine_logs_match(const struct refine_log *a, const struct refine_log *b)
{
    uint32_t common = a->count < b->count ? a->count : b->count;
    while (common > 0 && a->entry[common - 1].term != b->entry[common - 1].term)
        common--;
    return refine_same_prefix(a, b, common);
}

uint8_t refine_members(const struct refine_log *log)
{
    for (uint32_t i = log->count; i > 0; i--)
        if (log->entry[i - 1].value >= REFINE_MEMBERS_ENTRY)
            return log->entry[i - 1].value;
    return REFINE_FIRST_MEMBERS;
}

static bool majority(uint32_t voters, uint32_t set)
{
    return 2 * __builtin_popcount(voters & set) > __builtin_popcount(voters);
}

bool refine_quorum(const struct refine_log *log, uint8_t set)
{
    uint32_t members = refine_members(log);
    uint32_t old = members >> 3 & 7u;
    return majority(members & 7u, set) && (old == 0 || majority(old, set));
}

static uint8_t bit(uint8_t member)
{
    return (uint8_t)(1u << (member - 1u));
}

/* ---- actions: each changes `s` as the specification says, if its guard holds ----------------- */

/* `logOk` of a vote request (§5.4.1). */
static bool log_ok(const struct refine_log *log, const struct refine_message *m)
{
    uint8_t last_term = term_at(log, log->count);
    return m->log_term > last_term || (m->log_term == last_term && m->index >= log->count);
}

static void enter_term(struct refine_server *s, uint8_t term, uint8_t vote)
{
    s->memory.term = term;
    s->memory.vote = vote;
    s->votes = 0;
    s->verified = 0;
    memset(s->match, 0, sizeof s->match);
}

static void update_term(struct refine_server *s, uint8_t term)
{
    enter_term(s, term, 0);
    s->role = REFINE_FOLLOWER;
}

static void timeout(struct refine_server *s)
{
    if (s->role == REFINE_LEADER)
        return;
    enter_term(s, (uint8_t)(s->memory.term + 1), s->self);
    s->role = REFINE_CANDIDATE;
}

static void restart(struct refine_server *s)
{
    s->memory = s->disk;
    s->role = REFINE_FOLLOWER;
    s->commit = s->votes = s->verified = 0;
    memset(s->match, 0, sizeof s->match);
    memset(s->image, 0, sizeof s->image);
    s->image_count = 0;
}

static void write_oldest(struct refine_server *s)
{
    if (s->image_count == 0)
        return;
    s->disk = s->image[0];
    s->image_count--;
    memmove(s->image, s->image + 1, s->image_count * sizeof s->image[0]);
    memset(&s->image[s->image_count], 0, sizeof s->image[0]);
}

/* Figure 2, AppendEntries: conflicting entries go with all that follow them, new ones are added;
 * nothing else happens to the log. */
static struct refine_log appended(const struct refine_log *log, const struct refine_message *m)
{
    struct refine_log result = *log;
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t at = m->index + i;
        if (at >= REFINE_ENTRIES_MAX ||
            (at < result.count && term_at(&result, at + 1) == m->entry[i].term))
            continue;
        memset(&result.entry[at], 0, (REFINE_ENTRIES_MAX - at) * sizeof result.entry[0]);
        result.entry[at] = m->entry[i];
        result.count = (uint8_t)(at + 1);
    }
    return result;
}

static void handle_append(struct refine_server *s, const struct refine_message *m,
                          const struct refine_server *after)
{
    if (s->role == REFINE_LEADER)
        return;
    s->role = REFINE_FOLLOWER;
    bool agrees =
        m->index <= s->memory.log.count && term_at(&s->memory.log, m->index) == m->log_term;
    struct refine_log log = appended(&s->memory.log, m);
    if (!agrees || memcmp(&log, &after->memory.log, sizeof log) != 0)
        return;
    s->memory.log = log;
    uint8_t upto = (uint8_t)(m->index + m->count);
    s->verified = upto > s->verified ? upto : s->verified;
    uint8_t commit = m->commit < s->verified ? m->commit : s->verified;
    if (after->commit > s->commit && after->commit <= commit)
        s->commit = after->commit;
}

static void handle(struct refine_server *s, const struct refine_message *m,
                   const struct refine_server *after)
{
    if (m->term > s->memory.term && after->memory.term >= m->term && m->kind != WIRE_PREVOTE &&
        !(m->kind == WIRE_PREVOTE_REPLY && m->flags & WIRE_RAFT_GRANTED))
        update_term(s, m->term);
    if (m->kind == WIRE_PREVOTE_REPLY && after->memory.term == s->memory.term + 1 &&
        s->role == REFINE_FOLLOWER)
        timeout(s); /* it has been asking whether to */
    if (m->term != s->memory.term)
        return;
    switch (m->kind) {
    case WIRE_VOTE:
        if (after->memory.vote == m->from && log_ok(&s->memory.log, m) && s->memory.vote == 0)
            s->memory.vote = m->from;
        return;
    case WIRE_VOTE_REPLY:
        if (s->role == REFINE_CANDIDATE && m->flags & WIRE_RAFT_GRANTED)
            s->votes |= bit(m->from);
        return;
    case WIRE_APPEND:
        handle_append(s, m, after);
        return;
    case WIRE_APPEND_REPLY:
        if (s->role == REFINE_LEADER && !(m->flags & WIRE_RAFT_REJECTED) &&
            m->index > s->match[m->from - 1])
            s->match[m->from - 1] = m->index;
        return;
    case WIRE_TIMEOUT_NOW: /* §3.10 */
        if (after->memory.term == s->memory.term + 1)
            timeout(s);
        return;
    default:
        return;
    }
}

static void become_leader(struct refine_server *s)
{
    if (s->role != REFINE_CANDIDATE || !refine_quorum(&s->memory.log, s->votes))
        return;
    s->role = REFINE_LEADER;
    memset(s->match, 0, sizeof s->match);
}

static void client_requests(struct refine_server *s, const struct refine_server *after)
{
    struct refine_log *log = &s->memory.log;
    while (s->role == REFINE_LEADER && log->count < after->memory.log.count) {
        struct refine_entry entry = after->memory.log.entry[log->count];
        if (entry.term != s->memory.term)
            return;
        log->entry[log->count++] = entry;
    }
}

/* A server counts itself for what it has stored. */
static void advance_commit(struct refine_server *s, uint8_t index)
{
    uint8_t agree = 0;
    if (index > s->memory.log.count || term_at(&s->memory.log, index) != s->memory.term)
        return;
    for (uint8_t member = 1; member <= REFINE_MEMBERS; member++)
        agree |= s->match[member - 1] >= index ? bit(member) : 0;
    bool stored = refine_same_prefix(&s->disk.log, &s->memory.log, index);
    agree = (uint8_t)(stored ? agree | bit(s->self) : agree & ~bit(s->self));
    if (refine_quorum(&s->memory.log, agree))
        s->commit = index;
}

/* ---- a step ---------------------------------------------------------------------------------- */

/* New images are what memory holds; old ones stay as they are. */
static bool images_true(const struct refine_server *s, const struct refine_server *after)
{
    if (after->image_count < s->image_count ||
        memcmp(s->image, after->image, s->image_count * sizeof s->image[0]) != 0)
        return false;
    for (uint32_t i = s->image_count; i < after->image_count; i++)
        if (memcmp(&after->image[i], &after->memory, sizeof after->memory) != 0)
            return false;
    return true;
}

static const char *compare(const struct refine_server *s, const struct refine_server *after)
{
    if (after->memory.term != s->memory.term)
        return "currentTerm: no action explains its change";
    if (after->memory.vote != s->memory.vote)
        return "votedFor: no action explains its change";
    if (after->role != s->role)
        return after->role == REFINE_LEADER ? "leader without a quorum of votes"
                                            : "role: no action explains its change";
    if (memcmp(&after->memory.log, &s->memory.log, sizeof s->memory.log) != 0)
        return "log: no action explains its change";
    if (after->commit != s->commit)
        return "commitIndex: no action explains its change";
    if (memcmp(&after->disk, &s->disk, sizeof s->disk) != 0)
        return "the disk does not hold what was in memory when the write began";
    return images_true(s, after) ? NULL : "what is being written is not what is in memory";
}

const char *refine_step(const struct refine_server *before, struct refine_server *after,
                        enum refine_event event, const struct refine_message *message)
{
    struct refine_server s = *before;
    if (event == REFINE_CRASH)
        restart(&s);
    else if (event == REFINE_STORED)
        write_oldest(&s);
    else if (event == REFINE_TIMEOUT && after->memory.term > s.memory.term)
        timeout(&s);
    else if (event == REFINE_RECEIVE)
        handle(&s, message, after);
    bool own_vote = s.disk.term == s.memory.term && s.disk.vote == s.self;
    if (s.role == REFINE_CANDIDATE && own_vote)
        s.votes |= bit(s.self);
    if (after->role == REFINE_LEADER)
        become_leader(&s);
    client_requests(&s, after);
    if (s.role == REFINE_LEADER && after->commit > s.commit)
        advance_commit(&s, after->commit);
    if (after->role == REFINE_FOLLOWER) /* nobody has to want to lead */
        s.role = REFINE_FOLLOWER;
    after->votes = s.votes;
    after->verified = s.verified;
    memcpy(after->match, s.match, sizeof s.match);
    return compare(&s, after);
}

/* ---- what leaves ----------------------------------------------------------------------------- */

/* A leader that goes without having to says its last in the same step. */
static const char *append_true(const struct refine_server *before, const struct refine_server *s,
                               const struct refine_message *m)
{
    bool led = before->role == REFINE_LEADER && before->memory.term == s->memory.term;
    if ((s->role != REFINE_LEADER && !led) || m->term != s->memory.term)
        return "AppendEntries from no leader";
    if (m->index + m->count > s->memory.log.count ||
        memcmp(m->entry, s->memory.log.entry + m->index, m->count * sizeof m->entry[0]) != 0 ||
        m->log_term != term_at(&s->memory.log, m->index))
        return "AppendEntries is not the leader's log";
    return m->commit <= s->commit ? NULL : "AppendEntries says more than is committed";
}

const char *refine_send(const struct refine_server *before, const struct refine_server *s,
                        const struct refine_message *m)
{
    bool durable = s->disk.term == m->term;
    switch (m->kind) {
    case WIRE_VOTE:
        if (!durable || s->disk.vote != s->self)
            return "asks for votes before its own is stored";
        /* it may have moved on while the request waited for the disk */
        return s->role != REFINE_CANDIDATE || m->term != s->memory.term ||
                       (m->index == s->memory.log.count &&
                        m->log_term == term_at(&s->memory.log, m->index))
                   ? NULL
                   : "asks for votes with another log than its own";
    case WIRE_VOTE_REPLY:
        if (m->flags & WIRE_RAFT_GRANTED && (!durable || s->disk.vote != m->to))
            return "grants a vote that is not stored";
        return NULL;
    case WIRE_APPEND:
        return append_true(before, s, m);
    case WIRE_APPEND_REPLY:
        if (!(m->flags & WIRE_RAFT_REJECTED) && (!durable || m->index > s->disk.log.count))
            return "acknowledges entries that are not stored";
        return NULL;
    case WIRE_TIMEOUT_NOW:
        return s->memory.term == m->term ? NULL : "hands over another term than its own";
    default:
        return NULL;
    }
}
