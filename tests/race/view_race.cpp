/* Readers spin on a view whose fields all follow from its epoch, while control replaces it without
 * a pause: two of liburcu's threads and two polling cores, one of each kind napping. */
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

extern "C" {
#include "dataplane/view/view.h"
}

static constexpr uint64_t kPublishes = 1000;

static view view_of(uint64_t epoch)
{
    view v = {};
    v.epoch = epoch;
    v.cluster = epoch * 3;
    v.config_hash = epoch * 5;
    v.member_count = VIEW_MEMBERS_MAX;
    for (uint16_t i = 0; i < VIEW_MEMBERS_MAX; i++) {
        v.member[i].id = i;
        v.member[i].incarnation = epoch * 7 + i;
    }
    return v;
}

static bool whole(const view *v)
{
    bool good = v->cluster == v->epoch * 3 && v->config_hash == v->epoch * 5;
    for (uint16_t i = 0; i < VIEW_MEMBERS_MAX; i++)
        good &= v->member[i].incarnation == v->epoch * 7 + i;
    return good;
}

TEST(ViewRace, ReadersSeeWholeViewsWhileControlReplacesThem)
{
    std::unique_ptr<uint8_t[]> memory(new uint8_t[view_cell_footprint()]);
    view first = view_of(1);
    view_cell *cell = view_cell_init(memory.get(), &first);
    std::atomic<uint64_t> torn{0}, backwards{0}, reads{0};
    auto reader = [&](void (*enroll)(), bool naps) {
        enroll();
        uint64_t seen = 0;
        for (uint64_t turn = 0; seen < kPublishes; turn++) {
            const view *v = view_read(cell);
            if (v->epoch < seen)
                backwards++;
            seen = v->epoch;
            if (!whole(v))
                torn++;
            reads++;
            view_quiescent();
            if (naps && turn % 64 == 0) {
                view_offline();
                std::this_thread::yield();
                view_online();
            }
        }
        view_thread_unregister();
    };
    std::thread a(reader, view_thread_register, false), b(reader, view_thread_register, true);
    std::thread c(reader, view_core_register, false), d(reader, view_core_register, true);
    for (uint64_t epoch = 2; epoch <= kPublishes; epoch++) {
        view next = view_of(epoch);
        view_publish(cell, &next);
    }
    a.join();
    b.join();
    c.join();
    d.join();
    EXPECT_EQ(torn, 0u);
    EXPECT_EQ(backwards, 0u);
    EXPECT_GT(reads, 0u);
}
