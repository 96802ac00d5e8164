#include "tests/unit/state/state_fixture.h"

#include <set>

using SessionTest = StateTest;

TEST_F(SessionTest, ExecutesInOrderAndOnce)
{
    uint64_t s = r.register_session(11);
    EXPECT_EQ(state_session_next(r.get_state(), s), 1u);
    EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "n", 1), s, 1), integer(1));
    EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "n", 1), s, 1), integer(1)) << "answered from the session";
    EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "n", 1), s, 2), integer(2));
    answer ahead = r.run(on(WIRE_OP_INCRBY, "n", 1), s, 4);
    EXPECT_EQ(ahead.status, WIRE_OUT_OF_ORDER);
    EXPECT_EQ(ahead.integer, 3);
    EXPECT_EQ(r.read(get("n")), bytes("2"));
    EXPECT_EQ(state_session_next(r.get_state(), s), 3u);
    EXPECT_EQ(r.run(get("n"), s, WIRE_SEQUENCE_NONE), refused(WIRE_BAD_COMMAND));
    EXPECT_EQ(r.count(STATE_DUPLICATE), 1u);
    EXPECT_EQ(r.count(STATE_OUT_OF_ORDER), 1u);
}

TEST_F(SessionTest, KeepsEveryKindOfShortAnswer)
{
    uint64_t s = r.register_session(11);
    r.run(set("k", "0123456789abcdef"));
    std::vector<command> commands = {
        set("a", "1"),
        get("a"),
        get("absent"),
        get("k"),
        on(WIRE_OP_INCRBY, "k", 1),
        set("a", "2", 0, WIRE_SET_RETURN_OLD),
        scan(0, 0, "nothing"),
    };
    std::vector<answer> first;
    for (size_t i = 0; i < commands.size(); i++)
        first.push_back(r.run(commands[i], s, i + 1));
    EXPECT_EQ(first[3], bytes("0123456789abcdef"));
    EXPECT_EQ(first[4], refused(WIRE_WRONG_TYPE));
    r.run(on(WIRE_OP_DEL, "k"));
    for (size_t i = 0; i < commands.size(); i++)
        EXPECT_EQ(r.run(commands[i], s, i + 1), first[i]) << i;
}

TEST_F(SessionTest, LongAnswersAreGone)
{
    uint64_t s = r.register_session(11);
    r.run(set("k", "0123456789abcdefg"));
    EXPECT_EQ(r.run(get("k"), s, 1), bytes("0123456789abcdefg"));
    EXPECT_EQ(r.run(get("k"), s, 1), refused(WIRE_REPLY_GONE));
    EXPECT_EQ(r.count(STATE_REPLY_GONE), 1u);
}

TEST_F(SessionTest, WindowOfAnswers)
{
    uint64_t s = r.register_session(11);
    for (uint64_t sequence = 1; sequence <= SESSION_WINDOW + 1; sequence++)
        r.run(on(WIRE_OP_INCRBY, "n", 1), s, sequence);
    EXPECT_EQ(r.run(get("n"), s, 1), refused(WIRE_REPLY_GONE)) << "257 below the next";
    EXPECT_EQ(r.run(get("n"), s, 2), integer(2)) << "256 below the next";
    EXPECT_EQ(r.run(get("n"), s, SESSION_WINDOW + 1), integer(SESSION_WINDOW + 1));
}

TEST_F(SessionTest, BadCommandTakesItsSequence)
{
    uint64_t s = r.register_session(11);
    EXPECT_EQ(r.entry(WIRE_ENTRY_COMMAND, s, 1, "bad"), refused(WIRE_BAD_COMMAND));
    EXPECT_EQ(r.run(set("k", "v"), s, 1), refused(WIRE_BAD_COMMAND));
    EXPECT_EQ(r.run(set("k", "v"), s, 2), ok());
}

TEST_F(SessionTest, UnknownSessionsAreExpired)
{
    uint64_t s = r.register_session(11);
    for (uint64_t id : {uint64_t{1}, s + 1, s + SESSIONS_MAX, s - SESSIONS_MAX, UINT64_MAX}) {
        if (id == 0)
            continue;
        EXPECT_EQ(r.run(set("k", "v"), id, 1), refused(WIRE_SESSION_EXPIRED)) << id;
        EXPECT_EQ(state_session_next(r.get_state(), id), 0u);
    }
    EXPECT_EQ(r.read(get("k")), nil());
    EXPECT_EQ(state_session_next(r.get_state(), 0), 0u);
}

TEST_F(SessionTest, NonceFindsTheOpenSession)
{
    uint64_t s = r.register_session(11);
    EXPECT_EQ(r.register_session(11), s);
    uint64_t other = r.register_session(12);
    EXPECT_NE(other, s);
    EXPECT_EQ(state_session_count(r.get_state()), 2u);
    EXPECT_NE(r.register_session(0), r.register_session(0)) << "nonce 0 is nobody's";
    EXPECT_EQ(r.count(STATE_SESSION_RESUMED), 1u);
}

