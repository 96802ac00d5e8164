#include "tests/sim/exhaustive_member.h"

#include "numa/base/assert.h"
#include "tests/sim/exhaustive_canonical.h"
#include "tests/sim/exhaustive_store.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define GROUP            1u
#define ENTRY_BYTES      64u
#define HELD_MAX         REFINE_SENDS_MAX
#define REGION_BYTES_MAX (48u * 1024u)
#define WINDOW_ENTRIES   8u

/* What the machine asked to be written; the abstract image of the same moment is in the server. */
struct write {
    uint8_t hard, term, vote;
    uint8_t first, count; /* first 0: no entries */
    struct refine_entry entry[REFINE_ENTRIES_MAX];
};

struct held {
    uint8_t after; /* how many of the writes under way must be done first */
    struct refine_message message;
};

/* Bytes, compared and stored as such. */
struct member {
    struct refine_server server;
    struct write write[REFINE_IMAGES_MAX]; /* server.image_count of them */
    uint8_t held_count;
    struct held held[HELD_MAX];
    alignas(64) uint8_t region[REGION_BYTES_MAX];
};

struct exhaustive_members {
    struct exhaustive_member_bounds bounds;
    struct raft_config config;
    void *memory; /* the machine at work */
    raft *machine;
    struct member now; /* its surroundings */
    struct member first[REFINE_MEMBERS];
    uint32_t first_state[REFINE_MEMBERS];
    uint32_t bytes; /* of struct member that are in use */
    struct exhaustive_store *states, *messages;
    struct exhaustive_map *steps; /* (state, event) to where in `results` */
    uint32_t *results;            /* state, how many messages, messages */
    uint64_t result_count, result_room;
    struct refine_server *servers; /* by state */
    uint32_t server_room;
    uint32_t sends[REFINE_SENDS_MAX];
    uint32_t send_count;
    uint32_t done; /* the number of the write that this step finishes; others begin behind it */
    const char *broken;
};

/* ---- configurations as values ---------------------------------------------------------------- */

static struct wire_members members_of(uint8_t value)
{
    struct wire_members members;
    memset(&members, 0, sizeof members);
    uint32_t incoming = value & 7u;
    uint32_t outgoing = value >> 3 & 7u;
    members.joint = outgoing != 0;
    for (uint32_t i = 0; i < REFINE_MEMBERS; i++) {
        if (((incoming | outgoing) >> i & 1u) == 0)
            continue;
        struct wire_member *member = &members.member[members.count++];
        member->id = (uint16_t)(i + 1);
        member->role = incoming >> i & 1u ? WIRE_ROLE_VOTER : WIRE_ROLE_NONE;
        member->old_role = outgoing >> i & 1u ? WIRE_ROLE_VOTER : WIRE_ROLE_NONE;
        member->nonce = 1;
    }
    return members;
}

static uint8_t value_of(const struct wire_members *members)
{
    uint32_t value = REFINE_MEMBERS_ENTRY;
    for (uint32_t i = 0; i < members->count; i++) {
        const struct wire_member *member = &members->member[i];
        value |= member->role == WIRE_ROLE_VOTER ? 1u << (member->id - 1u) : 0;
        value |= member->old_role == WIRE_ROLE_VOTER ? 8u << (member->id - 1u) : 0;
    }
    return (uint8_t)value;
}

static uint32_t bytes_of(uint8_t value)
{
    return value < REFINE_MEMBERS_ENTRY
               ? ENTRY_BYTES
               : wire_entry_size(wire_members_size(members_of(value).count));
}

/* ---- the owner's part of a turn -------------------------------------------------------------- */

static void append_to(struct refine_log *log, struct refine_entry entry)
{
    ENSURE(log->count < REFINE_ENTRIES_MAX);
    log->entry[log->count++] = entry;
}

static void cut(struct refine_log *log, uint32_t count)
{
    ENSURE(count <= log->count);
    memset(&log->entry[count], 0, (log->count - count) * sizeof log->entry[0]);
    log->count = (uint8_t)count;
}

