/* wal_uring: durable writes by io_uring. */
#include "dataplane/log/wal_posix.h"

#include "numa/base/assert.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/uio.h>

struct wal_uring {
    struct wal_posix posix;
    struct io_uring ring;
    uint32_t out;
    uint32_t bytes[WAL_FILE_SLOTS];
    uint32_t refused; /* bit per slot: the kernel did not take it */
};

static struct wal_uring *uring_of(struct wal_file *file)
{
    return (void *)file;
}

static void begin(struct wal_file *file, uint32_t slot, uint64_t offset, const void *from,
                  uint32_t bytes)
{
    struct wal_uring *uring = uring_of(file);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    ENSURE(sqe != NULL && slot < WAL_FILE_SLOTS);
    io_uring_prep_write(sqe, uring->posix.fd, from, bytes, offset);
    sqe->rw_flags = RWF_DSYNC;
    io_uring_sqe_set_data64(sqe, slot);
    uring->bytes[slot] = bytes;
    uring->out++;
    int taken;
    do
        taken = io_uring_submit(&uring->ring);
    while (taken == -EINTR || taken == -EAGAIN);
    if (taken != 1)
        uring->refused |= 1u << slot;
}

static uint32_t poll_done(struct wal_file *file, struct wal_file_done *done)
{
    struct wal_uring *uring = uring_of(file);
    struct io_uring_cqe *cqe;
    uint32_t count = 0;
    if (uring->out == 0)
        return 0;
    for (uint32_t slot = 0; uring->refused != 0 && slot < WAL_FILE_SLOTS; slot++)
        if ((uring->refused >> slot & 1) != 0)
            done[count++] = (struct wal_file_done){.slot = slot, .error = EIO};
    uring->refused = 0;
    /* Reads shared memory alone: the ring has no flag that would make it ask the kernel. */
    while (count < WAL_FILE_SLOTS && io_uring_peek_cqe(&uring->ring, &cqe) == 0) {
        uint32_t slot = (uint32_t)io_uring_cqe_get_data64(cqe);
        int error = cqe->res < 0 ? -cqe->res : cqe->res == (int)uring->bytes[slot] ? 0 : EIO;
        done[count++] = (struct wal_file_done){.slot = slot, .error = error};
        io_uring_cqe_seen(&uring->ring, cqe);
    }
    uring->out -= count;
    return count;
}

static void wait_done(struct wal_file *file, uint64_t ns)
{
    struct wal_uring *uring = uring_of(file);
    struct __kernel_timespec limit = {.tv_sec = (long long)(ns / 1000000000u),
                                      .tv_nsec = (long long)(ns % 1000000000u)};
    struct io_uring_cqe *cqe;
    if (uring->out != 0 && uring->refused == 0)
        (void)io_uring_wait_cqe_timeout(&uring->ring, &cqe, &limit);
}

static void close_file(struct wal_file *file)
{
    struct wal_uring *uring = uring_of(file);
    struct wal_file_done done[WAL_FILE_SLOTS];
    while (uring->out != 0) {
        wait_done(file, 1000000000u);
        (void)poll_done(file, done);
    }
    io_uring_queue_exit(&uring->ring);
    (void)close(uring->posix.fd);
    free(uring);
}

static const struct wal_file_calls uring_calls = {
    .read = wal_posix_read,
    .write = wal_posix_write,
    .sync = wal_posix_sync,
    .begin = begin,
    .poll = poll_done,
    .wait = wait_done,
    .close = close_file,
};

struct wal_file *wal_uring_open(struct wal_posix *posix)
{
    struct wal_uring *uring = calloc(1, sizeof *uring);
    if (uring == NULL || io_uring_queue_init(2 * WAL_FILE_SLOTS, &uring->ring, 0) != 0) {
        free(uring);
        return NULL;
    }
    uring->posix = *posix;
    uring->posix.file = (struct wal_file){.calls = &uring_calls, .name = "io_uring"};
    free(posix);
    return &uring->posix.file;
}
