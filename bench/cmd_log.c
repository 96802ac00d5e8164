/* cmd_log: what the write-ahead log does with a disk, without a cluster around it. */
#include "bench/cmd.h"

#include "bench/histogram.h"
#include "bench/machine.h"
#include "bench/option.h"
#include "dataplane/log/wal.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define WINDOW_MAX    65536u
#define SEGMENT_BYTES (UINT64_C(64) << 20)
#define SEGMENTS      6u
#define LOG_BYTES     (UINT64_C(256) << 20)
#define RELEASE_EVERY 1024u

struct log_options {
    const char *folder;
    double seconds;
    uint32_t window;
    uint32_t value_bytes;
    uint32_t in_flight;
    uint32_t batch_bytes;
    enum wal_file_kind kind;
    bool in_thread;
    bool yields;
};

struct log_run {
    struct log_options options;
    char path[512];
    struct wal_file *file;
    struct storage *storage;
    struct log *log;
    void *memory;
    void *log_memory;
    uint64_t next; /* index and number of the next entry */
    uint64_t stored;
    uint64_t since_ns[WINDOW_MAX];
    struct histogram latency;
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    (void)clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* ---- the run --------------------------------------------------------------------------------- */

static const char *open_log(struct log_run *run)
{
    static char error[WAL_FILE_ERROR_MAX];
    const struct log_options *options = &run->options;
    (void)snprintf(run->path, sizeof run->path, "%s/quorate-bench-%d.wal", options->folder,
                   getpid());
    run->file = wal_file_open(run->path, options->kind, error);
    if (run->file == NULL)
        return error;
    struct wal_thread_config thread;
    wal_thread_config_defaults(&thread);
    if (options->in_thread && (run->file = wal_thread_open(run->file, &thread)) == NULL)
        return "no thread could be started";
    struct wal_config config;
    wal_config_defaults(&config);
    config.cluster = 1;
    config.nonce = machine_random();
    config.node = 1;
    config.segment_bytes = SEGMENT_BYTES;
    config.segments = SEGMENTS;
    config.in_flight = options->in_flight;
    config.batch_bytes = options->batch_bytes;
    config.file = run->file;
    struct log_config log = {.bytes = LOG_BYTES, .entries_max = 1u << 20, .first_index = 1};
    size_t bytes = wal_footprint(&config);
    if (bytes == 0)
        return wal_refusal_sentence(WAL_REFUSED_SIZES);
    run->memory = aligned_alloc(CACHE_LINE_BYTES, round_up(bytes, CACHE_LINE_BYTES));
    run->log_memory =
        aligned_alloc(CACHE_LINE_BYTES, round_up(log_footprint(&log), CACHE_LINE_BYTES));
    if (run->memory == NULL || run->log_memory == NULL)
        return "out of memory";
    run->log = log_init(run->log_memory, &log);
    enum wal_refusal refusal;
    run->storage = wal_open(run->memory, &config, &refusal);
    return run->storage == NULL ? wal_refusal_sentence(refusal) : NULL;
}

static void close_log(struct log_run *run)
{
    if (run->storage != NULL)
        wal_close(run->storage);
    if (run->file != NULL)
        run->file->calls->close(run->file);
    (void)unlink(run->path);
    free(run->memory);
    free(run->log_memory);
}

static bool submit_next(struct log_run *run, uint64_t now_ns)
{
    uint64_t index = run->next;
    if (log_last_index(run->log) < index) {
        struct wire_entry *entry = log_append(run->log, index, run->options.value_bytes);
        ENSURE(entry != NULL);
        entry->term = 1;
        entry->kind = WIRE_ENTRY_COMMAND;
    }
    struct storage_write write = {
        .seq = index, .term = 1, .first = index, .last = index, .vote = 1};
    if (storage_submit(run->storage, &write, 1, &run->log, now_ns) == 0)
        return false;
    run->since_ns[index % WINDOW_MAX] = now_ns;
    run->next++;
    return true;
}

/* One turn, as a lane makes it: clock, submissions, poll. */
static void turn(struct log_run *run, bool measures)
{
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    bool worked = false;
    while (run->next - run->stored <= run->options.window && submit_next(run, now_ns))
        worked = true;
    uint64_t stored = storage_poll(run->storage, now_ns);
    if (stored != run->stored) {
        now_ns = clock_ns(CLOCK_MONOTONIC);
        for (uint64_t i = run->stored + 1; measures && i <= stored; i++)
            histogram_record(&run->latency, now_ns - run->since_ns[i % WINDOW_MAX]);
        if (stored / RELEASE_EVERY != run->stored / RELEASE_EVERY) {
            storage_release(run->storage, 0, stored, 1);
            log_release(run->log, stored);
        }
        run->stored = stored;
        worked = true;
    }
    if (worked)
        return;
    wal_file_wake(run->file);
    if (run->options.yields)
        (void)sched_yield();
}

static uint64_t cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static int measure(struct log_run *run)
{
    run->next = 1;
    histogram_init(&run->latency);
    uint64_t warm_ns = clock_ns(CLOCK_MONOTONIC) + 300000000;
    while (clock_ns(CLOCK_MONOTONIC) < warm_ns && !storage_failed(run->storage))
        turn(run, false);
    struct storage_report before, after;
    storage_report(run->storage, &before);
    uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), cpu_start_ns = cpu_ns();
    uint64_t room_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID), stored = run->stored;
    uint64_t end_ns = start_ns + (uint64_t)(run->options.seconds * 1e9);
    while (clock_ns(CLOCK_MONOTONIC) < end_ns && !storage_failed(run->storage))
        turn(run, true);
    double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
    double millions = (double)(run->stored - stored) / 1e6;
    uint64_t all_cpu_ns = cpu_ns() - cpu_start_ns;
    room_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - room_cpu_ns;
    storage_report(run->storage, &after);
    if (after.error != 0)
        return cmd_complain(EX_IOERR, "a write failed");
    uint64_t writes = after.writes - before.writes;
    (void)printf("{\"backend\": \"%s\", \"in_flight\": %u, \"window\": %u, \"value_bytes\": %u, "
                 "\"entries_per_second\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
                 "\"p999_us\": %.1f, \"max_us\": %.1f, \"writes_per_second\": %.0f, "
                 "\"write_bytes_mean\": %.0f, \"megabytes_per_second\": %.1f, "
                 "\"cpu_s_per_million\": %.2f, \"room_cpu_fraction\": %.2f, "
                 "\"other_cpu_fraction\": %.2f}\n",
                 after.backend, run->options.in_flight, run->options.window,
                 run->options.value_bytes, millions * 1e6 / seconds,
                 (double)histogram_value(&run->latency, 500000) / 1e3,
                 (double)histogram_value(&run->latency, 990000) / 1e3,
                 (double)histogram_value(&run->latency, 999000) / 1e3,
                 (double)histogram_value(&run->latency, 1000000) / 1e3, (double)writes / seconds,
                 (double)(after.write_bytes - before.write_bytes) / (double)max_u64(writes, 1),
                 (double)(after.write_bytes - before.write_bytes) / seconds / 1e6,
                 (double)all_cpu_ns / 1e9 / millions, (double)room_cpu_ns / 1e9 / seconds,
                 (double)(all_cpu_ns - min_u64(room_cpu_ns, all_cpu_ns)) / 1e9 / seconds);
    return EX_OK;
}

