/* wal_file.h: the file under a write-ahead log, as a struct of calls: real ones below, a disk of
 * the tests' own that tears, forgets and fails, and a thread that stands in front of either.
 *
 * Shape: blocking calls at start (read, write, sync), and at run time writes that are durable when
 * poll hands them back:
 *
 *   persist room ─ begin ─► [thread: begin ─► wait ─► poll] ─► poll ─ persist room
 *                            system calls are here
 *
 *   wal_file_open    `uring`: io_uring; begin makes one system call, poll none (completions are
 *                    read from memory that the kernel shares).
 *                    `dsync`: pwrite of O_DIRECT and RWF_DSYNC, `fdatasync`: both without O_DIRECT;
 *                    these write in wait, hence belong behind a thread.
 *   wal_thread_open  takes any of them behind two windows per slot, so that begin and poll make no
 *                    system call on the core of the persist room. It blocks in the kernel while
 *                    writes are out, else it sleeps. `wake` is for a turn that found nothing: one
 *                    system call if something was begun and the thread sleeps, none otherwise. A
 *                    core that never comes to that is noticed after a nap.
 *                    No SQPOLL: the kernel's poller needs a core of its own.
 *
 * Memory: wal_file_open and wal_thread_open allocate, at start; `from` is lent until poll hands the
 *   slot back, and does not change meanwhile. close frees, inner files too.
 * Threads: one caller of begin, poll, wait and wake; read, write and sync: any. Time: naps of the
 *   thread.
 * Limits: WAL_FILE_SLOTS in flight; offsets and sizes in whole blocks, memory aligned to a block.
 * Refusals: open says in one sentence why not; an error number comes back with the slot, after
 *   which nothing can be said about the file any more. Cost: measured by `quorate-bench log`.
 */
#ifndef DATAPLANE_LOG_WAL_FILE_H
#define DATAPLANE_LOG_WAL_FILE_H

#include "numa/base/types.h"

#include <sched.h>

#define WAL_FILE_SLOTS 4u

struct wal_file;

struct wal_file_done {
    uint32_t slot;
    int error; /* 0: durable */
};

struct wal_file_calls {
    /* 0 or an error number. Behind the end of the file, zeroes are read. */
    int (*read)(struct wal_file *, uint64_t offset, void *to, size_t bytes);
    int (*write)(struct wal_file *, uint64_t offset, const void *from, size_t bytes);
    int (*sync)(struct wal_file *);
    /* `slot` is the caller's, below WAL_FILE_SLOTS, and not in flight. */
    void (*begin)(struct wal_file *, uint32_t slot, uint64_t offset, const void *from,
                  uint32_t bytes);
    /* What has become durable or failed, in any order, at most WAL_FILE_SLOTS; never blocks. */
    uint32_t (*poll)(struct wal_file *, struct wal_file_done *done);
    /* Blocks until poll may have something to say, or for about `ns`. */
    void (*wait)(struct wal_file *, uint64_t ns);
    /* The caller has time: whoever sleeps over what was begun is woken. NULL: nobody sleeps. */
    void (*wake)(struct wal_file *);
    /* Waits for what is in flight. */
    void (*close)(struct wal_file *);
    /* Burnt by threads of its own so far. NULL: it has none. Any thread. */
    uint64_t (*cpu_ns)(const struct wal_file *);
};

struct wal_file {
    const struct wal_file_calls *calls;
    const char *name; /* "io_uring", "O_DIRECT and RWF_DSYNC in a real-time thread", ... */
};

static inline void wal_file_wake(struct wal_file *file)
{
    if (file->calls->wake != NULL)
        file->calls->wake(file);
}

enum wal_file_kind { WAL_FILE_BEST, WAL_FILE_URING, WAL_FILE_DSYNC, WAL_FILE_FDATASYNC };

#define WAL_FILE_ERROR_MAX 256u

/* Opens or makes `path`, for this process alone. BEST: dsync, or fdatasync where there is no
 * O_DIRECT. io_uring only when asked for: beside polling cores it was measured to be far slower
 * (README.md). NULL: `error` is a sentence. */
struct wal_file *wal_file_open(const char *path, enum wal_file_kind kind,
                               char error[WAL_FILE_ERROR_MAX]);

static inline uint64_t wal_file_cpu_ns(const struct wal_file *file)
{
    return file->calls->cpu_ns != NULL ? file->calls->cpu_ns(file) : 0;
}

struct wal_thread_config {
    uint64_t nap_ns; /* the first sleep after a write; doubled up to nap_ns_max */
    uint64_t nap_ns_max;
    /* SCHED_FIFO where the process may: otherwise it waits, as does the kernel's worker that
     * issues its flush, until a poller beside it has used up its slice (README.md). */
    bool realtime;
    const cpu_set_t *cpus; /* where it may run; NULL: as whoever opens */
};
void wal_thread_config_defaults(struct wal_thread_config *config);

/* NULL: no memory or no thread; `inner` is closed then. */
struct wal_file *wal_thread_open(struct wal_file *inner, const struct wal_thread_config *config);

#endif
