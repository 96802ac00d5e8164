/* One thread applies commands of all kinds in sessions and outside, another walks the state over
 * and over, a third reads. Each walk is loaded; the load compares what it found with the digest
 * that the owner had at the mark. */
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <vector>

extern "C" {
#include "dataplane/state/capture.h"
#include "dataplane/state/load.h"
#include "dataplane/view/view.h"
#include "numa/base/random.h"
}

namespace
{

constexpr state_config kConfig = {1024, 4u << 20, 0};
constexpr int kWalks = 12;
constexpr uint32_t kSessions = 8;

class CaptureRace : public ::testing::Test
{
  public:
    size_t bytes_ = state_footprint(&kConfig);
    void *memory_[2] = {};
    state *state_ = nullptr;
    std::atomic<bool> done_{false};
    std::atomic<uint64_t> entries_{0};
    uint64_t during_ = 0, whole_ = 0, overrun_ = 0;

    void SetUp() override
    {
        for (void *&memory : memory_)
            memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        state_ = state_init(memory_[0], &kConfig);
    }

    void TearDown() override
    {
        for (void *memory : memory_)
            munmap(memory, bytes_);
    }

    void apply(uint8_t kind, uint64_t session, uint64_t sequence, const wire_command *c)
    {
        uint32_t bytes = c == nullptr ? 0 : wire_command_size(c);
        std::vector<uint64_t> room(wire_entry_size(bytes) / 8);
        auto *entry = reinterpret_cast<wire_entry *>(room.data());
        *entry = wire_entry{};
        entry->kind = kind;
        entry->index = state_applied_index(state_) + 1;
        entry->time_ms = entry->index / 8;
        entry->session = session;
        entry->sequence = sequence;
        entry->body_bytes = bytes;
        if (c != nullptr)
            wire_command_encode(c, reinterpret_cast<uint8_t *>(entry + 1));
        while (!state_can_apply(state_))
            turn();
        wire_result result;
        state_apply(state_, entry, &result);
    }

    void turn()
    {
        if (state_capture_phase(state_) == STATE_CAPTURE_ASKED)
            state_capture_begin(state_);
        state_reclaim(state_, view_epoch_started(), view_epoch_completed());
        view_quiescent();
    }

    void write_until_done()
    {
        random_state random;
        random_init(&random, 3);
        view_core_register();
        for (uint64_t nonce = 1; nonce <= kSessions; nonce++)
            apply(WIRE_ENTRY_REGISTER, 0, nonce, nullptr);
        uint64_t next[kSessions];
        for (uint64_t &n : next)
            n = 1;
        while (!done_) {
            std::string key = "key-" + std::to_string(random_below(&random, 900));
            std::string value(random_below(&random, 300), static_cast<char>('a' + next[0] % 26));
            uint8_t op[] = {WIRE_OP_SET, WIRE_OP_SET,    WIRE_OP_SET,     WIRE_OP_APPEND,
                            WIRE_OP_DEL, WIRE_OP_EXPIRE, WIRE_OP_PERSIST, WIRE_OP_MSET};
            wire_command c = {};
            c.op = op[random_below(&random, 8)];
            if (c.op == WIRE_OP_SET || c.op == WIRE_OP_EXPIRE)
                c.argument = static_cast<int64_t>(random_below(&random, 60));
            std::string pairs(8, '\0');
            if (c.op == WIRE_OP_MSET) {
                auto k = static_cast<uint32_t>(key.size()), v = static_cast<uint32_t>(value.size());
                memcpy(&pairs[0], &k, 4);
                memcpy(&pairs[4], &v, 4);
                value = pairs + key + value;
                key.clear();
            } else if (c.op != WIRE_OP_SET && c.op != WIRE_OP_APPEND) {
                value.clear();
            }
            c.key_bytes = static_cast<uint16_t>(key.size());
            c.key = c.old = reinterpret_cast<const uint8_t *>(key.data());
            c.value_bytes = static_cast<uint32_t>(value.size());
            c.value = reinterpret_cast<const uint8_t *>(value.data());
            uint64_t who = random_below(&random, kSessions);
            apply(WIRE_ENTRY_COMMAND, (who + 1) * SESSIONS_MAX + who, next[who]++, &c);
            if (state_capture_phase(state_) == STATE_CAPTURE_WALKING)
                during_++;
            if (entries_++ % 8 == 0)
                turn();
        }
        for (int i = 0; i < 20; i++)
            turn();
        view_thread_unregister();
    }

    void read_until_done()
    {
        random_state random;
        random_init(&random, 4);
        view_core_register();
        while (!done_) {
            std::string key = "key-" + std::to_string(random_below(&random, 900));
            wire_command c = {};
            c.op = WIRE_OP_GET;
            c.key_bytes = static_cast<uint16_t>(key.size());
            c.key = reinterpret_cast<const uint8_t *>(key.data());
            wire_result result;
            state_read(state_, &c, &result, nullptr, 0);
            view_quiescent();
        }
        view_thread_unregister();
    }

    state_walk_result walk(std::vector<std::string> *parts)
    {
        std::vector<uint64_t> room(state_walk_footprint(&kConfig) / 8 + 1);
        std::vector<uint8_t> part(STATE_PART_BYTES_MAX);
        state_capture_ask(state_);
        while (state_capture_phase(state_) != STATE_CAPTURE_WALKING)
            std::this_thread::yield();
        state_walk *walk = state_walk_init(room.data(), state_);
        for (;;) {
            uint32_t bytes;
            state_walk_result result = state_walk_next(walk, part.data(), &bytes);
            view_quiescent();
            if (result == STATE_WALK_PART)
                parts->emplace_back(reinterpret_cast<char *>(part.data()), bytes);
            else if (result != STATE_WALK_MORE)
                return result;
        }
    }

    void load(const std::vector<std::string> &parts)
    {
        static struct state_load load;
        state_load_begin(&load, memory_[1], &kConfig);
        for (auto &part : parts)
            ASSERT_EQ(state_load_part(&load, reinterpret_cast<const uint8_t *>(part.data()),
                                      static_cast<uint32_t>(part.size())),
                      STATE_LOADED);
        state *loaded;
        ASSERT_EQ(state_load_end(&load, &loaded), STATE_LOADED);
        whole_++;
    }

    void walk_often()
    {
        view_thread_register();
        for (int i = 0; i < kWalks && !HasFailure(); i++) {
            uint64_t before = entries_;
            while (entries_ < before + 3000 || state_capture_phase(state_) != STATE_CAPTURE_IDLE) {
                view_quiescent();
                std::this_thread::yield();
            }
            std::vector<std::string> parts;
            if (walk(&parts) == STATE_WALK_END)
                load(parts);
            else
                overrun_++;
        }
        done_ = true;
        view_thread_unregister();
    }
};

TEST_F(CaptureRace, WalksBesideAWriterAreOfOneMoment)
{
    std::thread writer(&CaptureRace::write_until_done, this);
    std::thread reader(&CaptureRace::read_until_done, this);
    std::thread walker(&CaptureRace::walk_often, this);
    std::thread control([this] {
        while (!done_)
            view_synchronize();
    });
    writer.join();
    reader.join();
    walker.join();
    control.join();
    EXPECT_EQ(whole_ + overrun_, static_cast<uint64_t>(kWalks));
    EXPECT_GT(whole_, static_cast<uint64_t>(kWalks / 2));
    EXPECT_GT(during_, 0u) << "no write fell into any walk";
}

} // namespace