/* ---- the command line ------------------------------------------------------------------------ */

enum {
    KEY_DATA = 256,
    KEY_SECONDS,
    KEY_WINDOW,
    KEY_VALUE,
    KEY_IN_FLIGHT,
    KEY_BATCH,
    KEY_BACKEND,
    KEY_THREAD,
    KEY_IDLE
};

static enum wal_file_kind backend_of(struct argp_state *state, const char *text)
{
    static const char *const name[] = {
        [WAL_FILE_BEST] = "best",
        [WAL_FILE_URING] = "uring",
        [WAL_FILE_DSYNC] = "dsync",
        [WAL_FILE_FDATASYNC] = "fdatasync",
    };
    for (uint32_t i = 0; i < COUNT_OF(name); i++)
        if (strcmp(text, name[i]) == 0)
            return (enum wal_file_kind)i;
    argp_error(state, "--backend is best, uring, dsync or fdatasync, not '%s'", text);
    return WAL_FILE_BEST;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct log_options *options = state->input;
    switch (key) {
    case KEY_DATA:
        options->folder = text;
        return 0;
    case KEY_SECONDS:
        options->seconds = option_seconds(state, text);
        return 0;
    case KEY_WINDOW:
        options->window = option_small_number(state, "window", text, 1, WINDOW_MAX / 2);
        return 0;
    case KEY_VALUE:
        options->value_bytes = option_small_number(state, "value-size", text, 0, 1u << 20);
        return 0;
    case KEY_IN_FLIGHT:
        options->in_flight = option_small_number(state, "in-flight", text, 1, WAL_IN_FLIGHT_MAX);
        return 0;
    case KEY_BATCH:
        options->batch_bytes = 1024 * option_small_number(state, "batch", text, 4, 1024);
        return 0;
    case KEY_BACKEND:
        options->kind = backend_of(state, text);
        return 0;
    case KEY_THREAD:
        options->in_thread = option_one_of_two(state, "thread", text, "no", "yes");
        return 0;
    case KEY_IDLE:
        options->yields = option_one_of_two(state, "idle", text, "spin", "yield");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_log(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"data", KEY_DATA, "DIR", 0, "where the log is made, and removed again (default: .)", 0},
        {"seconds", KEY_SECONDS, "S", 0, "measured interval (5)", 0},
        {"window", KEY_WINDOW, "N", 0, "entries submitted and not yet durable (1)", 0},
        {"value-size", KEY_VALUE, "BYTES", 0, "of an entry's body (64)", 0},
        {"in-flight", KEY_IN_FLIGHT, "N", 0, "writes in flight, 1 or 2 (2)", 0},
        {"batch", KEY_BATCH, "KIB", 0, "of one write at most, 4 to 1024 (256)", 0},
        {"backend", KEY_BACKEND, "KIND", 0, "best (dsync, or fdatasync), uring, dsync, fdatasync",
         0},
        {"thread", KEY_THREAD, "yes|no", 0, "system calls in a thread of their own (yes)", 0},
        {"idle", KEY_IDLE, "yield|spin", 0, "what the persist room does between polls (yield)", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Measures the write-ahead log alone: one core submits entries as a lane would.",
    };
    static struct log_run run;
    run.options = (struct log_options){
        .folder = ".",
        .seconds = 5,
        .window = 1,
        .value_bytes = 64,
        .in_flight = 2,
        .batch_bytes = 256u << 10,
        .in_thread = true,
        .yields = true,
    };
    argp_parse(&argp, argc, argv, 0, NULL, &run.options);
    if (!run.options.in_thread &&
        (run.options.kind == WAL_FILE_DSYNC || run.options.kind == WAL_FILE_FDATASYNC))
        return cmd_complain(EX_USAGE, "without io_uring the writes block: --thread yes");
    const char *problem = open_log(&run);
    int status = problem != NULL ? cmd_complain(EX_CANTCREAT, problem) : measure(&run);
    close_log(&run);
    return status;
}
