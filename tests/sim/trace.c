#include "tests/sim/trace.h"

#include "numa/base/bits.h"

#include <inttypes.h>

#define U64 "%" PRIu64
#define X64 "%" PRIx64
#define I64 "%" PRIi64

static const char *const formats[TRACE_KIND_COUNT] = {
#define TRACE(name, format) format,
#include "tests/sim/trace.def"
#undef TRACE
};

uint64_t trace_mix(uint64_t a, uint64_t b)
{
    uint64_t z = (a ^ (b + UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 29)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 32);
}

uint64_t trace_hash(const void *bytes, uint64_t count)
{
    const uint8_t *at = bytes;
    uint64_t hash = count * UINT64_C(0x9e3779b97f4a7c15);
    for (; count >= 8; at += 8, count -= 8)
        hash = trace_mix(hash, load_u64(at));
    uint64_t tail = 0;
    for (uint64_t i = 0; i < count; i++)
        tail = tail << 8 | at[i];
    return trace_mix(hash, tail);
}

void trace_begin(struct trace *trace, uint64_t seed)
{
    trace->count = 0;
    trace->digest = seed;
}

static void print_event(const struct trace_event *event, FILE *file)
{
    const uint64_t *w = event->word;
    (void)fprintf(file, "  [%10.6f s] ", (double)event->time_ns / 1e9);
    (void)fprintf(file, formats[event->kind], w[0], w[1], w[2], w[3]);
    (void)fputc('\n', file);
}

void trace_note(struct trace *trace, uint64_t now_ns, enum trace_kind kind, uint64_t a, uint64_t b,
                uint64_t c, uint64_t d)
{
    struct trace_event *event = &trace->event[trace->count++ % TRACE_EVENTS];
    *event = (struct trace_event){now_ns, {a, b, c, d}, kind};
    uint64_t digest = trace_mix(trace->digest, now_ns ^ (uint64_t)kind << 56);
    trace->digest = trace_mix(trace_mix(digest, a ^ b << 20), c ^ d << 24);
    if (trace->live != NULL)
        print_event(event, trace->live);
}

static bool is_frame(enum trace_kind kind)
{
    return kind <= TRACE_UNDELIVERED;
}

void trace_print(const struct trace *trace, uint32_t count, FILE *file)
{
    uint64_t oldest = trace->count > TRACE_EVENTS ? trace->count - TRACE_EVENTS : 0;
    uint64_t first = trace->count;
    for (uint32_t found = 0; first > oldest && found < count; first--)
        found += !is_frame(trace->event[(first - 1) % TRACE_EVENTS].kind);
    for (uint64_t i = first; i < trace->count; i++)
        if (!is_frame(trace->event[i % TRACE_EVENTS].kind))
            print_event(&trace->event[i % TRACE_EVENTS], file);
}
