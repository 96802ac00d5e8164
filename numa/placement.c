#include "numa/placement.h"

#include "numa/base/assert.h"

#include <string.h>

/* What is being worked out: the plan, and which cores are still free. */
struct draft {
    const struct topology *topology;
    struct placement *plan;
    uint32_t home; /* the node to prefer */
    bool taken[TOPOLOGY_CORE_MAX];
};

static void warn(struct placement *plan, enum placement_warning warning)
{
    plan->warnings |= UINT32_C(1) << warning;
}

static enum placement_refusal request_refused(const struct placement_request *request)
{
    if (request->replicas == 0)
        return PLACEMENT_NO_REPLICAS;
    if (request->lanes == 0)
        return PLACEMENT_NO_LANES;
    if (request->groups == 0)
        return PLACEMENT_NO_GROUPS;
    if ((uint64_t)request->replicas * request->lanes > PLACEMENT_LANE_MAX)
        return PLACEMENT_TOO_MANY_LANES;
    if (request->groups < request->lanes)
        return PLACEMENT_FEWER_GROUPS_THAN_LANES;
    if ((request->cuts & ~PLACEMENT_CUT_ALL) != 0)
        return PLACEMENT_CUT_OUTSIDE;
    if (request->control_threads == 0)
        return PLACEMENT_NO_CONTROL;
    if (request->nic != NULL && request->replicas > 1)
        return PLACEMENT_NIC_SHARED;
    return PLACEMENT_BUILT;
}

static bool is_chores_core(const struct topology *topology, uint32_t core)
{
    const struct topology_core *c = &topology->cores[core];
    for (uint32_t i = 0; i < c->pu_count; i++)
        if (topology->pus[c->pu_first + i].os_index == 0)
            return true;
    return false;
}

/* Free cores of a node; of one of its L3 caches, unless `l3` is TOPOLOGY_NONE. */
static uint32_t free_count(const struct draft *draft, uint32_t node, uint32_t l3)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < draft->topology->core_count; i++) {
        const struct topology_core *core = &draft->topology->cores[i];
        if (!draft->taken[i] && core->node == node && (l3 == TOPOLOGY_NONE || core->l3 == l3))
            count++;
    }
    return count;
}

static uint32_t roomiest_node(const struct draft *draft)
{
    uint32_t best = 0;
    for (uint32_t node = 1; node < draft->topology->node_count; node++)
        if (free_count(draft, node, TOPOLOGY_NONE) > free_count(draft, best, TOPOLOGY_NONE))
            best = node;
    return best;
}

/* Home if it has room for the whole lane, else the first node that has, else the roomiest. */
static uint32_t node_for(const struct draft *draft, uint32_t width)
{
    if (free_count(draft, draft->home, TOPOLOGY_NONE) >= width)
        return draft->home;
    for (uint32_t node = 0; node < draft->topology->node_count; node++)
        if (free_count(draft, node, TOPOLOGY_NONE) >= width)
            return node;
    return roomiest_node(draft);
}

/* The first L3 cache of `node` with room for the whole lane, or none. */
static uint32_t l3_for(const struct draft *draft, uint32_t node, uint32_t width)
{
    for (uint32_t i = 0; i < draft->topology->core_count; i++) {
        const struct topology_core *core = &draft->topology->cores[i];
        if (core->node == node && free_count(draft, node, core->l3) >= width)
            return core->l3;
    }
    return TOPOLOGY_NONE;
}

static uint32_t core_take(struct draft *draft, uint32_t node, uint32_t l3)
{
    const struct topology *topology = draft->topology;
    uint32_t found = TOPOLOGY_NONE;
    for (uint32_t i = 0; i < topology->core_count; i++) {
        const struct topology_core *core = &topology->cores[i];
        if (draft->taken[i] || core->node != node || (l3 != TOPOLOGY_NONE && core->l3 != l3))
            continue;
        found = i;
        if (!is_chores_core(topology, i))
            break;
    }
    if (found != TOPOLOGY_NONE)
        draft->taken[found] = true;
    return found;
}

/* Gives the next `width` workers their cores, all for one lane. */
static void workers_place(struct draft *draft, uint32_t width)
{
    struct placement *plan = draft->plan;
    uint32_t node = node_for(draft, width);
    uint32_t l3 = l3_for(draft, node, width);
    for (uint32_t i = 0; i < width; i++) {
        uint32_t core = core_take(draft, node, l3);
        if (core == TOPOLOGY_NONE) {
            warn(plan, PLACEMENT_ACROSS_NODES);
            node = roomiest_node(draft);
            l3 = TOPOLOGY_NONE;
            core = core_take(draft, node, l3);
            ENSURE(core != TOPOLOGY_NONE); /* workers_want never asks for more than there are */
        }
        if (plan->nic_node != TOPOLOGY_NONE && node != plan->nic_node)
            warn(plan, PLACEMENT_OFF_NIC_NODE);
        const struct topology_core *c = &draft->topology->cores[core];
        plan->workers[plan->worker_count++] = (struct placement_worker){
            .core = core, .node = node, .pu = draft->topology->pus[c->pu_first].os_index};
    }
}

static uint32_t cores_for_workers(const struct topology *topology, uint32_t cores_max)
{
    if (cores_max != PLACEMENT_CORES_SPARE)
        return cores_max < topology->core_count ? cores_max : topology->core_count;
    return topology->core_count > 1 ? topology->core_count - 1 : 1;
}

