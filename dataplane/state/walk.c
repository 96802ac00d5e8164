/* The walking thread's side of a capture. */
#include "dataplane/state/image.h"
#include "numa/base/assert.h"

/* Buckets of one call: what a grace period may have to wait for. */
#define BUCKETS_A_CALL 2048u

struct held {
    uint64_t place;
    item_ref ref;
};

struct state_walk {
    struct state *state;
    uint32_t bytes; /* of the part under way */
    bool headed;
    uint32_t session; /* next slot */
    uint64_t place;   /* next one */
    uint32_t held_count;
    struct held held[]; /* a heap: the next place first */
};

size_t state_walk_footprint(const struct state_config *config)
{
    return sizeof(struct state_walk) +
           state_capture_held_max(config->keys_max) * sizeof(struct held);
}

struct state_walk *state_walk_init(void *memory, struct state *state)
{
    ENSURE(state_capture_phase(state) == STATE_CAPTURE_WALKING);
    struct state_walk *walk = memory;
    *walk = (struct state_walk){.state = state};
    return walk;
}

void state_walk_mark(const struct state_walk *walk, uint64_t *index, uint64_t *time_ms,
                     uint64_t *digest)
{
    const struct state_mark *mark = &walk->state->capture.mark;
    *index = mark->index;
    *time_ms = mark->time_ms;
    *digest = mark->digest;
}

/* ---- versions that were given to the walk ---------------------------------------------------- */

static void give_back(struct state_walk *walk, item_ref ref)
{
    struct state_capture *capture = &walk->state->capture;
    struct item *item = item_at(walk->state->memory.base, ref);
    item_ref head = __atomic_load_n(&capture->returned, __ATOMIC_RELAXED);
    do
        item->content = head;
    while (!__atomic_compare_exchange_n(&capture->returned, &head, ref, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED));
}

static void push(struct state_walk *walk, struct held held)
{
    uint32_t at = walk->held_count++;
    ENSURE(at < walk->state->capture.held_count_max);
    for (; at > 0 && walk->held[(at - 1) / 2].place > held.place; at = (at - 1) / 2)
        walk->held[at] = walk->held[(at - 1) / 2];
    walk->held[at] = held;
}

static struct held pop(struct state_walk *walk)
{
    struct held first = walk->held[0], last = walk->held[--walk->held_count];
    uint32_t at = 0;
    for (uint32_t child; (child = 2 * at + 1) < walk->held_count; at = child) {
        if (child + 1 < walk->held_count && walk->held[child + 1].place < walk->held[child].place)
            child++;
        if (walk->held[child].place >= last.place)
            break;
        walk->held[at] = walk->held[child];
    }
    walk->held[at] = last;
    return first;
}

/* What the walk has passed already was there to be seen, and is given back at once. */
static void take_given(struct state_walk *walk)
{
    struct state_capture *capture = &walk->state->capture;
    if (__atomic_load_n(&capture->given, __ATOMIC_ACQUIRE) == 0)
        return;
    item_ref ref = __atomic_exchange_n(&capture->given, 0, __ATOMIC_ACQUIRE);
    while (ref != 0) {
        const struct item *item = item_at(walk->state->memory.base, ref);
        item_ref next = item->content;
        if (item->timer < walk->place)
            give_back(walk, ref);
        else
            push(walk, (struct held){.place = item->timer, .ref = ref});
        ref = next;
    }
}

/* The version that lay in this place at the mark, and whose it is now; 0: the place was empty. */
static item_ref given_at(struct state_walk *walk, uint64_t place)
{
    take_given(walk);
    while (walk->held_count > 0 && walk->held[0].place < place)
        give_back(walk, pop(walk).ref);
    return walk->held_count > 0 && walk->held[0].place == place ? pop(walk).ref : 0;
}

void state_walk_stop(struct state_walk *walk)
{
    walk->place = UINT64_MAX;
    take_given(walk);
    while (walk->held_count > 0)
        give_back(walk, pop(walk).ref);
    __atomic_store_n(&walk->state->capture.phase, STATE_CAPTURE_WALKED, __ATOMIC_RELEASE);
}

