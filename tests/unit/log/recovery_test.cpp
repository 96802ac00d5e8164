/* Rot: what a start finds on a disk that lost, swapped or flipped what had been reported. */
#include "tests/unit/log/wal_fixture.h"

class WalRecovery : public WalFixture
{
  protected:
    void expect_all(const Found &found)
    {
        EXPECT_FALSE(found.any_damaged());
        EXPECT_EQ(state_number(found.model), seq_);
    }
};

TEST_F(WalRecovery, FindsWhatWasStored)
{
    fill();
    Found found;
    Disk copy = disk_;
    ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
    expect_all(found);
    EXPECT_EQ(found.boots, 2u);
    ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
    expect_all(found);
    EXPECT_EQ(found.boots, 3u);
    EXPECT_EQ(copy.unsynced, 0u);
}

TEST_F(WalRecovery, AFreshLogHasNothingAndSaysSo)
{
    open();
    storage_recovered recovered;
    EXPECT_FALSE(wal_recover(storage_, 0, &recovered));
    open();
    ASSERT_TRUE(wal_recover(storage_, 0, &recovered));
    EXPECT_EQ(recovered.boots, 2u);
    EXPECT_EQ(recovered.term, 0u);
    EXPECT_EQ(recovered.vote, 0xffffu);
    EXPECT_EQ(recovered.first, 1u);
    EXPECT_EQ(recovered.last, 0u);
    EXPECT_FALSE(recovered.damaged);
}

/* As of the newest record with entries; at most what that has. */
TEST_F(WalRecovery, SaysWhatIsKnownToBeCommitted)
{
    const struct {
        uint64_t first;
        uint32_t count;
        uint64_t commit, expected;
    } writes[] = {{1, 4, 0, 0}, {5, 2, 3, 3}, {0, 0, 6, 3},
                  {7, 1, 9, 7}, {8, 1, 7, 7}, {8, 2, 8, 8}};
    open();
    for (const auto &write : writes) {
        commit_ = write.commit;
        store(0, write.first, write.count, 1 + seq_, 100);
        Disk copy = disk_;
        void *memory;
        wal_refusal refusal;
        storage *storage = open_on(copy, config_, &memory, &refusal);
        ASSERT_NE(storage, nullptr);
        storage_recovered recovered;
        ASSERT_TRUE(wal_recover(storage, 0, &recovered));
        EXPECT_EQ(recovered.commit, write.expected) << write.first << " " << write.commit;
        ASSERT_TRUE(wal_recover(storage, 1, &recovered));
        EXPECT_EQ(recovered.commit, 0u);
        wal_close(storage);
        free(memory);
    }
}

/* Behind a gap an entry may be an older one than what was committed in its place. */
TEST_F(WalRecovery, BehindAGapNothingIsKnownToBeCommitted)
{
    open();
    for (uint64_t i = 1; i <= 6; i++) {
        commit_ = i - 1;
        store(0, i, 1, 1, 900);
    }
    disk_.bytes[disk_.written[3].offset + 512 + 9] ^= 1;
    Found found;
    ASSERT_EQ(start_on(disk_, &found), WAL_OPENED);
    EXPECT_TRUE(found.damaged[0]);
    for (int start = 0; start < 2; start++) { /* it stays so while it is damaged */
        storage_recovered recovered;
        void *memory;
        wal_refusal refusal;
        storage *storage = open_on(disk_, config_, &memory, &refusal);
        ASSERT_TRUE(wal_recover(storage, 0, &recovered));
        EXPECT_EQ(recovered.last, 3u);
        EXPECT_EQ(recovered.commit, 2u);
        wal_close(storage);
        free(memory);
    }
}

TEST_F(WalRecovery, WritesOfSeveralStartsFollowEachOther)
{
    for (uint64_t start = 0; start < 6; start++) {
        open();
        store(0, start * 2 + 1, 2, start + 1, 500);
        store(1, start + 1, 1, start + 1, 30);
        Found found;
        Disk copy = disk_;
        ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
        expect_all(found);
    }
}

