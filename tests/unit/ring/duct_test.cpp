#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <thread>

extern "C" {
#include "dataplane/ring/duct.h"
}

namespace
{

struct Free {
    void operator()(void *memory) const
    {
        free(memory);
    }
};

struct Duct {
    std::unique_ptr<void, Free> memory;
    struct duct *duct;
    Duct(uint32_t frames, uint32_t payload_bytes)
    {
        size_t bytes = (duct_footprint(frames, payload_bytes) + 63) & ~size_t{63};
        memory.reset(aligned_alloc(64, bytes));
        memset(memory.get(), 0xa5, bytes);
        duct = duct_init(memory.get(), frames, payload_bytes);
    }
};

TEST(Duct, FootprintRefusesWhatTheHeaderRefuses)
{
    EXPECT_EQ(duct_footprint(0, 100), 0u);
    EXPECT_EQ(duct_footprint(6, 100), 0u);
    EXPECT_EQ(duct_footprint(8, 0), 0u);
    EXPECT_EQ(duct_footprint(8, 65508), 0u);
    EXPECT_NE(duct_footprint(8, 65507), 0u);
}

TEST(Duct, CarriesBothWaysAndKeepsThePeer)
{
    Duct d(4, 100);
    for (enum duct_side side : {DUCT_EDGE, DUCT_LANE}) {
        enum duct_side other = side == DUCT_EDGE ? DUCT_LANE : DUCT_EDGE;
        struct frame frame = {}, got = {};
        ASSERT_EQ(duct_take(d.duct, side, &frame, 1), 1u);
        EXPECT_EQ(frame.bytes, 0u);
        EXPECT_EQ(frame.capacity, 100u);
        memcpy(frame.data, "hello", 5);
        frame.bytes = 5;
        frame.peer.port = 3;
        duct_send(d.duct, side, &frame, 1);
        EXPECT_EQ(duct_receive(d.duct, side, &got, 1), 0u) << "a side must not hear itself";
        ASSERT_EQ(duct_receive(d.duct, other, &got, 1), 1u);
        EXPECT_EQ(got.bytes, 5u);
        EXPECT_EQ(got.peer.ip, 0u);
        EXPECT_EQ(got.peer.port, 3u);
        EXPECT_EQ(memcmp(got.data, "hello", 5), 0);
        duct_free(d.duct, other, &got, 1);
    }
}

TEST(Duct, TakesFewerWhileTheOtherSideIsSlowAndNeverLosesABuffer)
{
    Duct d(4, 64);
    struct frame frames[8];
    for (int turn = 0; turn < 10; turn++) {
        ASSERT_EQ(duct_take(d.duct, DUCT_EDGE, frames, 8), 4u);
        std::set<uint8_t *> distinct;
        for (int i = 0; i < 4; i++)
            distinct.insert(frames[i].data);
        EXPECT_EQ(distinct.size(), 4u);
        EXPECT_EQ(duct_take(d.duct, DUCT_EDGE, frames + 4, 1), 0u);
        duct_send(d.duct, DUCT_EDGE, frames, 3);
        duct_free(d.duct, DUCT_EDGE, frames + 3, 1); /* taken, not sent */
        EXPECT_EQ(duct_take(d.duct, DUCT_EDGE, frames + 4, 8 - 4), 1u);
        duct_free(d.duct, DUCT_EDGE, frames + 4, 1);
        ASSERT_EQ(duct_receive(d.duct, DUCT_LANE, frames, 8), 3u);
        duct_free(d.duct, DUCT_LANE, frames, 3);
    }
}

TEST(Duct, BuffersDoNotOverlap)
{
    Duct d(8, 70); /* not a multiple of anything */
    struct frame frames[16];
    ASSERT_EQ(duct_take(d.duct, DUCT_EDGE, frames, 8), 8u);
    ASSERT_EQ(duct_take(d.duct, DUCT_LANE, frames + 8, 8), 8u);
    for (int i = 0; i < 16; i++)
        memset(frames[i].data, i, 70);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 70; j++)
            ASSERT_EQ(frames[i].data[j], i);
}

TEST(Duct, TwoThreadsAskAndAnswer)
{
    const uint64_t total = 20000;
    Duct d(16, 64);
    std::thread lane([&] {
        for (uint64_t answered = 0; answered < total;) {
            struct frame in, out;
            if (duct_receive(d.duct, DUCT_LANE, &in, 1) == 0) {
                std::this_thread::yield();
                continue;
            }
            while (duct_take(d.duct, DUCT_LANE, &out, 1) == 0)
                std::this_thread::yield();
            uint64_t number;
            memcpy(&number, in.data, 8);
            number *= 3;
            memcpy(out.data, &number, 8);
            out.bytes = 8;
            duct_send(d.duct, DUCT_LANE, &out, 1);
            duct_free(d.duct, DUCT_LANE, &in, 1);
            answered++;
        }
    });
    uint64_t asked = 0, heard = 0;
    while (heard < total) {
        struct frame frame;
        if (asked < total && duct_take(d.duct, DUCT_EDGE, &frame, 1) == 1) {
            memcpy(frame.data, &asked, 8);
            frame.bytes = 8;
            duct_send(d.duct, DUCT_EDGE, &frame, 1);
            asked++;
        }
        if (duct_receive(d.duct, DUCT_EDGE, &frame, 1) == 1) {
            uint64_t number;
            memcpy(&number, frame.data, 8);
            EXPECT_EQ(number, heard * 3);
            duct_free(d.duct, DUCT_EDGE, &frame, 1);
            heard++;
        } else {
            std::this_thread::yield();
        }
    }
    lane.join();
}

TEST(DuctDeathTest, SendingMoreThanABufferHoldsIsOurOwnMistake)
{
    Duct d(4, 64);
    struct frame frame;
    ASSERT_EQ(duct_take(d.duct, DUCT_EDGE, &frame, 1), 1u);
    frame.bytes = 65;
    EXPECT_DEATH(duct_send(d.duct, DUCT_EDGE, &frame, 1), "broken");
}

} // namespace
