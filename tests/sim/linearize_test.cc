#include <gtest/gtest.h>

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

extern "C" {
#include "numa/base/random.h"
#include "tests/sim/linearize.h"
}

namespace
{

struct History {
    history *h = history_new();
    ~History()
    {
        history_free(h);
    }
    uint32_t text(const std::string &s)
    {
        return text_of(h->texts, s.data(), (uint32_t)s.size());
    }
    bool read(const std::string &lines, std::string *error = nullptr)
    {
        char why[HISTORY_ERROR_MAX] = "";
        FILE *file = fmemopen((void *)lines.data(), lines.size(), "r");
        bool good = history_read(h, file, why);
        fclose(file);
        if (error != nullptr)
            *error = why;
        return good;
    }
    std::string written()
    {
        char *bytes = nullptr;
        size_t count = 0;
        FILE *file = open_memstream(&bytes, &count);
        history_write(h, file);
        fclose(file);
        std::string lines(bytes, count);
        free(bytes);
        return lines;
    }
    linearize_verdict check(linearize_report *report = nullptr, uint64_t steps_max = 100000)
    {
        linearize_limits limits;
        linearize_report own;
        linearize_limits_defaults(&limits);
        limits.steps_max = steps_max;
        return linearize(h, &limits, report != nullptr ? report : &own);
    }
};

std::string line(const char *op, const char *argument, const char *result, int invoke, int back,
                 const char *outcome = "ok", const char *key = "k")
{
    return std::string("{\"process\":1,\"op\":\"") + op + "\",\"key\":\"" + key +
           "\",\"argument\":" + argument + ",\"result\":" + result +
           ",\"invoke_ns\":" + std::to_string(invoke) + ",\"return_ns\":" + std::to_string(back) +
           ",\"outcome\":\"" + outcome + "\"}\n";
}

linearize_verdict verdict_of(const std::string &lines)
{
    History history;
    std::string error;
    EXPECT_TRUE(history.read(lines, &error)) << error;
    return history.check();
}

/* ---- files ----------------------------------------------------------------------------------- */

TEST(History, EveryFormSurvivesWritingAndReading)
{
    std::string lines =
        line("set", "\"v\"", "\"OK\"", 1, 2) +
        line("set", "{\"value\":\"w\",\"if\":\"absent\",\"get\":true,\"ttl_ms\":7}", "\"OK\"", 1,
             2) +
        line("set", "{\"value\":\"w\",\"if\":\"present\",\"keep_ttl\":true}", "null", 1, 2) +
        line("get", "null", "\"\\u00ff\\u0000\\\"\\\\\"", 3, 4) + line("incrby", "-5", "-5", 5, 6) +
        line("cas", "{\"old\":\"a\",\"value\":\"b\"}", "1", 5, 6) +
        line("append", "\"x\"", "{\"unknown\":true}", 5, 6) +
        line("incrby", "1", "{\"error\":\"wrong_type\"}", 5, 6) +
        line("append", "\"x\"", "{\"error\":\"no_space\"}", 5, 6) +
        line("ttl", "null", "-2", 5, 6) + line("del", "null", "null", 5, 6, "fail");
    History history;
    std::string error;
    ASSERT_TRUE(history.read(lines, &error)) << error;
    EXPECT_EQ(history.written(), lines);
    EXPECT_EQ(history.h->operation[3].text, history.text(std::string("\xff\0\"\\", 4)));
}

TEST(History, AnOpenOperationHasNoReturn)
{
    History history;
    ASSERT_TRUE(history.read("{\"process\":0,\"op\":\"del\",\"key\":\"k\",\"argument\":null,"
                             "\"result\":null,\"invoke_ns\":4,\"return_ns\":null,"
                             "\"outcome\":\"open\"}\n"));
    EXPECT_EQ(history.h->operation[0].return_ns, UINT64_MAX);
}

TEST(History, BadLinesAreRefusedByNumber)
{
    const std::string good = line("get", "null", "null", 1, 2);
    const std::string bad[] = {
        "nonsense\n",
        "[]\n",
        line("fly", "null", "null", 1, 2),
        line("get", "null", "null", 1, 2, "perhaps"),
        line("get", "5", "null", 1, 2),
        line("get", "null", "[]", 1, 2),
        line("get", "null", "{\"error\":\"gremlins\"}", 1, 2),
        line("get", "null", "null", 3, 2),
        line("get", "null", "null", -1, 2),
        line("set", "{\"value\":\"v\",\"if\":\"raining\"}", "\"OK\"", 1, 2),
        line("set", "{\"ttl_ms\":5}", "\"OK\"", 1, 2),
        line("set", "{\"value\":\"v\",\"ttl_ms\":0}", "\"OK\"", 1, 2),
        line("set", "{\"value\":\"v\",\"colour\":\"red\"}", "\"OK\"", 1, 2),
        line("set", "\"v\"", "\"NO\"", 1, 2),
        line("cas", "{\"old\":\"v\"}", "1", 1, 2),
        line("get", "null", "\"\u20ac\"", 1, 2),
        "{\"process\":-1,\"op\":\"get\",\"key\":\"k\",\"invoke_ns\":1,\"return_ns\":2,"
        "\"outcome\":\"ok\"}\n",
        "{\"op\":\"get\",\"op\":\"get\"}\n",
    };
    for (const std::string &wrong : bad) {
        History history;
        std::string error;
        EXPECT_FALSE(history.read(good + wrong + good, &error)) << wrong;
        EXPECT_EQ(error.substr(0, 8), "line 2: ") << error;
        EXPECT_EQ(history.h->count, 1u);
    }
}

/* ---- verdicts by hand ------------------------------------------------------------------------ */

TEST(Linearize, NothingIsRight)
{
    EXPECT_EQ(verdict_of("\n"), LINEARIZE_OK);
}

TEST(Linearize, OverlappingReadsMaySeeOldOrNewButNotNewThenOld)
{
    const std::string write = line("set", "\"b\"", "\"OK\"", 10, 20);
    EXPECT_EQ(verdict_of(write + line("get", "null", "null", 11, 12) +
                         line("get", "null", "\"b\"", 13, 14)),
              LINEARIZE_OK);
    EXPECT_EQ(verdict_of(write + line("get", "null", "\"b\"", 11, 12) +
                         line("get", "null", "null", 13, 14)),
              LINEARIZE_VIOLATION);
    EXPECT_EQ(verdict_of(write + line("get", "null", "null", 21, 22)), LINEARIZE_VIOLATION);
    EXPECT_EQ(verdict_of(write + line("get", "null", "null", 20, 22)), LINEARIZE_OK)
        << "equal times are the benefit of the doubt";
}

TEST(Linearize, AnOpenWriteMayHappenLateOrNever)
{
    const std::string open = line("set", "\"b\"", "null", 10, 11, "open");
    EXPECT_EQ(verdict_of(open + line("get", "null", "null", 20, 21)), LINEARIZE_OK);
    EXPECT_EQ(verdict_of(open + line("get", "null", "null", 20, 21) +
                         line("get", "null", "\"b\"", 30, 31)),
              LINEARIZE_OK);
    EXPECT_EQ(verdict_of(open + line("get", "null", "\"b\"", 5, 6)), LINEARIZE_VIOLATION);
    EXPECT_EQ(verdict_of(open + line("get", "null", "\"b\"", 20, 21) +
                         line("get", "null", "null", 30, 31)),
              LINEARIZE_VIOLATION);
}

TEST(Linearize, TwoOpenIncrementsCountAtMostTwice)
{
    const std::string open = line("incrby", "1", "null", 1, 2, "open");
    for (int seen = 0; seen < 5; seen++) {
        std::string value = seen == 0 ? "null" : "\"" + std::to_string(seen) + "\"";
        EXPECT_EQ(verdict_of(open + open + line("get", "null", value.c_str(), 9, 10)),
                  seen <= 2 ? LINEARIZE_OK : LINEARIZE_VIOLATION);
    }
}

TEST(Linearize, AFailedWriteNeverHappened)
{
    EXPECT_EQ(
        verdict_of(line("set", "\"b\"", "null", 1, 2, "fail") + line("get", "null", "\"b\"", 3, 4)),
        LINEARIZE_VIOLATION);
}

TEST(Linearize, ExpiryIsAOneWayDoor)
{
    const std::string set = line("set", "{\"value\":\"v\",\"ttl_ms\":1}", "\"OK\"", 1, 2);
    const std::string seen = line("get", "null", "\"v\"", 3, 4);
    const std::string gone = line("get", "null", "null", 5, 6);
    EXPECT_EQ(verdict_of(set + seen + gone), LINEARIZE_OK);
    EXPECT_EQ(verdict_of(set + gone + line("get", "null", "\"v\"", 7, 8)), LINEARIZE_VIOLATION);
    EXPECT_EQ(verdict_of(line("set", "\"v\"", "\"OK\"", 1, 2) + gone), LINEARIZE_VIOLATION);
    EXPECT_EQ(verdict_of(set + line("persist", "null", "1", 3, 4) + gone), LINEARIZE_VIOLATION);
    EXPECT_EQ(verdict_of(set + line("persist", "null", "0", 3, 4) + gone), LINEARIZE_OK);
    EXPECT_EQ(verdict_of(set + line("ttl", "null", "2", 3, 4)), LINEARIZE_VIOLATION);
    EXPECT_EQ(verdict_of(set + line("ttl", "null", "1", 3, 4)), LINEARIZE_OK);
}

TEST(Linearize, ExpiryRespectsTheClockWhenAskedTo)
{
    History history;
    ASSERT_TRUE(history.read(line("set", "{\"value\":\"v\",\"ttl_ms\":1}", "\"OK\"", 100, 200) +
                             line("get", "null", "null", 300, 999000)));
    linearize_limits limits;
    linearize_report report;
    linearize_limits_defaults(&limits);
    limits.rules.expires_early_ns = 1000;
    EXPECT_EQ(linearize(history.h, &limits, &report), LINEARIZE_VIOLATION);
    limits.rules.expires_early_ns = 2000;
    EXPECT_EQ(linearize(history.h, &limits, &report), LINEARIZE_OK);

    History late;
    ASSERT_TRUE(late.read(line("set", "{\"value\":\"v\",\"ttl_ms\":1}", "\"OK\"", 100, 200) +
                          line("get", "null", "\"v\"", 2000000, 2000001)));
    limits.rules.expires_late_ns = 500000;
    EXPECT_EQ(linearize(late.h, &limits, &report), LINEARIZE_VIOLATION);
    limits.rules.expires_late_ns = 1500000;
    EXPECT_EQ(linearize(late.h, &limits, &report), LINEARIZE_OK);
}

TEST(Linearize, TheReportNamesTheOperation)
{
    History history;
    ASSERT_TRUE(history.read(
        line("set", "\"a\"", "\"OK\"", 1, 2) + line("get", "null", "\"a\"", 3, 4) +
        line("get", "null", "\"z\"", 5, 6) + line("get", "null", "\"a\"", 7, 8, "ok", "other")));
    linearize_report report;
    EXPECT_EQ(history.check(&report), LINEARIZE_VIOLATION);
    EXPECT_EQ(report.operation, 2u);
}

TEST(Linearize, ABudgetEndsUndecided)
{
    std::string lines;
    for (int i = 0; i < 12; i++)
        lines += line("append", ("\"" + std::string(1, (char)('a' + i)) + "\"").c_str(),
                      "{\"unknown\":true}", 1, 100);
    lines += line("strlen", "null", "13", 200, 201);
    History history;
    ASSERT_TRUE(history.read(lines));
    linearize_report report;
    EXPECT_EQ(history.check(&report, 10000), LINEARIZE_UNDECIDED);
    EXPECT_EQ(report.keys_undecided, 1u);
}

/* ---- against a dumb twin --------------------------------------------------------------------- */

/* Tries every order, remembers nothing, and keeps its own idea of what commands do. */
class Twin
{
  public:
    struct State {
        std::optional<std::string> value;
        bool mortal = false;
    };
    explicit Twin(const History &h) : h_(h.h), used_(h.h->count, false)
    {
    }
    bool linearizable()
    {
        return search(State());
    }

