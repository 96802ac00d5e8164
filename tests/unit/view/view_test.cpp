#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>

extern "C" {
#include "dataplane/view/view.h"
}

static view view_of(uint64_t epoch, std::initializer_list<uint16_t> ids)
{
    view v = {};
    v.epoch = epoch;
    for (uint16_t id : ids)
        v.member[v.member_count++].id = id;
    return v;
}

class ViewCell : public ::testing::Test
{
  protected:
    std::unique_ptr<uint8_t[]> memory_{new uint8_t[view_cell_footprint()]};

    view_cell *open(const view &first)
    {
        return view_cell_init(memory_.get(), &first);
    }
};

TEST_F(ViewCell, FirstViewIsReadUntilTheNextIsPublished)
{
    view_cell *cell = open(view_of(1, {3}));
    EXPECT_EQ(view_read(cell)->epoch, 1u);
    for (uint64_t epoch = 2; epoch < 10; epoch++) {
        view next = view_of(epoch, {3, 4});
        view_publish(cell, &next);
        EXPECT_EQ(view_read(cell)->epoch, epoch);
        EXPECT_EQ(view_read(cell)->member_count, 2u);
    }
}

TEST_F(ViewCell, EpochsRise)
{
    view_cell *cell = open(view_of(5, {}));
    view same = view_of(5, {});
    EXPECT_DEATH(view_publish(cell, &same), "broken");
}

TEST_F(ViewCell, MembersAreFoundByIdAndStrangersAreNot)
{
    view v = view_of(1, {2, 5, 9});
    EXPECT_EQ(view_member_find(&v, 2), &v.member[0]);
    EXPECT_EQ(view_member_find(&v, 5), &v.member[1]);
    EXPECT_EQ(view_member_find(&v, 9), &v.member[2]);
    for (uint16_t id : {0, 1, 3, 8, 10, 65535})
        EXPECT_EQ(view_member_find(&v, id), nullptr) << id;
    view empty = view_of(1, {});
    EXPECT_EQ(view_member_find(&empty, 0), nullptr);
}

TEST_F(ViewCell, GracePeriodCompletesWhatItStarted)
{
    uint64_t tag = view_epoch_started();
    EXPECT_LE(view_epoch_completed(), tag);
    view_synchronize();
    EXPECT_GT(view_epoch_completed(), tag);
    EXPECT_EQ(view_epoch_completed(), view_epoch_started());
}

/* Readers of both kinds: liburcu's threads, and polling cores. */
class ViewReader : public ViewCell, public ::testing::WithParamInterface<void (*)()>
{
};
INSTANTIATE_TEST_SUITE_P(Kinds, ViewReader,
                         ::testing::Values(view_thread_register, view_core_register));

/* A reader that is online and silent holds the old view: publish must not come back before it
 * reports. */
TEST_P(ViewReader, PublishWaitsForEveryOnlineReader)
{
    view_cell *cell = open(view_of(1, {1}));
    std::atomic<bool> holding{false}, published{false};
    bool returned_early = false;
    uint64_t seen = 0;
    std::thread reader([&] {
        GetParam()();
        const view *held = view_read(cell);
        holding = true;
        while (view_read(cell)->epoch == 1)
            std::this_thread::yield();
        returned_early = published;
        seen = held->epoch;
        view_quiescent();
        view_offline();
        view_thread_unregister();
    });
    while (!holding)
        std::this_thread::yield();
    view next = view_of(2, {1});
    view_publish(cell, &next);
    published = true;
    reader.join();
    EXPECT_FALSE(returned_early);
    EXPECT_EQ(seen, 1u);
}

TEST_P(ViewReader, OfflineReaderHoldsNobodyUp)
{
    std::atomic<bool> offline{false}, leave{false};
    std::thread sleeper([&] {
        GetParam()();
        view_offline();
        offline = true;
        while (!leave)
            std::this_thread::yield();
        view_online();
        view_thread_unregister();
    });
    while (!offline)
        std::this_thread::yield();
    uint64_t before = view_epoch_completed();
    view_synchronize();
    EXPECT_EQ(view_epoch_completed(), before + 1);
    leave = true;
    sleeper.join();
}

TEST_P(ViewReader, WhoComesOnlineAgainIsWaitedFor)
{
    std::atomic<bool> online{false}, report{false}, synchronized{false};
    bool returned_early = false;
    std::thread reader([&] {
        GetParam()();
        view_offline();
        view_online();
        online = true;
        while (!report)
            std::this_thread::yield();
        returned_early = synchronized;
        view_quiescent();
        view_thread_unregister();
    });
    while (!online)
        std::this_thread::yield();
    uint64_t started = view_epoch_started();
    std::thread control([&] {
        view_synchronize();
        synchronized = true;
    });
    while (view_epoch_started() == started)
        std::this_thread::yield();
    for (int i = 0; i < 1000; i++)
        std::this_thread::yield();
    report = true;
    reader.join();
    control.join();
    EXPECT_FALSE(returned_early);
}

TEST_F(ViewCell, PlacesOfCoresThatEndedAreTakenAgain)
{
    for (uint32_t i = 0; i < 2 * VIEW_CORES_MAX; i++)
        std::thread([] {
            view_core_register();
            view_thread_unregister();
        }).join();
    uint64_t before = view_epoch_completed();
    view_synchronize();
    EXPECT_EQ(view_epoch_completed(), before + 1);
}
