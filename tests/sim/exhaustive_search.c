#include "numa/base/assert.h"
#include "tests/sim/exhaustive.h"
#include "tests/sim/exhaustive_member.h"
#include "tests/sim/exhaustive_safety.h"
#include "tests/sim/exhaustive_store.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define NO_PARENT UINT32_MAX

/* How a state was first reached. */
struct way {
    uint32_t parent;
    uint32_t argument;
    uint8_t member, kind;
    bool kept; /* the message stays in the bag: it arrives again */
};

struct search {
    struct exhaustive_bounds bounds;
    struct exhaustive_members *members;
    struct exhaustive_store *states; /* struct exhaustive_state, numbered breadth first */
    struct exhaustive_safety *safety;
    struct way *ways;
    uint32_t way_room;
    struct way way; /* the step under way */
    FILE *transcript;
    struct exhaustive_search_report *report;
};

/* A broken ENSURE comes without any argument. */
static struct search *watched;
static jmp_buf broken;

/* ---- transcripts ----------------------------------------------------------------------------- */

static void tell_log(FILE *file, const struct refine_log *log)
{
    (void)fprintf(file, "[");
    for (uint32_t i = 0; i < log->count; i++)
        (void)fprintf(
            file, log->entry[i].value >= REFINE_MEMBERS_ENTRY ? "%s%u:members=%03o" : "%s%u:%u",
            i == 0 ? "" : " ", log->entry[i].term, log->entry[i].value & ~REFINE_MEMBERS_ENTRY);
    (void)fprintf(file, "]");
}

static void tell_message(FILE *file, const struct refine_message *m)
{
    static const char *const kinds[WIRE_KIND_COUNT] = {
        [WIRE_PREVOTE] = "PREVOTE",
        [WIRE_PREVOTE_REPLY] = "PREVOTE_REPLY",
        [WIRE_VOTE] = "VOTE",
        [WIRE_VOTE_REPLY] = "VOTE_REPLY",
        [WIRE_APPEND] = "APPEND",
        [WIRE_APPEND_REPLY] = "APPEND_REPLY",
        [WIRE_TIMEOUT_NOW] = "TIMEOUT_NOW",
    };
    (void)fprintf(file, "%s from %u, term %u, index %u of term %u, commit %u, round %u%s%s",
                  kinds[m->kind], m->from, m->term, m->index, m->log_term, m->commit, m->round,
                  m->flags & WIRE_RAFT_GRANTED ? ", granted" : "",
                  m->flags & WIRE_RAFT_REJECTED ? ", rejected" : "");
    struct refine_log log = {.count = m->count};
    memcpy(log.entry, m->entry, sizeof log.entry);
    if (m->count > 0) {
        (void)fputc(' ', file);
        tell_log(file, &log);
    }
}

static void tell_way(const struct search *search, const struct way *way)
{
    static const char *const kinds[] = {
        [REFINE_RECEIVE] = "receives ",
        [REFINE_TIMEOUT] = "times out",
        [REFINE_BEAT] = "beats",
        [REFINE_PROPOSE] = "is asked to append ",
        [REFINE_CHANGE] = "is to keep members (as bits) ",
        [REFINE_STORED] = "has its oldest write done",
        [REFINE_CRASH] = "crashes and restarts",
    };
    FILE *file = search->transcript;
    (void)fprintf(file, "member %u %s", way->member + 1u, kinds[way->kind]);
    if (way->kind == REFINE_RECEIVE)
        tell_message(file, exhaustive_message(search->members, way->argument));
    else if (way->kind == REFINE_PROPOSE || way->kind == REFINE_CHANGE)
        (void)fprintf(file, "%u", way->argument);
    (void)fprintf(file, "%s\n", way->kept ? " (it will arrive again)" : "");
}

