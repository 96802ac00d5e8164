/* Sent, received, installed; and what happens where something is lost, full, damaged or late. */
#include "tests/unit/keeper/keeper_fixture.h"

#include <csignal>
#include <sys/resource.h>

namespace
{

class KeeperTransfer : public KeeperTest
{
};

TEST_F(KeeperTransfer, IsStreamedAndInstalled)
{
    a_.fill(900, 900);
    uint64_t index = take(a_);
    uint64_t digest = state_digest(a_.door.now);
    state *old = b_.door.now;
    offer(index);
    install(b_);
    EXPECT_TRUE(a_.door.sent.empty()) << "whole is said when it is in its place";
    EXPECT_EQ(state_digest(b_.door.now), digest);
    EXPECT_NE(b_.door.now, old);
    EXPECT_EQ(b_.door.loaded_of.members.count, 1u);
    ASSERT_TRUE(turns_until([&] { return a_.door.sent.size() == 1; }));
    EXPECT_EQ(a_.door.sent[0], index);
    EXPECT_EQ(b_.files(), std::vector<std::string>{b_.name(index)});
    EXPECT_EQ(b_.count(KEEPER_INSTALLED), 1u);
    Replica found;
    EXPECT_EQ(b_.recover(found), index);
}

TEST_F(KeeperTransfer, TheOldStateIsTheSpareOnceItsReadersHaveReported)
{
    state *first = b_.door.now;
    a_.fill(100);
    offer(take(a_));
    install(b_);
    turn();
    a_.fill(100);
    offer(take(a_));
    for (uint32_t i = 0; i < 1000; i++)
        turn();
    EXPECT_EQ(b_.door.loaded, nullptr) << "somebody may look at the old state still";
    EXPECT_EQ(state_applied_index(first), 0u) << "untouched";
    view_offline();
    view_synchronize();
    view_synchronize();
    view_online();
    install(b_);
    EXPECT_EQ(b_.door.now, first);
    EXPECT_EQ(state_digest(b_.door.now), state_digest(a_.door.now));
    /* The memory that the lane gave is its own again before it goes. */
}

TEST_F(KeeperTransfer, WhatIsNotNeededLeavesTheOldStateInItsPlace)
{
    state *old = b_.door.now;
    a_.fill(100);
    for (uint32_t i = 0; i < 2; i++) {
        offer(take(a_));
        ASSERT_TRUE(turns_until([&] { return b_.door.loaded != nullptr; }));
        b_.door.loaded = nullptr;
        b_.door.note(LANE_NOTE_NOT_INSTALLED);
        ASSERT_TRUE(turns_until([&] { return a_.door.sent.size() == i + 1; }));
        a_.fill(100);
    }
    EXPECT_EQ(b_.door.now, old);
    EXPECT_EQ(b_.count(KEEPER_NOT_NEEDED), 2u);
}

TEST_F(KeeperTransfer, LossOnTheWayIsMadeGood)
{
    uint32_t count = 0;
    a_.fill(900, 900);
    uint64_t index = take(a_);
    auto third = [&](const lane_note &) { return ++count % 3 == 0; };
    a_.door.lost = third;
    b_.door.lost = third;
    offer(index);
    install(b_);
    ASSERT_TRUE(turns_until([&] { return a_.door.sent.size() == 1; }));
    EXPECT_EQ(state_digest(b_.door.now), state_digest(a_.door.now));
}

TEST_F(KeeperTransfer, FullDoorwaysOnlyDelay)
{
    a_.fill(300);
    a_.door.note(LANE_NOTE_WANTED);
    a_.door.full = b_.door.full = true;
    for (uint32_t i = 0; i < 100; i++)
        turn();
    EXPECT_EQ(a_.count(KEEPER_TAKEN), 1u);
    EXPECT_TRUE(a_.door.taken.empty());
    a_.door.full = false;
    turn();
    ASSERT_EQ(a_.door.taken.size(), 1u);
    offer(300);
    for (uint32_t i = 0; i < 200; i++) {
        a_.door.full = i % 2 == 0;
        b_.door.full = i % 3 != 0;
        turn();
    }
    a_.door.full = b_.door.full = false;
    install(b_);
    ASSERT_TRUE(turns_until([&] { return a_.door.sent.size() == 1; }));
}

TEST_F(KeeperTransfer, AReceiverThatStartsAgainIsOfferedItAgain)
{
    a_.fill(900, 900);
    uint64_t index = take(a_);
    offer(index);
    for (uint32_t i = 0; i < 5; i++)
        turn();
    ASSERT_EQ(b_.files(), std::vector<std::string>{b_.name(index).replace(36, 4, "part")});
    b_.restart();
    EXPECT_TRUE(b_.files().empty());
    ASSERT_TRUE(turns_until([&] { return a_.door.failed == 1; }, 3000)) << "before the silence";
    EXPECT_GE(b_.count(KEEPER_STRAY_CHUNK), 1u);
    EXPECT_EQ(a_.count(KEEPER_SEND_REFUSED), 1u);
    offer(index);
    install(b_);
    EXPECT_EQ(state_digest(b_.door.now), state_digest(a_.door.now));
}

TEST_F(KeeperTransfer, ASilentReceiverIsGivenUp)
{
    a_.fill(10);
    uint64_t index = take(a_);
    a_.door.peer = nullptr;
    a_.door.note(LANE_NOTE_OFFERED, 2, index);
    ASSERT_TRUE(turns_until([&] { return a_.door.failed == 1; }));
    EXPECT_EQ(a_.count(KEEPER_SEND_SILENT), 1u);
}

TEST_F(KeeperTransfer, AWitnessIsSentNothing)
{
    lane_note note = {};
    note.kind = LANE_NOTE_OFFERED;
    note.member = 2;
    note.index = 5;
    note.term = 1;
    note.witness = true;
    a_.door.note(note);
    turn();
    EXPECT_EQ(a_.door.sent, std::vector<uint64_t>{5});
    EXPECT_TRUE(b_.door.notes.empty());
    note.kind = LANE_NOTE_COMES;
    b_.door.note(note);
    turn();
    EXPECT_EQ(b_.count(KEEPER_WITNESS), 1u);
}

TEST_F(KeeperTransfer, WhatCanNotBeReadIsNotSentButTaken)
{
    a_.fill(10);
    a_.door.note(LANE_NOTE_OFFERED, 2, 5);
    ASSERT_TRUE(turns_until([&] { return a_.door.failed == 1; }));
    EXPECT_EQ(a_.count(KEEPER_SEND_NO_FILE), 1u);
    ASSERT_TRUE(turns_until([&] { return a_.door.taken.size() == 1; }));
}

TEST_F(KeeperTransfer, MoreReceiversThanPlacesAreToldToComeAgain)
{
    a_.fill(10);
    uint64_t index = take(a_);
    a_.door.peer = nullptr;
    for (uint16_t member = 1; member <= KEEPER_SENDERS_MAX + 1; member++)
        a_.door.note(LANE_NOTE_OFFERED, static_cast<uint16_t>(member + 1), index);
    turn();
    EXPECT_EQ(a_.count(KEEPER_SEND_CROWDED), 1u);
    EXPECT_EQ(a_.door.failed, 1u);
}

TEST_F(KeeperTransfer, ANewerOfferTakesThePlaceOfAnOlderOne)
{
    a_.fill(900, 900);
    offer(take(a_));
    for (uint32_t i = 0; i < 5; i++)
        turn();
    a_.door.lost = [](const lane_note &) { return true; };
    a_.fill(10);
    uint64_t newer = take(a_);
    a_.door.lost = nullptr;
    offer(newer);
    install(b_);
    EXPECT_EQ(b_.door.loaded_of.index, newer);
    EXPECT_EQ(b_.count(KEEPER_GIVEN_UP), 1u);
    ASSERT_TRUE(turns_until([&] { return a_.door.sent.size() == 1; }));
    EXPECT_EQ(b_.files(), std::vector<std::string>{b_.name(newer)});
}

TEST_F(KeeperTransfer, WhatIsNotWhatWasOfferedIsRefused)
{
    a_.fill(100);
    uint64_t index = take(a_);
    keeper_identify(b_.it, 11, 13); /* of another configuration */
    offer(index);
    ASSERT_TRUE(turns_until([&] { return a_.door.failed == 1; }));
    EXPECT_EQ(b_.count(KEEPER_RECEIVED_BAD), 1u);
    EXPECT_TRUE(b_.files().empty());
    EXPECT_EQ(b_.said.size(), 1u);
}

TEST_F(KeeperTransfer, BytesThatWereBentInTheFileAreRefused)
{
    a_.fill(900, 900);
    uint64_t index = take(a_);
    a_.bend(a_.name(index), 100000);
    offer(index);
    ASSERT_TRUE(turns_until([&] { return a_.door.failed == 1; }));
    EXPECT_EQ(b_.count(KEEPER_RECEIVED_BAD), 1u);
    EXPECT_TRUE(b_.files().empty());
    EXPECT_EQ(b_.door.loaded, nullptr);
}

TEST_F(KeeperTransfer, AFullDiskRefusesAndIsTriedAgain)
{
    a_.fill(900, 900);
    uint64_t index = take(a_);
    rlimit before, small = {65536, RLIM_INFINITY};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    small.rlim_max = before.rlim_max;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    offer(index);
    EXPECT_TRUE(turns_until([&] { return a_.door.failed == 1; }));
    EXPECT_EQ(b_.count(KEEPER_NOT_STORED), 1u);
    EXPECT_TRUE(b_.files().empty());
    a_.fill(1);
    a_.door.note(LANE_NOTE_WANTED);
    EXPECT_TRUE(turns_until([&] { return a_.count(KEEPER_NOT_TAKEN) == 1; }));
    EXPECT_EQ(a_.said.size(), 1u);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    ASSERT_TRUE(turns_until([&] { return a_.door.taken.size() == 2; })) << "by itself";
    offer(a_.door.taken.back().index);
    install(b_);
    EXPECT_EQ(state_digest(b_.door.now), state_digest(a_.door.now));
}

TEST_F(KeeperTransfer, AFloodOfPiecesEndsInAnswersAndNothingElse)
{
    uint8_t message[1400], data[512] = {};
    wire_writer writer = {message, sizeof message, 0, 0};
    wire_chunk chunk = {};
    chunk.id = {9, 1, 7, 1024};
    chunk.unit = 512;
    chunk.bytes = sizeof data;
    uint8_t *to = wire_put_chunk(&writer, &chunk);
    ASSERT_NE(to, nullptr);
    memcpy(to, data, sizeof data);
    b_.door.full = true; /* no answer finds room */
    for (uint32_t i = 0; i < 1000; i++) {
        lane_note note = {};
        note.kind = LANE_NOTE_CHUNK;
        note.member = 1;
        note.body_bytes = load_u32(message) - WIRE_MESSAGE_BYTES;
        b_.door.note(note, message + WIRE_MESSAGE_BYTES);
    }
    EXPECT_TRUE(keeper_turn(b_.it, now_)) << "a turn is bounded";
    EXPECT_FALSE(b_.door.notes.empty());
    ASSERT_TRUE(turns_until([&] { return b_.door.notes.empty(); }, 100));
    EXPECT_EQ(b_.count(KEEPER_STRAY_CHUNK), 1000u);
    EXPECT_TRUE(b_.files().empty());
}

} // namespace
