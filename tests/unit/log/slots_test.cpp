#include "tests/unit/log/log_fixture.h"

#include <algorithm>
#include <map>
#include <set>

class LogSlots : public LogFixture
{
  protected:
    static void fill_slot(uint8_t *slot, uint32_t offset, uint64_t index, uint64_t term,
                          uint32_t body_bytes)
    {
        auto *entry = reinterpret_cast<wire_entry *>(slot + offset);
        *entry = wire_entry{};
        entry->body_bytes = body_bytes;
        fill(entry, index, term);
    }

    /* Entries of 4096 bytes from `index` on, at most `count`; returns the index after the last that
     * fitted. */
    uint64_t fill_with_blocks(uint64_t index, uint64_t count)
    {
        for (; count > 0 && append(index, 1, 4096 - WIRE_ENTRY_BYTES); count--)
            index++;
        return index;
    }
};

TEST_F(LogSlots, ReservedSlotBecomesAnEntry)
{
    open(1024);
    ASSERT_TRUE(append(1, 1, 10));
    uint8_t *slot = log_reserve(log_, 64 + wire_entry_size(5000));
    ASSERT_NE(slot, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(slot) % 8, 0u);
    ASSERT_TRUE(append(2, 1, 10));
    fill_slot(slot, 64, 3, 1, 5000);
    ASSERT_TRUE(log_adopt(log_, slot, 64, 3));
    expect_entry(2, 1, 10);
    expect_entry(3, 1, 5000);
    std::vector<uint8_t> to(8192);
    EXPECT_EQ(log_copy(log_, 1, 3, 1, to.data(), 8192),
              2 * wire_entry_size(10) + wire_entry_size(5000));
}

TEST_F(LogSlots, AdoptRefusesWhatDoesNotLieInTheSlot)
{
    open(1024);
    uint8_t *slot = log_reserve(log_, 1000);
    fill_slot(slot, 64, 1, 1, 1000 - 64 - WIRE_ENTRY_BYTES);
    EXPECT_FALSE(log_adopt(log_, slot, 60, 1)) << "not aligned";
    reinterpret_cast<wire_entry *>(slot + 72)->body_bytes = 1000 - 64 - WIRE_ENTRY_BYTES;
    EXPECT_FALSE(log_adopt(log_, slot, 72, 1)) << "reaches over the end";
    EXPECT_FALSE(log_adopt(log_, slot, 960, 1)) << "header reaches over the end";
    EXPECT_FALSE(log_adopt(log_, slot, 4096, 1)) << "begins behind the end";
    reinterpret_cast<wire_entry *>(slot + 64)->body_bytes = UINT32_MAX;
    EXPECT_FALSE(log_adopt(log_, slot, 64, 1)) << "absurd length";
    EXPECT_EQ(log_last_index(log_), 0u);
    fill_slot(slot, 64, 1, 1, 1000 - 64 - WIRE_ENTRY_BYTES);
    EXPECT_TRUE(log_adopt(log_, slot, 64, 1));
}

TEST_F(LogSlots, AtMostSlotsMaxAtATime)
{
    open(1024);
    EXPECT_EQ(log_reserve(log_, 0), nullptr);
    std::vector<uint8_t *> slots;
    for (uint32_t i = 0; i < LOG_SLOTS_MAX; i++)
        slots.push_back(log_reserve(log_, 100));
    EXPECT_EQ(std::count(slots.begin(), slots.end(), nullptr), 0);
    EXPECT_EQ(log_reserve(log_, 100), nullptr);
    log_abandon(log_, slots[10]);
    EXPECT_NE(log_reserve(log_, 100), nullptr);
}

TEST_F(LogSlots, ReservedSlotHoldsTheTail)
{
    open(1u << 16);
    uint8_t *slot = log_reserve(log_, 4096);
    uint64_t index = 1;
    while (append(index, 1, 4096 - WIRE_ENTRY_BYTES)) {
        log_release(log_, index);
        index++;
    }
    EXPECT_EQ(index, kBytes / 4096) << "everything but the slot";
    log_abandon(log_, slot);
    EXPECT_TRUE(append(index, 1, 4096 - WIRE_ENTRY_BYTES));
}

/* An adopted entry lies below entries of lower index: their release must not free its bytes. */
TEST_F(LogSlots, AdoptedEntryHoldsTheTail)
{
    open(1u << 16);
    uint8_t *slot = log_reserve(log_, 4096);
    uint64_t index = fill_with_blocks(1, 1000);
    fill_slot(slot, 0, index, 1, 4096 - WIRE_ENTRY_BYTES);
    ASSERT_TRUE(log_adopt(log_, slot, 0, index));
    log_release(log_, index - 500);
    EXPECT_EQ(fill_with_blocks(index + 1, UINT64_MAX) - index - 1, kBytes / 4096 - 1001)
        << "all that lies above";
    expect_entry(index, 1, 4096 - WIRE_ENTRY_BYTES);
    log_release(log_, index - 1);
    EXPECT_FALSE(log_fits(log_, 1, 4096));
    log_release(log_, index);
    EXPECT_TRUE(log_fits(log_, 1, 4096)) << "its own release does";
}

