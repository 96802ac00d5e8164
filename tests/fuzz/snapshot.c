/* Any bytes as a snapshot's file; checksums are made right first, or nothing would get past
 * them. */
#include "dataplane/snapshot/format.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#define CRC_AT 84u

static void mend(uint8_t *from, uint32_t crc_at, uint32_t behind, uint32_t bytes)
{
    uint8_t *summed = malloc(bytes);
    ENSURE(summed != NULL);
    memcpy(summed, from, crc_at);
    memcpy(summed + crc_at, from + behind, bytes - behind);
    store_u32(from + crc_at, snapshot_crc(summed, crc_at + bytes - behind));
    free(summed);
}

static void take_blocks(struct snapshot_packer *packer, uint8_t *from, size_t bytes,
                        struct snapshot_sum *sum)
{
    static uint8_t raw[STATE_PART_BYTES_MAX];
    while (bytes >= SNAPSHOT_BLOCK_BYTES) {
        uint32_t packed, raw_bytes;
        bool tail;
        if (snapshot_block_bytes(from, &packed, &tail) != SNAPSHOT_OK)
            return;
        if (tail) {
            if (bytes >= SNAPSHOT_TAIL_BYTES)
                (void)snapshot_get_tail(from, sum);
            return;
        }
        uint32_t whole = SNAPSHOT_BLOCK_BYTES + packed;
        if (whole > bytes)
            return;
        mend(from, 12, SNAPSHOT_BLOCK_BYTES, whole);
        if (snapshot_get_block(packer, from, whole, raw, &raw_bytes, sum) != SNAPSHOT_OK)
            return;
        ENSURE(raw_bytes <= STATE_PART_BYTES_MAX);
        from += whole;
        bytes -= whole;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct snapshot_packer *packer;
    uint8_t again[SNAPSHOT_HEAD_BYTES_MAX];
    struct snapshot_head head;
    struct snapshot_sum sum;
    if (packer == NULL)
        packer = snapshot_packer_new();
    uint8_t *file = malloc(bytes + 1);
    ENSURE(packer != NULL && file != NULL);
    memcpy(file, data, bytes);
    uint32_t whole = bytes >= SNAPSHOT_FIXED_BYTES ? snapshot_head_bytes(file) : 0;
    if (whole != 0 && whole <= bytes)
        mend(file, CRC_AT, SNAPSHOT_FIXED_BYTES, whole);
    if (snapshot_get_head(file, (uint32_t)bytes, &head, &sum) == SNAPSHOT_OK) {
        ENSURE(snapshot_put_head(&head, again, &sum) == whole && memcmp(again, file, whole) == 0);
        take_blocks(packer, file + whole, bytes - whole, &sum);
    }
    free(file);
    return 0;
}
