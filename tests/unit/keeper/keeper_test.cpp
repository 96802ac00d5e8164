/* Two keepers, each with the fake of a lane, in one thread: taken, sent, received, installed, found
 * again; and what happens where something is lost, full, damaged or late. */
#include "tests/unit/keeper/fake_lane.h"

#include <algorithm>
#include <csignal>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include "dataplane/log/storage_calls.h"
#include "dataplane/view/view.h"
#include "numa/topology.h"
}

namespace
{

constexpr state_config kConfig = {1024, 4u << 20, 0};
constexpr uint64_t kSecond = 1000000000;

struct Node {
    std::string path = "/tmp/quorate-keeper-XXXXXX";
    Replica replica;
    lane door;
    keeper *it = nullptr;
    keeper_config config = {};
    std::vector<std::string> said;

    void make(uint16_t id, const topology *machine)
    {
        ASSERT_NE(mkdtemp(&path[0]), nullptr);
        config.self = id;
        config.group_count = 1;
        config.lane_count = 1;
        config.data = path.c_str();
        config.state = kConfig;
        config.run = 1;
        config.topology = machine;
        config.say = [](void *domain, const char *sentence) {
            static_cast<Node *>(domain)->said.emplace_back(sentence);
        };
        config.say_domain = this;
        door.self = id;
        replica.open(kConfig.keys_max, kConfig.bytes_max);
        door.now = replica.get_state();
        start();
    }

    void start(const storage *disk = nullptr)
    {
        char error[KEEPER_ERROR_MAX];
        it = keeper_open(&config, error);
        ASSERT_NE(it, nullptr) << error;
        keeper_identify(it, 11, 12);
        keeper_serve(it, 0, &door, disk);
    }

    /* kill -9, and once more: what is in memory is gone. */
    void restart()
    {
        keeper_close(it);
        config.run += 1000000;
        door.notes.clear();
        door.loaded = nullptr;
        start();
    }

    uint64_t count(keeper_event event) const
    {
        uint64_t counters[KEEPER_EVENT_COUNT];
        keeper_counters(it, counters);
        return counters[event];
    }

    void fill(uint32_t keys, uint32_t bytes = 100)
    {
        random_state random;
        random_init(&random, 7);
        for (uint32_t i = 0; i < keys; i++) {
            std::string value(bytes, ' ');
            for (char &c : value)
                c = static_cast<char>(random_below(&random, 256));
            replica.run(set("key" + std::to_string(i), value));
        }
    }

    std::vector<std::string> files() const
    {
        std::vector<std::string> names;
        DIR *listing = opendir(path.c_str());
        while (const dirent *entry = readdir(listing))
            if (entry->d_name[0] != '.')
                names.emplace_back(entry->d_name);
        closedir(listing);
        std::sort(names.begin(), names.end());
        return names;
    }

    std::string name(uint64_t index) const
    {
        char text[64];
        (void)snprintf(text, sizeof text, "node-%u-group-0-%020llu.snap", unsigned{config.self},
                       static_cast<unsigned long long>(index));
        return text;
    }

    /* Found again, into a state of its own. */
    uint64_t recover(Replica &into)
    {
        raft_snapshot of;
        state *found = nullptr;
        into.open(kConfig.keys_max, kConfig.bytes_max);
        return keeper_load(it, 0, into.get_state(), &kConfig, &of, &found) ? of.index : 0;
    }

    void bend(const std::string &file, size_t at)
    {
        std::fstream out(path + "/" + file, std::ios::in | std::ios::out | std::ios::binary);
        out.seekg(static_cast<std::streamoff>(at));
        char byte = static_cast<char>(out.get() ^ 8);
        out.seekp(static_cast<std::streamoff>(at));
        out.put(byte);
    }

    void unmake()
    {
        keeper_close(it);
        EXPECT_EQ(system(("rm -r " + path).c_str()), 0);
    }
};

class Keeper : public ::testing::Test
{
  protected:
    topology machine_ = {};
    Node a_, b_;
    uint64_t now_ = kSecond;