static void control_add(struct placement *plan, const struct topology *topology, uint32_t core,
                        uint32_t pu_skip)
{
    const struct topology_core *c = &topology->cores[core];
    for (uint32_t i = pu_skip; i < c->pu_count && plan->control_count < PLACEMENT_CONTROL_MAX; i++)
        plan->control[plan->control_count++] = topology->pus[c->pu_first + i].os_index;
}

/* Free cores, near home first. Without any: siblings of the workers' PUs; without siblings: the
 * workers' PUs. */
static void control_place(struct draft *draft, uint32_t threads)
{
    struct placement *plan = draft->plan;
    while (threads > 0 && plan->control_count < PLACEMENT_CONTROL_MAX) {
        uint32_t core = core_take(draft, node_for(draft, 1), TOPOLOGY_NONE);
        if (core == TOPOLOGY_NONE)
            break;
        control_add(plan, draft->topology, core, 0);
        threads--;
    }
    if (plan->control_count > 0)
        return;
    warn(plan, PLACEMENT_CONTROL_SHARES);
    for (uint32_t i = 0; i < plan->worker_count; i++)
        control_add(plan, draft->topology, plan->workers[i].core, 1);
    if (plan->control_count > 0)
        return;
    for (uint32_t i = 0; i < plan->worker_count; i++) {
        plan->workers[i].yields = i < PLACEMENT_CONTROL_MAX;
        control_add(plan, draft->topology, plan->workers[i].core, 0);
    }
}

/* Cuts stages over workers [first, first + width): stage s of n runs on worker s * width / n. */
static void lane_place(const struct draft *draft, const struct placement_request *request,
                       uint32_t lane, uint32_t first, uint32_t width)
{
    struct placement *plan = draft->plan;
    uint32_t stages = 1 + (uint32_t)__builtin_popcount(request->cuts);
    uint32_t stage = 0;
    struct placement_lane *l = &plan->lanes[lane];
    l->replica = lane / request->lanes;
    l->queue = lane % request->lanes;
    for (uint32_t room = 0; room < PLACEMENT_ROOM_COUNT; room++) {
        stage += (request->cuts >> room) & 1;
        l->worker[room] = first + stage * width / stages;
    }
    l->memory_node = plan->workers[l->worker[PLACEMENT_ORDER]].node;
    bool near_card = plan->nic_node != TOPOLOGY_NONE;
    l->pool_node = near_card ? plan->nic_node : plan->workers[l->worker[PLACEMENT_RX]].node;
}

static enum placement_refusal home_find(struct draft *draft, const char *nic)
{
    draft->plan->nic_node = TOPOLOGY_NONE;
    draft->home = roomiest_node(draft);
    if (nic == NULL)
        return PLACEMENT_BUILT;
    uint32_t index = topology_nic_find(draft->topology, nic);
    if (index == TOPOLOGY_NONE)
        return PLACEMENT_NIC_UNKNOWN;
    draft->plan->nic_node = draft->topology->nics[index].node;
    if (draft->plan->nic_node == TOPOLOGY_NONE)
        warn(draft->plan, PLACEMENT_NIC_NODE_UNKNOWN);
    else
        draft->home = draft->plan->nic_node;
    return PLACEMENT_BUILT;
}

enum placement_refusal placement_build(const struct topology *topology,
                                       const struct placement_request *request,
                                       struct placement *plan)
{
    ENSURE(topology->core_count > 0); /* topology_init refuses such a machine */
    memset(plan, 0, sizeof *plan);
    enum placement_refusal refusal = request_refused(request);
    if (refusal != PLACEMENT_BUILT)
        return refusal;
    struct draft draft = {.topology = topology, .plan = plan};
    uint32_t stages = 1 + (uint32_t)__builtin_popcount(request->cuts);
    uint32_t lanes = request->replicas * request->lanes;
    uint32_t cores = cores_for_workers(topology, request->cores_max);
    uint32_t width = cores / lanes < stages ? cores / lanes : stages; /* cores a lane */
    width = width == 0 ? 1 : width;
    uint32_t workers = lanes * width < cores ? lanes * width : cores;
    refusal = workers > PLACEMENT_WORKER_MAX ? PLACEMENT_TOO_MANY_WORKERS
                                             : home_find(&draft, request->nic);
    if (refusal != PLACEMENT_BUILT) {
        memset(plan, 0, sizeof *plan);
        return refusal;
    }
    plan->replica_count = request->replicas;
    plan->lanes_per_replica = request->lanes;
    plan->groups_per_replica = request->groups;
    plan->lane_count = lanes;
    plan->may_start = topology->is_this_machine;
    if (width < stages)
        warn(plan, PLACEMENT_STAGES_MERGED);
    if (workers < lanes)
        warn(plan, PLACEMENT_LANES_SHARE);
    if (!plan->may_start)
        warn(plan, PLACEMENT_FOREIGN);
    while (plan->worker_count < workers)
        workers_place(&draft, width);
    uint32_t first = 0;
    for (uint32_t lane = 0; lane < lanes; lane++) {
        lane_place(&draft, request, lane, first, width);
        first = first + width < workers ? first + width : 0; /* round again only if width is 1 */
    }
    control_place(&draft, request->control_threads);
    return PLACEMENT_BUILT;
}

uint32_t placement_lane_of(const struct placement *plan, uint32_t replica, uint32_t group)
{
    ENSURE(replica < plan->replica_count && group < plan->groups_per_replica);
    return replica * plan->lanes_per_replica + group % plan->lanes_per_replica;
}

uint32_t placement_lcore_of(uint32_t worker)
{
    return worker + 1;
}
