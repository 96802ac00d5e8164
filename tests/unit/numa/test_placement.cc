#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

extern "C" {
#include "numa/placement.h"
}

namespace
{

class Placement : public ::testing::Test
{
  protected:
    Placement() : table(new topology())
    {
    }
    ~Placement() override
    {
        topology_fini(table.get());
    }

    void machine(const char *text)
    {
        topology_fini(table.get());
        ASSERT_EQ(topology_init(table.get(), text), TOPOLOGY_READ);
    }

    placement_refusal build(const placement_request &request)
    {
        return placement_build(table.get(), &request, &plan);
    }

    std::string drawing() const
    {
        char *text = nullptr;
        size_t bytes = 0;
        FILE *out = open_memstream(&text, &bytes);
        placement_draw(&plan, table.get(), out);
        fclose(out);
        std::string result(text, bytes);
        free(text);
        return result;
    }

    std::string lcores()
    {
        char text[PLACEMENT_LCORES_MAX];
        plan.may_start = true; /* the format does not depend on whose machine it is */
        size_t length = placement_lcores(&plan, text, sizeof text);
        EXPECT_EQ(length, strlen(text));
        return text;
    }

    bool warned(placement_warning warning) const
    {
        return (plan.warnings >> warning & 1) != 0;
    }

    std::unique_ptr<topology> table;
    placement plan = {};
    placement_request one = {nullptr, 1, 1, 1, 0, PLACEMENT_CORES_SPARE, 1};
};

TEST_F(Placement, LanesGoNextToTheCard)
{
    machine(NUMA_FIXTURE_XML);
    one.nic = "0000:81:00.0";
    one.lanes = one.groups = 3;
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(lcores(), "0@(14,15),1@8,2@10,3@12");
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_EQ(plan.lanes[i].queue, i);
        EXPECT_EQ(plan.lanes[i].memory_node, 1u);
        EXPECT_EQ(plan.lanes[i].pool_node, 1u);
        EXPECT_FALSE(plan.workers[i].yields);
    }
    EXPECT_EQ(plan.warnings, 1u << PLACEMENT_FOREIGN);
}

TEST_F(Placement, AFullNodeSpillsWithAWarning)
{
    machine(NUMA_FIXTURE_XML);
    one.nic = "81:00.0";
    one.lanes = one.groups = 6;
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(lcores(), "0@(6,7),1@8,2@10,3@12,4@14,5@2,6@4") << "and PU 0's core is taken last";
    EXPECT_TRUE(warned(PLACEMENT_OFF_NIC_NODE));
    EXPECT_EQ(plan.lanes[4].memory_node, 0u);
    EXPECT_EQ(plan.lanes[4].pool_node, 1u) << "frames stay near the card";
}

TEST_F(Placement, AWideLaneDoesNotStraddleNodes)
{
    machine(NUMA_FIXTURE_XML);
    one.nic = "81:00.0";
    one.lanes = one.groups = 2;
    one.cuts = PLACEMENT_CUT(PLACEMENT_ORDER) | PLACEMENT_CUT(PLACEMENT_SEAL);
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(plan.worker_count, 6u);
    for (uint32_t worker = 0; worker < 6; worker++)
        EXPECT_EQ(plan.workers[worker].node, worker < 3 ? 1u : 0u);
    EXPECT_TRUE(warned(PLACEMENT_OFF_NIC_NODE));
    EXPECT_FALSE(warned(PLACEMENT_ACROSS_NODES));
}

TEST_F(Placement, ALaneWiderThanAnyNodeStraddlesWithAWarning)
{
    machine("pack:2 [numa] core:2 pu:1");
    one.cuts = PLACEMENT_CUT(PLACEMENT_VERIFY) | PLACEMENT_CUT(PLACEMENT_ORDER);
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(plan.worker_count, 3u);
    EXPECT_TRUE(warned(PLACEMENT_ACROSS_NODES));
    EXPECT_FALSE(warned(PLACEMENT_OFF_NIC_NODE)) << "there is no card";
}