static void emit(struct exhaustive_members *x, const struct refine_message *message)
{
    ENSURE(x->send_count < REFINE_SENDS_MAX);
    x->sends[x->send_count++] =
        exhaustive_store_put(x->messages, (const uint8_t *)message, sizeof *message);
}

static struct refine_message message_of(const struct exhaustive_members *x,
                                        const struct wire_raft *m)
{
    struct refine_message message = {
        .kind = m->kind,
        .flags = m->flags,
        .from = (uint8_t)m->from,
        .to = (uint8_t)m->to,
        .term = (uint8_t)m->term,
        .index = (uint8_t)m->index,
        .log_term = (uint8_t)m->log_term,
        .commit = (uint8_t)m->commit,
        .round = (uint8_t)m->round,
        .count = (uint8_t)m->entry_count,
    };
    ENSURE(m->round <= UINT8_MAX && m->index + m->entry_count <= x->now.server.memory.log.count);
    memcpy(message.entry, x->now.server.memory.log.entry + m->index,
           m->entry_count * sizeof message.entry[0]);
    return message;
}

static void begin_write(struct exhaustive_members *x, const struct raft_ready *ready)
{
    struct refine_server *s = &x->now.server;
    ENSURE(s->image_count < REFINE_IMAGES_MAX);
    s->image[s->image_count] = s->memory;
    struct write *write = &x->now.write[s->image_count++];
    write->hard = ready->hard_state_changed;
    write->term = (uint8_t)ready->term;
    write->vote = ready->vote == RAFT_NOBODY ? 0 : (uint8_t)ready->vote;
    write->first = (uint8_t)ready->persist_first;
    if (ready->persist_first == 0)
        return;
    write->count = (uint8_t)(ready->persist_last - ready->persist_first + 1);
    memcpy(write->entry, &s->memory.log.entry[ready->persist_first - 1],
           write->count * sizeof write->entry[0]);
}

static void refresh(struct exhaustive_members *x)
{
    struct raft_status status;
    raft_status(x->machine, &status);
    static const uint8_t roles[] = {
        [RAFT_FOLLOWER] = REFINE_FOLLOWER,
        [RAFT_PRECANDIDATE] = REFINE_FOLLOWER,
        [RAFT_CANDIDATE] = REFINE_CANDIDATE,
        [RAFT_LEADER] = REFINE_LEADER,
    };
    struct refine_server *s = &x->now.server;
    s->role = roles[status.role];
    s->commit = (uint8_t)status.commit;
    s->memory.term = (uint8_t)status.term;
    s->memory.vote = status.vote == RAFT_NOBODY ? 0 : (uint8_t)status.vote;
    bool same = status.last_index == s->memory.log.count;
    for (uint32_t i = 0; same && i < s->memory.log.count; i++)
        same = raft_entry_term(x->machine, i + 1) == s->memory.log.entry[i].term;
    if (!same)
        x->broken = "the machine's terms are not those of its owner's log";
    uint64_t index;
    if (value_of(raft_members(x->machine, &index)) != refine_members(&s->memory.log))
        x->broken = "the configuration in force is not the last one in the log";
}

static void deliver_ready(struct exhaustive_members *x)
{
    struct raft_ready ready;
    do {
        refresh(x);
        uint64_t seq = x->done + x->now.server.image_count + 1u;
        raft_ready(x->machine, seq, &ready);
        refresh(x); /* a leader that left itself out has resigned */
        if (ready.must_persist)
            begin_write(x, &ready);
        for (uint32_t i = 0; i < ready.send_count; i++) {
            struct refine_message message = message_of(x, &ready.send[i].message);
            if (ready.send[i].after_seq == 0) {
                emit(x, &message);
                continue;
            }
            ENSURE(x->now.held_count < HELD_MAX && ready.send[i].after_seq <= seq);
            x->now.held[x->now.held_count++] = (struct held){
                .after = (uint8_t)(ready.send[i].after_seq - x->done), .message = message};
        }
        if (ready.commit_last != 0)
            raft_applied(x->machine, ready.commit_last);
    } while (ready.more);
}

