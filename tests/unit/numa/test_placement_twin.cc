/* The plan against its rules, stated the dumb way, over many machines and many wishes. */
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>

extern "C" {
#include "numa/base/random.h"
#include "numa/placement.h"
}

namespace
{

uint32_t core_of_pu(const topology &machine, uint32_t os_index)
{
    for (uint32_t i = 0; i < machine.pu_count; i++)
        if (machine.pus[i].os_index == os_index)
            return machine.pus[i].core;
    ADD_FAILURE() << "no such PU " << os_index;
    return 0;
}

uint32_t cores_on(const topology &machine, uint32_t node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < machine.core_count; i++)
        count += machine.cores[i].node == node;
    return count;
}

/* How many physical cores the wish deserves, counted upwards one by one. */
uint32_t workers_deserved(const topology &machine, const placement_request &wish)
{
    uint32_t cores = machine.core_count;
    if (wish.cores_max != PLACEMENT_CORES_SPARE)
        cores = std::min(cores, wish.cores_max);
    else if (cores > 1)
        cores--;
    uint32_t lanes = wish.replicas * wish.lanes;
    uint32_t stages = 1;
    for (uint32_t cuts = wish.cuts; cuts != 0; cuts &= cuts - 1)
        stages++;
    uint32_t width = 1;
    while (width < stages && (width + 1) * lanes <= cores)
        width++;
    uint32_t workers = 0;
    while (workers < cores && workers < lanes * width)
        workers++;
    return workers;
}

void expect_rules(const topology &machine, const placement_request &wish, const placement &plan)
{
    std::set<uint32_t> worker_cores, worker_pus, control_cores, control_pus;
    std::map<uint32_t, uint32_t> used_on_node;
    for (uint32_t i = 0; i < plan.worker_count; i++) {
        const placement_worker &worker = plan.workers[i];
        EXPECT_TRUE(worker_cores.insert(worker.core).second)
            << "two workers on core " << worker.core;
        EXPECT_EQ(core_of_pu(machine, worker.pu), worker.core);
        EXPECT_EQ(machine.cores[worker.core].node, worker.node);
        worker_pus.insert(worker.pu);
        used_on_node[worker.node]++;
    }
    for (uint32_t i = 0; i < plan.control_count; i++) {
        EXPECT_TRUE(control_pus.insert(plan.control[i]).second) << "control PU twice";
        control_cores.insert(core_of_pu(machine, plan.control[i]));
    }
    EXPECT_FALSE(control_cores.empty());
    EXPECT_EQ(plan.worker_count, workers_deserved(machine, wish));

    bool control_shares = false;
    for (uint32_t core : control_cores)
        control_shares |= worker_cores.count(core) != 0;
    EXPECT_EQ(control_shares, worker_cores.size() == machine.core_count) << "only without a spare";
    EXPECT_EQ(control_shares, (plan.warnings >> PLACEMENT_CONTROL_SHARES & 1) != 0);
    for (uint32_t i = 0; i < plan.worker_count; i++)
        EXPECT_EQ(plan.workers[i].yields, control_pus.count(plan.workers[i].pu) != 0);
    EXPECT_LE(control_cores.size(),
              control_shares ? worker_cores.size() : size_t{wish.control_threads});

    std::set<uint32_t> used;
    uint32_t lane_nodes_max = 0;
    for (uint32_t i = 0; i < plan.lane_count; i++) {
        const placement_lane &lane = plan.lanes[i];
        std::set<uint32_t> nodes;
        EXPECT_EQ(lane.replica * wish.lanes + lane.queue, i);
        for (uint32_t room = 0; room < PLACEMENT_ROOM_COUNT; room++) {
            ASSERT_LT(lane.worker[room], plan.worker_count);
            used.insert(lane.worker[room]);
            nodes.insert(plan.workers[lane.worker[room]].node);
            bool cut = room > 0 && (wish.cuts >> room & 1) != 0;
            if (room > 0 && !cut) {
                EXPECT_EQ(lane.worker[room], lane.worker[room - 1]) << "a stage has one core";
            }
        }
        lane_nodes_max = std::max(lane_nodes_max, static_cast<uint32_t>(nodes.size()));
        EXPECT_EQ(lane.memory_node, plan.workers[lane.worker[PLACEMENT_ORDER]].node);
    }
    EXPECT_EQ(used.size(), plan.worker_count) << "no worker polls for nothing";
    EXPECT_EQ(lane_nodes_max > 1, (plan.warnings >> PLACEMENT_ACROSS_NODES & 1) != 0);

    bool off = plan.nic_node != TOPOLOGY_NONE && used_on_node[plan.nic_node] < plan.worker_count;
    EXPECT_EQ(off, (plan.warnings >> PLACEMENT_OFF_NIC_NODE & 1) != 0);
    if (off) {
        uint32_t width = plan.worker_count / std::min(plan.lane_count, plan.worker_count);
        uint32_t left = cores_on(machine, plan.nic_node) - used_on_node[plan.nic_node];
        EXPECT_LT(left, width) << "left the card's node with room for a lane there";
    }
}