/* All had been reported: whatever flips, it is found whole or said to be damaged. */
TEST_F(WalRecovery, AnyByteThatFlipsIsNoticed)
{
    fill();
    Disk clean = disk_, copy = disk_;
    uint32_t damaged = 0;
    size_t end = clean.written.back().offset + clean.written.back().bytes.size();
    for (size_t byte = 0; byte < clean.bytes.size(); byte += byte < end ? 1 : 61) {
        std::copy_n(clean.bytes.begin(), FORMAT_SUPER_BYTES, copy.bytes.begin());
        copy.bytes[byte] ^= static_cast<uint8_t>(1u << byte % 8);
        Found found;
        ASSERT_EQ(start_on(copy, &found), WAL_OPENED) << byte;
        if (found.any_damaged()) {
            damaged++;
            Found again; /* and it sticks */
            ASSERT_EQ(byte % 64 == 0 ? start_on(copy, &again) : WAL_OPENED, WAL_OPENED);
            ASSERT_TRUE(again.any_damaged() || byte % 64 != 0) << byte;
        } else {
            ASSERT_EQ(state_number(found.model), seq_) << "byte " << byte;
        }
        copy.bytes[byte] ^= static_cast<uint8_t>(1u << byte % 8);
    }
    size_t written = 0;
    for (const Disk::Flying &write : clean.written)
        written += write.bytes.size();
    EXPECT_EQ(damaged, written) << "each byte of a write counts, and no other";
}

TEST_F(WalRecovery, ADamagedWriteWithAHeadConcernsItsGroupsAlone)
{
    fill();
    Disk copy = disk_;
    const Disk::Flying &write = copy.written[2]; /* of group 0 */
    copy.bytes[write.offset + 512 + 9] ^= 1;
    Found found;
    ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
    EXPECT_TRUE(found.damaged[0]);
    EXPECT_FALSE(found.damaged[1]);
    EXPECT_TRUE(found.model[1] == model_[1]);
    EXPECT_EQ(found.model[0].term, 3u) << "hard state of later writes counts";
    EXPECT_EQ(found.model[0].entries.rbegin()->first, 2u) << "up to the gap";

    copy = disk_;
    copy.bytes[copy.written[2].offset + 9] ^= 1; /* the head */
    ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
    EXPECT_TRUE(found.damaged[0]);
    EXPECT_TRUE(found.damaged[1]);
}

/* Of logs of any length, since where a segment ends matters. */
TEST_F(WalRecovery, AnyLostWriteButTheLastIsNoticed)
{
    open();
    Disk empty = disk_;
    fill();
    for (size_t length = 1; length <= disk_.written.size(); length++)
        for (size_t lost = 0; lost < length; lost++) {
            Disk copy = empty;
            for (size_t i = 0; i < length; i++)
                if (i != lost)
                    copy.place(disk_.written[i],
                               std::vector<bool>(disk_.written[i].bytes.size() / 512, true));
            Found found;
            ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
            /* Two that were out together: the second may be there without the first. */
            format_head last, gone;
            ASSERT_TRUE(format_head_get(&last, disk_.written[length - 1].bytes.data(), 1 << 20));
            ASSERT_TRUE(format_head_get(&gone, disk_.written[lost].bytes.data(), 1 << 20));
            EXPECT_EQ(found.any_damaged(), last.complete >= gone.number)
                << lost << " of " << length;
        }
    /* A later start has seen the last one. */
    Disk copy = disk_;
    Found found;
    ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
    EXPECT_FALSE(found.any_damaged());
    memset(&copy.bytes[disk_.written.back().offset], 0, disk_.written.back().bytes.size());
    ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
    EXPECT_TRUE(found.damaged[0] && found.damaged[1]);
}

/* No head is left that could say what had been complete: numbers that are too far ahead do. */
TEST_F(WalRecovery, ALostWriteIsNoticedWithoutHeads)
{
    fill();
    for (size_t lost = 0; lost + 3 < disk_.written.size(); lost++) {
        Disk copy = disk_;
        for (size_t i = lost; i < disk_.written.size(); i++)
            memset(&copy.bytes[disk_.written[i].offset], 0,
                   i == lost ? disk_.written[i].bytes.size() : 512);
        Found found;
        ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
        EXPECT_TRUE(found.damaged[0] && found.damaged[1]) << lost;
    }
}

