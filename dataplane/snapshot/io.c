/* The two structs of internal.h. */
#include "dataplane/snapshot/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- writing --------------------------------------------------------------------------------- */

enum snapshot_refusal snapshot_writer_begin(struct snapshot_writer *writer, int folder,
                                            const char *name)
{
    *writer = (struct snapshot_writer){.folder = folder, .fd = -1};
    if (strlen(name) >= SNAPSHOT_NAME_BYTES) {
        errno = ENAMETOOLONG;
        return SNAPSHOT_REFUSED_FILE;
    }
    (void)snprintf(writer->name, sizeof writer->name, "%s", name);
    (void)snprintf(writer->part_name, sizeof writer->part_name, "%s.new", name);
    writer->fd = openat(folder, writer->part_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return writer->fd < 0 ? SNAPSHOT_REFUSED_FILE : SNAPSHOT_OK;
}

enum snapshot_refusal snapshot_writer_put(struct snapshot_writer *writer, const uint8_t *from,
                                          size_t bytes)
{
    while (bytes > 0) {
        ssize_t got = write(writer->fd, from, bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return SNAPSHOT_REFUSED_FILE;
        from += got;
        bytes -= (size_t)got;
        writer->bytes += (uint64_t)got;
    }
    return SNAPSHOT_OK;
}

enum snapshot_refusal snapshot_writer_finish(struct snapshot_writer *writer)
{
    bool synced = fsync(writer->fd) == 0;
    synced &= close(writer->fd) == 0;
    writer->fd = -1;
    if (synced && renameat(writer->folder, writer->part_name, writer->folder, writer->name) == 0 &&
        fsync(writer->folder) == 0)
        return SNAPSHOT_OK;
    int why = errno;
    snapshot_writer_abandon(writer);
    errno = why;
    return SNAPSHOT_REFUSED_FILE;
}

void snapshot_writer_abandon(struct snapshot_writer *writer)
{
    if (writer->fd >= 0)
        (void)close(writer->fd);
    writer->fd = -1;
    (void)unlinkat(writer->folder, writer->part_name, 0);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* What there is, up to `bytes`. */
static enum snapshot_refusal read_some(struct snapshot_reader *reader, uint8_t *to, uint32_t bytes,
                                       uint32_t *got)
{
    *got = 0;
    while (*got < bytes) {
        ssize_t more = read(reader->fd, to + *got, bytes - *got);
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0)
            return SNAPSHOT_REFUSED_FILE;
        if (more == 0)
            break;
        *got += (uint32_t)more;
    }
    reader->about.bytes += *got;
    return SNAPSHOT_OK;
}

static enum snapshot_refusal read_all(struct snapshot_reader *reader, uint8_t *to, uint32_t bytes)
{
    uint32_t got;
    enum snapshot_refusal refusal = read_some(reader, to, bytes, &got);
    return refusal == SNAPSHOT_OK && got < bytes ? SNAPSHOT_REFUSED_SHORT : refusal;
}

enum snapshot_refusal snapshot_reader_open(struct snapshot_reader *reader, int folder,
                                           const char *name)
{
    uint8_t head[SNAPSHOT_HEAD_BYTES_MAX];
    uint32_t bytes;
    *reader = (struct snapshot_reader){.fd = openat(folder, name, O_RDONLY | O_CLOEXEC)};
    if (reader->fd < 0)
        return SNAPSHOT_REFUSED_FILE;
    reader->block = malloc(SNAPSHOT_PACKED_MAX);
    if (reader->block == NULL)
        return SNAPSHOT_REFUSED_MEMORY;
    enum snapshot_refusal refusal = read_some(reader, head, SNAPSHOT_FIXED_BYTES, &bytes);
    if (refusal != SNAPSHOT_OK)
        return refusal;
    uint32_t whole = bytes < SNAPSHOT_FIXED_BYTES ? 0 : snapshot_head_bytes(head);
    if (whole != 0) {
        refusal = read_all(reader, head + SNAPSHOT_FIXED_BYTES, whole - SNAPSHOT_FIXED_BYTES);
        bytes = whole;
    }
    return refusal != SNAPSHOT_OK
               ? refusal
               : snapshot_get_head(head, bytes, &reader->about.head, &reader->sum);
}

static enum snapshot_refusal finish(struct snapshot_reader *reader)
{
    uint8_t more;
    uint32_t got;
    enum snapshot_refusal refusal = read_all(reader, reader->block + SNAPSHOT_BLOCK_BYTES,
                                             SNAPSHOT_TAIL_BYTES - SNAPSHOT_BLOCK_BYTES);
    if (refusal == SNAPSHOT_OK)
        refusal = snapshot_get_tail(reader->block, &reader->sum);
    if (refusal == SNAPSHOT_OK)
        refusal = read_some(reader, &more, 1, &got);
    if (refusal == SNAPSHOT_OK && got != 0)
        refusal = SNAPSHOT_REFUSED_TAIL;
    reader->about.sum = reader->sum.sum;
    reader->about.blocks = reader->sum.blocks;
    reader->about.raw_bytes = reader->sum.raw_bytes;
    return refusal;
}

enum snapshot_refusal snapshot_reader_next(struct snapshot_reader *reader)
{
    uint32_t packed;
    enum snapshot_refusal refusal = read_all(reader, reader->block, SNAPSHOT_BLOCK_BYTES);
    if (refusal == SNAPSHOT_OK)
        refusal = snapshot_block_bytes(reader->block, &packed, &reader->tail);
    if (refusal != SNAPSHOT_OK)
        return refusal;
    if (reader->tail)
        return finish(reader);
    reader->block_bytes = SNAPSHOT_BLOCK_BYTES + packed;
    return read_all(reader, reader->block + SNAPSHOT_BLOCK_BYTES, packed);
}

void snapshot_reader_close(struct snapshot_reader *reader)
{
    if (reader->fd >= 0)
        (void)close(reader->fd);
    free(reader->block);
}
