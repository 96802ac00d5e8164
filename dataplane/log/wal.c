/* wal: a log is opened, made, named, and closed. */
#include "dataplane/log/wal.h"

#include "dataplane/log/wal_internal.h"
#include "numa/base/layout.h"

#include <errno.h>
#include <stdlib.h>

#define SEGMENTS_MIN    4u
#define BATCH_BYTES_MAX (1u << 20)

static const char *const sentence[WAL_REFUSAL_COUNT] = {
    "the log is open",
#define WAL_REFUSAL(name, text) text,
#include "dataplane/log/wal_refusals.def"
#undef WAL_REFUSAL
};

const char *wal_refusal_sentence(enum wal_refusal refusal)
{
    ENSURE(refusal < WAL_REFUSAL_COUNT);
    return sentence[refusal];
}

void wal_config_defaults(struct wal_config *config)
{
    *config = (struct wal_config){
        .segment_bytes = 64u << 20,
        .segments = 16,
        .batch_bytes = 256u << 10,
        .body_bytes_max = WIRE_BODY_BYTES_MAX,
        .in_flight = 2,
        .group_count = 1,
        .lanes = 1,
    };
}

static uint32_t groups_here(const struct wal_config *config)
{
    if (config->lane >= config->group_count)
        return 0;
    return (config->group_count - 1u - config->lane) / config->lanes + 1;
}

/* The largest entry, in a batch that opens a segment. */
static uint64_t write_bytes_max(const struct wal_config *config)
{
    uint64_t bytes = FORMAT_HEAD_BYTES + (WAL_GROUPS_MAX + 1u) * FORMAT_RECORD_BYTES +
                     wire_entry_size(config->body_bytes_max);
    return max_u64(format_write_bytes(bytes), config->batch_bytes);
}

struct parts {
    size_t highest;
    size_t batches;
};

static size_t lay_out(const struct wal_config *config, struct parts *parts)
{
    if (config->lanes == 0 || config->lane >= config->lanes || config->group_count == 0 ||
        groups_here(config) > WAL_GROUPS_MAX || config->in_flight == 0 ||
        config->in_flight > WAL_IN_FLIGHT_MAX || config->batch_bytes < FORMAT_BLOCK_BYTES ||
        config->batch_bytes % FORMAT_BLOCK_BYTES != 0 || config->batch_bytes > BATCH_BYTES_MAX ||
        config->body_bytes_max > WIRE_BODY_BYTES_MAX || config->segments < SEGMENTS_MIN ||
        config->segments > WAL_SEGMENTS_MAX || config->segment_bytes % FORMAT_BLOCK_BYTES != 0 ||
        config->segment_bytes < 2 * write_bytes_max(config) ||
        config->segment_bytes > UINT64_MAX / 2 / config->segments)
        return 0;
    struct layout layout = {0};
    layout_add(&layout, sizeof(struct wal));
    parts->highest = layout_add(&layout, config->segments * WAL_GROUPS_MAX * sizeof(uint64_t));
    /* One block more, since memory is aligned to a cache line. */
    parts->batches =
        layout_add(&layout, (config->in_flight + 1) * write_bytes_max(config) + FORMAT_BLOCK_BYTES);
    return layout.bytes;
}

size_t wal_footprint(const struct wal_config *config)
{
    struct parts parts;
    return lay_out(config, &parts);
}

static struct wal *init(void *memory, const struct wal_config *config)
{
    struct parts parts;
    if (lay_out(config, &parts) == 0)
        return NULL;
    ENSURE((uintptr_t)memory % CACHE_LINE_BYTES == 0);
    struct wal *wal = memory;
    memset(wal, 0, sizeof *wal);
    wal->storage.calls = &writer_calls;
    wal->config = *config;
    wal->groups_here = groups_here(config);
    wal->write_bytes_max = write_bytes_max(config);
    wal->highest = (void *)((uint8_t *)memory + parts.highest);
    memset(wal->highest, 0, config->segments * WAL_GROUPS_MAX * sizeof(uint64_t));
    uint8_t *batches =
        (void *)round_up((uintptr_t)((uint8_t *)memory + parts.batches), FORMAT_BLOCK_BYTES);
    for (uint32_t i = 0; i <= config->in_flight; i++)
        wal->batch[i].bytes = batches + i * wal->write_bytes_max;
    for (uint32_t i = 0; i < WAL_GROUPS_MAX; i++)
        wal->group[i].vote = UINT16_MAX;
    return wal;
}