/* What the owner of a leader does without being asked. */
static void lead_on(struct exhaustive_members *x)
{
    struct refine_log *log = &x->now.server.memory.log;
    uint8_t term = (uint8_t)raft_term(x->machine);
    const uint32_t bytes = ENTRY_BYTES;
    struct wire_members members;
    if (raft_noop_due(x->machine) && raft_propose(x->machine, &bytes, 1) == 1)
        append_to(log, (struct refine_entry){.term = term});
    if (raft_leave_due(x->machine) && raft_leave(x->machine, &members))
        append_to(log, (struct refine_entry){.term = term, .value = value_of(&members)});
}

/* ---- events ---------------------------------------------------------------------------------- */

static void receive(struct exhaustive_members *x, const struct refine_message *m)
{
    struct raft_entry entries[REFINE_ENTRIES_MAX] = {{0}};
    struct wire_members members[REFINE_ENTRIES_MAX];
    uint32_t members_count = 0, bytes = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        entries[i].term = m->entry[i].term;
        entries[i].bytes = bytes_of(m->entry[i].value);
        bytes += entries[i].bytes;
        if (m->entry[i].value < REFINE_MEMBERS_ENTRY)
            continue;
        members[members_count++] = members_of(m->entry[i].value);
        entries[i].members = members_count;
    }
    struct raft_input input = {.message = {.kind = m->kind,
                                           .flags = m->flags,
                                           .group = GROUP,
                                           .from = m->from,
                                           .to = m->to,
                                           .entry_count = m->count,
                                           .entry_bytes = bytes,
                                           .term = m->term,
                                           .index = m->index,
                                           .log_term = m->log_term,
                                           .commit = m->commit,
                                           .round = m->round},
                               .entries = entries};
    ENSURE(raft_step_members(x->machine, &input, 1, members, members_count) == 1);
    if (input.take_count == 0)
        return;
    struct refine_log *log = &x->now.server.memory.log;
    cut(log, (uint32_t)input.take_first - 1);
    for (uint32_t i = 0; i < input.take_count; i++)
        append_to(log, m->entry[input.take_first + i - m->index - 1]);
}

static void finish_write(struct exhaustive_members *x)
{
    struct member *now = &x->now;
    struct refine_server *s = &now->server;
    const struct write done = now->write[0];
    s->image_count--;
    memmove(now->write, now->write + 1, s->image_count * sizeof done);
    memset(&now->write[s->image_count], 0, sizeof done);
    memmove(s->image, s->image + 1, s->image_count * sizeof s->image[0]);
    memset(&s->image[s->image_count], 0, sizeof s->image[0]);
    if (done.hard) {
        s->disk.term = done.term;
        s->disk.vote = done.vote;
    }
    if (done.first != 0) {
        cut(&s->disk.log, done.first - 1u);
        for (uint32_t i = 0; i < done.count; i++)
            append_to(&s->disk.log, done.entry[i]);
    }
    x->done = 1;
    raft_stored(x->machine, x->done);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < now->held_count; i++) {
        struct held held = now->held[i];
        if (--held.after == 0)
            emit(x, &held.message);
        else
            now->held[kept++] = held;
    }
    memset(&now->held[kept], 0, (now->held_count - kept) * sizeof now->held[0]);
    now->held_count = (uint8_t)kept;
}

static void start(struct exhaustive_members *x)
{
    struct refine_server *s = &x->now.server;
    x->config.self = s->self;
    struct raft_restore restore = {.term = s->disk.term,
                                   .vote = s->disk.vote == 0 ? RAFT_NOBODY : s->disk.vote};
    x->machine = raft_init(x->memory, &x->config, &restore);
    for (uint32_t i = 0; i < s->disk.log.count; i++) {
        uint8_t value = s->disk.log.entry[i].value;
        struct raft_entry entry = {.term = s->disk.log.entry[i].term, .bytes = bytes_of(value)};
        struct wire_members members = members_of(value);
        if (value >= REFINE_MEMBERS_ENTRY)
            raft_restore_members(x->machine, &entry, &members);
        else
            raft_restore_entry(x->machine, &entry);
    }
    s->memory = s->disk;
}

static void crash(struct exhaustive_members *x)
{
    struct member *now = &x->now;
    memset(now->write, 0, sizeof now->write);
    memset(now->server.image, 0, sizeof now->server.image);
    memset(now->held, 0, sizeof now->held);
    now->server.image_count = now->held_count = 0;
    start(x);
}

