/* judge: what stands at a place of the log, sector by sector. */
#include "dataplane/log/recovery.h"

#include <stdlib.h>

#define READ_BYTES (4u << 20)

/* ---- reading --------------------------------------------------------------------------------- */

bool judge_refuse(struct wal_recovery *mine, enum wal_refusal refusal)
{
    if (mine->refusal == WAL_OPENED)
        mine->refusal = refusal;
    return false;
}

static bool load(struct wal_recovery *mine, uint64_t segment, uint8_t **bytes)
{
    const struct wal_config *config = &mine->wal->config;
    uint64_t place = judge_place(mine, segment);
    *bytes = mine->bytes[place];
    if (*bytes != NULL)
        return true;
    *bytes = mine->bytes[place] = aligned_alloc(FORMAT_BLOCK_BYTES, config->segment_bytes);
    if (*bytes == NULL)
        return judge_refuse(mine, WAL_REFUSED_MEMORY);
    for (uint64_t at = 0; at < config->segment_bytes; at += READ_BYTES)
        if (config->file->calls->read(config->file, wal_place(mine->wal, segment, at), *bytes + at,
                                      min_u64(READ_BYTES, config->segment_bytes - at)) != 0)
            return judge_refuse(mine, WAL_REFUSED_READ);
    return true;
}

static enum format_sector look(struct wal_recovery *mine, uint64_t segment, uint64_t offset,
                               const uint8_t *sector, struct format_stamp *stamp)
{
    uint64_t place = wal_place(mine->wal, segment, offset) / FORMAT_SECTOR_BYTES;
    enum format_sector state = format_sector(sector, mine->wal->super.nonce, place, stamp);
    if (state == FORMAT_WHOLE)
        mine->highest = max_u64(mine->highest, stamp->number);
    return state;
}

/* No more segments are live than there are: what says so was not written by a writer, and no loop
 * over segments may be led on by it. */
static bool fits_ring(const struct wal_recovery *mine, const struct format_head *head)
{
    return head->oldest <= head->segment &&
           head->segment - head->oldest < mine->wal->config.segments;
}

bool judge_starts(struct wal_recovery *mine)
{
    const struct wal_config *config = &mine->wal->config;
    uint8_t *block = mine->wal->batch[0].bytes;
    for (uint32_t i = 0; i < config->segments; i++) {
        struct start *start = &mine->start[i];
        struct format_stamp stamp;
        if (config->file->calls->read(config->file, wal_place(mine->wal, i, 0), block,
                                      FORMAT_BLOCK_BYTES) != 0)
            return judge_refuse(mine, WAL_REFUSED_READ);
        start->is_write = look(mine, i, 0, block, &stamp) == FORMAT_WHOLE && stamp.index == 0 &&
                          format_head_get(&start->head, block, config->segment_bytes) &&
                          start->head.number == stamp.number && fits_ring(mine, &start->head) &&
                          (start->head.flags & FORMAT_OPENS) != 0 &&
                          judge_place(mine, start->head.segment) == i;
        start->segment = start->head.segment;
    }
    return true;
}

const struct start *judge_start(const struct wal_recovery *mine, uint64_t segment)
{
    const struct start *start = &mine->start[judge_place(mine, segment)];
    return start->is_write && start->segment == segment ? start : NULL;
}

/* ---- judging --------------------------------------------------------------------------------- */

/* The first sector is broken. Was the block written at all? A write takes whole blocks. */
static enum judge_verdict judge_block(struct wal_recovery *mine, uint64_t segment, uint64_t offset,
                                      const uint8_t *bytes)
{
    for (uint32_t i = 1; i < FORMAT_BLOCK_SECTORS; i++) {
        uint64_t at = offset + i * FORMAT_SECTOR_BYTES;
        struct format_stamp stamp;
        enum format_sector state = look(mine, segment, at, bytes + at, &stamp);
        if (state == FORMAT_BLANK || (state == FORMAT_WHOLE && stamp.number < mine->expected))
            return WRITE_ABSENT;
    }
    return WRITE_DAMAGED;
}

static enum judge_verdict judge_sectors(struct wal_recovery *mine, uint64_t offset,
                                        const uint8_t *bytes, const struct format_head *head)
{
    enum judge_verdict verdict = WRITE_WHOLE;
    for (uint32_t i = 1; i < head->sectors; i++) {
        uint64_t at = offset + (uint64_t)i * FORMAT_SECTOR_BYTES;
        struct format_stamp stamp;
        enum format_sector state = look(mine, head->segment, at, bytes + at, &stamp);
        if (state == FORMAT_BLANK || (state == FORMAT_WHOLE && stamp.number < head->number))
            return WRITE_ABSENT; /* proved, whatever else is wrong with it */
        if (state != FORMAT_WHOLE || stamp.number != head->number || stamp.index != i)
            verdict = WRITE_DAMAGED;
    }
    return verdict;
}

enum judge_verdict judge_write(struct wal_recovery *mine, uint64_t segment, uint64_t offset,
                               struct format_head *head)
{
    uint64_t left = mine->wal->config.segment_bytes - offset;
    struct format_stamp stamp;
    uint8_t *bytes;
    *head = (struct format_head){0};
    if (left < FORMAT_BLOCK_BYTES || !load(mine, segment, &bytes))
        return WRITE_ABSENT;
    enum format_sector state = look(mine, segment, offset, bytes + offset, &stamp);
    if (state == FORMAT_BROKEN)
        return judge_block(mine, segment, offset, bytes);
    if (state == FORMAT_BLANK || stamp.number < mine->expected)
        return WRITE_ABSENT;
    struct format_head found;
    if (stamp.index != 0 || !format_head_get(&found, bytes + offset, left) ||
        found.number != stamp.number || found.segment != segment || !fits_ring(mine, &found) ||
        ((found.flags & FORMAT_OPENS) != 0) != (offset == 0))
        return WRITE_DAMAGED;
    *head = found;
    return judge_sectors(mine, offset, bytes, head);
}

/* Does this sector show that the write which is missing had been complete? */
static bool shows_loss(struct wal_recovery *mine, const struct format_stamp *stamp,
                       const uint8_t *sector)
{
    struct format_head head;
    if (stamp->number < mine->expected)
        return false;
    return stamp->number >= mine->expected + WAL_IN_FLIGHT_MAX ||
           (stamp->index == 0 && format_head_get(&head, sector, UINT64_MAX) &&
            head.complete >= mine->expected);
}

static bool segment_shows_loss(struct wal_recovery *mine, uint64_t segment, uint64_t offset)
{
    uint8_t *bytes;
    if (!load(mine, segment, &bytes))
        return false;
    for (; offset < mine->wal->config.segment_bytes; offset += FORMAT_SECTOR_BYTES) {
        struct format_stamp stamp;
        if (look(mine, segment, offset, bytes + offset, &stamp) == FORMAT_WHOLE &&
            shows_loss(mine, &stamp, bytes + offset))
            return true;
    }
    return false;
}

bool judge_lost(struct wal_recovery *mine, uint64_t segment, uint64_t offset)
{
    if (segment_shows_loss(mine, segment, offset))
        return true;
    /* The next one may have lost its first write. */
    if (judge_has_next(mine, segment) && segment_shows_loss(mine, segment + 1, 0))
        return true;
    for (uint32_t i = 0; i < mine->wal->config.segments; i++) {
        const struct start *start = &mine->start[i];
        struct format_stamp stamp = {.number = start->head.number};
        if (start->is_write && start->segment > segment &&
            shows_loss(mine, &stamp, (const uint8_t *)&start->head))
            return true;
    }
    return false;
}