    void SetUp() override
    {
        ASSERT_EQ(topology_init(&machine_, nullptr), TOPOLOGY_READ);
        view_thread_register();
        a_.make(1, &machine_);
        b_.make(2, &machine_);
        a_.door.peer = &b_.door;
        b_.door.peer = &a_.door;
    }

    void TearDown() override
    {
        a_.unmake();
        b_.unmake();
        view_thread_unregister();
        topology_fini(&machine_);
    }

    /* A turn of everybody, a millisecond later; the lanes' rooms between. */
    void turn()
    {
        now_ += 1000000;
        for (Node *node : {&a_, &b_}) {
            node->door.mark();
            (void)keeper_turn(node->it, now_);
            if (state_capture_phase(node->door.now) == STATE_CAPTURE_WALKED)
                state_capture_end(node->door.now);
        }
    }

    template <typename Done>::testing::AssertionResult turns_until(Done done, uint32_t most = 30000)
    {
        for (uint32_t i = 0; i < most; i++) {
            if (done())
                return ::testing::AssertionSuccess();
            turn();
        }
        return ::testing::AssertionFailure() << "not within " << most << " turns";
    }

    uint64_t take(Node &node)
    {
        size_t before = node.door.taken.size();
        node.door.note(LANE_NOTE_WANTED);
        EXPECT_TRUE(turns_until([&] { return node.door.taken.size() > before; }));
        return node.door.taken.empty() ? 0 : node.door.taken.back().index;
    }

    void offer(uint64_t index)
    {
        a_.door.note(LANE_NOTE_OFFERED, 2, index);
        b_.door.note(LANE_NOTE_COMES, 1, index);
    }

    /* The lane puts it in place, and says so. */
    void install(Node &node)
    {
        ASSERT_TRUE(turns_until([&] { return node.door.loaded != nullptr; }));
        node.door.now = node.door.loaded;
        node.door.loaded = nullptr;
        node.door.note(LANE_NOTE_INSTALLED);
    }
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

TEST_F(Keeper, IsStreamedAndInstalled)
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

TEST_F(Keeper, TheOldStateIsTheSpareOnceItsReadersHaveReported)
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

TEST_F(Keeper, WhatIsNotNeededLeavesTheOldStateInItsPlace)
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

TEST_F(Keeper, LossOnTheWayIsMadeGood)
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

TEST_F(Keeper, FullDoorwaysOnlyDelay)
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

TEST_F(Keeper, AReceiverThatStartsAgainIsOfferedItAgain)
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

TEST_F(Keeper, ASilentReceiverIsGivenUp)
{
    a_.fill(10);
    uint64_t index = take(a_);
    a_.door.peer = nullptr;
    a_.door.note(LANE_NOTE_OFFERED, 2, index);
    ASSERT_TRUE(turns_until([&] { return a_.door.failed == 1; }));
    EXPECT_EQ(a_.count(KEEPER_SEND_SILENT), 1u);
}

TEST_F(Keeper, AWitnessIsSentNothing)
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

TEST_F(Keeper, WhatCanNotBeReadIsNotSentButTaken)
{
    a_.fill(10);
    a_.door.note(LANE_NOTE_OFFERED, 2, 5);
    ASSERT_TRUE(turns_until([&] { return a_.door.failed == 1; }));
    EXPECT_EQ(a_.count(KEEPER_SEND_NO_FILE), 1u);
    ASSERT_TRUE(turns_until([&] { return a_.door.taken.size() == 1; }));
}

TEST_F(Keeper, MoreReceiversThanPlacesAreToldToComeAgain)
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

TEST_F(Keeper, ANewerOfferTakesThePlaceOfAnOlderOne)
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

TEST_F(Keeper, WhatIsNotWhatWasOfferedIsRefused)
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

TEST_F(Keeper, BytesThatWereBentInTheFileAreRefused)
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

TEST_F(Keeper, AFullDiskRefusesAndIsTriedAgain)
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

TEST_F(Keeper, AFloodOfPiecesEndsInAnswersAndNothingElse)
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
