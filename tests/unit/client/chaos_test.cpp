// The machine against a dumb cluster and a bad network, driven by its own wake times: nothing is
// executed twice, what is acknowledged was executed once and in order, what is refused never was,
// and when the network heals all of it ends.
#include "tests/unit/client/model_server.h"

namespace
{

class Chaos : public ClientFixture
{
  protected:
    void run(uint64_t seed, const client_config &config, const Faults &faults, uint32_t operations);

  private:
    struct Operation {
        bool write;
        int outcome = -1; // enum client_outcome
        int64_t integer = 0;
        size_t executed_before; // by submission
    };
    void submit_some();
    void pump();
    void finish(const client_completion &completion);
    void settle();
    void check();

    std::unique_ptr<ModelServer> server_;
    std::vector<Operation> operations_;
    uint32_t operations_max_ = 0;
    bool writes_only_ = false;
    uint64_t acknowledged_position_ = 0;
};

void Chaos::submit_some()
{
    uint64_t count = server_->chance() % 8;
    while (count-- > 0 && operations_.size() < operations_max_) {
        Operation operation = {};
        operation.write = writes_only_ || server_->chance() % 100 < 70;
        operation.executed_before = acknowledged_position_;
        uint64_t cookie = operations_.size();
        std::string value(server_->chance() % 20 == 0 ? 3000 : 5, 'v');
        bool taken = operation.write
                         ? submit(WIRE_OP_SET, "w" + std::to_string(cookie), cookie, value)
                         : get(cookie);
        if (!taken) {
            ASSERT_EQ(client_room(client_), 0u);
            return;
        }
        operations_.push_back(operation);
    }
}

void Chaos::finish(const client_completion &completion)
{
    Operation &operation = operations_.at(completion.cookie);
    ASSERT_EQ(operation.outcome, -1) << "completed twice";
    operation.outcome = completion.outcome;
    operation.integer = completion.result.integer;
    if (completion.outcome != CLIENT_DONE)
        return;
    uint64_t position = static_cast<uint64_t>(completion.result.integer);
    if (operation.write) {
        std::string key = "w" + std::to_string(completion.cookie);
        ASSERT_EQ(server_->times[key], 1) << key;
        ASSERT_EQ(server_->executed.at(position - 1), key) << "the answer is another command's";
    } else {
        ASSERT_GE(position, operation.executed_before) << "a read missed an acknowledged write";
    }
    acknowledged_position_ = std::max(acknowledged_position_, position);
}

// Sends what there is, then moves time to whatever happens next.
void Chaos::pump()
{
    uint8_t payload[kFrameBytes];
    uint32_t bytes;
    uint16_t target;
    bool sent = false;
    for (const client_completion &one : tick())
        finish(one);
    while (client_emit(client_, payload, sizeof payload, now_, &bytes, &target)) {
        server_->send(target, payload, bytes, now_);
        sent = true;
    }
    uint64_t wake = client_wake_ns(client_);
    ASSERT_TRUE(sent || wake > now_) << "the machine asks to be woken for nothing";
    ASSERT_TRUE(client_outstanding(client_) == 0 || wake != UINT64_MAX)
        << "it would sleep for ever";
    uint64_t next = std::min(wake, server_->next_ns());
    now_ = next == UINT64_MAX ? now_ + kMs : std::max(now_, next);
    for (const Bytes &frame : server_->run(now_))
        for (const client_completion &one :
             receive(frame.data(), static_cast<uint32_t>(frame.size())))
            finish(one);
}

void Chaos::check()
{
    for (const auto &one : server_->times)
        ASSERT_EQ(one.second, 1) << one.first << " was executed more than once";
    std::vector<size_t> acknowledged;
    for (const std::string &key : server_->executed) {
        size_t cookie = std::stoul(key.substr(1));
        if (operations_[cookie].outcome == CLIENT_DONE)
            acknowledged.push_back(cookie);
    }
    ASSERT_TRUE(std::is_sorted(acknowledged.begin(), acknowledged.end())) << "out of order";
    for (size_t i = 0; i < operations_.size(); i++) {
        const Operation &operation = operations_[i];
        int executed = server_->times.count("w" + std::to_string(i)) ? 1 : 0;
        ASSERT_NE(operation.outcome, -1) << "never completed";
        bool must = operation.outcome == CLIENT_GONE ||
                    (operation.outcome == CLIENT_DONE && operation.write);
        bool must_not = operation.outcome == CLIENT_REFUSED;
        ASSERT_TRUE(executed == 1 || !must) << i;
        ASSERT_TRUE(executed == 0 || !must_not) << "refused, yet executed: " << i;
    }
}

void Chaos::settle()
{
    uint64_t end = now_ + 2 * config_.deadline_ns;
    while (client_outstanding(client_) != 0 || operations_.size() < operations_max_ ||
           !server_->quiet()) {
        submit_some();
        ASSERT_NO_FATAL_FAILURE(pump());
        ASSERT_LT(now_, end) << "no end in sight";
    }
}

void Chaos::run(uint64_t seed, const client_config &config, const Faults &faults,
                uint32_t operations)
{
    SCOPED_TRACE("seed " + std::to_string(seed));
    server_ = std::make_unique<ModelServer>(seed, config, faults);
    operations_.clear();
    acknowledged_position_ = 0;
    operations_max_ = operations;
    writes_only_ = false;
    now_ = 1000 * kMs;
    start(config);
    for (int step = 0; step < 20000 && operations_.size() < operations; step++) {
        submit_some();
        if (server_->chance() % 50 == 0)
            server_->disturb();
        ASSERT_NO_FATAL_FAILURE(pump());
    }
    operations_max_ = static_cast<uint32_t>(operations_.size());
    server_->heal();
    // What is outstanding may still learn that its session is gone; what comes after that finds
    // nothing in its way.
    ASSERT_NO_FATAL_FAILURE(settle());
    writes_only_ = true;
    operations_max_ = static_cast<uint32_t>(operations_.size()) + 1;
    ASSERT_NO_FATAL_FAILURE(settle());
    operations_max_++;
    ASSERT_NO_FATAL_FAILURE(settle());
    EXPECT_EQ(operations_.back().outcome, CLIENT_DONE);
    ASSERT_NO_FATAL_FAILURE(check());
}

client_config chaos_config(uint64_t seed)
{
    client_config config = default_config();
    config.seed = seed;
    config.window = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 16 : CLIENT_WINDOW_MAX;
    config.fixed_target = false;
    config.deadline_ns = 2000 * kMs;
    return config;
}

} // namespace

