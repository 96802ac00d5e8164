/* wal_fixture.h: a disk in memory that tears, forgets and fails on demand, a log on it, and a model
 * of what must be found after a crash.
 *
 * Shape: `put` appends entries in memory and submits them; `history` holds the state after each
 *   submitted write. What is recovered must be one of these states, no older than what was
 *   reported as stored. Memory: the fixture's. Threads, time, refusals: none. Limits: wal.h.
 */
#ifndef TESTS_UNIT_LOG_WAL_FIXTURE_H
#define TESTS_UNIT_LOG_WAL_FIXTURE_H

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <map>
#include <vector>

extern "C" {
#include "dataplane/log/format.h"
#include "dataplane/log/wal.h"
#include "numa/base/random.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
}

struct Disk {
    struct Flying {
        uint32_t slot;
        uint64_t offset;
        const uint8_t *from;
        std::vector<uint8_t> bytes;
    };

    wal_file file = {&kCalls, "a disk of the tests"};
    std::vector<uint8_t> bytes;
    std::vector<Flying> flying;
    std::vector<Flying> written; /* all that became durable by begin, in order */
    bool hold = false;           /* writes stay in flight until finish */
    int fail_begin = 0;          /* error of writes that are begun */
    uint64_t writes_left = UINT64_MAX, syncs_left = UINT64_MAX, reads_left = UINT64_MAX;
    uint64_t size_max = UINT64_MAX; /* ENOSPC beyond */
    uint64_t syncs = 0, unsynced = 0;

    void place(const Flying &write, const std::vector<bool> &sectors)
    {
        for (size_t i = 0; i < sectors.size(); i++)
            if (sectors[i])
                memcpy(&bytes[write.offset + i * 512], &write.bytes[i * 512], 512);
    }

    void finish(size_t which)
    {
        const Flying &write = flying[which];
        EXPECT_EQ(memcmp(write.from, write.bytes.data(), write.bytes.size()), 0)
            << "changed in flight";
        if (fail_begin == 0) {
            place(write, std::vector<bool>(write.bytes.size() / 512, true));
            written.push_back(write);
        }
        done.push_back({write.slot, fail_begin});
        flying.erase(flying.begin() + static_cast<long>(which));
    }

    std::vector<wal_file_done> done;

    static Disk *of(wal_file *file)
    {
        return reinterpret_cast<Disk *>(file);
    }

    static int read(wal_file *file, uint64_t offset, void *to, size_t count)
    {
        Disk *disk = of(file);
        if (disk->reads_left-- == 0)
            return EIO;
        memset(to, 0, count);
        if (offset < disk->bytes.size())
            memcpy(to, &disk->bytes[offset], std::min<size_t>(count, disk->bytes.size() - offset));
        return 0;
    }

    static int write(wal_file *file, uint64_t offset, const void *from, size_t count)
    {
        Disk *disk = of(file);
        EXPECT_EQ(offset % 4096 + count % 4096 + reinterpret_cast<uintptr_t>(from) % 4096, 0u);
        if (disk->writes_left-- == 0)
            return EIO;
        if (offset + count > disk->size_max)
            return ENOSPC;
        if (offset + count > disk->bytes.size())
            disk->bytes.resize(offset + count);
        memcpy(&disk->bytes[offset], from, count);
        disk->unsynced++;
        return 0;
    }

    static int sync(wal_file *file)
    {
        Disk *disk = of(file);
        if (disk->syncs_left-- == 0)
            return EIO;
        disk->syncs++;
        disk->unsynced = 0;
        return 0;
    }

    static void begin(wal_file *file, uint32_t slot, uint64_t offset, const void *from,
                      uint32_t count)
    {
        Disk *disk = of(file);
        const auto *first = static_cast<const uint8_t *>(from);
        EXPECT_EQ(offset % 4096 + count % 4096 + reinterpret_cast<uintptr_t>(from) % 4096, 0u);
        EXPECT_LE(offset + count, disk->bytes.size()) << "the file would grow";
        disk->flying.push_back({slot, offset, first, {first, first + count}});
    }

