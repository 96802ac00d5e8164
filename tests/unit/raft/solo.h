/* solo.h: one Raft machine and a test that plays everybody else.
 *
 * Memory, threads: the test's. Time: virtual, in milliseconds here.
 */
#ifndef TESTS_UNIT_RAFT_SOLO_H
#define TESTS_UNIT_RAFT_SOLO_H

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "protocols/raft/raft.h"
}

constexpr uint64_t ms = 1000000;

inline raft_config solo_config()
{
    raft_config config{};
    config.group = 4;
    config.self = 1;
    config.member_count = 3;
    for (uint16_t i = 0; i < 3; i++)
        config.member[i] = static_cast<uint16_t>(i + 1);
    config.seed = 11;
    config.heartbeat_ns = 10 * ms;
    config.election_timeout_ns = 100 * ms;
    config.election_timeout_max_ns = 200 * ms;
    config.drift_ppm = 10000;
    config.entries_max = 64;
    config.message_entries_max = 4;
    config.message_bytes_max = 400;
    config.inflight_messages_max = 3;
    config.inflight_bytes_max = 4000;
    config.uncommitted_bytes_max = 4000;
    config.pre_vote = true;
    config.check_quorum = true;
    config.lease_reads = false;
    return config;
}

class Solo
{
  public:
    raft *r = nullptr;
    raft_config config;
    uint64_t now = 0;
    uint64_t seq = 0;
    struct raft_ready last {
    };
    std::vector<raft_send> sent; /* by the last ready() */

    using Tweak = std::function<void(raft_config &)>;

    explicit Solo(const Tweak &tweak = {}, std::initializer_list<uint64_t> terms = {},
                  raft_restore restore = {})
    {
        config = solo_config();
        if (tweak)
            tweak(config);
        memory = std::aligned_alloc(64, raft_footprint(&config));
        if (restore.term == 0 && terms.size() > 0)
            restore.term = *(terms.end() - 1);
        if (restore.vote == 0)
            restore.vote = RAFT_NOBODY;
        r = raft_init(memory, &config, &restore);
        for (uint64_t term : terms) {
            raft_entry entry{term, 50, 0};
            raft_restore_entry(r, &entry);
        }
    }
    Solo(const Solo &) = delete;
    ~Solo()
    {
        std::free(memory);
    }

    /* Time passes in steps that no machine would call a stall. */
    void pass(uint64_t milliseconds)
    {
        for (uint64_t i = 0; i < milliseconds; i++) {
            now += ms;
            raft_tick(r, now);
        }
    }

    /* A turn begins: what is read in it may trust a lease. */
    void tick()
    {
        raft_tick(r, now);
    }

    raft_input step(wire_raft message, const std::vector<raft_entry> &entries = {},
                    const std::vector<wire_members> &members = {})
    {
        raft_input input{};
        message.group = message.group ? message.group : config.group;
        message.to = message.to ? message.to : config.self;
        message.entry_count = static_cast<uint32_t>(entries.size());
        input.message = message;
        input.entries = entries.data();
        EXPECT_EQ(
            raft_step_members(r, &input, 1, members.data(), static_cast<uint32_t>(members.size())),
            1u);
        raft_check(r);
        return input;
    }

    raft_input append(uint16_t from, uint64_t term, uint64_t previous, uint64_t previous_term,
                      std::initializer_list<uint64_t> terms = {}, uint64_t commit = 0,
                      uint64_t round = 0)
    {
        std::vector<raft_entry> entries;
        for (uint64_t entry_term : terms)
            entries.push_back({entry_term, 50, 0});
        wire_raft message{};
        message.kind = WIRE_APPEND;
        message.from = from;
        message.term = term;
        message.index = previous;
        message.log_term = previous_term;
        message.commit = commit;
        message.round = round ? round : ++heard_rounds;
        return step(message, entries);
    }

