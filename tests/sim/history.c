#include "tests/sim/history.h"

#include "numa/base/assert.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const op_names[HISTORY_OP_COUNT] = {
    "set", "get", "del", "incrby", "append", "cas", "expire", "persist", "exists", "strlen", "ttl"};
static const char *const outcome_names[] = {"ok", "fail", "open"};

const char *history_op_name(enum history_op op)
{
    return op_names[op];
}

struct history *history_new(void)
{
    struct history *history = sim_allocate(sizeof *history);
    history->texts = text_table_new();
    return history;
}

void history_free(struct history *history)
{
    text_table_free(history->texts);
    free(history->operation);
    free(history);
}

uint32_t history_add(struct history *history, const struct history_operation *operation)
{
    if (history->count == history->room) {
        history->room = history->room != 0 ? 2 * history->room : 256;
        history->operation =
            sim_grow(history->operation, history->room * sizeof *history->operation);
    }
    history->operation[history->count] = *operation;
    return history->count++;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_text(const struct history *history, uint32_t text, FILE *file)
{
    uint32_t count;
    const uint8_t *bytes = text_bytes(history->texts, text, &count);
    (void)fputc('"', file);
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\')
            (void)fprintf(file, "\\%c", bytes[i]);
        else if (bytes[i] < 0x20 || bytes[i] > 0x7e)
            (void)fprintf(file, "\\u%04x", bytes[i]);
        else
            (void)fputc(bytes[i], file);
    }
    (void)fputc('"', file);
}

static void write_set(const struct history *history, const struct history_operation *o, FILE *file)
{
    if (o->flags == 0 && o->number == 0) {
        write_text(history, o->value, file);
        return;
    }
    (void)fputs("{\"value\":", file);
    write_text(history, o->value, file);
    if (o->flags & HISTORY_IF_ABSENT)
        (void)fputs(",\"if\":\"absent\"", file);
    if (o->flags & HISTORY_IF_PRESENT)
        (void)fputs(",\"if\":\"present\"", file);
    if (o->flags & HISTORY_RETURN_OLD)
        (void)fputs(",\"get\":true", file);
    if (o->flags & HISTORY_KEEP_TTL)
        (void)fputs(",\"keep_ttl\":true", file);
    if (o->number != 0)
        (void)fprintf(file, ",\"ttl_ms\":%" PRId64, o->number);
    (void)fputc('}', file);
}

static void write_argument(const struct history *history, const struct history_operation *o,
                           FILE *file)
{
    switch ((enum history_op)o->op) {
    case HISTORY_SET:
        write_set(history, o, file);
        break;
    case HISTORY_APPEND:
        write_text(history, o->value, file);
        break;
    case HISTORY_CAS:
        (void)fputs("{\"old\":", file);
        write_text(history, o->old, file);
        (void)fputs(",\"value\":", file);
        write_text(history, o->value, file);
        (void)fputc('}', file);
        break;
    case HISTORY_INCRBY:
    case HISTORY_EXPIRE:
        (void)fprintf(file, "%" PRId64, o->number);
        break;
    default:
        (void)fputs("null", file);
        break;
    }
}

static void write_result(const struct history *history, const struct history_operation *o,
                         FILE *file)
{
    if (o->outcome != HISTORY_OK) {
        (void)fputs("null", file);
        return;
    }
    switch ((enum history_answer)o->answer) {
    case HISTORY_NIL:
        (void)fputs("null", file);
        break;
    case HISTORY_INTEGER:
        (void)fprintf(file, "%" PRId64, o->integer);
        break;
    case HISTORY_TEXT:
        write_text(history, o->text, file);
        break;
    case HISTORY_STATUS_OK:
        (void)fputs("\"OK\"", file);
        break;
    case HISTORY_WRONG_TYPE:
        (void)fputs("{\"error\":\"wrong_type\"}", file);
        break;
    case HISTORY_NO_SPACE:
        (void)fputs("{\"error\":\"no_space\"}", file);
        break;
    case HISTORY_UNKNOWN:
        (void)fputs("{\"unknown\":true}", file);
        break;
    }
}

