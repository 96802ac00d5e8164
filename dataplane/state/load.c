#include "dataplane/state/load.h"

#include "dataplane/state/image.h"
#include "numa/base/assert.h"

static const char *const refusal_name[] = {
    [STATE_LOADED] = "LOADED",
#define LOAD_REFUSAL(name, sentence) [STATE_LOAD_##name] = #name,
#include "dataplane/state/load_refusals.def"
#undef LOAD_REFUSAL
};

static const char *const refusal_sentence[] = {
    [STATE_LOADED] = "loaded",
#define LOAD_REFUSAL(name, sentence) [STATE_LOAD_##name] = sentence,
#include "dataplane/state/load_refusals.def"
#undef LOAD_REFUSAL
};

const char *state_load_refusal_name(enum state_load_refusal refusal)
{
    return refusal_name[refusal];
}

const char *state_load_refusal_sentence(enum state_load_refusal refusal)
{
    return refusal_sentence[refusal];
}

void state_load_begin(struct state_load *load, void *memory, const struct state_config *config)
{
    *load = (struct state_load){.state = state_init(memory, config)};
}

/* ---- head ------------------------------------------------------------------------------------ */

/* Each slot once. */
static bool is_permutation(const uint16_t slots[SESSIONS_MAX])
{
    uint64_t seen[SESSIONS_MAX / 64] = {0};
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (slots[i] >= SESSIONS_MAX || (seen[slots[i] / 64] >> slots[i] % 64 & 1) != 0)
            return false;
        seen[slots[i] / 64] |= UINT64_C(1) << slots[i] % 64;
    }
    return true;
}

static enum state_load_refusal load_head(struct state_load *load, const uint8_t *from,
                                         uint32_t bytes)
{
    struct state *state = load->state;
    if (load->headed || bytes != IMAGE_HEAD_BYTES)
        return STATE_LOAD_PART;
    if (load_u64(from + 40) != state->config.bytes_max ||
        load_u64(from + 48) != state->config.session_ttl_ms ||
        load_u32(from + 64) != state->config.keys_max)
        return STATE_LOAD_LIMITS;
    uint16_t slots[SESSIONS_MAX];
    memcpy(slots, from + IMAGE_LIST_AT, sizeof slots);
    load->index = load_u64(from);
    load->digest = load_u64(from + 16);
    load->keys = load_u64(from + 24);
    load->live_bytes = load_u64(from + 32);
    load->sessions = load_u32(from + 68);
    state->time_ms = load_u64(from + 8);
    state->sessions.registrations = load_u64(from + 56);
    if (load->sessions > SESSIONS_MAX || !is_permutation(slots) ||
        state->time_ms > WIRE_TIME_MS_MAX ||
        state->sessions.registrations > UINT64_MAX / SESSIONS_MAX / 2)
        return STATE_LOAD_HEAD;
    memcpy(state->counter, from + IMAGE_COUNTERS_AT, sizeof state->counter);
    state_sessions_order(&state->sessions, slots, load->sessions);
    /* Until its record comes an open slot is marked by an age that no session has. */
    for (uint32_t i = 0; i < load->sessions; i++)
        state->sessions.session[slots[i]].last_ms = UINT64_MAX;
    load->headed = true;
    return STATE_LOADED;
}

/* ---- sessions -------------------------------------------------------------------------------- */

static bool is_answer(const uint8_t *at)
{
    struct session_reply reply, canonical = {0};
    memcpy(&reply, at, sizeof reply);
    if (reply.status >= WIRE_STATUS_COUNT || reply.type > WIRE_STATUS_OK ||
        reply.value_bytes > SESSION_REPLY_BYTES)
        return false;
    canonical.status = reply.status;
    canonical.type = reply.type;
    canonical.value_bytes = reply.value_bytes;
    canonical.integer = reply.integer;
    memcpy(canonical.value, reply.value, reply.value_bytes);
    return memcmp(&reply, &canonical, sizeof reply) == 0;
}