static void tell_server(FILE *file, const struct refine_server *s)
{
    static const char *const roles[] = {[REFINE_FOLLOWER] = "follower",
                                        [REFINE_CANDIDATE] = "candidate",
                                        [REFINE_LEADER] = "leader"};
    (void)fprintf(file, "        %s, term %u, vote %u, commit %u, log ", roles[s->role],
                  s->memory.term, s->memory.vote, s->commit);
    tell_log(file, &s->memory.log);
    (void)fprintf(file, "; on disk term %u, vote %u, log ", s->disk.term, s->disk.vote);
    tell_log(file, &s->disk.log);
    (void)fprintf(file, "; %u writes under way\n", s->image_count);
}

static struct exhaustive_state state_of(const struct search *search, uint32_t number)
{
    uint32_t bytes;
    struct exhaustive_state state;
    memcpy(&state, exhaustive_store_get(search->states, number, &bytes), sizeof state);
    return state;
}

static void tell_path(const struct search *search, uint32_t number)
{
    const struct way *way = &search->ways[number];
    if (way->parent == NO_PARENT)
        return;
    tell_path(search, way->parent);
    tell_way(search, way);
    struct exhaustive_state state = state_of(search, number);
    tell_server(search->transcript,
                exhaustive_member_server(search->members, state.member[way->member]));
}

static void tell_violation(struct search *search, const char *sentence, uint32_t member_state)
{
    search->report->violation = sentence;
    tell_path(search, search->way.parent);
    tell_way(search, &search->way);
    if (member_state != EXHAUSTIVE_BEYOND)
        tell_server(search->transcript, exhaustive_member_server(search->members, member_state));
    (void)fprintf(search->transcript, "violation: %s\n", sentence);
}

/* Instead of the abort: there is a report to be made. */
static _Noreturn void tell_broken(void)
{
    tell_violation(watched, "an invariant of the machine's own is broken", EXHAUSTIVE_BEYOND);
    longjmp(broken, 1);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void keep(struct search *search, const struct exhaustive_state *state)
{
    uint32_t before = exhaustive_store_count(search->states);
    uint32_t number = exhaustive_store_put(search->states, (const uint8_t *)state, sizeof *state);
    search->report->steps++;
    if (number != before)
        return;
    if (number == search->way_room) {
        search->way_room *= 2;
        search->ways = realloc(search->ways, search->way_room * sizeof search->ways[0]);
        ENSURE(search->ways != NULL);
    }
    search->ways[number] = search->way;
}

/* Every way to choose `room` of the messages; at `from`, with `chosen` in the bag already. */
static void choose(struct search *search, struct exhaustive_state *state, const uint32_t *messages,
                   uint32_t count, uint32_t from)
{
    uint32_t room = search->bounds.messages - state->bag_count;
    if (room == 0 || from == count) {
        keep(search, state);
        return;
    }
    state->bag[state->bag_count++] = messages[from];
    choose(search, state, messages, count, from + 1);
    state->bag[--state->bag_count] = 0;
    if (count - from > room) /* or fewer than could be would stay */
        choose(search, state, messages, count, from + 1);
}

static void sort(uint32_t *messages, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t j = i; j > 0 && messages[j - 1] > messages[j]; j--) {
            uint32_t other = messages[j];
            messages[j] = messages[j - 1];
            messages[j - 1] = other;
        }
}

/* It can change nothing at its receiver any more, whatever happens, crashes included: an answer to
 * who does not wait for it and can not begin to. */
static bool dead(const struct search *search, const struct exhaustive_state *state,
                 uint32_t message)
{
    const struct refine_message *m = exhaustive_message(search->members, message);
    const struct refine_server *s =
        exhaustive_member_server(search->members, state->member[m->to - 1]);
    if ((m->kind != WIRE_VOTE_REPLY && m->kind != WIRE_APPEND_REPLY) || s->disk.term < m->term)
        return false;
    bool waits =
        s->role == REFINE_CANDIDATE || (s->role == REFINE_LEADER && m->kind == WIRE_APPEND_REPLY);
    return s->memory.term != m->term || !waits;
}