  private:
    std::string text(uint32_t t) const
    {
        uint32_t count;
        const uint8_t *bytes = text_bytes(h_->texts, t, &count);
        return std::string((const char *)bytes, count);
    }
    bool search(const State &state)
    {
        bool left = false;
        for (uint32_t i = 0; i < h_->count; i++)
            left = left || (!used_[i] && h_->operation[i].outcome == HISTORY_OK);
        if (!left)
            return true;
        for (uint32_t i = 0; i < h_->count; i++) {
            if (used_[i] || !may_be_next(i))
                continue;
            used_[i] = true;
            State alive = state;
            bool found = step(h_->operation[i], alive) && search(alive);
            State expired;
            found = found || (state.mortal && step(h_->operation[i], expired) && search(expired));
            used_[i] = false;
            if (found)
                return true;
        }
        return false;
    }
    bool may_be_next(uint32_t i) const
    {
        if (h_->operation[i].outcome == HISTORY_FAIL)
            return false;
        for (uint32_t j = 0; j < h_->count; j++)
            if (!used_[j] && h_->operation[j].outcome == HISTORY_OK &&
                h_->operation[j].return_ns < h_->operation[i].invoke_ns)
                return false;
        return true;
    }
    bool step(const history_operation &o, State &s) const
    {
        std::optional<std::string> said;
        std::optional<int64_t> number;
        bool plain_ok = false;
        switch (o.op) {
        case HISTORY_SET:
            if (!((o.flags & HISTORY_IF_ABSENT) && s.value)) {
                s = State{text(o.value), o.number != 0};
                plain_ok = true;
            }
            break;
        case HISTORY_GET:
            said = s.value;
            break;
        case HISTORY_DEL:
            number = s.value ? 1 : 0;
            s = State();
            break;
        case HISTORY_INCRBY:
            number = (s.value ? std::stoll(*s.value) : 0) + o.number;
            s.value = std::to_string(*number);
            break;
        case HISTORY_APPEND:
            s.value = s.value.value_or("") + text(o.value);
            number = s.value->size();
            break;
        case HISTORY_CAS:
            number = s.value == text(o.old) ? 1 : 0;
            if (*number)
                s = State{text(o.value), s.mortal};
            break;
        default:
            ADD_FAILURE();
        }
        if (o.outcome != HISTORY_OK)
            return true;
        switch (o.answer) {
        case HISTORY_STATUS_OK:
            return plain_ok;
        case HISTORY_NIL:
            return !plain_ok && !said && !number;
        case HISTORY_INTEGER:
            return number == o.integer;
        case HISTORY_TEXT:
            return said == text(o.text);
        default:
            return false;
        }
    }

