#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <sched.h>
#include <set>

extern "C" {
#include "numa/topology.h"
}

namespace
{

class Topology : public ::testing::Test
{
  protected:
    Topology() : table(new topology)
    {
    }
    ~Topology() override
    {
        topology_fini(table.get());
    }
    topology_refusal read(const char *text)
    {
        topology_fini(table.get());
        return topology_init(table.get(), text);
    }
    std::unique_ptr<topology> table = nullptr;

    void SetUp() override
    {
        table->machine = nullptr;
    }
};

TEST_F(Topology, SyntheticMachineBecomesATable)
{
    ASSERT_EQ(read("pack:2 [numa] l3:2 core:4 pu:2"), TOPOLOGY_READ);
    EXPECT_EQ(table->package_count, 2u);
    EXPECT_EQ(table->node_count, 2u);
    EXPECT_EQ(table->core_count, 16u);
    EXPECT_EQ(table->pu_count, 32u);
    EXPECT_EQ(table->nic_count, 0u);
    EXPECT_FALSE(table->is_this_machine);
    for (uint32_t i = 0; i < table->core_count; i++) {
        const topology_core &core = table->cores[i];
        EXPECT_EQ(core.package, i / 8);
        EXPECT_EQ(core.node, i / 8);
        EXPECT_EQ(core.l3, i / 4);
        EXPECT_EQ(core.pu_count, 2u);
        for (uint32_t pu = core.pu_first; pu < core.pu_first + 2; pu++)
            EXPECT_EQ(table->pus[pu].core, i);
    }
    EXPECT_EQ(table->pus[31].os_index, 31u);
}

TEST_F(Topology, TheFileHasItsCardOnTheSecondPackage)
{
    ASSERT_EQ(read(NUMA_FIXTURE_XML), TOPOLOGY_READ);
    EXPECT_EQ(table->core_count, 8u);
    EXPECT_EQ(table->nodes[1].memory_bytes, uint64_t{64} << 30);
    ASSERT_EQ(table->nic_count, 2u) << "the disk at 91:00.0 is no card";
    uint32_t nic = topology_nic_find(table.get(), "0000:81:00.0");
    ASSERT_NE(nic, TOPOLOGY_NONE);
    EXPECT_EQ(table->nics[nic].node, 1u);
    EXPECT_STREQ(table->nics[nic].name, "ens1f0");
    EXPECT_FALSE(table->is_this_machine);
}

TEST_F(Topology, ACardOfTheWholeMachineHasNoNode)
{
    ASSERT_EQ(read(NUMA_FIXTURE_XML), TOPOLOGY_READ);
    uint32_t nic = topology_nic_find(table.get(), "01:00.0");
    ASSERT_NE(nic, TOPOLOGY_NONE);
    EXPECT_EQ(table->nics[nic].node, TOPOLOGY_NONE);
}

TEST_F(Topology, CardsAreFoundByEitherAddressOnly)
{
    ASSERT_EQ(read(NUMA_FIXTURE_XML), TOPOLOGY_READ);
    EXPECT_EQ(topology_nic_find(table.get(), "81:00.0"),
              topology_nic_find(table.get(), "0000:81:00.0"));
    for (const char *address : {"", "81:00", "0001:81:00.0", "0000:91:00.0", "0000:81:00.01"})
        EXPECT_EQ(topology_nic_find(table.get(), address), TOPOLOGY_NONE) << address;
}

TEST_F(Topology, ThisMachineShowsWhatTheProcessMayUse)
{
    ASSERT_EQ(read(nullptr), TOPOLOGY_READ);
    cpu_set_t allowed;
    ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    std::set<uint32_t> seen;
    for (uint32_t i = 0; i < table->pu_count; i++) {
        EXPECT_TRUE(CPU_ISSET(table->pus[i].os_index, &allowed));
        EXPECT_TRUE(seen.insert(table->pus[i].os_index).second);
    }
    EXPECT_TRUE(table->is_this_machine);
    EXPECT_GE(table->node_count, 1u);
}

TEST_F(Topology, AffinityTakesCoresAway)
{
    cpu_set_t before, one;
    ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    topology_refusal refusal = read(nullptr);
    ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
    ASSERT_EQ(refusal, TOPOLOGY_READ);
    EXPECT_EQ(table->pu_count, 1u);
    EXPECT_EQ(table->core_count, 1u);
    EXPECT_TRUE(CPU_ISSET(table->pus[0].os_index, &one));
}

TEST_F(Topology, AStandInForTheMachineIsNotThisMachine)
{
    ASSERT_EQ(setenv("HWLOC_SYNTHETIC", "core:3 pu:1", 1), 0);
    topology_refusal refusal = read(nullptr);
    unsetenv("HWLOC_SYNTHETIC");
    ASSERT_EQ(refusal, TOPOLOGY_READ);
    EXPECT_EQ(table->core_count, 3u);
    EXPECT_FALSE(table->is_this_machine);
}

TEST_F(Topology, RefusesByName)
{
    EXPECT_EQ(read("two sockets, please"), TOPOLOGY_BAD_SYNTHETIC);
    EXPECT_EQ(read(""), TOPOLOGY_BAD_SYNTHETIC);
    EXPECT_EQ(read("/nowhere/at/all.xml"), TOPOLOGY_BAD_XML);
    EXPECT_EQ(read("nowhere.xml"), TOPOLOGY_BAD_XML);
    EXPECT_EQ(read("/dev/null"), TOPOLOGY_BAD_XML);
    EXPECT_EQ(read("pack:8 core:256 pu:1"), TOPOLOGY_TOO_MANY_CORES);
    EXPECT_EQ(read("pack:8 core:128 pu:4"), TOPOLOGY_TOO_MANY_PUS);
    EXPECT_EQ(read("pack:65 [numa] core:1 pu:1"), TOPOLOGY_TOO_MANY_NODES);
    EXPECT_EQ(table->machine, nullptr);
}

TEST_F(Topology, LimitsAreThemselvesAllowed)
{
    EXPECT_EQ(read("pack:8 core:128 pu:2"), TOPOLOGY_READ);
    EXPECT_EQ(table->core_count, TOPOLOGY_CORE_MAX);
    EXPECT_EQ(table->pu_count, TOPOLOGY_PU_MAX);
    EXPECT_EQ(read("pack:64 [numa] core:1 pu:1"), TOPOLOGY_READ);
    EXPECT_EQ(table->node_count, TOPOLOGY_NODE_MAX);
}

TEST(TopologySentences, EveryRefusalHasOne)
{
    EXPECT_STREQ(topology_refusal_sentence(TOPOLOGY_READ), "");
    for (int i = 1; i < TOPOLOGY_REFUSAL_COUNT; i++)
        EXPECT_GT(strlen(topology_refusal_sentence(static_cast<topology_refusal>(i))), 10u);
    EXPECT_DEATH((void)topology_refusal_sentence(TOPOLOGY_REFUSAL_COUNT), "broken");
}

} // namespace
