#include "dataplane/log/crc32c.h"

#include "numa/base/bits.h"

#include <nmmintrin.h>

uint32_t crc32c_extend(uint32_t crc, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    uint64_t rest = ~crc;
    for (; bytes >= 8; bytes -= 8, from += 8)
        rest = _mm_crc32_u64(rest, load_u64(from));
    uint32_t last = (uint32_t)rest;
    for (; bytes != 0; bytes--, from++)
        last = _mm_crc32_u8(last, *from);
    return ~last;
}
