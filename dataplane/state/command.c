#include "dataplane/state/internal.h"

#define PAIR_HEAD_BYTES    8u
#define SCAN_ENTRY_BYTES   16384u
#define EXPIRIES_PER_ENTRY 32u
#define INTEGER_DIGITS_MAX 20u

/* One key in the hands of a write. */
struct target {
    const uint8_t *key;
    uint32_t key_bytes;
    uint64_t hash;
    uint64_t *slot;
    struct item *item; /* NULL: absent */
};

/* What a new version consists of: one or two pieces, so that APPEND needs no buffer. */
struct content {
    const uint8_t *first;
    const uint8_t *second;
    uint32_t first_bytes;
    uint32_t second_bytes;
    uint64_t expiry_ms;
    uint64_t together_index; /* 0: not of an MSET */
};

static void set_key_count(struct state *state, uint64_t count)
{
    __atomic_store_n(&state->key_count, count, __ATOMIC_RELAXED);
}

static void answer(const struct execution *execution, enum wire_type type, int64_t integer)
{
    execution->result->type = (uint8_t)type;
    execution->result->integer = integer;
}

static void answer_value(const struct execution *execution, const struct item *item)
{
    if (item == NULL)
        return;
    execution->result->type = WIRE_BYTES;
    execution->result->value = item_value(item);
    execution->result->value_bytes = item->value_bytes;
}

static void refuse(struct state *state, const struct execution *execution, enum wire_status status,
                   enum state_event event)
{
    *execution->result = (struct wire_result){.status = (uint8_t)status};
    state->counter[event]++;
}

static bool kept(struct state *state, const uint64_t *slot)
{
    return UNLIKELY(state->capturing) && state_capture_keep(state, slot);
}

static void remove_item(struct state *state, struct target *target)
{
    struct item *item = target->item;
    state->items_digest -= state_item_digest(item);
    if (item->timer != 0)
        state_expiry_clear(&state->expiry, item->timer);
    bool walks = kept(state, target->slot);
    state_table_remove(&state->table, target->hash, target->slot);
    if (!walks)
        state_memory_defer(&state->memory, item);
    set_key_count(state, state->key_count - 1);
    target->item = NULL;
}

static struct target find(struct state *state, const uint8_t *key, uint32_t key_bytes,
                          uint64_t hash, uint64_t time_ms)
{
    struct target target = {.key = key, .key_bytes = key_bytes, .hash = hash};
    target.item = state_table_find(&state->table, key, key_bytes, hash, &target.slot);
    if (target.item != NULL && target.item->expiry_ms != 0 && target.item->expiry_ms <= time_ms) {
        remove_item(state, &target);
        state->counter[STATE_KEY_EXPIRED]++;
    }
    return target;
}

static uint32_t class_of(const struct target *target, uint64_t value_bytes, bool together)
{
    return state_item_class(target->key_bytes, value_bytes, together);
}

/* What the table grows by when the target gets a version of this class. */
static int64_t growth(const struct target *target, uint32_t size_class)
{
    int64_t old = target->item == NULL ? 0 : state_class_bytes(target->item->size_class);
    return (int64_t)state_class_bytes(size_class) - old;
}

static bool has_space(const struct state *state, int64_t bytes, uint64_t keys)
{
    return state->memory.live_bytes + (uint64_t)bytes <= state->config.bytes_max &&
           state->key_count + keys <= state->config.keys_max;
}

static void keep_timer(struct state *state, const struct item *old, struct item *item, item_ref ref,
                       uint64_t hash)
{
    uint32_t timer = old == NULL ? 0 : old->timer;
    if (timer != 0 && item->expiry_ms == 0) {
        state_expiry_clear(&state->expiry, timer);
        timer = 0;
    } else if (timer != 0) {
        state_expiry_follow(&state->expiry, timer, ref);
        if (item->expiry_ms != old->expiry_ms)
            state_expiry_move(&state->expiry, timer, item->expiry_ms);
    } else if (item->expiry_ms != 0) {
        timer = state_expiry_set(&state->expiry, ref, hash, item->expiry_ms);
    }
    item->timer = timer;
}

static void replace_version(struct state *state, const struct target *target, struct item *old,
                            item_ref ref)
{
    bool walks = kept(state, target->slot);
    state_table_replace(target->slot, ref);
    if (!walks)
        state_memory_defer(&state->memory, old);
}

static void insert_version(struct state *state, const struct target *target, item_ref ref)
{
    uint64_t *slot = state_table_room(&state->table, target->hash);
    (void)kept(state, slot);
    state_table_put(slot, target->hash, ref);
    set_key_count(state, state->key_count + 1);
}

