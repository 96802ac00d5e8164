/* cluster.h: a cluster of real Raft machines in one loop, for property tests: true time in steps,
 * clocks that drift, a network and disks that misbehave from a seed, and checkers that see all
 * members at once.
 *
 * Memory, threads: the test's. Time: virtual. A violation is thrown as std::runtime_error.
 */
#ifndef TESTS_UNIT_RAFT_CLUSTER_H
#define TESTS_UNIT_RAFT_CLUSTER_H

#include "tests/unit/raft/witness.h"

#include <random>

namespace cluster
{

struct Options {
    uint32_t message_entries_max = 8;
    uint32_t election_timeout_max_ms = 100;
    uint32_t members = 3;
    bool pre_vote = true;
    bool check_quorum = true;
    bool lease_reads = true;
    uint32_t drift_ppm = 0;
    uint32_t entries_max = 256;
};

class Cluster
{
  public:
    std::vector<Member> member;
    uint64_t now = 0;
    uint64_t acknowledged = 0;
    uint64_t elections = 0;
    uint64_t reads = 0;
    uint64_t leases = 0; /* reads that needed no round */
    uint64_t lost_percent = 0;
    uint64_t duplicated_percent = 0;
    uint64_t delay_max = 2 * ms;
    uint64_t disk_delay_max = 2 * ms;
    uint32_t late_for = RAFT_NOBODY;    /* what is sent to this member takes long */
    std::vector<std::vector<bool>> cut; /* cut[from][to] */
    std::mt19937_64 chance;

    Cluster(uint64_t seed, const Options &options) : chance(seed), witness(member)
    {
        member.resize(options.members);
        cut.assign(options.members, std::vector<bool>(options.members, false));
        for (uint32_t i = 0; i < options.members; i++) {
            raft_config &config = member[i].config;
            config.group = 7;
            config.self = id(i);
            config.member_count = options.members;
            for (uint32_t j = 0; j < options.members; j++)
                config.member[j] = id(j);
            config.seed = seed;
            config.heartbeat_ns = 10 * ms;
            config.election_timeout_ns = 50 * ms;
            config.election_timeout_max_ns = options.election_timeout_max_ms * ms;
            config.drift_ppm = options.drift_ppm;
            config.entries_max = options.entries_max;
            config.message_entries_max = options.message_entries_max;
            config.message_bytes_max = 600;
            config.inflight_messages_max = 4;
            config.inflight_bytes_max = 2000;
            config.uncommitted_bytes_max = 8000;
            config.pre_vote = options.pre_vote;
            config.check_quorum = options.check_quorum;
            config.lease_reads = options.lease_reads;
            double spread = options.drift_ppm / 1e6;
            member[i].rate = i == 0 ? 1.0 : 1.0 + spread;
            member[i].memory.reset(std::aligned_alloc(64, raft_footprint(&config)));
            start(i);
        }
    }

    static uint16_t id(size_t position)
    {
        return static_cast<uint16_t>(10 * position + 10);
    }

    uint64_t below(uint64_t bound)
    {
        return chance() % bound;
    }

    uint64_t clock(const Member &m) const
    {
        return static_cast<uint64_t>(static_cast<double>(now) * m.rate) + 1;
    }

    int leader() const
    {
        int found = -1;
        for (size_t i = 0; i < member.size(); i++)
            if (member[i].machine && raft_is_leader(member[i].machine) &&
                (found < 0 || raft_term(member[i].machine) >
                                  raft_term(member[static_cast<size_t>(found)].machine)))
                found = static_cast<int>(i);
        return found;
    }

    /* A new process over what the disk holds. */
    void start(uint32_t i)
    {
        Member &m = member[i];
        m.config.now_ns = clock(m);
        raft_restore restore{};
        restore.term = m.disk.term;
        restore.vote = m.disk.vote;
        restore.first_index = m.disk.first;
        restore.previous_term = m.disk.first > 1 ? m.disk.log[m.disk.first - 2].term : 0;
        restore.applied = m.disk.first - 1;
        m.machine = raft_init(m.memory.get(), &m.config, &restore);
        m.log = m.disk.log;
        for (uint64_t at = m.disk.first; at <= m.log.size(); at++) {
            raft_entry entry{m.log[at - 1].term, m.log[at - 1].bytes, 0};
            raft_restore_entry(m.machine, &entry);
        }
        m.applied = m.disk.first - 1;
        m.was_leader = false;
    }

    /* Power is gone: of what was on its way to the disk, a prefix may have arrived. */
    void crash(uint32_t i)
    {
        Member &m = member[i];
        uint64_t arrived = below(m.persists.size() + 1);
        for (uint64_t k = 0; k < arrived; k++)
            m.persists[k].write(m.disk);
        m.persists.clear();
        m.held.clear();
        m.inbox.clear();
        m.tickets.clear();
        m.machine = nullptr;
    }