TEST_F(Placement, ALaneStaysInOneCache)
{
    machine("pack:1 [numa] l3:3 core:3 pu:1");
    one.lanes = one.groups = 2;
    one.cuts = PLACEMENT_CUT(PLACEMENT_OPEN) | PLACEMENT_CUT(PLACEMENT_ORDER);
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    for (uint32_t lane = 0; lane < 2; lane++) {
        uint32_t first = plan.workers[plan.lanes[lane].worker[PLACEMENT_RX]].core;
        for (uint32_t worker : plan.lanes[lane].worker)
            EXPECT_EQ(table->cores[plan.workers[worker].core].l3, table->cores[first].l3);
    }
}

TEST_F(Placement, CutsGroupRoomsIntoStages)
{
    machine("core:8 pu:2");
    one.cuts = PLACEMENT_CUT(PLACEMENT_ORDER) | PLACEMENT_CUT(PLACEMENT_SEAL);
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    const uint32_t expected[PLACEMENT_ROOM_COUNT] = {0, 0, 0, 1, 1, 1, 2, 2};
    EXPECT_EQ(memcmp(plan.lanes[0].worker, expected, sizeof expected), 0);
    one.cuts = PLACEMENT_CUT_ALL;
    one.cores_max = 8;
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    for (uint32_t room = 0; room < PLACEMENT_ROOM_COUNT; room++)
        EXPECT_EQ(plan.lanes[0].worker[room], room);
    EXPECT_TRUE(warned(PLACEMENT_CONTROL_SHARES));
}

TEST_F(Placement, FewCoresMergeNeighbouringStages)
{
    machine("core:4 pu:1");
    one.cuts = PLACEMENT_CUT_ALL;
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(plan.worker_count, 3u);
    EXPECT_TRUE(warned(PLACEMENT_STAGES_MERGED));
    for (uint32_t room = 1; room < PLACEMENT_ROOM_COUNT; room++) {
        uint32_t step = plan.lanes[0].worker[room] - plan.lanes[0].worker[room - 1];
        EXPECT_LE(step, 1u) << "a message never walks back to a core it left";
    }
}

TEST_F(Placement, ReplicasGoRoundTheCores)
{
    machine("core:4 pu:1");
    one.replicas = 5;
    one.cores_max = 2;
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(plan.worker_count, 2u);
    for (uint32_t replica = 0; replica < 5; replica++) {
        EXPECT_EQ(plan.lanes[replica].replica, replica);
        EXPECT_EQ(plan.lanes[replica].queue, 0u);
        EXPECT_EQ(plan.lanes[replica].worker[PLACEMENT_ORDER], replica % 2);
    }
    EXPECT_TRUE(warned(PLACEMENT_LANES_SHARE));
    EXPECT_FALSE(warned(PLACEMENT_CONTROL_SHARES));
}

TEST_F(Placement, OneCoreIsSharedByAllAndYields)
{
    machine("core:1 pu:1");
    one.replicas = 3;
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(plan.worker_count, 1u);
    EXPECT_TRUE(plan.workers[0].yields);
    EXPECT_EQ(lcores(), "0@(0),1@0");
    EXPECT_NE(drawing().find("PU 0         control beside lcore 1  r0/l0 r1/l0 r2/l0  yields\n"),
              std::string::npos)
        << drawing();
    EXPECT_TRUE(warned(PLACEMENT_CONTROL_SHARES));
    EXPECT_TRUE(warned(PLACEMENT_LANES_SHARE));
}

TEST_F(Placement, ControlTakesTheSiblingBeforeTheWorkersPu)
{
    machine("core:1 pu:2");
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(lcores(), "0@(1),1@0");
    EXPECT_FALSE(plan.workers[0].yields) << "a PU of its own";
    EXPECT_TRUE(warned(PLACEMENT_CONTROL_SHARES));
}

