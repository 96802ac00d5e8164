#include "dataplane/state/internal.h"

#include "numa/base/assert.h"

#define BYTES_MAX_MAX (UINT64_C(1) << 40)
/* A bucket's line has come by the time that its entry is this close. */
#define ITEM_AHEAD 3u

static const char *const event_name[] = {
#define STATE_EVENT(name, sentence) #name,
#include "dataplane/state/state_events.def"
#undef STATE_EVENT
};

static const char *const event_sentence[] = {
#define STATE_EVENT(name, sentence) sentence,
#include "dataplane/state/state_events.def"
#undef STATE_EVENT
};

const char *state_event_name(enum state_event event)
{
    return event_name[event];
}

const char *state_event_sentence(enum state_event event)
{
    return event_sentence[event];
}

/* With `state` NULL only for the size. */
static size_t lay_out(const struct state_config *config, struct state *state)
{
    struct layout layout = {0};
    uint8_t *base = (uint8_t *)state;
    layout_add(&layout, sizeof(struct state));
    uint64_t buckets = table_bucket_count(config->keys_max);
    size_t table = layout_add(&layout, buckets * sizeof(struct table_bucket));
    if (state != NULL) {
        state->table = (struct state_table){
            .bucket = (struct table_bucket *)(void *)(base + table),
            .mask = buckets - 1,
            .base = base,
        };
        memset(state->table.bucket, 0, buckets * sizeof(struct table_bucket));
    }
    state_sessions_lay_out(state == NULL ? NULL : &state->sessions, base, &layout);
    state_expiry_lay_out(state == NULL ? NULL : &state->expiry, base, &layout, config->keys_max);
    state_capture_lay_out(state == NULL ? NULL : &state->capture, base, &layout, config->keys_max);
    state_memory_lay_out(state == NULL ? NULL : &state->memory, base, &layout, config->bytes_max);
    return layout.bytes;
}

size_t state_footprint(const struct state_config *config)
{
    if (!is_power_of_two(config->keys_max) || config->keys_max < TABLE_KEYS_MIN ||
        config->bytes_max == 0 || config->bytes_max > BYTES_MAX_MAX)
        return 0;
    return lay_out(config, NULL);
}

void state_publish(struct state *state, uint64_t index)
{
    uint64_t digest =
        state->items_digest + state->sessions.digest + hash_fold(state->time_ms ^ HASH_A, HASH_B);
    __atomic_store_n(&state->digest, digest, __ATOMIC_RELAXED);
    __atomic_store_n(&state->next_expiry_ms, state_expiry_next_ms(&state->expiry),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&state->applied_index, index, __ATOMIC_RELEASE);
}

struct state *state_init(void *memory, const struct state_config *config)
{
    ENSURE(state_footprint(config) != 0 && (uintptr_t)memory % CACHE_LINE_BYTES == 0);
    struct state *state = memory;
    memset(state, 0, sizeof *state);
    state->config = *config;
    lay_out(config, state);
    state_publish(state, 0);
    return state;
}

bool state_can_apply(const struct state *state)
{
    return state_memory_has_room(&state->memory);
}

static void close_idle_sessions(struct state *state)
{
    struct session *oldest;
    if (state->config.session_ttl_ms == 0)
        return;
    while ((oldest = state_sessions_oldest(&state->sessions)) != NULL &&
           state->time_ms - oldest->last_ms > state->config.session_ttl_ms) {
        state_sessions_close(&state->sessions, oldest);
        state->counter[STATE_SESSION_TIMED_OUT]++;
    }
}

static void apply_register(struct state *state, uint64_t nonce, struct wire_result *result)
{
    struct session *session =
        nonce == 0 ? NULL : state_sessions_find_nonce(&state->sessions, nonce);
    if (session != NULL) {
        state->counter[STATE_SESSION_RESUMED]++;
    } else {
        if (state->sessions.count == SESSIONS_MAX) {
            state_sessions_close(&state->sessions, state_sessions_oldest(&state->sessions));
            state->counter[STATE_SESSION_EVICTED]++;
        }
        session = state_sessions_open(&state->sessions, nonce);
        state->counter[STATE_SESSION_OPENED]++;
    }
    state_sessions_touch(&state->sessions, session, state->time_ms);
    result->type = WIRE_INTEGER;
    result->integer = (int64_t)session->id;
}