    void compact(uint32_t i)
    {
        Member &m = member[i];
        if (!m.machine || m.applied < m.disk.first + 4 || m.applied > m.disk.log.size())
            return;
        m.disk.first = m.applied - below(4);
        raft_compacted(m.machine, m.disk.first);
    }

    /* Gives follower `to` the state of the leader, as an owner does that sees RAFT_SNAPSHOT. */
    void install_snapshots()
    {
        int from = leader();
        if (from < 0)
            return;
        Member &source = member[static_cast<size_t>(from)];
        struct raft_status status;
        raft_status(source.machine, &status);
        for (uint32_t to = 0; to < member.size(); to++) {
            Member &m = member[to];
            if (!m.machine || status.member[to].progress != RAFT_SNAPSHOT ||
                cut[static_cast<size_t>(from)][to] || m.applied >= source.applied ||
                raft_term(m.machine) != status.term)
                continue;
            crash(to);
            uint64_t last = source.applied;
            bool suffix =
                m.disk.log.size() > last && m.disk.log[last - 1].term == source.log[last - 1].term;
            if (!suffix)
                m.disk.log.resize(last);
            for (uint64_t at = 0; at < last; at++)
                m.disk.log[at] = source.log[at];
            m.disk.first = last + 1;
            if (m.disk.term < status.term) { /* a snapshot is of this term at most */
                m.disk.term = status.term;
                m.disk.vote = RAFT_NOBODY;
            }
            start(to);
        }
    }

    void step(uint64_t by)
    {
        now += by;
        for (uint32_t i = 0; i < member.size(); i++)
            if (member[i].machine && member[i].paused_until <= now)
                turn(i);
    }

    /* One loop turn of one member's owner. */
    void turn(uint32_t i)
    {
        Member &m = member[i];
        std::vector<Packet> burst;
        for (size_t k = 0; k < m.inbox.size();) {
            if (m.inbox[k].first <= now) {
                burst.push_back(std::move(m.inbox[k].second));
                m.inbox[k] = std::move(m.inbox.back());
                m.inbox.pop_back();
            } else {
                k++;
            }
        }
        raft_tick(m.machine, clock(m));
        while (!m.persists.empty() && m.persists.front().done_at <= now) {
            m.persists.front().write(m.disk);
            uint64_t seq = m.persists.front().seq;
            m.persists.pop_front();
            raft_stored(m.machine, seq);
            release(m, seq);
        }
        receive(i, burst);
        note_role(i);
        check_reads(m);
        if (raft_is_leader(m.machine))
            work(i);
        drain(i);
        raft_check(m.machine);
    }

    void heal()
    {
        for (auto &row : cut)
            row.assign(row.size(), false);
        lost_percent = duplicated_percent = 0;
        late_for = RAFT_NOBODY;
        delay_max = disk_delay_max = 2 * ms;
        for (uint32_t i = 0; i < member.size(); i++) {
            member[i].paused_until = 0;
            if (!member[i].machine)
                start(i);
        }
    }

    bool converged() const
    {
        bool same = true;
        for (const Member &m : member)
            same &= m.applied == m.log.size() && m.applied == member[0].applied;
        return same && member[0].applied >= acknowledged;
    }

    bool writing = true;

  private:
    Witness witness;
    uint64_t next_value = 1;

    void send(uint16_t from, Packet packet)
    {
        size_t source = static_cast<size_t>(from / 10 - 1);
        witness.promise(member[source], packet.message);
        size_t target = static_cast<size_t>(packet.message.to / 10 - 1);
        if (cut[source][target] || below(100) < lost_percent || !member[target].machine)
            return;
        uint64_t delay = target == late_for ? 25 * ms : 1 + below(delay_max);
        if (below(100) < duplicated_percent)
            member[target].inbox.push_back({now + 5 * delay, packet});
        member[target].inbox.push_back({now + delay, std::move(packet)});
    }

    void release(Member &m, uint64_t seq)
    {
        for (size_t k = 0; k < m.held.size();) {
            if (m.held[k].first <= seq) {
                send(m.config.self, std::move(m.held[k].second));
                m.held.erase(m.held.begin() + static_cast<long>(k));
            } else {
                k++;
            }
        }
    }

    void receive(uint32_t i, const std::vector<Packet> &burst)
    {
        Member &m = member[i];
        std::vector<std::vector<raft_entry>> terms;
        std::vector<raft_input> inputs;
        for (const Packet &packet : burst) {
            terms.emplace_back();
            for (const Entry &entry : packet.entries)
                terms.back().push_back({entry.term, entry.bytes, 0});
            raft_input input{};
            input.message = packet.message;
            inputs.push_back(input);
        }
        for (size_t k = 0; k < inputs.size(); k++)
            inputs[k].entries = terms[k].data();
        for (uint32_t done = 0; done < inputs.size();) {
            uint32_t taken =
                raft_step(m.machine, &inputs[done], static_cast<uint32_t>(inputs.size()) - done);
            for (uint32_t k = done; k < done + taken; k++)
                copy(m, inputs[k], burst[k]);
            done += taken;
            if (done < inputs.size())
                drain(i);
        }
    }

