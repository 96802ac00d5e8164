/* Messages that no correct member sends: whatever comes in, no promise of this machine's own may
 * break. */
#include "tests/unit/raft/solo.h"

#include <algorithm>
#include <random>
#include <set>

namespace
{

/* One machine, an owner that keeps its promises, and members that say anything. */
class Hostile
{
  public:
    explicit Hostile(uint64_t seed) : chance(seed)
    {
        config = solo_config();
        config.seed = seed;
        config.entries_max = below(2) ? 8 : 64;
        config.pre_vote = below(4) != 0;
        config.check_quorum = below(4) != 0;
        config.lease_reads = config.check_quorum;
        config.member_count = below(2) ? 3 : 5;
        config.promote_stable_ns = 1;
        for (uint16_t i = 0; i < 5; i++)
            config.member[i] = static_cast<uint16_t>(i + 1);
        memory = std::aligned_alloc(64, raft_footprint(&config));
        config.write_age_max_ns = below(8) == 0 ? 50 * ms : 0;
        raft_restore restore{};
        restore.vote = RAFT_NOBODY;
        restore.doubtful = below(16) == 0;
        r = raft_init(memory, &config, &restore);
    }
    Hostile(const Hostile &) = delete;
    ~Hostile()
    {
        std::free(memory);
    }

    void run(uint32_t steps)
    {
        for (uint32_t i = 0; i < steps; i++) {
            if (i % 256 == 0)
                calm = below(4) != 0;
            switch (below(13)) {
            case 0:
                now += below(8) == 0 ? below(400 * ms) : below(15 * ms);
                raft_tick(r, now);
                break;
            case 1:
                propose();
                break;
            case 2:
                seq_stored += below(seq - seq_stored + 1);
                raft_stored(r, seq_stored);
                break;
            case 3:
                applied += below(delivered - applied + 1);
                raft_applied(r, applied);
                break;
            case 4:
                ready();
                break;
            case 5:
                extra();
                break;
            case 6:
                change();
                break;
            default:
                step();
                break;
            }
            raft_check(r);
        }
    }

    uint64_t below(uint64_t bound)
    {
        return chance() % bound;
    }

    uint64_t count(int event) const
    {
        return raft_counters(r)[event];
    }

  private:
    /* Near what this machine holds to be true, or far out. */
    uint64_t near(uint64_t truth)
    {
        static const uint64_t edges[] = {0,
                                         1,
                                         UINT32_MAX,
                                         UINT64_C(1) << 32,
                                         UINT64_C(1) << 61,
                                         UINT64_C(1) << 63,
                                         UINT64_MAX - 1,
                                         UINT64_MAX};
        uint64_t kind = below(16);
        if (kind < 6)
            return truth;
        if (kind < 9)
            return truth + below(6);
        if (kind < 12)
            return truth - std::min(truth, below(6));
        if (kind < 15 || below(8) != 0)
            return below(truth + 2);
        return edges[below(std::size(edges))];
    }

    uint8_t kind_for(uint8_t role)
    {
        static const uint8_t kinds[] = {WIRE_PREVOTE,         WIRE_PREVOTE_REPLY, WIRE_VOTE,
                                        WIRE_VOTE_REPLY,      WIRE_APPEND,        WIRE_APPEND_REPLY,
                                        WIRE_TIMEOUT_NOW,     WIRE_SNAPSHOT,      WIRE_READ_INDEX,
                                        WIRE_READ_INDEX_REPLY};
        if (below(200) == 0)
            return static_cast<uint8_t>(below(256));
        if (below(8) == 0)
            return kinds[below(std::size(kinds))];
        if (role == RAFT_LEADER)
            return WIRE_APPEND_REPLY;
        if (role == RAFT_FOLLOWER)
            return WIRE_APPEND;
        return role == RAFT_CANDIDATE ? WIRE_VOTE_REPLY : WIRE_PREVOTE_REPLY;
    }

