#include "dataplane/log/format.h"

#include "dataplane/log/crc32c.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "protocols/wire/wire.h"

#define STAMP_OFFSET FORMAT_PAYLOAD_BYTES
#define CRC_OFFSET   (FORMAT_SECTOR_BYTES - 4u)

/* ---- superblock ------------------------------------------------------------------------------ */

void format_super_put(const struct format_super *super, uint8_t sector[FORMAT_SECTOR_BYTES])
{
    struct format_super copy = *super;
    copy.magic = FORMAT_SUPER_MAGIC;
    memset(copy.zero, 0, sizeof copy.zero);
    copy.spare = 0;
    copy.crc = crc32c_extend(0, &copy, CRC_OFFSET);
    memcpy(sector, &copy, sizeof copy);
}

bool format_super_get(struct format_super *super, const uint8_t sector[FORMAT_SECTOR_BYTES])
{
    memcpy(super, sector, sizeof *super);
    return super->magic == FORMAT_SUPER_MAGIC && super->crc == crc32c_extend(0, super, CRC_OFFSET);
}

/* ---- writes ---------------------------------------------------------------------------------- */

/* Where the displaced words begin, and how many there are: one for each stamp that lies before. */
static uint64_t words_start(uint64_t bytes, uint64_t *words)
{
    *words = (bytes + FORMAT_STAMP_BYTES - 1) / FORMAT_SECTOR_BYTES;
    return round_up(bytes, FORMAT_STAMP_BYTES);
}

/* The next place at or after `at` that no stamp takes. */
static uint64_t word_place(uint64_t at)
{
    return at % FORMAT_SECTOR_BYTES == STAMP_OFFSET ? at + FORMAT_STAMP_BYTES : at;
}

/* A displaced word takes the place of one that its stamp has taken: 496 bytes a sector remain. */
uint64_t format_write_bytes(uint64_t bytes)
{
    return (bytes + FORMAT_BLOCK_SECTORS * FORMAT_PAYLOAD_BYTES - 1) /
           (FORMAT_BLOCK_SECTORS * FORMAT_PAYLOAD_BYTES) * FORMAT_BLOCK_BYTES;
}

static uint32_t sector_crc(const uint8_t *sector, uint64_t nonce, uint64_t place)
{
    uint64_t origin[2] = {nonce, place};
    return crc32c_extend(crc32c_extend(0, origin, sizeof origin), sector, CRC_OFFSET);
}

uint32_t format_seal(uint8_t *data, uint64_t nonce, uint64_t place)
{
    struct format_head *head = (void *)data;
    uint64_t total = format_write_bytes(head->bytes);
    uint64_t words, at = words_start(head->bytes, &words);
    ENSURE(head->bytes % 8 == 0 && head->bytes >= FORMAT_HEAD_BYTES &&
           total / FORMAT_SECTOR_BYTES <= FORMAT_SECTORS_MAX);
    head->magic = FORMAT_WRITE_MAGIC;
    head->version = FORMAT_VERSION;
    head->sectors = (uint32_t)(total / FORMAT_SECTOR_BYTES);
    memset(data + head->bytes, 0, total - head->bytes);
    for (uint64_t i = 0; i < words; i++, at += FORMAT_STAMP_BYTES) {
        at = word_place(at);
        memcpy(data + at, data + i * FORMAT_SECTOR_BYTES + STAMP_OFFSET, FORMAT_STAMP_BYTES);
    }
    uint32_t chain = head->chain, sectors = head->sectors;
    struct format_stamp stamp = {.number = head->number};
    for (; stamp.index < sectors; stamp.index++) {
        uint8_t *sector = data + (uint64_t)stamp.index * FORMAT_SECTOR_BYTES;
        memcpy(sector + STAMP_OFFSET, &stamp, FORMAT_STAMP_BYTES - 4);
        uint32_t crc = sector_crc(sector, nonce, place + stamp.index);
        store_u32(sector + CRC_OFFSET, crc);
        chain = crc32c_extend(chain, &crc, sizeof crc);
    }
    return chain;
}

static bool is_blank(const uint8_t *sector)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < FORMAT_SECTOR_BYTES; i += 8)
        any |= load_u64(sector + i);
    return any == 0;
}

enum format_sector format_sector(const uint8_t *sector, uint64_t nonce, uint64_t place,
                                 struct format_stamp *stamp)
{
    memcpy(stamp, sector + STAMP_OFFSET, sizeof *stamp);
    if (stamp->number != 0 && stamp->crc == sector_crc(sector, nonce, place))
        return FORMAT_WHOLE;
    return is_blank(sector) ? FORMAT_BLANK : FORMAT_BROKEN;
}

bool format_head_get(struct format_head *head, const uint8_t *sector, uint64_t bytes_left)
{
    memcpy(head, sector, sizeof *head);
    return head->magic == FORMAT_WRITE_MAGIC && head->version == FORMAT_VERSION &&
           head->bytes % 8 == 0 && head->bytes >= FORMAT_HEAD_BYTES &&
           head->sectors <= FORMAT_SECTORS_MAX &&
           (uint64_t)head->sectors * FORMAT_SECTOR_BYTES <= bytes_left &&
           (uint64_t)head->sectors * FORMAT_SECTOR_BYTES == format_write_bytes(head->bytes) &&
           head->previous < head->number && head->complete < head->number;
}

uint32_t format_chain(const uint8_t *data, const struct format_head *head)
{
    uint32_t chain = head->chain;
    for (uint32_t i = 0; i < head->sectors; i++)
        chain = crc32c_extend(chain, data + (uint64_t)i * FORMAT_SECTOR_BYTES + CRC_OFFSET, 4);
    return chain;
}

void format_open(uint8_t *data, const struct format_head *head)
{
    uint64_t words, at = words_start(head->bytes, &words);
    for (uint64_t i = 0; i < words; i++, at += FORMAT_STAMP_BYTES) {
        at = word_place(at);
        memcpy(data + i * FORMAT_SECTOR_BYTES + STAMP_OFFSET, data + at, FORMAT_STAMP_BYTES);
    }
}

/* Entries first, first + 1, ... of the record's group fill it, none above its term. */
static bool entries_fit(const struct format_record *record, const uint8_t *entries)
{
    uint64_t offset = 0;
    for (uint32_t i = 0; i < record->count; i++) {
        if (record->bytes - offset < WIRE_ENTRY_BYTES)
            return false;
        const struct wire_entry *entry = (const void *)(entries + offset);
        if (entry->body_bytes > WIRE_BODY_BYTES_MAX || entry->group != record->group ||
            entry->index != record->first + i || entry->term == 0 || entry->term > record->term ||
            wire_entry_size(entry->body_bytes) > record->bytes - offset)
            return false;
        offset += wire_entry_size(entry->body_bytes);
    }
    return offset == record->bytes && (record->count == 0) == (record->first == 0);
}

bool format_record_get(const uint8_t *data, const struct format_head *head, uint32_t *offset,
                       struct format_record *record, const uint8_t **entries)
{
    if (head->bytes - *offset < FORMAT_RECORD_BYTES)
        return false;
    memcpy(record, data + *offset, sizeof *record);
    *entries = data + *offset + FORMAT_RECORD_BYTES;
    if (record->bytes > head->bytes - *offset - FORMAT_RECORD_BYTES ||
        !entries_fit(record, *entries))
        return false;
    *offset += FORMAT_RECORD_BYTES + record->bytes;
    return true;
}