    void copy(Member &m, const raft_input &input, const Packet &packet)
    {
        if (input.take_count == 0)
            return;
        m.log.resize(input.take_first - 1);
        for (uint32_t k = 0; k < input.take_count; k++) {
            m.log.push_back(packet.entries[input.take_first + k - packet.message.index - 1]);
            witness.learn(m, input.take_first + k);
        }
    }

    void note_role(uint32_t i)
    {
        Member &m = member[i];
        bool leads = raft_is_leader(m.machine);
        if (leads)
            witness.leads(m);
        elections += leads && !m.was_leader;
        m.was_leader = leads;
    }

    void append(Member &m, uint32_t count)
    {
        uint32_t bytes[4];
        for (uint32_t k = 0; k < count; k++)
            bytes[k] = 48 + static_cast<uint32_t>(below(8) == 0 ? below(1000) : below(64));
        uint32_t taken = raft_propose(m.machine, bytes, count);
        for (uint32_t k = 0; k < taken; k++) {
            m.log.push_back({raft_term(m.machine), bytes[k], next_value++});
            witness.learn(m, m.log.size());
        }
    }

    /* A leader's clients. */
    void work(uint32_t i)
    {
        Member &m = member[i];
        if (raft_noop_due(m.machine))
            append(m, 1);
        else if (writing && below(4) == 0)
            append(m, 1 + static_cast<uint32_t>(below(4)));
        Ticket ticket{};
        if (below(2) == 0 && m.tickets.size() < 16 && raft_read(m.machine, &ticket.ticket)) {
            ticket.acknowledged = acknowledged;
            leases += ticket.ticket.round == 0;
            m.tickets.push_back(ticket);
            check_reads(m);
        }
    }

    void check_reads(Member &m)
    {
        for (size_t k = 0; k < m.tickets.size();) {
            enum raft_ticket_state state = raft_ticket_state(m.machine, &m.tickets[k].ticket);
            if (state == RAFT_TICKET_READY)
                Witness::reads(m.tickets[k]);
            reads += state == RAFT_TICKET_READY;
            if (state == RAFT_TICKET_WAIT)
                k++;
            else
                m.tickets.erase(m.tickets.begin() + static_cast<long>(k));
        }
    }

    void drain(uint32_t i)
    {
        Member &m = member[i];
        struct raft_ready ready;
        do {
            emit(m, ready);
        } while (ready.more);
        if (raft_dirty(m.machine))
            throw Fail("dirty after ready has said everything");
    }

    void emit(Member &m, struct raft_ready &ready)
    {
        persist(m, ready);
        for (uint32_t k = 0; k < ready.send_count; k++) {
            const wire_raft &message = ready.send[k].message;
            Packet packet{message, {}};
            for (uint32_t e = 0; e < message.entry_count; e++)
                packet.entries.push_back(m.log.at(message.index + e));
            uint64_t bytes = 0;
            for (const Entry &entry : packet.entries)
                bytes += entry.bytes;
            if (bytes != message.entry_bytes)
                throw Fail("entry_bytes of an append is not the size of its entries");
            if (ready.send[k].after_seq == 0)
                send(m.config.self, std::move(packet));
            else
                m.held.push_back({ready.send[k].after_seq, std::move(packet)});
        }
        for (uint64_t at = ready.commit_first; at != 0 && at <= ready.commit_last; at++) {
            witness.applies(m, at);
            m.applied = at;
        }
        if (ready.commit_last != 0) {
            if (raft_is_leader(m.machine) && ready.commit_last > acknowledged)
                acknowledged = ready.commit_last;
            raft_applied(m.machine, ready.commit_last);
        }
    }

    void persist(Member &m, struct raft_ready &ready)
    {
        raft_ready(m.machine, m.seq + 1, &ready);
        if (!ready.must_persist)
            return;
        Persist record{};
        record.seq = ++m.seq;
        uint64_t earliest = m.persists.empty() ? now : m.persists.back().done_at;
        record.done_at = earliest + below(disk_delay_max);
        record.hard = ready.hard_state_changed;
        record.term = ready.term;
        record.vote = ready.vote;
        record.first = ready.persist_first;
        for (uint64_t at = ready.persist_first; at != 0 && at <= ready.persist_last; at++)
            record.entries.push_back(m.log.at(at - 1));
        m.persists.push_back(std::move(record));
    }
};

} // namespace cluster

#endif
