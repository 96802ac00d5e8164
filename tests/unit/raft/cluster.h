/* cluster.h: a cluster of real Raft machines in one loop, for property tests: true time in steps,
 * clocks that drift, a network and disks that misbehave from a seed, and checkers that see all
 * members at once.
 *
 * Memory, threads: the test's. Time: virtual. A violation is thrown as std::runtime_error.
 */
#ifndef TESTS_UNIT_RAFT_CLUSTER_H
#define TESTS_UNIT_RAFT_CLUSTER_H

#include "tests/unit/raft/witness.h"

#include <list>
#include <random>

namespace cluster
{

struct Options {
    uint32_t message_entries_max = 8;
    uint32_t election_timeout_max_ms = 100;
    uint32_t members = 3;
    uint32_t witnesses = 0; /* of the members, the last ones */
    uint32_t spares = 0;    /* not in the first configuration */
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
    uint64_t changes = 0;
    uint64_t installs = 0;
    uint64_t change_percent = 0; /* of a leader's turns */
    uint64_t lost_percent = 0;
    uint64_t duplicated_percent = 0;
    uint64_t delay_max = 2 * ms;
    uint64_t disk_delay_max = 2 * ms;
    uint32_t late_for = RAFT_NOBODY;    /* what is sent to this member takes long */
    std::vector<std::vector<bool>> cut; /* cut[from][to] */
    std::mt19937_64 chance;

    Cluster(uint64_t seed, const Options &options) : chance(seed), witness(member, first_members)
    {
        uint32_t everybody = options.members + options.spares;
        first_members.count = static_cast<uint16_t>(options.members);
        for (uint32_t i = 0; i < options.members; i++) {
            bool full = i < options.members - options.witnesses;
            uint8_t role = full ? WIRE_ROLE_VOTER : WIRE_ROLE_WITNESS;
            first_members.member[i] = {id(i), role, WIRE_ROLE_NONE, 1};
        }
        member.resize(everybody);
        cut.assign(everybody, std::vector<bool>(everybody, false));
        for (uint32_t i = 0; i < everybody; i++) {
            raft_config &config = member[i].config;
            config.group = 7;
            config.self = id(i);
            config.member_count = options.members;
            config.joining = i >= options.members;
            for (uint32_t j = 0; j < options.members; j++) {
                config.member[j] = id(j);
                config.nonce[j] = 1;
                config.role[j] = first_members.member[j].role;
            }
            config.promote_stable_ns = 20 * ms;
            config.seed = seed;
            config.write_age_max_ns = 150 * ms;
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
        m.config.seed++;
        raft_restore restore{};
        restore.term = m.disk.term;
        restore.vote = m.disk.vote;
        restore.doubtful = m.disk.doubtful;
        restore.first_index = m.disk.first;
        restore.previous_term = m.disk.first > 1 ? m.disk.log[m.disk.first - 2].term : 0;
        restore.applied = std::max(m.disk.first - 1, m.disk.snapshot.index);
        if (m.disk.first > 1) {
            restore.members = &m.disk.base.members;
            restore.members_index = m.disk.base.members_index;
        }
        m.machine = raft_init(m.memory.get(), &m.config, &restore);
        m.log = m.disk.log;
        for (uint64_t at = m.disk.first; at <= m.log.size(); at++) {
            raft_entry entry{m.log[at - 1].term, m.log[at - 1].bytes, 0};
            if (m.log[at - 1].changes)
                raft_restore_members(m.machine, &entry, m.log[at - 1].in_force);
            else
                raft_restore_entry(m.machine, &entry);
        }
        m.applied = restore.applied;
        if (m.disk.snapshot.index != 0)
            raft_snapshot_taken(m.machine, &m.disk.snapshot);
        m.was_leader = false;
    }

    /* Power is gone: of what was on its way to the disk, a prefix may have arrived. */
    void crash(uint32_t i)
    {
        Member &m = member[i];
        uint64_t arrived = below(m.persists.size() + 1);
        for (uint64_t k = 0; k < arrived; k++)
            m.persists[k].write(m.disk);
        if (damaging && may_be_damaged(m) && below(2) != 0)
            m.disk.lose(m.disk.log.size() - std::min(m.disk.log.size(), size_t{below(8)}));
        m.persists.clear();
        m.held.clear();
        m.inbox.clear();
        m.tickets.clear();
        m.streams.clear();
        m.machine = nullptr;
    }

    /* So many that whoever is left can still say what was committed. */
    bool may_be_damaged(const Member &m) const
    {
        size_t others = 0;
        for (const Member &other : member)
            others += &other != &m && other.disk.doubtful;
        return others + 1 <= (member.size() - 1) / 2;
    }

    void compact(uint32_t i)
    {
        Member &m = member[i];
        if (!m.machine || m.applied < m.disk.first + 4 || m.applied > m.disk.log.size())
            return;
        take_snapshot(m);
        uint64_t first = m.applied - below(4);
        if (!raft_snapshot_describe(m.machine, first - 1, &m.disk.base))
            return;
        m.disk.first = first;
        raft_compacted(m.machine, first);
    }

    static void take_snapshot(Member &m)
    {
        raft_snapshot snapshot;
        if (!raft_snapshot_describe(m.machine, m.applied, &snapshot))
            return;
        m.disk.snapshot = snapshot;
        raft_snapshot_taken(m.machine, &snapshot);
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
        bool woke = m.paused_until != 0 && now - m.paused_until < ms;
        if (raft_is_leader(m.machine) && woke)
            read(m, raft_read); /* by the clock of the last turn */
        raft_tick(m.machine, clock(m));
        while (!m.streams.empty() && m.streams.front().first <= now) {
            raft_snapshot_failed(m.machine, m.streams.front().second);
            m.streams.erase(m.streams.begin());
        }
        if (m.snapshot_wanted)
            take_snapshot(m);
        m.snapshot_wanted = false;
        while (!m.persists.empty() && m.persists.front().done_at <= now) {
            m.persists.front().write(m.disk);
            uint64_t seq = m.persists.front().seq;
            m.persists.pop_front();
            raft_stored(m.machine, seq);
            release(m, seq);
        }
        receive(i, burst);
        note_role(i);
        witness.agrees(m);
        check_reads(m);
        if (raft_is_leader(m.machine))
            work(i);
        else if (now / (ms / 2) % 4 == i % 4)
            read(m, raft_read_follower);
        drain(i);
        raft_check(m.machine);
        Witness::leads_on(m, now);
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
            member[i].disk_hangs_until = 0;
            if (!member[i].machine)
                start(i);
        }
    }

