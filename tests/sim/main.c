#include "dataplane/view/view.h"
#include "tests/sim/exhaustive.h"
#include "tests/sim/linearize.h"
#include "tests/sim/report.h"

#ifdef RAFT_MUTANTS
#include "protocols/raft/mutants.h"
#endif

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): this program has one thread */

const char *argp_program_version = "quorate-sim " QUORATE_VERSION;

enum key {
    KEY_PROTOCOL = 0x100,
    KEY_SEED,
    KEY_RUNS,
    KEY_REPLICAS,
    KEY_MINUTES,
    KEY_FAULTS,
    KEY_LIARS,
    KEY_JSON,
    KEY_HISTORY,
    KEY_CHECK,
    KEY_EXHAUSTIVE,
    KEY_BOUND,
    KEY_MUTANTS,
    KEY_MUTANT,
    KEY_TRACE
};

struct request {
    const char *protocol;
    const char *faults;
    const char *history;
    const char *check;
    const char *mutant;
    const char *bound;
    uint64_t runs;
    bool json;
    bool exhaustive;
    bool list_mutants;
    struct world_options world;
};

static const struct argp_option options[] = {
    {"protocol", KEY_PROTOCOL, "NAME", 0, "raft (pbft and gossip are not in this version)", 0},
    {"seed", KEY_SEED, "S", 0, "first seed; run i has seed S + i (default 1)", 0},
    {"runs", KEY_RUNS, "N", 0, "how many runs (default 1)", 0},
    {"replicas", KEY_REPLICAS, "N", 0, "1 to 9 (default: by seed)", 0},
    {"minutes", KEY_MINUTES, "M", 0, "virtual minutes per run (default 1)", 0},
    {"faults", KEY_FAULTS, "LIST", 0,
     "none, all, or names with optional percentages: loss duplicate reorder (of frames), cut "
     "partition pause crash skew jump disk stall full rot stray transfer (of the time), torn lost "
     "(of writes that a crash finds under way), voter (of pre-votes asked for); default all, which "
     "varies them by seed",
     0},
    {"liars", KEY_LIARS, "F", 0, "lying replicas: for pbft", 0},
    {"json", KEY_JSON, NULL, 0, "one line of JSON on standard output", 0},
    {"history", KEY_HISTORY, "FILE", 0, "write what clients saw; for a single run", 0},
    {"check-history", KEY_CHECK, "FILE", 0, "judge a history instead of running", 0},
    {"exhaustive", KEY_EXHAUSTIVE, NULL, 0, "visit every state of three machines instead", 0},
    {"bound", KEY_BOUND, "LIST", 0, "of it, such as terms=3,messages=4; see tests/sim/exhaustive.h",
     0},
    {"list-mutants", KEY_MUTANTS, NULL, 0, "planted bugs of a test build", 0},
    {"mutant", KEY_MUTANT, "NAME", 0, "run with one of them", 0},
    {"trace", KEY_TRACE, NULL, 0, "print every event to standard error", 0},
    {0},
};

static uint64_t number(struct argp_state *state, const char *text, const char *what, uint64_t least,
                       uint64_t most)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || value < least || value > most)
        argp_error(state, "%s: '%s' is no number from %" PRIu64 " to %" PRIu64, what, text, least,
                   most);
    return value;
}

