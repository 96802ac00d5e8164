/* A log behind its thread: the persist room, the thread that writes, and somebody who looks. */
#include "tests/unit/log/wal_fixture.h"

#include <atomic>
#include <thread>

TEST(WalRace, RoomThreadAndLookerShareNothingButWindows)
{
    Disk disk;
    wal_thread_config thread_config;
    wal_thread_config_defaults(&thread_config);
    thread_config.nap_ns = 1000;
    wal_file *file = wal_thread_open(&disk.file, &thread_config);
    ASSERT_NE(file, nullptr);
    wal_config config;
    wal_config_defaults(&config);
    config.cluster = 1;
    config.nonce = 2;
    config.node = 1;
    config.batch_bytes = 16384;
    config.body_bytes_max = 4096;
    config.segment_bytes = 1 << 16;
    config.segments = 16;
    config.file = file;
    void *memory = aligned_alloc(64, (wal_footprint(&config) + 63) / 64 * 64);
    wal_refusal refusal;
    storage *storage = wal_open(memory, &config, &refusal);
    ASSERT_NE(storage, nullptr);

    struct log_config log_config = {};
    log_config.bytes = 1u << 24;
    log_config.entries_max = 1u << 12;
    log_config.first_index = 1;
    log *log =
        log_init(aligned_alloc(64, (log_footprint(&log_config) + 63) / 64 * 64), &log_config);

    std::atomic<bool> stop{false};
    std::thread looker([&] {
        uint64_t looks = 0;
        while (!stop.load(std::memory_order_relaxed)) {
            struct storage_report report;
            storage_report(storage, &report);
            looks += storage_age_ns(storage, 1000) + storage_full(storage) +
                     storage_failed(storage) + report.writes;
        }
        EXPECT_GT(looks, 0u);
    });
    uint64_t index = 0, stored = 0;
    while (index < 20000) {
        wire_entry *entry = log_append(log, index + 1, 64);
        ASSERT_NE(entry, nullptr);
        index++;
        entry->term = 1;
        storage_write write = {};
        write.seq = index;
        write.term = 1;
        write.first = write.last = index;
        while (storage_submit(storage, &write, 1, &log, index) == 0) {
            wal_file_wake(file);
            if ((stored = storage_poll(storage, index)) != 0)
                storage_release(storage, 0, stored, 1);
            std::this_thread::yield();
        }
        stored = storage_poll(storage, index);
        if (stored != 0 && index % 64 == 0) {
            storage_release(storage, 0, stored, 1);
            log_release(log, stored);
        }
    }
    while (storage_poll(storage, index) != index)
        std::this_thread::yield();
    stop.store(true);
    looker.join();
    wal_close(storage);
    file->calls->close(file);
    EXPECT_FALSE(disk.written.empty());
    free(log);
    free(memory);
}
