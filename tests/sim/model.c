#include "tests/sim/model.h"

#define MILLISECOND_NS UINT64_C(1000000)

struct answer {
    uint8_t kind; /* enum history_answer */
    uint32_t text;
    int64_t integer;
};

static const struct answer nil = {HISTORY_NIL, 0, 0};
static const struct answer wrong_type = {HISTORY_WRONG_TYPE, 0, 0};

static struct answer integer_of(int64_t integer)
{
    return (struct answer){HISTORY_INTEGER, 0, integer};
}

static struct answer text_or_nil(uint32_t text)
{
    return text == TEXT_NONE ? nil : (struct answer){HISTORY_TEXT, text, 0};
}

static uint64_t add_capped(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t lifetime_ns(const struct history_operation *setter)
{
    uint64_t ms = (uint64_t)setter->number;
    return ms > UINT64_MAX / MILLISECOND_NS ? UINT64_MAX : ms * MILLISECOND_NS;
}

static bool may_be_expired(const struct history *history, const struct model_rules *rules,
                           const struct history_operation *o, const struct model_state *state)
{
    if (state->deadline == 0)
        return false;
    const struct history_operation *setter = &history->operation[state->deadline - 1];
    uint64_t due = add_capped(setter->invoke_ns, lifetime_ns(setter));
    return o->outcome == HISTORY_OPEN || add_capped(o->return_ns, rules->expires_early_ns) >= due;
}

static bool may_be_alive(const struct history *history, const struct model_rules *rules,
                         const struct history_operation *o, const struct model_state *state)
{
    if (state->deadline == 0)
        return true;
    const struct history_operation *setter = &history->operation[state->deadline - 1];
    uint64_t due = add_capped(setter->return_ns, lifetime_ns(setter));
    return o->invoke_ns <= add_capped(due, rules->expires_late_ns);
}

static struct answer set(uint32_t index, const struct history_operation *o,
                         struct model_state *state)
{
    uint32_t old = state->value;
    bool met = !((o->flags & HISTORY_IF_ABSENT) && old != TEXT_NONE) &&
               !((o->flags & HISTORY_IF_PRESENT) && old == TEXT_NONE);
    if (met) {
        state->value = o->value;
        if (o->number != 0)
            state->deadline = index + 1;
        else if (!(o->flags & HISTORY_KEEP_TTL))
            state->deadline = 0;
    }
    if (o->flags & HISTORY_RETURN_OLD)
        return text_or_nil(old);
    return met ? (struct answer){HISTORY_STATUS_OK, 0, 0} : nil;
}

static struct answer increment(const struct history *history, const struct history_operation *o,
                               struct model_state *state)
{
    int64_t number = 0;
    if (state->value != TEXT_NONE && !text_to_number(history->texts, state->value, &number))
        return wrong_type;
    if (__builtin_add_overflow(number, o->number, &number))
        return wrong_type;
    state->value = text_of_number(history->texts, number);
    return integer_of(number);
}

static struct answer append(const struct history *history, const struct history_operation *o,
                            struct model_state *state)
{
    uint32_t count;
    state->value =
        state->value == TEXT_NONE ? o->value : text_joined(history->texts, state->value, o->value);
    (void)text_bytes(history->texts, state->value, &count);
    return integer_of(count);
}

static struct answer expire(uint32_t index, const struct history_operation *o,
                            struct model_state *state)
{
    if (state->value == TEXT_NONE)
        return integer_of(0);
    if (o->number > 0)
        state->deadline = index + 1;
    else
        *state = (struct model_state){0};
    return integer_of(1);
}

static struct answer execute(const struct history *history, uint32_t index,
                             struct model_state *state)
{
    const struct history_operation *o = &history->operation[index];
    bool present = state->value != TEXT_NONE;
    uint32_t count = 0;
    switch ((enum history_op)o->op) {
    case HISTORY_SET:
        return set(index, o, state);
    case HISTORY_GET:
        return text_or_nil(state->value);
    case HISTORY_DEL:
        *state = (struct model_state){0};
        return integer_of(present);
    case HISTORY_INCRBY:
        return increment(history, o, state);
    case HISTORY_APPEND:
        return append(history, o, state);
    case HISTORY_CAS:
        if (!present || state->value != o->old)
            return integer_of(0);
        state->value = o->value;
        return integer_of(1);
    case HISTORY_EXPIRE:
        return expire(index, o, state);
    case HISTORY_PERSIST:
        present = state->deadline != 0;
        state->deadline = 0;
        return integer_of(present);
    case HISTORY_EXISTS:
        return integer_of(present);
    case HISTORY_STRLEN:
        if (present)
            (void)text_bytes(history->texts, state->value, &count);
        return integer_of(count);
    case HISTORY_TTL:
        return integer_of(!present ? -2 : -1);
    case HISTORY_OP_COUNT:
        break;
    }
    return nil;
}

static bool fits(const struct history *history, const struct history_operation *o,
                 const struct model_state *state, const struct answer *answer)
{
    if (o->outcome == HISTORY_OPEN || o->answer == HISTORY_UNKNOWN)
        return true;
    if (o->op == HISTORY_TTL && state->deadline != 0)
        return o->answer == HISTORY_INTEGER && o->integer >= 0 &&
               o->integer <= history->operation[state->deadline - 1].number;
    if (o->answer != answer->kind)
        return false;
    return (o->answer != HISTORY_INTEGER || o->integer == answer->integer) &&
           (o->answer != HISTORY_TEXT || o->text == answer->text);
}

bool model_step(const struct history *history, const struct model_rules *rules, uint32_t operation,
                bool expired, const struct model_state *state, struct model_state *next)
{
    const struct history_operation *o = &history->operation[operation];
    *next = *state;
    if (expired) {
        if (!may_be_expired(history, rules, o, state))
            return false;
        *next = (struct model_state){0};
    } else if (!may_be_alive(history, rules, o, state)) {
        return false;
    }
    if (o->outcome == HISTORY_OK && o->answer == HISTORY_NO_SPACE)
        return true;
    struct model_state before = *next;
    struct answer answer = execute(history, operation, next);
    return fits(history, o, &before, &answer);
}