TEST_F(Chaos, PerfectNetwork)
{
    for (uint64_t seed = 1; seed <= 10; seed++)
        ASSERT_NO_FATAL_FAILURE(
            run(seed, chaos_config(seed), Faults{0, 0, 0, 0, 100000, false, false, false}, 500));
}

TEST_F(Chaos, LossDuplicationReordering)
{
    for (uint64_t seed = 1; seed <= 60; seed++)
        ASSERT_NO_FATAL_FAILURE(run(seed, chaos_config(seed),
                                    Faults{20, 20, 0, 0, 30 * kMs, false, false, false}, 300));
}

TEST_F(Chaos, BusyAndRefusingServers)
{
    for (uint64_t seed = 1; seed <= 30; seed++)
        ASSERT_NO_FATAL_FAILURE(
            run(seed, chaos_config(seed), Faults{5, 5, 10, 3, 5 * kMs, false, false, false}, 300));
}

TEST_F(Chaos, LeadersComeAndGo)
{
    for (uint64_t seed = 1; seed <= 60; seed++)
        ASSERT_NO_FATAL_FAILURE(
            run(seed, chaos_config(seed), Faults{10, 10, 2, 0, 20 * kMs, true, false, true}, 300));
}

TEST_F(Chaos, SessionsExpireAndEverythingElse)
{
    for (uint64_t seed = 1; seed <= 60; seed++)
        ASSERT_NO_FATAL_FAILURE(
            run(seed, chaos_config(seed), Faults{15, 15, 5, 0, 50 * kMs, true, true, true}, 300));
}
