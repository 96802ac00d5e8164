#include "tests/sim/report.h"

#include "numa/base/assert.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define LAST_EVENTS 40u

/* The run in progress: a broken ENSURE and a signal come without any argument. */
static struct {
    struct world *world;
    FILE *history;
    bool json;
    char replay[512];
} watched;

void report_result(FILE *file, uint64_t seed, uint32_t runs, const struct world_result *result,
                   uint32_t violations)
{
    (void)fprintf(file,
                  "{\"seed\":%" PRIu64 ",\"runs\":%u,\"simulated_seconds\":%.3f,\"events\":%" PRIu64
                  ",\"operations\":%" PRIu64 ",\"commits\":%" PRIu64 ",\"elections\":%" PRIu64
                  ",\"faults\":{",
                  seed, runs, result->simulated_seconds, result->events, result->operations,
                  result->commits, result->elections);
    for (int kind = 0; kind < FAULT_COUNT; kind++)
        (void)fprintf(file, "%s\"%s\":%" PRIu64, kind != 0 ? "," : "",
                      fault_name((enum fault_kind)kind), result->faults[kind]);
    (void)fprintf(file, "},\"coverage\":{");
    for (int kind = 0; kind < FAULT_COUNT; kind++) {
        (void)fprintf(file, "%s\"%s\":{", kind != 0 ? "," : "", fault_name((enum fault_kind)kind));
        for (int role = 0; role < ROLE_COUNT; role++)
            (void)fprintf(file, "%s\"%s\":%" PRIu64, role != 0 ? "," : "",
                          fault_role_name((enum fault_role)role), result->struck[kind][role]);
        (void)fputc('}', file);
    }
    (void)fprintf(file,
                  "},\"undecided\":%" PRIu64 ",\"violations\":%u,\"digest\":\"%016" PRIx64 "\"}\n",
                  result->undecided, violations, result->digest);
}

static _Noreturn void end_run(void)
{
    struct world *world = watched.world;
    const struct shape *shape = &world->shape;
    (void)fprintf(stderr,
                  "  %u nodes, %u groups, %u clients (%u at edges), links %" PRIu64
                  " us, disks %" PRIu64
                  " us, payload %u, drift %u ppm, leases %s, rooms %s, faults so far:",
                  shape->replicas, shape->groups, world->actor_count, shape->edge_actors,
                  shape->link_ns / MICROSECOND_NS, shape->disk_ns / MICROSECOND_NS,
                  shape->payload_max, shape->drift_ppm, shape->lease_reads ? "on" : "off",
                  shape->split_rooms ? "split" : "fused");
    for (int kind = 0; kind < FAULT_COUNT; kind++)
        (void)fprintf(stderr, " %s %" PRIu64, fault_name((enum fault_kind)kind),
                      world->faults.count[kind]);
    (void)fputc('\n', stderr);
    trace_print(&world->trace, LAST_EVENTS, stderr);
    (void)fprintf(stderr, "to see it again: %s\n", watched.replay);
    if (watched.history != NULL) {
        history_write(world->history, watched.history);
        (void)fclose(watched.history);
    }
    if (watched.json) {
        struct world_result result = {
            .simulated_seconds = (double)world->now_ns / (double)SECOND_NS,
            .events = world->events,
            .digest = world->trace.digest,
        };
        memcpy(result.faults, world->faults.count, sizeof result.faults);
        memcpy(result.struck, world->faults.struck, sizeof result.struck);
        report_result(stdout, world->options.seed, 1, &result, 1);
    }
    (void)fflush(NULL);
    _exit(EX_SOFTWARE);
}

void report_violation(struct world *world, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "violation at %.6f s, seed %" PRIu64 ": ", (double)world->now_ns / 1e9,
                  world->options.seed);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    ENSURE(world == watched.world);
    end_run();
}

static void on_broken(void)
{
    if (watched.world != NULL)
        end_run();
}

static void on_signal(int number)
{
    (void)signal(number, SIG_DFL);
    (void)fprintf(stderr, "signal %d\n", number);
    on_broken();
}

void report_watch(struct world *world, const char *replay, bool json)
{
    watched.world = world;
    watched.json = json;
    (void)snprintf(watched.replay, sizeof watched.replay, "%s", replay);
    assert_dump_set(on_broken);
    (void)signal(SIGSEGV, on_signal);
    (void)signal(SIGBUS, on_signal);
    (void)signal(SIGFPE, on_signal);
}

void report_unwatch(void)
{
    watched.world = NULL;
}

void report_history(FILE *file)
{
    watched.history = file;
}
