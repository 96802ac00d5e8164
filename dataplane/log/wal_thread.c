/* wal_thread: a thread that makes the system calls of a file. */
#include "dataplane/log/wal_file.h"

#include "numa/base/assert.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

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
    uint64_t ticket;
    uint32_t out;
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

static void nap(uint64_t ns)
{
    struct timespec time = {.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_nsec = (long)(ns % 1000000000u)};
    (void)nanosleep(&time, NULL);
}

static void wait_done(struct wal_file *file, uint64_t ns)
{
    struct wal_thread *mine = thread_of(file);
    for (uint32_t i = 0; i < WAL_FILE_SLOTS; i++)
        if (state_of(&mine->slot[i]) == SLOT_DONE)
            return;
    if (mine->out != 0)
        nap(ns < mine->config.nap_ns ? ns : mine->config.nap_ns);
}

/* ---- the thread's side ----------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

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

static void *run(void *argument)
{
    struct wal_thread *mine = argument;
    uint64_t idle_since_ns = 0, nap_ns = mine->config.nap_ns;
    uint32_t out = 0;
    (void)prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
    for (;;) {
        begin_asked(mine, &out);
        if (out != 0) {
            mine->inner->calls->wait(mine->inner, DEAF_NS);
            hand_back(mine, &out);
            idle_since_ns = 0;
            nap_ns = mine->config.nap_ns;
            continue;
        }
        if (atomic_load_explicit(&mine->stop, memory_order_acquire) && next_asked(mine) == NULL)
            return NULL;
        uint64_t now = now_ns();
        if (idle_since_ns == 0)
            idle_since_ns = now;
        if (now - idle_since_ns < mine->config.spin_ns) {
            (void)sched_yield();
            continue;
        }
        nap(nap_ns);
        nap_ns = nap_ns * 2 < mine->config.nap_ns_max ? nap_ns * 2 : mine->config.nap_ns_max;
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static void close_file(struct wal_file *file)
{
    struct wal_thread *mine = thread_of(file);
    atomic_store_explicit(&mine->stop, true, memory_order_release);
    (void)pthread_join(mine->thread, NULL);
    mine->inner->calls->close(mine->inner);
    free(mine);
}

static const struct wal_file_calls thread_calls = {
    .read = pass_read,
    .write = pass_write,
    .sync = pass_sync,
    .begin = begin,
    .poll = poll_done,
    .wait = wait_done,
    .close = close_file,
};

void wal_thread_config_defaults(struct wal_thread_config *config)
{
    *config = (struct wal_thread_config){.spin_ns = 0, .nap_ns = 10000, .nap_ns_max = 50000};
}

struct wal_file *wal_thread_open(struct wal_file *inner, const struct wal_thread_config *config)
{
    struct wal_thread *mine =
        aligned_alloc(CACHE_LINE_BYTES,
                      (sizeof *mine + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES);
    if (mine != NULL) {
        *mine = (struct wal_thread){.inner = inner, .config = *config};
        (void)snprintf(mine->name, sizeof mine->name, "%s in a thread", inner->name);
        mine->file = (struct wal_file){.calls = &thread_calls, .name = mine->name};
        if (pthread_create(&mine->thread, NULL, run, mine) == 0)
            return &mine->file;
    }
    free(mine);
    inner->calls->close(inner);
    return NULL;
}