    void step()
    {
        struct raft_status status;
        raft_status(r, &status);
        raft_input input{};
        wire_raft &message = input.message;
        message.kind = kind_for(status.role);
        message.flags = static_cast<uint8_t>(below(3) == 0 ? below(16) : 1u << below(4));
        message.group = config.group;
        message.from = static_cast<uint16_t>(1 + below(config.member_count + (below(50) == 0)));
        message.to = config.self;
        /* Terms move on in bursts, or no leader would ever do its work. */
        message.term =
            calm ? status.term + (message.kind == WIRE_PREVOTE_REPLY) : near(status.term);
        message.index = near(below(2) ? status.last_index : status.commit);
        message.log_term = below(2) ? raft_entry_term(r, message.index) : near(status.term);
        message.commit = near(status.last_index);
        bool vote = message.kind == WIRE_PREVOTE_REPLY || message.kind == WIRE_VOTE_REPLY;
        message.round = near(vote ? campaign : round);
        if (message.kind == WIRE_READ_INDEX_REPLY && below(2))
            message.round = nonce;
        std::vector<raft_entry> entries;
        if (message.kind == WIRE_APPEND && below(2))
            entries = run_of(message);
        std::vector<wire_members> members;
        for (raft_entry &entry : entries)
            if (below(16) == 0) {
                members.push_back(random_members(below(16) == 0));
                entry.members = static_cast<uint32_t>(members.size());
            }
        message.entry_count = static_cast<uint32_t>(entries.size());
        input.entries = entries.data();
        uint32_t taken =
            raft_step_members(r, &input, 1, members.data(), static_cast<uint32_t>(members.size()));
        if (taken == 0)
            ready();
        if (taken != 0 && input.take_snapshot)
            offered = message;
        if (taken != 0 && input.take_count != 0) {
            ASSERT_GT(input.take_first, applied) << "what is applied is never replaced";
            ASSERT_LE(input.take_first + input.take_count - 1, raft_last_index(r));
        }
    }

    /* Anything at all about six members; `spoiled`: no configuration that may exist. */
    wire_members random_members(bool spoiled)
    {
        for (;;) {
            wire_members members{};
            members.joint = below(2);
            for (uint16_t id = 1; id <= 6; id++) {
                uint8_t role = static_cast<uint8_t>(below(WIRE_ROLE_COUNT));
                uint8_t old_role = static_cast<uint8_t>(below(members.joint ? 4 : 1));
                if (below(3) != 0) /* mostly voters */
                    role = WIRE_ROLE_VOTER;
                if (members.joint && below(3) != 0)
                    old_role = WIRE_ROLE_VOTER;
                if (role != WIRE_ROLE_NONE || old_role != WIRE_ROLE_NONE)
                    members.member[members.count++] = {id, role, old_role, 0};
            }
            if (wire_members_valid(&members) != spoiled)
                return members;
        }
    }

    /* What wire lets through: terms that do not fall, from log_term to the message's. */
    std::vector<raft_entry> run_of(const wire_raft &message)
    {
        std::vector<raft_entry> entries;
        uint64_t term = message.log_term, count = below(6);
        for (uint64_t i = 0; i < count && term <= message.term; i++) {
            if (below(3) == 0)
                term += below(std::min<uint64_t>(message.term - term, 9) + 1);
            entries.push_back({term, static_cast<uint32_t>(48 + 8 * below(60)), 0});
        }
        return entries;
    }

    void propose()
    {
        uint32_t bytes[3] = {48, static_cast<uint32_t>(48 + below(500)), 4000};
        (void)raft_propose(r, bytes, raft_noop_due(r) ? 1 : 1 + static_cast<uint32_t>(below(3)));
    }

    void ready()
    {
        struct raft_ready out;
        raft_ready(r, seq + 1, &out);
        seq += out.must_persist;
        if (out.commit_first != 0) {
            ASSERT_EQ(out.commit_first, delivered + 1);
            delivered = out.commit_last;
        }
        for (uint32_t i = 0; i < out.send_count; i++) {
            const wire_raft &message = out.send[i].message;
            if (message.kind == WIRE_APPEND)
                round = message.round;
            if (message.kind == WIRE_VOTE || message.kind == WIRE_PREVOTE)
                campaign = message.round;
            if (message.kind == WIRE_READ_INDEX)
                nonce = message.round;
        }
    }

    void change()
    {
        struct raft_status status;
        raft_status(r, &status);
        struct raft_change changes[2];
        for (struct raft_change &one : changes) {
            one = {static_cast<uint8_t>(below(12) ? 1 + below(5) : below(7)),
                   static_cast<uint16_t>(1 + below(7)), below(12) == 0};
            /* mostly what could be meant: whoever is there, or is not */
            for (uint32_t i = 0; i < status.member_count && one.kind != RAFT_ADD_LEARNER; i++)
                if (below(4) == 0)
                    one.id = status.member[i].id;
        }
        wire_members members;
        if (below(8) == 0)
            (void)raft_leave(r, &members);
        else
            (void)raft_change(r, changes, below(20) ? 1 + static_cast<uint32_t>(below(2)) : 0,
                              &members);
    }