/* The later adopted lies lowest and stands for the earlier one, until a truncation takes it
 * away. */
TEST_F(LogSlots, TruncationUncoversWhatALowerRecordStoodFor)
{
    open(1u << 16);
    uint8_t *low = log_reserve(log_, 4096), *high = log_reserve(log_, 4096);
    uint64_t index = fill_with_blocks(1, 1000);
    fill_slot(high, 0, index, 1, 4096 - WIRE_ENTRY_BYTES);
    ASSERT_TRUE(log_adopt(log_, high, 0, index));
    fill_slot(low, 0, index + 1, 1, 4096 - WIRE_ENTRY_BYTES);
    ASSERT_TRUE(log_adopt(log_, low, 0, index + 1));
    ASSERT_TRUE(append(index + 1, 1, 4096 - WIRE_ENTRY_BYTES));
    log_release(log_, index - 500);
    EXPECT_GT(fill_with_blocks(index + 2, UINT64_MAX), index + 1000);
    expect_entry(index, 1, 4096 - WIRE_ENTRY_BYTES);
}

TEST_F(LogSlots, TruncatedAdoptedEntryHoldsNothing)
{
    open(1u << 16);
    uint8_t *slot = log_reserve(log_, 4096);
    uint64_t index = fill_with_blocks(1, 1000);
    fill_slot(slot, 0, index, 1, 4096 - WIRE_ENTRY_BYTES);
    ASSERT_TRUE(log_adopt(log_, slot, 0, index));
    log_release(log_, index - 1);
    uint64_t end = fill_with_blocks(index, UINT64_MAX);
    EXPECT_EQ(end - index, kBytes / 4096) << "the whole ring";
}

TEST_F(LogSlots, CopyAcrossTheEndOfTheRing)
{
    open(1u << 16);
    constexpr uint64_t blocks = kBytes / 4096;
    fill_with_blocks(1, blocks);
    log_release(log_, 10);
    fill_with_blocks(blocks + 1, 10);
    std::vector<uint8_t> to(20 * 4096);
    ASSERT_EQ(log_copy(log_, blocks - 9, 20, 1, to.data(), 20 * 4096), 20u * 4096);
    std::vector<uint32_t> sizes(20, 4096 - WIRE_ENTRY_BYTES);
    EXPECT_EQ(to, run(blocks - 9, 1, sizes));
}

TEST_F(LogSlots, AbandonedSlotsNeverLockTheLog)
{
    open(1024);
    ASSERT_TRUE(append(1, 1, 100));
    for (int i = 0; i < 100; i++) {
        uint8_t *slot = log_reserve(log_, 1u << 20);
        ASSERT_NE(slot, nullptr);
        log_abandon(log_, slot);
    }
    expect_entry(1, 1, 100);
}

TEST_F(LogSlots, ForeignSlotIsABrokenPromise)
{
    open(1024);
    uint8_t other[64];
    EXPECT_DEATH(log_abandon(log_, other), "broken");
}

/* The dumb twin: entries and slots as lists; every needed byte range is checked against every new
 * one. */
class LogTwin : public LogSlots
{
  protected:
    struct record {
        uint64_t term;
        uint32_t body_bytes;
    };
    struct slot {
        uint8_t *at;
        uint32_t bytes;
    };
    std::map<uint64_t, record> entries_; /* not released */
    std::vector<slot> slots_;
    uint64_t released_ = 0;
    uint64_t last_ = 0;
    uint64_t term_ = 1;
    random_state random_ = {};

    uint32_t body_bytes()
    {
        uint64_t kind = random_below(&random_, 100);
        uint64_t most = kind < 30   ? 200
                        : kind < 60 ? 9000
                        : kind < 96 ? 300000
                                    : WIRE_BODY_BYTES_MAX;
        return static_cast<uint32_t>(random_below(&random_, most + 1));
    }

    uint64_t next_index()
    {
        if (random_below(&random_, 40) != 0 || last_ == released_)
            return last_ + 1;
        term_++;
        return released_ + 1 + random_below(&random_, last_ - released_);
    }

    void note(uint64_t index, uint32_t body_bytes)
    {
        entries_.erase(entries_.lower_bound(index), entries_.end());
        entries_[index] = {term_, body_bytes};
        last_ = index;
    }

    void expect_disjoint()
    {
        std::map<uintptr_t, uintptr_t> ranges;
        for (auto &[index, r] : entries_) {
            auto at = reinterpret_cast<uintptr_t>(log_entry(log_, index));
            ranges[at] = at + wire_entry_size(r.body_bytes);
        }
        for (auto &s : slots_)
            ranges[reinterpret_cast<uintptr_t>(s.at)] = reinterpret_cast<uintptr_t>(s.at) + s.bytes;
        ASSERT_EQ(ranges.size(), entries_.size() + slots_.size());
        uintptr_t end = 0;
        for (auto &[from, to] : ranges) {
            ASSERT_LE(end, from);
            end = to;
        }
    }

