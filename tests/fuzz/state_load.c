/* Any parts as a state: | sessions 1 | registrations 1 | bends 1 | offset 2, byte 1 ... | of a
 * head, which is made here, since it is long; then | bytes 2 | part | ... What is accepted is a
 * state that a walk goes through and that entries can be applied to. */
#include "dataplane/state/image.h"
#include "dataplane/state/load.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <sys/mman.h>

static const struct state_config config = {64, UINT64_C(64) << 10, 400};

static void apply(struct state *state, uint8_t kind, uint64_t sequence)
{
    struct wire_entry entry = {
        .kind = kind,
        .index = state_applied_index(state) + 1,
        .time_ms = state_time_ms(state) + 100,
        .sequence = sequence,
    };
    struct wire_result result;
    ENSURE(state_can_apply(state));
    state_apply(state, &entry, &result);
}

static void walk(struct state *state)
{
    static uint8_t part[STATE_PART_BYTES_MAX];
    void *memory = malloc(state_walk_footprint(&config));
    ENSURE(memory != NULL);
    state_capture_ask(state);
    state_capture_begin(state);
    struct state_walk *walk = state_walk_init(memory, state);
    enum state_walk_result result;
    uint32_t bytes;
    do
        result = state_walk_next(walk, part, &bytes);
    while (result == STATE_WALK_PART || result == STATE_WALK_MORE);
    ENSURE(result == STATE_WALK_END);
    free(memory);
    state_reclaim(state, 1, 1);
    ENSURE(state_capture_phase(state) == STATE_CAPTURE_IDLE);
}

static enum state_load_refusal load_head(struct state_load *load, struct fuzz_input *input)
{
    static uint8_t part[IMAGE_KIND_BYTES + IMAGE_HEAD_BYTES];
    memset(part, 0, sizeof part);
    uint8_t *head = part + IMAGE_KIND_BYTES;
    store_u32(part, IMAGE_HEAD);
    store_u64(head + 8, 2000);
    store_u64(head + 40, config.bytes_max);
    store_u64(head + 48, config.session_ttl_ms);
    store_u32(head + 64, config.keys_max);
    store_u32(head + 68, fuzz_u8(input) % 4u);
    store_u64(head + 56, fuzz_u8(input));
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        store_u16(head + IMAGE_LIST_AT + 2 * (size_t)i, (uint16_t)i);
    for (uint32_t bends = fuzz_u8(input) % 8u; bends > 0; bends--) {
        uint32_t at = fuzz_u16(input) % sizeof part;
        part[at] = fuzz_u8(input);
    }
    return state_load_part(load, part, sizeof part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static void *memory;
    static struct state_load load;
    if (memory == NULL)
        memory = mmap(NULL, state_footprint(&config), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ENSURE(memory != MAP_FAILED);
    struct fuzz_input input = {data, bytes};
    state_load_begin(&load, memory, &config);
    if (load_head(&load, &input) != STATE_LOADED)
        return 0;
    while (input.bytes > 0) {
        uint32_t got;
        const uint8_t *part = fuzz_bytes(&input, fuzz_u16(&input), &got);
        uint8_t *exact = malloc(got + 1u);
        ENSURE(exact != NULL);
        memcpy(exact, part, got);
        enum state_load_refusal refusal = state_load_part(&load, exact, got);
        free(exact);
        ENSURE(refusal < STATE_LOAD_REFUSAL_COUNT);
        if (refusal != STATE_LOADED)
            return 0;
    }
    /* What was said of it has no checksum here: taken as it turned out, so that more is tried. */
    struct state *state;
    enum state_load_refusal refusal = state_load_end(&load, &state);
    if (refusal == STATE_LOAD_DIGEST) {
        state = memory;
        refusal = STATE_LOADED;
    }
    if (refusal != STATE_LOADED || state_applied_index(state) > UINT64_MAX - 100)
        return 0;
    walk(state);
    apply(state, WIRE_ENTRY_REGISTER, 7);
    for (int i = 0; i < 10; i++)
        apply(state, WIRE_ENTRY_TIME, 0);
    return 0;
}
