#include "tests/sim/world.h"

#include "numa/base/assert.h"
#include "tests/sim/actor.h"
#include "tests/sim/ledger.h"
#include "tests/sim/linearize.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/report.h"
#include "tests/sim/witness.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_NS         (10 * SECOND_NS) /* after healing, everything is done by then */
#define LONG_TIME_JUMP_MS   60000u           /* longer than any time without a leader */
#define KEY_EPOCH_NS_MAX    (10 * SECOND_NS)
#define THINK_NS_PER_MINUTE 1e7
#define CLOCK_GRAIN_NS      (2 * MILLISECOND_NS)

/* ---- opening --------------------------------------------------------------------------------- */

/* Every draw is made whatever the options say, so that an option does not change what else a seed
 * means. */
static void draw_shape(struct world *world)
{
    static const uint32_t replicas[] = {3, 3, 3, 5, 5, 4, 2, 1};
    static const uint32_t drifts[] = {0, 1000, 200000, 500000};
    struct random_state *random = &world->random;
    struct shape *shape = &world->shape;
    shape->replicas = replicas[random_below(random, COUNT_OF(replicas))];
    shape->groups = chance(random, 50) ? 1 : (uint32_t)between(random, 2, 3);
    shape->network_actors = (uint32_t)between(random, 3, 5);
    shape->edge_actors = (uint32_t)between(random, 0, 3);
    shape->payload_max = chance(random, 75) ? 1472 : 8972;
    shape->drift_ppm = drifts[random_below(random, COUNT_OF(drifts))];
    shape->link_ns = chance(random, 70) ? between(random, 5, 100) * MICROSECOND_NS
                                        : between(random, 100, 5000) * MICROSECOND_NS;
    shape->think_ns = chance(random, 3) ? between(random, 20, 100) * MILLISECOND_NS
                                        : between(random, 100, 1000) * MILLISECOND_NS;
    shape->retry_ns = between(random, 5, 60) * MILLISECOND_NS;
    shape->election_timeout_max_ns = between(random, 105, 200) * MILLISECOND_NS;
    shape->disk_ns = chance(random, 70) ? between(random, 10, 200) * MICROSECOND_NS
                                        : between(random, 200, 5000) * MICROSECOND_NS;
    shape->session_ttl_ms = chance(random, 50) ? between(random, 500, 5000) : 600000;
    shape->time_jump_max_ms = chance(random, 50) ? between(random, 100, 2000) : LONG_TIME_JUMP_MS;
    shape->lease_reads = chance(random, 50);
    shape->split_rooms = chance(random, 10);
    shape->large_values = chance(random, 30);
    shape->clocks_matter = chance(random, 20);
    if (shape->clocks_matter) {
        shape->lease_reads = true;
        shape->drift_ppm = drifts[COUNT_OF(drifts) - 1];
        shape->election_timeout_max_ns = between(random, 105, 130) * MILLISECOND_NS;
    }
    if (shape->split_rooms) /* eight events a turn: fewer turns */
        shape->think_ns = max_u64(shape->think_ns, 100 * MILLISECOND_NS);
    /* Without snapshots a restart replays the whole log, which has to fit: long runs ask more
     * slowly. */
    double floor_ns =
        (shape->large_values ? 2.0 : 1.0) * world->options.minutes * THINK_NS_PER_MINUTE;
    shape->think_ns = max_u64(shape->think_ns, (uint64_t)floor_ns);
    shape->key_epoch_ns = min_u64(KEY_EPOCH_NS_MAX, max_u64(2 * SECOND_NS, 100 * shape->think_ns));
    if (world->options.replicas != 0)
        shape->replicas = world->options.replicas;
}

static void open_actors(struct world *world)
{
    for (uint32_t i = 0; i < world->shape.network_actors; i++)
        world->actor[world->actor_count++] =
            actor_open(world, i, (uint16_t)(i % world->shape.groups));
    for (uint32_t i = 0; i < world->shape.edge_actors; i++) {
        uint32_t node = (uint32_t)random_below(&world->random, world->shape.replicas);
        uint16_t group = (uint16_t)random_below(&world->random, world->shape.groups);
        world->actor[world->actor_count] = actor_open_edge(world, world->actor_count, group, node);
        world->actor_count++;
    }
}

struct world *world_open(const struct world_options *options)
{
    struct world *world = sim_allocate(sizeof *world);
    world->options = *options;
    world->end_ns = (uint64_t)(options->minutes * 60.0 * (double)SECOND_NS);
    random_init(&world->random, options->seed);
    trace_begin(&world->trace, options->seed);
    world->trace.live = options->live_trace;
    draw_shape(world);
    world->cluster = random_next(&world->random) | 1;
    world->history = history_new();
    faults_begin(world, &options->faults);
    world->network = network_open(world);
    world->witness = witness_open(world);
    for (uint32_t n = 0; n < world->shape.replicas; n++)
        world->node[n] = node_open(world, n);
    open_actors(world);
    for (uint32_t n = 0; n < world->shape.replicas; n++)
        node_boot(world->node[n]);
    return world;
}