static void arrive(struct search *search, struct exhaustive_state *next,
                   const struct exhaustive_step *step, uint32_t taken_from_bag)
{
    uint32_t messages[EXHAUSTIVE_BAG_MAX + REFINE_SENDS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < next->bag_count; i++)
        if (i != taken_from_bag && !dead(search, next, next->bag[i]))
            messages[count++] = next->bag[i];
    for (uint32_t i = 0; i < step->send_count; i++)
        if (!dead(search, next, step->sends[i]))
            messages[count++] = step->sends[i];
    sort(messages, count);
    memset(next->bag, 0, sizeof next->bag);
    next->bag_count = 0;
    choose(search, next, messages, count, 0);
}

static void spend(struct exhaustive_state *next, const struct way *way)
{
    switch (way->kind) {
    case REFINE_TIMEOUT:
        next->timeouts++;
        return;
    case REFINE_BEAT:
        next->beats++;
        return;
    case REFINE_CRASH:
        next->crashes++;
        return;
    case REFINE_PROPOSE:
        next->proposals++;
        return;
    case REFINE_CHANGE:
        next->changes++;
        return;
    default:
        if (way->kept)
            next->duplicates++;
        return;
    }
}

/* bag_place: of the message that arrives; UINT32_MAX: another event. */
static void step(struct search *search, uint32_t number, const struct exhaustive_state *state,
                 struct way way, uint32_t bag_place)
{
    if (search->report->violation != NULL)
        return;
    way.parent = number;
    search->way = way;
    const struct exhaustive_event event = {
        .member = way.member, .kind = way.kind, .argument = way.argument};
    struct exhaustive_step taken =
        exhaustive_member_step(search->members, state->member[way.member], &event);
    if (taken.broken != NULL) {
        tell_violation(search, taken.broken, taken.state);
        return;
    }
    /* what changes nothing needs no visit: whatever may happen then may happen now */
    if (taken.state == EXHAUSTIVE_BEYOND ||
        (taken.state == state->member[way.member] && taken.send_count == 0))
        return;
    struct exhaustive_state next = *state;
    next.member[way.member] = taken.state;
    spend(&next, &way);
    const char *unsafe =
        exhaustive_safety_step(search->safety, search->members, &next, way.member, &taken);
    if (unsafe != NULL)
        tell_violation(search, unsafe, taken.state);
    else
        arrive(search, &next, &taken, way.kept ? UINT32_MAX : bag_place);
}

/* Names are given in the order in which members do something. (With a change of members they are
 * not alike: a leader that leaves looks for its heir in the order of ids.) */
static bool named(const struct search *search, const struct exhaustive_state *state,
                  uint32_t member)
{
    bool fresh[REFINE_MEMBERS];
    if (search->bounds.changes > 0 || search->bounds.prevote > 0 || state->crashes > 0)
        return true;
    for (uint32_t i = 0; i < REFINE_MEMBERS; i++)
        fresh[i] = state->member[i] == exhaustive_member_first(search->members, i);
    return !(fresh[0] && fresh[1] && fresh[2] && member > 0) &&
           !(fresh[1] && fresh[2] && member == 2);
}

/* More disks are slow than may be: nothing else happens until a write is done, or lost. */
static bool disks_first(const struct search *search, const struct exhaustive_state *state)
{
    uint32_t slow = 0;
    for (uint32_t i = 0; i < REFINE_MEMBERS; i++)
        slow += exhaustive_member_server(search->members, state->member[i])->image_count > 0;
    return slow > search->bounds.slow;
}

