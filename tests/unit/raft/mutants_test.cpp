/* Tests of the test: every planted bug must be noticed by the cluster test within a bounded number
 * of seeds. */
#include "tests/unit/raft/story.h"

extern "C" {
#include "protocols/raft/mutants.h"
}

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace cluster;

class RaftMutant : public testing::TestWithParam<int>
{
};

static void tell(int mutant)
{
    raft_mutant = mutant;
    for (uint64_t seed = 1; seed <= 500; seed++)
        Story(seed).suffer(3000 * ms);
    for (uint64_t seed = 1; seed <= 40; seed++) /* or it keeps peace from coming */
        Story(seed).live(1500 * ms);
}

/* A broken invariant aborts, so each mutant lives in a process of its own. Exit status 0: not
 * noticed. */
static int live_with(int mutant)
{
    pid_t child = fork();
    if (child == 0) {
        rlimit no_core{0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        if (freopen("/dev/null", "w", stderr) == nullptr)
            _exit(2);
        try {
            tell(mutant);
        } catch (const std::exception &) {
            _exit(1);
        }
        _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

TEST_P(RaftMutant, IsNoticed)
{
    EXPECT_NE(live_with(GetParam()), 0) << raft_mutant_sentence(GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, RaftMutant,
                         testing::Range(RAFT_MUTANT_NONE + 1, int{RAFT_MUTANT_COUNT}),
                         [](const auto &mutant) { return raft_mutant_name(mutant.param); });

TEST(RaftMutants, NoneIsHarmless)
{
    raft_mutant = RAFT_MUTANT_NONE;
    for (uint64_t seed = 1; seed <= 6; seed++)
        EXPECT_NO_THROW(Story(seed).live(1000 * ms)) << "seed " << seed;
}

TEST(RaftMutants, HaveNamesAndSentences)
{
    for (int mutant = 0; mutant < RAFT_MUTANT_COUNT; mutant++) {
        EXPECT_NE(raft_mutant_name(mutant), nullptr);
        EXPECT_NE(raft_mutant_sentence(mutant), nullptr);
    }
    EXPECT_EQ(raft_mutant_name(-1), nullptr);
    EXPECT_EQ(raft_mutant_name(RAFT_MUTANT_COUNT), nullptr);
    EXPECT_EQ(raft_mutant_sentence(RAFT_MUTANT_COUNT), nullptr);
}
