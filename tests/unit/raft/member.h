/* member.h: one Raft machine with its owner's belongings: log, disk, inbox, held messages.
 *
 * Memory, threads: the test's. Time: virtual.
 */
#ifndef TESTS_UNIT_RAFT_MEMBER_H
#define TESTS_UNIT_RAFT_MEMBER_H

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

extern "C" {
#include "protocols/raft/raft.h"
}

namespace cluster
{

constexpr uint64_t ms = 1000000;

struct Entry {
    uint64_t term;
    uint32_t bytes;
    uint64_t value;
    bool changes; /* it holds the configuration that is in force from it on */
    const wire_members *in_force;
};

struct Packet {
    wire_raft message;
    std::vector<Entry> entries; /* SNAPSHOT: all up to its end, which is the state */
    std::shared_ptr<const raft_snapshot> snapshot;
};

struct Fail : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/* What a member's disk holds; log[i] is entry i + 1, `first` the first one that was not compacted
 * away. */
struct Disk {
    uint64_t term = 0;
    uint16_t vote = RAFT_NOBODY;
    uint64_t first = 1;
    std::vector<Entry> log;
    raft_snapshot base{};     /* what is known of entry first - 1 */
    raft_snapshot snapshot{}; /* of the state; index 0: none */
    bool doubtful = false;
    std::vector<std::vector<Entry>> promised; /* while doubtful: logs as they were confirmed */

    /* Entries from some point on are lost, and the vote; that they are is known. */
    void lose(uint64_t kept)
    {
        promised.push_back(log);
        log.resize(std::max({kept, first - 1, snapshot.index}));
        vote = RAFT_NOBODY;
        doubtful = true;
    }
};

struct Persist {
    uint64_t seq;
    uint64_t done_at;
    bool hard;
    uint64_t term;
    uint16_t vote;
    bool doubtful;
    uint64_t since;
    uint64_t first; /* 0: no entries */
    std::vector<Entry> entries;

    void write(Disk &disk) const
    {
        if (hard) {
            disk.term = term;
            disk.vote = vote;
            disk.doubtful = doubtful;
            if (!doubtful)
                disk.promised.clear();
        }
        if (first != 0) {
            disk.log.resize(first - 1);
            disk.log.insert(disk.log.end(), entries.begin(), entries.end());
        }
    }
};

struct Ticket {
    raft_ticket ticket;
    uint64_t acknowledged; /* highest index that any client had seen when the read was asked for */
};

struct Free {
    void operator()(void *memory) const
    {
        std::free(memory);
    }
};

struct Member {
    raft_config config{};
    std::unique_ptr<void, Free> memory;
    raft *machine = nullptr; /* nullptr: crashed */
    Disk disk;
    std::vector<Entry> log; /* in memory, as the owner of the machine keeps it */
    uint64_t applied = 0;
    std::deque<Persist> persists;
    std::vector<std::pair<uint64_t, Packet>> held;
    std::vector<std::pair<uint64_t, Packet>> inbox; /* due time */
    std::vector<Ticket> tickets;
    std::vector<std::pair<uint64_t, uint16_t>> streams; /* until when, to whom */
    double rate = 1.0;
    uint64_t seq = 0;
    uint64_t paused_until = 0;
    uint64_t disk_hangs_until = 0;
    bool was_leader = false;
    bool snapshot_wanted = false;
};

} // namespace cluster

#endif
