/* assembly.h: a machine whose group changes, and the words that its tests need for it.
 *
 * Memory, threads: the test's. Time: virtual.
 */
#ifndef TESTS_UNIT_RAFT_ASSEMBLY_H
#define TESTS_UNIT_RAFT_ASSEMBLY_H

#include "tests/unit/raft/solo.h"

using Change = struct raft_change;

/* Members by id and role; in a joint configuration with the old role. The nonce is the id's
 * tenfold. */
struct Seat {
    uint16_t id;
    uint8_t role;
    uint8_t old_role = WIRE_ROLE_NONE;
};

inline wire_members members_of(std::initializer_list<Seat> seats)
{
    wire_members members{};
    for (const Seat &seat : seats) {
        members.member[members.count++] = {seat.id, seat.role, seat.old_role, seat.id * 10u};
        members.joint |= seat.old_role != WIRE_ROLE_NONE;
    }
    return members;
}

constexpr uint8_t voter = WIRE_ROLE_VOTER, learner = WIRE_ROLE_LEARNER, gone = WIRE_ROLE_NONE,
                  onlooker = WIRE_ROLE_WITNESS;

inline void give_nonces(raft_config &config)
{
    for (uint32_t i = 0; i < config.member_count; i++)
        config.nonce[i] = config.member[i] * 10u;
    config.promote_stable_ns = 50 * ms;
}

class Assembly : public Solo
{
  public:
    explicit Assembly(const Tweak &tweak = {}, std::initializer_list<uint64_t> terms = {},
                      raft_restore restore = {})
        : Solo(
              [&](raft_config &config) {
                  if (tweak)
                      tweak(config);
                  give_nonces(config);
              },
              terms, restore)
    {
    }

    wire_members entry{}; /* of the last change or leave that worked */

    enum raft_event change(std::initializer_list<Change> changes)
    {
        wire_members members;
        enum raft_event event =
            raft_change(r, changes.begin(), static_cast<uint32_t>(changes.size()), &members);
        if (event == RAFT_CHANGE_STARTED)
            entry = members;
        raft_check(r);
        return event;
    }

    bool leave()
    {
        bool left = raft_leave(r, &entry);
        raft_check(r);
        return left;
    }

    /* All that is appended is stored here and by these, and applied if that commits it. */
    void settle(std::initializer_list<uint16_t> ids)
    {
        ready();
        store();
        for (uint16_t id : ids)
            accept(id, raft_last_index(r), round);
        ready();
        apply();
    }

    /* Time in which heartbeats are answered by these, with all that there is. */
    void pass_with(uint64_t milliseconds, std::initializer_list<uint16_t> ids)
    {
        for (uint64_t i = 0; i < milliseconds; i += 10) {
            pass(10);
            settle(ids);
        }
    }

    /* New members, caught up and ready to be promoted. */
    void bring_in(std::initializer_list<uint16_t> ids)
    {
        for (uint16_t id : ids) {
            ASSERT_EQ(change({{RAFT_ADD_LEARNER, id, id * 10u}}), RAFT_CHANGE_STARTED);
            settle({2, 3, id});
        }
        for (int i = 0; i < 8; i++) {
            pass(10);
            settle({2, 3});
            for (uint16_t id : ids)
                accept(id, raft_last_index(r), round);
        }
    }

    std::vector<Seat> in_force() const
    {
        uint64_t index;
        const wire_members *members = raft_members(r, &index);
        std::vector<Seat> seats;
        for (uint32_t i = 0; i < members->count; i++)
            seats.push_back(
                {members->member[i].id, members->member[i].role, members->member[i].old_role});
        return seats;
    }

    uint64_t in_force_since() const
    {
        uint64_t index;
        (void)raft_members(r, &index);
        return index;
    }

    /* An APPEND of one entry that holds a configuration, behind entry `previous`. */
    raft_input append_members(uint16_t from, uint64_t term, uint64_t previous,
                              uint64_t previous_term, const std::vector<wire_members> &members,
                              uint64_t commit = 0)
    {
        std::vector<raft_entry> entries;
        for (const wire_members &one : members)
            entries.push_back({term, wire_entry_size(wire_members_size(one.count)),
                               static_cast<uint32_t>(entries.size() + 1)});
        wire_raft message{};
        message.kind = WIRE_APPEND;
        message.from = from;
        message.term = term;
        message.index = previous;
        message.log_term = previous_term;
        message.commit = commit;
        message.round = ++rounds;
        return step(message, entries, members);
    }

    void ask_vote_as_of(uint8_t kind, uint16_t from, uint64_t term, uint64_t index,
                        uint64_t log_term, uint64_t members_index)
    {
        wire_raft message{};
        message.kind = kind;
        message.from = from;
        message.term = term;
        message.index = index;
        message.log_term = log_term;
        message.commit = members_index;
        message.round = 5;
        step(message);
    }

  private:
    uint64_t rounds = 1000;
};

inline bool operator==(const Seat &a, const Seat &b)
{
    return a.id == b.id && a.role == b.role && a.old_role == b.old_role;
}

inline std::ostream &operator<<(std::ostream &out, const Seat &seat)
{
    return out << "{" << seat.id << ", " << int(seat.role) << ", " << int(seat.old_role) << "}";
}

using Seats = std::vector<Seat>;

#endif
