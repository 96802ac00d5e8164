/* What the core of the persist room asks of the kernel while it polls: nothing, behind a thread. */
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

extern "C" {
#include "dataplane/log/wal.h"
#include "numa/base/guard.h"
#include "tests/interpose/interpose.h"
#include <sys/syscall.h>
}

class WalSilenceBase : public ::testing::Test
{
  protected:
    std::string path_ = ::testing::TempDir() + "quorate-silence-" + std::to_string(getpid());
    wal_file *file_ = nullptr;
    storage *storage_ = nullptr;
    void *memory_ = nullptr, *log_memory_ = nullptr;
    log *log_ = nullptr;
    char error_[WAL_FILE_ERROR_MAX] = "";

    ~WalSilenceBase() override
    {
        if (storage_ != nullptr)
            wal_close(storage_);
        if (file_ != nullptr)
            file_->calls->close(file_);
        unlink(path_.c_str());
        free(memory_);
        free(log_memory_);
    }

    bool open(wal_file_kind kind, bool in_thread)
    {
        wal_thread_config thread;
        wal_thread_config_defaults(&thread);
        file_ = wal_file_open(path_.c_str(), kind, error_);
        if (file_ != nullptr && in_thread)
            file_ = wal_thread_open(file_, &thread);
        if (file_ == nullptr)
            return false;
        wal_config config;
        wal_config_defaults(&config);
        config.node = 1;
        config.segment_bytes = 8u << 20;
        config.segments = 4;
        config.file = file_;
        memory_ = aligned_alloc(64, (wal_footprint(&config) + 63) / 64 * 64);
        wal_refusal refusal;
        storage_ = wal_open(memory_, &config, &refusal);
        struct log_config log = {};
        log.bytes = 1u << 24;
        log.entries_max = 1u << 12;
        log.first_index = 1;
        log_memory_ = aligned_alloc(64, (log_footprint(&log) + 63) / 64 * 64);
        log_ = log_init(log_memory_, &log);
        return storage_ != nullptr;
    }

    /* As a lane does it, under the guard. */
    void run(uint64_t count)
    {
        guard_polling_begin();
        uint64_t stored = 0;
        for (uint64_t i = 1; stored < count;) {
            if (i <= count) {
                wire_entry *entry = log_append(log_, i, 100);
                entry->term = 1;
                storage_write write = {};
                write.seq = write.first = write.last = i;
                write.term = 1;
                i += storage_submit(storage_, &write, 1, &log_, i);
            }
            stored = storage_poll(storage_, i);
        }
        storage_release(storage_, 0, count, 1);
        (void)storage_poll(storage_, count);
        guard_polling_end();
    }
};

class WalSilence : public WalSilenceBase, public ::testing::WithParamInterface<wal_file_kind>
{
};

TEST_P(WalSilence, BehindAThreadThereIsNoCallAtAll)
{
    if (!open(GetParam(), true))
        GTEST_SKIP() << error_;
    if (!interpose_start())
        GTEST_SKIP() << "system calls can not be watched here";
    run(1000);
    interpose_stop();
    EXPECT_EQ(interpose_count(INTERPOSE_SYSCALL), 0u) << interpose_story();
    EXPECT_EQ(interpose_count(INTERPOSE_YIELD), 0u) << interpose_story();
    EXPECT_EQ(interpose_count(INTERPOSE_ALLOCATION), 0u) << interpose_story();
    EXPECT_EQ(interpose_count(INTERPOSE_LOCK), 0u) << interpose_story();
}

/* Naps are so long that nothing but the wake can be what begins the write. */
TEST_P(WalSilence, AWakeIsOneCallAtMostAndNoneWithoutAWrite)
{
    wal_thread_config thread;
    wal_thread_config_defaults(&thread);
    thread.nap_ns = thread.nap_ns_max = UINT64_C(3600000000000);
    file_ = wal_file_open(path_.c_str(), GetParam(), error_);
    if (file_ != nullptr)
        file_ = wal_thread_open(file_, &thread);
    memory_ = aligned_alloc(4096, 4096);
    if (file_ == nullptr)
        GTEST_SKIP() << error_;
    if (!interpose_start())
        GTEST_SKIP() << "system calls can not be watched here";
    memset(memory_, 7, 4096);
    guard_polling_begin();
    wal_file_done done[WAL_FILE_SLOTS] = {};
    for (uint32_t i = 0; i < 100; i++) {
        wal_file_wake(file_);
        file_->calls->begin(file_, 1, 0, memory_, 4096);
        wal_file_wake(file_);
        wal_file_wake(file_);
        while (file_->calls->poll(file_, done) == 0) {
        }
        ASSERT_EQ(done[0].error, 0);
    }
    guard_polling_end();
    interpose_stop();
    EXPECT_LE(interpose_count(INTERPOSE_SYSCALL), 100u) << interpose_story();
    EXPECT_EQ(interpose_count(INTERPOSE_SYSCALL), interpose_syscall_count(SYS_futex));
    EXPECT_EQ(interpose_count(INTERPOSE_YIELD), 0u) << interpose_story();
}

INSTANTIATE_TEST_SUITE_P(Ways, WalSilence,
                         ::testing::Values(WAL_FILE_URING, WAL_FILE_DSYNC, WAL_FILE_FDATASYNC));

using WalSilenceAlone = WalSilenceBase;

TEST_F(WalSilenceAlone, UringMakesOneCallPerWrite)
{
    if (!open(WAL_FILE_URING, false))
        GTEST_SKIP() << error_;
    if (!interpose_start())
        GTEST_SKIP() << "system calls can not be watched here";
    run(1000);
    interpose_stop();
    wal_close(storage_);
    struct storage_report report;
    storage_report(storage_, &report);
    storage_ = nullptr;
    EXPECT_GT(report.writes, 0u);
    EXPECT_GE(interpose_count(INTERPOSE_SYSCALL), report.writes);
    EXPECT_LE(interpose_count(INTERPOSE_SYSCALL), report.writes + 2) << interpose_story();
    EXPECT_EQ(interpose_count(INTERPOSE_SYSCALL), interpose_syscall_count(SYS_io_uring_enter));
    EXPECT_EQ(interpose_count(INTERPOSE_ALLOCATION), 0u) << interpose_story();
}