/* Another write with the number, the place and the checksums of the right one. */
TEST_F(WalRecovery, AWriteThatWasReplacedBreaksTheChain)
{
    fill();
    for (size_t i = 0; i + 1 < disk_.written.size(); i++) {
        Disk copy = disk_;
        Disk::Flying forged = disk_.written[i];
        std::vector<bool> all(forged.bytes.size() / 512, true);
        format_head head;
        ASSERT_TRUE(format_head_get(&head, forged.bytes.data(), forged.bytes.size()));
        format_open(forged.bytes.data(), &head);
        auto *record = reinterpret_cast<format_record *>(&forged.bytes[FORMAT_HEAD_BYTES]);
        record->vote ^= 1;
        format_seal(forged.bytes.data(), kNonce, forged.offset / 512);
        copy.place(forged, all);
        Found found;
        ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
        EXPECT_TRUE(found.any_damaged()) << i;
    }
}

/* Heads with the right checksums and numbers of segments that no ring holds: judged at once. */
TEST_F(WalRecovery, NumbersOfSegmentsThatCanNotBeAreDamage)
{
    fill();
    uint64_t far = UINT64_MAX / 16 * config_.segments; /* the same place */
    auto forge = [&](size_t which, uint64_t segment, uint64_t oldest) {
        Disk copy = disk_;
        Disk::Flying forged = disk_.written[which];
        format_head head;
        EXPECT_TRUE(format_head_get(&head, forged.bytes.data(), forged.bytes.size()));
        format_open(forged.bytes.data(), &head);
        auto *to = reinterpret_cast<format_head *>(forged.bytes.data());
        to->segment += segment;
        to->oldest += oldest;
        format_seal(forged.bytes.data(), kNonce, forged.offset / 512);
        copy.place(forged, std::vector<bool>(forged.bytes.size() / 512, true));
        Found found;
        EXPECT_EQ(start_on(copy, &found), WAL_OPENED);
        return found.any_damaged();
    };
    for (size_t i = 0; i < disk_.written.size(); i++) {
        EXPECT_TRUE(forge(i, far, 0)) << i;
        EXPECT_TRUE(forge(i, far, far)) << i;
        EXPECT_TRUE(forge(i, 0, far)) << i;
        EXPECT_TRUE(forge(i, 1, 0)) << i;
    }
}

TEST_F(WalRecovery, MoreThanOneWriteDamagedConcernsAllGroups)
{
    open();
    store(0, 1, 1, 1, 1000);
    store(0, 2, 1, 1, 1000);
    store(1, 0, 0, 2, 0); /* a vote: nothing but damage could tell that it is gone */
    store(0, 3, 1, 1, 1000);
    Disk copy = disk_;
    copy.bytes[copy.written[1].offset + 512 + 9] ^= 1; /* of group 0, its head is well */
    memset(&copy.bytes[copy.written[2].offset], 0, copy.written[2].bytes.size());
    Found found;
    ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
    EXPECT_TRUE(found.damaged[0] && found.damaged[1]);
}

/* A group that has been idle since: what it has in older segments is not forgotten over damage to
 * the write that opens a newer one. */
TEST_F(WalRecovery, DamageToANewerSegmentKeepsTheOlder)
{
    open();
    store(1, 1, 3, 1, 50);
    for (uint64_t i = 1; i <= 26; i++) {
        store(0, i, 1, 1, 600);
        if (disk_.written.back().offset % config_.segment_bytes != FORMAT_SUPER_BYTES)
            continue; /* opens no segment */
        Disk copy = disk_;
        copy.bytes[disk_.written.back().offset + 512 + 9] ^= 1;
        Found found;
        ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
        EXPECT_TRUE(found.damaged[0]);
        EXPECT_TRUE(found.model[1] == model_[1]);
        store(0, ++i, 1, 1, 600);
        copy.bytes = disk_.bytes;
        copy.bytes[disk_.written[disk_.written.size() - 2].offset + 512 + 9] ^= 1;
        ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
        EXPECT_TRUE(found.damaged[0]);
        EXPECT_TRUE(found.model[1] == model_[1]);
    }
}

TEST_F(WalRecovery, TheNewerSuperblockCounts)
{
    fill();
    for (uint64_t newer = 0; newer < 2; newer++) {
        Disk copy = disk_;
        format_super super;
        ASSERT_TRUE(format_super_get(&super, copy.bytes.data()));
        super.edition++;
        super.boots = 41;
        format_super_put(&super, &copy.bytes[newer * 4096]);
        Found found;
        ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
        EXPECT_EQ(found.boots, 42u);
    }
}

