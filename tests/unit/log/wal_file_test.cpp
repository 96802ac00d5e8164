/* Real files: each way to write one, alone and behind its thread, in a folder of the test's own. */
#include "tests/unit/log/wal_fixture.h"

#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct Way {
    const char *name;
    wal_file_kind kind;
    bool in_thread;
};

static std::string temporary_folder()
{
    std::string folder = ::testing::TempDir() + "quorate-wal-XXXXXX";
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    return folder;
}

class WalFile : public ::testing::TestWithParam<Way>
{
  protected:
    std::string folder_ = temporary_folder(), path_ = folder_ + "/lane-0.wal";
    wal_file *file_ = nullptr;
    char error_[WAL_FILE_ERROR_MAX] = "";
    uint8_t *memory_ = static_cast<uint8_t *>(aligned_alloc(4096, 4 * 65536));

    ~WalFile() override
    {
        if (file_ != nullptr)
            file_->calls->close(file_);
        unlink(path_.c_str());
        rmdir(folder_.c_str());
        free(memory_);
    }

    bool open()
    {
        wal_file *inner = wal_file_open(path_.c_str(), GetParam().kind, error_);
        wal_thread_config config;
        wal_thread_config_defaults(&config);
        file_ = inner != nullptr && GetParam().in_thread ? wal_thread_open(inner, &config) : inner;
        return file_ != nullptr;
    }

    /* The next that is done. */
    wal_file_done next()
    {
        while (done_.empty()) {
            wal_file_done done[WAL_FILE_SLOTS];
            file_->calls->wait(file_, 1000000);
            uint32_t count = file_->calls->poll(file_, done);
            done_.assign(done, done + count);
        }
        wal_file_done first = done_.front();
        done_.erase(done_.begin());
        return first;
    }

    std::vector<wal_file_done> done_;
};

#define OPEN_OR_SKIP()                                                                             \
    if (!open())                                                                                   \
    GTEST_SKIP() << error_

TEST_P(WalFile, ReadsWhatItWrote)
{
    OPEN_OR_SKIP();
    memset(memory_, 0xab, 65536);
    ASSERT_EQ(file_->calls->read(file_, 0, memory_, 65536), 0);
    EXPECT_EQ(memory_[0] + memory_[65535], 0) << "behind the end there are zeroes";
    memset(memory_, 1, 65536);
    ASSERT_EQ(file_->calls->write(file_, 0, memory_, 65536), 0);
    ASSERT_EQ(file_->calls->sync(file_), 0);
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t slot = 0; slot < 3; slot++) {
            uint8_t *from = memory_ + slot * 65536;
            memset(from, static_cast<int>(10 * round + slot), 8192);
            file_->calls->begin(file_, slot, slot * 8192, from, 8192);
        }
        std::vector<bool> seen(3);
        for (int i = 0; i < 3; i++) {
            wal_file_done done = next();
            EXPECT_EQ(done.error, 0);
            EXPECT_FALSE(seen[done.slot]);
            seen[done.slot] = true;
        }
        wal_file_done none[WAL_FILE_SLOTS];
        EXPECT_EQ(file_->calls->poll(file_, none), 0u);
        uint8_t *back = memory_ + 3 * 65536;
        ASSERT_EQ(file_->calls->read(file_, 0, back, 3 * 8192), 0);
        for (uint32_t slot = 0; slot < 3; slot++)
            EXPECT_EQ(back[slot * 8192 + 8191], 10 * round + slot);
    }
}

TEST_P(WalFile, IsForOneAlone)
{
    OPEN_OR_SKIP();
    char error[WAL_FILE_ERROR_MAX];
    EXPECT_EQ(wal_file_open(path_.c_str(), GetParam().kind, error), nullptr);
    EXPECT_NE(strstr(error, "in use"), nullptr) << error;
}

