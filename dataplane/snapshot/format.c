#include "dataplane/snapshot/format.h"

#include "dataplane/log/crc32c.h"
#include "dataplane/state/hash.h"
#include "numa/base/assert.h"

#include <stdlib.h>
#include <zstd.h>

/* From measurement: level 3 takes twice the time for a twentieth less. */
#define LEVEL    1
#define CRC_AT   84u
#define SUM_SEED HASH_SEED
#define MAGIC    UINT64_C(0x50414e5351) /* "QSNAP" and zeros */

static const char *const refusal_name[] = {
    [SNAPSHOT_OK] = "OK",
#define SNAPSHOT_REFUSAL(name, sentence) [SNAPSHOT_REFUSED_##name] = #name,
#include "dataplane/snapshot/refusals.def"
#undef SNAPSHOT_REFUSAL
};

static const char *const refusal_sentence[] = {
    [SNAPSHOT_OK] = "accepted",
#define SNAPSHOT_REFUSAL(name, sentence) [SNAPSHOT_REFUSED_##name] = sentence,
#include "dataplane/snapshot/refusals.def"
#undef SNAPSHOT_REFUSAL
};

const char *snapshot_refusal_name(enum snapshot_refusal refusal)
{
    return refusal_name[refusal];
}

const char *snapshot_refusal_sentence(enum snapshot_refusal refusal)
{
    return refusal_sentence[refusal];
}

uint32_t snapshot_crc(const void *data, size_t bytes)
{
    return crc32c_extend(0, data, bytes);
}

static void add(struct snapshot_sum *sum, const uint8_t *from, size_t bytes)
{
    sum->sum = hash_bytes(from, bytes, sum->sum);
}

/* ---- head ------------------------------------------------------------------------------------ */

static uint32_t head_crc(const uint8_t *head, uint32_t bytes)
{
    return crc32c_extend(crc32c_extend(0, head, CRC_AT), head + SNAPSHOT_FIXED_BYTES,
                         bytes - SNAPSHOT_FIXED_BYTES);
}

uint32_t snapshot_put_head(const struct snapshot_head *head, uint8_t *to, struct snapshot_sum *sum)
{
    uint32_t members_bytes = wire_members_size(head->members.count);
    uint32_t bytes = SNAPSHOT_FIXED_BYTES + members_bytes;
    memset(to, 0, SNAPSHOT_FIXED_BYTES);
    store_u64(to, MAGIC);
    store_u32(to + 8, SNAPSHOT_VERSION);
    store_u32(to + 12, bytes);
    store_u64(to + 16, head->cluster);
    store_u64(to + 24, head->config_hash);
    store_u64(to + 32, head->group);
    store_u64(to + 40, head->index);
    store_u64(to + 48, head->term);
    store_u64(to + 56, head->members_index);
    store_u64(to + 64, head->time_ms);
    store_u64(to + 72, head->digest);
    store_u32(to + 80, members_bytes);
    wire_members_encode(&head->members, to + SNAPSHOT_FIXED_BYTES);
    store_u32(to + CRC_AT, head_crc(to, bytes));
    *sum = (struct snapshot_sum){.sum = SUM_SEED};
    add(sum, to, bytes);
    return bytes;
}

uint32_t snapshot_head_bytes(const uint8_t *fixed)
{
    uint32_t bytes = load_u32(fixed + 12);
    return load_u64(fixed) == MAGIC && load_u32(fixed + 8) == SNAPSHOT_VERSION &&
                   bytes > SNAPSHOT_FIXED_BYTES && bytes <= SNAPSHOT_HEAD_BYTES_MAX
               ? bytes
               : 0;
}

