/* What a lane begins with that finds a snapshot, and a log or none. */
#include "tests/unit/pipeline/notes_fixture.h"

namespace
{

class NotesRestart : public Notes
{
  protected:
    NotesRestart()
    {
        auto also = tweak;
        tweak = [this, also](struct lane_config &lane_config) {
            also(lane_config);
            lane_config.recover = recover;
            lane_config.recover_entry = recover_entry;
            lane_config.recover_domain = this;
            lane_config.recover_state = recover_state;
            lane_config.recover_state_domain = this;
        };
        found.vote = RAFT_NOBODY;
    }

    static bool recover(void *domain, uint16_t, struct storage_recovered *to)
    {
        auto *self = static_cast<NotesRestart *>(domain);
        *to = self->found;
        return self->any;
    }

    static const struct wire_entry *recover_entry(void *domain, uint16_t, uint64_t index)
    {
        auto *self = static_cast<NotesRestart *>(domain);
        auto at = self->kept.find(index);
        return at == self->kept.end()
                   ? nullptr
                   : reinterpret_cast<const struct wire_entry *>(at->second.data());
    }

    static bool recover_state(void *domain, uint16_t, void *memory,
                              const struct state_config *config, struct raft_snapshot *snapshot,
                              struct state **state)
    {
        auto *self = static_cast<NotesRestart *>(domain);
        if (self->snapshot.index == 0)
            return false;
        *state = state_init(memory, config);
        for (uint64_t i = 1; i <= self->snapshot.index; i++) {
            std::string encoded = entry(WIRE_ENTRY_NOOP, i, 1, 0, 0);
            struct wire_result result;
            state_apply(*state, reinterpret_cast<const struct wire_entry *>(encoded.data()),
                        &result);
        }
        *snapshot = self->snapshot;
        return true;
    }

    /* Entries [first, last] of `term` are in the log. */
    void keep(uint64_t first, uint64_t last, uint64_t term)
    {
        for (uint64_t i = first; i <= last; i++)
            kept[i] = entry(WIRE_ENTRY_NOOP, i, term, 0, 0);
        found.first = first;
        found.last = last;
        found.term = term;
        found.previous_term = term;
    }

    void begin(uint64_t index, uint64_t term)
    {
        snapshot.index = index;
        snapshot.term = term;
        snapshot.members.count = 3;
        for (uint16_t i = 0; i < 3; i++)
            snapshot.members.member[i] = {static_cast<uint16_t>(i + 1), WIRE_ROLE_VOTER,
                                          WIRE_ROLE_NONE, own_incarnation + i};
        start(3);
        wrong = lane_recover(lane);
    }

    bool any = true;
    struct storage_recovered found = {};
    struct raft_snapshot snapshot = {};
    std::map<uint64_t, std::string> kept;
    const char *wrong = nullptr;
};

TEST_F(NotesRestart, TheLogGoesOnBehindTheSnapshot)
{
    keep(6, 15, 2);
    found.commit = 12;
    begin(10, 2);
    ASSERT_EQ(wrong, nullptr);
    EXPECT_EQ(applied(), 12u);
    EXPECT_EQ(log_first_index(lane_log(lane, 0)), 6u) << "for members that lack them";
    pass(3);
    raft *machine = lane_raft(lane, 0);
    EXPECT_EQ(raft_last_index(machine), 15u);
    EXPECT_EQ(raft_commit(machine), 12u);
    EXPECT_EQ(raft_snapshot_of(machine)->index, 10u);
    EXPECT_TRUE(disk.released.empty());
    raft_check(machine);
}

TEST_F(NotesRestart, WhatTheSnapshotCoversIsCommitted)
{
    keep(6, 15, 2);
    found.commit = 7;
    begin(10, 2);
    ASSERT_EQ(wrong, nullptr);
    EXPECT_EQ(applied(), 10u);
}

TEST_F(NotesRestart, ASnapshotAloneIsEnough)
{
    any = false;
    begin(10, 2);
    ASSERT_EQ(wrong, nullptr);
    pass(3);
    raft *machine = lane_raft(lane, 0);
    EXPECT_EQ(applied(), 10u);
    EXPECT_EQ(raft_last_index(machine), 10u);
    EXPECT_EQ(raft_entry_term(machine, 10), 2u);
    EXPECT_EQ(raft_term(machine), 2u);
    append_from(2, 3, 10, 2, 11);
    pass(2);
    EXPECT_EQ(applied(), 11u);
}

/* The power went between the file and the log. */
TEST_F(NotesRestart, ALogThatEndsBeforeItBeginsAnewBehindIt)
{
    keep(1, 5, 1);
    begin(10, 2);
    ASSERT_EQ(wrong, nullptr);
    pass(3);
    EXPECT_EQ(raft_last_index(lane_raft(lane, 0)), 10u);
    EXPECT_EQ(raft_term(lane_raft(lane, 0)), 2u);
    ASSERT_EQ(disk.released.size(), 1u) << "the log is told before anything is written behind";
    EXPECT_EQ(disk.released[0].index, 10u);
}

TEST_F(NotesRestart, ALogOfAnotherHistoryBeginsAnewBehindIt)
{
    keep(1, 15, 1);
    found.term = 4;
    begin(10, 2);
    ASSERT_EQ(wrong, nullptr);
    pass(3);
    EXPECT_EQ(raft_last_index(lane_raft(lane, 0)), 10u) << "those behind are none of its";
    EXPECT_EQ(raft_term(lane_raft(lane, 0)), 4u);
    EXPECT_EQ(disk.released.size(), 1u);
}

TEST_F(NotesRestart, ALogThatBeginsBehindTheSnapshotIsRefused)
{
    keep(12, 15, 2);
    begin(10, 2);
    ASSERT_NE(wrong, nullptr);
    EXPECT_NE(std::string(wrong).find("snapshot"), std::string::npos) << wrong;
}

/* Its configuration came at 8: what was before, nobody knows any more. */
TEST_F(NotesRestart, TheRingBeginsWhereItsMembersAreKnown)
{
    keep(6, 15, 2);
    found.commit = 12;
    snapshot.members_index = 8;
    begin(10, 2);
    ASSERT_EQ(wrong, nullptr);
    EXPECT_EQ(log_first_index(lane_log(lane, 0)), 9u);
    uint64_t seen = 0;
    struct lane_members known;
    poll();
    ASSERT_TRUE(lane_members(lane, 0, &seen, &known));
    EXPECT_EQ(known.index, 8u);
    EXPECT_EQ(known.force.count, 3u);
    raft_check(lane_raft(lane, 0));
}

} // namespace
