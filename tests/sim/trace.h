/* trace.h: what happened last, for a reader; and a digest of everything that ever happened.
 *
 * Shape: a ring of the last events, and 64 bits into which every event and every frame is mixed:
 *   the same seed must give the same digest. Memory: embedded in the world. Threads: one owner.
 * Time: virtual. Limits: TRACE_EVENTS kept. Refusals: none. Cost: a few ns an event; not measured.
 */
#ifndef TESTS_SIM_TRACE_H
#define TESTS_SIM_TRACE_H

#include "numa/base/types.h"

#include <stdio.h>

#define TRACE_EVENTS 4096u

enum trace_kind {
#define TRACE(name, format) TRACE_##name,
#include "tests/sim/trace.def"
#undef TRACE
    TRACE_KIND_COUNT
};

struct trace_event {
    uint64_t time_ns;
    uint64_t word[4];
    enum trace_kind kind;
};

struct trace {
    uint64_t count;
    uint64_t digest;
    FILE *live; /* every event as it happens; NULL: none */
    struct trace_event event[TRACE_EVENTS];
};

void trace_begin(struct trace *, uint64_t seed);
void trace_note(struct trace *, uint64_t now_ns, enum trace_kind kind, uint64_t a, uint64_t b,
                uint64_t c, uint64_t d);

/* The last `count` events that are about more than single frames. */
void trace_print(const struct trace *, uint32_t count, FILE *file);

/* Hash of bytes, for content that goes into the digest. */
uint64_t trace_hash(const void *bytes, uint64_t count);
uint64_t trace_mix(uint64_t a, uint64_t b);

#endif
