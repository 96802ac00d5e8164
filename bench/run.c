#include "bench/run.h"

#include "bench/machine.h"

#include <stdio.h>

/* Half of the interval is over, and somebody leads to be killed. */
static void kill_when_due(struct cluster *cluster, const struct load_plan *plan,
                          const struct load_watch *watch, struct run *run)
{
    if (watch->measure_begin_ns == 0 || run->killed != CLUSTER_NOBODY)
        return;
    uint64_t before_ns = machine_now_ns();
    uint32_t leader = cluster_leader(cluster, LOAD_KILLED_GROUP);
    if (before_ns - watch->measure_begin_ns < plan->measure_ns / 2 || leader == CLUSTER_NOBODY)
        return;
    run->killed = leader;
    cluster_kill(cluster, leader);
    load_note_kill(run->load, before_ns, machine_now_ns());
}

bool run_load(struct cluster *cluster, const struct load_plan *plan, bool leader_kill,
              run_observer *observer, void *context, struct run *run, char error[CARRIER_ERROR_MAX])
{
    run->killed = CLUSTER_NOBODY;
    run->load = load_create(plan, &cluster->carrier, error);
    if (run->load == NULL)
        return false;
    if (!host_client_launch(cluster->host, 0, load_loop, run->load)) {
        (void)snprintf(error, CARRIER_ERROR_MAX, "the client core could not be started");
        load_destroy(run->load);
        run->load = NULL;
        return false;
    }
    struct load_watch watch;
    do {
        cluster_control(cluster);
        load_look(run->load, &watch);
        if (leader_kill && !watch.finished)
            kill_when_due(cluster, plan, &watch, run);
        if (observer != NULL)
            observer(context, cluster, &watch);
    } while (!watch.finished);
    host_client_wait(cluster->host, 0);
    if (load_result_of(run->load)->answered)
        return true;
    (void)snprintf(error, CARRIER_ERROR_MAX,
                   "the cluster did not answer; is this machine overloaded?");
    load_destroy(run->load);
    run->load = NULL;
    return false;
}