static uint64_t hash_of(const struct state *state, const struct wire_entry *entry,
                        const struct wire_command *command)
{
    const struct pending_hash *pending = &state->pending[entry->index % PENDING_COUNT];
    if (pending->index == entry->index && pending->term == entry->term)
        return pending->hash;
    return state_key_hash(command->key, command->key_bytes);
}

static void execute_entry(struct state *state, const struct wire_entry *entry,
                          struct wire_result *result)
{
    struct wire_command command;
    if (wire_command_decode((const uint8_t *)(entry + 1), entry->body_bytes, &command) != WIRE_OK ||
        command.op > WIRE_OP_READ_LAST) {
        result->status = WIRE_BAD_COMMAND;
        state->counter[STATE_BAD_COMMAND]++;
        return;
    }
    struct execution execution = {
        .command = &command,
        .result = result,
        .hash = hash_of(state, entry, &command),
        .index = entry->index,
        .time_ms = state->time_ms,
    };
    state_execute(state, &execution);
    state->counter[STATE_EXECUTED]++;
}

/* The value moves to a place that lives as long as any answer: the session may forget it at
 * once. */
static void answer_again(struct state *state, const struct session_reply *reply,
                         struct wire_result *result)
{
    state->counter[STATE_DUPLICATE]++;
    *result = (struct wire_result){
        .status = reply->status,
        .type = reply->type,
        .value_bytes = reply->value_bytes,
        .integer = reply->integer,
    };
    if (reply->value_bytes == 0)
        return;
    struct item *item = state_memory_take(&state->memory, 0);
    memcpy(item->bytes, reply->value, reply->value_bytes);
    result->value = item->bytes;
    state_memory_defer(&state->memory, item);
}

static void refuse(struct state *state, struct wire_result *result, enum wire_status status,
                   enum state_event event)
{
    result->status = (uint8_t)status;
    state->counter[event]++;
}

static void apply_command(struct state *state, const struct wire_entry *entry,
                          struct wire_result *result)
{
    if (entry->session == 0) {
        execute_entry(state, entry, result);
        return;
    }
    struct session *session = state_sessions_find(&state->sessions, entry->session);
    if (session == NULL) {
        refuse(state, result, WIRE_SESSION_EXPIRED, STATE_SESSION_UNKNOWN);
        return;
    }
    state_sessions_touch(&state->sessions, session, state->time_ms);
    if (entry->sequence == session->next) {
        execute_entry(state, entry, result);
        if (UNLIKELY(state->capturing))
            state_capture_keep_session(state, session);
        state_sessions_answered(&state->sessions, session, result);
    } else if (entry->sequence == WIRE_SEQUENCE_NONE) {
        refuse(state, result, WIRE_BAD_COMMAND, STATE_BAD_COMMAND);
    } else if (entry->sequence > session->next) {
        refuse(state, result, WIRE_OUT_OF_ORDER, STATE_OUT_OF_ORDER);
        result->integer = (int64_t)session->next;
    } else {
        const struct session_reply *reply =
            state_sessions_reply(&state->sessions, session, entry->sequence);
        if (reply == NULL || reply->status == WIRE_REPLY_GONE)
            refuse(state, result, WIRE_REPLY_GONE, STATE_REPLY_GONE);
        else
            answer_again(state, reply, result);
    }
}

static void prefetch_item(const struct state *state, struct pending_hash *pending)
{
    if (pending->item)
        return;
    pending->item = true;
    state_table_prefetch_item(&state->table, pending->hash);
}

static void prefetch_item_ahead(struct state *state, uint64_t index)
{
    struct pending_hash *pending = &state->pending[index % PENDING_COUNT];
    if (pending->index == index)
        prefetch_item(state, pending);
}

