/* The writer: batches, room, failures, and what opening refuses. */
#include "tests/unit/log/wal_fixture.h"

class Wal : public WalFixture
{
  protected:
    std::vector<format_record> records_of(const Disk::Flying &write)
    {
        std::vector<uint8_t> copy = write.bytes;
        std::vector<format_record> records;
        format_head head;
        EXPECT_TRUE(format_head_get(&head, copy.data(), copy.size()));
        format_open(copy.data(), &head);
        uint32_t at = FORMAT_HEAD_BYTES;
        format_record record;
        const uint8_t *entries;
        while (format_record_get(copy.data(), &head, &at, &record, &entries))
            records.push_back(record);
        EXPECT_EQ(at, head.bytes);
        EXPECT_EQ(records.size(), head.records);
        return records;
    }

    uint64_t room()
    {
        struct storage_report report;
        storage_report(storage_, &report);
        return report.room_bytes;
    }
};

TEST_F(Wal, StoresInOrderAndSaysHowFar)
{
    open();
    EXPECT_STREQ(storage_durability(storage_), "fsync");
    EXPECT_EQ(poll(), 0u);
    disk_.hold = true;
    ASSERT_TRUE(put(0, 1, 1, 1, 10));
    EXPECT_EQ(poll(), 0u);
    ASSERT_TRUE(put(0, 2, 1, 1, 10));
    EXPECT_EQ(poll(), 0u);
    ASSERT_EQ(disk_.flying.size(), 2u);
    disk_.finish(1); /* the second first: not reported before the first */
    EXPECT_EQ(poll(), 0u);
    disk_.finish(0);
    EXPECT_EQ(poll(), 2u);
}

TEST_F(Wal, WhatComesWhileWritesAreOutSharesTheNext)
{
    open();
    disk_.hold = true;
    for (uint64_t i = 1; i <= 9; i++) {
        ASSERT_TRUE(put(i % 2, (i + 1) / 2, 1, 1, 10));
        EXPECT_EQ(poll(), 0u);
    }
    ASSERT_EQ(disk_.flying.size(), config_.in_flight);
    disk_.finish(0);
    EXPECT_EQ(poll(), 1u);
    ASSERT_EQ(disk_.flying.size(), 2u);
    EXPECT_EQ(records_of(disk_.flying[1]).size(), 7u);
    EXPECT_EQ(disk_.flying[1].bytes.size(), 4096u);
    disk_.hold = false;
    EXPECT_EQ(poll(), 9u);
    struct storage_report report;
    storage_report(storage_, &report);
    EXPECT_STREQ(report.backend, "a disk of the tests");
    EXPECT_EQ(report.writes, 3u);
    EXPECT_EQ(report.write_bytes, 3u * 4096);
    EXPECT_EQ(report.records, 9u);
    EXPECT_EQ(report.error, 0);
}

TEST_F(Wal, HardStateAndEntriesAreInOneWrite)
{
    open();
    ASSERT_TRUE(put(1, 1, 2, 7, 10, 2));
    poll();
    EXPECT_EQ(poll(), 1u);
    ASSERT_EQ(disk_.written.size(), 1u);
    auto records = records_of(disk_.written[0]);
    ASSERT_EQ(records.size(), 1u);
    EXPECT_EQ(records[0].group, 1u);
    EXPECT_EQ(records[0].term, 7u);
    EXPECT_EQ(records[0].vote, 2u);
    EXPECT_EQ(records[0].first, 1u);
    EXPECT_EQ(records[0].count, 2u);
}

TEST_F(Wal, TakesNoMoreThanItsBatchesHold)
{
    open();
    disk_.hold = true;
    ASSERT_TRUE(put(0, 1, 3, 1, 1000)); /* more than half of a batch */
    poll();
    ASSERT_TRUE(put(0, 4, 3, 1, 1000));
    poll();
    ASSERT_TRUE(put(0, 7, 3, 1, 1000));
    poll();
    ASSERT_FALSE(put(0, 10, 3, 1, 1000)); /* two are out, one is full */
    EXPECT_FALSE(again());
    EXPECT_EQ(poll(), 0u);
    disk_.finish(0);
    EXPECT_EQ(poll(), 1u);
    EXPECT_TRUE(again());
    disk_.hold = false;
    poll();
    EXPECT_EQ(poll(), 4u);
}

