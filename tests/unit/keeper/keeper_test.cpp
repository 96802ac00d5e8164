/* Taken, by wish and by policy, and found again at a start. */
#include "tests/unit/keeper/keeper_fixture.h"

namespace
{

class Keeper : public KeeperTest
{
};

TEST_F(Keeper, TakesWhatIsWantedAndKeepsTheNewestTwo)
{
    for (uint32_t i = 0; i < 4; i++) {
        a_.fill(50);
        EXPECT_EQ(take(a_), 50 * (i + 1));
    }
    EXPECT_EQ(a_.files(), (std::vector<std::string>{a_.name(150), a_.name(200)}));
    keeper_group_report report;
    ASSERT_TRUE(keeper_report(a_.it, 0, &report));
    EXPECT_EQ(report.index, 200u);
    EXPECT_GT(report.bytes, 5000u);
    EXPECT_FALSE(report.taking);
    EXPECT_EQ(a_.count(KEEPER_TAKEN), 4u);
    EXPECT_FALSE(a_.door.taken_all[0]);
    EXPECT_FALSE(keeper_report(a_.it, 1, &report)) << "no such group";
}

TEST_F(Keeper, TheOperatorIsToldTheNameOfASnapshotThatBeganAfterHeAsked)
{
    a_.fill(10);
    struct keeper_answer answer;
    EXPECT_EQ(keeper_ask(a_.it, 1), 0u);
    uint64_t ticket = keeper_ask(a_.it, 0);
    EXPECT_FALSE(keeper_answer(a_.it, 0, ticket, &answer));
    ASSERT_TRUE(turns_until([&] { return keeper_answer(a_.it, 0, ticket, &answer); }));
    EXPECT_EQ(answer.refusal, SNAPSHOT_OK);
    EXPECT_EQ(answer.name, a_.name(10));
    uint64_t next = keeper_ask(a_.it, 0);
    EXPECT_FALSE(keeper_answer(a_.it, 0, next, &answer));
}

TEST_F(Keeper, NothingIsTakenBeforeTheClusterIsKnown)
{
    a_.fill(10);
    keeper_identify(a_.it, 0, 0);
    a_.door.note(LANE_NOTE_WANTED);
    for (uint32_t i = 0; i < 100; i++)
        turn();
    EXPECT_EQ(a_.door.asked, 0u);
}

TEST_F(Keeper, AForgottenMarkIsTakenAgainLater)
{
    a_.fill(10);
    a_.door.note(LANE_NOTE_WANTED);
    (void)keeper_turn(a_.it, now_);
    ASSERT_EQ(state_capture_phase(a_.door.now), STATE_CAPTURE_ASKED);
    state_capture_begin(a_.door.now);
    a_.door.note(LANE_NOTE_UNMARKED);
    turn();
    EXPECT_EQ(a_.count(KEEPER_UNMARKED), 1u);
    turn();
    EXPECT_EQ(a_.door.asked, 1u) << "not at once";
    ASSERT_TRUE(turns_until([&] { return a_.door.taken.size() == 1; }));
}

TEST_F(Keeper, AWalkThatIsOutrunIsTakenAgainLater)
{
    a_.fill(1000, 1000);
    a_.replica.reclaiming = false;
    a_.door.note(LANE_NOTE_WANTED);
    (void)keeper_turn(a_.it, now_);
    a_.door.mark();
    for (uint32_t round = 0; round < 3; round++) /* all is replaced before the walk begins */
        for (uint32_t i = 0; i < 1000 && state_can_apply(a_.door.now); i++)
            a_.replica.run(set("key" + std::to_string(i), std::string(1000, 'x')));
    ASSERT_TRUE(turns_until([&] { return a_.count(KEEPER_OVERRUN) == 1; }));
    EXPECT_TRUE(a_.files().empty());
    a_.replica.reclaim();
    a_.replica.reclaim();
    ASSERT_TRUE(turns_until([&] { return a_.door.taken.size() == 1; }));
}

TEST_F(Keeper, ADamagedFileIsPassedOverAtAStart)
{
    a_.fill(500);
    uint64_t older = take(a_);
    a_.fill(500);
    uint64_t newer = take(a_);
    std::ofstream(a_.path + "/" + a_.name(1) + ".new") << "what a crash left";
    Replica found;
    EXPECT_EQ(a_.recover(found), newer);
    EXPECT_EQ(state_digest(found.get_state()), state_digest(a_.door.now));
    a_.bend(a_.name(newer), 3000);
    a_.restart();
    EXPECT_EQ(a_.recover(found), older);
    EXPECT_EQ(a_.count(KEEPER_FILE_PASSED_OVER), 1u);
    ASSERT_EQ(a_.said.size(), 1u);
    a_.bend(a_.name(older), 3000);
    EXPECT_EQ(a_.recover(found), 0u);
    keeper_identify(a_.it, 12, 12);
    a_.bend(a_.name(older), 3000);
    EXPECT_EQ(a_.recover(found), 0u) << "of another cluster";
}

/* ---- policy ---------------------------------------------------------------------------------- */

struct Disk {
    storage head;
    struct storage_report report;
};

void report_disk(const storage *it, struct storage_report *report)
{
    *report = reinterpret_cast<const Disk *>(it)->report;
}

TEST_F(Keeper, ALogThatHasGrownIsCutAndAScarceOneForgetsAll)
{
    static const storage_calls calls = {"test",  nullptr, nullptr, nullptr,
                                        nullptr, nullptr, nullptr, report_disk};
    Disk disk = {{&calls}, {}};
    disk.report.capacity_bytes = 1000000;
    disk.report.room_bytes = 900000;
    a_.config.snapshot_after_bytes = 10000;
    a_.config.pinned_by = [](const storage *, uint16_t *group) {
        *group = 0;
        return true;
    };
    keeper_close(a_.it);
    a_.start(&disk.head);
    a_.fill(10);
    for (uint32_t i = 0; i < 3000; i++)
        turn();
    EXPECT_EQ(a_.door.asked, 0u);
    disk.report.write_bytes = 10000;
    ASSERT_TRUE(turns_until([&] { return a_.door.taken.size() == 1; }, 3000));
    EXPECT_FALSE(a_.door.taken_all[0]);
    disk.report.room_bytes = 400000;
    for (uint32_t i = 0; i < 3000; i++)
        turn();
    EXPECT_EQ(a_.door.asked, 1u) << "there is nothing newer to take";
    a_.fill(10);
    ASSERT_TRUE(turns_until([&] { return a_.door.taken.size() == 2; }, 3000));
    EXPECT_TRUE(a_.door.taken_all[1]);
}

TEST_F(Keeper, WithoutDataItHasAFolderOfItsOwnUntilItGoes)
{
    keeper_close(a_.it);
    a_.config.data = nullptr;
    ASSERT_EQ(setenv("TMPDIR", a_.path.c_str(), 1), 0);
    a_.start();
    EXPECT_TRUE(a_.files().empty()) << "made when it is needed";
    a_.fill(100);
    offer(take(a_));
    EXPECT_EQ(a_.files().size(), 1u);
    install(b_);
    keeper_close(a_.it);
    EXPECT_TRUE(a_.files().empty());
    ASSERT_EQ(unsetenv("TMPDIR"), 0);
    a_.config.data = "/nowhere/at/all";
    char error[KEEPER_ERROR_MAX];
    EXPECT_EQ(keeper_open(&a_.config, error), nullptr);
    EXPECT_NE(strstr(error, "/nowhere/at/all"), nullptr);
    a_.config.data = a_.path.c_str();
    a_.start();
}

TEST(KeeperEvents, HaveNamesAndSentences)
{
    EXPECT_STREQ(keeper_event_name(KEEPER_OVERRUN), "OVERRUN");
    EXPECT_NE(strstr(keeper_event_sentence(KEEPER_OVERRUN), "walk"), nullptr);
}

} // namespace
