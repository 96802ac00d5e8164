/* state_fixture.h: a state in address space of its own, and commands as entries of its log.
 *
 * Memory: the fixture's, mapped without reserve, since a state is mostly address space. Threads:
 * one. Time: log time, set by the test. Limits, refusals: state.h.
 */
#ifndef TESTS_UNIT_STATE_STATE_FIXTURE_H
#define TESTS_UNIT_STATE_STATE_FIXTURE_H

#include <gtest/gtest.h>
#include <string>
#include <sys/mman.h>
#include <utility>
#include <vector>

extern "C" {
#include "dataplane/state/state.h"
#include "numa/base/bits.h"
#include "numa/base/random.h"
}

/* A result whose value was copied. */
struct answer {
    int status = -1;
    int type = -1;
    int64_t integer = 0;
    std::string value;

    bool operator==(const answer &other) const
    {
        return status == other.status && type == other.type && integer == other.integer &&
               value == other.value;
    }
};

inline std::ostream &operator<<(std::ostream &out, const answer &a)
{
    return out << wire_status_name(static_cast<wire_status>(a.status)) << " type " << a.type
               << " integer " << a.integer << " value of " << a.value.size() << ": "
               << a.value.substr(0, 40);
}

inline answer integer(int64_t i)
{
    return {WIRE_DONE, WIRE_INTEGER, i, ""};
}
inline answer bytes(const std::string &value)
{
    return {WIRE_DONE, WIRE_BYTES, 0, value};
}
inline answer nil()
{
    return {WIRE_DONE, WIRE_NIL, 0, ""};
}
inline answer ok()
{
    return {WIRE_DONE, WIRE_STATUS_OK, 0, ""};
}
inline answer refused(int status)
{
    return {status, WIRE_NIL, 0, ""};
}

/* A command that owns its bytes. */
struct command {
    uint8_t op = 0;
    uint8_t flags = 0;
    int64_t argument = 0;
    std::string key, old, value;

    std::string body() const
    {
        wire_command c = wire();
        std::string body(wire_command_size(&c), '\0');
        wire_command_encode(&c, reinterpret_cast<uint8_t *>(&body[0]));
        return body;
    }

    wire_command wire() const
    {
        wire_command c = {};
        c.op = op;
        c.flags = flags;
        c.argument = argument;
        c.key_bytes = static_cast<uint16_t>(key.size());
        c.old_bytes = static_cast<uint32_t>(old.size());
        c.value_bytes = static_cast<uint32_t>(value.size());
        c.key = reinterpret_cast<const uint8_t *>(key.data());
        c.old = reinterpret_cast<const uint8_t *>(old.data());
        c.value = reinterpret_cast<const uint8_t *>(value.data());
        return c;
    }
};

inline command set(const std::string &key, const std::string &value, int64_t ttl_ms = 0,
                   int flags = 0)
{
    return {WIRE_OP_SET, static_cast<uint8_t>(flags), ttl_ms, key, "", value};
}
inline command on(int op, const std::string &key, int64_t argument = 0)
{
    return {static_cast<uint8_t>(op), 0, argument, key, "", ""};
}
inline command get(const std::string &key)
{
    return on(WIRE_OP_GET, key);
}
inline command append(const std::string &key, const std::string &value)
{
    return {WIRE_OP_APPEND, 0, 0, key, "", value};
}
inline command cas(const std::string &key, const std::string &old, const std::string &value)
{
    return {WIRE_OP_CAS, 0, 0, key, old, value};
}
inline std::string u32(uint32_t value)
{
    return std::string(reinterpret_cast<const char *>(&value), 4);
}
inline command mset(const std::vector<std::pair<std::string, std::string>> &pairs)
{
    command c = {WIRE_OP_MSET, 0, 0, "", "", ""};
    for (auto &[key, value] : pairs)
        c.value += u32(static_cast<uint32_t>(key.size())) +
                   u32(static_cast<uint32_t>(value.size())) + key + value;
    return c;
}
inline command scan(int64_t cursor, uint32_t count, const std::string &pattern = "")
{
    return {WIRE_OP_SCAN, 0, cursor, "", "", u32(count) + pattern};
}

/* One state and its log: entries are numbered by itself. */
class Replica
{
  public:
    Replica() = default;
    Replica(const Replica &) = delete;
    Replica &operator=(const Replica &) = delete;
    ~Replica()
    {
        close();
    }

    void open(uint32_t keys_max = 1024, uint64_t bytes_max = 1u << 24, uint64_t session_ttl_ms = 0)
    {
        close();
        state_config config = {keys_max, bytes_max, session_ttl_ms};
        bytes_ = state_footprint(&config);
        ASSERT_NE(bytes_, 0u);
        memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT_NE(memory_, MAP_FAILED);
        state_ = state_init(memory_, &config);
    }

    answer entry(uint8_t kind, uint64_t session, uint64_t sequence, const std::string &body)
    {
        std::vector<uint64_t> room((wire_entry_size(static_cast<uint32_t>(body.size())) + 7) / 8);
        auto *e = reinterpret_cast<wire_entry *>(room.data());
        *e = wire_entry{};
        e->kind = kind;
        e->index = state_applied_index(state_) + 1;
        e->term = 1;
        e->time_ms = time_ms;
        e->session = session;
        e->sequence = sequence;
        e->body_bytes = static_cast<uint32_t>(body.size());
        memcpy(e + 1, body.data(), body.size());
        if (prefetching)
            state_prefetch(state_, e);
        EXPECT_TRUE(state_can_apply(state_));
        wire_result result;
        state_apply(state_, e, &result);
        answer a = copy(result);
        if (reclaiming)
            reclaim();
        return a;
    }

    answer run(const command &c, uint64_t session = 0, uint64_t sequence = 0)
    {
        return entry(WIRE_ENTRY_COMMAND, session, sequence, c.body());
    }

    /* As a reader does it, beside the log. */
    answer read(const command &c, uint32_t scratch_bytes = 65536)
    {
        std::vector<uint8_t> scratch(scratch_bytes);
        wire_command w = c.wire();
        wire_result result;
        state_read(state_, &w, &result, scratch.data(), scratch_bytes);
        return copy(result);
    }

    uint64_t register_session(uint64_t nonce)
    {
        answer a = entry(WIRE_ENTRY_REGISTER, 0, nonce, "");
        EXPECT_EQ(a.type, WIRE_INTEGER);
        return static_cast<uint64_t>(a.integer);
    }

    void tick(uint64_t to_ms)
    {
        time_ms = to_ms;
        entry(WIRE_ENTRY_TIME, 0, 0, "");
    }

    void reclaim()
    {
        state_reclaim(state_, epoch_, epoch_);
        epoch_++;
    }

    uint64_t count(state_event event) const
    {
        return state_counters(state_)[event];
    }

    state *get_state() const
    {
        return state_;
    }

    uint64_t time_ms = 1000;
    bool reclaiming = true;
    bool prefetching = true;

  private:
    static answer copy(const wire_result &r)
    {
        return {r.status, r.type, r.integer,
                r.value_bytes == 0
                    ? ""
                    : std::string(reinterpret_cast<const char *>(r.value), r.value_bytes)};
    }

    void close()
    {
        if (memory_ != nullptr)
            munmap(memory_, bytes_);
        memory_ = nullptr;
    }

    void *memory_ = nullptr;
    size_t bytes_ = 0;
    state *state_ = nullptr;
    uint64_t epoch_ = 1;
};

class StateTest : public ::testing::Test
{
  protected:
    Replica r;
    void SetUp() override
    {
        r.open();
    }
};

#endif
