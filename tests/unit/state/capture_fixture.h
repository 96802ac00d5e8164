/* capture_fixture.h: walks of replicas, loads of what they wrote, logs of all kinds of commands.
 *
 * Memory: the fixture's. Threads: one: owner and walk take turns. Time: log time, set by the test.
 * Limits, refusals: capture.h, load.h.
 */
#ifndef TESTS_UNIT_STATE_CAPTURE_FIXTURE_H
#define TESTS_UNIT_STATE_CAPTURE_FIXTURE_H

#include "tests/unit/state/state_fixture.h"

extern "C" {
#include "dataplane/state/capture.h"
#include "dataplane/state/load.h"
}

using parts = std::vector<std::string>;

class Walker
{
  public:
    Walker(Replica &r, const state_config &config)
        : memory_(state_walk_footprint(&config) / 8 + 1), part_(STATE_PART_BYTES_MAX),
          walk_(state_walk_init(memory_.data(), r.get_state()))
    {
    }

    /* One call; false when it was the last. */
    bool step()
    {
        uint32_t bytes = 0;
        last = state_walk_next(walk_, part_.data(), &bytes);
        if (last == STATE_WALK_PART)
            written.emplace_back(reinterpret_cast<char *>(part_.data()), bytes);
        return last == STATE_WALK_PART || last == STATE_WALK_MORE;
    }

    void stop()
    {
        state_walk_stop(walk_);
    }

    parts written;
    state_walk_result last = STATE_WALK_MORE;

  private:
    std::vector<uint64_t> memory_;
    std::vector<uint8_t> part_;
    state_walk *walk_;
};

/* A whole walk between two entries. */
inline parts walk_at_once(Replica &r, const state_config &config)
{
    state_capture_ask(r.get_state());
    state_capture_begin(r.get_state());
    Walker walker(r, config);
    while (walker.step())
        ;
    EXPECT_EQ(walker.last, STATE_WALK_END);
    r.reclaim();
    EXPECT_EQ(state_capture_phase(r.get_state()), STATE_CAPTURE_IDLE);
    return walker.written;
}

inline state_load_refusal load(Replica &r, const state_config &config, const parts &from)
{
    state_load load;
    r.open(config.keys_max, config.bytes_max, config.session_ttl_ms);
    state_load_begin(&load, r.get_state(), &config);
    for (const std::string &part : from) {
        state_load_refusal refusal =
            state_load_part(&load, reinterpret_cast<const uint8_t *>(part.data()),
                            static_cast<uint32_t>(part.size()));
        if (refusal != STATE_LOADED)
            return refusal;
    }
    state *loaded = nullptr;
    state_load_refusal refusal = state_load_end(&load, &loaded);
    if (refusal == STATE_LOADED) {
        EXPECT_EQ(loaded, r.get_state());
    }
    return refusal;
}

/* An entry of a log, made once and applied by several replicas. */
struct logged {
    uint8_t kind = WIRE_ENTRY_COMMAND;
    uint64_t time_ms = 0, session = 0, sequence = 0;
    std::string body;

    answer apply(Replica &r) const
    {
        r.time_ms = time_ms;
        return r.entry(kind, session, sequence, body);
    }
};

/* Random entries over all operations; sessions as they were registered. */
class Maker
{
  public:
    Maker(uint64_t seed, uint32_t keys) : keys_(keys)
    {
        random_init(&random_, seed);
    }

    uint64_t below(uint64_t n)
    {
        return random_below(&random_, n);
    }

    logged next()
    {
        logged e;
        if (below(3) == 0)
            time_ms_ += below(20);
        e.time_ms = time_ms_;
        uint64_t what = below(100);
        if (what < 3) {
            e.kind = WIRE_ENTRY_REGISTER;
            e.sequence = below(40);
        } else if (what < 6) {
            e.kind = WIRE_ENTRY_TIME;
        } else {
            e.body = any().body();
            if (what < 50 && !sessions.empty()) {
                auto &[id, next] = sessions[below(sessions.size())];
                e.session = id;
                e.sequence = below(10) == 0 ? 1 + below(next + 2) : next;
                next += e.sequence == next;
            }
        }
        return e;
    }

    /* What a registration was answered. */
    void registered(const logged &e, const answer &a)
    {
        if (e.kind == WIRE_ENTRY_REGISTER)
            sessions.emplace_back(static_cast<uint64_t>(a.integer), 1);
    }

    std::vector<std::pair<uint64_t, uint64_t>> sessions;

  private:
    std::string key()
    {
        return "key-" + std::to_string(below(keys_));
    }

    std::string value()
    {
        return std::string(below(3) == 0 ? below(2000) : below(60),
                           static_cast<char>('a' + below(26)));
    }

    command any()
    {
        switch (below(12)) {
        case 0:
            return on(WIRE_OP_DEL, key());
        case 1:
            return on(WIRE_OP_EXPIRE, key(), 50 * static_cast<int64_t>(below(5)));
        case 2:
            return on(WIRE_OP_PERSIST, key());
        case 3:
            return on(WIRE_OP_INCRBY, "n" + key(), static_cast<int64_t>(below(1000)));
        case 4:
            return append(key(), value());
        case 5:
            return mset({{key(), value()}, {key(), value()}, {key(), value()}});
        case 6:
            return set(key(), value(), 20 * static_cast<int64_t>(below(9)));
        case 7:
            return below(2) ? get(key()) : scan(0, 5);
        default:
            return set(key(), value());
        }
    }

    random_state random_;
    uint32_t keys_;
    uint64_t time_ms_ = 1000;
};

#endif
