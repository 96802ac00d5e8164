/* A walk into a file, part by part. */
#include "dataplane/snapshot/internal.h"

#include <stdlib.h>
#include <sys/mman.h>

struct snapshot_take {
    struct state_walk *walk;
    void *walk_memory;
    size_t walk_bytes;
    struct snapshot_packer *packer;
    uint8_t *raw;
    uint8_t *packed;
    bool headed;
    bool walked;       /* the state is not looked at any more */
    uint32_t unpacked; /* bytes of the part that is to be written */
    struct snapshot_sum sum;
    struct snapshot_head head;
    struct snapshot_writer writer;
};

static void free_take(struct snapshot_take *take)
{
    if (take->walk_memory != NULL)
        (void)munmap(take->walk_memory, take->walk_bytes);
    snapshot_packer_free(take->packer);
    free(take->raw);
    free(take->packed);
    free(take);
}

/* Mapped, as most of it is never touched. */
static bool get_memory(struct snapshot_take *take, const struct state_config *config)
{
    take->walk_bytes = state_walk_footprint(config);
    void *memory = mmap(NULL, take->walk_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    take->walk_memory = memory == MAP_FAILED ? NULL : memory;
    take->packer = snapshot_packer_new();
    take->raw = malloc(STATE_PART_BYTES_MAX);
    take->packed = malloc(SNAPSHOT_PACKED_MAX);
    return take->walk_memory != NULL && take->packer != NULL && take->raw != NULL &&
           take->packed != NULL;
}

struct snapshot_take *snapshot_take_begin(struct state *state, const struct state_config *config,
                                          int folder, const char *name,
                                          const struct snapshot_head *head,
                                          enum snapshot_refusal *refusal)
{
    struct snapshot_take *take = calloc(1, sizeof *take);
    *refusal = SNAPSHOT_REFUSED_MEMORY;
    if (take == NULL || !get_memory(take, config)) {
        state_capture_abandon(state);
        if (take != NULL)
            free_take(take);
        return NULL;
    }
    take->head = *head;
    take->walk = state_walk_init(take->walk_memory, state);
    *refusal = snapshot_writer_begin(&take->writer, folder, name);
    if (*refusal == SNAPSHOT_OK)
        return take;
    state_walk_stop(take->walk);
    free_take(take);
    return NULL;
}

/* The first part is the state's own head: what the mark says goes into the file's. */
static enum snapshot_refusal put_head(struct snapshot_take *take)
{
    uint8_t head[SNAPSHOT_HEAD_BYTES_MAX];
    take->headed = true;
    state_walk_mark(take->walk, &take->head.index, &take->head.time_ms, &take->head.digest);
    uint32_t bytes = snapshot_put_head(&take->head, head, &take->sum);
    return snapshot_writer_put(&take->writer, head, bytes);
}

static enum snapshot_refusal put_part(struct snapshot_take *take, uint32_t bytes)
{
    if (!take->headed) {
        enum snapshot_refusal refusal = put_head(take);
        if (refusal != SNAPSHOT_OK)
            return refusal;
    }
    uint32_t packed = snapshot_put_block(take->packer, take->raw, bytes, take->packed, &take->sum);
    return snapshot_writer_put(&take->writer, take->packed, packed);
}

static enum snapshot_refusal finish(struct snapshot_take *take, struct snapshot_about *about)
{
    uint8_t tail[SNAPSHOT_TAIL_BYTES];
    snapshot_put_tail(&take->sum, tail);
    enum snapshot_refusal refusal = snapshot_writer_put(&take->writer, tail, sizeof tail);
    *about = (struct snapshot_about){take->head, take->sum.sum, take->writer.bytes,
                                     take->sum.raw_bytes, take->sum.blocks};
    return refusal == SNAPSHOT_OK ? snapshot_writer_finish(&take->writer) : refusal;
}

bool snapshot_take_reads(const struct snapshot_take *take)
{
    return !take->walked && take->unpacked == 0;
}

static bool end_take(struct snapshot_take *take, enum snapshot_refusal refusal)
{
    if (refusal != SNAPSHOT_OK)
        snapshot_writer_abandon(&take->writer);
    free_take(take);
    return false;
}

/* Writing is a step of its own, since it may last. */
static bool write_step(struct snapshot_take *take, enum snapshot_refusal *refusal,
                       struct snapshot_about *about)
{
    if (take->walked) {
        *refusal = finish(take, about);
        return end_take(take, *refusal);
    }
    *refusal = put_part(take, take->unpacked);
    take->unpacked = 0;
    if (*refusal == SNAPSHOT_OK)
        return true;
    state_walk_stop(take->walk);
    return end_take(take, *refusal);
}

bool snapshot_take_step(struct snapshot_take *take, enum snapshot_refusal *refusal,
                        struct snapshot_about *about)
{
    uint32_t bytes;
    *refusal = SNAPSHOT_OK;
    if (!snapshot_take_reads(take))
        return write_step(take, refusal, about);
    enum state_walk_result result = state_walk_next(take->walk, take->raw, &bytes);
    if (result == STATE_WALK_PART)
        take->unpacked = bytes;
    else if (result == STATE_WALK_END)
        take->walked = true;
    else if (result == STATE_WALK_OVERRUN)
        *refusal = SNAPSHOT_REFUSED_OVERRUN;
    return *refusal == SNAPSHOT_OK || end_take(take, *refusal);
}

void snapshot_take_stop(struct snapshot_take *take)
{
    if (!take->walked)
        state_walk_stop(take->walk);
    snapshot_writer_abandon(&take->writer);
    free_take(take);
}
