/* keyslot.h: which group a key belongs to, as Redis Cluster counts it.
 *
 * Shape: CRC16 (XMODEM) of the key modulo 16,384 is its slot; when the key has a hash tag {..} that
 * is not empty, only the tag counts, so that related keys can be kept together. Slots are spread
 * over the groups in runs of equal size. Memory, time: none. Threads: pure. Limits: none. Refusals:
 * none. Cost: one table look-up per byte of the key; measured: not measured. Source: Redis Cluster
 * specification, "Keys distribution model".
 */
#ifndef DATAPLANE_EDGE_KEYSLOT_H
#define DATAPLANE_EDGE_KEYSLOT_H

#include "numa/base/types.h"

#define KEYSLOT_COUNT 16384u

uint32_t keyslot(const uint8_t *key, uint32_t key_bytes);

static inline uint16_t keyslot_group(const uint8_t *key, uint32_t key_bytes, uint16_t group_count)
{
    if (group_count == 1)
        return 0;
    return (uint16_t)(keyslot(key, key_bytes) * group_count / KEYSLOT_COUNT);
}

#endif