static void expand_member(struct search *search, uint32_t number,
                          const struct exhaustive_state *state, uint8_t member, bool disks)
{
    const struct exhaustive_bounds *bounds = &search->bounds;
    const struct refine_server server =
        *exhaustive_member_server(search->members, state->member[member]);
    bool leads = server.role == REFINE_LEADER;
    struct way way = {.member = member};
#define STEP(of_kind, with)                                                                        \
    (way.kind = (of_kind), way.argument = (with), step(search, number, state, way, UINT32_MAX))
    if (server.image_count > 0)
        STEP(REFINE_STORED, 0);
    if (state->crashes < bounds->crashes && (server.image_count > 0 || !disks))
        STEP(REFINE_CRASH, 0);
    if (disks)
        return;
    if (!leads && state->timeouts < bounds->timeouts && server.memory.term < bounds->terms)
        STEP(REFINE_TIMEOUT, 0);
    if (state->beats < bounds->beats && (server.role != REFINE_FOLLOWER || bounds->prevote > 0))
        STEP(REFINE_BEAT, 0);
    if (leads && state->proposals < bounds->proposals)
        STEP(REFINE_PROPOSE, state->proposals + 1u);
    for (uint32_t stay = 1; stay < 7u && leads && state->changes < bounds->changes; stay++)
        STEP(REFINE_CHANGE, stay);
#undef STEP
}

static void expand(struct search *search, uint32_t number)
{
    struct exhaustive_state state = state_of(search, number);
    bool disks = disks_first(search, &state);
    for (uint8_t member = 0; member < REFINE_MEMBERS; member++)
        if (named(search, &state, member))
            expand_member(search, number, &state, member, disks);
    for (uint32_t i = 0; i < state.bag_count && !disks; i++) {
        uint32_t to = exhaustive_message(search->members, state.bag[i])->to - 1u;
        if ((i > 0 && state.bag[i] == state.bag[i - 1]) || !named(search, &state, to))
            continue;
        struct way way = {.member = (uint8_t)to, .kind = REFINE_RECEIVE, .argument = state.bag[i]};
        step(search, number, &state, way, i);
        way.kept = true;
        if (state.duplicates < search->bounds.duplicates)
            step(search, number, &state, way, i);
    }
}

static void walk(struct search *search)
{
    struct exhaustive_search_report *report = search->report;
    uint32_t level_end = 1;
    for (uint32_t i = 0; i < exhaustive_store_count(search->states); i++) {
        if (i == level_end) {
            report->depth++;
            level_end = exhaustive_store_count(search->states);
        }
        expand(search, i);
        report->given_up = exhaustive_store_count(search->states) > search->bounds.states;
        if (report->violation != NULL || report->given_up)
            return;
    }
}

void exhaustive_search(const struct exhaustive_bounds *bounds, FILE *transcript,
                       struct exhaustive_search_report *report)
{
    const struct exhaustive_member_bounds of_member = {
        .terms = bounds->terms, .writes = bounds->writes, .pre_vote = bounds->prevote > 0};
    *report = (struct exhaustive_search_report){0};
    struct search search = {.bounds = *bounds,
                            .members = exhaustive_members_new(&of_member),
                            .states = exhaustive_store_new(),
                            .safety = exhaustive_safety_new(bounds->changes == 0),
                            .way_room = 1024,
                            .way = {.parent = NO_PARENT},
                            .transcript = transcript,
                            .report = report};
    search.ways = malloc(search.way_room * sizeof search.ways[0]);
    ENSURE(search.ways != NULL);
    watched = &search;
    assert_dump_set(tell_broken);
    struct exhaustive_state first;
    memset(&first, 0, sizeof first);
    for (uint32_t i = 0; i < REFINE_MEMBERS; i++)
        first.member[i] = exhaustive_member_first(search.members, i);
    keep(&search, &first);
    report->steps = 0;
    if (setjmp(broken) == 0)
        walk(&search);
    struct exhaustive_members_count count = exhaustive_members_count(search.members);
    report->states = exhaustive_store_count(search.states);
    report->member_states = count.states;
    report->member_steps = count.steps;
    report->messages = count.messages;
    report->bytes = count.bytes + exhaustive_store_bytes(search.states) +
                    search.way_room * sizeof search.ways[0];
    assert_dump_set(NULL);
    exhaustive_safety_free(search.safety);
    exhaustive_store_free(search.states);
    exhaustive_members_free(search.members);
    free(search.ways);
}
