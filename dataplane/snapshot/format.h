/* format.h: a snapshot as bytes: what it is of, the state in blocks, and a sum over all of it.
 *
 * Shape: little-endian; the same state, index and members give the same bytes, at every member.
 *
 *   file     | head | block | block | ... | tail |
 *   head     | "QSNAP" 0 0 0 8 | version 4 | bytes of head 4 | cluster 8 | config hash 8 | group 2
 *            | zero 6 | index 8 | term 8 | members_index 8 | log time, ms 8 | digest 8
 *            | members bytes 4 | crc of all before and the members 4 | members |
 *   block    | packed bytes 4 | raw bytes 4 | zero 4 | crc of these and the packed 4 | packed |
 *   tail     | 0 4 | blocks 4 | raw bytes of all blocks 8 | sum 8 | zero 4 | crc 4 |
 *
 *   A block is one part of the state (dataplane/state/image.h), a zstd frame of its own. The crc is
 *   CRC32C; the sum is a chained 64-bit hash of head and blocks, and names the snapshot. Bytes are
 *   equal among members that pack with one version of zstd.
 *
 * Memory: the caller's buffers; a packer and an unpacker hold a zstd context, which allocates.
 * Threads: one per packer or unpacker; control, never a polling core. Time: none.
 * Limits: STATE_PART_BYTES_MAX per block; WIRE_MEMBERS_MAX members.
 * Refusals: enum snapshot_refusal, in refusals.def. Total: whatever the bytes.
 * Cost: zstd level 1, some 2 ns per raw byte; measured: README.md.
 * Source: CRC32C: RFC 3720 B.4; zstd: RFC 8878.
 */
#ifndef DATAPLANE_SNAPSHOT_FORMAT_H
#define DATAPLANE_SNAPSHOT_FORMAT_H

#include "dataplane/state/capture.h"
#include "protocols/wire/members.h"

#define SNAPSHOT_VERSION        1u
#define SNAPSHOT_FIXED_BYTES    88u
#define SNAPSHOT_HEAD_BYTES_MAX (SNAPSHOT_FIXED_BYTES + WIRE_MEMBERS_BYTES_MAX)
#define SNAPSHOT_BLOCK_BYTES    16u
#define SNAPSHOT_TAIL_BYTES     32u
/* Of a packed block with its header: what can not be packed grows by less than 1 in 256 and 64. */
#define SNAPSHOT_PACKED_MAX                                                                        \
    (SNAPSHOT_BLOCK_BYTES + STATE_PART_BYTES_MAX + STATE_PART_BYTES_MAX / 128 + 1024)

enum snapshot_refusal {
    SNAPSHOT_OK = 0,
#define SNAPSHOT_REFUSAL(name, sentence) SNAPSHOT_REFUSED_##name,
#include "dataplane/snapshot/refusals.def"
#undef SNAPSHOT_REFUSAL
    SNAPSHOT_REFUSAL_COUNT
};
const char *snapshot_refusal_name(enum snapshot_refusal refusal);
const char *snapshot_refusal_sentence(enum snapshot_refusal refusal);

/* What a snapshot is of. */
struct snapshot_head {
    uint64_t cluster;
    uint64_t config_hash;
    uint16_t group;
    uint64_t index; /* of the last entry that it covers */
    uint64_t term;  /* that entry's */
    uint64_t members_index;
    uint64_t time_ms; /* log time */
    uint64_t digest;  /* of the state */
    struct wire_members members;
};

/* Running sums of a file that is written or read. */
struct snapshot_sum {
    uint64_t sum;
    uint64_t raw_bytes;
    uint32_t blocks;
};

uint32_t snapshot_crc(const void *data, size_t bytes);

/* `to` has SNAPSHOT_HEAD_BYTES_MAX; members must be valid. Returns the head's bytes. */
uint32_t snapshot_put_head(const struct snapshot_head *head, uint8_t *to, struct snapshot_sum *sum);

/* How long the head is that begins with these SNAPSHOT_FIXED_BYTES; 0: it is none. */
uint32_t snapshot_head_bytes(const uint8_t *fixed);
enum snapshot_refusal snapshot_get_head(const uint8_t *from, uint32_t bytes,
                                        struct snapshot_head *head, struct snapshot_sum *sum);

struct snapshot_packer;                            /* one zstd context each way */
struct snapshot_packer *snapshot_packer_new(void); /* NULL: no memory */
void snapshot_packer_free(struct snapshot_packer *packer);

/* One block; `to` has SNAPSHOT_PACKED_MAX; returns its bytes. raw_bytes is 1 to
 * STATE_PART_BYTES_MAX. */
uint32_t snapshot_put_block(struct snapshot_packer *packer, const uint8_t *raw, uint32_t raw_bytes,
                            uint8_t *to, struct snapshot_sum *sum);

/* What follows the SNAPSHOT_BLOCK_BYTES at `from`: packed bytes of a block; 0 with *tail: this is
 * where the tail begins. Refuses lengths that no block has. */
enum snapshot_refusal snapshot_block_bytes(const uint8_t *from, uint32_t *packed_bytes, bool *tail);
/* `from` holds the block with its header; `raw` has STATE_PART_BYTES_MAX. */
enum snapshot_refusal snapshot_get_block(struct snapshot_packer *packer, const uint8_t *from,
                                         uint32_t bytes, uint8_t *raw, uint32_t *raw_bytes,
                                         struct snapshot_sum *sum);
/* Adds a block to the sums without unpacking it: its crc is checked. */
enum snapshot_refusal snapshot_skim_block(const uint8_t *from, uint32_t bytes,
                                          struct snapshot_sum *sum);

void snapshot_put_tail(const struct snapshot_sum *sum, uint8_t to[SNAPSHOT_TAIL_BYTES]);
enum snapshot_refusal snapshot_get_tail(const uint8_t from[SNAPSHOT_TAIL_BYTES],
                                        const struct snapshot_sum *sum);

#endif