    /* Whoever belongs. */
    bool converged() const
    {
        if (leader() < 0)
            return false;
        const Member &boss = member[static_cast<size_t>(leader())];
        uint64_t index;
        const wire_members *members = raft_members(boss.machine, &index);
        bool same = !members->joint;
        for (uint32_t i = 0; i < members->count; i++) {
            const Member &m = member[static_cast<size_t>(members->member[i].id / 10 - 1)];
            same &= m.applied == m.log.size() && m.applied == boss.applied;
        }
        return same && boss.applied >= acknowledged;
    }

    bool writing = true;
    bool damaging = false; /* crashes may damage logs */

  private:
    std::list<wire_members> configurations; /* ever appended */
    wire_members first_members{};
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
        std::vector<wire_members> members;
        std::vector<raft_input> inputs;
        for (const Packet &packet : burst) {
            terms.emplace_back();
            for (uint32_t k = 0; k < packet.message.entry_count; k++) {
                const Entry &entry = packet.entries[k];
                if (entry.changes)
                    members.push_back(*entry.in_force);
                uint32_t number = static_cast<uint32_t>(members.size());
                terms.back().push_back({entry.term, entry.bytes, entry.changes ? number : 0});
            }
            raft_input input{};
            input.message = packet.message;
            inputs.push_back(input);
        }
        for (size_t k = 0; k < inputs.size(); k++)
            inputs[k].entries = terms[k].data();
        for (uint32_t done = 0; done < inputs.size();) {
            uint32_t taken = raft_step_members(
                m.machine, &inputs[done], static_cast<uint32_t>(inputs.size()) - done,
                members.data(), static_cast<uint32_t>(members.size()));
            for (uint32_t k = done; k < done + taken; k++)
                copy(m, inputs[k], burst[k]);
            for (uint32_t k = done; k < done + taken; k++)
                if (inputs[k].take_snapshot)
                    install(i, burst[k]);
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

    /* It has arrived; before it is durable, what is on its way to the disk must be. */
    void install(uint32_t i, const Packet &packet)
    {
        Member &m = member[i];
        drain(i);
        for (; !m.persists.empty(); m.persists.pop_front()) {
            m.persists.front().write(m.disk);
            raft_stored(m.machine, m.persists.front().seq);
            release(m, m.persists.front().seq);
        }
        drain(i);
        const raft_snapshot &snapshot = *packet.snapshot;
        enum raft_install how = raft_snapshot_installed(m.machine, &snapshot);
        if (how == RAFT_INSTALL_REFUSED)
            return;
        installs++;
        witness.installs(packet.entries);
        if (how == RAFT_INSTALL_RESETS)
            m.disk.log = m.log = packet.entries;
        else
            for (std::vector<Entry> *log : {&m.disk.log, &m.log}) {
                log->resize(std::max(log->size(), packet.entries.size()));
                std::copy(packet.entries.begin(), packet.entries.end(), log->begin());
            }
        m.disk.first = snapshot.index + 1;
        m.disk.base = m.disk.snapshot = snapshot;
        if (m.disk.term < snapshot.term) {
            m.disk.term = snapshot.term;
            m.disk.vote = RAFT_NOBODY;
        }
        m.applied = snapshot.index;
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
        for (uint32_t k = 0; k < taken; k++)
            push(m, bytes[k], nullptr);
    }

    void push(Member &m, uint32_t bytes, const wire_members *members)
    {
        const wire_members *before = m.log.empty() ? &first_members : m.log.back().in_force;
        m.log.push_back({raft_term(m.machine), bytes, next_value++, members != nullptr,
                         members != nullptr ? members : before});
        witness.learn(m, m.log.size());
    }

    void push_members(Member &m, const wire_members &members)
    {
        configurations.push_back(members);
        push(m, wire_entry_size(wire_members_size(members.count)), &configurations.back());
    }

    /* Any change of one to three members; the machine says whether it can be. */
    void change(Member &m)
    {
        struct raft_change wanted[3];
        uint32_t count = 1 + static_cast<uint32_t>(below(3));
        for (uint32_t k = 0; k < count; k++) {
            uint16_t who = id(below(member.size()));
            uint64_t index;
            const wire_members *members = raft_members(m.machine, &index);
            uint8_t role = WIRE_ROLE_NONE;
            for (uint32_t i = 0; i < members->count; i++)
                if (members->member[i].id == who)
                    role = members->member[i].role;
            uint8_t kind = RAFT_REMOVE;
            if (role == WIRE_ROLE_NONE)
                kind = RAFT_ADD_LEARNER;
            else if (role == WIRE_ROLE_LEARNER && below(8) != 0)
                kind = below(6) != 0 ? RAFT_PROMOTE : RAFT_PROMOTE_WITNESS;
            else if (role == WIRE_ROLE_VOTER && below(2) != 0)
                kind = RAFT_DEMOTE;
            wanted[k] = {kind, who, 1};
        }
        wire_members members;
        if (raft_change(m.machine, wanted, count, &members) == RAFT_CHANGE_STARTED) {
            changes++;
            push_members(m, members);
        }
    }

    void keep_members(Member &m)
    {
        wire_members members;
        if (below(2) != 0 && raft_leave(m.machine, &members))
            push_members(m, members);
        else if (writing && below(100) < change_percent)
            change(m);
    }

    /* A leader's clients. */
    void work(uint32_t i)
    {
        Member &m = member[i];
        if (raft_noop_due(m.machine))
            append(m, 1);
        else if (writing && below(4) == 0)
            append(m, 1 + static_cast<uint32_t>(below(4)));
        keep_members(m);
        if (below(2) == 0)
            read(m, raft_read);
    }

    void read(Member &m, bool (*take)(raft *, raft_ticket *))
    {
        Ticket ticket{};
        if (m.tickets.size() == 16 || !take(m.machine, &ticket.ticket))
            return;
        ticket.acknowledged = acknowledged;
        leases += ticket.ticket.round == 0;
        m.tickets.push_back(ticket);
        check_reads(m);
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
            Packet packet{message, {}, nullptr};
            if (message.kind == WIRE_SNAPSHOT) {
                packet.snapshot = std::make_shared<raft_snapshot>(*raft_snapshot_of(m.machine));
                packet.entries.assign(m.log.begin(),
                                      m.log.begin() + static_cast<long>(message.index));
                m.streams.push_back({now + 50 * ms, message.to});
            }
            for (uint32_t e = 0; e < message.entry_count; e++)
                packet.entries.push_back(m.log.at(message.index + e));
            uint64_t bytes = 0;
            for (uint32_t e = 0; e < message.entry_count; e++)
                bytes += packet.entries[e].bytes;
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
        m.snapshot_wanted |= ready.snapshot_wanted;
    }

    void persist(Member &m, struct raft_ready &ready)
    {
        raft_ready(m.machine, m.seq + 1, &ready);
        if (!ready.must_persist)
            return;
        Persist record{};
        record.seq = ++m.seq;
        uint64_t earliest = m.persists.empty() ? now : m.persists.back().done_at;
        record.done_at = std::max(earliest, m.disk_hangs_until) + below(disk_delay_max);
        record.since = now;
        record.hard = ready.hard_state_changed;
        record.term = ready.term;
        record.vote = ready.vote;
        record.doubtful = ready.doubtful;
        record.first = ready.persist_first;
        for (uint64_t at = ready.persist_first; at != 0 && at <= ready.persist_last; at++)
            record.entries.push_back(m.log.at(at - 1));
        m.persists.push_back(std::move(record));
    }
};

} // namespace cluster

#endif