/* Larger than all batches together: taken in parts, reported as a whole. */
TEST_F(Wal, ALargeWriteGoesInParts)
{
    open();
    disk_.hold = true;
    ASSERT_FALSE(put(0, 1, 14, 1, 1000));
    for (uint64_t parts = 0; !again(); parts++) {
        ASSERT_LT(parts, 10u);
        EXPECT_EQ(poll(), 0u);
        if (disk_.flying.size() == 2)
            disk_.finish(0);
    }
    EXPECT_EQ(poll(), 0u);
    disk_.hold = false;
    poll();
    EXPECT_EQ(poll(), 1u);
    uint64_t next = 1;
    for (const Disk::Flying &write : disk_.written)
        for (const format_record &record : records_of(write)) {
            if (record.count == 0)
                continue; /* opens a segment */
            EXPECT_EQ(record.first, next);
            next += record.count;
        }
    EXPECT_EQ(next, 15u);
}

TEST_F(Wal, AnEntryLargerThanABatchMakesOneOfItsOwn)
{
    config_.body_bytes_max = 30000;
    config_.segment_bytes = 20 * 4096;
    open();
    store(0, 1, 1, 1, 10);
    store(0, 2, 1, 1, 30000);
    store(0, 3, 1, 1, 30000);
    store(0, 4, 1, 1, 10);
    Found found;
    ASSERT_EQ(start_on(disk_, &found), WAL_OPENED);
    EXPECT_TRUE(found.model == model_);
}

/* With rooms on several cores, order may have truncated what an older write names. */
TEST_F(Wal, StoresTheLogAsItFindsIt)
{
    open();
    disk_.hold = true;
    storage_write stale = {};
    stale.seq = ++seq_;
    stale.term = 1;
    stale.vote = 1;
    stale.first = 1;
    stale.last = 4; /* of which two are left, and one was replaced in a later term */
    ASSERT_NE(log_append(logs_[0], 1, 8), nullptr);
    const_cast<wire_entry *>(log_entry(logs_[0], 1))->term = 1;
    ASSERT_NE(log_append(logs_[0], 2, 8), nullptr);
    const_cast<wire_entry *>(log_entry(logs_[0], 2))->term = 2;
    EXPECT_EQ(storage_submit(storage_, &stale, 1, &logs_[0], 0), 1u);
    poll();
    ASSERT_EQ(disk_.flying.size(), 1u);
    auto records = records_of(disk_.flying[0]);
    ASSERT_EQ(records.size(), 1u);
    EXPECT_EQ(records[0].first, 1u);
    EXPECT_EQ(records[0].count, 1u);
    stale.seq = ++seq_;
    stale.first = stale.last = 7; /* all of it is gone */
    EXPECT_EQ(storage_submit(storage_, &stale, 1, &logs_[0], 0), 1u);
    poll();
    records = records_of(disk_.flying[1]);
    ASSERT_EQ(records.size(), 1u);
    EXPECT_EQ(records[0].first, 0u);
    disk_.hold = false;
    EXPECT_EQ(poll(), 2u);
}

/* ---- room ------------------------------------------------------------------------------------ */

TEST_F(Wal, IsFullBeforeItHasNoRoomAndRecoversWhenItIsMade)
{
    open();
    uint64_t next = 1, full_at = 0;
    while (put(0, next, 1, 1, 1000)) {
        poll();
        next++;
        if (full_at == 0 && storage_full(storage_))
            full_at = next;
        ASSERT_LT(next, 1000u);
    }
    ASSERT_NE(full_at, 0u) << "it was full without a warning";
    EXPECT_LT(full_at + 2, next);
    EXPECT_FALSE(storage_failed(storage_));
    uint64_t before = poll();
    EXPECT_FALSE(again());
    uint16_t group;
    ASSERT_TRUE(wal_pinned_by(storage_, &group));
    EXPECT_EQ(group, 0u);
    /* Releases that free nothing may not use up what is kept for one that does. */
    for (uint64_t i = 1; i <= 3; i++) {
        storage_release(storage_, 0, i, 1);
        poll();
        EXPECT_EQ(poll(), before);
    }
    storage_release(storage_, 0, next - 1, 1);
    poll();
    poll();
    EXPECT_FALSE(storage_full(storage_));
    EXPECT_TRUE(again());
    poll();
    EXPECT_EQ(poll(), seq_);
    Found found;
    ASSERT_EQ(start_on(disk_, &found), WAL_OPENED);
    EXPECT_FALSE(found.any_damaged());
    EXPECT_EQ(found.model[0].released, next - 1);
    ASSERT_EQ(found.model[0].entries.size(), 1u);
    EXPECT_EQ(found.model[0].entries.begin()->first, next);
}

