#include "dataplane/edge/resp.h"

/* "$0\r\n\r\n": no argument takes fewer bytes. */
#define ARGUMENT_BYTES_MIN 6u

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

/* A number up to `most` and its CRLF, judged byte by byte: what no later byte can mend is refused
 * here already. *at moves behind it on RESP_COMMAND. */
static enum resp_outcome read_length(const uint8_t **at, const uint8_t *end, uint32_t most,
                                     enum resp_outcome above, uint32_t *length)
{
    const uint8_t *p = *at;
    uint32_t value = 0;
    if (p < end && *p == '-')
        return RESP_REFUSED_NEGATIVE_LENGTH;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (p > *at && value == 0)
            return RESP_REFUSED_JUNK; /* a leading zero */
        value = value * 10 + (uint32_t)(*p - '0');
        if (value > most)
            return above;
    }
    if (p == end)
        return RESP_MORE;
    if (p == *at || *p != '\r')
        return RESP_REFUSED_JUNK;
    if (end - p < 2)
        return RESP_MORE;
    if (p[1] != '\n')
        return RESP_REFUSED_JUNK;
    *length = value;
    *at = p + 2;
    return RESP_COMMAND;
}

/* One "$length\r\nbytes\r\n", behind which `rest` more must come. On RESP_MORE *at is the next byte
 * that can matter, unless that is the next one anyway. */
static enum resp_outcome read_bulk(const uint8_t **at, const uint8_t *data, const uint8_t *end,
                                   uint32_t rest, struct resp_span *argument)
{
    const uint8_t *p = *at;
    if (p == end)
        return RESP_MORE;
    if (*p++ != '$')
        return RESP_REFUSED_JUNK;
    uint32_t length = 0;
    enum resp_outcome outcome =
        read_length(&p, end, RESP_BULK_BYTES_MAX, RESP_REFUSED_BULK_TOO_BIG, &length);
    if (outcome != RESP_COMMAND)
        return outcome;
    if ((uint32_t)(p - data) + length + 2 + rest > RESP_COMMAND_BYTES_MAX)
        return RESP_REFUSED_COMMAND_TOO_BIG;
    argument->data = p;
    argument->bytes = length;
    if ((uint32_t)(end - p) <= length) {
        *at = p + length;
        return RESP_MORE;
    }
    p += length;
    if (p[0] != '\r' || (end - p > 1 && p[1] != '\n'))
        return RESP_REFUSED_JUNK;
    if (end - p < 2)
        return RESP_MORE;
    *at = p + 2;
    return RESP_COMMAND;
}

static enum resp_outcome read_multibulk(const uint8_t *data, uint32_t bytes,
                                        struct resp_command *command)
{
    const uint8_t *at = data + 1;
    const uint8_t *end = data + bytes;
    uint32_t count = 0;
    enum resp_outcome outcome =
        read_length(&at, end, RESP_ARGUMENTS_MAX, RESP_REFUSED_TOO_MANY_ARGUMENTS, &count);
    for (uint32_t i = 0; i < count && outcome == RESP_COMMAND; i++)
        outcome =
            read_bulk(&at, data, end, (count - i - 1) * ARGUMENT_BYTES_MIN, &command->argument[i]);
    command->argument_count = count;
    command->bytes = (uint32_t)(at - data);
    command->needed = (command->bytes > bytes ? command->bytes : bytes) + 1;
    return outcome;
}

/* What a person types. A quote would be a part of an argument to some and not to others; what is no
 * text is another protocol on the wrong port. */
static enum resp_outcome read_inline(const uint8_t *data, uint32_t bytes,
                                     struct resp_command *command)
{
    uint32_t within = min_u32(bytes, RESP_INLINE_BYTES_MAX);
    struct resp_span *word = NULL;
    command->argument_count = 0;
    for (uint32_t at = 0; at < within; at++) {
        uint8_t byte = data[at];
        bool parts = byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
        if (parts && word == command->argument &&
            (resp_is(*word, "POST") || resp_is(*word, "HOST:")))
            return RESP_REFUSED_HTTP;
        if (byte == '"' || byte == '\'')
            return RESP_REFUSED_INLINE_QUOTES;
        if ((!parts && (byte < ' ' || byte == 0x7f)) ||
            (byte == '\r' && at + 1 < within && data[at + 1] != '\n'))
            return RESP_REFUSED_JUNK;
        if (byte == '\n') {
            command->bytes = at + 1;
            return RESP_COMMAND;
        }
        if (!parts && word == NULL) {
            if (command->argument_count == RESP_ARGUMENTS_MAX)
                return RESP_REFUSED_TOO_MANY_ARGUMENTS;
            word = &command->argument[command->argument_count++];
            *word = (struct resp_span){data + at, 0};
        }
        if (parts)
            word = NULL;
        else
            word->bytes++;
    }
    command->needed = bytes + 1;
    return bytes < RESP_INLINE_BYTES_MAX ? RESP_MORE : RESP_REFUSED_INLINE_TOO_LONG;
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
