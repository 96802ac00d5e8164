#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

extern "C" {
#include "numa/base/guard.h"
#include "tests/interpose/interpose.h"
}

namespace
{

void *volatile kept; /* so that no allocation is optimised away */

TEST(Guard, MarksTheThreadAndNoOther)
{
    guard_polling_begin();
    bool here = guard_polling();
    bool there = true;
    guard_polling_end();
    std::thread([&] { there = guard_polling(); }).join();
    EXPECT_TRUE(here);
    EXPECT_FALSE(there);
    EXPECT_FALSE(guard_polling());
}

TEST(GuardDeath, BeginsAndEndsInPairs)
{
    EXPECT_DEATH(guard_polling_end(), "polling_mark");
    EXPECT_DEATH(
        {
            guard_polling_begin();
            guard_polling_begin();
        },
        "polling_mark");
}

class Interpose : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        if (!interpose_start())
            GTEST_SKIP() << "no syscall user dispatch here (kernel below 5.11), or TSan is on";
    }
    void TearDown() override
    {
        interpose_stop();
    }
};

TEST_F(Interpose, SilenceCountsNothing)
{
    volatile uint64_t sum = 0;
    guard_polling_begin();
    for (uint64_t i = 0; i < 1000; i++)
        sum += i;
    guard_polling_end();
    EXPECT_EQ(sum, 499500u);
    for (int kind = 0; kind < INTERPOSE_KIND_COUNT; kind++)
        EXPECT_EQ(interpose_count(static_cast<interpose_kind>(kind)), 0u) << interpose_story();
}

TEST_F(Interpose, OutsideTheMarkNothingCounts)
{
    kept = malloc(10);
    free(kept);
    EXPECT_GE(write(-1, "", 0), -1);
    EXPECT_EQ(interpose_count(INTERPOSE_ALLOCATION), 0u);
    EXPECT_EQ(interpose_count(INTERPOSE_SYSCALL), 0u);
}

TEST_F(Interpose, EveryAllocatorIsSeen)
{
    guard_polling_begin();
    kept = malloc(10);
    kept = realloc(kept, 100000);
    free(kept);
    kept = calloc(1, 10);
    free(kept);
    kept = aligned_alloc(64, 64);
    free(kept);
    void *memory = nullptr;
    int result = posix_memalign(&memory, 64, 64);
    free(memory);
    kept = new int(7);
    delete static_cast<int *>(kept);
    guard_polling_end();
    EXPECT_EQ(result, 0);
    EXPECT_EQ(interpose_count(INTERPOSE_ALLOCATION), 6u) << interpose_story();
    EXPECT_GE(interpose_count(INTERPOSE_FREE), 5u) << interpose_story();
}

TEST_F(Interpose, SystemCallsAreCountedAndStillMade)
{
    int ends[2] = {-1, -1};
    char word[8] = "";
    guard_polling_begin();
    int piped = pipe2(ends, O_CLOEXEC);
    ssize_t written = write(ends[1], "seven", 6);
    ssize_t got = read(ends[0], word, sizeof word);
    void *pages = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long self = syscall(SYS_getpid);
    ssize_t failed = read(-1, word, 1);
    int error = errno;
    guard_polling_end();
    EXPECT_EQ(piped, 0);
    EXPECT_EQ(written, 6);
    EXPECT_EQ(got, 6);
    EXPECT_STREQ(word, "seven");
    ASSERT_NE(pages, MAP_FAILED);
    EXPECT_EQ(self, getpid());
    EXPECT_EQ(failed, -1);
    EXPECT_EQ(error, EBADF);
    EXPECT_EQ(interpose_count(INTERPOSE_SYSCALL), 6u) << interpose_story();
    EXPECT_EQ(interpose_syscall_count(SYS_read), 2u);
    EXPECT_EQ(interpose_syscall_count(SYS_mmap), 1u);
    EXPECT_NE(strstr(interpose_story(), "6 system calls"), nullptr) << interpose_story();
    munmap(pages, 4096);
    close(ends[0]);
    close(ends[1]);
}

TEST_F(Interpose, ABareInstructionIsSeenToo)
{
    long result = SYS_getppid;
    guard_polling_begin();
    __asm__ volatile("syscall" : "+a"(result) : : "rcx", "r11", "memory");
    guard_polling_end();
    EXPECT_EQ(result, getppid());
    EXPECT_EQ(interpose_syscall_count(SYS_getppid), 1u);
}

TEST_F(Interpose, YieldsAndLocksAreKeptApart)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    guard_polling_begin();
    sched_yield();
    pthread_mutex_lock(&mutex);
    guard_polling_end();
    pthread_mutex_unlock(&mutex);
    EXPECT_EQ(interpose_count(INTERPOSE_YIELD), 1u);
    EXPECT_EQ(interpose_count(INTERPOSE_LOCK), 1u);
    EXPECT_EQ(interpose_count(INTERPOSE_SYSCALL), 0u) << interpose_story();
}

TEST_F(Interpose, EachThreadIsWatchedByItsOwnMark)
{
    std::thread polling([] {
        guard_polling_begin();
        (void)getppid();
        guard_polling_end();
    });
    for (int i = 0; i < 100; i++)
        (void)getppid();
    polling.join();
    EXPECT_EQ(interpose_syscall_count(SYS_getppid), 1u);
}

volatile sig_atomic_t signals_seen;

TEST_F(Interpose, ASignalInTheLoopDoesNoHarm)
{
    auto before = signal(SIGUSR1, [](int) { signals_seen = signals_seen + 1; });
    guard_polling_begin();
    raise(SIGUSR1);
    bool marked = guard_polling();
    (void)getppid();
    guard_polling_end();
    signal(SIGUSR1, before);
    EXPECT_EQ(signals_seen, 1);
    EXPECT_TRUE(marked);
    EXPECT_EQ(interpose_syscall_count(SYS_getppid), 1u) << "still watched after the signal";
}

TEST_F(Interpose, APollingThreadStartsNoThread)
{
    pthread_t thread;
    guard_polling_begin();
    int result = pthread_create(
        &thread, nullptr, [](void *x) { return x; }, nullptr);
    guard_polling_end();
    EXPECT_EQ(result, EAGAIN);
}

TEST_F(Interpose, StartForgetsWhatWas)
{
    guard_polling_begin();
    (void)getppid();
    guard_polling_end();
    EXPECT_EQ(interpose_count(INTERPOSE_SYSCALL), 1u);
    ASSERT_TRUE(interpose_start());
    EXPECT_EQ(interpose_count(INTERPOSE_SYSCALL), 0u);
    EXPECT_EQ(interpose_syscall_count(SYS_getppid), 0u);
}

} // namespace