/* ---- records --------------------------------------------------------------------------------- */

static uint8_t *room(struct state_walk *walk, uint8_t *part, enum image_kind kind, uint32_t bytes)
{
    if (walk->bytes == 0) {
        store_u32(part, kind);
        walk->bytes = IMAGE_KIND_BYTES;
    }
    uint8_t *to = part + walk->bytes;
    walk->bytes += bytes;
    ENSURE(walk->bytes <= STATE_PART_BYTES_MAX);
    return to;
}

static void put_head(struct state_walk *walk, uint8_t *part)
{
    const struct state *state = walk->state;
    const struct state_mark *mark = &state->capture.mark;
    const struct session *session = state->capture.session;
    uint8_t *to = room(walk, part, IMAGE_HEAD, IMAGE_HEAD_BYTES);
    store_u64(to, mark->index);
    store_u64(to + 8, mark->time_ms);
    store_u64(to + 16, mark->digest);
    store_u64(to + 24, mark->keys);
    store_u64(to + 32, mark->live_bytes);
    store_u64(to + 40, state->config.bytes_max);
    store_u64(to + 48, state->config.session_ttl_ms);
    store_u64(to + 56, mark->registrations);
    store_u32(to + 64, state->config.keys_max);
    store_u32(to + 68, mark->sessions);
    memcpy(to + IMAGE_COUNTERS_AT, mark->counter, sizeof mark->counter);
    to += IMAGE_LIST_AT;
    for (uint16_t slot = mark->oldest; slot != SESSION_NOBODY; slot = session[slot].newer, to += 2)
        store_u16(to, slot);
    for (uint16_t slot = mark->free; slot != SESSION_NOBODY; slot = session[slot].newer, to += 2)
        store_u16(to, slot);
    ENSURE(to == part + walk->bytes);
}

/* Answers are copied before the slot is taken: one that is taken here was copied unchanged. */
static void put_session(struct state_walk *walk, uint8_t *part, uint32_t slot)
{
    struct state_capture *capture = &walk->state->capture;
    const struct session *session = &capture->session[slot];
    const uint64_t *live =
        (const uint64_t *)(const void *)&walk->state->sessions.reply[(size_t)slot * SESSION_WINDOW];
    uint64_t copy[SESSION_WINDOW * IMAGE_ANSWER_BYTES / 8];
    for (uint32_t i = 0; i < COUNT_OF(copy); i++)
        copy[i] = __atomic_load_n(&live[i], __ATOMIC_RELAXED);
    const uint8_t *from = (const uint8_t *)copy;
    if (__atomic_exchange_n(&capture->session_taken[slot], 1, __ATOMIC_ACQ_REL) != 0)
        from = (const uint8_t *)&capture->reply[(size_t)slot * SESSION_WINDOW];
    uint32_t answers = image_answers(session->next);
    uint8_t *to =
        room(walk, part, IMAGE_SESSIONS, IMAGE_SESSION_BYTES + answers * IMAGE_ANSWER_BYTES);
    store_u32(to, slot);
    store_u32(to + 4, answers);
    store_u64(to + 8, session->id);
    store_u64(to + 16, session->next);
    store_u64(to + 24, session->nonce);
    store_u64(to + 32, session->last_ms);
    to += IMAGE_SESSION_BYTES;
    for (uint64_t sequence = session->next - answers; sequence < session->next; sequence++) {
        memcpy(to, from + sequence % SESSION_WINDOW * IMAGE_ANSWER_BYTES, IMAGE_ANSWER_BYTES);
        to += IMAGE_ANSWER_BYTES;
    }
}

static void put_item(struct state_walk *walk, uint8_t *part, item_ref ref, uint64_t place,
                     uint64_t expiry_ms)
{
    const struct item *item = item_at(walk->state->memory.base, ref);
    uint32_t bytes = item->key_bytes + item->value_bytes;
    uint8_t *to = room(walk, part, IMAGE_ITEMS, IMAGE_ITEM_BYTES + bytes);
    bool wide = item->size_class != state_item_class(item->key_bytes, item->value_bytes, false);
    store_u32(to, (uint32_t)place);
    store_u32(to + 4, item->value_bytes);
    store_u64(to + 8, expiry_ms);
    store_u64(to + 16, item->key_bytes | (uint64_t)wide << 16);
    memcpy(to + IMAGE_ITEM_BYTES, item->bytes, bytes);
}