TEST_F(Placement, TwoCoresLeaveOneForControlUnlessAskedFor)
{
    machine("core:2 pu:1");
    one.lanes = one.groups = 2;
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(lcores(), "0@(0),1@1");
    one.cores_max = 2;
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(lcores(), "0@(1,0),1@1,2@0");
    EXPECT_TRUE(plan.workers[0].yields && plan.workers[1].yields);
}

TEST_F(Placement, ControlTakesNoMoreThanItAsksFor)
{
    machine("core:8 pu:2");
    one.control_threads = 2;
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(plan.control_count, 4u);
    EXPECT_NE(drawing().find("5 cores left alone"), std::string::npos) << drawing();
}

TEST_F(Placement, GroupsGoRoundTheLanesOfTheirReplica)
{
    machine("core:8 pu:1");
    one.replicas = 2;
    one.lanes = 3;
    one.groups = 7;
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    for (uint32_t group = 0; group < 7; group++)
        EXPECT_EQ(placement_lane_of(&plan, 1, group), 3 + group % 3);
    EXPECT_DEATH((void)placement_lane_of(&plan, 2, 0), "replica");
    EXPECT_DEATH((void)placement_lane_of(&plan, 0, 7), "group");
}

TEST_F(Placement, AForeignMachineIsDrawnAndNeverStarted)
{
    machine("core:4 pu:1");
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_FALSE(plan.may_start);
    EXPECT_TRUE(warned(PLACEMENT_FOREIGN));
    char text[PLACEMENT_LCORES_MAX];
    EXPECT_EQ(placement_lcores(&plan, text, sizeof text), 0u);
}

TEST_F(Placement, ThisMachineMayStart)
{
    machine(nullptr);
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_TRUE(plan.may_start);
    EXPECT_FALSE(warned(PLACEMENT_FOREIGN));
    char text[PLACEMENT_LCORES_MAX];
    EXPECT_GT(placement_lcores(&plan, text, sizeof text), 0u);
}

TEST_F(Placement, LcoresFitOrAreRefused)
{
    machine("core:4 pu:1");
    one.lanes = one.groups = 3;
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    std::string whole = lcores();
    char text[PLACEMENT_LCORES_MAX];
    for (size_t bytes = 0; bytes <= whole.size(); bytes++)
        EXPECT_EQ(placement_lcores(&plan, text, bytes), 0u);
    EXPECT_EQ(placement_lcores(&plan, text, whole.size() + 1), whole.size());
}

TEST_F(Placement, TheLongestLcoresFitTheirMaximum)
{
    for (uint32_t i = 0; i < PLACEMENT_WORKER_MAX; i++)
        plan.workers[i].pu = TOPOLOGY_PU_MAX * 4;
    for (uint32_t &pu : plan.control)
        pu = TOPOLOGY_PU_MAX * 4;
    plan.worker_count = PLACEMENT_WORKER_MAX;
    plan.control_count = PLACEMENT_CONTROL_MAX;
    EXPECT_GT(lcores().size(), 1000u);
}

TEST_F(Placement, ACardWithoutANodeIsWarnedAbout)
{
    machine(NUMA_FIXTURE_XML);
    one.nic = "01:00.0";
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_TRUE(warned(PLACEMENT_NIC_NODE_UNKNOWN));
    EXPECT_EQ(plan.nic_node, TOPOLOGY_NONE);
}

TEST_F(Placement, WithoutACardTheNodeWithMostCoresIsHome)
{
    machine("pack:2 [numa] core:2 pu:1");
    table->cores[1].node = 1; /* as when an affinity mask leaves nodes uneven */
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(plan.workers[0].node, 1u);
    EXPECT_EQ(plan.lanes[0].pool_node, 1u);
}

