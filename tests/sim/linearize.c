#include "tests/sim/linearize.h"

#include "numa/base/assert.h"
#include "numa/base/random.h"

#include <stdlib.h>
#include <string.h>

/* A call, or a return of an operation that has returned. */
struct event {
    uint64_t time_ns;
    uint32_t key;
    uint32_t operation;
    bool is_return;
    bool is_open;
};

struct hash {
    uint64_t word[2];
};

/* Doubly linked through indexes, so that lifting and putting back are O(1) each. */
struct link {
    uint32_t previous;
    uint32_t next;
};

#define CLOSED 0u /* list heads: operations that returned, calls and returns by time ...   */
#define OPEN   1u /* ... and calls of those that did not. Event i lies at link 2 + i.       */
#define FIRST  2u

/* Where the search stands: which call to try next, and in which branch. */
struct cursor {
    uint32_t at;
    bool expired;
    uint64_t bound_ns; /* earliest return among what is left: a later call can not come next */
};

/* A call that was taken, and the state before it. */
struct frame {
    struct cursor cursor;
    struct model_state state;
};

struct search {
    const struct history *history;
    const struct linearize_limits *limits;
    const struct event *event; /* of one key */
    uint32_t event_count;
    struct link *link;
    uint32_t *mate; /* of a call: link of its return                           */
    uint32_t *twin; /* of an open call: link of the identical one before it, 0: none */
    bool *done;
    struct hash *salt;
    struct frame *frame;
    uint32_t depth;
    struct hash set_hash;
    struct hash *seen;
    uint64_t seen_count;
    uint64_t seen_room;
    uint64_t steps;
    uint32_t closed_left;
    uint32_t closed_least;
    uint32_t stuck_at; /* operation */
};

void linearize_limits_defaults(struct linearize_limits *limits)
{
    limits->steps_max = LINEARIZE_STEPS_MAX;
    limits->rules = (struct model_rules){UINT64_MAX, UINT64_MAX};
}

const char *linearize_verdict_name(enum linearize_verdict verdict)
{
    static const char *const names[] = {"linearizable", "violation", "undecided"};
    return names[verdict];
}

/* ---- pairs seen before ----------------------------------------------------------------------- */

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool seen_place(struct hash *table, uint64_t room, const struct hash *pair)
{
    uint64_t at = pair->word[0] & (room - 1);
    while (table[at].word[0] != 0 || table[at].word[1] != 0) {
        if (memcmp(&table[at], pair, sizeof *pair) == 0)
            return false;
        at = (at + 1) & (room - 1);
    }
    table[at] = *pair;
    return true;
}

