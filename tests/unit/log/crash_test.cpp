/* Crashes: what a start finds on a disk that tore or forgot what had not been reported. */
#include "tests/unit/log/wal_fixture.h"

class WalCrash : public WalFixture
{
  protected:
    /* A start after this crash finds what was reported, and goes on from there. */
    void expect_crash_survived(const Disk &image, size_t *state)
    {
        Disk copy;
        copy.bytes = image.bytes;
        Found found;
        ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
        ASSERT_FALSE(found.any_damaged());
        *state = state_number(found.model);
        ASSERT_LT(*state, history_.size()) << "never was";
        ASSERT_GE(*state, stored_) << "reported and lost";
        go_on(copy, found.model);
    }

    /* Writes on this disk, and starts twice more: nothing left over comes back. */
    void go_on(Disk &disk, Model expected)
    {
        void *memory;
        wal_refusal refusal;
        Found again;
        storage *storage = open_on(disk, config_, &memory, &refusal);
        ASSERT_NE(storage, nullptr);
        storage_write write = {};
        write.seq = 1;
        write.term = expected[0].term + 1;
        write.vote = 2;
        EXPECT_EQ(storage_submit(storage, &write, 1, &logs_[0], 0), 1u);
        while (storage_poll(storage, 0) == 0) {
        }
        wal_close(storage);
        free(memory);
        expected[0].term++;
        expected[0].vote = 2;
        for (int i = 0; i < 2; i++) {
            ASSERT_EQ(start_on(disk, &again), WAL_OPENED);
            ASSERT_FALSE(again.any_damaged());
            ASSERT_TRUE(again.model == expected);
        }
    }
};

/* Every way in which the sectors of the writes in flight can be cut: what is there of the first and
 * of the second, from the front, from the back, and one sector alone. */
class WalCut : public WalCrash, public ::testing::WithParamInterface<uint32_t>
{
  protected:
    static std::vector<std::vector<bool>> cuts(size_t sectors)
    {
        std::vector<std::vector<bool>> all;
        for (size_t i = 0; i <= sectors; i++) {
            std::vector<bool> front(sectors), back(sectors), one(sectors);
            for (size_t s = 0; s < sectors; s++) {
                front[s] = s < i;
                back[s] = s >= i;
                one[s] = s == i;
            }
            all.insert(all.end(), {front, back, one});
        }
        return all;
    }

    void cut_all()
    {
        size_t flying = disk_.flying.size();
        std::vector<bool> seen(history_.size());
        auto none = std::vector<bool>();
        auto second = flying == 2 ? cuts(disk_.flying[1].bytes.size() / 512)
                                  : std::vector<std::vector<bool>>{none};
        for (const auto &a : cuts(disk_.flying[0].bytes.size() / 512))
            for (const auto &b : second) {
                Disk image;
                image.bytes = disk_.bytes;
                image.place(disk_.flying[0], a);
                if (flying == 2)
                    image.place(disk_.flying[1], b);
                size_t state = 0;
                ASSERT_NO_FATAL_FAILURE(expect_crash_survived(image, &state));
                seen[state] = true;
            }
        EXPECT_TRUE(seen[stored_]) << "nothing was ever cut";
        EXPECT_TRUE(seen[seq_]) << "nothing ever survived";
    }

    /* 0: it has been released before. */
    uint64_t term_of(uint16_t group, uint64_t index) const
    {
        auto at = model_[group].entries.find(index);
        return at == model_[group].entries.end() ? 0 : at->second.first;
    }
};

