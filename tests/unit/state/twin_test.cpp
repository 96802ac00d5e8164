/* A random log against a model of maps and lists, and the same log on replicas whose readers
 * differ. */
#include "tests/unit/state/state_fixture.h"

#include <list>
#include <map>

namespace
{

constexpr uint32_t kKeysMax = 64;
constexpr uint64_t kBytesMax = 24000;
constexpr uint64_t kSessionTtl = 400;
constexpr uint64_t kItemBytes = 28, kTogetherBytes = 16;

/* What the state promises, said as plainly as possible. */
class Model
{
  public:
    answer apply(uint8_t kind, uint64_t time, uint64_t id, uint64_t sequence, const command &c)
    {
        time_ = std::max(time_, time);
        while (!sessions_.empty() && time_ - sessions_.front().last > kSessionTtl)
            sessions_.pop_front();
        answer a = kind == WIRE_ENTRY_REGISTER  ? open(sequence)
                   : kind == WIRE_ENTRY_COMMAND ? in_session(id, sequence, c)
                                                : nil();
        int due = 0;
        for (auto it = items_.begin(); it != items_.end();)
            if (absent(it->second)) {
                it = items_.erase(it);
                due++;
            } else {
                it++;
            }
        EXPECT_LE(due, 32) << "more than an entry deletes: the model would have to know the order";
        return a;
    }

    size_t keys() const
    {
        return items_.size();
    }

    std::vector<std::string> names() const
    {
        std::vector<std::string> names;
        for (auto &[key, it] : items_)
            names.push_back(key);
        return names;
    }

    answer look(const command &c)
    {
        return read(c);
    }

    std::vector<uint64_t> open_sessions() const
    {
        std::vector<uint64_t> ids;
        for (auto &s : sessions_)
            ids.push_back(s.id);
        return ids;
    }

    uint64_t next_of(uint64_t id) const
    {
        for (auto &s : sessions_)
            if (s.id == id)
                return s.next;
        return 0;
    }

  private:
    struct item {
        std::string value;
        uint64_t expiry = 0;
        uint64_t bytes = 0;
    };
    struct session {
        uint64_t id, next, nonce, last;
        std::map<uint64_t, answer> answers;
    };

    static uint64_t rounded(uint64_t bytes)
    {
        uint64_t size = 64;
        while (size < bytes)
            size += size < 512 ? 64 : (uint64_t{1} << (63 - __builtin_clzll(size))) / 4;
        return size;
    }

    bool absent(const item &it) const
    {
        return it.expiry != 0 && it.expiry <= time_;
    }

    item *find(const std::string &key)
    {
        auto it = items_.find(key);
        if (it == items_.end())
            return nullptr;
        if (!absent(it->second))
            return &it->second;
        items_.erase(it);
        return nullptr;
    }

    uint64_t used() const
    {
        uint64_t sum = 0;
        for (auto &[key, it] : items_)
            sum += it.bytes;
        return sum;
    }

    bool store(const std::string &key, const std::string &value, uint64_t expiry)
    {
        item *old = find(key);
        uint64_t bytes = rounded(kItemBytes + key.size() + value.size());
        uint64_t before = old == nullptr ? 0 : old->bytes;
        if ((old == nullptr && items_.size() == kKeysMax) ||
            (bytes > before && used() - before + bytes > kBytesMax))
            return false;
        items_[key] = {value, expiry, bytes};
        return true;
    }

    answer open(uint64_t nonce)
    {
        for (auto it = sessions_.begin(); nonce != 0 && it != sessions_.end(); it++)
            if (it->nonce == nonce) {
                it->last = time_;
                sessions_.splice(sessions_.end(), sessions_, it);
                return integer(static_cast<int64_t>(sessions_.back().id));
            }
        if (sessions_.size() == SESSIONS_MAX)
            sessions_.pop_front();
        sessions_.push_back({0, 1, nonce, time_, {}});
        return {WIRE_DONE, WIRE_INTEGER, -1, ""}; /* the state draws the id */
    }

