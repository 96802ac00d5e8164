/* A walk beside a log, against a replica that stopped at the mark and was walked in peace. */
#include "tests/unit/state/capture_fixture.h"

namespace
{

constexpr state_config kConfig = {256, 96u << 10, 400};

std::vector<logged> make_log(uint64_t seed, size_t entries, const state_config &config = kConfig)
{
    Maker maker(seed, 300);
    Replica r;
    r.open(config.keys_max, config.bytes_max, config.session_ttl_ms);
    std::vector<logged> log;
    while (log.size() < entries) {
        log.push_back(maker.next());
        maker.registered(log.back(), log.back().apply(r));
    }
    return log;
}

void expect_equal(const Replica &a, const Replica &b)
{
    EXPECT_EQ(state_applied_index(a.get_state()), state_applied_index(b.get_state()));
    EXPECT_EQ(state_digest(a.get_state()), state_digest(b.get_state()));
    EXPECT_EQ(state_key_count(a.get_state()), state_key_count(b.get_state()));
    EXPECT_EQ(state_session_count(a.get_state()), state_session_count(b.get_state()));
    EXPECT_EQ(state_time_ms(a.get_state()), state_time_ms(b.get_state()));
    EXPECT_EQ(state_next_expiry_ms(a.get_state()), state_next_expiry_ms(b.get_state()));
    for (int i = 0; i < STATE_EVENT_COUNT; i++)
        EXPECT_EQ(state_counters(a.get_state())[i], state_counters(b.get_state())[i]) << i;
}

void open(Replica &r)
{
    r.open(kConfig.keys_max, kConfig.bytes_max, kConfig.session_ttl_ms);
}

/* Entries go on during the walk; what it wrote is what a walk in peace at the mark writes, and a
 * state loaded from it goes on with the same answers as the one that was walked. */
TEST(Capture, BesideALogAgainstAReplicaThatStopped)
{
    uint64_t busy_walks = 0;
    for (uint64_t seed = 1; seed <= 40 && !::testing::Test::HasFailure(); seed++) {
        Maker chance(seed + 1000, 1);
        std::vector<logged> log = make_log(seed, 3000);
        size_t mark = 500 + chance.below(1500), at = 0;
        Replica walked, stopped, loaded;
        open(walked);
        open(stopped);
        for (; at < mark; at++) {
            log[at].apply(walked);
            log[at].apply(stopped);
        }
        state_capture_ask(walked.get_state());
        state_capture_begin(walked.get_state());
        Walker walker(walked, kConfig);
        std::vector<answer> answers;
        uint64_t pace = 1 + chance.below(200);
        for (bool on = true; on && at < log.size(); on = walker.step())
            for (uint64_t n = chance.below(pace); n > 0 && at < log.size(); n--) {
                answers.push_back(log[at++].apply(walked));
                busy_walks++;
            }
        while (walker.last == STATE_WALK_PART || walker.last == STATE_WALK_MORE)
            walker.step();
        ASSERT_EQ(walker.last, STATE_WALK_END);
        for (; at < log.size(); at++)
            answers.push_back(log[at].apply(walked));

        parts peace = walk_at_once(stopped, kConfig);
        ASSERT_EQ(walker.written, peace);
        ASSERT_EQ(load(loaded, kConfig, walker.written), STATE_LOADED);
        expect_equal(loaded, stopped);
        EXPECT_EQ(walk_at_once(loaded, kConfig), peace) << "a loaded state writes the same bytes";
        for (size_t i = mark; i < log.size(); i++) {
            ASSERT_EQ(log[i].apply(loaded), answers[i - mark]) << i;
        }
        expect_equal(loaded, walked);
        EXPECT_EQ(walk_at_once(loaded, kConfig), walk_at_once(walked, kConfig));
    }
    EXPECT_GT(busy_walks, 1000u);
}

/* Every point of the walk at which every kind of change can come: one change between two steps. */
TEST(Capture, EveryKindOfChangeBeforeTheWalkComes)
{
    std::vector<command> changes = {
        set("k", "new"),          set("k", "new", 500),       on(WIRE_OP_DEL, "k"),
        append("k", "more"),      cas("k", "old", "new"),     on(WIRE_OP_EXPIRE, "k", 5),
        on(WIRE_OP_PERSIST, "k"), on(WIRE_OP_EXPIRE, "k", 0), mset({{"k", "x"}, {"fresh", "y"}}),
        set("fresh", "value"),
    };
    for (const command &change : changes)
        for (int64_t ttl : {0, 100}) {
            Replica r;
            open(r);
            r.run(set("k", "old", ttl));
            parts before = walk_at_once(r, kConfig);
            state_capture_ask(r.get_state());
            state_capture_begin(r.get_state());
            Walker walker(r, kConfig);
            r.run(change);
            r.run(set("k", "again"));
            r.run(on(WIRE_OP_DEL, "k"));
            r.tick(r.time_ms + 1000);
            r.run(set("k", "last"));
            while (walker.step())
                ;
            EXPECT_EQ(walker.written, before) << int(change.op);
        }
}

TEST(Capture, AnswersAreThoseOfTheMark)
{
    Replica r;
    open(r);
    uint64_t quiet = r.register_session(1), busy = r.register_session(2);
    for (uint64_t i = 1; i <= 300; i++)
        r.run(on(WIRE_OP_INCRBY, "n", 1), busy, i);
    r.run(set("k", "v"), quiet, 1);
    parts before = walk_at_once(r, kConfig);
    state_capture_ask(r.get_state());
    state_capture_begin(r.get_state());
    Walker walker(r, kConfig);
    for (uint64_t i = 301; i <= 700; i++)
        r.run(on(WIRE_OP_INCRBY, "n", 1), busy, i);
    r.run(set("k", "w"), quiet, 2);
    while (walker.step())
        ;
    EXPECT_EQ(walker.written, before);
    Replica loaded;
    ASSERT_EQ(load(loaded, kConfig, walker.written), STATE_LOADED);
    loaded.time_ms = r.time_ms;
    EXPECT_EQ(loaded.run(on(WIRE_OP_INCRBY, "n", 1), busy, 300), integer(300)) << "from the cache";
    EXPECT_EQ(loaded.run(on(WIRE_OP_INCRBY, "n", 1), busy, 44), refused(WIRE_REPLY_GONE));
    EXPECT_EQ(loaded.run(on(WIRE_OP_INCRBY, "n", 1), busy, 301), integer(301));
}

/* More than 32 keys are due at once: which go first must not depend on how the heap came about. */
TEST(Capture, KeysDueTogetherGoInOneOrder)
{
    Replica r, loaded;
    open(r);
    for (int i = 0; i < 120; i++)
        r.run(set("k" + std::to_string(i * 7 % 120), "v", 100));
    ASSERT_EQ(load(loaded, kConfig, walk_at_once(r, kConfig)), STATE_LOADED);
    for (int i = 0; i < 5; i++) {
        r.tick(2000);
        loaded.tick(2000);
        ASSERT_EQ(state_digest(r.get_state()), state_digest(loaded.get_state())) << i;
    }
    EXPECT_EQ(state_key_count(r.get_state()), 0u);
}

/* Writers do not wait: what is given up is the walk. */
TEST(Capture, ChangesThatOutrunTheWalk)
{
    constexpr state_config config = {1024, 64u << 20, 0};
    Replica r;
    r.open(config.keys_max, config.bytes_max);
    auto write_all = [&](char with) {
        for (int i = 0; i < 600; i++)
            ASSERT_EQ(r.run(set("k" + std::to_string(i), std::string(2000, with))), ok());
    };
    write_all('a');
    state_capture_ask(r.get_state());
    state_capture_begin(r.get_state());
    {
        Walker walker(r, config);
        write_all('b');
        EXPECT_EQ(r.read(get("k7")), bytes(std::string(2000, 'b')));
        while (walker.step())
            ;
        EXPECT_EQ(walker.last, STATE_WALK_OVERRUN) << "512 versions may wait";
    }
    for (int i = 0; i < 10; i++)
        r.reclaim();
    EXPECT_EQ(state_capture_phase(r.get_state()), STATE_CAPTURE_IDLE);
    Replica loaded;
    EXPECT_EQ(load(loaded, config, walk_at_once(r, config)), STATE_LOADED) << "the next one works";
    expect_equal(loaded, r);
}

TEST(Capture, BytesThatOutrunTheWalk)
{
    constexpr state_config config = {1024, 64u << 20, 0};
    Replica r;
    r.open(config.keys_max, config.bytes_max);
    std::string large(WIRE_VALUE_BYTES_MAX, 'x');
    for (int i = 0; i < 30; i++)
        r.run(set("k" + std::to_string(i), large));
    state_capture_ask(r.get_state());
    state_capture_begin(r.get_state());
    Walker walker(r, config);
    for (int i = 0; i < 30; i++)
        ASSERT_EQ(r.run(set("k" + std::to_string(i), "small")), ok());
    while (walker.step())
        ;
    EXPECT_EQ(walker.last, STATE_WALK_OVERRUN) << "24 MiB may wait";
}

TEST(Capture, AWalkThatIsStoppedLeavesNothing)
{
    Replica r;
    open(r);
    for (int i = 0; i < 100; i++)
        r.run(set("k" + std::to_string(i), "v"));
    for (int round = 0; round < 50; round++) {
        state_capture_ask(r.get_state());
        state_capture_begin(r.get_state());
        Walker walker(r, kConfig);
        walker.step();
        for (int i = 0; i < 100; i++)
            ASSERT_EQ(r.run(set("k" + std::to_string(i), "w")), ok());
        walker.stop();
        r.reclaim();
        ASSERT_EQ(state_capture_phase(r.get_state()), STATE_CAPTURE_IDLE);
    }
    parts written = walk_at_once(r, kConfig);
    Replica loaded;
    EXPECT_EQ(load(loaded, kConfig, written), STATE_LOADED);
}

/* Memory of walks is no business of the log: a full table is full at the same write. */
TEST(Capture, AFullTableStaysWhatItIs)
{
    std::vector<logged> log = make_log(7, 4000);
    Replica plain, walked;
    open(plain);
    open(walked);
    uint64_t refused = 0;
    for (size_t i = 0; i < log.size(); i++) {
        if (i % 300 == 0) {
            state_capture_ask(walked.get_state());
            state_capture_begin(walked.get_state());
        }
        answer a = log[i].apply(plain);
        ASSERT_EQ(log[i].apply(walked), a) << i;
        refused += a.status == WIRE_NO_SPACE;
        if (i % 300 == 250) {
            Walker walker(walked, kConfig);
            while (walker.step())
                ;
        }
    }
    EXPECT_GT(refused, 10u);
    expect_equal(plain, walked);
}

TEST(Capture, OutOfItsTurnIsOurMistake)
{
    Replica r;
    open(r);
    EXPECT_DEATH(state_capture_begin(r.get_state()), "broken");
    EXPECT_DEATH(state_capture_end(r.get_state()), "broken");
    state_capture_ask(r.get_state());
    EXPECT_DEATH(state_capture_ask(r.get_state()), "broken");
}

} // namespace
