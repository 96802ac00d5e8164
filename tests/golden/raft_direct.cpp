#include "tests/golden/raft_play.h"

namespace golden
{

constexpr uint64_t ns_per_ms = 1000000;

Actor &Play::named(Words &words, bool on_stage)
{
    uint16_t id = 0;
    words >> id;
    auto found = actor.find(id);
    if (found == actor.end() || (on_stage && found->second.machine == nullptr))
        throw Misdirected("no such member on stage");
    return found->second;
}

static bool on(const std::string &value)
{
    return value == "on";
}

/* cluster 1 2 3 [joining=4] [witness=3] [pre_vote=off] [check_quorum=off] [lease=on]
 * [message_entries=N] [write_age=N] [prefer=3] [handover=N] [seed=N] */
void Play::cluster(Words &words)
{
    std::vector<uint16_t> ids, joining;
    uint16_t witness = RAFT_NOBODY, preferred = RAFT_NOBODY;
    raft_config config{};
    config.group = 1;
    config.seed = 1;
    config.heartbeat_ns = 20 * ns_per_ms;
    config.election_timeout_ns = 100 * ns_per_ms;
    config.election_timeout_max_ns = 200 * ns_per_ms;
    config.drift_ppm = 10000;
    config.entries_max = 64;
    config.message_entries_max = 16;
    config.message_bytes_max = 4096;
    config.inflight_messages_max = 4;
    config.inflight_bytes_max = 1 << 16;
    config.uncommitted_bytes_max = 1 << 16;
    config.pre_vote = config.check_quorum = true;
    for (std::string word; words >> word;) {
        size_t equals = word.find('=');
        std::string key = word.substr(0, equals);
        std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
        if (value.empty())
            ids.push_back(static_cast<uint16_t>(std::stoul(word)));
        else if (key == "pre_vote")
            config.pre_vote = on(value);
        else if (key == "check_quorum")
            config.check_quorum = on(value);
        else if (key == "lease")
            config.lease_reads = on(value);
        else if (key == "message_entries")
            config.message_entries_max = static_cast<uint32_t>(std::stoul(value));
        else if (key == "joining")
            joining.push_back(static_cast<uint16_t>(std::stoul(value)));
        else if (key == "witness")
            witness = static_cast<uint16_t>(std::stoul(value));
        else if (key == "write_age")
            config.write_age_max_ns = std::stoul(value) * ns_per_ms;
        else if (key == "prefer")
            preferred = static_cast<uint16_t>(std::stoul(value));
        else if (key == "handover")
            config.handover_ns = std::stoul(value) * ns_per_ms;
        else if (key == "seed")
            config.seed = std::stoul(value);
        else
            throw Misdirected("unknown option " + key);
    }
    config.promote_stable_ns = 40 * ns_per_ms;
    config.member_count = static_cast<uint32_t>(ids.size());
    for (size_t i = 0; i < ids.size(); i++) {
        config.member[i] = ids[i];
        config.role[i] = ids[i] == witness ? WIRE_ROLE_WITNESS : WIRE_ROLE_VOTER;
    }
    config.priority_top = preferred != RAFT_NOBODY;
    for (uint16_t id : ids) {
        config.self = id;
        config.priority = id == preferred;
        actor[id].config = config;
    }
    config.joining = true;
    for (uint16_t id : joining) {
        config.self = id;
        actor[id].config = config;
    }
}

/* log 1 term 3 entries 1 1 2: what its disk holds before it starts */
void Play::log(Words &words)
{
    Actor &a = named(words, false);
    std::string word;
    words >> word >> a.disk_term >> word;
    for (uint64_t term; words >> term;)
        a.disk_log.push_back(term);
}

void Play::start()
{
    for (auto &[id, a] : actor)
        if (a.machine == nullptr)
            boot(a);
}

/* run 20: milliseconds */
void Play::run(Words &words)
{
    uint64_t duration_ms = 0;
    words >> duration_ms;
    for (uint64_t until = now_ms + duration_ms; now_ms < until;)
        step_stage();
}

/* propose 1 3: three entries at once */
void Play::propose(Words &words)
{
    Actor &a = named(words);
    uint32_t count = 1;
    words >> count;
    std::vector<uint32_t> bytes(count, 100);
    uint32_t taken = raft_propose(a.machine, bytes.data(), count);
    a.log.insert(a.log.end(), taken, raft_term(a.machine));
    if (taken > 0)
        line(a) << "appends up to " << a.log.size() << "\n";
    note_events(a);
    drain(a);
}

/* timeout 1: its clock runs ahead until it gives up its leader */
void Play::time_out(Words &words)
{
    Actor &a = named(words);
    uint64_t campaigns = a.counted[RAFT_PREVOTE_STARTED] + a.counted[RAFT_CAMPAIGN_STARTED];
    const uint64_t *counters = raft_counters(a.machine);
    while (counters[RAFT_PREVOTE_STARTED] + counters[RAFT_CAMPAIGN_STARTED] == campaigns) {
        a.ahead_ms++;
        raft_tick(a.machine, clock_ns(a));
    }
    note_events(a);
    note_role(a);
    drain(a);
}

/* elect 1: what other chapters tell in full; ends when all have applied the no-op */
void Play::elect(Words &words)
{
    Actor &a = named(words);
    Words patience("100"), id(std::to_string(a.config.self)), duration("30");
    run(patience); /* starting voters wait */
    time_out(id);
    run(duration);
    out.str("");
    if (!raft_leader_ready(a.machine))
        throw Misdirected("it was not elected");
    line(a) << a.role << " in term " << raft_term(a.machine) << "\n";
}

/* cut 1 2 [one-way] */
void Play::set_cut(Words &words)
{
    uint16_t from = named(words, false).config.self;
    uint16_t to = named(words, false).config.self;
    std::string one_way;
    words >> one_way;
    cut[{from, to}] = true;
    cut[{to, from}] = one_way.empty() || cut[{to, from}];
}

/* damage 2 from 3: while it is down, its disk loses entries and its vote, and it is known */
void Play::damage(Words &words)
{
    Actor &a = named(words, false);
    std::string from;
    uint64_t first = 1;
    words >> from >> first;
    a.disk_log.resize(std::max(first, a.disk_first) - 1);
    a.disk_vote = RAFT_NOBODY;
    a.disk_doubtful = true;
}

/* hang 1: its disk stands still until mend; write 1: but for one write */
void Play::hang(Words &words, bool hangs)
{
    named(words).disk_hangs = hangs;
}

void Play::write(Words &words)
{
    Actor &a = named(words);
    if (a.writes.empty())
        throw Misdirected("nothing to write");
    finish_write(a);
    drain(a);
}

/* forget 2: its leader, which its owner knows to be dead */
void Play::forget(Words &words)
{
    Actor &a = named(words);
    (void)raft_forget_leader(a.machine);
    note_events(a);
    note_role(a);
    drain(a);
}

/* hold APPEND_REPLY: messages of this kind stay on their way until release */
void Play::hold(Words &words)
{
    words >> held_kind;
}

void Play::release()
{
    held_kind.clear();
    for (const Message &message : under_way)
        if (actor[message.head.to].machine != nullptr)
            actor[message.head.to].inbox.push_back({now_ms + 1, message});
    under_way.clear();
}

void Play::isolate(Words &words)
{
    uint16_t id = named(words, false).config.self;
    for (auto &[other, a] : actor)
        cut[{id, other}] = cut[{other, id}] = true;
}

void Play::crash(Words &words)
{
    Actor &a = named(words);
    a.machine = nullptr;
    a.writes.clear();
    a.held.clear();
    a.inbox.clear();
    a.tickets.clear();
    a.disk_hangs = false;
}

void Play::restart(Words &words)
{
    boot(named(words, false));
}

/* transfer 1 2: leader 1 hands over to 2 */
void Play::transfer(Words &words)
{
    Actor &a = named(words);
    uint16_t to = 0;
    words >> to;
    (void)raft_transfer(a.machine, to);
    note_events(a);
    drain(a);
}

/* change 1 +4 ^5 -2: leader 1 adds learner 4, promotes 5, removes 2; v3 demotes, w3 makes a
 * witness */
void Play::change(Words &words)
{
    Actor &a = named(words);
    std::vector<struct raft_change> changes;
    for (std::string word; words >> word;) {
        static const std::string signs = "+^wv-"; /* in the order of enum raft_change_kind */
        changes.push_back({static_cast<uint8_t>(1 + signs.find(word[0])),
                           static_cast<uint16_t>(std::stoul(word.substr(1))), 0});
    }
    wire_members members;
    if (raft_change(a.machine, changes.data(), static_cast<uint32_t>(changes.size()), &members) ==
        RAFT_CHANGE_STARTED)
        append_members(a, members);
    note_events(a);
    drain(a);
}

/* snapshot 1: of all that it has applied */
void Play::snapshot(Words &words)
{
    Actor &a = named(words);
    struct raft_status status;
    raft_status(a.machine, &status);
    raft_snapshot snapshot;
    if (!raft_snapshot_describe(a.machine, status.applied, &snapshot))
        throw Misdirected("nothing to take a snapshot of");
    raft_snapshot_taken(a.machine, &snapshot);
    line(a) << "has a snapshot up to " << snapshot.index << "\n";
    drain(a);
}

void Play::read(Words &words)
{
    Actor &a = named(words);
    raft_ticket ticket;
    raft_tick(a.machine, clock_ns(a));
    bool leads = raft_is_leader(a.machine);
    if (leads ? raft_read(a.machine, &ticket) : raft_read_follower(a.machine, &ticket))
        a.tickets.push_back({ticket, "read " + std::to_string(++reads)});
    note_events(a);
    drain(a);
    note_tickets(a);
}

/* compact 1 5: its log no longer holds entries before 5 */
void Play::compact(Words &words)
{
    Actor &a = named(words);
    words >> a.disk_first;
    raft_compacted(a.machine, a.disk_first);
}

/* install 3 from 1: it starts anew over a snapshot of all that 1 has applied */
void Play::install(Words &words)
{
    Actor &a = named(words, false);
    std::string from;
    words >> from;
    Actor &source = named(words);
    struct raft_status status;
    raft_status(source.machine, &status);
    a.disk_log.assign(source.log.begin(), source.log.begin() + static_cast<long>(status.applied));
    a.disk_first = status.applied + 1;
    a.disk_term = status.term;
    boot(a);
}

/* inject from 1 to 2 term 3 after 0 0 commit 5 entries 1 1: an APPEND out of the past, or of a
 * broken peer */
void Play::inject(Words &words)
{
    Message message{};
    message.head.kind = WIRE_APPEND;
    message.head.group = 1;
    std::string word;
    words >> word >> message.head.from >> word >> message.head.to >> word >> message.head.term >>
        word >> message.head.index >> message.head.log_term >> word >> message.head.commit >> word;
    for (uint64_t term; words >> term;)
        message.terms.push_back(term);
    message.head.entry_count = static_cast<uint32_t>(message.terms.size());
    message.head.entry_bytes = 100 * message.head.entry_count;
    post(actor[message.head.from], message);
}

void Play::status()
{
    for (auto &[id, a] : actor) {
        out << id << "  ";
        if (a.machine == nullptr) {
            out << "down\n";
            continue;
        }
        struct raft_status status;
        raft_status(a.machine, &status);
        std::vector<uint64_t> terms;
        for (uint64_t at = 1; at <= status.last_index; at++)
            if (raft_entry_term(a.machine, at) != 0)
                terms.push_back(raft_entry_term(a.machine, at));
        out << a.role << ", term " << status.term << ", commit " << status.commit << ", log";
        if (terms.size() < status.last_index)
            out << " from " << status.last_index - terms.size() + 1;
        out << ":" << terms_of(terms) << "\n";
        uint64_t since;
        const wire_members *members = raft_members(a.machine, &since);
        if (since > 0)
            out << "     members " << members_of(*members) << "\n";
        for (uint32_t i = 0; i < status.member_count && raft_is_leader(a.machine); i++) {
            const raft_member_status &member = status.member[i];
            static const char *const progress[] = {"", "probe", "replicate", "needs a snapshot"};
            if (member.id != id)
                out << "     " << member.id << ": " << progress[member.progress] << ", match "
                    << member.match << ", next " << member.next << "\n";
        }
    }
}

std::string Play::direct(const std::string &command)
{
    out.str("");
    Words words(command);
    std::string verb;
    words >> verb;
    if (verb == "cluster")
        cluster(words);
    else if (verb == "log")
        log(words);
    else if (verb == "start")
        start();
    else if (verb == "run")
        run(words);
    else if (verb == "propose")
        propose(words);
    else if (verb == "elect")
        elect(words);
    else if (verb == "timeout")
        time_out(words);
    else if (verb == "cut")
        set_cut(words);
    else if (verb == "isolate")
        isolate(words);
    else if (verb == "damage")
        damage(words);
    else if (verb == "hang" || verb == "mend")
        hang(words, verb == "hang");
    else if (verb == "write")
        write(words);
    else if (verb == "forget")
        forget(words);
    else if (verb == "hold")
        hold(words);
    else if (verb == "release")
        release();
    else if (verb == "heal")
        cut.clear();
    else if (verb == "crash")
        crash(words);
    else if (verb == "restart")
        restart(words);
    else if (verb == "transfer")
        transfer(words);
    else if (verb == "change")
        change(words);
    else if (verb == "snapshot")
        snapshot(words);
    else if (verb == "read")
        read(words);
    else if (verb == "compact")
        compact(words);
    else if (verb == "install")
        install(words);
    else if (verb == "inject")
        inject(words);
    else if (verb == "status")
        status();
    else
        throw Misdirected("unknown command " + verb);
    return out.str();
}

} // namespace golden