    answer in_session(uint64_t id, uint64_t sequence, const command &c)
    {
        if (id == 0)
            return run(c);
        auto s = sessions_.begin();
        while (s != sessions_.end() && s->id != id)
            s++;
        if (s == sessions_.end())
            return refused(WIRE_SESSION_EXPIRED);
        s->last = time_;
        sessions_.splice(sessions_.end(), sessions_, s);
        if (sequence > s->next)
            return {WIRE_OUT_OF_ORDER, WIRE_NIL, static_cast<int64_t>(s->next), ""};
        if (sequence == s->next) {
            answer a = run(c);
            s->answers[s->next++] = a;
            while (s->answers.size() > SESSION_WINDOW)
                s->answers.erase(s->answers.begin());
            return a;
        }
        auto kept = s->answers.find(sequence);
        if (kept == s->answers.end() || kept->second.value.size() > SESSION_REPLY_BYTES)
            return refused(WIRE_REPLY_GONE);
        return kept->second;
    }

    answer run(const command &c)
    {
        item *old = c.op == WIRE_OP_MSET ? nullptr : find(c.key);
        switch (c.op) {
        case WIRE_OP_SET:
            return run_set(c, old);
        case WIRE_OP_DEL:
            items_.erase(c.key);
            return integer(old != nullptr);
        case WIRE_OP_INCRBY:
            return run_incrby(c, old);
        case WIRE_OP_APPEND: {
            std::string value = (old ? old->value : "") + c.value;
            return store(c.key, value, old ? old->expiry : 0)
                       ? integer(static_cast<int64_t>(value.size()))
                       : refused(WIRE_NO_SPACE);
        }
        case WIRE_OP_CAS:
            if (old == nullptr || old->value != c.old)
                return integer(0);
            return store(c.key, c.value, old->expiry) ? integer(1) : refused(WIRE_NO_SPACE);
        case WIRE_OP_EXPIRE:
            if (old != nullptr && c.argument <= 0)
                items_.erase(c.key);
            else if (old != nullptr)
                old->expiry = time_ + static_cast<uint64_t>(c.argument);
            return integer(old != nullptr);
        case WIRE_OP_PERSIST: {
            bool had = old != nullptr && old->expiry != 0;
            if (had)
                old->expiry = 0;
            return integer(had);
        }
        case WIRE_OP_MSET:
            return run_mset(c);
        default:
            return read(c);
        }
    }

    answer run_set(const command &c, item *old)
    {
        answer before = old ? bytes(old->value) : nil();
        bool allowed =
            !((c.flags & WIRE_SET_IF_ABSENT) && old) && !((c.flags & WIRE_SET_IF_PRESENT) && !old);
        uint64_t expiry = c.argument > 0 ? time_ + static_cast<uint64_t>(c.argument)
                          : (c.flags & WIRE_SET_KEEP_TTL) && old ? old->expiry
                                                                 : 0;
        if (allowed && !store(c.key, c.value, expiry))
            return refused(WIRE_NO_SPACE);
        return c.flags & WIRE_SET_RETURN_OLD ? before : allowed ? ok() : nil();
    }

    answer run_incrby(const command &c, item *old)
    {
        long long number = 0;
        if (old != nullptr) {
            char *end;
            number = strtoll(old->value.c_str(), &end, 10);
            if (std::to_string(number) != old->value)
                return refused(WIRE_WRONG_TYPE);
        }
        long long sum;
        if (__builtin_add_overflow(number, c.argument, &sum))
            return refused(WIRE_WRONG_TYPE);
        return store(c.key, std::to_string(sum), old ? old->expiry : 0) ? integer(sum)
                                                                        : refused(WIRE_NO_SPACE);
    }

    answer run_mset(const command &c)
    {
        std::vector<std::pair<std::string, std::string>> pairs;
        for (size_t at = 0; at < c.value.size();) {
            size_t k = load_u32(c.value.data() + at), v = load_u32(c.value.data() + at + 4);
            pairs.push_back({c.value.substr(at + 8, k), c.value.substr(at + 8 + k, v)});
            at += 8 + k + v;
        }
        uint64_t grows = 0, fresh = 0;
        for (auto &[key, value] : pairs) {
            item *old = find(key);
            uint64_t size = rounded(kItemBytes + key.size() + value.size() + kTogetherBytes);
            uint64_t before = old ? old->bytes : 0;
            grows += size > before ? size - before : 0;
            fresh += old == nullptr;
        }
        if ((grows > 0 && used() + grows > kBytesMax) || items_.size() + fresh > kKeysMax)
            return refused(WIRE_NO_SPACE);
        for (auto &[key, value] : pairs)
            items_[key] = {value, 0,
                           rounded(kItemBytes + key.size() + value.size() + kTogetherBytes)};
        return ok();
    }

