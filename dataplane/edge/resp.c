#include "dataplane/edge/resp.h"

#include <string.h>

/* "$0\r\n\r\n": no argument takes fewer bytes. */
#define ARGUMENT_BYTES_MIN 6u
/* Enough digits for every length below the limits; a longer one is junk before its end is seen. */
#define LENGTH_DIGITS_MAX 9

static const char *const refusal_sentence[RESP_OUTCOME_COUNT] = {
    [RESP_COMMAND] = "",
    [RESP_MORE] = "",
#define RESP_EVENT(name, sentence) [RESP_REFUSED_##name] = sentence,
#include "dataplane/edge/resp_events.def"
#undef RESP_EVENT
};

const char *resp_refusal_sentence(enum resp_outcome refusal)
{
    return refusal_sentence[refusal];
}

/* A number and its CRLF. *at moves behind it on RESP_COMMAND. */
static enum resp_outcome read_length(const uint8_t **at, const uint8_t *end, int32_t *length)
{
    const uint8_t *p = *at;
    bool negative = p < end && *p == '-';
    p += negative;
    const uint8_t *digits = p;
    int32_t value = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (p - digits == LENGTH_DIGITS_MAX)
            return RESP_REFUSED_JUNK;
        value = value * 10 + (*p - '0');
    }
    if (p == end)
        return RESP_MORE;
    if (p == digits || *p != '\r')
        return RESP_REFUSED_JUNK;
    if (end - p < 2)
        return RESP_MORE;
    if (p[1] != '\n')
        return RESP_REFUSED_JUNK;
    *length = negative ? -value : value;
    *at = p + 2;
    return RESP_COMMAND;
}

/* One "$length\r\nbytes\r\n". On RESP_MORE *at is as far as the argument is known to reach. */
static enum resp_outcome read_bulk(const uint8_t **at, const uint8_t *data, const uint8_t *end,
                                   struct resp_span *argument)
{
    const uint8_t *p = *at;
    if (p == end)
        return RESP_MORE;
    if (*p++ != '$')
        return RESP_REFUSED_JUNK;
    int32_t length = 0;
    enum resp_outcome outcome = read_length(&p, end, &length);
    if (outcome != RESP_COMMAND)
        return outcome;
    if (length < 0)
        return RESP_REFUSED_NEGATIVE_LENGTH;
    if ((uint32_t)length > RESP_BULK_BYTES_MAX)
        return RESP_REFUSED_BULK_TOO_BIG;
    if ((uint64_t)(p - data) + (uint32_t)length + 2 > RESP_COMMAND_BYTES_MAX)
        return RESP_REFUSED_COMMAND_TOO_BIG;
    if (end - p < length + 2) {
        *at = p + length + 2 - ARGUMENT_BYTES_MIN; /* the caller adds an argument's least */
        return RESP_MORE;
    }
    if (p[length] != '\r' || p[length + 1] != '\n')
        return RESP_REFUSED_JUNK;
    argument->data = p;
    argument->bytes = (uint32_t)length;
    *at = p + length + 2;
    return RESP_COMMAND;
}