static void put_place(struct state_walk *walk, uint8_t *part, uint64_t place)
{
    const struct state_table *table = &walk->state->table;
    uint64_t bucket = place / TABLE_BUCKET_WORDS, slot = place % TABLE_BUCKET_WORDS;
    uint64_t word = __atomic_load_n(&table->bucket[bucket].slot[slot], __ATOMIC_ACQUIRE);
    item_ref ref = table_slot_ref(word);
    /* Loaded before the slot is taken: afterwards a deadline moves in place. */
    uint64_t expiry_ms = ref == 0 ? 0 : item_expiry(item_at(table->base, ref));
    uint8_t taken = __atomic_fetch_or(&walk->state->capture.taken[bucket], (uint8_t)(1u << slot),
                                      __ATOMIC_ACQ_REL);
    if ((taken & 1u << slot) == 0) {
        if (ref != 0)
            put_item(walk, part, ref, place, expiry_ms);
        return;
    }
    ref = given_at(walk, place);
    if (ref == 0)
        return;
    put_item(walk, part, ref, place, item_expiry(item_at(table->base, ref)));
    give_back(walk, ref);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void prefetch_ahead(const struct state_table *table, uint64_t place)
{
    uint64_t bucket = place / TABLE_BUCKET_WORDS + 2;
    if (bucket > table->mask)
        return;
    for (uint32_t i = 0; i < TABLE_BUCKET_SLOTS; i++) {
        const struct table_bucket *next = &table->bucket[bucket];
        uint64_t word = __atomic_load_n(&next->slot[i], __ATOMIC_RELAXED);
        __builtin_prefetch(item_at(table->base, table_slot_ref(word)));
        __builtin_prefetch((const uint8_t *)item_at(table->base, table_slot_ref(word)) + 64);
    }
}

static void put_items(struct state_walk *walk, uint8_t *part, uint64_t end)
{
    uint64_t stop = min_u64(end, walk->place + BUCKETS_A_CALL * TABLE_BUCKET_WORDS);
    for (; walk->place < stop && walk->bytes < IMAGE_PART_FULL; walk->place++) {
        if (walk->place % TABLE_BUCKET_WORDS == TABLE_BUCKET_SLOTS)
            continue;
        if (walk->place % TABLE_BUCKET_WORDS == 0)
            prefetch_ahead(&walk->state->table, walk->place);
        put_place(walk, part, walk->place);
    }
}

static enum state_walk_result close_part(struct state_walk *walk, uint32_t *bytes)
{
    *bytes = walk->bytes;
    walk->bytes = 0;
    return STATE_WALK_PART;
}

static bool put_sessions(struct state_walk *walk, uint8_t *part)
{
    for (; walk->session < SESSIONS_MAX && walk->bytes < IMAGE_PART_FULL; walk->session++)
        if (walk->state->capture.session[walk->session].id != 0)
            put_session(walk, part, walk->session);
    return walk->bytes != 0;
}

enum state_walk_result state_walk_next(struct state_walk *walk, uint8_t *to, uint32_t *bytes)
{
    uint64_t end = (walk->state->table.mask + 1) * TABLE_BUCKET_WORDS;
    if (!walk->headed) {
        walk->headed = true;
        put_head(walk, to);
        return close_part(walk, bytes);
    }
    if (walk->session < SESSIONS_MAX && put_sessions(walk, to))
        return close_part(walk, bytes);
    put_items(walk, to, end);
    if (__atomic_load_n(&walk->state->capture.overrun, __ATOMIC_ACQUIRE)) {
        state_walk_stop(walk);
        return STATE_WALK_OVERRUN;
    }
    if (walk->bytes >= IMAGE_PART_FULL || (walk->place >= end && walk->bytes != 0))
        return close_part(walk, bytes);
    if (walk->place < end)
        return STATE_WALK_MORE;
    state_walk_stop(walk);
    return STATE_WALK_END;
}