void state_apply(struct state *state, const struct wire_entry *entry, struct wire_result *result)
{
    ENSURE(entry->index == state->applied_index + 1);
    ENSURE(state_can_apply(state));
    *result = (struct wire_result){.status = WIRE_DONE};
    prefetch_item_ahead(state, entry->index + ITEM_AHEAD);
    __atomic_store_n(&state->time_ms, max_u64(state->time_ms, entry->time_ms), __ATOMIC_RELAXED);
    close_idle_sessions(state);
    switch (entry->kind) {
    case WIRE_ENTRY_COMMAND:
        apply_command(state, entry, result);
        break;
    case WIRE_ENTRY_REGISTER:
        apply_register(state, entry->sequence, result);
        break;
    case WIRE_ENTRY_NOOP:
    case WIRE_ENTRY_TIME:
        break;
    default:
        refuse(state, result, WIRE_BAD_COMMAND, STATE_BAD_COMMAND);
        break;
    }
    state_expire_keys(state, state->time_ms);
    state_publish(state, entry->index);
}

void state_prefetch(struct state *state, const struct wire_entry *entry)
{
    struct pending_hash *pending = &state->pending[entry->index % PENDING_COUNT];
    if (pending->index == entry->index && pending->term == entry->term) {
        prefetch_item(state, pending);
        return;
    }
    if (entry->session != 0)
        state_sessions_prefetch(&state->sessions, entry->session, entry->sequence);
    if (entry->kind != WIRE_ENTRY_COMMAND || entry->body_bytes < WIRE_COMMAND_BYTES)
        return;
    /* What is no command or has no key is hashed here in vain, or not at all. */
    const uint8_t *body = (const uint8_t *)(entry + 1);
    uint32_t key_bytes = load_u16(body + 2);
    if (key_bytes == 0 || key_bytes > entry->body_bytes - WIRE_COMMAND_BYTES)
        return;
    uint64_t hash = state_key_hash(body + WIRE_COMMAND_BYTES, key_bytes);
    *pending = (struct pending_hash){.index = entry->index, .term = entry->term, .hash = hash};
    state_table_prefetch(&state->table, hash);
}

void state_reclaim(struct state *state, uint64_t started_epoch, uint64_t completed_epoch)
{
    if (UNLIKELY(state->capture.begun || state->capture.held_count != 0))
        state_capture_collect(state);
    state_memory_reclaim(&state->memory, started_epoch, completed_epoch);
}

uint64_t state_applied_index(const struct state *state)
{
    return __atomic_load_n(&state->applied_index, __ATOMIC_ACQUIRE);
}

uint64_t state_time_ms(const struct state *state)
{
    return __atomic_load_n(&state->time_ms, __ATOMIC_RELAXED);
}

uint64_t state_next_expiry_ms(const struct state *state)
{
    return __atomic_load_n(&state->next_expiry_ms, __ATOMIC_RELAXED);
}

uint64_t state_key_count(const struct state *state)
{
    return __atomic_load_n(&state->key_count, __ATOMIC_RELAXED);
}

uint64_t state_digest(const struct state *state)
{
    return __atomic_load_n(&state->digest, __ATOMIC_RELAXED);
}

uint64_t state_session_next(const struct state *state, uint64_t session)
{
    const struct session *slot = &state->sessions.session[session % SESSIONS_MAX];
    if (session == 0 || __atomic_load_n(&slot->id, __ATOMIC_ACQUIRE) != session)
        return 0;
    uint64_t next = __atomic_load_n(&slot->next, __ATOMIC_ACQUIRE);
    return __atomic_load_n(&slot->id, __ATOMIC_ACQUIRE) == session ? next : 0;
}

uint32_t state_session_count(const struct state *state)
{
    return __atomic_load_n(&state->sessions.count, __ATOMIC_RELAXED);
}

const uint64_t *state_counters(const struct state *state)
{
    return state->counter;
}
