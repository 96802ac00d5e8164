/* wal_thread: a thread that makes the system calls of a file. */
#include "dataplane/log/wal_file.h"

#include "numa/base/assert.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How long the thread is deaf for new writes while older ones are out. */
#define DEAF_NS 20000u

enum slot_state { SLOT_FREE, SLOT_ASKED, SLOT_OUT, SLOT_DONE };

struct slot {
    CACHE_ALIGNED uint64_t ticket; /* the order in which they were asked for */
    uint64_t offset;
    const void *from;
    uint32_t bytes;
    int error;
    _Atomic uint32_t
        state; /* FREE -> ASKED and DONE -> FREE: the caller's; the rest: the thread's */
};

struct wal_thread {
    struct wal_file file;
    struct wal_file *inner;
    struct wal_thread_config config;
    char name[64];
    pthread_t thread;
    _Atomic bool stop;
    _Atomic uint32_t asleep; /* a futex */
    uint64_t ticket;
    uint32_t out;
    bool unheard; /* begun since the last wake */
    struct slot slot[WAL_FILE_SLOTS];
};

static struct wal_thread *thread_of(struct wal_file *file)
{
    return (void *)file;
}

static uint32_t state_of(const struct slot *slot)
{
    return atomic_load_explicit(&slot->state, memory_order_acquire);
}

static void set_state(struct slot *slot, uint32_t state)
{
    atomic_store_explicit(&slot->state, state, memory_order_release);
}

/* ---- the caller's side ----------------------------------------------------------------------- */

static int pass_read(struct wal_file *file, uint64_t offset, void *to, size_t bytes)
{
    struct wal_file *inner = thread_of(file)->inner;
    return inner->calls->read(inner, offset, to, bytes);
}

static int pass_write(struct wal_file *file, uint64_t offset, const void *from, size_t bytes)
{
    struct wal_file *inner = thread_of(file)->inner;
    return inner->calls->write(inner, offset, from, bytes);
}

static int pass_sync(struct wal_file *file)
{
    struct wal_file *inner = thread_of(file)->inner;
    return inner->calls->sync(inner);
}

static void begin(struct wal_file *file, uint32_t number, uint64_t offset, const void *from,
                  uint32_t bytes)
{
    struct wal_thread *mine = thread_of(file);
    struct slot *slot = &mine->slot[number];
    ENSURE(number < WAL_FILE_SLOTS && state_of(slot) == SLOT_FREE);
    slot->ticket = mine->ticket++;
    slot->offset = offset;
    slot->from = from;
    slot->bytes = bytes;
    mine->out++;
    set_state(slot, SLOT_ASKED);
    mine->unheard = true;
}

static uint32_t poll_done(struct wal_file *file, struct wal_file_done *done)
{
    struct wal_thread *mine = thread_of(file);
    uint32_t count = 0;
    for (uint32_t i = 0; mine->out != 0 && i < WAL_FILE_SLOTS; i++) {
        struct slot *slot = &mine->slot[i];
        if (state_of(slot) != SLOT_DONE)
            continue;
        done[count++] = (struct wal_file_done){.slot = i, .error = slot->error};
        set_state(slot, SLOT_FREE);
        mine->out--;
    }
    return count;
}