TEST_P(WalCut, AnyCutOfWritesInFlightIsSurvived)
{
    config_.in_flight = GetParam();
    fill();
    uint64_t highest = 0;
    for (int round = 0; round < 24; round++) { /* once around the ring of segments */
        uint64_t last0 = model_[0].entries.rbegin()->first;
        uint64_t last1 = model_[1].entries.empty() ? 7 : model_[1].entries.rbegin()->first;
        disk_.hold = true;
        uint64_t before = seq_;
        ASSERT_TRUE(put(0, last0 + 1, 3, 4, 1000));
        poll();
        if (GetParam() == 2) {
            ASSERT_TRUE(put(1, last1, 1, 4, 50));
            poll();
        }
        ASSERT_EQ(disk_.flying.size(), GetParam());
        ASSERT_EQ(stored_, before);
        highest = std::max(highest, disk_.flying[0].offset);
        ASSERT_NO_FATAL_FAILURE(cut_all());
        disk_.hold = false;
        while (poll() < seq_) {
        }
        storage_release(storage_, 0, last0, term_of(0, last0));
        uint64_t released1 = GetParam() == 2 ? last1 - 1 : last1;
        storage_release(storage_, 1, released1, term_of(1, released1));
        model_[0].entries.erase(model_[0].entries.begin(), model_[0].entries.upper_bound(last0));
        model_[1].entries.erase(model_[1].entries.begin(),
                                model_[1].entries.upper_bound(released1));
        poll();
        poll();
        history_.assign(history_.size(), model_); /* what was released counts no more */
    }
    EXPECT_LT(disk_.written.back().offset, highest) << "no segment was used again";
}

INSTANTIATE_TEST_SUITE_P(InFlight, WalCut, ::testing::Values(1u, 2u));

/* Any walk: writes of all kinds, completions in any order, releases, and at the end of each life a
 * power cut that keeps any of the sectors in flight. */
class WalWalk : public WalCrash
{
  protected:
    struct State {
        uint64_t seq; /* this write and all before are in it */
        Model model;
        bool whole; /* and nothing of a later one */
    };

    uint64_t below(uint64_t bound)
    {
        return random_below(&random_, bound);
    }

    bool chance(uint64_t percent)
    {
        return below(100) < percent;
    }

    /* Parts of a write may survive: each of its prefixes is a state, of the write before. */
    void put_any()
    {
        auto group = static_cast<uint16_t>(below(2));
        GroupModel before = model_[group];
        uint64_t last = before.entries.empty() ? before.released : before.entries.rbegin()->first;
        uint64_t first = last + 1, term = std::max<uint64_t>(before.term, 1);
        auto count = static_cast<uint32_t>(chance(20) ? 0 : 1 + below(5));
        if (chance(20))
            term++;
        if (count != 0 && chance(15) && last > before.released)
            first = before.released + 1 + below(last - before.released);
        auto body = static_cast<uint32_t>(below(chance(50) ? 1000 : 30));
        bool taken = put(group, first, count, term, body, static_cast<uint16_t>(below(3)));
        Model part = model_;
        for (uint32_t i = 1; i <= count; i++) {
            part[group].entries = model_[group].entries;
            part[group].entries.erase(part[group].entries.upper_bound(first + i - 1),
                                      part[group].entries.end());
            states_.push_back({i == count ? seq_ : seq_ - 1, part, i == count});
        }
        if (count == 0)
            states_.push_back({seq_, model_, true});
        /* Votes and replacements may use up what is kept for them: then this life is over. */
        for (int turn = 0; !taken && !stuck_; turn++) {
            stuck_ = turn == 100;
            step_disk();
            if (storage_full(storage_))
                release_all();
            taken = again();
        }
        stuck_count_ += stuck_;
    }

    void release_all()
    {
        for (uint16_t group = 0; group < 2; group++)
            release(group, 100);
    }

    /* Only what is stored is ever released: it was applied, and a snapshot holds it. */
    void release(uint16_t group, uint64_t percent)
    {
        GroupModel &model = model_[group];
        const Model *durable = nullptr;
        for (const State &state : states_)
            if (state.seq <= stored_ && state.whole)
                durable = &state.model;
        if (model.entries.empty() || durable == nullptr || (*durable)[group].entries.empty())
            return;
        /* As far as no later write has truncated it. */
        uint64_t to = model.released;
        for (auto &entry : (*durable)[group].entries) {
            auto now = model.entries.find(entry.first);
            if (now == model.entries.end() || now->second != entry.second)
                break;
            if (chance(percent))
                to = entry.first;
        }
        if (to <= model.released)
            return;
        storage_release(storage_, group, to, model.entries[to].first);
        log_release(logs_[group], to);
        for (State &state : states_)
            forget(state.model[group], to);
        forget(model, to);
    }

