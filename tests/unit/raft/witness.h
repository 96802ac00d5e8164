/* witness.h: sees all members at once and knows the properties of figure 3 that no member can check
 * alone.
 *
 * Memory, threads: the test's. A violation is thrown as Fail.
 */
#ifndef TESTS_UNIT_RAFT_WITNESS_H
#define TESTS_UNIT_RAFT_WITNESS_H

#include "tests/unit/raft/member.h"

#include <algorithm>
#include <map>
#include <set>

namespace cluster
{

class Witness
{
  public:
    Witness(const std::vector<Member> &members, const wire_members &first_members)
        : member(members), first(first_members)
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
        if (!may_lead(m.log, m.config.self))
            throw Fail("a member leads that is no voter with a full copy");
        for (uint64_t at = 1; at <= committed.size(); at++)
            if (at > m.log.size() || m.log[at - 1].value != committed[at - 1].value)
                throw Fail("leader completeness: a leader lacks a committed entry");
    }

    /* What the machine keeps of its log, and what is in the log (thesis §4.1: a member uses the
     * latest configuration in its log). */
    void agrees(const Member &m) const
    {
        uint64_t last = raft_last_index(m.machine), index;
        if (last != m.log.size() ||
            (last > 0 && raft_entry_term(m.machine, last) != m.log.back().term))
            throw Fail("a machine and its log end with different entries");
        const wire_members *members = raft_members(m.machine, &index);
        const wire_members &logged = in_force(m.log);
        auto same = [](const wire_member &a, const wire_member &b) {
            return a.id == b.id && a.role == b.role && a.old_role == b.old_role &&
                   a.nonce == b.nonce;
        };
        if (members->joint != logged.joint ||
            !std::equal(members->member, members->member + members->count, logged.member,
                        logged.member + logged.count, same))
            throw Fail("another configuration is in force than the last one in the log");
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
        check_durable(index, entry);
        check_electable(index, entry);
    }

    /* A state machine is replaced by a snapshot of everything up to here. */
    void installs(const std::vector<Entry> &state) const
    {
        if (state.size() > committed.size() ||
            (!state.empty() && state.back().value != committed[state.size() - 1].value))
            throw Fail("state machine safety: a snapshot of what was never committed");
    }

    static void reads(const Ticket &ticket)
    {
        if (ticket.ticket.index < ticket.acknowledged)
            throw Fail("stale read: a write acknowledged before the read was asked for is missing");
    }

    /* Heartbeats must not outlive a hung disk. */
    static void leads_on(const Member &m, uint64_t now)
    {
        uint64_t patience = m.config.write_age_max_ns + 4 * m.config.heartbeat_ns;
        if (raft_is_leader(m.machine) && !m.persists.empty() && m.paused_until + patience < now &&
            m.persists.front().since + patience < now)
            throw Fail("a leader leads on though its disk hangs");
    }

  private:
    struct Known {
        uint64_t value;
        uint64_t term_before;
    };
    const std::vector<Member> &member;
    const wire_members &first;
    std::map<std::pair<uint64_t, uint64_t>, Known>
        entries;                            /* by index and term                   */
    std::map<uint64_t, uint16_t> leader_of; /* by term                             */
    std::vector<Entry> committed;           /* as the first member to know it says */

    const wire_members &in_force(const std::vector<Entry> &log) const
    {
        return log.empty() ? first : *log.back().in_force;
    }

    static std::vector<wire_member> listed(const wire_members &members)
    {
        return {members.member, members.member + members.count};
    }

    /* Voters with a full copy, and who was one before the last change: it may not be committed. */
    bool may_lead(const std::vector<Entry> &log, uint16_t id) const
    {
        const wire_members *members = &in_force(log);
        const wire_members *former = members;
        for (size_t at = log.size(); at > 0 && former == members; at--)
            former = at > 1 ? log[at - 2].in_force : &first;
        for (const wire_members *one : {members, former})
            for (const wire_member &m : listed(*one))
                if (m.id == id && (m.role == WIRE_ROLE_VOTER || m.old_role == WIRE_ROLE_VOTER))
                    return true;
        return false;
    }

    const Member &named(uint16_t id) const
    {
        return member.at(static_cast<size_t>(id / 10 - 1));
    }

    static bool votes(uint8_t role)
    {
        return role == WIRE_ROLE_VOTER || role == WIRE_ROLE_WITNESS;
    }

    /* Majorities, counted by other code than the machine's. */
    template <typename Yes> bool decides(const wire_members &members, const Yes &yes) const
    {
        size_t all = 0, said = 0, old_all = 0, old_said = 0;
        for (const wire_member &one : listed(members)) {
            bool counts = yes(named(one.id));
            all += votes(one.role);
            said += votes(one.role) && counts;
            old_all += votes(one.old_role);
            old_said += votes(one.old_role) && counts;
        }
        return 2 * said > all && (!members.joint || 2 * old_said > old_all);
    }

    /* Whoever committed it had it, under a configuration that was in force there since. */
    void check_durable(uint64_t index, const Entry &entry) const
    {
        auto has = [&](const std::vector<Entry> &log) {
            return log.size() >= index && log[index - 1].value == entry.value;
        };
        std::set<const wire_members *> since;
        for (const Member &m : member)
            for (uint64_t at = index; has(m.log) && at <= m.log.size(); at++)
                since.insert(m.log[at - 1].in_force);
        bool decided = false;
        for (const wire_members *members : since) {
            if (!decides(*members, [&](const Member &other) {
                    return has(other.disk.log) ||
                           std::any_of(other.disk.promised.begin(), other.disk.promised.end(), has);
                }))
                continue;
            decided = true;
            for (const wire_member &one : listed(*members))
                if ((one.role == WIRE_ROLE_VOTER || one.old_role == WIRE_ROLE_VOTER) &&
                    has(named(one.id).disk.log))
                    return;
        }
        throw Fail(decided ? "an entry is applied that is nowhere in full"
                           : "an entry is applied that no majority of disks holds");
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
            if (candidate.disk.doubtful || !may_lead(log, candidate.config.self))
                continue;
            if (decides(in_force(log), [&](const Member &voter) {
                    return !voter.disk.doubtful && newest(candidate) >= newest(voter);
                }))
                throw Fail(
                    "leader completeness: a member without a committed entry can be elected");
        }
    }
};

} // namespace cluster

#endif