TEST_F(Wal, SegmentsAreFreeOnceAllTheirGroupsHaveReleased)
{
    open();
    store(1, 1, 1, 1, 10); /* an idle group, in the first segment */
    for (uint64_t i = 1; i <= 12; i++)
        store(0, i, 1, 1, 1000);
    uint64_t before = room();
    storage_release(storage_, 0, 12, 1);
    poll();
    poll();
    EXPECT_LT(room(), before);
    uint16_t group;
    ASSERT_TRUE(wal_pinned_by(storage_, &group));
    EXPECT_EQ(group, 1u);
    storage_release(storage_, 1, 1, 1);
    poll();
    poll();
    EXPECT_GT(room(), before);
    EXPECT_FALSE(wal_pinned_by(storage_, &group));
    storage_release(storage_, 1, 1, 1); /* nothing new */
    poll();
    Found found; /* the hard state of the idle group has moved on with the segments */
    ASSERT_EQ(start_on(disk_, &found), WAL_OPENED);
    EXPECT_EQ(found.model[1].term, 1u);
    EXPECT_EQ(found.model[1].vote, 1u);
    EXPECT_EQ(found.model[1].released, 1u);
    EXPECT_FALSE(found.any_damaged());
}

/* A snapshot of another history was put in the log's place. */
TEST_F(Wal, WhatLiesBehindAReleaseOfAnotherTermIsNoneOfIts)
{
    open();
    store(0, 1, 10, 1, 100);
    storage_release(storage_, 0, 6, 3);
    poll();
    poll();
    Found found;
    ASSERT_EQ(start_on(disk_, &found), WAL_OPENED);
    EXPECT_FALSE(found.any_damaged());
    EXPECT_EQ(found.model[0].released, 6u);
    EXPECT_TRUE(found.model[0].entries.empty());
}

TEST_F(Wal, AReleaseBeyondTheEndLeavesNothing)
{
    open();
    store(0, 1, 10, 1, 100);
    storage_release(storage_, 0, 50, 3);
    log_restart(logs_[0], 50);
    poll();
    poll();
    store(0, 51, 2, 3, 100);
    Found found;
    ASSERT_EQ(start_on(disk_, &found), WAL_OPENED);
    EXPECT_FALSE(found.any_damaged());
    EXPECT_EQ(found.model[0].released, 50u);
    ASSERT_EQ(found.model[0].entries.size(), 2u);
    EXPECT_EQ(found.model[0].entries.begin()->first, 51u);
}

TEST_F(Wal, ASegmentIsNotUsedAgainBeforeTheReleaseIsDurable)
{
    open();
    uint64_t next = 1;
    while (put(0, next, 1, 1, 1000)) {
        poll();
        next++;
    }
    poll();
    uint64_t before = room();
    disk_.hold = true;
    storage_release(storage_, 0, next - 1, 1);
    poll();
    ASSERT_EQ(disk_.flying.size(), 1u);
    EXPECT_LE(room(), before);
    EXPECT_FALSE(again());
    disk_.finish(0);
    poll();
    EXPECT_GT(room(), before);
    EXPECT_TRUE(again());
}

/* What a write says about the oldest segment rests on records in it or before it. */
TEST_F(Wal, ASegmentIsNotGivenUpBeforeTheReleaseIsWritten)
{
    open();
    for (uint64_t i = 1; i <= 14; i++)
        store(0, i, 1, 1, 1000);
    disk_.hold = true;
    ASSERT_TRUE(put(0, 15, 3, 1, 900)); /* a full batch, begun by the next submission */
    storage_release(storage_, 0, 14, 1);
    (void)put(0, 18, 3, 1, 900);
    ASSERT_EQ(disk_.flying.size(), 1u);
    format_head head;
    ASSERT_TRUE(format_head_get(&head, disk_.flying[0].bytes.data(), 4096));
    EXPECT_EQ(head.oldest, 0u);
    disk_.finish(0);
    poll();
    disk_.hold = false;
    poll();
    ASSERT_TRUE(format_head_get(&head, disk_.written.back().bytes.data(), 4096));
    EXPECT_GT(head.oldest, 0u);
}

/* ---- failures and ages ----------------------------------------------------------------------- */

