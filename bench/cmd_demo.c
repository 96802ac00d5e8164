#include "bench/cmd.h"

#include "bench/machine.h"
#include "bench/readback.h"
#include "bench/report.h"
#include "bench/run.h"

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>

#define LOAD_SHARE     0.4 /* of the seconds; the rest is for the appends and the kill */
#define LISTS          1000u
#define APPEND_CLIENTS 4u
#define APPEND_RATE    20000u

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* ---- the live line --------------------------------------------------------------------------- */

struct live {
    const char *what;
    uint32_t shown;
    uint32_t seconds_before; /* of earlier phases */
    uint32_t alive_before;
};

static uint32_t count_alive(const struct cluster *cluster)
{
    uint32_t alive = 0;
    for (uint32_t i = 0; i < cluster->count; i++)
        alive += cluster->alive[i];
    return alive;
}

static void show(void *context, const struct cluster *cluster, const struct load_watch *watch)
{
    struct live *live = context;
    uint32_t alive = count_alive(cluster);
    if (alive < live->alive_before)
        (void)printf("        the leader is killed: no warning, nothing flushed\n");
    live->alive_before = alive;
    if (watch->seconds == live->shown)
        return;
    live->shown = watch->seconds;
    uint32_t leader = cluster_leader(cluster, 0);
    char p50[REPORT_TIME_MAX];
    char name[16] = "none";
    if (leader != CLUSTER_NOBODY)
        (void)snprintf(name, sizeof name, "node %u", node_id(cluster->node[leader]));
    (void)printf("%4u s  %-7s %9llu ops/s   leader %-7s p50 %s\n",
                 live->seconds_before + watch->seconds, live->what,
                 (unsigned long long)watch->operations, name, report_time(watch->p50_ns, p50));
    (void)fflush(stdout);
}

/* ---- phases ---------------------------------------------------------------------------------- */

struct demo {
    struct demo_options options;
    struct load_options load;
    struct calibration calibration;
    struct cluster cluster;
    struct oplog oplog;
    struct run first;  /* SETs, as fast as they go */
    struct run second; /* appends, while the leader dies */
    struct appends appends;
    bool replicas_agree;
    char error[CARRIER_ERROR_MAX];
};

static bool run_sets(struct demo *demo)
{
    struct live live = {.what = "SET", .alive_before = demo->cluster.count};
    struct load_plan plan = {
        .workload = WORKLOAD_SET,
        .sessions = demo->load.clients,
        .window = demo->load.window,
        .keys = demo->load.keys,
        .value_bytes = demo->load.value_bytes,
        .preload = true,
        .answer_limit_ns = CMD_ANSWER_LIMIT_NS,
        .warm_up_ns = OPTIONS_WARM_UP_NS,
        .measure_ns = (uint64_t)(demo->options.seconds * LOAD_SHARE * 1e9),
        .seed = machine_random(),
    };
    return run_load(&demo->cluster, &plan, false, show, &live, &demo->first, demo->error);
}

static bool run_appends(struct demo *demo)
{
    struct live live = {
        .what = "APPEND",
        .seconds_before = (uint32_t)(demo->options.seconds * LOAD_SHARE),
        .alive_before = demo->cluster.count,
    };
    struct load_plan plan = {
        .workload = WORKLOAD_APPEND,
        .sessions = APPEND_CLIENTS,
        .window = demo->load.window,
        .keys = LISTS,
        .rate = APPEND_RATE,
        .answer_limit_ns = CMD_ANSWER_LIMIT_NS,
        .warm_up_ns = OPTIONS_WARM_UP_NS,
        .measure_ns = (uint64_t)(demo->options.seconds * (1 - LOAD_SHARE) * 1e9),
        .seed = machine_random(),
        .oplog = &demo->oplog,
    };
    return run_load(&demo->cluster, &plan, true, show, &live, &demo->second, demo->error);
}

/* ---- words ----------------------------------------------------------------------------------- */

static void print_opening(const struct demo *demo)
{
    (void)printf(
        "Quorate: a Raft cluster of %u replicas in this process, joined by ring ports.\n"
        "Durability: volatile (nothing is written to disk). Heartbeat %llu ms, election time-out "
        "%llu to %llu ms.\n\n%s\n",
        demo->cluster.count, (unsigned long long)(demo->load.heartbeat_ns / 1000000),
        (unsigned long long)(demo->load.election_timeout_ns / 1000000),
        (unsigned long long)(demo->load.election_timeout_ns / 500000), demo->cluster.placement);
    (void)fflush(stdout);
}