    static uint32_t poll(wal_file *file, wal_file_done *to)
    {
        Disk *disk = of(file);
        while (!disk->hold && !disk->flying.empty())
            disk->finish(0);
        std::copy(disk->done.begin(), disk->done.end(), to);
        auto count = static_cast<uint32_t>(disk->done.size());
        disk->done.clear();
        return count;
    }

    static void wait(wal_file *file, uint64_t)
    {
        of(file)->hold = false;
    }

    static void close(wal_file *)
    {
    }

    static constexpr wal_file_calls kCalls = {read, write,   sync,  begin,  poll,
                                              wait, nullptr, close, nullptr};
};

struct GroupModel {
    uint64_t term = 0;
    uint16_t vote = 0xffff;
    uint64_t released = 0;
    std::map<uint64_t, std::pair<uint64_t, uint32_t>> entries; /* index: term, body bytes */

    bool operator==(const GroupModel &other) const
    {
        return term == other.term && vote == other.vote && entries == other.entries;
    }
};

using Model = std::vector<GroupModel>;

struct Found {
    Model model;
    std::vector<bool> damaged;
    uint64_t boots = 0;
    bool any_damaged() const
    {
        return std::find(damaged.begin(), damaged.end(), true) != damaged.end();
    }
};

class WalFixture : public ::testing::Test
{
  protected:
    static constexpr uint64_t kCluster = 0xc1u, kNonce = 0x0123456789abcdefu;

    WalFixture()
    {
        wal_config_defaults(&config_);
        config_.cluster = kCluster;
        config_.nonce = kNonce;
        config_.node = 3;
        config_.group_count = 2;
        config_.body_bytes_max = 1024;
        config_.batch_bytes = 4096;
        config_.segment_bytes = 5 * 4096;
        config_.segments = 8;
        config_.file = &disk_.file;
    }

    ~WalFixture() override
    {
        if (storage_ != nullptr)
            wal_close(storage_);
        for (log *log : logs_)
            free_log(log);
        free(memory_);
    }

    static storage *open_on(Disk &disk, wal_config config, void **memory, wal_refusal *refusal)
    {
        config.file = &disk.file;
        size_t bytes = wal_footprint(&config);
        EXPECT_NE(bytes, 0u);
        *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
        return wal_open(*memory, &config, refusal);
    }

    void open()
    {
        wal_refusal refusal;
        if (storage_ != nullptr)
            wal_close(storage_);
        free(memory_);
        storage_ = open_on(disk_, config_, &memory_, &refusal);
        ASSERT_NE(storage_, nullptr) << wal_refusal_sentence(refusal);
        model_.resize(config_.group_count);
        if (logs_.empty())
            for (uint16_t g = 0; g < config_.group_count; g++)
                logs_.push_back(make_log(g));
        seq_ = stored_ = 0;
        history_ = {model_};
    }

    wal_refusal refused(const wal_config &config)
    {
        wal_refusal refusal;
        void *memory;
        storage *storage = open_on(disk_, config, &memory, &refusal);
        if (storage != nullptr)
            wal_close(storage);
        free(memory);
        return refusal;
    }