TEST_F(WalRecovery, AWriteAtAWrongPlaceIsNoticed)
{
    fill();
    Disk clean = disk_;
    for (size_t i = 0; i < clean.written.size(); i++)
        for (size_t j = 0; j < clean.written.size(); j++) {
            if (i == j || clean.written[i].bytes.size() != clean.written[j].bytes.size())
                continue;
            Disk copy = clean;
            memcpy(&copy.bytes[clean.written[j].offset], clean.written[i].bytes.data(),
                   clean.written[i].bytes.size());
            Found found;
            ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
            EXPECT_TRUE(found.any_damaged()) << i << " over " << j;
        }
}

TEST_F(WalRecovery, AWholeSegmentLostIsNoticed)
{
    fill();
    Disk clean = disk_;
    uint64_t last = (clean.written.back().offset - FORMAT_SUPER_BYTES) / config_.segment_bytes;
    ASSERT_GE(last, 2u);
    for (uint64_t segment = 0; segment < last; segment++) {
        Disk copy = clean;
        memset(&copy.bytes[FORMAT_SUPER_BYTES + segment * config_.segment_bytes], 0,
               config_.segment_bytes);
        Found found;
        ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
        EXPECT_TRUE(found.damaged[0] && found.damaged[1]) << segment;
    }
}

TEST_F(WalRecovery, DamageIsForgottenOnceItsGroupsAreMatched)
{
    fill();
    disk_.bytes[disk_.written[2].offset + 512 + 9] ^= 1;
    open();
    storage_recovered recovered;
    ASSERT_TRUE(wal_recover(storage_, 0, &recovered));
    ASSERT_TRUE(recovered.damaged);
    /* A leader sends again what is missing. */
    for (GroupModel &group : model_)
        group.entries.clear();
    Found found;
    look(storage_, config_, &found);
    model_ = found.model;
    log *fresh = make_log(0);
    std::swap(fresh, logs_[0]);
    free_log(fresh);
    for (auto &entry : model_[0].entries)
        log_append(logs_[0], entry.first, 8);
    store(0, 3, 3, 4, 100);
    EXPECT_TRUE(wal_matched(storage_, 0));
    EXPECT_TRUE(wal_matched(storage_, 1)) << "never was damaged";
    for (int i = 0; i < 2; i++) {
        Found later;
        Disk copy = disk_;
        ASSERT_EQ(start_on(copy, &later), WAL_OPENED);
        EXPECT_FALSE(later.any_damaged());
        EXPECT_TRUE(later.model == model_);
    }
    /* A gap that grows is another one. */
    Disk wider = disk_;
    wider.bytes[wider.written[3].offset + 512 + 9] ^= 1;
    ASSERT_EQ(start_on(wider, &found), WAL_OPENED);
    EXPECT_TRUE(found.damaged[1]);
    /* So is what is damaged later. */
    store(0, 6, 1, 4, 100);
    store(1, 7, 1, 4, 100);
    store(1, 8, 1, 4, 100);
    disk_.bytes[disk_.written[disk_.written.size() - 3].offset + 9] ^= 1;
    Disk copy = disk_;
    ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
    EXPECT_TRUE(found.any_damaged());
}

TEST_F(WalRecovery, EitherSuperblockIsEnough)
{
    fill();
    for (uint64_t copy_number = 0; copy_number < 2; copy_number++) {
        Disk copy = disk_;
        memset(&copy.bytes[copy_number * 4096], 0xff, 512);
        Found found;
        ASSERT_EQ(start_on(copy, &found), WAL_OPENED);
        expect_all(found);
    }
}

/* A start is cut at each of its own writes and flushes: the next one finds all the same. */
TEST_F(WalRecovery, AStartThatIsCutChangesNothing)
{
    fill();
    bool done = false;
    for (uint64_t n = 0; !done; n++) {
        for (int which = 0; which < 2; which++) {
            Disk copy = disk_;
            (which == 0 ? copy.writes_left : copy.syncs_left) = n;
            Found found;
            done = start_on(copy, &found) == WAL_OPENED;
            copy.writes_left = copy.syncs_left = UINT64_MAX;
            Found again;
            ASSERT_EQ(start_on(copy, &again), WAL_OPENED);
            expect_all(again);
        }
    }
}
