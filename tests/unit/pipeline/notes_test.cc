/* Snapshots between a lane and its keeper, whom the test plays. */
#include "tests/unit/pipeline/lane_fixture.h"

extern "C" {
#include "dataplane/log/storage_calls.h"
#include "dataplane/pipeline/notes.h"
#include "dataplane/state/capture.h"
#include "protocols/wire/chunk.h"
}

namespace
{

struct Released {
    uint16_t group;
    uint64_t index, term;
};

/* Stores at once, and remembers what it may forget. */
struct Forgetful {
    struct storage storage;
    uint64_t stored;
    std::vector<Released> released;
};

Forgetful *forgetful(const struct storage *storage)
{
    return reinterpret_cast<Forgetful *>(const_cast<struct storage *>(storage));
}

uint32_t take(struct storage *storage, const struct storage_write *writes, uint32_t count,
              struct log *const *, uint64_t)
{
    EXPECT_FALSE(writes[count - 1].release) << "those are not submitted";
    forgetful(storage)->stored = writes[count - 1].seq;
    return count;
}

uint64_t taken(struct storage *storage, uint64_t)
{
    return forgetful(storage)->stored;
}

void forget(struct storage *storage, uint16_t group, uint64_t index, uint64_t term)
{
    forgetful(storage)->released.push_back({group, index, term});
}

bool never(const struct storage *)
{
    return false;
}

uint64_t no_age(const struct storage *, uint64_t)
{
    return 0;
}

void no_report(const struct storage *, struct storage_report *)
{
}

const struct storage_calls forgetful_calls = {"forgetful", take,  taken,  forget,
                                              never,       never, no_age, no_report};

class Notes : public Lane
{
  protected:
    Notes()
    {
        tweak = [this](struct lane_config &lane_config) {
            lane_config.storage = &disk.storage;
            if (entries_max != 0)
                lane_config.entries_max = entries_max;
        };
    }

    void TearDown() override
    {
        Lane::TearDown();
        std::free(loaded_memory);
    }

    /* NULL: no note. */
    const struct lane_note *note()
    {
        return lane_next_note(lane);
    }

    void write(uint64_t session, uint64_t first, uint64_t count)
    {
        for (uint64_t i = first; i < first + count; i++)
            ASSERT_EQ(one(session, i, make(WIRE_OP_SET, "key", std::to_string(i))).status,
                      WIRE_DONE);
    }

    /* A state that has applied `count` entries of term 3. */
    struct state *load(uint64_t count)
    {
        if (loaded_memory == nullptr)
            loaded_memory = std::aligned_alloc(64, (state_footprint(&config.state) + 63) / 64 * 64);
        struct state *state = state_init(loaded_memory, &config.state);
        struct wire_command command = make(WIRE_OP_SET, "snapshot", "is here");
        for (uint64_t i = 1; i <= count; i++) {
            std::string encoded = i == 1 ? entry(WIRE_ENTRY_REGISTER, 1, 3, 0, 12)
                                         : entry(WIRE_ENTRY_COMMAND, i, 3, 1, i - 1, &command);
            struct wire_result result;
            state_apply(state, reinterpret_cast<const struct wire_entry *>(encoded.data()),
                        &result);
        }
        return state;
    }

    struct raft_snapshot snapshot_at(uint64_t index, uint64_t term)
    {
        struct raft_snapshot snapshot = {};
        snapshot.index = index;
        snapshot.term = term;
        snapshot.members = view.first;
        return snapshot;
    }

    void offer_from(uint16_t from, uint64_t term, const struct raft_snapshot &snapshot)
    {
        struct wire_snapshot offer = {};
        offer.head.kind = WIRE_SNAPSHOT;
        offer.head.term = term;
        offer.head.index = snapshot.index;
        offer.head.log_term = snapshot.term;
        offer.head.round = 1;
        offer.members_index = snapshot.members_index;
        offer.members = snapshot.members;
        put_from(from, [&offer](struct wire_writer *writer) {
            ASSERT_TRUE(wire_put_snapshot(writer, &offer));
        });
    }