static void ask(struct exhaustive_members *x, const struct exhaustive_event *event)
{
    struct refine_log *log = &x->now.server.memory.log;
    uint8_t term = (uint8_t)raft_term(x->machine);
    uint8_t value = (uint8_t)event->argument;
    const uint32_t bytes = ENTRY_BYTES;
    if (event->kind == REFINE_PROPOSE) {
        if (raft_propose(x->machine, &bytes, 1) == 1)
            append_to(log, (struct refine_entry){.term = term, .value = value});
        return;
    }
    struct raft_change changes[REFINE_MEMBERS];
    uint32_t count = 0;
    for (uint16_t id = 1; id <= REFINE_MEMBERS; id++)
        if ((value >> (id - 1u) & 1u) == 0)
            changes[count++] = (struct raft_change){.kind = RAFT_REMOVE, .id = id, .nonce = 1};
    struct wire_members members;
    if (raft_change(x->machine, changes, count, &members) == RAFT_CHANGE_STARTED)
        append_to(log, (struct refine_entry){.term = term, .value = value_of(&members)});
}

static void happen(struct exhaustive_members *x, const struct exhaustive_event *event)
{
    switch (event->kind) {
    case REFINE_RECEIVE: {
        const struct refine_message message = *exhaustive_message(x, event->argument);
        receive(x, &message);
        break;
    }
    case REFINE_TIMEOUT:
    case REFINE_BEAT:
        raft_tick(x->machine, exhaustive_canonical_timer(x->machine, event->kind == REFINE_BEAT));
        break;
    case REFINE_STORED:
        finish_write(x);
        break;
    case REFINE_CRASH:
        crash(x);
        break;
    default:
        ask(x, event);
        break;
    }
}

/* ---- states and steps ------------------------------------------------------------------------ */

static uint32_t number_of(struct exhaustive_members *x)
{
    struct member *now = &x->now;
    exhaustive_canonical(x->machine);
    raft_check(x->machine);
    x->bytes = (uint32_t)(offsetof(struct member, region) +
                          exhaustive_canonical_save(x->machine, now->region));
    uint32_t state = exhaustive_store_put_difference(x->states, now->server.self, now,
                                                     &x->first[now->server.self - 1], x->bytes);
    if (state >= x->server_room) {
        x->server_room = 2 * x->server_room + 1024;
        x->servers = realloc(x->servers, x->server_room * sizeof x->servers[0]);
        ENSURE(x->servers != NULL);
    }
    x->servers[state] = now->server;
    return state;
}

static void load(struct exhaustive_members *x, uint32_t state, uint32_t member)
{
    exhaustive_store_get_difference(x->states, state, &x->now, &x->first[member], x->bytes);
    exhaustive_canonical_load(x->machine, x->now.region);
}

static uint32_t take(struct exhaustive_members *x, uint32_t state,
                     const struct exhaustive_event *event)
{
    load(x, state, event->member);
    x->send_count = x->done = 0;
    x->broken = NULL;
    struct refine_server before = x->now.server;
    happen(x, event);
    lead_on(x);
    deliver_ready(x);
    struct refine_server *after = &x->now.server;
    if (after->memory.term > x->bounds.terms || after->image_count > x->bounds.writes)
        return EXHAUSTIVE_BEYOND;
    struct refine_message message = {0};
    if (event->kind == REFINE_RECEIVE)
        message = *exhaustive_message(x, event->argument);
    const char *broken = refine_step(&before, after, (enum refine_event)event->kind, &message);
    for (uint32_t i = 0; i < x->send_count && broken == NULL; i++)
        broken = refine_send(&before, after, exhaustive_message(x, x->sends[i]));
    if (x->broken == NULL)
        x->broken = broken;
    return number_of(x);
}