    void snapshots()
    {
        raft_snapshot snapshot;
        uint16_t other = static_cast<uint16_t>(1 + below(6));
        switch (below(4)) {
        case 0:
            if (raft_snapshot_describe(r, applied - below(applied + 1) / 8, &snapshot))
                raft_snapshot_taken(r, &snapshot), taken = snapshot.index;
            break;
        case 1:
            raft_snapshot_sent(r, other, near(taken));
            break;
        case 2:
            raft_snapshot_failed(r, other);
            break;
        default:
            install();
        }
    }

    void install()
    {
        raft_snapshot snapshot{};
        snapshot.index = offered.index;
        snapshot.term = near(offered.log_term);
        snapshot.members_index = below(8) ? offered.index : near(offered.index);
        snapshot.members = random_members(below(16) == 0);
        if (raft_snapshot_installed(r, &snapshot) != RAFT_INSTALL_REFUSED)
            applied = delivered = snapshot.index;
    }

    void extra()
    {
        if (below(3) == 0)
            snapshots();
        raft_ticket ticket;
        (void)raft_transfer(r, static_cast<uint16_t>(1 + below(6)));
        if (below(4) == 0)
            (void)raft_forget_leader(r);
        if (raft_read(r, &ticket) || raft_read_follower(r, &ticket))
            (void)raft_ticket_state(r, &ticket);
        if (below(4) == 0)
            raft_compacted(r, below(applied + 2));
    }

    std::mt19937_64 chance;
    raft_config config{};
    void *memory = nullptr;
    raft *r = nullptr;
    bool calm = false;
    wire_raft offered{};
    uint64_t taken = 0; /* index of the newest snapshot */
    uint64_t now = 0, seq = 0, seq_stored = 0, delivered = 0, applied = 0, round = 0, campaign = 0;
    uint64_t nonce = 0;
};

TEST(Hostile, NoMessageBreaksAnInvariant)
{
    uint64_t counted[RAFT_EVENT_COUNT] = {};
    for (uint64_t seed = 1; seed <= 1600; seed++) {
        SCOPED_TRACE(seed);
        Hostile hostile(seed);
        hostile.run(2000);
        if (HasFatalFailure())
            return;
        for (int event = 0; event < RAFT_EVENT_COUNT; event++)
            counted[event] += hostile.count(event);
    }
    /* What the owner of this machine never does, or the messages above can not bring about. */
    const std::set<int> never = {RAFT_WRONG_GROUP, RAFT_WRONG_RECEIVER, RAFT_OUTBOX_FULL,
                                 RAFT_PROPOSE_NOOP_FIRST, RAFT_CHANGE_REFUSED_TOO_MANY};
    for (int event = 0; event < RAFT_EVENT_COUNT; event++)
        EXPECT_EQ(counted[event] == 0, never.count(event) == 1)
            << raft_event_name(static_cast<enum raft_event>(event));
}

TEST(Hostile, NumbersThatNoMemberCouldHaveReachedAreRefusedByName)
{
    Solo solo({}, {1, 1});
    const uint64_t last_term = 1 + RAFT_TERM_LEAP_MAX;
    solo.append(2, 0, 0, 0);
    solo.append(2, last_term + 1, 0, 0);
    solo.append(2, 1, RAFT_NUMBER_MAX + 1, 1);
    solo.append(2, 1, 2, UINT64_MAX);
    solo.append(2, 1, 2, 1, {}, UINT64_MAX);
    solo.append(2, 1, 2, 1, {}, 0, UINT64_MAX);
    solo.pass(250); /* no leader lives */
    solo.ask_vote(WIRE_VOTE, 2, 0, 2, 1);
    solo.ask_vote(WIRE_VOTE, 2, UINT64_MAX, 2, 1);
    EXPECT_EQ(solo.count(RAFT_IMPLAUSIBLE), 8u);
    EXPECT_EQ(solo.status().term, 1u);
    EXPECT_EQ(solo.status().leader, RAFT_NOBODY);
    solo.append(2, last_term, 2, 1);
    EXPECT_EQ(solo.status().term, last_term);
    EXPECT_EQ(solo.count(RAFT_IMPLAUSIBLE), 8u);
}

TEST(Hostile, AnEntryOfNoTermIsMalformed)
{
    Solo solo;
    solo.append(2, 1, 0, 0, {0, 1});
    EXPECT_EQ(solo.count(RAFT_APPEND_MALFORMED), 1u);
    EXPECT_EQ(solo.status().last_index, 0u);
}

TEST(Hostile, OfWhatRefusesAPreVoteTheTermMayBeNone)
{
    Solo solo;
    solo.pass(250);
    solo.ready();
    wire_raft message{};
    message.kind = WIRE_PREVOTE_REPLY;
    message.from = 2;
    solo.step(message);
    EXPECT_EQ(solo.count(RAFT_IMPLAUSIBLE), 0u);
}

} // namespace