TEST_F(Placement, TheDrawingNamesNodesCoresAndRoles)
{
    machine(NUMA_FIXTURE_XML);
    one.nic = "81:00.0";
    one.cuts = PLACEMENT_CUT(PLACEMENT_ORDER);
    ASSERT_EQ(build(one), PLACEMENT_BUILT);
    EXPECT_EQ(drawing(),
              "machine: packages 2, nodes 2, cores 8, PUs 16\n"
              "  +- node 0\n"
              "  |  4 cores left alone\n"
              "  +- node 1  [0000:81:00.0 ens1f0]  the port's node\n"
              "  |  core 4    PU 8,9       lcore 1  r0/l0: rx open verify\n"
              "  |  core 5    PU 10,11     lcore 2  r0/l0: order persist apply seal tx\n"
              "  |  core 6    PU 12,13     control\n"
              "  |  1 core left alone\n"
              "lane r0/l0: queue 0, groups 1 of 1, memory node 1, frames node 1\n"
              "warning: this is not the machine the program runs on: the plan can be drawn, "
              "not started\n");
}

TEST_F(Placement, RefusesByName)
{
    machine(NUMA_FIXTURE_XML);
    struct {
        placement_refusal refusal;
        placement_request request;
    } const cases[] = {
        {PLACEMENT_NO_REPLICAS, {nullptr, 0, 1, 1, 0, 0, 1}},
        {PLACEMENT_NO_LANES, {nullptr, 1, 0, 1, 0, 0, 1}},
        {PLACEMENT_NO_GROUPS, {nullptr, 1, 1, 0, 0, 0, 1}},
        {PLACEMENT_TOO_MANY_LANES, {nullptr, 1, PLACEMENT_LANE_MAX + 1, 100, 0, 0, 1}},
        {PLACEMENT_TOO_MANY_LANES, {nullptr, 0x10000, 0x10000, 0x10000, 0, 0, 1}},
        {PLACEMENT_FEWER_GROUPS_THAN_LANES, {nullptr, 1, 2, 1, 0, 0, 1}},
        {PLACEMENT_CUT_OUTSIDE, {nullptr, 1, 1, 1, PLACEMENT_CUT(PLACEMENT_RX), 0, 1}},
        {PLACEMENT_CUT_OUTSIDE, {nullptr, 1, 1, 1, PLACEMENT_CUT(PLACEMENT_ROOM_COUNT), 0, 1}},
        {PLACEMENT_NO_CONTROL, {nullptr, 1, 1, 1, 0, 0, 0}},
        {PLACEMENT_NIC_UNKNOWN, {"0000:00:00.0", 1, 1, 1, 0, 0, 1}},
        {PLACEMENT_NIC_SHARED, {"81:00.0", 2, 1, 1, 0, 0, 1}},
    };
    for (const auto &c : cases) {
        EXPECT_EQ(build(c.request), c.refusal) << placement_refusal_sentence(c.refusal);
        EXPECT_EQ(plan.worker_count + plan.lane_count + plan.warnings, 0u) << "left empty";
        EXPECT_GT(strlen(placement_refusal_sentence(c.refusal)), 10u);
    }
    machine("core:512 pu:1");
    one.lanes = one.groups = PLACEMENT_LANE_MAX;
    one.cuts = PLACEMENT_CUT_ALL;
    EXPECT_EQ(build(one), PLACEMENT_TOO_MANY_WORKERS);
    one.cores_max = PLACEMENT_WORKER_MAX;
    EXPECT_EQ(build(one), PLACEMENT_BUILT);
}

TEST(PlacementSentences, EveryNumberHasOne)
{
    EXPECT_STREQ(placement_room_name(PLACEMENT_RX), "rx");
    EXPECT_STREQ(placement_room_name(PLACEMENT_TX), "tx");
    for (int i = 0; i < PLACEMENT_WARNING_COUNT; i++)
        EXPECT_GT(strlen(placement_warning_sentence(static_cast<placement_warning>(i))), 10u);
    EXPECT_DEATH((void)placement_room_name(PLACEMENT_ROOM_COUNT), "broken");
    EXPECT_DEATH((void)placement_refusal_sentence(PLACEMENT_REFUSAL_COUNT), "broken");
    EXPECT_DEATH((void)placement_warning_sentence(PLACEMENT_WARNING_COUNT), "broken");
}

} // namespace
