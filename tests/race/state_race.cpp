/* One writer applies sets, deletes, deadlines and pairs of keys, two readers look without a lock,
 * and a control thread runs grace periods. Each value spells its key and a number over and over, so
 * that a torn or reused one shows. */
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <vector>

extern "C" {
#include "dataplane/state/state.h"
#include "dataplane/view/view.h"
#include "numa/base/random.h"
}

namespace
{

constexpr uint64_t kEntries = 30000;
constexpr uint32_t kKeys = 48;
constexpr int kHeld = 8;

std::string key_of(uint64_t number)
{
    return "key-" + std::to_string(number % kKeys);
}

std::string value_of(const std::string &key, uint64_t number)
{
    std::string unit = key + "=" + std::to_string(number) + ";", value;
    for (uint64_t n = 0; n <= number % 12; n++)
        value += unit;
    return value;
}

/* The number, or -1 for a value that no writer wrote. */
int64_t number_in(const std::string &key, const std::string &value)
{
    size_t at = key.size() + 1;
    if (value.compare(0, at, key + "=") != 0)
        return -1;
    uint64_t number = strtoull(value.c_str() + at, nullptr, 10);
    return value == value_of(key, number) ? static_cast<int64_t>(number) : -1;
}

wire_command command_of(uint8_t op, const std::string &key, const std::string &value,
                        int64_t argument)
{
    wire_command c = {};
    c.op = op;
    c.argument = argument;
    c.key_bytes = static_cast<uint16_t>(key.size());
    c.key = reinterpret_cast<const uint8_t *>(key.data());
    c.old = c.key;
    c.value_bytes = static_cast<uint32_t>(value.size());
    c.value = reinterpret_cast<const uint8_t *>(value.data());
    return c;
}

void put_pair(std::string *to, const std::string &key, const std::string &value)
{
    auto k = static_cast<uint32_t>(key.size()), v = static_cast<uint32_t>(value.size());
    to->append(reinterpret_cast<const char *>(&k), 4).append(reinterpret_cast<const char *>(&v), 4);
    *to += key + value;
}

struct findings {
    std::atomic<uint64_t> reads{0}, found{0}, torn{0}, moved{0}, split{0};
};

class StateRace : public ::testing::Test
{
  protected:
    state *state_ = nullptr;
    size_t bytes_ = 0;
    void *memory_ = nullptr;
    std::atomic<bool> done_{false};
    findings findings_;

    void SetUp() override
    {
        state_config config = {64, 1u << 20, 0};
        bytes_ = state_footprint(&config);
        memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT_NE(memory_, MAP_FAILED);
        state_ = state_init(memory_, &config);
    }

    void TearDown() override
    {
        munmap(memory_, bytes_);
    }

    void apply(uint64_t index, uint64_t time_ms, const wire_command &c)
    {
        std::vector<uint64_t> room(wire_entry_size(wire_command_size(&c)) / 8);
        auto *entry = reinterpret_cast<wire_entry *>(room.data());
        *entry = wire_entry{};
        entry->kind = WIRE_ENTRY_COMMAND;
        entry->index = index;
        entry->time_ms = time_ms;
        entry->body_bytes = wire_command_size(&c);
        wire_command_encode(&c, reinterpret_cast<uint8_t *>(entry + 1));
        while (!state_can_apply(state_)) {
            view_quiescent();
            state_reclaim(state_, view_epoch_started(), view_epoch_completed());
        }
        wire_result result;
        state_prefetch(state_, entry);
        state_apply(state_, entry, &result);
        ASSERT_EQ(result.status, WIRE_DONE);
    }

    void write_all()
    {
        random_state random;
        random_init(&random, 1);
        for (uint64_t index = 1; index <= kEntries; index++) {
            std::string key = key_of(random_next(&random)), value = value_of(key, index), pairs;
            switch (random_below(&random, 8)) {
            case 0:
                apply(index, index, command_of(WIRE_OP_DEL, key, "", 0));
                break;
            case 1:
                apply(index, index,
                      command_of(WIRE_OP_SET, key, value, 1 + static_cast<int64_t>(index % 30)));
                break;
            case 2:
                apply(index, index,
                      command_of(WIRE_OP_EXPIRE, key, "", static_cast<int64_t>(index % 40)));
                break;
            case 3:
            case 4:
                put_pair(&pairs, "left", value_of("left", index));
                put_pair(&pairs, "right", value_of("right", index));
                apply(index, index, command_of(WIRE_OP_MSET, "", pairs, 0));
                break;
            default:
                apply(index, index, command_of(WIRE_OP_SET, key, value, 0));
                break;
            }
            if (index % 8 == 0) {
                state_reclaim(state_, view_epoch_started(), view_epoch_completed());
                view_quiescent();
            }
        }
    }

    wire_result look(const std::string &key)
    {
        wire_command c = command_of(WIRE_OP_GET, key, "", 0);
        wire_result result;
        state_read(state_, &c, &result, nullptr, 0);
        findings_.reads++;
        return result;
    }

    static std::string text(const wire_result &result)
    {
        return std::string(reinterpret_cast<const char *>(result.value), result.value_bytes);
    }

    void read_until_done(uint64_t seed, void (*enroll)())
    {
        random_state random;
        random_init(&random, seed);
        enroll();
        while (!done_) {
            wire_result held[kHeld];
            std::string key[kHeld], copy[kHeld];
            for (int i = 0; i < kHeld; i++) {
                key[i] = key_of(random_next(&random));
                held[i] = look(key[i]);
                copy[i] = held[i].type == WIRE_BYTES ? text(held[i]) : "";
            }
            /* Both of a pair at once: whoever sees the left of an entry sees no older right. */
            wire_result left = look("left"), right = look("right");
            if (left.type == WIRE_BYTES &&
                (right.type != WIRE_BYTES ||
                 number_in("right", text(right)) < number_in("left", text(left))))
                findings_.split++;
            for (int i = 0; i < kHeld; i++) {
                if (held[i].type != WIRE_BYTES)
                    continue;
                findings_.found++;
                if (text(held[i]) != copy[i])
                    findings_.moved++;
                if (number_in(key[i], copy[i]) < 0)
                    findings_.torn++;
            }
            scan();
            view_quiescent();
        }
        view_thread_unregister();
    }

    void scan()
    {
        std::string all(4, '\xff');
        uint8_t scratch[SCAN_BYTES_MIN * 4];
        wire_command c = command_of(WIRE_OP_SCAN, "", all, 0);
        wire_result result;
        state_read(state_, &c, &result, scratch, sizeof scratch);
        for (uint32_t at = 0; at < result.value_bytes; at += 4 + scratch[at])
            if (scratch[at] < 4 || scratch[at] > 6)
                findings_.torn++;
    }
};

TEST_F(StateRace, ReadersSeeWholeValuesWhileTheWriterReplacesThem)
{
    std::thread control([&] {
        while (!done_)
            view_synchronize();
    });
    std::thread a([&] { read_until_done(11, view_thread_register); });
    std::thread b([&] { read_until_done(12, view_core_register); });
    std::thread writer([&] {
        view_core_register();
        write_all();
        view_thread_unregister();
        done_ = true;
    });
    for (std::thread *thread : {&writer, &a, &b, &control})
        thread->join();
    EXPECT_EQ(state_applied_index(state_), kEntries);
    EXPECT_EQ(findings_.torn, 0u);
    EXPECT_EQ(findings_.moved, 0u);
    EXPECT_EQ(findings_.split, 0u);
    EXPECT_GT(findings_.found, 1000u);
}

} // namespace