void world_close(struct world *world)
{
    for (uint32_t i = 0; i < world->actor_count; i++)
        actor_close(world->actor[i]);
    for (uint32_t n = 0; n < world->shape.replicas; n++)
        node_close(world->node[n]);
    witness_close(world->witness);
    network_close(world->network);
    history_free(world->history);
    free(world);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static uint64_t next_ns(const struct world *world)
{
    uint64_t next = min_u64(network_next_ns(world->network), faults_next_ns(world));
    for (uint32_t n = 0; n < world->shape.replicas; n++)
        next = min_u64(next, world->node[n]->poll_at_ns);
    for (uint32_t i = 0; i < world->actor_count; i++)
        next = min_u64(next, actor_wake_ns(world->actor[i]));
    return next;
}

static void step(struct world *world)
{
    uint64_t next = next_ns(world);
    ENSURE(next != UINT64_MAX); /* heartbeats never end */
    world->now_ns = max_u64(world->now_ns, next);
    world->events++;
    network_deliver(world->network);
    if (faults_next_ns(world) <= world->now_ns)
        faults_run(world);
    for (uint32_t n = 0; n < world->shape.replicas; n++)
        if (world->node[n]->poll_at_ns <= world->now_ns)
            node_poll(world->node[n]);
    for (uint32_t i = 0; i < world->actor_count; i++)
        if (actor_wake_ns(world->actor[i]) <= world->now_ns)
            actor_run(world->actor[i]);
}

/* ---- a run ----------------------------------------------------------------------------------- */

static bool is_finished(const struct world *world)
{
    struct witness_laggard laggard;
    for (uint32_t i = 0; i < world->actor_count; i++)
        if (!actor_finished(world->actor[i]))
            return false;
    return witness_converged(world->witness, &laggard);
}

static _Noreturn void no_progress(struct world *world)
{
    struct witness_laggard laggard;
    unsigned seconds = PROGRESS_NS / SECOND_NS;
    for (uint32_t i = 0; i < world->actor_count; i++)
        if (!actor_finished(world->actor[i]))
            report_violation(world,
                             "progress: all faults ended %u s ago, and client %u has no answer",
                             seconds, i);
    (void)witness_converged(world->witness, &laggard);
    report_violation(
        world,
        "progress: all faults ended %u s ago, and node %u has applied group %u up to %" PRIu64
        ", committed is %" PRIu64,
        seconds, laggard.node + 1, laggard.group, laggard.applied, laggard.commit);
}

static void demand_progress(struct world *world)
{
    faults_heal(world);
    for (uint32_t i = 0; i < world->actor_count; i++)
        actor_finish(world->actor[i]);
    uint64_t until_ns = world->now_ns + PROGRESS_NS;
    while (!is_finished(world)) {
        step(world);
        if (world->now_ns > until_ns)
            no_progress(world);
    }
}

static void check_history(struct world *world, struct world_result *result)
{
    struct linearize_limits limits;
    struct linearize_report report;
    linearize_limits_defaults(&limits);
    bool clocks_are_right =
        world->faults.count[FAULT_SKEW] == 0 && world->faults.count[FAULT_JUMP] == 0;
    if (clocks_are_right && world->shape.time_jump_max_ms == LONG_TIME_JUMP_MS)
        limits.rules.expires_early_ns = CLOCK_GRAIN_NS;
    if (linearize(world->history, &limits, &report) == LINEARIZE_VIOLATION) {
        history_write_operation(world->history, report.operation, stderr);
        report_violation(world,
                         "linearizability: no order of the operations on one key explains all "
                         "answers; operation %u, above, is the first that fits nowhere",
                         report.operation);
    }
    result->undecided = report.keys_undecided;
}

void world_run(struct world *world, struct world_result *result)
{
    while (world->now_ns < world->end_ns)
        step(world);
    demand_progress(world);
    *result = (struct world_result){0};
    ledger_check(world);
    check_history(world, result);
    result->simulated_seconds = (double)world->now_ns / (double)SECOND_NS;
    result->events = world->events;
    result->commits = witness_commits(world->witness);
    result->elections = witness_elections(world->witness);
    for (uint32_t i = 0; i < world->history->count; i++)
        result->operations += world->history->operation[i].outcome == HISTORY_OK;
    memcpy(result->faults, world->faults.count, sizeof result->faults);
    memcpy(result->struck, world->faults.struck, sizeof result->struck);
    result->digest = world->trace.digest;
}