TEST_F(SessionTest, IdleSessionsEndByLogTime)
{
    r.open(1024, 1u << 24, 100);
    r.time_ms = 1000;
    uint64_t idle = r.register_session(1);
    uint64_t busy = r.register_session(2);
    r.time_ms = 1090;
    r.run(set("k", "v"), busy, 1);
    r.tick(1100);
    EXPECT_EQ(state_session_count(r.get_state()), 2u) << "exactly its time to live";
    r.tick(1101);
    EXPECT_EQ(state_session_count(r.get_state()), 1u);
    EXPECT_EQ(r.run(set("k", "v"), idle, 1), refused(WIRE_SESSION_EXPIRED));
    EXPECT_EQ(r.run(set("k", "v"), busy, 2), ok());
    EXPECT_NE(r.register_session(1), idle) << "ids never come back";
    EXPECT_EQ(r.count(STATE_SESSION_TIMED_OUT), 1u);
}

TEST_F(SessionTest, DuplicatesKeepASessionAlive)
{
    r.open(1024, 1u << 24, 100);
    uint64_t s = r.register_session(1);
    r.run(set("k", "v"), s, 1);
    for (int i = 0; i < 10; i++) {
        r.time_ms += 90;
        EXPECT_EQ(r.run(set("k", "v"), s, 1), ok());
    }
}

TEST_F(SessionTest, LeastRecentlyUsedIsEvicted)
{
    std::set<uint64_t> ids;
    std::vector<uint64_t> open;
    for (uint64_t i = 0; i < SESSIONS_MAX; i++)
        open.push_back(r.register_session(i + 1));
    r.run(set("k", "v"), open[0], 1);
    uint64_t late = r.register_session(900000);
    EXPECT_EQ(state_session_count(r.get_state()), SESSIONS_MAX);
    EXPECT_EQ(state_session_next(r.get_state(), open[1]), 0u) << "second was used longest ago";
    EXPECT_EQ(state_session_next(r.get_state(), open[0]), 2u);
    EXPECT_EQ(late % SESSIONS_MAX, open[1] % SESSIONS_MAX) << "takes its slot";
    ids.insert(open.begin(), open.end());
    EXPECT_EQ(ids.size(), SESSIONS_MAX);
    EXPECT_EQ(ids.count(late), 0u);
    EXPECT_EQ(r.count(STATE_SESSION_EVICTED), 1u);
    EXPECT_NE(r.register_session(2), open[1]) << "its nonce is forgotten";
}

TEST_F(SessionTest, ReusedSlotsForgetOldAnswers)
{
    for (uint64_t i = 0; i < SESSIONS_MAX; i++) {
        uint64_t s = r.register_session(i + 1);
        r.run(set("k", "v"), s, 1);
    }
    uint64_t fresh = r.register_session(900000);
    EXPECT_EQ(r.run(on(WIRE_OP_INCRBY, "n", 1), fresh, 1), integer(1));
}

TEST_F(SessionTest, AnswerOutlivesItsPlaceInTheSession)
{
    r.reclaiming = false;
    uint64_t s = r.register_session(1);
    r.run(set("k", "first"));
    r.run(get("k"), s, 1);
    wire_entry entry = {};
    entry.kind = WIRE_ENTRY_COMMAND;
    entry.index = state_applied_index(r.get_state()) + 1;
    entry.session = s;
    entry.sequence = 1;
    wire_result result;
    state_apply(r.get_state(), &entry, &result);
    r.run(set("k", "second"));
    for (uint64_t sequence = 2; sequence < SESSION_WINDOW + 10; sequence++)
        r.run(get("k"), s, sequence);
    EXPECT_EQ(std::string(reinterpret_cast<const char *>(result.value), result.value_bytes),
              "first");
}

TEST_F(SessionTest, ClosedSessionsLeaveTheDigest)
{
    r.open(1024, 1u << 24, 100);
    r.tick(5000);
    uint64_t without = state_digest(r.get_state());
    r.open(1024, 1u << 24, 100);
    r.time_ms = 1000;
    uint64_t s = r.register_session(1);
    r.run(get("absent"), s, 1);
    r.tick(5000);
    EXPECT_EQ(state_session_count(r.get_state()), 0u);
    EXPECT_EQ(state_digest(r.get_state()), without);
}

TEST_F(SessionTest, DigestSeesSequences)
{
    uint64_t s = r.register_session(1);
    uint64_t before = state_digest(r.get_state());
    r.run(get("absent"), s, 1);
    EXPECT_NE(state_digest(r.get_state()), before);
}
