#include "bench/cmd.h"

#include "bench/machine.h"
#include "bench/readback.h"
#include "bench/report.h"
#include "bench/run.h"
#include "bench/target.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#define TARGET_LIMIT_NS      UINT64_C(3000000000) /* for the first answer of a running cluster */
#define OPLOG_OPERATIONS     (1u << 22)           /* closed loop: recorded, then the run ends */
#define OPLOG_OPERATIONS_MAX (1u << 26)

struct load_run {
    struct load_options options;
    struct calibration calibration;
    struct cluster cluster;
    struct target target;
    struct oplog oplog;
    struct signers *signers;
    FILE *history;
    char error[CARRIER_ERROR_MAX];
};

/* ---- before ---------------------------------------------------------------------------------- */

/* A history begins with an empty table; that of a running cluster holds other runs' values, until
 * they are replaced. */
static bool preloads(const struct load_options *options)
{
    return options->workload == WORKLOAD_SET &&
           (options->history == NULL || options->target != NULL);
}

static struct load_plan plan_of(const struct load_options *options, struct signers *signers,
                                struct oplog *oplog)
{
    return (struct load_plan){
        .workload = options->workload,
        .sessions = options->clients,
        .window = options->window,
        .keys = options->keys,
        .value_bytes = options->value_bytes,
        .reads_percent = options->reads_percent,
        .rate = options->rate,
        .preload = preloads(options),
        .answer_limit_ns = options->target == NULL ? CMD_ANSWER_LIMIT_NS : TARGET_LIMIT_NS,
        .warm_up_ns = OPTIONS_WARM_UP_NS,
        .measure_ns = (uint64_t)(options->seconds * 1e9),
        .seed = machine_random(),
        .signers = signers,
        .oplog = oplog->record == NULL ? NULL : oplog,
    };
}

