/* Whole files: checked, loaded, kept, copied. */
#include "dataplane/snapshot/file.h"

#include "dataplane/snapshot/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum snapshot_refusal snapshot_file_check(int folder, const char *name,
                                          struct snapshot_about *about)
{
    struct snapshot_reader reader;
    enum snapshot_refusal refusal = snapshot_reader_open(&reader, folder, name);
    while (refusal == SNAPSHOT_OK) {
        refusal = snapshot_reader_next(&reader);
        if (refusal != SNAPSHOT_OK || reader.tail)
            break;
        refusal = snapshot_skim_block(reader.block, reader.block_bytes, &reader.sum);
    }
    *about = reader.about;
    snapshot_reader_close(&reader);
    return refusal;
}

/* ---- load ------------------------------------------------------------------------------------ */

struct loading {
    struct snapshot_reader reader;
    struct snapshot_packer *packer;
    uint8_t *raw;
    struct state_load load;
};

static enum snapshot_refusal load_blocks(struct loading *job, enum state_load_refusal *load_refusal)
{
    for (;;) {
        uint32_t raw_bytes;
        struct snapshot_reader *reader = &job->reader;
        enum snapshot_refusal refusal = snapshot_reader_next(reader);
        if (refusal != SNAPSHOT_OK || reader->tail)
            return refusal;
        refusal = snapshot_get_block(job->packer, reader->block, reader->block_bytes, job->raw,
                                     &raw_bytes, &reader->sum);
        if (refusal != SNAPSHOT_OK)
            return refusal;
        *load_refusal = state_load_part(&job->load, job->raw, raw_bytes);
        if (*load_refusal != STATE_LOADED)
            return SNAPSHOT_REFUSED_STATE;
    }
}

static enum snapshot_refusal load_all(struct loading *job, const struct snapshot_head *of,
                                      void *memory, const struct state_config *config,
                                      struct state **state, enum state_load_refusal *load_refusal)
{
    const struct snapshot_head *head = &job->reader.about.head;
    if (head->cluster != of->cluster || head->config_hash != of->config_hash ||
        head->group != of->group)
        return SNAPSHOT_REFUSED_FOREIGN;
    if (job->packer == NULL || job->raw == NULL)
        return SNAPSHOT_REFUSED_MEMORY;
    state_load_begin(&job->load, memory, config);
    enum snapshot_refusal refusal = load_blocks(job, load_refusal);
    if (refusal != SNAPSHOT_OK)
        return refusal;
    *load_refusal = state_load_end(&job->load, state);
    if (*load_refusal != STATE_LOADED)
        return SNAPSHOT_REFUSED_STATE;
    return state_applied_index(*state) == head->index && state_digest(*state) == head->digest &&
                   state_time_ms(*state) == head->time_ms
               ? SNAPSHOT_OK
               : SNAPSHOT_REFUSED_HEAD;
}

enum snapshot_refusal snapshot_file_load(int folder, const char *name,
                                         const struct snapshot_head *of, void *memory,
                                         const struct state_config *config,
                                         struct snapshot_about *about, struct state **state,
                                         enum state_load_refusal *load_refusal)
{
    struct loading *job = malloc(sizeof *job);
    *load_refusal = STATE_LOADED;
    if (job == NULL)
        return SNAPSHOT_REFUSED_MEMORY;
    job->packer = snapshot_packer_new();
    job->raw = malloc(STATE_PART_BYTES_MAX);
    enum snapshot_refusal refusal = snapshot_reader_open(&job->reader, folder, name);
    if (refusal == SNAPSHOT_OK)
        refusal = load_all(job, of, memory, config, state, load_refusal);
    *about = job->reader.about;
    snapshot_reader_close(&job->reader);
    snapshot_packer_free(job->packer);
    free(job->raw);
    free(job);
    return refusal;
}

/* ---- names and copies ------------------------------------------------------------------------ */