TEST_F(Wal, AFailedWriteIsTheEnd)
{
    open();
    store(0, 1, 1, 1, 10);
    disk_.hold = true;
    ASSERT_TRUE(put(0, 2, 1, 1, 10));
    poll();
    ASSERT_TRUE(put(0, 3, 1, 1, 10));
    poll();
    disk_.finish(1); /* well, but what it follows is not */
    disk_.fail_begin = EIO;
    disk_.finish(0);
    EXPECT_EQ(poll(), 1u);
    EXPECT_TRUE(storage_failed(storage_));
    disk_.fail_begin = 0;
    disk_.hold = false;
    size_t written = disk_.written.size();
    EXPECT_FALSE(put(0, 4, 1, 1, 10));
    storage_release(storage_, 0, 1, 1);
    EXPECT_EQ(poll(), 1u);
    EXPECT_EQ(poll(), 1u);
    EXPECT_EQ(disk_.written.size(), written) << "went on";
    struct storage_report report;
    storage_report(storage_, &report);
    EXPECT_EQ(report.error, EIO);
}

TEST_F(Wal, TheOldestWritesAgeIsKnown)
{
    open();
    EXPECT_EQ(storage_age_ns(storage_, now_ns_), 0u);
    disk_.hold = true;
    now_ns_ = 5000;
    ASSERT_TRUE(put(0, 1, 1, 1, 10));
    poll();
    now_ns_ = 9000;
    ASSERT_TRUE(put(0, 2, 1, 1, 10));
    poll();
    EXPECT_EQ(storage_age_ns(storage_, 9500), 4500u);
    EXPECT_EQ(storage_age_ns(storage_, 4000), 0u) << "a clock that steps back";
    disk_.finish(0);
    now_ns_ = 105000;
    poll();
    EXPECT_EQ(storage_age_ns(storage_, 105000), 96000u);
    disk_.finish(0);
    now_ns_ = 2009000;
    poll();
    EXPECT_EQ(storage_age_ns(storage_, 2009000), 0u);
    struct storage_report report;
    storage_report(storage_, &report);
    EXPECT_EQ(report.ages[storage_age_step(100000)], 1u);
    EXPECT_EQ(report.ages[storage_age_step(2000000)], 1u);
}

/* ---- opening --------------------------------------------------------------------------------- */

TEST_F(Wal, RefusesSizesThatAreNotAcceptable)
{
    auto refuses = [&](auto change) {
        wal_config config = config_;
        change(config);
        wal_refusal refusal = WAL_OPENED;
        return wal_footprint(&config) == 0 && wal_open(nullptr, &config, &refusal) == nullptr &&
               refusal == WAL_REFUSED_SIZES;
    };
    EXPECT_TRUE(refuses([](wal_config &c) { c.segments = 3; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.segments = WAL_SEGMENTS_MAX + 1; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.segment_bytes = 3 * 4096; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.segment_bytes += 512; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.segment_bytes = UINT64_MAX / 4096 * 4096; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.batch_bytes = 0; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.batch_bytes = 5000; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.batch_bytes = 2u << 20; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.body_bytes_max = WIRE_BODY_BYTES_MAX + 1; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.in_flight = 0; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.in_flight = 3; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.lanes = 0; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.lane = 1; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.group_count = 0; }));
    EXPECT_TRUE(refuses([](wal_config &c) { c.group_count = 65; }));
}

TEST_F(Wal, ALogThatWasMadeIsNotMadeAgain)
{
    config_.made = true;
    EXPECT_EQ(refused(config_), WAL_REFUSED_LOST);
    EXPECT_EQ(refused(config_), WAL_REFUSED_LOST) << "the refusal has written nothing";
}

TEST_F(Wal, RefusesForeignLogs)
{
    open();
    store(1, 1, 1, 1, 10);
    auto changed = [&](auto change) {
        wal_config config = config_;
        change(config);
        return refused(config);
    };
    EXPECT_EQ(changed([](wal_config &c) { c.cluster++; }), WAL_REFUSED_CLUSTER);
    EXPECT_EQ(changed([](wal_config &c) { c.node++; }), WAL_REFUSED_NODE);
    EXPECT_EQ(changed([](wal_config &c) { c.lanes++; }), WAL_REFUSED_LANES);
    EXPECT_EQ(changed([](wal_config &c) { c.segments++; }), WAL_REFUSED_SHAPE);
    EXPECT_EQ(changed([](wal_config &c) { c.segment_bytes += 4096; }), WAL_REFUSED_SHAPE);
    EXPECT_EQ(changed([](wal_config &c) { c.group_count = 1; }), WAL_REFUSED_GROUPS);
    EXPECT_EQ(changed([](wal_config &c) { c.nonce++; }), WAL_OPENED) << "the log has its own";
    EXPECT_EQ(changed([](wal_config &c) { c.nonce++, c.nonce_known = true; }), WAL_REFUSED_LIFE);
    EXPECT_EQ(changed([](wal_config &c) { c.nonce_known = c.made = true; }), WAL_OPENED);
    for (int refusal = 0; refusal < WAL_REFUSAL_COUNT; refusal++)
        EXPECT_GT(strlen(wal_refusal_sentence(static_cast<wal_refusal>(refusal))), 10u);
}