void history_write_operation(const struct history *history, uint32_t index, FILE *file)
{
    const struct history_operation *o = &history->operation[index];
    (void)fprintf(file, "{\"process\":%" PRIu32 ",\"op\":\"%s\",\"key\":", o->process,
                  op_names[o->op]);
    write_text(history, o->key, file);
    (void)fputs(",\"argument\":", file);
    write_argument(history, o, file);
    (void)fputs(",\"result\":", file);
    write_result(history, o, file);
    (void)fprintf(file, ",\"invoke_ns\":%" PRIu64, o->invoke_ns);
    if (o->outcome == HISTORY_OPEN)
        (void)fputs(",\"return_ns\":null", file);
    else
        (void)fprintf(file, ",\"return_ns\":%" PRIu64, o->return_ns);
    (void)fprintf(file, ",\"outcome\":\"%s\"}\n", outcome_names[o->outcome]);
}

void history_write(const struct history *history, FILE *file)
{
    for (uint32_t i = 0; i < history->count; i++)
        history_write_operation(history, i, file);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Code points up to U+00FF stand for bytes; jansson has checked the UTF-8 already. */
static bool take_text(struct history *history, const json_t *json, uint32_t *text)
{
    if (!json_is_string(json))
        return false;
    const uint8_t *from = (const uint8_t *)json_string_value(json);
    size_t length = json_string_length(json);
    uint8_t *bytes = sim_allocate(length);
    uint32_t count = 0;
    bool good = true;
    for (size_t i = 0; i < length && good; i++) {
        if (from[i] < 0x80) {
            bytes[count++] = from[i];
        } else if (from[i] <= 0xc3) {
            bytes[count++] = (uint8_t)((from[i] & 0x03) << 6 | (from[i + 1] & 0x3f));
            i++;
        } else {
            good = false;
        }
    }
    if (good)
        *text = text_of(history->texts, bytes, count);
    free(bytes);
    return good;
}

static bool take_integer(const json_t *json, int64_t *integer)
{
    if (!json_is_integer(json))
        return false;
    *integer = json_integer_value(json);
    return true;
}

static bool take_time(const json_t *json, uint64_t *time_ns)
{
    int64_t integer;
    if (!take_integer(json, &integer) || integer < 0)
        return false;
    *time_ns = (uint64_t)integer;
    return true;
}

static bool take_set(struct history *history, const json_t *json, struct history_operation *o)
{
    if (!json_is_object(json))
        return take_text(history, json, &o->value);
    const char *key;
    json_t *field;
    json_object_foreach((json_t *)(uintptr_t)json, key, field)
    {
        if (strcmp(key, "value") == 0) {
            if (!take_text(history, field, &o->value))
                return false;
        } else if (strcmp(key, "ttl_ms") == 0) {
            if (!take_integer(field, &o->number) || o->number <= 0)
                return false;
        } else if (strcmp(key, "if") == 0 && json_is_string(field)) {
            if (strcmp(json_string_value(field), "absent") == 0)
                o->flags |= HISTORY_IF_ABSENT;
            else if (strcmp(json_string_value(field), "present") == 0)
                o->flags |= HISTORY_IF_PRESENT;
            else
                return false;
        } else if (strcmp(key, "get") == 0 && json_is_true(field)) {
            o->flags |= HISTORY_RETURN_OLD;
        } else if (strcmp(key, "keep_ttl") == 0 && json_is_true(field)) {
            o->flags |= HISTORY_KEEP_TTL;
        } else {
            return false;
        }
    }
    return o->value != TEXT_NONE;
}

static bool take_argument(struct history *history, const json_t *json, struct history_operation *o)
{
    switch ((enum history_op)o->op) {
    case HISTORY_SET:
        return take_set(history, json, o);
    case HISTORY_APPEND:
        return take_text(history, json, &o->value);
    case HISTORY_CAS:
        return json_object_size(json) == 2 &&
               take_text(history, json_object_get(json, "old"), &o->old) &&
               take_text(history, json_object_get(json, "value"), &o->value);
    case HISTORY_INCRBY:
    case HISTORY_EXPIRE:
        return take_integer(json, &o->number);
    default:
        return json == NULL || json_is_null(json);
    }
}

static bool take_result(struct history *history, const json_t *json, struct history_operation *o)
{
    if (o->outcome != HISTORY_OK)
        return true;
    if (json_is_null(json)) {
        o->answer = HISTORY_NIL;
    } else if (json_is_integer(json)) {
        o->answer = HISTORY_INTEGER;
        o->integer = json_integer_value(json);
    } else if (json_is_string(json) && o->op == HISTORY_SET && !(o->flags & HISTORY_RETURN_OLD)) {
        o->answer = HISTORY_STATUS_OK;
        return strcmp(json_string_value(json), "OK") == 0;
    } else if (json_is_string(json)) {
        o->answer = HISTORY_TEXT;
        return take_text(history, json, &o->text);
    } else if (json_is_true(json_object_get(json, "unknown"))) {
        o->answer = HISTORY_UNKNOWN;
    } else {
        const char *error = json_string_value(json_object_get(json, "error"));
        if (error == NULL)
            return false;
        if (strcmp(error, "wrong_type") == 0)
            o->answer = HISTORY_WRONG_TYPE;
        else if (strcmp(error, "no_space") == 0)
            o->answer = HISTORY_NO_SPACE;
        else
            return false;
    }
    return true;
}

static bool take_name(const json_t *json, const char *const *names, uint32_t count, uint8_t *number)
{
    if (!json_is_string(json))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(json_string_value(json), names[i]) == 0) {
            *number = (uint8_t)i;
            return true;
        }
    }
    return false;
}

