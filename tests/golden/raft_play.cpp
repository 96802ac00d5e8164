#include "tests/golden/raft_play.h"

#include <cstdlib>
#include <iomanip>

namespace golden
{

constexpr uint64_t ns_per_ms = 1000000;

void Free::operator()(void *memory) const
{
    std::free(memory);
}

static const char *kind_name(uint8_t kind)
{
    switch (kind) {
    case WIRE_PREVOTE:
        return "PREVOTE";
    case WIRE_PREVOTE_REPLY:
        return "PREVOTE_REPLY";
    case WIRE_VOTE:
        return "VOTE";
    case WIRE_VOTE_REPLY:
        return "VOTE_REPLY";
    case WIRE_APPEND:
        return "APPEND";
    case WIRE_APPEND_REPLY:
        return "APPEND_REPLY";
    case WIRE_SNAPSHOT:
        return "SNAPSHOT";
    case WIRE_READ_INDEX:
        return "READ_INDEX";
    case WIRE_READ_INDEX_REPLY:
        return "READ_INDEX_REPLY";
    default:
        return "TIMEOUT_NOW";
    }
}

std::string terms_of(const std::vector<uint64_t> &terms)
{
    std::string text;
    for (uint64_t term : terms)
        text += " " + std::to_string(term);
    return text;
}

static std::string half_of(const wire_members &members, bool old)
{
    static const char *const before[] = {"", ", learner ", " ", ", witness "};
    std::string text;
    for (uint8_t role : {WIRE_ROLE_VOTER, WIRE_ROLE_WITNESS, WIRE_ROLE_LEARNER})
        for (uint32_t i = 0; i < members.count; i++) {
            const wire_member &member = members.member[i];
            if ((old ? member.old_role : member.role) == role)
                text += before[role] + std::to_string(member.id);
        }
    return text.substr(1);
}

std::string members_of(const wire_members &members)
{
    std::string text = half_of(members, false);
    return members.joint ? "joint: (" + half_of(members, true) + ") and (" + text + ")" : text;
}

std::string describe(const Message &message)
{
    const wire_raft &m = message.head;
    std::ostringstream text;
    text << kind_name(m.kind) << " term " << m.term;
    switch (m.kind) {
    case WIRE_PREVOTE:
    case WIRE_VOTE:
        text << ", log ends at " << m.index << " (term " << m.log_term << ")"
             << (m.flags & WIRE_RAFT_TRANSFER ? ", sent by the leader" : "");
        break;
    case WIRE_PREVOTE_REPLY:
    case WIRE_VOTE_REPLY:
        text << (m.flags & WIRE_RAFT_GRANTED ? ": yes" : ": no");
        break;
    case WIRE_APPEND:
        text << ", after " << m.index << " (term " << m.log_term << ")";
        if (message.terms.empty())
            text << " nothing";
        else
            text << " entries of terms" << terms_of(message.terms);
        text << ", commit " << m.commit;
        break;
    case WIRE_APPEND_REPLY:
        if (m.flags & WIRE_RAFT_REJECTED)
            text << ": no, try " << m.index << " (term " << m.log_term << ")";
        else
            text << ": stored up to " << m.index;
        break;
    case WIRE_SNAPSHOT:
        text << ", up to " << m.index << " (term " << m.log_term << "), members "
             << members_of(message.snapshot.members);
        break;
    case WIRE_READ_INDEX_REPLY:
        text << ": up to " << m.index;
        break;
    case WIRE_READ_INDEX:
        text << (m.flags & WIRE_RAFT_DOUBT ? ", in doubt" : "");
        break;
    default:
        break;
    }
    return text.str();
}

/* ---- the stage ------------------------------------------------------------------------------- */

uint64_t Play::clock_ns(const Actor &a) const
{
    return (now_ms + a.ahead_ms) * ns_per_ms;
}

std::ostream &Play::line(const Actor &a)
{
    return out << std::setw(5) << now_ms << "  " << a.config.self << "  ";
}

void Play::boot(Actor &a)
{
    a.config.now_ns = clock_ns(a);
    a.memory.reset(std::aligned_alloc(64, raft_footprint(&a.config)));
    raft_restore restore{};
    restore.term = a.disk_term;
    restore.vote = a.disk_vote;
    restore.doubtful = a.disk_doubtful;
    restore.first_index = a.disk_first;
    restore.previous_term = a.disk_first > 1 ? a.disk_log[a.disk_first - 2] : 0;
    restore.applied = a.disk_first - 1;
    for (uint64_t at = a.disk_first - 1; at > 0 && restore.members == nullptr; at--) {
        restore.members = configuration_of(a.disk_log, at);
        restore.members_index = restore.members != nullptr ? at : 0;
    }
    a.machine = raft_init(a.memory.get(), &a.config, &restore);
    for (uint64_t at = a.disk_first; at <= a.disk_log.size(); at++) {
        raft_entry entry{a.disk_log[at - 1], 100, 0};
        const wire_members *members = configuration_of(a.disk_log, at);
        if (members != nullptr)
            raft_restore_members(a.machine, &entry, members);
        else
            raft_restore_entry(a.machine, &entry);
    }
    a.log = a.disk_log;
    a.disk_hangs = false;
    a.counted.assign(RAFT_EVENT_COUNT, 0);
    a.role = "follower";
}

void Play::step_stage()
{
    now_ms++;
    for (auto &[id, a] : actor)
        if (a.machine != nullptr)
            turn(a);
}

void Play::turn(Actor &a)
{
    raft_tick(a.machine, clock_ns(a));
    finish_writes(a);
    receive(a);
    note_events(a);
    note_role(a);
    if (raft_noop_due(a.machine)) {
        uint32_t bytes = 100;
        if (raft_propose(a.machine, &bytes, 1) == 1)
            a.log.push_back(raft_term(a.machine));
    }
    wire_members members;
    if (raft_leave(a.machine, &members))
        append_members(a, members);
    note_events(a);
    drain(a);
    note_events(a);
    note_tickets(a);
    raft_check(a.machine);
}

void Play::finish_writes(Actor &a)
{
    while (!a.disk_hangs && !a.writes.empty() && a.writes.front().due_ms <= now_ms)
        finish_write(a);
}

void Play::finish_write(Actor &a)
{
    const Write &write = a.writes.front();
    if (write.hard) {
        a.disk_term = write.term;
        a.disk_vote = write.vote;
        a.disk_doubtful = write.doubtful;
    }
    if (write.first != 0) {
        a.disk_log.resize(write.first - 1);
        a.disk_log.insert(a.disk_log.end(), write.terms.begin(), write.terms.end());
    }
    uint64_t seq = write.seq;
    a.writes.erase(a.writes.begin());
    raft_stored(a.machine, seq);
    std::vector<std::pair<uint64_t, Message>> held;
    held.swap(a.held);
    for (auto &[after, message] : held) {
        if (after <= seq)
            post(a, message);
        else
            a.held.push_back({after, message});
    }
}

void Play::receive(Actor &a)
{
    std::vector<std::pair<uint64_t, Message>> inbox;
    inbox.swap(a.inbox);
    for (auto &[due, message] : inbox) {
        if (due > now_ms) {
            a.inbox.push_back({due, message});
            continue;
        }
        take(a, message);
    }
}

void Play::take(Actor &a, const Message &message)
{
    std::vector<raft_entry> entries;
    std::vector<wire_members> members;
    for (uint64_t i = 0; i < message.head.entry_count; i++) {
        entries.push_back({message.terms[i], 100, 0});
        auto found = configurations.find({message.head.index + i + 1, message.terms[i]});
        if (found == configurations.end())
            continue;
        members.push_back(found->second);
        entries.back().members = static_cast<uint32_t>(members.size());
    }
    raft_input input{};
    input.message = message.head;
    input.entries = entries.data();
    raft_step_members(a.machine, &input, 1, members.data(), static_cast<uint32_t>(members.size()));
    note_events(a);
    if (input.take_count > 0) {
        a.log.resize(input.take_first - 1);
        for (uint64_t i = 0; i < input.take_count; i++)
            a.log.push_back(message.terms[input.take_first + i - message.head.index - 1]);
    }
    if (input.take_snapshot)
        install(a, message);
}

/* On a stage a snapshot arrives with its first word. */
void Play::install(Actor &a, const Message &message)
{
    enum raft_install how = raft_snapshot_installed(a.machine, &message.snapshot);
    if (how == RAFT_INSTALL_RESETS)
        a.log = a.disk_log = message.terms;
    if (how != RAFT_INSTALL_REFUSED)
        a.disk_first = message.snapshot.index + 1;
    note_events(a);
}

void Play::append_members(Actor &a, const wire_members &members)
{
    a.log.push_back(raft_term(a.machine));
    configurations[{a.log.size(), a.log.back()}] = members;
}

const wire_members *Play::configuration_of(const std::vector<uint64_t> &log, uint64_t index) const
{
    auto found = configurations.find({index, log[index - 1]});
    return found == configurations.end() ? nullptr : &found->second;
}

void Play::tell_members(Actor &a, const struct raft_ready &ready)
{
    uint64_t index;
    const wire_members *members = raft_members(a.machine, &index);
    if (!ready.members_changed)
        return;
    line(a) << (index <= raft_commit(a.machine) ? "committed " : "in force  ") << index << ": "
            << members_of(*members) << "\n";
}

void Play::drain(Actor &a)
{
    struct raft_ready ready;
    do {
        raft_ready(a.machine, a.seq + 1, &ready);
        tell_members(a, ready);
        if (ready.must_persist) {
            a.seq++;
            Write write{a.seq,      now_ms + 1,     ready.hard_state_changed, ready.term,
                        ready.vote, ready.doubtful, ready.persist_first,      {}};
            for (uint64_t at = ready.persist_first; at != 0 && at <= ready.persist_last; at++)
                write.terms.push_back(a.log[at - 1]);
            a.writes.push_back(write);
        }
        for (uint32_t i = 0; i < ready.send_count; i++)
            emit(a, ready.send[i]);
        if (ready.commit_last != 0) {
            line(a) << "applies " << ready.commit_first << ".." << ready.commit_last << "\n";
            raft_applied(a.machine, ready.commit_last);
        }
    } while (ready.more);
}

void Play::emit(Actor &a, const raft_send &send)
{
    Message message{send.message, {}, {}};
    if (send.message.kind == WIRE_SNAPSHOT) {
        message.snapshot = *raft_snapshot_of(a.machine);
        message.terms.assign(a.log.begin(), a.log.begin() + static_cast<long>(send.message.index));
    }
    for (uint32_t e = 0; e < send.message.entry_count; e++)
        message.terms.push_back(a.log[send.message.index + e]);
    if (send.after_seq == 0)
        post(a, message);
    else
        a.held.push_back({send.after_seq, message});
}

void Play::post(Actor &a, const Message &message)
{
    const wire_raft &m = message.head;
    bool lost = cut[{m.from, m.to}] || actor[m.to].machine == nullptr;
    bool stays = kind_name(m.kind) == held_kind && !lost;
    std::string text = describe(message) + (lost ? "   (lost)" : stays ? "   (on its way)" : "");
    bool idle = m.kind == WIRE_APPEND ? message.terms.empty() : m.kind == WIRE_APPEND_REPLY;
    if (!idle || a.said[m.to] != text)
        line(a) << "-> " << m.to << "  " << text << "\n";
    if (idle)
        a.said[m.to] = text;
    if (stays)
        under_way.push_back(message);
    else if (!lost)
        actor[m.to].inbox.push_back({now_ms + 1, message});
}

void Play::note_events(Actor &a)
{
    const uint64_t *counters = raft_counters(a.machine);
    a.counted[RAFT_VOTE_REPLY_LATE] = counters[RAFT_VOTE_REPLY_LATE]; /* every election has some */
    for (int event = 0; event < RAFT_EVENT_COUNT; event++)
        for (; a.counted[static_cast<size_t>(event)] < counters[event];
             a.counted[static_cast<size_t>(event)]++)
            line(a) << raft_event_sentence(static_cast<enum raft_event>(event)) << "\n";
}

void Play::note_role(Actor &a)
{
    struct raft_status status;
    raft_status(a.machine, &status);
    static const char *const roles[] = {"", "follower", "pre-candidate", "candidate", "LEADER"};
    std::string role = roles[status.role];
    if (status.role == RAFT_FOLLOWER && status.leader != RAFT_NOBODY)
        role += " of " + std::to_string(status.leader);
    if (role == a.role)
        return;
    a.role = role;
    line(a) << "is " << role << " in term " << status.term << "\n";
}

void Play::note_tickets(Actor &a)
{
    for (size_t i = 0; i < a.tickets.size();) {
        auto &[ticket, name] = a.tickets[i];
        enum raft_ticket_state state = raft_ticket_state(a.machine, &ticket);
        if (state == RAFT_TICKET_WAIT) {
            i++;
            continue;
        }
        line(a) << name
                << (state == RAFT_TICKET_READY ? " is confirmed: may look at the state of index "
                                               : " is lost: ask the new leader, index was ")
                << ticket.index << "\n";
        a.tickets.erase(a.tickets.begin() + static_cast<long>(i));
    }
}

} // namespace golden