TEST_F(Wal, RefusesAnotherVersionAndLostSuperblocks)
{
    open();
    Disk clean = disk_;
    format_super super;
    ASSERT_TRUE(format_super_get(&super, disk_.bytes.data()));
    super.version++;
    format_super_put(&super, disk_.bytes.data());
    format_super_put(&super, disk_.bytes.data() + 4096);
    EXPECT_EQ(refused(config_), WAL_REFUSED_VERSION);
    disk_ = clean;
    disk_.bytes[17] ^= 1;
    disk_.bytes[4096 + 17] ^= 1;
    EXPECT_EQ(refused(config_), WAL_REFUSED_SUPERBLOCK);
    disk_ = clean;
    store(0, 1, 1, 1, 10);
    memset(disk_.bytes.data(), 0, 8192); /* not a log that is to be made */
    EXPECT_EQ(refused(config_), WAL_REFUSED_SUPERBLOCK);
}

TEST_F(Wal, RefusesADiskThatFailsOrIsFull)
{
    disk_.size_max = 100000;
    EXPECT_EQ(refused(config_), WAL_REFUSED_SPACE);
    disk_.size_max = UINT64_MAX;
    bool opened = false;
    for (uint64_t n = 0; !opened; n++) {
        disk_.writes_left = n;
        wal_refusal refusal = refused(config_);
        opened = refusal == WAL_OPENED;
        EXPECT_TRUE(opened || refusal == WAL_REFUSED_WRITE) << n;
    }
    disk_.writes_left = UINT64_MAX;
    opened = false;
    for (uint64_t n = 0; !opened; n++) {
        disk_.syncs_left = n;
        wal_refusal refusal = refused(config_);
        opened = refusal == WAL_OPENED;
        EXPECT_TRUE(opened || refusal == WAL_REFUSED_WRITE) << n;
    }
    disk_.syncs_left = UINT64_MAX;
    opened = false;
    for (uint64_t n = 0; !opened; n++) {
        disk_.reads_left = n;
        wal_refusal refusal = refused(config_);
        opened = refusal == WAL_OPENED;
        EXPECT_TRUE(opened || refusal == WAL_REFUSED_READ) << n;
    }
}

/* Making a log may be cut at any of its writes, and is done again. */
TEST_F(Wal, ALogThatWasNotFinishedIsMadeAgain)
{
    bool opened = false;
    for (uint64_t n = 0; !opened; n++) {
        disk_ = Disk();
        disk_.writes_left = n;
        opened = refused(config_) == WAL_OPENED;
        disk_.writes_left = UINT64_MAX;
        EXPECT_EQ(refused(config_), WAL_OPENED) << n;
    }
}

TEST_F(Wal, BearsTheClustersNameOnceItIsKnown)
{
    config_.cluster = 0;
    open();
    disk_.writes_left = 0;
    EXPECT_FALSE(wal_bind(storage_, 77));
    disk_.writes_left = UINT64_MAX;
    EXPECT_TRUE(wal_bind(storage_, 77));
    EXPECT_TRUE(wal_bind(storage_, 77));
    EXPECT_FALSE(wal_bind(storage_, 78));
    config_.cluster = 78;
    EXPECT_EQ(refused(config_), WAL_REFUSED_CLUSTER);
    config_.cluster = 77;
    EXPECT_EQ(refused(config_), WAL_OPENED);
    config_.cluster = 0;
    EXPECT_EQ(refused(config_), WAL_OPENED);
}

TEST_F(Wal, LanesShareNothing)
{
    config_.lanes = 2;
    config_.lane = 1;
    config_.group_count = 4;
    open();
    ASSERT_TRUE(put(1, 1, 1, 1, 10));
    ASSERT_TRUE(put(3, 1, 2, 1, 10));
    poll();
    EXPECT_EQ(poll(), 2u);
    EXPECT_DEATH(put(2, 1, 1, 1, 10), "broken");
}