static enum resp_outcome read_multibulk(const uint8_t *data, uint32_t bytes,
                                        struct resp_command *command)
{
    const uint8_t *at = data + 1;
    const uint8_t *end = data + bytes;
    int32_t count = 0;
    enum resp_outcome outcome = read_length(&at, end, &count);
    if (outcome != RESP_COMMAND) {
        command->needed = bytes + 1;
        return outcome;
    }
    if (count < -1)
        return RESP_REFUSED_NEGATIVE_LENGTH;
    if (count > (int32_t)RESP_ARGUMENTS_MAX)
        return RESP_REFUSED_TOO_MANY_ARGUMENTS;
    for (int32_t i = 0; i < count; i++) {
        outcome = read_bulk(&at, data, end, &command->argument[i]);
        if (outcome == RESP_MORE) {
            uint32_t rest = (uint32_t)(count - i) * ARGUMENT_BYTES_MIN;
            uint64_t needed = (uint64_t)(at - data) + rest;
            if (needed > RESP_COMMAND_BYTES_MAX)
                return RESP_REFUSED_COMMAND_TOO_BIG;
            command->needed = needed > bytes ? (uint32_t)needed : bytes + 1;
        }
        if (outcome != RESP_COMMAND)
            return outcome;
    }
    command->argument_count = count > 0 ? (uint32_t)count : 0;
    command->bytes = (uint32_t)(at - data);
    return RESP_COMMAND;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

/* What may stand in a line that a person typed. Anything else is another protocol on the wrong port. */
static enum resp_outcome check_line(const uint8_t *line, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        if (line[i] == '"' || line[i] == '\'')
            return RESP_REFUSED_INLINE_QUOTES;
        if ((line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
            return RESP_REFUSED_JUNK;
    }
    return RESP_COMMAND;
}

static enum resp_outcome read_inline(const uint8_t *data, uint32_t bytes,
                                     struct resp_command *command)
{
    uint32_t within = min_u32(bytes, RESP_INLINE_BYTES_MAX);
    const uint8_t *newline = memchr(data, '\n', within);
    if (newline == NULL) {
        command->needed = bytes + 1;
        if (bytes >= RESP_INLINE_BYTES_MAX)
            return RESP_REFUSED_INLINE_TOO_LONG;
        /* A carriage return may be the line's own end, its newline still on the way. */
        enum resp_outcome outcome = check_line(data, bytes - (data[bytes - 1] == '\r'));
        return outcome == RESP_COMMAND ? RESP_MORE : outcome;
    }
    uint32_t line_bytes = (uint32_t)(newline - data);
    command->bytes = line_bytes + 1;
    command->argument_count = 0;
    if (line_bytes > 0 && data[line_bytes - 1] == '\r')
        line_bytes--;
    enum resp_outcome outcome = check_line(data, line_bytes);
    if (outcome != RESP_COMMAND)
        return outcome;
    for (uint32_t at = 0; at < line_bytes;) {
        if (is_blank(data[at])) {
            at++;
            continue;
        }
        if (command->argument_count == RESP_ARGUMENTS_MAX)
            return RESP_REFUSED_TOO_MANY_ARGUMENTS;
        struct resp_span *argument = &command->argument[command->argument_count++];
        argument->data = data + at;
        while (at < line_bytes && !is_blank(data[at]))
            at++;
        argument->bytes = (uint32_t)(data + at - argument->data);
    }
    if (command->argument_count > 0 &&
        (resp_is(command->argument[0], "POST") || resp_is(command->argument[0], "HOST:")))
        return RESP_REFUSED_HTTP;
    return RESP_COMMAND;
}

enum resp_outcome resp_parse(const uint8_t *data, uint32_t bytes, struct resp_command *command)
{
    if (bytes == 0) {
        command->needed = 1;
        return RESP_MORE;
    }
    return data[0] == '*' ? read_multibulk(data, bytes, command)
                          : read_inline(data, bytes, command);
}

bool resp_integer(struct resp_span span, int64_t *value)
{
    bool negative = span.bytes > 0 && span.data[0] == '-';
    const uint8_t *p = span.data + negative;
    uint32_t digits = span.bytes - negative;
    if (digits == 0 || digits > 19 || (p[0] == '0' && (digits > 1 || negative)))
        return false;
    uint64_t magnitude = 0; /* 19 digits stay below 2^64 */
    for (uint32_t i = 0; i < digits; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        magnitude = magnitude * 10 + (uint64_t)(p[i] - '0');
    }
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool resp_is(struct resp_span span, const char *word)
{
    for (uint32_t i = 0; i < span.bytes; i++) {
        uint8_t byte = span.data[i];
        uint8_t capital = (uint8_t)(byte >= 'a' && byte <= 'z' ? byte - ('a' - 'A') : byte);
        if (capital != (uint8_t)word[i] || word[i] == '\0')
            return false;
    }
    return word[span.bytes] == '\0';
}

uint32_t resp_digits(uint8_t to[RESP_INTEGER_BYTES_MAX], int64_t value)
{
    uint8_t reversed[RESP_INTEGER_BYTES_MAX];
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint32_t count = 0;
    do {
        reversed[count++] = (uint8_t)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude != 0);
    if (value < 0)
        reversed[count++] = '-';
    for (uint32_t i = 0; i < count; i++)
        to[i] = reversed[count - 1 - i];
    return count;
}