/* How long the record is; 0: it is none. */
static uint32_t load_session(struct state_load *load, const uint8_t *from, uint32_t left)
{
    struct state_sessions *sessions = &load->state->sessions;
    if (left < IMAGE_SESSION_BYTES)
        return 0;
    uint32_t slot = load_u32(from), answers = load_u32(from + 4);
    uint64_t id = load_u64(from + 8), next = load_u64(from + 16), nonce = load_u64(from + 24);
    uint64_t last_ms = load_u64(from + 32);
    if (slot < load->next_session || slot >= SESSIONS_MAX ||
        sessions->session[slot].last_ms != UINT64_MAX || id % SESSIONS_MAX != slot ||
        id / SESSIONS_MAX == 0 || id / SESSIONS_MAX > sessions->registrations || next == 0 ||
        last_ms > load->state->time_ms || answers != image_answers(next) ||
        (nonce != 0 && state_sessions_find_nonce(sessions, nonce) != NULL))
        return 0;
    uint32_t bytes = IMAGE_SESSION_BYTES + answers * IMAGE_ANSWER_BYTES;
    if (bytes > left)
        return 0;
    const uint8_t *answer = from + IMAGE_SESSION_BYTES;
    for (uint64_t sequence = next - answers; sequence < next; sequence++) {
        if (!is_answer(answer))
            return 0;
        memcpy(&sessions->reply[slot * SESSION_WINDOW + sequence % SESSION_WINDOW], answer,
               IMAGE_ANSWER_BYTES);
        answer += IMAGE_ANSWER_BYTES;
    }
    state_sessions_restore(sessions, slot, id, next, nonce, last_ms);
    load->next_session = slot + 1;
    return bytes;
}

/* Used ever later along the list, or they would not time out in its order. */
static bool sessions_in_order(const struct state_sessions *sessions)
{
    uint64_t last_ms = 0;
    for (uint16_t slot = sessions->oldest; slot != SESSION_NOBODY;
         slot = sessions->session[slot].newer) {
        if (sessions->session[slot].last_ms < last_ms)
            return false;
        last_ms = sessions->session[slot].last_ms;
    }
    return true;
}

/* ---- items ----------------------------------------------------------------------------------- */

struct image_item {
    uint64_t place;
    uint64_t expiry_ms;
    uint32_t key_bytes;
    uint32_t value_bytes;
    uint32_t size_class;
    uint32_t bytes; /* of the record */
};

static bool read_item(const struct state_load *load, const uint8_t *from, uint32_t left,
                      struct image_item *item)
{
    if (left < IMAGE_ITEM_BYTES)
        return false;
    uint64_t word = load_u64(from + 16);
    *item = (struct image_item){
        .place = load_u32(from),
        .expiry_ms = load_u64(from + 8),
        .key_bytes = (uint32_t)(word & 0xffff),
        .value_bytes = load_u32(from + 4),
    };
    if (item->place < load->next_place ||
        item->place >= (load->state->table.mask + 1) * TABLE_BUCKET_WORDS ||
        item->place % TABLE_BUCKET_WORDS == TABLE_BUCKET_SLOTS || item->key_bytes == 0 ||
        item->key_bytes > WIRE_KEY_BYTES_MAX || item->value_bytes > WIRE_VALUE_BYTES_MAX ||
        word >> 17 != 0)
        return false;
    bool wide = word >> 16 != 0;
    uint32_t narrow_class = state_item_class(item->key_bytes, item->value_bytes, false);
    item->size_class = state_item_class(item->key_bytes, item->value_bytes, wide);
    item->bytes = IMAGE_ITEM_BYTES + item->key_bytes + item->value_bytes;
    return item->bytes <= left && wide == (item->size_class != narrow_class);
}

/* `passed` holds differences until the end: one more from home on, one less from the bucket on. */
static void pass(struct state_table *table, uint64_t hash, uint64_t bucket)
{
    uint64_t home = hash & table->mask;
    if (home == bucket)
        return;
    table->bucket[home].passed++;
    table->bucket[bucket].passed--;
    if (bucket < home) /* around the end: from the first bucket on */
        table->bucket[0].passed++;
}