/* False: this set of operations has led to this state before. */
static bool seen_add(struct search *search, const struct hash *set, const struct model_state *state)
{
    uint64_t word = (uint64_t)state->deadline << 32 | state->value;
    struct hash pair = {{set->word[0] ^ mix(word + UINT64_C(0x9e3779b97f4a7c15)),
                         set->word[1] ^ mix(word ^ UINT64_C(0xd1b54a32d192ed03))}};
    if (2 * search->seen_count >= search->seen_room) {
        uint64_t room = 2 * search->seen_room;
        struct hash *table = sim_allocate(room * sizeof *table);
        for (uint64_t i = 0; i < search->seen_room; i++) {
            if (search->seen[i].word[0] != 0 || search->seen[i].word[1] != 0)
                (void)seen_place(table, room, &search->seen[i]);
        }
        free(search->seen);
        search->seen = table;
        search->seen_room = room;
    }
    if (!seen_place(search->seen, search->seen_room, &pair))
        return false;
    search->seen_count++;
    return true;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void lift(struct link *link, uint32_t at)
{
    link[link[at].previous].next = link[at].next;
    link[link[at].next].previous = link[at].previous;
}

static void put_back(struct link *link, uint32_t at)
{
    link[link[at].previous].next = at;
    link[link[at].next].previous = at;
}

static void append_to(struct link *link, uint32_t head, uint32_t at)
{
    link[at] = (struct link){link[head].previous, head};
    put_back(link, at);
}

static const struct event *event_at(const struct search *search, uint32_t at)
{
    return &search->event[at - FIRST];
}

static void take(struct search *search, uint32_t at)
{
    lift(search->link, at);
    search->done[at] = true;
    if (!event_at(search, at)->is_open) {
        lift(search->link, search->mate[at]);
        search->closed_left--;
    }
    for (int i = 0; i < 2; i++)
        search->set_hash.word[i] ^= search->salt[at].word[i];
}

static void undo(struct search *search, uint32_t at)
{
    for (int i = 0; i < 2; i++)
        search->set_hash.word[i] ^= search->salt[at].word[i];
    if (!event_at(search, at)->is_open) {
        search->closed_left++;
        put_back(search->link, search->mate[at]);
    }
    search->done[at] = false;
    put_back(search->link, at);
}

/* ---- one key --------------------------------------------------------------------------------- */

/* Two open writes that do the same are interchangeable: the later one need not go first. Times to
 * live are not: the rules look at when they were asked for. */
static bool interchangeable(const struct history_operation *a, const struct history_operation *b)
{
    bool timed = a->op == HISTORY_EXPIRE || (a->op == HISTORY_SET && a->number != 0);
    return !timed && a->op == b->op && a->flags == b->flags && a->value == b->value &&
           a->old == b->old && a->number == b->number;
}

static void link_events(struct search *search)
{
    struct random_state random;
    random_init(&random, 1);
    search->link[CLOSED] = (struct link){CLOSED, CLOSED};
    search->link[OPEN] = (struct link){OPEN, OPEN};
    for (uint32_t i = 0; i < search->event_count; i++) {
        const struct event *event = &search->event[i];
        const struct history_operation *operation = &search->history->operation[event->operation];
        uint32_t at = FIRST + i;
        append_to(search->link, event->is_open ? OPEN : CLOSED, at);
        search->done[at] = false;
        search->mate[at] = 0;
        search->twin[at] = 0;
        search->salt[at] = (struct hash){{random_next(&random), random_next(&random)}};
        if (event->is_open) {
            for (uint32_t back = search->link[at].previous; back != OPEN && search->twin[at] == 0;
                 back = search->link[back].previous) {
                const struct event *earlier = event_at(search, back);
                if (interchangeable(&search->history->operation[earlier->operation], operation))
                    search->twin[at] = back;
            }
        } else if (!event->is_return) {
            search->closed_left++;
        } else {
            uint32_t back = search->link[at].previous;
            while (event_at(search, back)->operation != event->operation)
                back = search->link[back].previous;
            search->mate[back] = at;
        }
    }
}

static struct cursor from_start(const struct search *search)
{
    return (struct cursor){search->link[CLOSED].next, false, 0};
}

static struct cursor after(const struct search *search, struct cursor cursor)
{
    return (struct cursor){search->link[cursor.at].next, false, cursor.bound_ns};
}

/* Moves on to a call that may come next; calls that returned go first, since most of the others
 * never happened. False: there is none left. */
static bool find_candidate(struct search *search, struct cursor *cursor)
{
    if (cursor->at != OPEN && event_at(search, cursor->at)->is_return) {
        const struct event *first_return = event_at(search, cursor->at);
        if (search->closed_left < search->closed_least) {
            search->closed_least = search->closed_left;
            search->stuck_at = first_return->operation;
        }
        *cursor = (struct cursor){search->link[OPEN].next, false, first_return->time_ns};
    }
    if (cursor->at == OPEN)
        return false;
    const struct event *event = event_at(search, cursor->at);
    return !event->is_open || event->time_ns <= cursor->bound_ns;
}

static bool step(struct search *search, uint32_t at, int branch, const struct model_state *state,
                 struct model_state *next)
{
    search->steps++;
    return model_step(search->history, &search->limits->rules, event_at(search, at)->operation,
                      branch != 0, state, next);
}

static bool same(const struct model_state *a, const struct model_state *b)
{
    return a->value == b->value && a->deadline == b->deadline;
}

/* An open operation that was just taken is of use only if the next one could not do without: not if
 * the next one alone leads to the same state, and not if a closed one may as well come before it.
 * The way without it, or with it later, is searched from the frame below. */
static bool last_was_useless(struct search *search, uint32_t at, const struct model_state *next)
{
    const struct frame *last = search->depth != 0 ? &search->frame[search->depth - 1] : NULL;
    if (last == NULL || !event_at(search, last->cursor.at)->is_open)
        return false;
    for (int branch = 0; branch < 2; branch++) {
        struct model_state without, later;
        if (!step(search, at, branch, &last->state, &without))
            continue;
        if (same(&without, next))
            return true;
        for (int then = 0; then < 2 && !event_at(search, at)->is_open; then++)
            if (step(search, last->cursor.at, then, &without, &later) && same(&later, next))
                return true;
    }
    return false;
}

/* Makes the cursor's call the next one, if its answer fits and the outcome is new. */
static bool try_candidate(struct search *search, const struct cursor *cursor,
                          struct model_state *state)
{
    uint32_t at = cursor->at;
    if (search->twin[at] != 0 && !search->done[search->twin[at]])
        return false;
    for (int branch = cursor->expired; branch < 2; branch++) {
        struct model_state next;
        if (!step(search, at, branch, state, &next) ||
            (event_at(search, at)->is_open && same(&next, state)) ||
            last_was_useless(search, at, &next))
            continue;
        take(search, at);
        if (seen_add(search, &search->set_hash, &next)) {
            search->frame[search->depth++] =
                (struct frame){{at, branch != 0, cursor->bound_ns}, *state};
            *state = next;
            return true;
        }
        undo(search, at);
    }
    return false;
}

static struct cursor step_back(struct search *search, struct model_state *state)
{
    const struct frame *frame = &search->frame[--search->depth];
    undo(search, frame->cursor.at);
    *state = frame->state;
    if (frame->cursor.expired)
        return after(search, frame->cursor);
    return (struct cursor){frame->cursor.at, true, frame->cursor.bound_ns};
}

static enum linearize_verdict search_key(struct search *search)
{
    struct model_state state = {0};
    struct cursor cursor = from_start(search);
    while (search->closed_left != 0) {
        if (search->steps > search->limits->steps_max)
            return LINEARIZE_UNDECIDED;
        if (!find_candidate(search, &cursor)) {
            if (search->depth == 0)
                return LINEARIZE_VIOLATION;
            cursor = step_back(search, &state);
        } else if (try_candidate(search, &cursor, &state)) {
            cursor = from_start(search);
        } else {
            cursor = after(search, cursor);
        }
    }
    return LINEARIZE_OK;
}

/* ---- all keys -------------------------------------------------------------------------------- */

static bool is_read(uint8_t op)
{
    return op == HISTORY_GET || op == HISTORY_EXISTS || op == HISTORY_STRLEN || op == HISTORY_TTL;
}

/* At equal times calls come before returns: overlapping is the benefit of the doubt. */
static int compare_events(const void *left, const void *right)
{
    const struct event *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    if (a->is_return != b->is_return)
        return a->is_return ? 1 : -1;
    return a->operation < b->operation ? -1 : a->operation > b->operation;
}

static uint32_t collect_events(const struct history *history, struct event *events)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_operation *o = &history->operation[i];
        bool open = o->outcome == HISTORY_OPEN;
        if (o->outcome == HISTORY_FAIL || (open && is_read(o->op)))
            continue;
        events[count++] = (struct event){o->invoke_ns, o->key, i, false, open};
        if (!open)
            events[count++] = (struct event){o->return_ns, o->key, i, true, false};
    }
    qsort(events, count, sizeof *events, compare_events);
    return count;
}