    answer read(const command &c)
    {
        item *it = c.key.empty() ? nullptr : find(c.key);
        switch (c.op) {
        case WIRE_OP_GET:
            return it ? bytes(it->value) : nil();
        case WIRE_OP_EXISTS:
            return integer(it != nullptr);
        case WIRE_OP_STRLEN:
            return integer(it ? static_cast<int64_t>(it->value.size()) : 0);
        case WIRE_OP_TTL:
            return integer(!it               ? -2
                           : it->expiry == 0 ? -1
                                             : static_cast<int64_t>(it->expiry - time_));
        default:
            return refused(WIRE_BAD_COMMAND);
        }
    }

  public:
    void name_newest(uint64_t id)
    {
        sessions_.back().id = id;
    }

  private:
    uint64_t time_ = 0;
    std::map<std::string, item> items_;
    std::list<session> sessions_; /* by last use */
};

class Walk
{
  public:
    explicit Walk(uint64_t seed)
    {
        random_init(&random_, seed);
    }

    uint64_t below(uint64_t bound)
    {
        return random_below(&random_, bound);
    }

    std::string key()
    {
        std::string key = "k" + std::to_string(below(90));
        return below(4) == 0 ? key + std::string(below(60), '_') : key;
    }

    std::string value()
    {
        switch (below(4)) {
        case 0:
            return std::to_string(static_cast<int64_t>(below(100)) - 50);
        case 1:
            return std::string(below(20), 'v');
        case 2:
            return std::string(below(900), 'w');
        default:
            return "v" + std::to_string(below(5));
        }
    }

    command any()
    {
        std::string k = key();
        switch (below(16)) {
        case 0:
        case 1:
        case 2: {
            int flags = static_cast<int>(below(16));
            if ((flags & 3) == 3)
                flags &= ~1;
            int64_t ttl = below(3) == 0 && !(flags & WIRE_SET_KEEP_TTL)
                              ? static_cast<int64_t>(1 + below(300))
                              : 0;
            return set(k, value(), ttl, below(2) ? flags : ttl ? 0 : flags & WIRE_SET_KEEP_TTL);
        }
        case 3:
            return set(k, value());
        case 4:
            return on(WIRE_OP_DEL, k);
        case 5:
            return on(WIRE_OP_INCRBY, k,
                      static_cast<int64_t>(below(2) ? below(1000) : random_next(&random_)));
        case 6:
            return append(k, value().substr(0, 40));
        case 7:
            return cas(k, "v" + std::to_string(below(5)), value());
        case 8:
            return on(WIRE_OP_EXPIRE, k, static_cast<int64_t>(below(300)) - 20);
        case 9:
            return on(WIRE_OP_PERSIST, k);
        case 10: {
            std::vector<std::pair<std::string, std::string>> pairs(1 + below(4));
            for (auto &p : pairs)
                p = {key(), value()};
            return mset(pairs);
        }
        case 11:
            return on(WIRE_OP_TTL, k);
        case 12:
            return on(WIRE_OP_STRLEN, k);
        case 13:
            return on(WIRE_OP_EXISTS, k);
        default:
            return get(k);
        }
    }

  private:
    random_state random_;
};

struct step {
    uint8_t kind;
    uint64_t time, session, sequence;
    std::string body;
};

} // namespace

class StateTwin : public ::testing::Test
{
  protected:
    Replica r;
    Model model;
    std::vector<step> log;
    std::vector<answer> answers;
    std::map<int, int> statuses;

    answer both(uint8_t kind, uint64_t session, uint64_t sequence, const command &c)
    {
        std::string body = kind == WIRE_ENTRY_COMMAND ? c.body() : "";
        log.push_back({kind, r.time_ms, session, sequence, body});
        answer expected = model.apply(kind, r.time_ms, session, sequence, c);
        answer got = r.entry(kind, session, sequence, body);
        answers.push_back(got);
        statuses[got.status]++;
        if (kind == WIRE_ENTRY_REGISTER && expected.integer == -1) {
            model.name_newest(static_cast<uint64_t>(got.integer));
            expected.integer = got.integer;
        }
        EXPECT_EQ(got, expected) << "op " << int(c.op) << " key " << c.key << " session " << session
                                 << " sequence " << sequence << " entry " << log.size();
        EXPECT_EQ(state_key_count(r.get_state()), model.keys());
        return got;
    }