/* A limit on the size of files is an error of the write, as a full disk is. */
TEST_P(WalFile, ErrorsComeBackWithTheSlot)
{
    OPEN_OR_SKIP();
    rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 65536;
    signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int blocking = file_->calls->write(file_, 65536, memory_, 4096);
    file_->calls->begin(file_, 1, 131072, memory_, 4096);
    wal_file_done done = next();
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(blocking, EFBIG);
    EXPECT_EQ(done.slot, 1u);
    if (strstr(file_->name, "io_uring") == nullptr) /* its workers take the limit they began with */
        EXPECT_EQ(done.error, EFBIG);
    else
        EXPECT_TRUE(done.error == EFBIG || done.error == 0) << done.error;
}

TEST_P(WalFile, CarriesALogThroughStarts)
{
    OPEN_OR_SKIP();
    wal_config config;
    wal_config_defaults(&config);
    config.cluster = 5;
    config.nonce = 6;
    config.node = 1;
    config.segment_bytes = 8u << 20;
    config.segments = 4;
    config.file = file_;
    void *memory = aligned_alloc(64, (wal_footprint(&config) + 63) / 64 * 64);
    log *no_log = nullptr; /* votes alone */
    for (uint64_t start = 1; start <= 3; start++) {
        wal_refusal refusal;
        storage *storage = wal_open(memory, &config, &refusal);
        ASSERT_NE(storage, nullptr) << wal_refusal_sentence(refusal);
        storage_recovered recovered;
        ASSERT_EQ(wal_recover(storage, 0, &recovered), start > 1);
        EXPECT_TRUE(start == 1 || recovered.term == (start - 1) * 100);
        wal_recovered(storage);
        for (uint64_t seq = 1; seq <= 100; seq++) {
            storage_write write = {};
            write.seq = seq;
            write.term = (start - 1) * 100 + seq;
            EXPECT_EQ(storage_submit(storage, &write, 1, &no_log, 0), 1u);
            (void)storage_poll(storage, 0);
        }
        while (storage_poll(storage, 0) != 100)
            file_->calls->wait(file_, 100000);
        wal_close(storage);
    }
    free(memory);
    struct stat stat;
    ASSERT_EQ(::stat(path_.c_str(), &stat), 0);
    EXPECT_EQ(static_cast<uint64_t>(stat.st_size), FORMAT_SUPER_BYTES + (32u << 20));
    EXPECT_GE(static_cast<uint64_t>(stat.st_blocks) * 512, 32u << 20) << "not written beforehand";
}

INSTANTIATE_TEST_SUITE_P(Ways, WalFile,
                         ::testing::Values(Way{"uring", WAL_FILE_URING, false},
                                           Way{"dsync", WAL_FILE_DSYNC, false},
                                           Way{"fdatasync", WAL_FILE_FDATASYNC, false},
                                           Way{"best_thread", WAL_FILE_BEST, true},
                                           Way{"dsync_thread", WAL_FILE_DSYNC, true},
                                           Way{"fdatasync_thread", WAL_FILE_FDATASYNC, true}),
                         [](const ::testing::TestParamInfo<Way> &info) { return info.param.name; });

TEST(WalFileOpen, SaysWhyItCanNot)
{
    char error[WAL_FILE_ERROR_MAX];
    EXPECT_EQ(wal_file_open("/nowhere/at/all/lane-0.wal", WAL_FILE_BEST, error), nullptr);
    EXPECT_NE(strstr(error, "/nowhere/at/all/lane-0.wal can not be opened"), nullptr) << error;
    std::string folder = temporary_folder();
    EXPECT_EQ(wal_file_open(folder.c_str(), WAL_FILE_BEST, error), nullptr);
    EXPECT_GT(strlen(error), 20u);
    rmdir(folder.c_str());
    EXPECT_EQ(wal_file_open("/dev/null", WAL_FILE_BEST, error), nullptr);
    EXPECT_NE(strstr(error, "no plain file"), nullptr) << error;
}