/* ---- the superblock -------------------------------------------------------------------------- */

static enum wal_refusal refuse_write(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? WAL_REFUSED_SPACE
                                                                : WAL_REFUSED_WRITE;
}

/* One copy after the other: whatever is cut, one of them is whole. */
static bool write_super(struct wal *wal, uint8_t *block)
{
    const struct wal_file_calls *calls = wal->config.file->calls;
    wal->super.edition++;
    memset(block, 0, FORMAT_BLOCK_BYTES);
    format_super_put(&wal->super, block);
    for (uint32_t copy = 0; copy < FORMAT_SUPER_COPIES; copy++)
        if (calls->write(wal->config.file, copy * (uint64_t)FORMAT_BLOCK_BYTES, block,
                         FORMAT_BLOCK_BYTES) != 0 ||
            calls->sync(wal->config.file) != 0)
            return false;
    return true;
}

/* While the lane runs its batches are its own. */
static bool rewrite_super(struct wal *wal)
{
    uint8_t *block = aligned_alloc(FORMAT_BLOCK_BYTES, FORMAT_BLOCK_BYTES);
    bool written = block != NULL && write_super(wal, block);
    free(block);
    return written;
}

static bool all_zero(const uint8_t *bytes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* A log that was never finished is blank from end to end; one whose superblocks are gone is not. */
static enum wal_refusal check_blank(struct wal *wal, uint8_t *block)
{
    const struct wal_file_calls *calls = wal->config.file->calls;
    for (uint32_t i = 0; i < wal->config.segments; i++) {
        if (calls->read(wal->config.file, wal_place(wal, i, 0), block, FORMAT_BLOCK_BYTES) != 0)
            return WAL_REFUSED_READ;
        if (!all_zero(block, FORMAT_BLOCK_BYTES))
            return WAL_REFUSED_SUPERBLOCK;
    }
    return WAL_OPENED;
}

static enum wal_refusal make(struct wal *wal)
{
    const struct wal_config *config = &wal->config;
    const struct wal_file_calls *calls = config->file->calls;
    uint8_t *zeroes = wal->batch[0].bytes;
    enum wal_refusal refusal = check_blank(wal, zeroes);
    if (refusal != WAL_OPENED)
        return refusal;
    memset(zeroes, 0, wal->write_bytes_max);
    uint64_t end = wal_place(wal, config->segments - 1, config->segment_bytes);
    for (uint64_t at = 0; at < end; at += wal->write_bytes_max) {
        int error = calls->write(config->file, at, zeroes, min_u64(wal->write_bytes_max, end - at));
        if (error != 0)
            return refuse_write(error);
    }
    int error = calls->sync(config->file);
    if (error != 0)
        return refuse_write(error);
    wal->super = (struct format_super){
        .version = FORMAT_VERSION,
        .cluster = config->cluster,
        .nonce = config->nonce,
        .node = config->node,
        .lane = config->lane,
        .lanes = config->lanes,
        .segments = config->segments,
        .segment_bytes = config->segment_bytes,
        .first = 1,
    };
    return WAL_OPENED;
}

/* True: `super` is the newest whole copy. *blank: there never was one. */
static enum wal_refusal read_super(struct wal *wal, bool *blank)
{
    uint8_t *block = wal->batch[0].bytes;
    bool found = false;
    *blank = true;
    for (uint32_t copy = 0; copy < FORMAT_SUPER_COPIES; copy++) {
        struct format_super super;
        if (wal->config.file->calls->read(wal->config.file, copy * (uint64_t)FORMAT_BLOCK_BYTES,
                                          block, FORMAT_BLOCK_BYTES) != 0)
            return WAL_REFUSED_READ;
        *blank = *blank && all_zero(block, FORMAT_BLOCK_BYTES);
        if (!format_super_get(&super, block) || (found && super.edition <= wal->super.edition))
            continue;
        wal->super = super;
        found = true;
    }
    return found || *blank ? WAL_OPENED : WAL_REFUSED_SUPERBLOCK;
}

static enum wal_refusal check_super(const struct wal *wal)
{
    const struct format_super *super = &wal->super;
    const struct wal_config *config = &wal->config;
    if (super->version != FORMAT_VERSION)
        return WAL_REFUSED_VERSION;
    if (config->cluster != 0 && super->cluster != 0 && super->cluster != config->cluster)
        return WAL_REFUSED_CLUSTER;
    if (super->node != config->node)
        return WAL_REFUSED_NODE;
    if (config->nonce_known && super->nonce != config->nonce)
        return WAL_REFUSED_LIFE;
    if (super->lane != config->lane || super->lanes != config->lanes)
        return WAL_REFUSED_LANES;
    if (super->segments != config->segments || super->segment_bytes != config->segment_bytes)
        return WAL_REFUSED_SHAPE;
    return WAL_OPENED;
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum wal_refusal open_log(struct wal *wal)
{
    bool blank;
    enum wal_refusal refusal = read_super(wal, &blank);
    if (refusal == WAL_OPENED)
        refusal = !blank ? check_super(wal) : wal->config.made ? WAL_REFUSED_LOST : make(wal);
    wal->made = blank;
    uint64_t damaged = 0, first = 1;
    if (refusal == WAL_OPENED)
        refusal = recover_read(wal, &damaged, &first);
    if (refusal != WAL_OPENED)
        return refusal;
    wal->number = first;
    wal->complete = wal->previous;
    wal->durable_oldest = wal->oldest;
    if (wal->super.cluster == 0)
        wal->super.cluster = wal->config.cluster;
    wal->super.boots++;
    wal->super.after = wal->previous;
    wal->super.first = first;
    wal->super.damaged |= damaged;
    /* The flush behind it makes durable whatever was read above and is believed from here on. */
    if (!write_super(wal, wal->batch[0].bytes))
        return WAL_REFUSED_WRITE;
    atomic_store_explicit(&wal->room_bytes, writer_room(wal), memory_order_relaxed);
    return WAL_OPENED;
}

struct storage *wal_open(void *memory, const struct wal_config *config, enum wal_refusal *refusal)
{
    struct wal *wal = init(memory, config);
    *refusal = wal == NULL ? WAL_REFUSED_SIZES : open_log(wal);
    if (*refusal == WAL_OPENED)
        return &wal->storage;
    if (wal != NULL)
        recover_free(wal);
    return NULL;
}

void wal_close(struct storage *storage)
{
    struct wal *wal = (void *)storage;
    writer_settle(wal);
    recover_free(wal);
}

bool wal_recover(void *domain, uint16_t group, struct storage_recovered *recovered)
{
    const struct wal *wal = domain;
    uint32_t slot = group / wal->config.lanes;
    ENSURE(group % wal->config.lanes == wal->config.lane && slot < wal->groups_here);
    if (wal->made)
        return false;
    *recovered = (struct storage_recovered){.first = 1, .vote = UINT16_MAX};
    recover_group(wal, slot, recovered);
    recovered->boots = wal->super.boots;
    recovered->damaged = (wal->super.damaged >> slot & 1) != 0;
    return true;
}

const struct wire_entry *wal_recover_entry(void *domain, uint16_t group, uint64_t index)
{
    const struct wal *wal = domain;
    return recover_entry(wal, group / wal->config.lanes, index);
}

void wal_recovered(struct storage *storage)
{
    recover_free((void *)storage);
}

bool wal_bind(struct storage *storage, uint64_t cluster)
{
    struct wal *wal = (void *)storage;
    if (wal->super.cluster != 0 || cluster == 0)
        return wal->super.cluster == cluster;
    wal->super.cluster = cluster;
    bool written = rewrite_super(wal);
    if (!written)
        wal->super.cluster = 0;
    return written;
}

bool wal_matched(struct storage *storage, uint16_t group)
{
    struct wal *wal = (void *)storage;
    uint64_t bit = UINT64_C(1) << group / wal->config.lanes;
    if ((wal->super.damaged & bit) == 0)
        return true;
    wal->super.damaged &= ~bit;
    bool written = rewrite_super(wal);
    if (!written)
        wal->super.damaged |= bit;
    return written;
}

bool wal_pinned_by(const struct storage *storage, uint16_t *group)
{
    const struct wal *wal = (const void *)storage;
    const uint64_t *highest = &wal->highest[wal->oldest % wal->config.segments * WAL_GROUPS_MAX];
    for (uint32_t slot = 0; slot < wal->groups_here && wal->oldest < wal->segment; slot++) {
        if (highest[slot] <= wal->group[slot].released)
            continue;
        *group = (uint16_t)(slot * wal->config.lanes + wal->config.lane);
        return true;
    }
    return false;
}