enum snapshot_refusal snapshot_file_keep(int folder, const char *from, const char *to)
{
    int fd = openat(folder, from, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return SNAPSHOT_REFUSED_FILE;
    bool synced = fsync(fd) == 0;
    (void)close(fd);
    return synced && renameat(folder, from, folder, to) == 0 && fsync(folder) == 0
               ? SNAPSHOT_OK
               : SNAPSHOT_REFUSED_FILE;
}

static enum snapshot_refusal copy_blocks(struct snapshot_reader *reader,
                                         struct snapshot_writer *writer, struct snapshot_sum *sum)
{
    for (;;) {
        enum snapshot_refusal refusal = snapshot_reader_next(reader);
        if (refusal != SNAPSHOT_OK || reader->tail)
            return refusal;
        refusal = snapshot_skim_block(reader->block, reader->block_bytes, &reader->sum);
        if (refusal == SNAPSHOT_OK)
            refusal = snapshot_skim_block(reader->block, reader->block_bytes, sum);
        if (refusal == SNAPSHOT_OK)
            refusal = snapshot_writer_put(writer, reader->block, reader->block_bytes);
        if (refusal != SNAPSHOT_OK)
            return refusal;
    }
}

static enum snapshot_refusal copy(struct snapshot_reader *reader, struct snapshot_writer *writer,
                                  const struct snapshot_head *head, struct snapshot_about *about)
{
    uint8_t head_bytes[SNAPSHOT_HEAD_BYTES_MAX], tail[SNAPSHOT_TAIL_BYTES];
    struct snapshot_sum sum;
    uint32_t bytes = snapshot_put_head(head, head_bytes, &sum);
    enum snapshot_refusal refusal = snapshot_writer_put(writer, head_bytes, bytes);
    if (refusal == SNAPSHOT_OK)
        refusal = copy_blocks(reader, writer, &sum);
    if (refusal != SNAPSHOT_OK)
        return refusal;
    snapshot_put_tail(&sum, tail);
    refusal = snapshot_writer_put(writer, tail, sizeof tail);
    *about = (struct snapshot_about){*head, sum.sum, writer->bytes, sum.raw_bytes, sum.blocks};
    return refusal;
}

/* With `as` NULL under the head that it has. */
static enum snapshot_refusal copy_file(int folder, const char *name, int to_folder,
                                       const char *to_name, const struct snapshot_head *as,
                                       struct snapshot_about *about)
{
    struct snapshot_reader reader;
    struct snapshot_writer writer = {.fd = -1};
    enum snapshot_refusal refusal = snapshot_reader_open(&reader, folder, name);
    struct snapshot_head head = reader.about.head;
    if (refusal == SNAPSHOT_OK && as != NULL) {
        if (as->cluster == head.cluster)
            refusal = SNAPSHOT_REFUSED_FOREIGN;
        head.cluster = as->cluster;
        head.config_hash = as->config_hash;
        uint8_t level = head.members.level; /* what is in the state may need it */
        head.members = as->members;
        head.members.level = level;
        head.members_index = 0;
    }
    if (refusal == SNAPSHOT_OK)
        refusal = snapshot_writer_begin(&writer, to_folder, to_name);
    if (refusal == SNAPSHOT_OK)
        refusal = copy(&reader, &writer, &head, about);
    if (refusal == SNAPSHOT_OK)
        refusal = snapshot_writer_finish(&writer);
    else if (writer.fd >= 0)
        snapshot_writer_abandon(&writer);
    snapshot_reader_close(&reader);
    return refusal;
}

enum snapshot_refusal snapshot_file_save(int folder, const char *name, int to_folder,
                                         const char *to_name, struct snapshot_about *about)
{
    return copy_file(folder, name, to_folder, to_name, NULL, about);
}

enum snapshot_refusal snapshot_file_restore(int folder, const char *name, int to_folder,
                                            const char *to_name, const struct snapshot_head *as,
                                            struct snapshot_about *about)
{
    return copy_file(folder, name, to_folder, to_name, as, about);
}