/* Sessions take turns, but one may wait while others go on: twice the share, and some. */
static uint32_t oplog_capacity(const struct load_options *options)
{
    uint64_t operations = OPLOG_OPERATIONS;
    if (options->rate != 0)
        operations = 2 * options_operations_max(options) + (uint64_t)4096 * options->clients;
    if (preloads(options))
        operations += 2 * (uint64_t)options->keys;
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

/* ---- after ----------------------------------------------------------------------------------- */

/* What the run showed about the writes it was promised; EX_OK when all is there. */
static int check(struct load_run *run, struct report *report, struct appends *appends)
{
    if (run->options.workload == WORKLOAD_APPEND) {
        if (!readback_run(&run->cluster, &run->oplog, run->options.keys, run->history, appends,
                          run->error))
            return cmd_complain(EX_UNAVAILABLE, run->error);
        report->appends = appends;
    }
    report->replicas_compared = true;
    report->replicas_agree = cluster_settle(&run->cluster, CMD_SETTLE_LIMIT_NS);
    if (!report->replicas_agree)
        return cmd_complain(EX_SOFTWARE, "replicas do not hold the same state");
    if (report->appends != NULL && !appends_clean(appends))
        return cmd_complain(EX_SOFTWARE,
                            "acknowledged writes were lost, came twice or out of order");
    return EX_OK;
}

/* What a reader of the figures should know, on standard error. */
static void remark(const struct load_run *run, const struct load_result *result)
{
    const struct load_options *options = &run->options;
    if (result->cut_short)
        (void)cmd_complain(0, "the interval was cut short: no more operations could be recorded");
    if (preloads(options) && !result->preloaded)
        (void)cmd_complain(0, "not every key was written before the load: some of its SETs insert");
    if (options->target == NULL && run->cluster.core_count < options->cores)
        (void)cmd_complain(0, "the servers have fewer polling cores than --cores asked for");
}

static int write_out(struct load_run *run, const struct report *report, int status)
{
    remark(run, report->result);
    if (run->history != NULL && !oplog_write(&run->oplog, run->history))
        status = cmd_complain(EX_OSERR, "the history could not be written");
    if (!run->options.json)
        report_write_table(report, stdout);
    else if (!report_write_json(report, stdout))
        status = cmd_complain(EX_OSERR, "the report could not be written");
    return status;
}

/* ---- an embedded cluster --------------------------------------------------------------------- */

static int load_cluster(struct load_run *run)
{
    struct load_options *options = &run->options;
    struct load_plan plan = plan_of(options, run->signers, &run->oplog);
    struct run outcome;
    if (!cluster_await_leaders(&run->cluster, CMD_ELECTION_LIMIT_NS))
        return cmd_complain(EX_TEMPFAIL,
                            "no leader was elected within 10 s; is this machine overloaded?");
    if (!run_load(&run->cluster, &plan, options->leader_kill, NULL, NULL, &outcome, run->error))
        return cmd_complain(EX_TEMPFAIL, run->error);
    struct appends appends;
    struct report report = {
        .options = options,
        .calibration = &run->calibration,
        .placement = run->cluster.placement,
        .cores = run->cluster.core_count,
        .result = load_result_of(outcome.load),
    };
    int status = check(run, &report, &appends);
    status = write_out(run, &report, status);
    load_destroy(outcome.load);
    return status;
}

static int embedded(struct load_run *run)
{
    const struct load_options *options = &run->options;
    if (!cluster_start(&run->cluster, options, options->workload == WORKLOAD_APPEND, run->signers,
                       run->error))
        return cmd_complain(EX_OSERR, run->error);
    int status = load_cluster(run);
    cluster_stop(&run->cluster);
    return status;
}

/* ---- a running cluster ----------------------------------------------------------------------- */

/* EX_OK: the figures stand for something. */
static int judge_target(const struct load_run *run, const struct load_result *result)
{
    if (!result->heard)
        return cmd_complain(EX_UNAVAILABLE,
                            "nobody answers at --target: is a cluster up, and are these the "
                            "addresses of its consensus ports?");
    if (!result->answered)
        return cmd_complain(EX_TEMPFAIL,
                            "there are nodes at --target, but none of them took an operation: do "
                            "they have a leader, is every member named, are --groups and --lanes "
                            "theirs?");
    if (run->history != NULL && !result->preloaded)
        return cmd_complain(EX_UNAVAILABLE,
                            "not every key could be written before the load, so reads may have "
                            "seen values of other runs: fewer --keys mend that");
    return EX_OK;
}

static int load_target(struct load_run *run)
{
    struct load_plan plan = plan_of(&run->options, run->signers, &run->oplog);
    struct load *load = load_create(&plan, &run->target.carrier, run->error);
    if (load == NULL)
        return cmd_complain(EX_OSERR, run->error);
    (void)load_loop(load);
    struct report report = {
        .options = &run->options,
        .calibration = &run->calibration,
        .result = load_result_of(load),
    };
    int status = judge_target(run, report.result);
    if (status == EX_OK)
        status = write_out(run, &report, EX_OK);
    load_destroy(load);
    return status;
}

static int targeted(struct load_run *run)
{
    const struct load_options *options = &run->options;
    struct target_address address[CARRIER_SERVERS_MAX];
    uint32_t count = target_parse(options->target, address);
    if (!target_open(&run->target, address, count, (uint16_t)options->groups,
                     (uint16_t)options->lanes, options->mtu, run->error))
        return cmd_complain(EX_UNAVAILABLE, run->error);
    int status = load_target(run);
    target_close(&run->target);
    return status;
}

int cmd_load(int argc, char **argv)
{
    static struct load_run run; /* too large for a stack */
    options_load(argc, argv, &run.options);
    struct load_options *options = &run.options;
    if (options->target == NULL && !fits_memory(options))
        return cmd_complain(EX_USAGE,
                            "these keys and values need more than half of this machine's memory: "
                            "fewer --keys, --replicas or --value-bytes mend that");
    if (options->history != NULL && (run.history = fopen(options->history, "w")) == NULL)
        return cmd_complain(EX_OSERR, "the history file can not be created");
    if ((options->workload == WORKLOAD_APPEND || options->history != NULL) &&
        !oplog_create(&run.oplog, options->clients, oplog_capacity(options)))
        return cmd_complain(EX_OSERR, "no memory to record operations");
    if (options->clients_sign && (run.signers = signers_create(options->clients)) == NULL)
        return cmd_complain(EX_OSERR, "no memory for the clients' keys");
    calibrate(options->data, &run.calibration);
    int status = options->target == NULL ? embedded(&run) : targeted(&run);
    oplog_destroy(&run.oplog);
    signers_destroy(run.signers);
    if (run.history != NULL && fclose(run.history) != 0)
        status = cmd_complain(EX_OSERR, "the history could not be written");
    return status;
}
