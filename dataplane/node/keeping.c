/* keeping.c: the thread that takes, sends and receives a node's snapshots, beside its lanes. */
#include "dataplane/keeper/keeper.h"
#include "dataplane/log/wal.h"
#include "dataplane/node/internal.h"

#include <sys/resource.h>
#include <time.h>

#define KEEPER_NICE 5 /* where it shares a core with one that polls */

static void say(void *domain, const char *sentence)
{
    (void)domain;
    (void)fprintf(stderr, "quorated: %s\n", sentence);
}

static uint64_t wall_clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool node_keeper_open(struct node *node, char *error)
{
    static_assert(KEEPER_ERROR_MAX <= HOST_ERROR_MAX, "its sentences are passed on");
    const struct node_config *config = &node->config;
    const struct placement *plan = &node->host->placement;
    uint64_t after = config->snapshot_after_bytes != 0 ? config->snapshot_after_bytes
                                                       : config->log_file_bytes / 4;
    struct keeper_config keeper = {
        .self = config->id,
        .group_count = config->group_count,
        .lane_count = config->lane_count,
        .data = config->data,
        .state = config->state,
        .snapshot_after_bytes = config->snapshot_never ? 0 : after,
        .bytes_per_second = config->snapshot_rate_bytes,
        .run = wall_clock_ns(),
        .topology = &node->host->topology,
        .pinned_by = wal_pinned_by,
        .say = say,
    };
    for (uint32_t i = 0; i < config->lane_count; i++)
        keeper.memory_node[i] =
            plan->lanes[node->replica * plan->lanes_per_replica + i].memory_node;
    node->keeper = keeper_open(&keeper, error);
    if (node->keeper == NULL)
        return false;
    const struct identity *identity = &node->identity;
    struct view view;
    if (identity->cluster == 0)
        return true;
    (void)node_bind(node, identity->cluster, identity->member, identity->member_incarnation,
                    identity->member_count, &view);
    keeper_identify(node->keeper, view.cluster, view.config_hash);
    return true;
}

void node_keeper_serve(struct node *node)
{
    for (uint32_t i = 0; i < node->config.lane_count; i++)
        keeper_serve(node->keeper, (uint16_t)i, node->lane[i].lane,
                     node->config.data != NULL ? node->lane[i].storage : NULL);
}

/* ---- its thread ------------------------------------------------------------------------------ */

static void nap(uint64_t ns)
{
    struct timespec pause = {.tv_nsec = (long)ns};
    (void)nanosleep(&pause, NULL);
}

static void *run(void *argument)
{
    struct node *node = argument;
    (void)setpriority(PRIO_PROCESS, 0, KEEPER_NICE); /* of this thread alone, on Linux */
    view_thread_register();
    while (!atomic_load_explicit(&node->keeper_stop, memory_order_acquire)) {
        bool more = keeper_turn(node->keeper, node_now_ns());
        view_quiescent();
        if (more)
            continue;
        uint64_t now_ns = node_now_ns(), wake_ns = keeper_wake_ns(node->keeper, now_ns);
        view_offline();
        if (wake_ns > now_ns)
            nap(min_u64(wake_ns - now_ns, HOST_CONTROL_NS));
        view_online();
    }
    view_thread_unregister();
    return NULL;
}

/* On the control threads' cores, which are not the polling ones where there are enough. */
static void place(const struct node *node)
{
    const struct placement *plan = &node->host->placement;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    for (uint32_t i = 0; i < plan->control_count; i++)
        CPU_SET(plan->control[i], &cpus);
    if (CPU_COUNT(&cpus) != 0)
        (void)pthread_setaffinity_np(node->keeper_thread, sizeof cpus, &cpus);
}

bool node_keeper_start(struct node *node, char *error)
{
    node->keeper_runs = pthread_create(&node->keeper_thread, NULL, run, node) == 0;
    if (!node->keeper_runs) {
        (void)snprintf(error, HOST_ERROR_MAX, "no thread could be started for snapshots");
        return false;
    }
    place(node);
    return true;
}

uint64_t node_keeper_cpu_ns(const struct node *node)
{
    clockid_t clock;
    struct timespec used;
    if (!node->keeper_runs || pthread_getcpuclockid(node->keeper_thread, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return 0;
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* Before anything that it calls goes. */
void node_keeper_stop(struct node *node)
{
    if (!node->keeper_runs)
        return;
    node->host->gone_cpu_ns += node_keeper_cpu_ns(node);
    atomic_store_explicit(&node->keeper_stop, true, memory_order_release);
    (void)pthread_join(node->keeper_thread, NULL);
    node->keeper_runs = false;
}

/* After the lanes: their states may lie in its memory. */
void node_keeper_close(struct node *node)
{
    if (node->keeper != NULL)
        keeper_close(node->keeper);
    node->keeper = NULL;
}

/* ---- what it says ---------------------------------------------------------------------------- */

static const char *doing(const struct keeper_group_report *report)
{
    return report->installing    ? "installing"
           : report->receiving   ? "receiving"
           : report->taking      ? "taking"
           : report->sending > 0 ? "sending"
                                 : "idle";
}

static json_t *group_report(const struct keeper_group_report *report, uint16_t group,
                            uint64_t now_ns)
{
    bool aged = report->taken_ns != 0 && now_ns > report->taken_ns;
    return json_pack(
        "{s:i, s:s, s:I, s:I, s:o, s:i, s:I, s:I}", "group", group, "doing", doing(report), "index",
        (json_int_t)report->index, "bytes", (json_int_t)report->bytes, "age_s",
        aged ? json_integer((json_int_t)((now_ns - report->taken_ns) / 1000000000u)) : json_null(),
        "receivers", report->sending, "done_bytes", (json_int_t)report->done_bytes, "whole_bytes",
        (json_int_t)report->whole_bytes);
}

void node_keeper_report(const struct node *node, json_t *status)
{
    json_t *groups = json_array();
    struct keeper_group_report report;
    for (uint16_t g = 0; g < node->config.group_count; g++)
        if (keeper_report(node->keeper, g, &report))
            (void)json_array_append_new(groups, group_report(&report, g, node_now_ns()));
    (void)json_object_set_new(status, "snapshots", groups);
}
