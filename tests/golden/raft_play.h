/* raft_play.h: a few Raft machines on a stage, directed line by line, and the transcript of what
 * they do.
 *
 * Shape: time goes in steps of one millisecond; a message takes one step, and so does a write.
 *   Members act in the order of their ids. A leader appends its no-op by itself. Heartbeats and
 *   echoes that say nothing new
 *   are left out of the transcript.
 * Memory, threads: the test's. Time: virtual. Same commands, same transcript.
 */
#ifndef TESTS_GOLDEN_RAFT_PLAY_H
#define TESTS_GOLDEN_RAFT_PLAY_H

#include <cstdint>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" {
#include "protocols/raft/raft.h"
}

namespace golden
{

/* The director's mistake: an unknown command or member. */
struct Misdirected : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Message {
    wire_raft head;
    std::vector<uint64_t> terms; /* of its entries; SNAPSHOT: of all that it covers */
    raft_snapshot snapshot;
};

struct Write {
    uint64_t seq;
    uint64_t due_ms;
    bool hard;
    uint64_t term;
    uint16_t vote;
    bool doubtful;
    uint64_t first;
    std::vector<uint64_t> terms;
};

struct Free {
    void operator()(void *memory) const;
};

struct Actor {
    raft_config config{};
    std::unique_ptr<void, Free> memory;
    raft *machine = nullptr;   /* nullptr: not started, or crashed */
    std::vector<uint64_t> log; /* terms; log[i] is entry i + 1 */
    uint64_t ahead_ms = 0;     /* its clock runs ahead of the stage's by so much */

    uint64_t disk_term = 0;
    uint16_t disk_vote = RAFT_NOBODY;
    uint64_t disk_first = 1;
    std::vector<uint64_t> disk_log;
    bool disk_doubtful = false;
    bool disk_hangs = false;

    uint64_t seq = 0;
    std::vector<Write> writes;
    std::vector<std::pair<uint64_t, Message>> held;
    std::vector<std::pair<uint64_t, Message>> inbox;
    std::vector<uint64_t> counted;
    std::string role;
    std::map<uint16_t, std::string>
        said; /* last heartbeat or echo to a member, to leave out repetitions */
    std::vector<std::pair<raft_ticket, std::string>> tickets;
};

class Play
{
  public:
    /* Does one command and returns the transcript, lines that end in newline. */
    std::string direct(const std::string &command);

  private:
    std::map<uint16_t, Actor> actor;
    std::map<std::pair<uint16_t, uint16_t>, bool> cut;
    std::string held_kind; /* messages of this kind stay on their way */
    std::vector<Message> under_way;
    /* Configurations by index and term of their entries, which say what an entry is (§5.3). */
    std::map<std::pair<uint64_t, uint64_t>, wire_members> configurations;
    uint64_t now_ms = 0;
    uint64_t reads = 0;
    std::ostringstream out;

    using Words = std::istringstream;
    void cluster(Words &words);
    void log(Words &words);
    void start();
    void run(Words &words);
    void propose(Words &words);
    void time_out(Words &words);
    void elect(Words &words);
    void set_cut(Words &words);
    void damage(Words &words);
    void hang(Words &words, bool hangs);
    void write(Words &words);
    void forget(Words &words);
    void hold(Words &words);
    void release();
    void isolate(Words &words);
    void crash(Words &words);
    void restart(Words &words);
    void transfer(Words &words);
    void change(Words &words);
    void snapshot(Words &words);
    void read(Words &words);
    void compact(Words &words);
    void install(Words &words);
    void inject(Words &words);
    void status();

    Actor &named(Words &words, bool on_stage = true);
    std::ostream &line(const Actor &a);
    void boot(Actor &a);
    void step_stage();
    void turn(Actor &a);
    void finish_writes(Actor &a);
    void finish_write(Actor &a);
    void receive(Actor &a);
    void take(Actor &a, const Message &message);
    void install(Actor &a, const Message &message);
    void append_members(Actor &a, const wire_members &members);
    const wire_members *configuration_of(const std::vector<uint64_t> &log, uint64_t index) const;
    void tell_members(Actor &a, const struct raft_ready &ready);
    void drain(Actor &a);
    void emit(Actor &a, const raft_send &send);
    void post(Actor &a, const Message &message);
    void note_events(Actor &a);
    void note_role(Actor &a);
    void note_tickets(Actor &a);
    uint64_t clock_ns(const Actor &a) const;
};

std::string describe(const Message &message);
std::string terms_of(const std::vector<uint64_t> &terms); /* " 1 1 2" */
std::string members_of(const wire_members &members);      /* "1 2 3, learner 4" */

} // namespace golden

#endif