static enum state_load_refusal put_item(struct state_load *load, const struct image_item *from,
                                        const uint8_t *bytes)
{
    struct state *state = load->state;
    if (state->key_count == state->config.keys_max ||
        state->memory.live_bytes + state_class_bytes(from->size_class) > state->config.bytes_max)
        return STATE_LOAD_SPACE;
    struct item *item = state_memory_take(&state->memory, from->size_class);
    item_ref ref = item_to_ref(state->memory.base, item);
    item->expiry_ms = from->expiry_ms;
    item->key_bytes = (uint16_t)from->key_bytes;
    item->value_bytes = from->value_bytes;
    item->together = false;
    item->timer = 0;
    memcpy(item->bytes, bytes, from->key_bytes + from->value_bytes);
    uint64_t hash = state_key_hash(item->bytes, item->key_bytes);
    item->content = hash_bytes(item_value(item), item->value_bytes, hash);
    if (item->expiry_ms != 0)
        item->timer = state_expiry_set(&state->expiry, ref, hash, item->expiry_ms);
    uint64_t bucket = from->place / TABLE_BUCKET_WORDS;
    uint64_t slot = from->place % TABLE_BUCKET_WORDS;
    state->table.bucket[bucket].slot[slot] = table_slot_word(hash, ref);
    pass(&state->table, hash, bucket);
    state->items_digest += state_item_digest(item);
    state->key_count++;
    load->next_place = from->place + 1;
    return STATE_LOADED;
}

static bool is_where_looked_for(const struct state_table *table, const uint64_t *slot)
{
    const struct item *item = item_at(table->base, table_slot_ref(*slot));
    uint64_t *found = NULL;
    (void)state_table_find(table, item->bytes, item->key_bytes,
                           state_key_hash(item->bytes, item->key_bytes), &found);
    return found == slot;
}

static bool finish_table(struct state_table *table)
{
    uint64_t passed = 0;
    for (uint64_t i = 0; i <= table->mask; i++) {
        passed += table->bucket[i].passed;
        table->bucket[i].passed = passed;
    }
    for (uint64_t i = 0; i <= table->mask; i++)
        for (uint32_t k = 0; k < TABLE_BUCKET_SLOTS; k++)
            if (table->bucket[i].slot[k] != 0 &&
                !is_where_looked_for(table, &table->bucket[i].slot[k]))
                return false;
    return true;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static enum state_load_refusal load_items(struct state_load *load, const uint8_t *from,
                                          uint32_t left)
{
    while (left > 0) {
        struct image_item item;
        if (!read_item(load, from, left, &item))
            return STATE_LOAD_ITEM;
        enum state_load_refusal refusal = put_item(load, &item, from + IMAGE_ITEM_BYTES);
        if (refusal != STATE_LOADED)
            return refusal;
        from += item.bytes;
        left -= item.bytes;
    }
    return STATE_LOADED;
}

static enum state_load_refusal load_sessions(struct state_load *load, const uint8_t *from,
                                             uint32_t left)
{
    while (left > 0) {
        uint32_t bytes = load_session(load, from, left);
        if (bytes == 0)
            return STATE_LOAD_SESSION;
        from += bytes;
        left -= bytes;
    }
    return STATE_LOADED;
}

enum state_load_refusal state_load_part(struct state_load *load, const uint8_t *part,
                                        uint32_t bytes)
{
    if (bytes < IMAGE_KIND_BYTES)
        return STATE_LOAD_PART;
    uint32_t kind = load_u32(part), left = bytes - IMAGE_KIND_BYTES;
    if (kind == IMAGE_HEAD)
        return load_head(load, part + IMAGE_KIND_BYTES, left);
    if (!load->headed)
        return STATE_LOAD_PART;
    if (kind == IMAGE_SESSIONS && load->next_place == 0)
        return load_sessions(load, part + IMAGE_KIND_BYTES, left);
    return kind == IMAGE_ITEMS ? load_items(load, part + IMAGE_KIND_BYTES, left) : STATE_LOAD_PART;
}

enum state_load_refusal state_load_end(struct state_load *load, struct state **state)
{
    struct state *loaded = load->state;
    if (!load->headed)
        return STATE_LOAD_PART;
    if (loaded->sessions.count != load->sessions || !sessions_in_order(&loaded->sessions))
        return STATE_LOAD_SESSION;
    if (!finish_table(&loaded->table))
        return STATE_LOAD_UNREACHABLE;
    state_publish(loaded, load->index);
    if (loaded->digest != load->digest || loaded->key_count != load->keys ||
        loaded->memory.live_bytes != load->live_bytes)
        return STATE_LOAD_DIGEST;
    *state = loaded;
    return STATE_LOADED;
}