/* The space was asked for. */
static void write_version(struct state *state, struct target *target, uint32_t size_class,
                          const struct content *content)
{
    struct item *old = target->item;
    struct item *item = state_memory_take(&state->memory, size_class);
    item_ref ref = item_to_ref(state->memory.base, item);
    uint8_t *value = item->bytes + target->key_bytes;
    item->expiry_ms = content->expiry_ms;
    item->key_bytes = (uint16_t)target->key_bytes;
    item->value_bytes = content->first_bytes + content->second_bytes;
    item->together = content->together_index != 0;
    memcpy(item->bytes, target->key, target->key_bytes);
    if (content->first_bytes > 0)
        memcpy(value, content->first, content->first_bytes);
    if (content->second_bytes > 0)
        memcpy(value + content->first_bytes, content->second, content->second_bytes);
    if (item->together) {
        struct item_before before = {
            .index = content->together_index,
            .before = old == NULL ? 0 : item_to_ref(state->memory.base, old),
        };
        memcpy(value + item->value_bytes, &before, sizeof before);
    }
    /* One piece is hashed where it came from: its lines are in the cache, those of the item are on
     * their way. */
    const uint8_t *whole = content->second_bytes == 0 ? content->first : value;
    item->content = hash_bytes(whole, item->value_bytes, target->hash);
    keep_timer(state, old, item, ref, target->hash);
    state->items_digest += state_item_digest(item);
    if (old == NULL) {
        insert_version(state, target, ref);
    } else {
        state->items_digest -= state_item_digest(old);
        replace_version(state, target, old, ref);
    }
    target->item = item;
}

/* False: no space, and the result says so. */
static bool store(struct state *state, const struct execution *execution, struct target *target,
                  const struct content *content)
{
    uint32_t size_class =
        class_of(target, (uint64_t)content->first_bytes + content->second_bytes, false);
    if (!has_space(state, growth(target, size_class), target->item == NULL)) {
        refuse(state, execution, WIRE_NO_SPACE, STATE_NO_SPACE);
        return false;
    }
    write_version(state, target, size_class, content);
    return true;
}

static uint64_t deadline(uint64_t time_ms, int64_t ttl_ms)
{
    uint64_t when = time_ms + (uint64_t)ttl_ms;
    return when < time_ms ? UINT64_MAX : when;
}

static void run_set(struct state *state, const struct execution *execution, struct target *target)
{
    const struct wire_command *command = execution->command;
    if (command->argument < 0) {
        refuse(state, execution, WIRE_BAD_COMMAND, STATE_BAD_COMMAND);
        return;
    }
    struct item *old = target->item;
    bool allowed = !((command->flags & WIRE_SET_IF_ABSENT) && old != NULL) &&
                   !((command->flags & WIRE_SET_IF_PRESENT) && old == NULL);
    if (allowed) {
        struct content content = {.first = command->value, .first_bytes = command->value_bytes};
        if (command->argument > 0)
            content.expiry_ms = deadline(execution->time_ms, command->argument);
        else if ((command->flags & WIRE_SET_KEEP_TTL) && old != NULL)
            content.expiry_ms = old->expiry_ms;
        if (!store(state, execution, target, &content))
            return;
    }
    if (command->flags & WIRE_SET_RETURN_OLD)
        answer_value(execution, old);
    else if (allowed)
        answer(execution, WIRE_STATUS_OK, 0);
}

static void run_del(struct state *state, const struct execution *execution, struct target *target)
{
    answer(execution, WIRE_INTEGER, target->item != NULL);
    if (target->item != NULL)
        remove_item(state, target);
}