/* NULL: taken; else what is wrong with the line. */
static const char *take_line(struct history *history, const json_t *json)
{
    struct history_operation o = {0};
    int64_t process;
    if (!json_is_object(json))
        return "is no object";
    if (!take_integer(json_object_get(json, "process"), &process) || process < 0 ||
        process > UINT32_MAX)
        return "process is no number";
    o.process = (uint32_t)process;
    if (!take_name(json_object_get(json, "op"), op_names, HISTORY_OP_COUNT, &o.op))
        return "op is unknown";
    if (!take_name(json_object_get(json, "outcome"), outcome_names, COUNT_OF(outcome_names),
                   &o.outcome))
        return "outcome is none of ok, fail, open";
    if (!take_text(history, json_object_get(json, "key"), &o.key))
        return "key is no string";
    if (!take_argument(history, json_object_get(json, "argument"), &o))
        return "argument does not fit the op";
    if (!take_result(history, json_object_get(json, "result"), &o))
        return "result is of no known form";
    if (!take_time(json_object_get(json, "invoke_ns"), &o.invoke_ns))
        return "invoke_ns is no time";
    if (o.outcome == HISTORY_OPEN)
        o.return_ns = UINT64_MAX;
    else if (!take_time(json_object_get(json, "return_ns"), &o.return_ns))
        return "return_ns is no time";
    if (o.return_ns < o.invoke_ns)
        return "returns before it was invoked";
    (void)history_add(history, &o);
    return NULL;
}

bool history_read(struct history *history, FILE *file, char error[HISTORY_ERROR_MAX])
{
    char *line = NULL;
    size_t room = 0;
    uint64_t number = 0;
    bool good = true;
    for (ssize_t bytes; good && (bytes = getline(&line, &room, file)) >= 0;) {
        number++;
        if (bytes == 0 || (bytes == 1 && line[0] == '\n'))
            continue;
        json_error_t json_error;
        json_t *json =
            json_loadb(line, (size_t)bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &json_error);
        const char *wrong = json == NULL ? json_error.text : take_line(history, json);
        if (wrong != NULL) {
            (void)snprintf(error, HISTORY_ERROR_MAX, "line %" PRIu64 ": %.120s", number, wrong);
            good = false;
        }
        json_decref(json);
    }
    free(line);
    return good;
}
