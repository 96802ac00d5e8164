/* wal_posix.h: an open file for both kinds of calls. For this folder alone.
 *
 * Shape: wal_posix.c opens, reads and writes; wal_uring.c adds a ring. Memory, threads, limits,
 *   refusals, cost: wal_file.h. Time: none.
 */
#ifndef DATAPLANE_LOG_WAL_POSIX_H
#define DATAPLANE_LOG_WAL_POSIX_H

#include "dataplane/log/wal_file.h"

struct wal_posix {
    struct wal_file file;
    int fd;
    bool direct; /* O_DIRECT: writes are made durable one by one, else all by one fdatasync */
    uint32_t asked_count;
    uint32_t done_count;
    struct wal_file_done done[WAL_FILE_SLOTS];
    struct {
        uint64_t offset;
        const void *from;
        uint32_t bytes;
        uint32_t slot;
    } asked[WAL_FILE_SLOTS];
};

int wal_posix_read(struct wal_file *, uint64_t offset, void *to, size_t bytes);
int wal_posix_write(struct wal_file *, uint64_t offset, const void *from, size_t bytes);
int wal_posix_sync(struct wal_file *);

/* Takes over the file. NULL: no io_uring here; the file stays as it was. */
struct wal_file *wal_uring_open(struct wal_posix *posix);

#endif
