/* format.h: the bytes of the log on disk, and the judgement of each of its sectors.
 * docs/log-format.md draws them.
 *
 * Shape: a write is built in one run of memory: head, records, entries. format_seal moves the words
 *   that stamps displace behind it, pads it to whole blocks and stamps each sector; format_open
 *   undoes that in place, so that entries are one run again.
 *
 *     | head, records, entries ......... | displaced words | zeroes |     seal ▼   ▲ open
 *     |......496......|s|......496......|s|......496......|s|......496......|s|
 *
 * Memory: the caller's. Threads: pure functions. Time: none.
 * Limits: FORMAT_SECTORS_MAX sectors per write; 2^32 segments.
 * Refusals: format_head_get and format_record_get return false for what was not written by
 *   format_*_put; format_sector says blank or broken.
 * Cost: one pass for the checksum (crc32c.h); 16 bytes moved per sector.
 */
#ifndef DATAPLANE_LOG_FORMAT_H
#define DATAPLANE_LOG_FORMAT_H

#include "numa/base/types.h"

#include <assert.h>

#define FORMAT_SECTOR_BYTES  512u
#define FORMAT_BLOCK_BYTES   4096u
#define FORMAT_BLOCK_SECTORS (FORMAT_BLOCK_BYTES / FORMAT_SECTOR_BYTES)
#define FORMAT_STAMP_BYTES   16u
#define FORMAT_PAYLOAD_BYTES (FORMAT_SECTOR_BYTES - FORMAT_STAMP_BYTES)
#define FORMAT_HEAD_BYTES    96u
#define FORMAT_RECORD_BYTES  48u
#define FORMAT_SUPER_COPIES  2u
#define FORMAT_SUPER_BYTES   (FORMAT_SUPER_COPIES * (uint64_t)FORMAT_BLOCK_BYTES)
#define FORMAT_SECTORS_MAX   (1u << 16)
#define FORMAT_WRITE_MAGIC   0x314c5751u /* "QWL1" */
#define FORMAT_SUPER_MAGIC   0x31535751u /* "QWS1" */
#define FORMAT_VERSION       1u
#define FORMAT_OPENS         1u /* flag: the first write of its segment */
#define FORMAT_GAPS_MAX      8u
/* Numbers that a restart leaves out: more than can be in flight. */
#define FORMAT_LEAP 16u

struct format_stamp {
    uint64_t number;
    uint32_t index;
    uint32_t crc;
};
static_assert(sizeof(struct format_stamp) == FORMAT_STAMP_BYTES, "as on disk");

struct format_head {
    uint32_t magic;
    uint16_t version;
    uint16_t flags;
    uint32_t bytes;
    uint32_t sectors;
    uint64_t number;
    uint64_t previous;
    uint64_t boot;
    uint64_t segment;
    uint64_t oldest;
    uint64_t complete;
    uint64_t groups;
    uint32_t chain;
    uint32_t records;
    uint64_t zero[2];
};
static_assert(sizeof(struct format_head) == FORMAT_HEAD_BYTES, "as on disk");

struct format_record {
    uint32_t bytes;
    uint32_t count;
    uint64_t term;
    uint64_t first;
    uint64_t released;
    uint64_t released_term;
    uint16_t group;
    uint16_t vote;
    uint32_t behind; /* with entries: last + 1 - those known to be committed; 0: says nothing */
};
static_assert(sizeof(struct format_record) == FORMAT_RECORD_BYTES, "as on disk");

/* Between these two writes some are missing or damaged. 0, 0: no gap. */
struct format_gap {
    uint64_t from;
    uint64_t to;
};

struct format_super {
    uint32_t magic;
    uint32_t version;
    uint64_t cluster; /* 0: none yet */
    uint64_t nonce;   /* drawn when the log was made */
    uint16_t node;
    uint8_t lane;
    uint8_t lanes;
    uint32_t segments;
    uint64_t segment_bytes;
    uint64_t edition;
    uint64_t boots;
    uint64_t after;
    uint64_t first;
    uint64_t damaged; /* bit group / lanes: does not vote until its log was matched */
    struct format_gap gap[FORMAT_GAPS_MAX]; /* they count in `damaged` already */
    uint8_t zero[296];
    uint32_t spare;
    uint32_t crc;
};
static_assert(sizeof(struct format_super) == FORMAT_SECTOR_BYTES, "as on disk");

/* ---- superblock ------------------------------------------------------------------------------ */

void format_super_put(const struct format_super *super, uint8_t sector[FORMAT_SECTOR_BYTES]);
/* False: not a superblock, or not whole. The version is the caller's to judge. */
bool format_super_get(struct format_super *super, const uint8_t sector[FORMAT_SECTOR_BYTES]);

/* ---- writes ---------------------------------------------------------------------------------- */

/* Bytes on disk of a write whose head, records and entries are `bytes`; and the most that may be in
 * a write of `write_bytes`, which are whole blocks. */
uint64_t format_write_bytes(uint64_t bytes);
static inline uint64_t format_capacity(uint64_t write_bytes)
{
    return write_bytes / FORMAT_SECTOR_BYTES * FORMAT_PAYLOAD_BYTES;
}

/* Pads, displaces and stamps the write whose head stands at `data`; head.bytes and head.sectors are
 * filled in. `data` has room for format_write_bytes. `place` is its first sector's in the file.
 * Returns the chain for the write after it. */
uint32_t format_seal(uint8_t *data, uint64_t nonce, uint64_t place);

enum format_sector { FORMAT_BLANK, FORMAT_WHOLE, FORMAT_BROKEN };
/* `stamp` is filled in when the sector is whole. */
enum format_sector format_sector(const uint8_t *sector, uint64_t nonce, uint64_t place,
                                 struct format_stamp *stamp);

/* The head in a whole sector of index 0. False: not a head that fits `bytes_left` of a segment. */
bool format_head_get(struct format_head *head, const uint8_t *sector, uint64_t bytes_left);

/* What the next write's head must bear: from sectors that are all whole. */
uint32_t format_chain(const uint8_t *data, const struct format_head *head);

/* Puts displaced words back. Afterwards head.bytes bytes are as they were before format_seal. */
void format_open(uint8_t *data, const struct format_head *head);

/* Walks an opened write: *offset starts at FORMAT_HEAD_BYTES. False at the end, and, with *offset
 * not at head->bytes, where the bytes make no sense: entries that do not fill the record, are not
 * numbered in order, of another group, or above the record's term. */
bool format_record_get(const uint8_t *data, const struct format_head *head, uint32_t *offset,
                       struct format_record *record, const uint8_t **entries);

#endif
