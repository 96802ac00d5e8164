/* internal.h: a file that is written under another name first, and one that is read piece by piece.
 *
 * Shape: begin, write, finish or abandon; open, next, close. Memory: the caller's structs; buffers
 * are theirs, allocated. Threads: one per struct. Time: none. Limits: file.h. Refusals: FILE,
 * MEMORY, and what format.h refuses. Cost: system calls.
 */
#ifndef DATAPLANE_SNAPSHOT_INTERNAL_H
#define DATAPLANE_SNAPSHOT_INTERNAL_H

#include "dataplane/snapshot/file.h"

struct snapshot_writer {
    int folder;
    int fd; /* -1: closed */
    uint64_t bytes;
    char name[SNAPSHOT_NAME_BYTES];
    char part_name[SNAPSHOT_NAME_BYTES + 8];
};

/* `name` must be shorter than SNAPSHOT_NAME_BYTES: FILE with ENAMETOOLONG. */
enum snapshot_refusal snapshot_writer_begin(struct snapshot_writer *writer, int folder,
                                            const char *name);
enum snapshot_refusal snapshot_writer_put(struct snapshot_writer *writer, const uint8_t *from,
                                          size_t bytes);
/* Synced, renamed, its folder synced. */
enum snapshot_refusal snapshot_writer_finish(struct snapshot_writer *writer);
void snapshot_writer_abandon(struct snapshot_writer *writer);

struct snapshot_reader {
    int fd;
    uint8_t *block; /* the last one with its header, or the tail */
    uint32_t block_bytes;
    bool tail;
    struct snapshot_sum sum;
    struct snapshot_about about;
};

/* Reads the head, into about.head. Close it whatever it says. */
enum snapshot_refusal snapshot_reader_open(struct snapshot_reader *reader, int folder,
                                           const char *name);
/* Reads the next block, neither checked nor counted yet; at the tail: checks it, and that nothing
 * follows, and completes `about`. */
enum snapshot_refusal snapshot_reader_next(struct snapshot_reader *reader);
void snapshot_reader_close(struct snapshot_reader *reader);

#endif