enum snapshot_refusal snapshot_get_head(const uint8_t *from, uint32_t bytes,
                                        struct snapshot_head *head, struct snapshot_sum *sum)
{
    if (bytes < SNAPSHOT_FIXED_BYTES)
        return SNAPSHOT_REFUSED_SHORT;
    if (load_u64(from) != MAGIC)
        return SNAPSHOT_REFUSED_MAGIC;
    if (load_u32(from + 8) != SNAPSHOT_VERSION)
        return SNAPSHOT_REFUSED_VERSION;
    uint32_t whole = snapshot_head_bytes(from);
    if (whole > bytes)
        return SNAPSHOT_REFUSED_SHORT;
    if (whole == 0 || load_u32(from + 80) != whole - SNAPSHOT_FIXED_BYTES ||
        load_u32(from + CRC_AT) != head_crc(from, whole) || load_u64(from + 32) >> 16 != 0)
        return SNAPSHOT_REFUSED_HEAD;
    *head = (struct snapshot_head){
        .cluster = load_u64(from + 16),
        .config_hash = load_u64(from + 24),
        .group = load_u16(from + 32),
        .index = load_u64(from + 40),
        .term = load_u64(from + 48),
        .members_index = load_u64(from + 56),
        .time_ms = load_u64(from + 64),
        .digest = load_u64(from + 72),
    };
    enum wire_refusal members = wire_members_decode(from + SNAPSHOT_FIXED_BYTES,
                                                    whole - SNAPSHOT_FIXED_BYTES, &head->members);
    if (members == WIRE_REFUSED_LEVEL)
        return SNAPSHOT_REFUSED_VERSION;
    if (members != WIRE_OK || head->index == 0 || head->term == 0 ||
        head->members_index > head->index)
        return SNAPSHOT_REFUSED_HEAD;
    *sum = (struct snapshot_sum){.sum = SUM_SEED};
    add(sum, from, whole);
    return SNAPSHOT_OK;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

struct snapshot_packer {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
};

struct snapshot_packer *snapshot_packer_new(void)
{
    struct snapshot_packer *packer = malloc(sizeof *packer);
    if (packer == NULL)
        return NULL;
    *packer = (struct snapshot_packer){ZSTD_createCCtx(), ZSTD_createDCtx()};
    if (packer->compress != NULL && packer->decompress != NULL)
        return packer;
    snapshot_packer_free(packer);
    return NULL;
}

void snapshot_packer_free(struct snapshot_packer *packer)
{
    if (packer == NULL)
        return;
    (void)ZSTD_freeCCtx(packer->compress);
    (void)ZSTD_freeDCtx(packer->decompress);
    free(packer);
}

static uint32_t block_crc(const uint8_t *block, uint32_t packed_bytes)
{
    return crc32c_extend(crc32c_extend(0, block, SNAPSHOT_BLOCK_BYTES - 4),
                         block + SNAPSHOT_BLOCK_BYTES, packed_bytes);
}

static void count(struct snapshot_sum *sum, const uint8_t *block, uint32_t bytes,
                  uint32_t raw_bytes)
{
    add(sum, block, bytes);
    sum->raw_bytes += raw_bytes;
    sum->blocks++;
}

uint32_t snapshot_put_block(struct snapshot_packer *packer, const uint8_t *raw, uint32_t raw_bytes,
                            uint8_t *to, struct snapshot_sum *sum)
{
    ENSURE(raw_bytes != 0 && raw_bytes <= STATE_PART_BYTES_MAX);
    size_t packed =
        ZSTD_compressCCtx(packer->compress, to + SNAPSHOT_BLOCK_BYTES,
                          SNAPSHOT_PACKED_MAX - SNAPSHOT_BLOCK_BYTES, raw, raw_bytes, LEVEL);
    ENSURE(!ZSTD_isError(packed)); /* there is room for the worst case */
    store_u32(to, (uint32_t)packed);
    store_u32(to + 4, raw_bytes);
    store_u32(to + 8, 0);
    store_u32(to + 12, block_crc(to, (uint32_t)packed));
    count(sum, to, SNAPSHOT_BLOCK_BYTES + (uint32_t)packed, raw_bytes);
    return SNAPSHOT_BLOCK_BYTES + (uint32_t)packed;
}

enum snapshot_refusal snapshot_block_bytes(const uint8_t *from, uint32_t *packed_bytes, bool *tail)
{
    *packed_bytes = load_u32(from);
    *tail = *packed_bytes == 0;
    return *packed_bytes <= SNAPSHOT_PACKED_MAX - SNAPSHOT_BLOCK_BYTES ? SNAPSHOT_OK
                                                                       : SNAPSHOT_REFUSED_BLOCK;
}

enum snapshot_refusal snapshot_skim_block(const uint8_t *from, uint32_t bytes,
                                          struct snapshot_sum *sum)
{
    if (bytes < SNAPSHOT_BLOCK_BYTES)
        return SNAPSHOT_REFUSED_SHORT;
    uint32_t packed = load_u32(from), raw_bytes = load_u32(from + 4);
    if (packed == 0 || packed != bytes - SNAPSHOT_BLOCK_BYTES || raw_bytes == 0 ||
        raw_bytes > STATE_PART_BYTES_MAX || load_u32(from + 8) != 0 ||
        load_u32(from + 12) != block_crc(from, packed))
        return SNAPSHOT_REFUSED_BLOCK;
    count(sum, from, bytes, raw_bytes);
    return SNAPSHOT_OK;
}

enum snapshot_refusal snapshot_get_block(struct snapshot_packer *packer, const uint8_t *from,
                                         uint32_t bytes, uint8_t *raw, uint32_t *raw_bytes,
                                         struct snapshot_sum *sum)
{
    enum snapshot_refusal refusal = snapshot_skim_block(from, bytes, sum);
    if (refusal != SNAPSHOT_OK)
        return refusal;
    *raw_bytes = load_u32(from + 4);
    size_t got = ZSTD_decompressDCtx(packer->decompress, raw, *raw_bytes,
                                     from + SNAPSHOT_BLOCK_BYTES, bytes - SNAPSHOT_BLOCK_BYTES);
    return got == *raw_bytes ? SNAPSHOT_OK : SNAPSHOT_REFUSED_BLOCK;
}

/* ---- tail ------------------------------------------------------------------------------------ */

void snapshot_put_tail(const struct snapshot_sum *sum, uint8_t to[SNAPSHOT_TAIL_BYTES])
{
    memset(to, 0, SNAPSHOT_TAIL_BYTES);
    store_u32(to + 4, sum->blocks);
    store_u64(to + 8, sum->raw_bytes);
    store_u64(to + 16, sum->sum);
    store_u32(to + 28, snapshot_crc(to, SNAPSHOT_TAIL_BYTES - 4));
}

enum snapshot_refusal snapshot_get_tail(const uint8_t from[SNAPSHOT_TAIL_BYTES],
                                        const struct snapshot_sum *sum)
{
    uint8_t expected[SNAPSHOT_TAIL_BYTES];
    snapshot_put_tail(sum, expected);
    return memcmp(from, expected, sizeof expected) == 0 ? SNAPSHOT_OK : SNAPSHOT_REFUSED_TAIL;
}