static void search_init(struct search *search, const struct history *history,
                        const struct linearize_limits *limits)
{
    size_t links = FIRST + 2 * (size_t)history->count;
    *search = (struct search){.history = history, .limits = limits, .seen_room = 1024};
    search->link = sim_allocate(links * sizeof *search->link);
    search->mate = sim_allocate(links * sizeof *search->mate);
    search->twin = sim_allocate(links * sizeof *search->twin);
    search->done = sim_allocate(links * sizeof *search->done);
    search->salt = sim_allocate(links * sizeof *search->salt);
    search->frame = sim_allocate(links * sizeof *search->frame);
    search->seen = sim_allocate(search->seen_room * sizeof *search->seen);
}

static void search_free(struct search *search)
{
    free(search->link);
    free(search->mate);
    free(search->twin);
    free(search->done);
    free(search->salt);
    free(search->frame);
    free(search->seen);
}

static enum linearize_verdict linearize_key(struct search *search, const struct event *events,
                                            uint32_t count)
{
    search->event = events;
    search->event_count = count;
    search->depth = 0;
    search->set_hash = (struct hash){{0, 0}};
    search->steps = 0;
    search->closed_left = 0;
    search->closed_least = UINT32_MAX;
    search->seen_count = 0;
    memset(search->seen, 0, search->seen_room * sizeof *search->seen);
    link_events(search);
    return search_key(search);
}

enum linearize_verdict linearize(const struct history *history,
                                 const struct linearize_limits *limits,
                                 struct linearize_report *report)
{
    struct event *events = sim_allocate(2 * (size_t)history->count * sizeof *events);
    uint32_t count = collect_events(history, events);
    struct search search;
    search_init(&search, history, limits);
    *report = (struct linearize_report){.verdict = LINEARIZE_OK};
    for (uint32_t first = 0, end; first < count && report->verdict != LINEARIZE_VIOLATION;
         first = end) {
        for (end = first; end < count && events[end].key == events[first].key;)
            end++;
        enum linearize_verdict verdict = linearize_key(&search, events + first, end - first);
        report->keys++;
        report->steps += search.steps;
        if (verdict == LINEARIZE_VIOLATION)
            report->operation = search.stuck_at;
        if (verdict == LINEARIZE_UNDECIDED)
            report->keys_undecided++;
        if (verdict != LINEARIZE_OK)
            report->verdict = verdict;
    }
    search_free(&search);
    free(events);
    return report->verdict;
}
