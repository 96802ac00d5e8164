/* The owner's side of a capture. */
#include "dataplane/state/capture.h"

#include "dataplane/state/internal.h"
#include "numa/base/assert.h"

/* What the owner takes back in one turn: a line each. */
#define BACK_AT_MOST 256u

uint32_t state_capture_held_max(uint32_t keys_max)
{
    return keys_max / 2;
}

void state_capture_lay_out(struct state_capture *capture, uint8_t *base, struct layout *layout,
                           uint32_t keys_max)
{
    size_t taken = layout_add(layout, table_bucket_count(keys_max));
    size_t session_taken = layout_add(layout, SESSIONS_MAX);
    size_t session = layout_add(layout, SESSIONS_MAX * sizeof(struct session));
    size_t reply =
        layout_add(layout, (size_t)SESSIONS_MAX * SESSION_WINDOW * sizeof(struct session_reply));
    if (capture != NULL)
        *capture = (struct state_capture){
            .held_count_max = state_capture_held_max(keys_max),
            .taken = base + taken,
            .session_taken = base + session_taken,
            .session = (struct session *)(void *)(base + session),
            .reply = (struct session_reply *)(void *)(base + reply),
        };
}

enum state_capture_phase state_capture_phase(const struct state *state)
{
    return (enum state_capture_phase)__atomic_load_n(&state->capture.phase, __ATOMIC_ACQUIRE);
}

static void set_phase(struct state *state, enum state_capture_phase phase)
{
    __atomic_store_n(&state->capture.phase, (uint32_t)phase, __ATOMIC_RELEASE);
}

void state_capture_ask(struct state *state)
{
    ENSURE(state_capture_phase(state) == STATE_CAPTURE_IDLE);
    memset(state->capture.taken, 0, table_bucket_count(state->config.keys_max));
    memset(state->capture.session_taken, 0, SESSIONS_MAX);
    set_phase(state, STATE_CAPTURE_ASKED);
}

void state_capture_begin(struct state *state)
{
    struct state_capture *capture = &state->capture;
    ENSURE(state_capture_phase(state) == STATE_CAPTURE_ASKED);
    capture->mark = (struct state_mark){
        .index = state->applied_index,
        .time_ms = state->time_ms,
        .digest = state->digest,
        .keys = state->key_count,
        .live_bytes = state->memory.live_bytes,
        .registrations = state->sessions.registrations,
        .sessions = state->sessions.count,
        .oldest = state->sessions.oldest,
        .free = state->sessions.free,
    };
    memcpy(capture->mark.counter, state->counter, sizeof state->counter);
    memcpy(capture->session, state->sessions.session, SESSIONS_MAX * sizeof(struct session));
    capture->overrun = false;
    capture->begun = true;
    state->capturing = true;
    set_phase(state, STATE_CAPTURE_WALKING);
}

/* Whatever was given away after the walk had looked for the last time goes straight back. */
void state_capture_end(struct state *state)
{
    struct state_capture *capture = &state->capture;
    ENSURE(state_capture_phase(state) == STATE_CAPTURE_WALKED);
    state->capturing = false;
    capture->begun = false;
    item_ref ref = __atomic_exchange_n(&capture->given, 0, __ATOMIC_ACQUIRE);
    while (ref != 0) {
        struct item *item = item_at(state->memory.base, ref);
        item_ref next = item->content;
        item->content = capture->back;
        capture->back = ref;
        ref = next;
    }
    set_phase(state, STATE_CAPTURE_IDLE);
}

void state_capture_abandon(struct state *state)
{
    ENSURE(state_capture_phase(state) == STATE_CAPTURE_WALKING);
    set_phase(state, STATE_CAPTURE_WALKED);
}

void state_capture_collect(struct state *state)
{
    struct state_capture *capture = &state->capture;
    if (capture->begun && state_capture_phase(state) == STATE_CAPTURE_WALKED)
        state_capture_end(state);
    for (uint32_t i = 0; i < BACK_AT_MOST; i++) {
        if (capture->back == 0)
            capture->back = __atomic_exchange_n(&capture->returned, 0, __ATOMIC_ACQUIRE);
        if (capture->back == 0)
            return;
        struct item *item = item_at(state->memory.base, capture->back);
        item_ref next = item->content;
        if (!state_memory_back(&state->memory, item))
            return;
        capture->back = next;
        capture->held_count--;
    }
}

/* ---- changes --------------------------------------------------------------------------------- */

static uint8_t bit_of(uint64_t place)
{
    return (uint8_t)(1u << place % TABLE_BUCKET_WORDS);
}

static bool is_taken(const struct state *state, uint64_t place)
{
    const uint8_t *taken = &state->capture.taken[place / TABLE_BUCKET_WORDS];
    return (__atomic_load_n(taken, __ATOMIC_ACQUIRE) & bit_of(place)) != 0;
}

bool state_capture_has(const struct state *state, const uint64_t *slot)
{
    return is_taken(state, table_place_of(&state->table, slot));
}

/* From here on changes are nobody's business but the table's. */
static void give_up(struct state *state)
{
    __atomic_store_n(&state->capture.overrun, true, __ATOMIC_RELEASE);
    state->capturing = false;
}

static void give(struct state_capture *capture, struct item *item, item_ref ref, uint64_t place)
{
    item_ref head = __atomic_load_n(&capture->given, __ATOMIC_RELAXED);
    item->timer = (uint32_t)place;
    do
        item->content = head;
    while (!__atomic_compare_exchange_n(&capture->given, &head, ref, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED));
    capture->held_count++;
}

bool state_capture_keep(struct state *state, const uint64_t *slot)
{
    struct state_capture *capture = &state->capture;
    uint64_t place = table_place_of(&state->table, slot);
    if (is_taken(state, place))
        return false;
    item_ref ref = table_slot_ref(*slot);
    if (ref != 0) {
        struct item *item = item_at(state->memory.base, ref);
        if (capture->held_count == capture->held_count_max ||
            !state_memory_hold(&state->memory, item)) {
            give_up(state);
            return false;
        }
        give(capture, item, ref, place);
    }
    (void)__atomic_fetch_or(&capture->taken[place / TABLE_BUCKET_WORDS], bit_of(place),
                            __ATOMIC_RELEASE);
    return ref != 0;
}

void state_capture_keep_session(struct state *state, const struct session *session)
{
    struct state_capture *capture = &state->capture;
    size_t slot = (size_t)(session - state->sessions.session);
    if (__atomic_load_n(&capture->session_taken[slot], __ATOMIC_ACQUIRE) != 0)
        return;
    if (capture->session[slot].id != 0)
        memcpy(&capture->reply[slot * SESSION_WINDOW],
               &state->sessions.reply[slot * SESSION_WINDOW],
               SESSION_WINDOW * sizeof(struct session_reply));
    (void)__atomic_exchange_n(&capture->session_taken[slot], 1, __ATOMIC_RELEASE);
}