    void append_from(uint16_t from, uint64_t term, uint64_t previous, uint64_t previous_term,
                     uint64_t commit)
    {
        struct wire_raft append = {};
        append.kind = WIRE_APPEND;
        append.term = term;
        append.round = 1;
        append.index = previous;
        append.log_term = previous_term;
        append.entry_count = 1;
        append.commit = commit;
        tell(from, append, entry(WIRE_ENTRY_NOOP, previous + 1, term, 0, 0));
    }

    void chunk_from(uint16_t from, uint32_t bytes)
    {
        std::vector<uint8_t> data(bytes, 7);
        struct wire_chunk chunk = {};
        chunk.id = {20, 3, 99, 5000};
        chunk.unit = 1024;
        chunk.bytes = bytes;
        put_from(from, [&](struct wire_writer *writer) {
            uint8_t *to = wire_put_chunk(writer, &chunk);
            ASSERT_NE(to, nullptr);
            std::memcpy(to, data.data(), bytes);
        });
    }

    uint64_t applied()
    {
        return state_applied_index(lane_state(lane, 0));
    }

    Forgetful disk = {{&forgetful_calls}, 0, {}};
    uint32_t entries_max = 0;
    void *loaded_memory = nullptr;
};

/* ---- taking ---------------------------------------------------------------------------------- */

TEST_F(Notes, AStateIsMarkedWhereItIsAndDescribed)
{
    lead();
    write(open_session(71), 1, 5);
    uint64_t index = applied();
    lane_snapshot_ask(lane, 0);
    poll();
    const struct lane_note *marked = note();
    ASSERT_NE(marked, nullptr);
    EXPECT_EQ(marked->kind, LANE_NOTE_MARKED);
    EXPECT_EQ(marked->snapshot.index, index);
    EXPECT_EQ(marked->snapshot.term, raft_term(lane_raft(lane, 0)));
    EXPECT_EQ(marked->snapshot.members.count, 1u);
    struct raft_snapshot snapshot = marked->snapshot;
    EXPECT_EQ(note(), nullptr);
    struct state *state = lane_state_to_walk(lane, 0);
    ASSERT_EQ(state_capture_phase(state), STATE_CAPTURE_WALKING);
    state_capture_abandon(state);
    poll();
    EXPECT_EQ(state_capture_phase(state), STATE_CAPTURE_IDLE) << "may be asked for again";
    lane_snapshot_ask(lane, 0); /* at the very same index */
    poll();
    marked = note();
    ASSERT_NE(marked, nullptr);
    EXPECT_EQ(marked->snapshot.index, index);
    state_capture_abandon(state);
    poll();
    EXPECT_TRUE(lane_snapshot_taken(lane, 0, &snapshot, true));
    poll();
    EXPECT_EQ(raft_snapshot_of(lane_raft(lane, 0))->index, index);
    ASSERT_EQ(disk.released.size(), 1u);
    EXPECT_EQ(disk.released[0].index, index);
    EXPECT_EQ(disk.released[0].term, snapshot.term);
}

TEST_F(Notes, AMarginStaysInStorage)
{
    entries_max = 16;
    lead();
    write(open_session(71), 1, 40);
    lane_snapshot_ask(lane, 0);
    poll();
    const struct lane_note *marked = note();
    ASSERT_NE(marked, nullptr);
    struct raft_snapshot snapshot = marked->snapshot;
    state_capture_abandon(lane_state_to_walk(lane, 0));
    poll();
    uint64_t first = log_first_index(lane_log(lane, 0));
    EXPECT_TRUE(lane_snapshot_taken(lane, 0, &snapshot, false));
    poll();
    ASSERT_EQ(disk.released.size(), 1u);
    EXPECT_EQ(disk.released[0].index, first - 1) << "what memory has";
    EXPECT_LT(disk.released[0].index, snapshot.index);
    EXPECT_EQ(disk.released[0].term, snapshot.term);
}

TEST_F(Notes, NothingAppliedIsNoSnapshot)
{
    start(3);
    poll();
    lane_snapshot_ask(lane, 0);
    poll();
    const struct lane_note *unmarked = note();
    ASSERT_NE(unmarked, nullptr);
    EXPECT_EQ(unmarked->kind, LANE_NOTE_UNMARKED);
    state_capture_abandon(lane_state_to_walk(lane, 0));
    poll();
    EXPECT_EQ(state_capture_phase(lane_state_to_walk(lane, 0)), STATE_CAPTURE_IDLE);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* A learner that comes late: its first entries are gone. */
TEST_F(Notes, WhoIsTooFarBehindIsOfferedASnapshotOnceThereIsOne)
{
    entries_max = 16;
    lead();
    write(open_session(71), 1, 40);
    struct raft_change add = {RAFT_ADD_LEARNER, 2, own_incarnation + 1};
    ASSERT_TRUE(lane_change(lane, 0, &add, 1, true));
    poll();
    struct lane_change_answer answer;
    ASSERT_TRUE(lane_change_answer(lane, 0, &answer));
    ASSERT_EQ(answer.event, RAFT_CHANGE_STARTED);
    struct view_member learner = {};
    learner.id = 2;
    learner.known = true;
    learner.incarnation = own_incarnation + 1;
    learner.ip = 0x0a4d0002u;
    learner.lane_count = 1;
    learner.port[0] = 7700;
    view.member[1] = learner;
    view.member_count = 2;
    view.epoch++;
    view_publish(cell, &view);
    pass(30);
    struct wire_raft append, reply = {};
    ASSERT_TRUE(told(2, WIRE_APPEND, &append));
    reply.kind = WIRE_APPEND_REPLY;
    reply.flags = WIRE_RAFT_REJECTED;
    reply.term = append.term;
    reply.round = append.round;
    tell(2, reply);
    pass(30);
    const struct lane_note *wanted = note();
    ASSERT_NE(wanted, nullptr);
    EXPECT_EQ(wanted->kind, LANE_NOTE_WANTED);
    pass(100);
    EXPECT_EQ(note(), nullptr) << "said once";
    lane_snapshot_ask(lane, 0);
    poll();
    const struct lane_note *marked = note();
    ASSERT_NE(marked, nullptr);
    ASSERT_EQ(marked->kind, LANE_NOTE_MARKED);
    struct raft_snapshot snapshot = marked->snapshot;
    EXPECT_EQ(snapshot.members.count, 2u);
    state_capture_abandon(lane_state_to_walk(lane, 0));
    EXPECT_TRUE(lane_snapshot_taken(lane, 0, &snapshot, false));
    pass(30);
    const struct lane_note *offered = note();
    ASSERT_NE(offered, nullptr);
    EXPECT_EQ(offered->kind, LANE_NOTE_OFFERED);
    EXPECT_EQ(offered->member, 2u);
    EXPECT_FALSE(offered->witness);
    EXPECT_EQ(offered->index, snapshot.index);
    EXPECT_TRUE(lane_snapshot_failed(lane, 0, 2));
    pass(30);
    ASSERT_NE(offered = note(), nullptr) << "offered again";
    EXPECT_EQ(offered->kind, LANE_NOTE_OFFERED);
    port.sent.clear();
    uint8_t bytes[256];
    struct wire_writer writer = {bytes, sizeof bytes, 0, 0};
    struct wire_chunk_ack ack = {};
    ack.id = {snapshot.index, snapshot.term, 1, 2};
    ASSERT_TRUE(wire_put_chunk_ack(&writer, &ack));
    EXPECT_TRUE(lane_send(lane, 0, 2, bytes, writer.bytes));
    poll();
    ASSERT_EQ(port.sent.size(), 1u) << "what the keeper sends goes through the lane's port";
    EXPECT_TRUE(lane_snapshot_sent(lane, 0, 2, snapshot.index));
    pass(30);
    ASSERT_TRUE(told(2, WIRE_APPEND, &append));
    EXPECT_EQ(append.index, snapshot.index) << "the log goes on behind it";
}

/* ---- receiving ------------------------------------------------------------------------------- */

TEST_F(Notes, ChunksAndAcksOfMembersGoToTheKeeper)
{
    start(3);
    poll();
    chunk_from(2, 1024);
    const struct lane_note *chunk = note();
    ASSERT_NE(chunk, nullptr);
    EXPECT_EQ(chunk->kind, LANE_NOTE_CHUNK);
    EXPECT_EQ(chunk->member, 2u);
    struct wire_view body = lane_note_view(chunk);
    struct wire_chunk decoded;
    ASSERT_EQ(wire_get_chunk(&body, &decoded), WIRE_OK);
    EXPECT_EQ(decoded.id.sum, 99u);
    EXPECT_EQ(decoded.bytes, 1024u);
    EXPECT_EQ(decoded.data[1023], 7u);
    struct wire_chunk_ack ack = {};
    ack.id = {20, 3, 99, 5000};
    ack.run = 5;
    put_from(3,
             [&ack](struct wire_writer *writer) { ASSERT_TRUE(wire_put_chunk_ack(writer, &ack)); });
    const struct lane_note *said = note();
    ASSERT_NE(said, nullptr);
    EXPECT_EQ(said->kind, LANE_NOTE_ACK);
    body = lane_note_view(said);
    struct wire_chunk_ack heard;
    ASSERT_EQ(wire_get_chunk_ack(&body, &heard), WIRE_OK);
    EXPECT_EQ(heard.run, 5u);
    put_from(3, [&ack](struct wire_writer *writer) {
        ASSERT_TRUE(wire_put_chunk_ack(writer, &ack));
        std::memset(writer->data + writer->bytes - 8, 0xff, 4); /* the status */
    });
    EXPECT_EQ(note(), nullptr);
    uint64_t refused[WIRE_REFUSAL_COUNT];
    lane_wire_counters(lane, refused);
    EXPECT_EQ(refused[WIRE_REFUSED_CHUNK], 1u);
}

TEST_F(Notes, AKeeperThatIsBehindIsNotFlooded)
{
    start(3);
    poll();
    for (int i = 0; i < 4000; i++)
        chunk_from(2, 1024);
    EXPECT_GT(counted(LANE_KEEPER_BEHIND), 0u);
    lane_snapshot_ask(lane, 0);
    poll();
    uint32_t chunks = 0, others = 0;
    for (const struct lane_note *next = note(); next != nullptr; next = note())
        (next->kind == LANE_NOTE_CHUNK ? chunks : others)++;
    EXPECT_GT(chunks, 500u);
    EXPECT_EQ(others, 1u) << "what the lane itself has to say found room";
    state_capture_abandon(lane_state_to_walk(lane, 0));
}

TEST_F(Notes, ASnapshotTakesThePlaceOfStateAndLog)
{
    start(3);
    poll();
    append_from(2, 3, 0, 0, 1);
    pass(2);
    ASSERT_EQ(applied(), 1u);
    struct raft_snapshot snapshot = snapshot_at(20, 3);
    offer_from(2, 4, snapshot);
    const struct lane_note *comes = note();
    ASSERT_NE(comes, nullptr);
    EXPECT_EQ(comes->kind, LANE_NOTE_COMES);
    EXPECT_EQ(comes->member, 2u);
    EXPECT_EQ(comes->snapshot.index, 20u);
    EXPECT_EQ(comes->snapshot.term, 3u);
    EXPECT_EQ(comes->snapshot.members.count, 3u);
    EXPECT_FALSE(comes->witness);
    struct state *loaded = load(20);
    const struct state *former = lane_state(lane, 0);
    EXPECT_TRUE(lane_snapshot_install(lane, 0, &snapshot, loaded));
    port.sent.clear();
    pass(3);
    const struct lane_note *installed = note();
    ASSERT_NE(installed, nullptr);
    EXPECT_EQ(installed->kind, LANE_NOTE_INSTALLED);
    EXPECT_EQ(lane_state(lane, 0), loaded);
    EXPECT_NE(lane_state(lane, 0), former);
    EXPECT_EQ(applied(), 20u);
    EXPECT_EQ(log_first_index(lane_log(lane, 0)), 21u);
    ASSERT_EQ(disk.released.size(), 1u);
    EXPECT_EQ(disk.released[0].index, 20u);
    EXPECT_EQ(disk.released[0].term, 3u);
    struct wire_raft reply;
    ASSERT_TRUE(told(2, WIRE_APPEND_REPLY, &reply));
    EXPECT_EQ(reply.index, 20u);
    append_from(2, 4, 20, 3, 21);
    pass(2);
    EXPECT_EQ(applied(), 21u) << "and goes on behind it";
    raft_check(lane_raft(lane, 0));
}

TEST_F(Notes, OneOfWhatIsCommittedHereIsNotInstalled)
{
    start(3);
    poll();
    append_from(2, 3, 0, 0, 1);
    pass(2);
    struct raft_snapshot snapshot = snapshot_at(1, 3);
    offer_from(2, 3, snapshot);
    EXPECT_EQ(note(), nullptr) << "not even wanted";
    const struct state *former = lane_state(lane, 0);
    EXPECT_TRUE(lane_snapshot_install(lane, 0, &snapshot, load(1)));
    pass(2);
    const struct lane_note *refused = note();
    ASSERT_NE(refused, nullptr);
    EXPECT_EQ(refused->kind, LANE_NOTE_NOT_INSTALLED);
    EXPECT_EQ(lane_state(lane, 0), former);
}

/* The walk of the former state goes on; the new one waits for it. */
TEST_F(Notes, AnInstallationWaitsForAWalk)
{
    start(3);
    poll();
    append_from(2, 3, 0, 0, 1);
    pass(2);
    lane_snapshot_ask(lane, 0);
    poll();
    ASSERT_EQ(note()->kind, LANE_NOTE_MARKED);
    struct raft_snapshot snapshot = snapshot_at(20, 3);
    offer_from(2, 3, snapshot);
    ASSERT_EQ(note()->kind, LANE_NOTE_COMES);
    struct state *former = lane_state_to_walk(lane, 0);
    EXPECT_TRUE(lane_snapshot_install(lane, 0, &snapshot, load(20)));
    pass(5);
    EXPECT_EQ(lane_state(lane, 0), former);
    EXPECT_EQ(note(), nullptr);
    append_from(2, 3, 20, 3, 21);
    pass(2);
    state_capture_abandon(former);
    pass(3);
    EXPECT_EQ(applied(), 21u);
    ASSERT_NE(note(), nullptr);
}

/* What has to be applied before the log can go. */
TEST_F(Notes, RoomByRoomItComesToTheSame)
{
    start(3);
    poll();
    append_from(2, 3, 0, 0, 1);
    struct raft_snapshot snapshot = snapshot_at(20, 3);
    offer_from(2, 3, snapshot);
    ASSERT_EQ(note()->kind, LANE_NOTE_COMES);
    EXPECT_TRUE(lane_snapshot_install(lane, 0, &snapshot, load(20)));
    for (int i = 0; i < 5; i++) {
        port.now_ns += 1000000;
        poll_split();
    }
    ASSERT_NE(note(), nullptr);
    EXPECT_EQ(applied(), 20u);
}

/* ---- after a restart ------------------------------------------------------------------------- */

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
