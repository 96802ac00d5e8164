/* Snapshots between a lane and its keeper, whom the test plays. */
#include "tests/unit/pipeline/notes_fixture.h"

namespace
{

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

} // namespace
