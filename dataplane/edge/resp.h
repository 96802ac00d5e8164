/* resp.h: commands out of a Redis protocol 2 byte stream, without copying them.
 *
 * Shape: a pure function of the bytes at hand. It either finds one whole command at their start, or
 * refuses, or says how many bytes there must be for another verdict. It judges byte by byte: a
 * refusal stands at the first byte that nothing behind it can mend, however the stream is cut.
 * Nothing is remembered between calls; the hint keeps a large argument from being walked to again
 * and again while it comes.
 *
 *   *2\r\n$3\r\nGET\r\n$1\r\nk\r\n     multibulk, what clients send
 *   GET k\r\n                          inline, what people type; blanks separate, no quotes
 *
 * Memory: spans point into the caller's bytes. Threads: pure. Time: none.
 * Limits: below; more bytes or arguments are refused at the digit that says so, before they come.
 * Lengths are written as Redis writes them: no sign, no leading zero; a null array is refused like
 * any negative length.
 * Refusals: resp_events.def; each ends the connection, since what follows can not be trusted.
 * Cost: O(arguments) beside finding the end of an inline line; measured: not measured.
 */
#ifndef DATAPLANE_EDGE_RESP_H
#define DATAPLANE_EDGE_RESP_H

#include "protocols/wire/wire.h"

#define RESP_ARGUMENTS_MAX    1024u
#define RESP_INLINE_BYTES_MAX 8192u
/* A value a little over the limit still gets an answer that says so; the connection goes on. */
#define RESP_BULK_BYTES_MAX    (WIRE_VALUE_BYTES_MAX + (1u << 16))
#define RESP_COMMAND_BYTES_MAX (2u * RESP_BULK_BYTES_MAX)

enum resp_outcome {
    RESP_COMMAND = 0, /* found; argument_count may be 0, there is nothing to do then */
    RESP_MORE,        /* incomplete: ask again with `needed` bytes or more           */
#define RESP_EVENT(name, sentence) RESP_REFUSED_##name,
#include "dataplane/edge/resp_events.def"
#undef RESP_EVENT
    RESP_OUTCOME_COUNT
};

/* "too many arguments in one command"; only for refusals. */
const char *resp_refusal_sentence(enum resp_outcome refusal);

struct resp_span {
    const uint8_t *data;
    uint32_t bytes;
};

struct resp_command {
    uint32_t bytes;  /* RESP_COMMAND: what it took of the stream             */
    uint32_t needed; /* RESP_MORE: fewer bytes than these say RESP_MORE as well */
    uint32_t argument_count;
    struct resp_span argument[RESP_ARGUMENTS_MAX];
};

enum resp_outcome resp_parse(const uint8_t *data, uint32_t bytes, struct resp_command *command);

/* A whole decimal number with optional sign that fits 64 bits, as Redis reads one: no blanks, no
 * plus, no leading zero. */
bool resp_integer(struct resp_span span, int64_t *value);

/* Same letters, whatever their case; `word` is in capitals. */
bool resp_is(struct resp_span span, const char *word);

#define RESP_INTEGER_BYTES_MAX 20u /* "-9223372036854775808" */

/* Digits of the value; returns how many. */
uint32_t resp_digits(uint8_t to[RESP_INTEGER_BYTES_MAX], int64_t value);

#endif