const char *const machines[] = {
    "core:1 pu:1",
    "core:1 pu:2",
    "core:2 pu:1",
    "core:3 pu:2",
    "pack:2 [numa] core:1 pu:1",
    "pack:2 [numa] l3:1 core:8 pu:2",
    "pack:2 [numa] l3:4 core:2 pu:1",
    "pack:1 [numa] l3:8 core:3 pu:2",
    "pack:4 [numa] core:4 pu:1",
    "pack:8 [numa] l3:2 core:8 pu:2",
    NUMA_FIXTURE_XML,
};

class Machines : public ::testing::TestWithParam<const char *>
{
};

TEST_P(Machines, EveryPlanKeepsTheRules)
{
    std::unique_ptr<topology> machine(new topology());
    ASSERT_EQ(topology_init(machine.get(), GetParam()), TOPOLOGY_READ);
    random_state chance;
    random_init(&chance, 22);
    std::unique_ptr<placement> plan(new placement()), again(new placement());
    uint32_t built = 0;
    for (int i = 0; i < 1500; i++) {
        placement_request wish = {};
        bool card = machine->nic_count > 0 && random_below(&chance, 2) == 0;
        wish.nic =
            card ? machine->nics[random_below(&chance, machine->nic_count)].address : nullptr;
        wish.replicas = card ? 1 : 1 + static_cast<uint32_t>(random_below(&chance, 7));
        wish.lanes = 1 + static_cast<uint32_t>(random_below(&chance, 9));
        wish.groups = wish.lanes + static_cast<uint32_t>(random_below(&chance, 3));
        wish.cuts =
            static_cast<uint32_t>(random_next(&chance) & random_next(&chance)) & PLACEMENT_CUT_ALL;
        wish.cores_max = static_cast<uint32_t>(random_below(&chance, machine->core_count + 2));
        wish.control_threads = 1 + static_cast<uint32_t>(random_below(&chance, 4));
        placement_refusal refusal = placement_build(machine.get(), &wish, plan.get());
        EXPECT_TRUE(refusal == PLACEMENT_BUILT || refusal == PLACEMENT_TOO_MANY_WORKERS)
            << placement_refusal_sentence(refusal);
        if (refusal != PLACEMENT_BUILT)
            continue;
        built++;
        expect_rules(*machine, wish, *plan);
        ASSERT_EQ(placement_build(machine.get(), &wish, again.get()), PLACEMENT_BUILT);
        EXPECT_EQ(memcmp(plan.get(), again.get(), sizeof *plan), 0) << "a pure function";
        if (HasFailure())
            break;
    }
    EXPECT_GT(built, 1000u);
    topology_fini(machine.get());
}

INSTANTIATE_TEST_SUITE_P(Placement, Machines, ::testing::ValuesIn(machines));

} // namespace