    static void forget(GroupModel &model, uint64_t to)
    {
        model.released = std::max(model.released, to);
        model.entries.erase(model.entries.begin(), model.entries.upper_bound(to));
    }

    void step_disk()
    {
        poll();
        if (!disk_.flying.empty())
            disk_.finish(below(disk_.flying.size()));
        poll();
    }

    void live()
    {
        stuck_ = false;
        for (uint64_t steps = 5 + below(60); steps-- > 0 && !stuck_;) {
            put_any();
            poll();
            while (chance(40))
                step_disk();
            if (chance(10))
                release(static_cast<uint16_t>(below(2)), 50);
        }
    }

    /* What a release may have let go of is asked for no more. */
    void die_and_start()
    {
        Disk image;
        image.bytes = disk_.bytes;
        uint64_t kind = below(4);
        for (const Disk::Flying &write : disk_.flying) {
            std::vector<bool> kept(write.bytes.size() / 512);
            size_t cut = below(kept.size() + 1);
            for (size_t i = 0; i < kept.size(); i++)
                kept[i] = kind == 0   ? chance(50)
                          : kind == 1 ? i < cut
                          : kind == 2 ? i >= cut
                                      : true;
            image.place(write, kept);
        }
        disk_.hold = false;
        wal_close(storage_);
        storage_ = nullptr;
        disk_.bytes = image.bytes;
        disk_.flying.clear();
        disk_.done.clear();
        disk_.written.clear();
        std::vector<State> states = states_;
        uint64_t stored = stored_;
        open();
        Found found;
        ASSERT_NO_FATAL_FAILURE(look(storage_, config_, &found));
        ASSERT_FALSE(found.any_damaged());
        bool known = false;
        for (const State &state : states) {
            Model expected = state.model;
            for (uint16_t group = 0; group < 2; group++)
                forget(expected[group], found.model[group].released);
            Model actual = found.model;
            for (uint16_t group = 0; group < 2; group++) /* released, and not durably so */
                forget(actual[group], state.model[group].released);
            known = known || (state.seq >= stored && actual == expected);
        }
        ASSERT_TRUE(known) << "lost, or never was";
        model_ = found.model;
        begin_life();
    }

    void begin_life()
    {
        for (uint16_t group = 0; group < 2; group++) {
            free_log(logs_[group]);
            logs_[group] = make_log(group, model_[group].released + 1);
            for (auto &entry : model_[group].entries) {
                wire_entry *room = log_append(logs_[group], entry.first, entry.second.second);
                room->kind = WIRE_ENTRY_COMMAND;
                room->term = entry.second.first;
                memset(room + 1, body_byte(entry.first, entry.second.first),
                       (entry.second.second + 7u) & ~7u);
            }
        }
        states_ = {{0, model_, true}};
        disk_.hold = true;
    }

    random_state random_;
    std::vector<State> states_;
    bool stuck_ = false;
    uint32_t stuck_count_ = 0;
};

TEST_F(WalWalk, NothingReportedIsEverLost)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        SCOPED_TRACE(seed);
        random_init(&random_, seed);
        config_.in_flight = static_cast<uint32_t>(1 + seed % 2);
        disk_ = Disk();
        model_.clear();
        if (storage_ != nullptr)
            wal_close(storage_);
        storage_ = nullptr;
        ASSERT_NO_FATAL_FAILURE(open());
        begin_life();
        for (int lives = 0; lives < 8; lives++) {
            ASSERT_NO_FATAL_FAILURE(live());
            ASSERT_NO_FATAL_FAILURE(die_and_start());
        }
    }
    EXPECT_LT(stuck_count_, 3u);
}