/* Canonical decimals only: no sign +, no leading zeros, no spaces. */
static bool parse_integer(const uint8_t *at, uint32_t bytes, int64_t *integer)
{
    bool negative = bytes > 0 && at[0] == '-';
    uint32_t i = negative;
    if (bytes - i == 0 || bytes > INTEGER_DIGITS_MAX || (at[i] == '0' && bytes > 1))
        return false;
    uint64_t magnitude = 0;
    for (; i < bytes; i++) {
        if (at[i] < '0' || at[i] > '9' || magnitude > (UINT64_MAX - 9) / 10)
            return false;
        magnitude = magnitude * 10 + (uint64_t)(at[i] - '0');
    }
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *integer = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

/* Returns the first digit inside `to`, whose end is the number's end. */
static uint8_t *format_integer(int64_t integer, uint8_t to[INTEGER_DIGITS_MAX])
{
    uint64_t magnitude = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    uint8_t *at = to + INTEGER_DIGITS_MAX;
    do {
        *--at = (uint8_t)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude != 0);
    if (integer < 0)
        *--at = '-';
    return at;
}

static void run_incrby(struct state *state, const struct execution *execution,
                       struct target *target)
{
    int64_t integer = 0;
    const struct item *old = target->item;
    if ((old != NULL && !parse_integer(item_value(old), old->value_bytes, &integer)) ||
        __builtin_add_overflow(integer, execution->command->argument, &integer)) {
        refuse(state, execution, WIRE_WRONG_TYPE, STATE_WRONG_TYPE);
        return;
    }
    uint8_t digits[INTEGER_DIGITS_MAX];
    const uint8_t *first = format_integer(integer, digits);
    struct content content = {
        .first = first,
        .first_bytes = (uint32_t)(digits + INTEGER_DIGITS_MAX - first),
        .expiry_ms = old == NULL ? 0 : old->expiry_ms,
    };
    if (store(state, execution, target, &content))
        answer(execution, WIRE_INTEGER, integer);
}

static void run_append(struct state *state, const struct execution *execution,
                       struct target *target)
{
    const struct wire_command *command = execution->command;
    struct content content = {.second = command->value, .second_bytes = command->value_bytes};
    if (target->item != NULL) {
        content.first = item_value(target->item);
        content.first_bytes = target->item->value_bytes;
        content.expiry_ms = target->item->expiry_ms;
    }
    uint64_t bytes = (uint64_t)content.first_bytes + content.second_bytes;
    if (bytes > WIRE_VALUE_BYTES_MAX) {
        refuse(state, execution, WIRE_TOO_BIG, STATE_TOO_BIG);
        return;
    }
    if (store(state, execution, target, &content))
        answer(execution, WIRE_INTEGER, (int64_t)bytes);
}

static void run_cas(struct state *state, const struct execution *execution, struct target *target)
{
    const struct wire_command *command = execution->command;
    const struct item *old = target->item;
    bool same = old != NULL && old->value_bytes == command->old_bytes &&
                memcmp(item_value(old), command->old, command->old_bytes) == 0;
    if (same) {
        struct content content = {
            .first = command->value,
            .first_bytes = command->value_bytes,
            .expiry_ms = old->expiry_ms,
        };
        if (!store(state, execution, target, &content))
            return;
    }
    answer(execution, WIRE_INTEGER, same);
}

/* The same in a version of its own, so that the old one stays what it was for a walk. */
static void renew_version(struct state *state, struct target *target)
{
    struct item *old = target->item;
    struct item *item = state_memory_take(&state->memory, old->size_class);
    item_ref ref = item_to_ref(state->memory.base, item);
    memcpy(item, old, ITEM_BYTES + old->key_bytes + old->value_bytes);
    item->together = false; /* its entry is applied as a whole */
    if (item->timer != 0)
        state_expiry_follow(&state->expiry, item->timer, ref);
    replace_version(state, target, old, ref);
    target->item = item;
}

/* In place: a deadline is one word, and readers take the old or the new one. */
static void set_expiry(struct state *state, struct target *target, uint64_t expiry_ms)
{
    if (UNLIKELY(state->capturing) && !state_capture_has(state, target->slot))
        renew_version(state, target);
    struct item *item = target->item;
    state->items_digest -= state_item_digest(item);
    if (item->timer != 0 && expiry_ms == 0) {
        state_expiry_clear(&state->expiry, item->timer);
        item->timer = 0;
    } else if (item->timer != 0) {
        state_expiry_move(&state->expiry, item->timer, expiry_ms);
    } else {
        item_ref ref = item_to_ref(state->memory.base, item);
        item->timer = state_expiry_set(&state->expiry, ref, target->hash, expiry_ms);
    }
    __atomic_store_n(&item->expiry_ms, expiry_ms, __ATOMIC_RELAXED);
    state->items_digest += state_item_digest(item);
}

static void run_expire(struct state *state, const struct execution *execution,
                       struct target *target)
{
    int64_t ttl_ms = execution->command->argument;
    answer(execution, WIRE_INTEGER, target->item != NULL);
    if (target->item != NULL && ttl_ms <= 0)
        remove_item(state, target);
    else if (target->item != NULL)
        set_expiry(state, target, deadline(execution->time_ms, ttl_ms));
}

static void run_persist(struct state *state, const struct execution *execution,
                        struct target *target)
{
    bool had_ttl = target->item != NULL && target->item->expiry_ms != 0;
    if (had_ttl)
        set_expiry(state, target, 0);
    answer(execution, WIRE_INTEGER, had_ttl);
}

struct pair {
    const uint8_t *key;
    const uint8_t *value;
    uint32_t key_bytes;
    uint32_t value_bytes;
};

static bool next_pair(const struct wire_command *command, uint32_t *at, struct pair *pair)
{
    if (*at >= command->value_bytes)
        return false;
    const uint8_t *head = command->value + *at;
    pair->key_bytes = load_u32(head);
    pair->value_bytes = load_u32(head + 4);
    pair->key = head + PAIR_HEAD_BYTES;
    pair->value = pair->key + pair->key_bytes;
    *at += PAIR_HEAD_BYTES + pair->key_bytes + pair->value_bytes;
    return true;
}

static struct target find_pair(struct state *state, const struct execution *execution,
                               const struct pair *pair)
{
    uint64_t hash = state_key_hash(pair->key, pair->key_bytes);
    return find(state, pair->key, pair->key_bytes, hash, execution->time_ms);
}

/* All or none: the first pass asks for the room that the second takes. */
static void run_mset(struct state *state, const struct execution *execution)
{
    struct pair pair;
    int64_t bytes = 0;
    uint64_t keys = 0;
    for (uint32_t at = 0; next_pair(execution->command, &at, &pair);) {
        struct target target = find_pair(state, execution, &pair);
        int64_t grows = growth(&target, class_of(&target, pair.value_bytes, true));
        bytes += grows > 0 ? grows : 0;
        keys += target.item == NULL;
    }
    if (!has_space(state, bytes, keys)) {
        refuse(state, execution, WIRE_NO_SPACE, STATE_NO_SPACE);
        return;
    }
    for (uint32_t at = 0; next_pair(execution->command, &at, &pair);) {
        struct target target = find_pair(state, execution, &pair);
        struct content content = {
            .first = pair.value,
            .first_bytes = pair.value_bytes,
            .together_index = execution->index,
        };
        write_version(state, &target, class_of(&target, pair.value_bytes, true), &content);
    }
    answer(execution, WIRE_STATUS_OK, 0);
}

/* A read as an entry; SCAN's bytes lie in a version that is deferred at once, so they live as long
 * as any answer. */
static void run_read(struct state *state, const struct execution *execution)
{
    uint8_t *scratch = NULL;
    if (execution->command->op == WIRE_OP_SCAN) {
        struct item *item = state_memory_take(&state->memory, state_class_of(SCAN_ENTRY_BYTES));
        scratch = item->bytes;
        state_memory_defer(&state->memory, item);
    }
    state_execute_read(state, execution, scratch, SCAN_ENTRY_BYTES - (uint32_t)ITEM_BYTES);
    if (execution->result->status == WIRE_BAD_COMMAND)
        state->counter[STATE_BAD_COMMAND]++;
    else if (execution->result->status == WIRE_TOO_BIG)
        state->counter[STATE_TOO_BIG]++;
}

void state_execute(struct state *state, const struct execution *execution)
{
    static void (*const run[WIRE_OP_WRITE_LAST])(struct state *, const struct execution *,
                                                 struct target *) = {
        [WIRE_OP_SET] = run_set,         [WIRE_OP_DEL] = run_del, [WIRE_OP_INCRBY] = run_incrby,
        [WIRE_OP_APPEND] = run_append,   [WIRE_OP_CAS] = run_cas, [WIRE_OP_EXPIRE] = run_expire,
        [WIRE_OP_PERSIST] = run_persist,
    };
    const struct wire_command *command = execution->command;
    if (command->op == WIRE_OP_MSET) {
        run_mset(state, execution);
    } else if (command->op > WIRE_OP_WRITE_LAST) {
        run_read(state, execution);
    } else {
        struct target target =
            find(state, command->key, command->key_bytes, execution->hash, execution->time_ms);
        run[command->op](state, execution, &target);
    }
}

void state_expire_keys(struct state *state, uint64_t time_ms)
{
    for (uint32_t i = 0; i < EXPIRIES_PER_ENTRY; i++) {
        if (state_expiry_next_ms(&state->expiry) > time_ms)
            return;
        item_ref ref = state_expiry_next_ref(&state->expiry);
        struct target target = {.item = item_at(state->memory.base, ref)};
        target.hash = state_key_hash(target.item->bytes, target.item->key_bytes);
        target.slot = state_table_slot_of(&state->table, target.hash, ref);
        remove_item(state, &target);
        state->counter[STATE_KEY_EXPIRED]++;
    }
}