    history *h_;
    std::vector<bool> used_;
};

/* Digits only, so that every value is a number; few of them, so that answers collide often. */
history_operation random_operation(History &h, random_state *random)
{
    static const history_op ops[] = {HISTORY_SET,    HISTORY_GET,    HISTORY_GET, HISTORY_DEL,
                                     HISTORY_INCRBY, HISTORY_APPEND, HISTORY_CAS};
    auto digit = [&] { return std::to_string(1 + random_below(random, 2)); };
    history_operation o = {};
    o.op = (uint8_t)ops[random_below(random, COUNT_OF(ops))];
    o.key = h.text("k");
    o.invoke_ns = random_below(random, 12);
    o.return_ns = o.invoke_ns + 1 + random_below(random, 6);
    o.value = h.text(digit());
    o.old = h.text(digit());
    o.outcome = random_below(random, 3) == 0 ? HISTORY_OPEN : HISTORY_OK;
    o.answer = HISTORY_INTEGER;
    o.integer = (int64_t)random_below(random, 3);
    if (o.op == HISTORY_INCRBY)
        o.number = 1;
    if (o.op == HISTORY_SET) {
        o.answer = HISTORY_STATUS_OK;
        o.number = random_below(random, 3) == 0;
        if (random_below(random, 4) == 0) {
            o.flags = HISTORY_IF_ABSENT;
            o.answer = random_below(random, 2) == 0 ? HISTORY_NIL : HISTORY_STATUS_OK;
        }
    }
    if (o.op == HISTORY_GET) {
        o.answer = random_below(random, 3) == 0 ? HISTORY_NIL : HISTORY_TEXT;
        o.text = h.text(digit());
    }
    return o;
}

TEST(Linearize, AgreesWithADumbTwin)
{
    random_state random;
    random_init(&random, 20261122);
    uint32_t right = 0, wrong = 0;
    for (int round = 0; round < 20000; round++) {
        History h;
        uint32_t count = 2 + (uint32_t)random_below(&random, 6);
        for (uint32_t i = 0; i < count; i++) {
            history_operation o = random_operation(h, &random);
            history_add(h.h, &o);
        }
        linearize_verdict expected = Twin(h).linearizable() ? LINEARIZE_OK : LINEARIZE_VIOLATION;
        ASSERT_EQ(h.check(), expected) << h.written();
        (expected == LINEARIZE_OK ? right : wrong)++;
    }
    EXPECT_GT(right, 500u);
    EXPECT_GT(wrong, 500u);
}

/* ---- histories kept as files ----------------------------------------------------------------- */

linearize_verdict verdict_of_file(const std::string &name)
{
    History history;
    char error[HISTORY_ERROR_MAX] = "";
    FILE *file = fopen((std::string(HISTORY_FOLDER "/") + name + ".jsonl").c_str(), "r");
    EXPECT_NE(file, nullptr) << name;
    if (file == nullptr)
        return LINEARIZE_UNDECIDED;
    EXPECT_TRUE(history_read(history.h, file, error)) << name << ": " << error;
    fclose(file);
    return history.check();
}

TEST(Histories, KnownBadOnesAreRejected)
{
    for (const char *name : {"bad-stale-read", "bad-double-incr", "bad-resurrected-ttl",
                             "bad-lost-append", "bad-cas-two-winners", "bad-future-read"})
        EXPECT_EQ(verdict_of_file(name), LINEARIZE_VIOLATION) << name;
}

TEST(Histories, GoodOnesAreAccepted)
{
    for (const char *name : {"good-overlap", "good-open-incr", "good-expiry", "good-append"})
        EXPECT_EQ(verdict_of_file(name), LINEARIZE_OK) << name;
}

} // namespace