    static log *make_log(uint16_t group, uint64_t first_index = 1)
    {
        log_config config = {};
        config.group = group;
        config.bytes = 1u << 24;
        config.entries_max = 1u << 16;
        config.first_index = first_index;
        void *memory = mmap(nullptr, log_footprint(&config), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        return memory == MAP_FAILED ? nullptr : log_init(memory, &config);
    }

    /* All are of the same size. */
    static void free_log(log *log)
    {
        log_config config = {};
        config.bytes = 1u << 24;
        config.entries_max = 1u << 16;
        config.first_index = 1;
        munmap(log, log_footprint(&config));
    }

    static uint8_t body_byte(uint64_t index, uint64_t term)
    {
        return static_cast<uint8_t>(index * 31 + term * 7 + 1);
    }

    /* Entries [first, first + count) of the term, and the hard state; submitted once. */
    bool put(uint16_t group, uint64_t first, uint32_t count, uint64_t term, uint32_t body_bytes,
             uint16_t vote = 1)
    {
        GroupModel &model = model_[group];
        storage_write write = {};
        for (uint64_t i = first; count != 0 && i < first + count; i++) {
            wire_entry *entry = log_append(logs_[group], i, body_bytes);
            EXPECT_NE(entry, nullptr);
            entry->kind = WIRE_ENTRY_COMMAND;
            entry->term = term;
            memset(entry + 1, body_byte(i, term), (body_bytes + 7u) & ~7u);
            model.entries.erase(model.entries.lower_bound(i), model.entries.end());
            model.entries[i] = {term, body_bytes};
        }
        model.term = term;
        model.vote = vote;
        write.seq = ++seq_;
        write.term = term;
        write.vote = vote;
        write.first = count != 0 ? first : 0;
        write.last = count != 0 ? first + count - 1 : 0;
        write.group = group;
        write.commit = commit_;
        history_.push_back(model_);
        pending_ = write;
        return again();
    }

    bool again()
    {
        return storage_submit(storage_, &pending_, 1, &logs_[pending_.group], now_ns_) == 1;
    }

    uint64_t poll()
    {
        stored_ = storage_poll(storage_, now_ns_);
        return stored_;
    }

    /* In writes of its own, durable. */
    void store(uint16_t group, uint64_t first, uint32_t count, uint64_t term, uint32_t body_bytes)
    {
        bool taken = put(group, first, count, term, body_bytes);
        for (int turns = 0; poll() < seq_; turns++) {
            ASSERT_LT(turns, 100) << "no room";
            taken = taken || again();
        }
    }

    /* Entries of both groups over more than one segment, a changed tail among them; all durable. */
    void fill()
    {
        open();
        store(0, 1, 2, 1, 100);
        store(1, 1, 1, 1, 700);
        store(0, 3, 3, 1, 900);
        store(1, 2, 1, 2, 10);
        store(0, 4, 1, 2, 300);
        store(0, 0, 0, 3, 0);
        store(1, 3, 4, 3, 1000);
        store(0, 5, 8, 3, 1000);
    }

    /* What a start on this disk would find. The disk is changed by it, as by any start. */
    static void look(storage *storage, const wal_config &config, Found *found)
    {
        found->model.assign(config.group_count, {});
        found->damaged.assign(config.group_count, false);
        for (uint16_t g = 0; g < config.group_count; g++) {
            storage_recovered recovered;
            GroupModel &model = found->model[g];
            if (!wal_recover(storage, g, &recovered))
                continue;
            found->boots = recovered.boots;
            found->damaged[g] = recovered.damaged;
            model.term = recovered.term;
            model.vote = recovered.vote;
            model.released = recovered.first - 1;
            for (uint64_t i = recovered.first; i <= recovered.last; i++) {
                const wire_entry *entry = wal_recover_entry(storage, g, i);
                ASSERT_NE(entry, nullptr) << "entry " << i;
                ASSERT_EQ(entry->index, i);
                const auto *body = reinterpret_cast<const uint8_t *>(entry + 1);
                for (uint32_t b = 0; b < entry->body_bytes; b++)
                    ASSERT_EQ(body[b], body_byte(i, entry->term)) << "entry " << i << " byte " << b;
                model.entries[i] = {entry->term, entry->body_bytes};
            }
            ASSERT_EQ(wal_recover_entry(storage, g, recovered.last + 1), nullptr);
            ASSERT_EQ(wal_recover_entry(storage, g, recovered.first - 1), nullptr);
        }
    }

    wal_refusal start_on(Disk &disk, Found *found)
    {
        void *memory;
        wal_refusal refusal;
        storage *storage = open_on(disk, config_, &memory, &refusal);
        if (storage != nullptr) {
            look(storage, config_, found);
            wal_close(storage);
        }
        free(memory);
        return refusal;
    }

    /* Which of the submitted states this is; history_.size(): none. */
    size_t state_number(const Model &model) const
    {
        for (size_t i = history_.size(); i-- > 0;)
            if (history_[i] == model)
                return i;
        return history_.size();
    }

    Disk disk_;
    wal_config config_;
    storage *storage_ = nullptr;
    void *memory_ = nullptr;
    std::vector<log *> logs_;
    Model model_;
    std::vector<Model> history_; /* after write number i of this start */
    uint64_t seq_ = 0, stored_ = 0, now_ns_ = 1000;
    uint64_t commit_ = 0; /* said with what is put */
    storage_write pending_ = {};
};

#endif