struct exhaustive_step exhaustive_member_step(struct exhaustive_members *x, uint32_t state,
                                              const struct exhaustive_event *event)
{
    uint64_t key = (uint64_t)state << 32 | (uint64_t)event->kind << 28 | (uint64_t)event->argument;
    uint32_t *at = exhaustive_map_at(x->steps, key);
    if (*at == 0) {
        uint32_t next = take(x, state, event);
        if (x->broken != NULL) /* not remembered: the search ends here */
            return (struct exhaustive_step){next, x->broken, x->sends, x->send_count};
        if (next == EXHAUSTIVE_BEYOND)
            x->send_count = 0;
        if (x->result_count + 2 + REFINE_SENDS_MAX > x->result_room) {
            x->result_room = 2 * x->result_room + 4096;
            x->results = realloc(x->results, x->result_room * sizeof x->results[0]);
            ENSURE(x->results != NULL && x->result_room < UINT32_MAX);
        }
        *at = (uint32_t)x->result_count + 1;
        x->results[x->result_count++] = next;
        x->results[x->result_count++] = x->send_count;
        for (uint32_t i = 0; i < x->send_count; i++)
            x->results[x->result_count++] = x->sends[i];
    }
    const uint32_t *result = &x->results[*at - 1];
    return (struct exhaustive_step){result[0], NULL, result + 2, result[1]};
}

/* ---- all of them ----------------------------------------------------------------------------- */

struct exhaustive_members *exhaustive_members_new(const struct exhaustive_member_bounds *bounds)
{
    struct exhaustive_members *x = aligned_alloc(alignof(struct exhaustive_members), sizeof *x);
    ENSURE(x != NULL);
    memset(x, 0, sizeof *x);
    x->bounds = *bounds;
    x->config = (struct raft_config){.group = GROUP,
                                     .member_count = REFINE_MEMBERS,
                                     .member = {1, 2, 3},
                                     .nonce = {1, 1, 1},
                                     .self = 1,
                                     .entries_max = WINDOW_ENTRIES,
                                     .message_entries_max = WINDOW_ENTRIES,
                                     .message_bytes_max = 1u << 16,
                                     .inflight_messages_max = 4,
                                     .inflight_bytes_max = 1u << 20,
                                     .uncommitted_bytes_max = 1u << 20,
                                     .pre_vote = bounds->pre_vote};
    exhaustive_canonical_times(&x->config);
    x->memory = aligned_alloc(64, raft_footprint(&x->config));
    ENSURE(x->memory != NULL && raft_footprint(&x->config) <= sizeof x->now.region);
    x->states = exhaustive_store_new();
    x->messages = exhaustive_store_new();
    x->steps = exhaustive_map_new();
    for (uint32_t i = 0; i < REFINE_MEMBERS; i++) {
        memset(&x->now, 0, sizeof x->now);
        x->now.server.self = (uint8_t)(i + 1);
        start(x);
        refresh(x);
        (void)number_of(x); /* as it differs from nothing: not used */
        x->first[i] = x->now;
        x->first_state[i] = number_of(x);
    }
    return x;
}

void exhaustive_members_free(struct exhaustive_members *x)
{
    exhaustive_store_free(x->states);
    exhaustive_store_free(x->messages);
    exhaustive_map_free(x->steps);
    free(x->results);
    free(x->servers);
    free(x->memory);
    free(x);
}

uint32_t exhaustive_member_first(const struct exhaustive_members *x, uint32_t member)
{
    return x->first_state[member];
}

const struct refine_server *exhaustive_member_server(const struct exhaustive_members *x,
                                                     uint32_t state)
{
    return &x->servers[state];
}

const struct refine_message *exhaustive_message(const struct exhaustive_members *x, uint32_t number)
{
    uint32_t bytes;
    return (const struct refine_message *)exhaustive_store_get(x->messages, number, &bytes);
}

struct exhaustive_members_count exhaustive_members_count(const struct exhaustive_members *x)
{
    return (struct exhaustive_members_count){
        .states = exhaustive_store_count(x->states) - REFINE_MEMBERS,
        .steps = exhaustive_map_count(x->steps),
        .messages = exhaustive_store_count(x->messages),
        .bytes = exhaustive_store_bytes(x->states) + exhaustive_store_bytes(x->messages) +
                 exhaustive_map_bytes(x->steps) + x->result_room * sizeof x->results[0] +
                 x->server_room * sizeof x->servers[0]};
}