static void rouse(struct wal_thread *mine)
{
    if (atomic_exchange(&mine->asleep, 0) != 0)
        (void)syscall(SYS_futex, &mine->asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void wake(struct wal_file *file)
{
    struct wal_thread *mine = thread_of(file);
    if (!mine->unheard)
        return;
    mine->unheard = false;
    rouse(mine);
}

static void nap(uint64_t ns)
{
    struct timespec time = {.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_nsec = (long)(ns % 1000000000u)};
    (void)nanosleep(&time, NULL);
}

static void wait_done(struct wal_file *file, uint64_t ns)
{
    struct wal_thread *mine = thread_of(file);
    wake(file);
    for (uint32_t i = 0; i < WAL_FILE_SLOTS; i++)
        if (state_of(&mine->slot[i]) == SLOT_DONE)
            return;
    if (mine->out != 0)
        nap(ns < mine->config.nap_ns ? ns : mine->config.nap_ns);
}

/* ---- the thread's side ----------------------------------------------------------------------- */

static struct slot *next_asked(struct wal_thread *mine)
{
    struct slot *next = NULL;
    for (uint32_t i = 0; i < WAL_FILE_SLOTS; i++) {
        struct slot *slot = &mine->slot[i];
        if (state_of(slot) == SLOT_ASKED && (next == NULL || slot->ticket < next->ticket))
            next = slot;
    }
    return next;
}

static void begin_asked(struct wal_thread *mine, uint32_t *out)
{
    struct slot *slot;
    while ((slot = next_asked(mine)) != NULL) {
        set_state(slot, SLOT_OUT);
        mine->inner->calls->begin(mine->inner, (uint32_t)(slot - mine->slot), slot->offset,
                                  slot->from, slot->bytes);
        ++*out;
    }
}

static void hand_back(struct wal_thread *mine, uint32_t *out)
{
    struct wal_file_done done[WAL_FILE_SLOTS];
    uint32_t count = mine->inner->calls->poll(mine->inner, done);
    for (uint32_t i = 0; i < count; i++) {
        mine->slot[done[i].slot].error = done[i].error;
        set_state(&mine->slot[done[i].slot], SLOT_DONE);
    }
    *out -= count;
}

static bool stopped(const struct wal_thread *mine)
{
    return atomic_load_explicit(&mine->stop, memory_order_acquire);
}

/* Whoever asks does so before it looks whether somebody sleeps; here it is the other way round. */
static void sleep_until_asked(struct wal_thread *mine, uint64_t ns)
{
    struct timespec limit = {.tv_sec = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
    atomic_store(&mine->asleep, 1);
    if (next_asked(mine) == NULL && !stopped(mine))
        (void)syscall(SYS_futex, &mine->asleep, FUTEX_WAIT_PRIVATE, 1, &limit, NULL, 0);
    atomic_store(&mine->asleep, 0);
}

static void *run(void *argument)
{
    struct wal_thread *mine = argument;
    uint64_t nap_ns = mine->config.nap_ns;
    uint32_t out = 0;
    (void)prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
    for (;;) {
        begin_asked(mine, &out);
        if (out != 0) {
            mine->inner->calls->wait(mine->inner, DEAF_NS);
            hand_back(mine, &out);
            nap_ns = mine->config.nap_ns;
            continue;
        }
        if (stopped(mine) && next_asked(mine) == NULL)
            return NULL;
        sleep_until_asked(mine, nap_ns);
        nap_ns = nap_ns * 2 < mine->config.nap_ns_max ? nap_ns * 2 : mine->config.nap_ns_max;
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static void close_file(struct wal_file *file)
{
    struct wal_thread *mine = thread_of(file);
    atomic_store(&mine->stop, true);
    rouse(mine);
    (void)pthread_join(mine->thread, NULL);
    mine->inner->calls->close(mine->inner);
    free(mine);
}

static uint64_t cpu_ns(const struct wal_file *file)
{
    const struct wal_thread *mine = (const void *)file;
    clockid_t clock;
    struct timespec spent;
    if (pthread_getcpuclockid(mine->thread, &clock) != 0 || clock_gettime(clock, &spent) != 0)
        return 0;
    return (uint64_t)spent.tv_sec * 1000000000u + (uint64_t)spent.tv_nsec;
}

static const struct wal_file_calls thread_calls = {
    .read = pass_read,
    .write = pass_write,
    .sync = pass_sync,
    .begin = begin,
    .poll = poll_done,
    .wait = wait_done,
    .wake = wake,
    .close = close_file,
    .cpu_ns = cpu_ns,
};

void wal_thread_config_defaults(struct wal_thread_config *config)
{
    *config = (struct wal_thread_config){.nap_ns = 50000, .nap_ns_max = 10000000, .realtime = true};
}

/* Where and how it is scheduled; what is not granted is done without. */
static void schedule(struct wal_thread *mine)
{
    struct sched_param parameters = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};
    bool realtime =
        mine->config.realtime && pthread_setschedparam(mine->thread, SCHED_FIFO, &parameters) == 0;
    if (mine->config.cpus != NULL)
        (void)pthread_setaffinity_np(mine->thread, sizeof *mine->config.cpus, mine->config.cpus);
    (void)snprintf(mine->name, sizeof mine->name, "%s in a %sthread", mine->inner->name,
                   realtime ? "real-time " : "");
}

struct wal_file *wal_thread_open(struct wal_file *inner, const struct wal_thread_config *config)
{
    struct wal_thread *mine =
        aligned_alloc(CACHE_LINE_BYTES,
                      (sizeof *mine + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES);
    if (mine != NULL) {
        *mine = (struct wal_thread){.inner = inner, .config = *config};
        mine->file = (struct wal_file){.calls = &thread_calls, .name = mine->name};
        if (pthread_create(&mine->thread, NULL, run, mine) == 0) {
            schedule(mine);
            return &mine->file;
        }
    }
    free(mine);
    inner->calls->close(inner);
    return NULL;
}