    void expect_twins()
    {
        ASSERT_EQ(log_last_index(log_), last_);
        ASSERT_LE(log_first_index(log_), released_ + 1);
        ASSERT_LE(log_bytes_used(log_), kBytes);
        for (auto &[index, r] : entries_)
            expect_entry(index, r.term, r.body_bytes);
        for (auto &s : slots_)
            ASSERT_EQ(std::count(s.at, s.at + s.bytes, 0xab), s.bytes);
        expect_disjoint();
    }

    void append_one()
    {
        uint64_t index = next_index();
        uint32_t body = body_bytes();
        bool fits = log_fits(log_, 1, wire_entry_size(body));
        bool done = append(index, term_, body);
        if (index == last_ + 1) {
            ASSERT_EQ(done, fits);
        } else {
            ASSERT_TRUE(done || !fits);
        }
        if (done)
            note(index, body);
    }

    void append_many()
    {
        uint64_t index = next_index();
        std::vector<uint32_t> sizes(1 + random_below(&random_, 20));
        for (auto &size : sizes)
            size = static_cast<uint32_t>(random_below(&random_, 300));
        if (append_run(index, term_, sizes))
            for (size_t i = 0; i < sizes.size(); i++)
                note(index + i, sizes[i]);
    }

    /* What was promised for the whole must hold for its parts, and when it truncates first. */
    void append_promised()
    {
        std::vector<uint32_t> sizes(1 + random_below(&random_, 5));
        uint64_t bytes = 0;
        for (auto &size : sizes) {
            size = body_bytes();
            bytes += wire_entry_size(size);
        }
        uint64_t index = next_index();
        if (!log_fits(log_, static_cast<uint32_t>(sizes.size()), bytes))
            return;
        for (size_t i = 0; i < sizes.size(); i++) {
            ASSERT_TRUE(append(index + i, term_, sizes[i]));
            note(index + i, sizes[i]);
        }
    }

    void reserve_one()
    {
        uint32_t bytes = 112 + body_bytes();
        uint8_t *at = log_reserve(log_, bytes);
        if (at == nullptr)
            return;
        memset(at, 0xab, bytes);
        slots_.push_back({at, bytes});
    }

    void settle_one()
    {
        if (slots_.empty())
            return;
        size_t number = random_below(&random_, slots_.size());
        slot s = slots_[number];
        uint64_t index = next_index();
        uint32_t body = s.bytes - 112;
        fill_slot(s.at, 56, index, term_, body);
        if (random_below(&random_, 3) == 0 || !log_adopt(log_, s.at, 56, index))
            log_abandon(log_, s.at);
        else
            note(index, body);
        slots_.erase(slots_.begin() + static_cast<std::ptrdiff_t>(number));
    }

    void release_some()
    {
        if (last_ == released_)
            return;
        released_ += random_below(&random_, last_ - released_ + 1);
        log_release(log_, released_);
        entries_.erase(entries_.begin(), entries_.upper_bound(released_));
    }
};

TEST_F(LogTwin, RandomWalks)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        random_init(&random_, seed);
        entries_.clear();
        slots_.clear();
        released_ = last_ = 0;
        open(seed % 2 == 0 ? 64 : 4096);
        for (int step = 0; step < 1500; step++) {
            uint64_t what = random_below(&random_, 100);
            if (what < 30)
                append_one();
            else if (what < 45)
                append_promised();
            else if (what < 65)
                append_many();
            else if (what < 78)
                reserve_one();
            else if (what < 90)
                settle_one();
            else
                release_some();
            if (step % 16 == 0)
                expect_twins();
            if (HasFatalFailure())
                FAIL() << "seed " << seed << " step " << step;
        }
        /* With nothing needed any more, the whole half ring is free again. */
        for (auto &s : slots_)
            log_abandon(log_, s.at);
        log_release(log_, last_);
        ASSERT_TRUE(log_fits(log_, 1, kBytes / 2));
        ASSERT_NE(log_append(log_, last_ + 1, WIRE_BODY_BYTES_MAX), nullptr);
    }
}

TEST_F(LogSlots, TheSlotThatHoldsUpTheTailIsNamed)
{
    open(1u << 14);
    EXPECT_EQ(log_slot_in_the_way(log_), nullptr) << "none is reserved";
    ASSERT_TRUE(append(1, 1, 10));
    uint8_t *slot = log_reserve(log_, 4096), *second = log_reserve(log_, 4096);
    EXPECT_EQ(log_slot_in_the_way(log_), nullptr) << "entry 1 lies before it and is needed";
    log_release(log_, 1);
    EXPECT_EQ(log_slot_in_the_way(log_), slot);
    uint64_t next = fill_with_blocks(2, UINT64_MAX);
    log_release(log_, next - 1);
    EXPECT_FALSE(log_fits(log_, 1, 4096)) << "all are released, and yet the log is full";
    log_abandon(log_, log_slot_in_the_way(log_));
    EXPECT_EQ(log_slot_in_the_way(log_), second);
    log_abandon(log_, second);
    EXPECT_EQ(log_slot_in_the_way(log_), nullptr);
    EXPECT_TRUE(log_fits(log_, 1, 4096));
}