    void command_of_a_session(Walk &walk)
    {
        std::vector<uint64_t> ids = model.open_sessions();
        uint64_t id =
            ids.empty() || walk.below(30) == 0 ? walk.below(100000) : ids[walk.below(ids.size())];
        uint64_t next = std::max<uint64_t>(model.next_of(id), 1), sequence = next;
        if (walk.below(5) == 0)
            sequence = next + 1 + walk.below(3);
        else if (walk.below(4) == 0 && next > 1)
            sequence = next - 1 - walk.below(std::min<uint64_t>(next - 1, 300));
        both(WIRE_ENTRY_COMMAND, id, sequence, walk.any());
    }

    void walk_for(uint64_t seed, int steps)
    {
        Walk walk(seed);
        r.open(kKeysMax, kBytesMax, kSessionTtl);
        r.prefetching = seed % 2 == 0;
        for (int i = 0; i < steps && !HasFailure(); i++) {
            if (walk.below(4) == 0)
                r.time_ms += walk.below(12);
            uint64_t what = walk.below(100);
            if (what < 2)
                both(WIRE_ENTRY_REGISTER, 0, walk.below(6), {});
            else if (what < 4)
                both(walk.below(2) ? WIRE_ENTRY_NOOP : WIRE_ENTRY_TIME, 0, 0, {});
            else if (what < 50)
                command_of_a_session(walk);
            else
                both(WIRE_ENTRY_COMMAND, 0, 0, walk.any());
            command g = on(static_cast<int>(WIRE_OP_GET + walk.below(4)), walk.key());
            EXPECT_EQ(r.read(g), model.look(g)) << g.key;
        }
    }
};

TEST_F(StateTwin, RandomLogsAgainstTheModel)
{
    for (uint64_t seed = 1; seed <= 8 && !HasFailure(); seed++) {
        model = Model();
        r.time_ms = 1000;
        walk_for(seed, 8000);
    }
    for (int status : {WIRE_DONE, WIRE_OUT_OF_ORDER, WIRE_SESSION_EXPIRED, WIRE_REPLY_GONE,
                       WIRE_NO_SPACE, WIRE_WRONG_TYPE})
        EXPECT_GT(statuses[status], 20) << "the walk must come by here: " << status;
}

/* Memory pressure and readers must not show: one replica frees at once, one late, one rarely and in
 * odd rhythm. */
TEST_F(StateTwin, ReplicasAgreeWhateverTheirReadersDo)
{
    walk_for(77, 20000);
    ASSERT_FALSE(HasFailure());
    Replica late, odd;
    late.open(kKeysMax, kBytesMax, kSessionTtl);
    odd.open(kKeysMax, kBytesMax, kSessionTtl);
    late.reclaiming = odd.reclaiming = false;
    odd.prefetching = false;
    Walk walk(5);
    for (size_t i = 0; i < log.size(); i++) {
        const step &s = log[i];
        late.time_ms = odd.time_ms = s.time;
        ASSERT_EQ(late.entry(s.kind, s.session, s.sequence, s.body), answers[i]) << i;
        ASSERT_EQ(odd.entry(s.kind, s.session, s.sequence, s.body), answers[i]) << i;
        ASSERT_EQ(state_digest(late.get_state()), state_digest(odd.get_state())) << i;
        if (!state_can_apply(late.get_state()))
            for (int n = 0; n < 3; n++)
                late.reclaim();
        if (walk.below(50) == 0)
            for (uint64_t n = walk.below(4); n > 0; n--)
                odd.reclaim();
        while (!state_can_apply(odd.get_state()))
            odd.reclaim();
    }
    EXPECT_EQ(state_digest(late.get_state()), state_digest(r.get_state()));
    for (int i = 0; i < STATE_EVENT_COUNT; i++)
        EXPECT_EQ(state_counters(late.get_state())[i], state_counters(r.get_state())[i]) << i;
}