    void ask_vote(uint8_t kind, uint16_t from, uint64_t term, uint64_t index, uint64_t log_term,
                  uint8_t flags = 0)
    {
        wire_raft message{};
        message.kind = kind;
        message.flags = flags;
        message.from = from;
        message.term = term;
        message.index = index;
        message.log_term = log_term;
        message.round = 77;
        step(message);
    }

    /* Answers this machine's last campaign. */
    void grant(uint8_t kind, uint16_t from)
    {
        wire_raft message{};
        message.kind = kind;
        message.flags = WIRE_RAFT_GRANTED;
        message.from = from;
        message.term = raft_term(r) + (kind == WIRE_PREVOTE_REPLY ? 1 : 0);
        message.round = asked_round;
        step(message);
    }

    void accept(uint16_t from, uint64_t match, uint64_t round)
    {
        wire_raft message{};
        message.kind = WIRE_APPEND_REPLY;
        message.from = from;
        message.term = raft_term(r);
        message.index = match;
        message.round = round;
        step(message);
    }

    void reject(uint16_t from, uint64_t hint, uint64_t hint_term, uint64_t round)
    {
        wire_raft message{};
        message.kind = WIRE_APPEND_REPLY;
        message.flags = WIRE_RAFT_REJECTED;
        message.from = from;
        message.term = raft_term(r);
        message.index = hint;
        message.log_term = hint_term;
        message.round = round;
        step(message);
    }

    uint32_t propose(std::initializer_list<uint32_t> bytes)
    {
        return raft_propose(r, bytes.begin(), static_cast<uint32_t>(bytes.size()));
    }

    /* One ready; what it sends is in `sent`, the rest in `last`. */
    void ready()
    {
        raft_ready(r, seq + 1, &last);
        seq += last.must_persist;
        sent.assign(last.send, last.send + last.send_count);
        for (const raft_send &send : sent) {
            if (send.message.kind == WIRE_PREVOTE || send.message.kind == WIRE_VOTE)
                asked_round = send.message.round;
            if (send.message.kind == WIRE_APPEND)
                round = send.message.round;
        }
        raft_check(r);
    }

    void store()
    {
        raft_stored(r, seq);
        raft_check(r);
    }

    void apply()
    {
        if (last.commit_last != 0)
            raft_applied(r, last.commit_last);
    }

    void campaign()
    {
        for (int i = 0;
             i < 300 && status().role != RAFT_PRECANDIDATE && status().role != RAFT_CANDIDATE; i++)
            pass(1);
        ready();
        if (status().role == RAFT_PRECANDIDATE) {
            grant(WIRE_PREVOTE_REPLY, 2);
            ready();
        }
        EXPECT_EQ(status().role, RAFT_CANDIDATE);
        store();
    }

    /* Leader, with its no-op appended, handed to persist and stored; nothing answered yet. */
    void lead()
    {
        campaign();
        grant(WIRE_VOTE_REPLY, 2);
        EXPECT_TRUE(raft_is_leader(r));
        EXPECT_EQ(propose({50}), 1u);
        ready();
        store();
    }

    /* Leader whose no-op is committed and applied, both followers in RAFT_REPLICATE. */
    void reign()
    {
        lead();
        for (uint16_t id = 2; id <= 3; id++)
            accept(id, raft_last_index(r), round);
        ready();
        apply();
        EXPECT_TRUE(raft_leader_ready(r));
    }

    struct raft_status status() const
    {
        struct raft_status status;
        raft_status(r, &status);
        return status;
    }

    uint64_t count(enum raft_event event) const
    {
        return raft_counters(r)[event];
    }

    std::vector<wire_raft> sent_of(uint8_t kind, uint16_t to = 0) const
    {
        std::vector<wire_raft> found;
        for (const raft_send &send : sent)
            if (send.message.kind == kind && (to == 0 || send.message.to == to))
                found.push_back(send.message);
        return found;
    }

    uint64_t round = 0; /* of the last APPEND sent */

  private:
    void *memory = nullptr;
    uint64_t asked_round = 0;
    uint64_t heard_rounds = 0;
};

#endif