static void print_latency(const char *what, const struct histogram *latency)
{
    char p50[REPORT_TIME_MAX];
    char p99[REPORT_TIME_MAX];
    char most[REPORT_TIME_MAX];
    (void)printf(
        "%-34s p50 %s, p99 %s, max %s\n", what, report_time(histogram_value(latency, 500000), p50),
        report_time(histogram_value(latency, 990000), p99), report_time(latency->highest, most));
}

static void print_closing(const struct demo *demo)
{
    const struct load_result *sets = load_result_of(demo->first.load);
    const struct load_result *appends = load_result_of(demo->second.load);
    char text[REPORT_TIME_MAX];
    uint64_t failover_ns = appends->failover_ns;
    uint64_t errors = sets->errors + appends->errors;
    (void)printf("\n%-34s %.0f (%u-byte values, window %u, one client)\n", "SETs per second",
                 (double)sets->operations * 1e9 / (double)sets->elapsed_ns, demo->load.value_bytes,
                 demo->load.window);
    print_latency("latency of SETs", &sets->latency);
    print_latency("latency of appends, with the kill", &appends->latency);
    (void)printf("%-34s %s\n", "failover",
                 failover_ns == 0 ? "not seen: the interval was too short"
                                  : report_time(failover_ns, text));
    (void)printf("%-34s %llu\n", "errors", (unsigned long long)errors);
    report_write_appends(&demo->appends, stdout);
    (void)printf("%-34s %s\n", "replicas hold the same state", demo->replicas_agree ? "yes" : "NO");
    report_write_calibration(&demo->calibration, stdout);
    (void)fflush(stdout);
}

static void stay(struct demo *demo)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)printf("\nThe cluster stays up until interrupted:\n");
    for (uint32_t i = 0; i < demo->cluster.count; i++) {
        if (demo->cluster.alive[i])
            (void)printf("redis-cli -p %u\n", node_resp_port(demo->cluster.node[i]));
    }
    (void)fflush(stdout);
    while (!interrupted)
        cluster_control(&demo->cluster);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int show_cluster(struct demo *demo)
{
    if (!cluster_await_leaders(&demo->cluster, CMD_ELECTION_LIMIT_NS))
        return cmd_complain(EX_TEMPFAIL,
                            "no leader was elected within 10 s; is this machine overloaded?");
    if (!run_sets(demo) || !run_appends(demo))
        return cmd_complain(EX_TEMPFAIL, demo->error);
    (void)printf("        reading all %u lists back through every live node\n", LISTS);
    (void)fflush(stdout);
    if (!readback_run(&demo->cluster, &demo->oplog, LISTS, NULL, &demo->appends, demo->error))
        return cmd_complain(EX_UNAVAILABLE, demo->error);
    demo->replicas_agree = cluster_settle(&demo->cluster, CMD_SETTLE_LIMIT_NS);
    print_closing(demo);
    if (demo->options.stay)
        stay(demo);
    return appends_clean(&demo->appends) && demo->replicas_agree ? EX_OK : EX_SOFTWARE;
}

int cmd_demo(int argc, char **argv)
{
    static struct demo demo; /* too large for a stack */
    options_demo(argc, argv, &demo.options);
    load_options_defaults(&demo.load);
    demo.load.replicas = demo.options.replicas;
    struct load_options appends = demo.load;
    appends.rate = APPEND_RATE;
    appends.seconds = demo.options.seconds;
    if (!oplog_create(&demo.oplog, APPEND_CLIENTS, (uint32_t)options_operations_max(&appends)))
        return cmd_complain(EX_OSERR, "no memory to record operations");
    calibrate(NULL, &demo.calibration);
    if (!cluster_start(&demo.cluster, &demo.load, true, NULL, demo.error))
        return cmd_complain(EX_OSERR, demo.error);
    print_opening(&demo);
    int status = show_cluster(&demo);
    if (demo.first.load != NULL)
        load_destroy(demo.first.load);
    if (demo.second.load != NULL)
        load_destroy(demo.second.load);
    cluster_stop(&demo.cluster);
    oplog_destroy(&demo.oplog);
    return status;
}
