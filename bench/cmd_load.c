#include "bench/cmd.h"

#include "bench/machine.h"
#include "bench/readback.h"
#include "bench/report.h"
#include "bench/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define ELECTION_LIMIT_NS    UINT64_C(10000000000)
#define SETTLE_LIMIT_NS      UINT64_C(5000000000)
#define OPLOG_OPERATIONS     (1u << 22) /* closed loop: as many as are recorded, then the run ends */
#define OPLOG_OPERATIONS_MAX (1u << 26)

static int complain(int status, const char *sentence)
{
    (void)fprintf(stderr, "quorate-bench: %s\n", sentence);
    return status;
}

static struct load_plan plan_of(const struct load_options *options, struct oplog *oplog)
{
    return (struct load_plan){
        .workload = options->workload,
        .sessions = options->clients,
        .window = options->window,
        .keys = options->keys,
        .value_bytes = options->value_bytes,
        .reads_percent = options->reads_percent,
        .rate = options->rate,
        .preload = options->workload == WORKLOAD_SET && oplog == NULL,
        .warm_up_ns = OPTIONS_WARM_UP_NS,
        .measure_ns = (uint64_t)(options->seconds * 1e9),
        .seed = machine_random(),
        .oplog = oplog,
    };
}

/* Sessions take turns, but one may wait while others go on: twice the share, and some. */
static uint32_t oplog_capacity(const struct load_options *options)
{
    uint64_t operations = OPLOG_OPERATIONS;
    if (options->rate != 0)
        operations = 2 * options_operations_max(options) + (uint64_t)4096 * options->clients;
    return (uint32_t)(min_u64(operations, OPLOG_OPERATIONS_MAX) / options->clients);
}

/* Every replica keeps every value, and all replicas are in this process. */
static bool fits_memory(const struct load_options *options)
{
    uint64_t physical_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t value_bytes = options->value_bytes;
    if (options->workload == WORKLOAD_APPEND)
        value_bytes = options_list_bytes(options);
    return (uint64_t)options->replicas * options->keys * value_bytes < physical_bytes / 2;
}

struct load_run {
    struct load_options options;
    struct calibration calibration;
    struct cluster cluster;
    struct oplog oplog;
    FILE *history;
    char error[CLUSTER_ERROR_MAX];
};

/* What the run showed about the writes it was promised; EX_OK when all is there. */
static int check(struct load_run *run, struct report *report, struct appends *appends)
{
    if (run->options.workload == WORKLOAD_APPEND) {
        if (!readback_run(&run->cluster, &run->oplog, run->options.keys, run->history, appends,
                          run->error))
            return complain(EX_UNAVAILABLE, run->error);
        report->appends = appends;
    }
    report->replicas_compared = true;
    report->replicas_agree = cluster_settle(&run->cluster, SETTLE_LIMIT_NS);
    if (run->history != NULL && !oplog_write(&run->oplog, run->history))
        return complain(EX_OSERR, "the history could not be written");
    if (!report->replicas_agree)
        return complain(EX_SOFTWARE, "replicas do not hold the same state");
    if (report->appends != NULL && !appends_clean(appends))
        return complain(EX_SOFTWARE, "acknowledged writes were lost, came twice or out of order");
    return EX_OK;
}

static int measure(struct load_run *run)
{
    struct load_options *options = &run->options;
    struct oplog *oplog = run->oplog.record == NULL ? NULL : &run->oplog;
    struct load_plan plan = plan_of(options, oplog);
    struct run outcome;
    if (!cluster_await_leaders(&run->cluster, ELECTION_LIMIT_NS))
        return complain(EX_TEMPFAIL,
                        "no leader was elected within 10 s; is this machine overloaded?");
    if (!run_load(&run->cluster, &plan, options->leader_kill, NULL, NULL, &outcome, run->error))
        return complain(EX_TEMPFAIL, run->error);
    const struct load_result *result = load_result_of(outcome.load);
    struct appends appends;
    struct report report = {
        .options = options,
        .calibration = &run->calibration,
        .placement = run->cluster.placement,
        .result = result,
    };
    if (result->cut_short)
        (void)complain(0, "the interval was cut short: no more operations could be recorded");
    int status = check(run, &report, &appends);
    if (!options->json)
        report_write_table(&report, stdout);
    else if (!report_write_json(&report, stdout))
        status = complain(EX_OSERR, "the report could not be written");
    load_destroy(outcome.load);
    return status;
}

int cmd_load(int argc, char **argv)
{
    static struct load_run run; /* too large for a stack */
    options_load(argc, argv, &run.options);
    struct load_options *options = &run.options;
    if (!fits_memory(options))
        return complain(EX_USAGE,
                        "these keys and values need more than half of this machine's memory: "
                        "fewer --keys, --replicas or --value-bytes mend that");
    if (options->history != NULL && (run.history = fopen(options->history, "w")) == NULL)
        return complain(EX_OSERR, "the history file can not be created");
    if ((options->workload == WORKLOAD_APPEND || options->history != NULL) &&
        !oplog_create(&run.oplog, options->clients, oplog_capacity(options)))
        return complain(EX_OSERR, "no memory to record operations");
    calibrate(options->data, &run.calibration);
    if (!cluster_start(&run.cluster, options, options->workload == WORKLOAD_APPEND, run.error))
        return complain(EX_OSERR, run.error);
    int status = measure(&run);
    cluster_stop(&run.cluster);
    oplog_destroy(&run.oplog);
    if (run.history != NULL && fclose(run.history) != 0)
        status = complain(EX_OSERR, "the history could not be written");
    return status;
}
