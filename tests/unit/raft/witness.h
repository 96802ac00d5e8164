/* witness.h: sees all members at once and knows the properties of figure 3 that no member can check
 * alone.
 *
 * Memory, threads: the test's. A violation is thrown as Fail.
 */
#ifndef TESTS_UNIT_RAFT_WITNESS_H
#define TESTS_UNIT_RAFT_WITNESS_H

#include "tests/unit/raft/member.h"

#include <map>

namespace cluster
{

class Witness
{
  public:
    explicit Witness(const std::vector<Member> &members) : member(members)
    {
    }

    /* Log matching, by induction: an entry's index and term determine it, and the term of the one
     * before. */
    void learn(const Member &m, uint64_t index)
    {
        const Entry &entry = m.log[index - 1];
        uint64_t before = index > 1 ? m.log[index - 2].term : 0;
        auto [it, added] = entries.insert({{index, entry.term}, {entry.value, before}});
        if (!added && (it->second.value != entry.value || it->second.term_before != before))
            throw Fail(
                "log matching: two logs differ at or before an entry of equal index and term");
    }

    void leads(const Member &m)
    {
        uint16_t &known = leader_of.insert({raft_term(m.machine), m.config.self}).first->second;
        if (known != m.config.self)
            throw Fail("election safety: two leaders in one term");
        if (m.was_leader)
            return;
        for (uint64_t at = 1; at <= committed.size(); at++)
            if (at > m.log.size() || m.log[at - 1].value != committed[at - 1].value)
                throw Fail("leader completeness: a leader lacks a committed entry");
    }

    /* No promise leaves before its state is on disk (figure 2: "updated on stable storage before
     * responding"). */
    static void promise(const Member &m, const wire_raft &message)
    {
        bool granted = message.flags & WIRE_RAFT_GRANTED;
        bool vote = message.kind == WIRE_VOTE || (message.kind == WIRE_VOTE_REPLY && granted);
        uint16_t candidate = message.kind == WIRE_VOTE ? m.config.self : message.to;
        if (vote && (m.disk.term < message.term ||
                     (m.disk.term == message.term && m.disk.vote != candidate)))
            throw Fail("a vote leaves before it is stored");
        bool match = message.kind == WIRE_APPEND_REPLY && !(message.flags & WIRE_RAFT_REJECTED);
        if (match && (m.disk.term < message.term ||
                      (m.disk.term == message.term && message.index > 0 &&
                       (m.disk.log.size() < message.index ||
                        m.disk.log[message.index - 1].value != m.log.at(message.index - 1).value))))
            throw Fail("an acknowledgement leaves before its entries are stored");
    }

    void applies(const Member &m, uint64_t index)
    {
        const Entry &entry = m.log.at(index - 1);
        if (index != m.applied + 1)
            throw Fail("entries are applied out of order");
        if (committed.size() >= index) {
            if (committed[index - 1].value != entry.value)
                throw Fail(
                    "state machine safety: two members apply different entries at one index");
            return;
        }
        committed.push_back(entry);
        uint32_t durable = 0;
        for (const Member &other : member)
            durable +=
                other.disk.log.size() >= index && other.disk.log[index - 1].value == entry.value;
        if (durable < majority())
            throw Fail("an entry is applied that no majority of disks holds");
        check_electable(index, entry);
    }

    static void reads(const Ticket &ticket)
    {
        if (ticket.ticket.index < ticket.acknowledged)
            throw Fail("stale read: a write acknowledged before the read was asked for is missing");
    }

  private:
    struct Known {
        uint64_t value;
        uint64_t term_before;
    };
    const std::vector<Member> &member;
    std::map<std::pair<uint64_t, uint64_t>, Known>
        entries;                            /* by index and term                   */
    std::map<uint64_t, uint16_t> leader_of; /* by term                             */
    std::vector<Entry> committed;           /* as the first member to know it says */

    uint32_t majority() const
    {
        return quorum_majority(static_cast<uint32_t>(member.size()));
    }

    /* Leader completeness for elections that might come: nobody who lacks a committed entry can win
     * one. */
    void check_electable(uint64_t index, const Entry &entry) const
    {
        auto newest = [](const Member &m) {
            size_t size = m.disk.log.size();
            return std::make_pair(size > 0 ? m.disk.log[size - 1].term : 0, size);
        };
        for (const Member &candidate : member) {
            const std::vector<Entry> &log = candidate.disk.log;
            if (log.size() >= index && log[index - 1].value == entry.value)
                continue;
            uint32_t votes = 0;
            for (const Member &voter : member)
                votes += newest(candidate) >= newest(voter);
            if (votes >= majority())
                throw Fail(
                    "leader completeness: a member without a committed entry can be elected");
        }
    }
};

} // namespace cluster

#endif
