/* A whole embedded cluster under load, through the death of its leader: polling cores make no
 * system call, take no lock and allocate nothing, in turns that find work and in idle ones. */
#include <gtest/gtest.h>

extern "C" {
#include "bench/run.h"
#include "tests/interpose/interpose.h"
}

namespace
{

class Silence : public ::testing::Test
{
  protected:
    cluster cluster_ = {};
    load_options options_;
    run run_ = {};
    char error_[CARRIER_ERROR_MAX] = "";

    void SetUp() override
    {
        load_options_defaults(&options_);
        options_.keys = 1000;
        options_.clients = 4;
        if (!interpose_start())
            GTEST_SKIP() << "no syscall user dispatch here (kernel below 5.11), or TSan is on";
    }

    void stay_silent(struct signers *signers)
    {
        ASSERT_TRUE(cluster_start(&cluster_, &options_, false, signers, error_)) << error_;
        ASSERT_TRUE(cluster_await_leaders(&cluster_, 30000000000)) << "no leader";
        load_plan plan = {};
        plan.workload = WORKLOAD_SET;
        plan.signers = signers;
        plan.sessions = options_.clients;
        plan.window = 16;
        plan.keys = options_.keys;
        plan.value_bytes = 64;
        plan.reads_percent = 20;
        plan.preload = true;
        plan.answer_limit_ns = 15000000000;
        plan.warm_up_ns = 100000000;
        plan.measure_ns = 1000000000;
        ASSERT_TRUE(run_load(&cluster_, &plan, true, nullptr, nullptr, &run_, error_)) << error_;
        EXPECT_GT(load_result_of(run_.load)->operations, 0u);
        EXPECT_NE(run_.killed, CLUSTER_NOBODY);
        for (auto kind : {INTERPOSE_ALLOCATION, INTERPOSE_FREE, INTERPOSE_SYSCALL, INTERPOSE_LOCK})
            EXPECT_EQ(interpose_count(kind), 0u) << interpose_story();
    }

    void TearDown() override
    {
        if (run_.load != nullptr)
            load_destroy(run_.load);
        cluster_stop(&cluster_);
        interpose_stop();
    }
};

TEST_F(Silence, OfPollingCoresUnderLoadAndFailover)
{
    stay_silent(nullptr);
}

TEST_F(Silence, WhileSignaturesAreChecked)
{
    struct signers *signers = signers_create(options_.clients);
    ASSERT_NE(signers, nullptr);
    stay_silent(signers);
    signers_destroy(signers);
}

} // namespace
