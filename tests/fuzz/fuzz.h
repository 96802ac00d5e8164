/* fuzz.h: what the targets share: the input as a stream of choices.
 *
 * Shape: a target takes small numbers and byte strings off the input until it is empty; an empty
 * input gives zeros, so every input is a valid program. Memory: the input, not copied. Threads:
 * one. Time: none. Limits, refusals: none.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "numa/base/assert.h"
#include "numa/base/bits.h"

struct fuzz_input {
    const uint8_t *data;
    size_t bytes;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static inline uint8_t fuzz_u8(struct fuzz_input *input)
{
    if (input->bytes == 0)
        return 0;
    input->bytes--;
    return *input->data++;
}

static inline uint32_t fuzz_u16(struct fuzz_input *input)
{
    uint32_t low = fuzz_u8(input);
    return low | (uint32_t)fuzz_u8(input) << 8;
}

/* At most `wanted` bytes, as many as there are. */
static inline const uint8_t *fuzz_bytes(struct fuzz_input *input, uint32_t wanted, uint32_t *got)
{
    const uint8_t *from = input->data;
    *got = input->bytes < wanted ? (uint32_t)input->bytes : wanted;
    input->data += *got;
    input->bytes -= *got;
    return from;
}

#endif
