/* story.h: what befalls a cluster, from a seed: misfortunes for a while, then peace, in which it
 * must progress.
 *
 * Memory, threads: the test's. Time: virtual. A violation is thrown as Fail.
 */
#ifndef TESTS_UNIT_RAFT_STORY_H
#define TESTS_UNIT_RAFT_STORY_H

#include "tests/unit/raft/cluster.h"

namespace cluster
{

/* Which misfortunes befall a cluster. */
enum Profile {
    MIXED, /* everything */
    STORM, /* leaders fall before they have replicated much: figure 8 */
    LEASE, /* leaders are cut off, or hand over, when followers are quickest to elect anew */
    CHURN, /* everything, while members come and go */
    PROFILE_COUNT
};

inline Profile profile_of(uint64_t seed)
{
    return static_cast<Profile>(seed % PROFILE_COUNT);
}

/* Every combination of the switches comes up as seeds rise. */
inline Options options_of(uint64_t seed)
{
    Profile profile = profile_of(seed);
    uint64_t pick = seed / PROFILE_COUNT;
    Options options;
    options.spares = profile == CHURN ? 1 + static_cast<uint32_t>(pick % 3) : 0;
    options.witnesses = profile == CHURN && pick % 4 == 1 ? 2 : 0;
    options.members = profile == STORM ? 5 : 3 + static_cast<uint32_t>(pick % 3);
    options.pre_vote = pick & 1;
    options.check_quorum = profile == LEASE || pick & 2;
    options.lease_reads = options.check_quorum && (profile == LEASE || pick & 4);
    options.drift_ppm = pick & 8 ? 400000 : 0;
    options.entries_max = pick & 16 ? 64 : 1024;
    options.message_entries_max = profile == STORM ? 1 : 8;
    options.election_timeout_max_ms = profile == LEASE ? 55 : 100;
    return options;
}

class Story : public Cluster
{
  public:
    explicit Story(uint64_t seed) : Cluster(seed, options_of(seed)), profile(profile_of(seed))
    {
        change_percent = profile == CHURN ? 20 : 0;
        damaging = profile == MIXED || profile == STORM;
    }

    /* The whole story of one seed: misfortunes for a while, then peace, in which progress is
     * demanded. */
    void live(uint64_t troubled_ns)
    {
        suffer(troubled_ns);
        recover();
    }

    void suffer(uint64_t troubled_ns)
    {
        for (uint64_t next = 200 * ms; now < troubled_ns; pass()) {
            if (now >= next)
                next = now + misfortune();
        }
    }

    void recover()
    {
        heal();
        challenger = RAFT_NOBODY;
        writing = true;
        change_percent = 0; /* a leader that has just removed itself is no failure */
        uint64_t before = acknowledged;
        for (uint64_t until = now + 2000 * ms; now < until;)
            pass();
        if (leader() < 0 || acknowledged <= before)
            throw Fail("no progress after all faults have ended");
        writing = false;
        for (uint64_t until = now + 3000 * ms; now < until && !converged();)
            pass();
        if (!converged())
            throw Fail("members do not converge");
    }

  private:
    Profile profile;
    uint32_t doomed = RAFT_NOBODY;     /* whom the next cut is for */
    uint32_t challenger = RAFT_NOBODY; /* whose campaign cuts the doomed leader off */

    static bool campaigns(const Member &m)
    {
        if (m.machine == nullptr)
            return false;
        struct raft_status status;
        raft_status(m.machine, &status);
        return status.role == RAFT_PRECANDIDATE || status.role == RAFT_CANDIDATE;
    }

    void pass()
    {
        step(ms / 2);
        if (challenger < member.size() && campaigns(member[challenger])) {
            isolate(doomed);
            for (uint32_t i = 0, some = below(4) == 0; i < some * member.size(); i++)
                if (i != doomed && i != challenger)
                    restart(i); /* who has just started may have forgotten whom it heard */
            challenger = RAFT_NOBODY;
            writing = true;
        }
    }

    void restart(uint32_t i)
    {
        crash(i);
        start(i);
    }

    void isolate(uint32_t victim)
    {
        for (uint32_t other = 0; other < member.size(); other++)
            cut[victim][other] = cut[other][victim] = true;
    }

    /* The leader, half of the time. */
    uint32_t pick_victim()
    {
        int boss = leader();
        return boss >= 0 && below(2) == 0 ? static_cast<uint32_t>(boss)
                                          : static_cast<uint32_t>(below(member.size()));
    }

    /* One random misfortune or its end; returns how long until the next. */
    uint64_t misfortune()
    {
        if (profile == STORM)
            return storm();
        if (profile == LEASE)
            return strain_leases();
        mixed_misfortune();
        return 1 + below(150 * ms);
    }

    uint64_t storm()
    {
        uint32_t victim = pick_victim();
        switch (below(6)) {
        case 0:
        case 1:
            if (member[victim].machine)
                crash(victim);
            break;
        case 2:
            isolate(victim);
            break;
        case 3:
            for (auto &row : cut)
                row.assign(row.size(), false);
            break;
        default:
            for (uint32_t i = 0; i < member.size(); i++)
                if (!member[i].machine)
                    start(i);
        }
        return 1 + below(20 * ms);
    }

    uint64_t strain_leases()
    {
        int boss = leader();
        writing = true;
        if (boss < 0 || below(3) == 0) {
            heal();
            delay_max = disk_delay_max = ms / 4;
            return 1 + below(200 * ms);
        }
        uint32_t victim = static_cast<uint32_t>(boss);
        switch (below(5)) {
        case 4: /* asleep for longer than a lease */
            member[victim].paused_until = now + 100 * ms + below(60 * ms);
            return 170 * ms;
        case 0:
            raft_transfer(member[victim].machine, id(below(member.size())));
            doomed = victim;
            return 1 + below(6 * ms);
        case 1: { /* one follower does not hear the leader, and campaigns against it */
            size_t other = (victim + 1) % member.size();
            cut[victim][other] = cut[other][victim] = true;
            doomed = victim;
            challenger = static_cast<uint32_t>(other);
            writing = below(2) == 0; /* or its log would be too old to win with */
            return 70 * ms;
        }
        case 2: /* echoes are late, and then there are none */
            late_for = victim;
            doomed = victim;
            return 40 * ms + below(20 * ms);
        default:
            isolate(doomed < member.size() ? doomed : victim);
            doomed = challenger = RAFT_NOBODY;
            delay_max = disk_delay_max = ms / 4;
            return 70 * ms;
        }
    }

    void mixed_misfortune()
    {
        uint32_t victim = pick_victim();
        int boss = leader();
        switch (below(11)) {
        case 0:
        case 1:
            if (member[victim].machine)
                crash(victim);
            break;
        case 2:
            isolate(victim);
            break;
        case 10:
            member[victim].disk_hangs_until = now + below(500 * ms);
            break;
        case 3:
            for (uint32_t other = 0; other < member.size(); other++)
                (below(2) ? cut[victim][other] : cut[other][victim]) = true;
            break;
        case 4:
            lost_percent = below(40);
            duplicated_percent = below(30);
            delay_max = 1 + below(20 * ms);
            disk_delay_max = 1 + below(15 * ms);
            break;
        case 5:
            member[victim].paused_until = now + below(200 * ms);
            break;
        case 6:
            if (boss >= 0)
                raft_transfer(member[static_cast<size_t>(boss)].machine, id(below(member.size())));
            break;
        case 7:
            compact(victim);
            break;
        default:
            heal();
        }
    }
};

} // namespace cluster

#endif