static double minutes(struct argp_state *state, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0.0 && value <= 100000.0))
        argp_error(state, "minutes: '%s' is no number above 0", text);
    return value;
}

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;
    char word[32];
    switch (key) {
    case KEY_PROTOCOL:
        request->protocol = argument;
        return 0;
    case KEY_SEED:
        request->world.seed = number(state, argument, "seed", 0, UINT64_MAX);
        return 0;
    case KEY_RUNS:
        request->runs = number(state, argument, "runs", 1, UINT32_MAX);
        return 0;
    case KEY_REPLICAS:
        request->world.replicas = (uint32_t)number(state, argument, "replicas", 1, NODES_MAX);
        return 0;
    case KEY_MINUTES:
        request->world.minutes = minutes(state, argument);
        return 0;
    case KEY_FAULTS:
        request->faults = argument;
        if (!fault_plan_parse(argument, &request->world.faults, word))
            argp_error(state, "faults: '%s' is unknown", word);
        return 0;
    case KEY_LIARS:
        if (number(state, argument, "liars", 0, NODES_MAX) != 0)
            argp_error(state, "liars: raft has no answer to them");
        return 0;
    case KEY_JSON:
        request->json = true;
        return 0;
    case KEY_HISTORY:
        request->history = argument;
        return 0;
    case KEY_CHECK:
        request->check = argument;
        return 0;
    case KEY_EXHAUSTIVE:
        request->exhaustive = true;
        return 0;
    case KEY_BOUND:
        request->bound = argument;
        return 0;
    case KEY_MUTANTS:
        request->list_mutants = true;
        return 0;
    case KEY_MUTANT:
        request->mutant = argument;
        return 0;
    case KEY_TRACE:
        request->world.live_trace = stderr;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is no option", argument);
        return 0;
    case ARGP_KEY_END:
        if (request->history != NULL && request->runs != 1)
            argp_error(state, "history: for a single run");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- a history from a file ------------------------------------------------------------------- */

static int judge(const struct request *request)
{
    FILE *file = fopen(request->check, "r");
    if (file == NULL) {
        (void)fprintf(stderr, "quorate-sim: %s: %s\n", request->check, strerror(errno));
        return EX_DATAERR;
    }
    struct history *history = history_new();
    char error[HISTORY_ERROR_MAX];
    bool good = history_read(history, file, error);
    (void)fclose(file);
    if (!good) {
        (void)fprintf(stderr, "quorate-sim: %s: %s\n", request->check, error);
        history_free(history);
        return EX_DATAERR;
    }
    struct linearize_limits limits;
    struct linearize_report report;
    linearize_limits_defaults(&limits);
    enum linearize_verdict verdict = linearize(history, &limits, &report);
    const char *name = linearize_verdict_name(verdict);
    if (verdict == LINEARIZE_VIOLATION) {
        (void)fprintf(stderr, "the first operation that fits nowhere:\n");
        history_write_operation(history, report.operation, stderr);
    }
    if (request->json)
        (void)printf("{\"operations\":%u,\"keys\":%u,\"keys_undecided\":%u,\"steps\":%" PRIu64
                     ",\"verdict\":\"%s\"}\n",
                     history->count, report.keys, report.keys_undecided, report.steps, name);
    else
        (void)printf("%s: %u operations on %u keys: %s\n", request->check, history->count,
                     report.keys, name);
    history_free(history);
    static const int codes[] = {
        [LINEARIZE_OK] = EX_OK,
        [LINEARIZE_VIOLATION] = EX_SOFTWARE,
        [LINEARIZE_UNDECIDED] = EX_TEMPFAIL,
    };
    return codes[verdict];
}

/* ---- mutants --------------------------------------------------------------------------------- */

#ifdef RAFT_MUTANTS
static int list_mutants(void)
{
    for (int mutant = RAFT_MUTANT_NONE + 1; mutant < RAFT_MUTANT_COUNT; mutant++)
        (void)printf("%s\n", raft_mutant_name(mutant));
    return EX_OK;
}

static bool plant(const char *name)
{
    for (int mutant = RAFT_MUTANT_NONE; mutant < RAFT_MUTANT_COUNT; mutant++) {
        if (strcmp(raft_mutant_name(mutant), name) == 0) {
            raft_mutant = mutant;
            return true;
        }
    }
    return false;
}
#else
static int list_mutants(void)
{
    (void)fprintf(stderr,
                  "quorate-sim: no bugs are planted in this build; see quorate-sim-mutants\n");
    return EX_UNAVAILABLE;
}

static bool plant(const char *name)
{
    (void)name;
    return false;
}
#endif

/* ---- runs ------------------------------------------------------------------------------------ */

static void replay_line(const struct request *request, const struct world *world, char *line,
                        size_t room)
{
    (void)snprintf(line, room,
                   "quorate-sim%s --protocol raft --seed %" PRIu64
                   " --runs 1 --replicas %u --minutes %g --faults %s%s%s",
                   request->mutant != NULL ? "-mutants" : "", world->options.seed,
                   world->shape.replicas, world->options.minutes, request->faults,
                   request->mutant != NULL ? " --mutant " : "",
                   request->mutant != NULL ? request->mutant : "");
}

static void add(struct world_result *total, const struct world_result *result)
{
    total->simulated_seconds += result->simulated_seconds;
    total->events += result->events;
    total->commits += result->commits;
    total->elections += result->elections;
    total->operations += result->operations;
    total->undecided += result->undecided;
    for (int kind = 0; kind < FAULT_COUNT; kind++)
        for (int role = 0; role < ROLE_COUNT; role++)
            total->struck[kind][role] += result->struck[kind][role];
    for (int kind = 0; kind < FAULT_COUNT; kind++)
        total->faults[kind] += result->faults[kind];
    total->digest = trace_mix(total->digest, result->digest);
}

static void print_result(const struct request *request, const struct world_result *total)
{
    if (request->json) {
        report_result(stdout, request->world.seed, (uint32_t)request->runs, total, 0);
        return;
    }
    (void)printf("%" PRIu64 " runs from seed %" PRIu64 ": %.1f simulated seconds, %" PRIu64
                 " operations, %" PRIu64 " commits, %" PRIu64 " elections, no violation\nfaults:",
                 request->runs, request->world.seed, total->simulated_seconds, total->operations,
                 total->commits, total->elections);
    for (int kind = 0; kind < FAULT_COUNT; kind++)
        (void)printf(" %s %" PRIu64, fault_name((enum fault_kind)kind), total->faults[kind]);
    (void)printf("\nhistories undecided: %" PRIu64 " keys; digest %016" PRIx64 "\n",
                 total->undecided, total->digest);
}

static int run(const struct request *request)
{
    struct world_result total = {0};
    FILE *history = NULL;
    if (request->history != NULL && (history = fopen(request->history, "w")) == NULL) {
        (void)fprintf(stderr, "quorate-sim: %s: %s\n", request->history, strerror(errno));
        return EX_OSERR;
    }
    report_history(history);
    /* What one world gives back the next one takes, without a page fault. */
    (void)mallopt(M_MMAP_THRESHOLD, INT32_MAX);
    (void)mallopt(M_TRIM_THRESHOLD, INT32_MAX);
    view_thread_register();
    for (uint64_t i = 0; i < request->runs; i++) {
        struct world_options of_run = request->world;
        of_run.seed += i;
        struct world_result result;
        struct world *world = world_open(&of_run);
        char line[512];
        replay_line(request, world, line, sizeof line);
        report_watch(world, line, request->json);
        world_run(world, &result);
        report_unwatch();
        if (history != NULL)
            history_write(world->history, history);
        world_close(world);
        add(&total, &result);
    }
    view_thread_unregister();
    if (history != NULL && fclose(history) != 0)
        return EX_OSERR;
    print_result(request, &total);
    return EX_OK;
}

int main(int argc, char **argv)
{
    struct request request = {
        .protocol = "raft",
        .faults = "all",
        .runs = 1,
        .world = {.seed = 1, .minutes = 1.0, .faults = {.by_seed = true}},
    };
    static const struct argp argp = {
        options, take_option,
        NULL,    "Runs a whole cluster in one thread and virtual time, from a seed, under faults.",
        NULL,    NULL,
        NULL};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &request);
    if (request.list_mutants)
        return list_mutants();
    if (request.check != NULL)
        return judge(&request);
    if (strcmp(request.protocol, "raft") != 0) {
        bool known =
            strcmp(request.protocol, "pbft") == 0 || strcmp(request.protocol, "gossip") == 0;
        (void)fprintf(stderr, "quorate-sim: %s: %s\n", request.protocol,
                      known ? "not in this version" : "no such protocol");
        return known ? EX_UNAVAILABLE : EX_USAGE;
    }
    if (request.mutant != NULL && !plant(request.mutant)) {
        (void)fprintf(stderr, "quorate-sim: %s: no such mutant in this build\n", request.mutant);
        return EX_USAGE;
    }
    if (request.exhaustive)
        return exhaustive_run(request.bound, request.json);
    return run(&request);
}

/* NOLINTEND(concurrency-mt-unsafe) */
