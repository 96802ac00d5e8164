/* wal_posix: a file by plain system calls. */
#include "dataplane/log/wal_posix.h"

#include "numa/base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PROBE_BYTES 4096u

static struct wal_posix *posix_of(struct wal_file *file)
{
    return (void *)file;
}

int wal_posix_read(struct wal_file *file, uint64_t offset, void *to, size_t bytes)
{
    uint8_t *at = to;
    while (bytes != 0) {
        ssize_t got = pread(posix_of(file)->fd, at, bytes, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0) {
            memset(at, 0, bytes); /* behind the end */
            return 0;
        }
        at += got;
        offset += (uint64_t)got;
        bytes -= (size_t)got;
    }
    return 0;
}

int wal_posix_write(struct wal_file *file, uint64_t offset, const void *from, size_t bytes)
{
    const uint8_t *at = from;
    while (bytes != 0) {
        ssize_t put = pwrite(posix_of(file)->fd, at, bytes, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno;
        at += put;
        offset += (uint64_t)put;
        bytes -= (size_t)put;
    }
    return 0;
}

int wal_posix_sync(struct wal_file *file)
{
    return fdatasync(posix_of(file)->fd) == 0 ? 0 : errno;
}

static void begin(struct wal_file *file, uint32_t slot, uint64_t offset, const void *from,
                  uint32_t bytes)
{
    struct wal_posix *posix = posix_of(file);
    ENSURE(posix->asked_count < WAL_FILE_SLOTS);
    uint32_t last = posix->asked_count++;
    posix->asked[last].offset = offset;
    posix->asked[last].from = from;
    posix->asked[last].bytes = bytes;
    posix->asked[last].slot = slot;
}

static uint32_t poll_done(struct wal_file *file, struct wal_file_done *done)
{
    struct wal_posix *posix = posix_of(file);
    uint32_t count = posix->done_count;
    memcpy(done, posix->done, count * sizeof *done);
    posix->done_count = 0;
    return count;
}

/* A write that is cut short is one that failed: the rest would no longer be one write. */
static int write_durably(struct wal_posix *posix, uint64_t offset, const void *from, uint32_t bytes)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)from, .iov_len = bytes};
    ssize_t put = pwritev2(posix->fd, &part, 1, (off_t)offset, RWF_DSYNC);
    if (put < 0)
        return errno;
    return put == (ssize_t)bytes ? 0 : EIO;
}

static void wait_done(struct wal_file *file, uint64_t ns)
{
    struct wal_posix *posix = posix_of(file);
    (void)ns;
    if (posix->asked_count == 0 || posix->done_count != 0)
        return;
    uint32_t count = posix->direct ? 1 : posix->asked_count;
    int error = 0;
    for (uint32_t i = 0; i < count && error == 0; i++)
        error = posix->direct ? write_durably(posix, posix->asked[i].offset, posix->asked[i].from,
                                              posix->asked[i].bytes)
                              : wal_posix_write(file, posix->asked[i].offset, posix->asked[i].from,
                                                posix->asked[i].bytes);
    if (!posix->direct && error == 0)
        error = wal_posix_sync(file);
    for (uint32_t i = 0; i < count; i++)
        posix->done[posix->done_count++] =
            (struct wal_file_done){.slot = posix->asked[i].slot, .error = error};
    posix->asked_count -= count;
    memmove(posix->asked, posix->asked + count, posix->asked_count * sizeof posix->asked[0]);
}

static void close_file(struct wal_file *file)
{
    (void)close(posix_of(file)->fd);
    free(file);
}

static const struct wal_file_calls posix_calls = {
    .read = wal_posix_read,
    .write = wal_posix_write,
    .sync = wal_posix_sync,
    .begin = begin,
    .poll = poll_done,
    .wait = wait_done,
    .close = close_file,
};

/* ---- opening --------------------------------------------------------------------------------- */

/* What was made is there after a power cut, by name as well. */
static bool sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    if (length >= sizeof folder)
        return false;
    memcpy(folder, slash == NULL ? "." : path, length);
    folder[length] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    return synced;
}

/* tmpfs of older kernels refuses the flag, devices with large sectors the size. */
static bool try_direct(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    void *block = aligned_alloc(PROBE_BYTES, PROBE_BYTES);
    bool works = block != NULL && flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0 &&
                 pread(fd, block, PROBE_BYTES, 0) >= 0;
    free(block);
    if (!works)
        (void)fcntl(fd, F_SETFL, flags);
    return works;
}

static int open_locked(const char *path, char error[WAL_FILE_ERROR_MAX])
{
    char why[128];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)snprintf(error, WAL_FILE_ERROR_MAX, "%s can not be opened: %s", path,
                       strerror_r(errno, why, sizeof why));
        return -1;
    }
    struct stat stat;
    const char *problem = NULL;
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode))
        problem = "is no plain file";
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        problem = "is in use by another process";
    else if (stat.st_size == 0 && !sync_folder(path))
        problem = "was made in a folder that can not be synced";
    if (problem == NULL)
        return fd;
    (void)snprintf(error, WAL_FILE_ERROR_MAX, "%s %s", path, problem);
    (void)close(fd);
    return -1;
}

struct wal_file *wal_file_open(const char *path, enum wal_file_kind kind,
                               char error[WAL_FILE_ERROR_MAX])
{
    int fd = open_locked(path, error);
    if (fd < 0)
        return NULL;
    struct wal_posix *posix = calloc(1, sizeof *posix);
    bool direct = kind != WAL_FILE_FDATASYNC && try_direct(fd);
    if (posix != NULL) {
        posix->fd = fd;
        posix->direct = direct;
        posix->file.calls = &posix_calls;
        posix->file.name = direct ? "O_DIRECT and RWF_DSYNC" : "fdatasync";
    }
    struct wal_file *file = posix == NULL ? NULL : &posix->file;
    if (file != NULL && direct && kind == WAL_FILE_URING)
        file = wal_uring_open(posix);
    if (file != NULL && (direct || kind == WAL_FILE_BEST || kind == WAL_FILE_FDATASYNC))
        return file;
    (void)snprintf(error, WAL_FILE_ERROR_MAX,
                   "%s can not be written in the way that was asked for: %s", path,
                   posix == NULL ? "no memory"
                   : direct      ? "this kernel or container has no io_uring"
                                 : "its file system has no O_DIRECT");
    free(posix);
    (void)close(fd);
    return NULL;
}
