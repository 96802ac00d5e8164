/* fake_lane.hpp: the other end of a duct: a table that answers wire requests in whatever order the
 * test wants. */
#ifndef TESTS_UNIT_EDGE_FAKE_LANE_HPP
#define TESTS_UNIT_EDGE_FAKE_LANE_HPP

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "dataplane/ring/duct.h"
#include "numa/base/bits.h"
#include "protocols/wire/fragment.h"
}

struct Release {
    void operator()(void *memory) const
    {
        free(memory);
    }
};
using Region = std::unique_ptr<void, Release>;

inline Region region(size_t bytes)
{
    return Region(aligned_alloc(64, (bytes + 63) & ~size_t{63}));
}

struct Question {
    uint64_t client, session, sequence;
    uint32_t route;
    uint16_t group;
    std::string body;
};

struct Answer {
    uint8_t status = WIRE_DONE;
    uint8_t type = WIRE_NIL;
    int64_t integer = 0;
    std::string bytes;
};

inline Answer answer_integer(int64_t integer)
{
    return {WIRE_DONE, WIRE_INTEGER, integer, ""};
}

class FakeLane
{
  public:
    static constexpr uint32_t frame_bytes = 1472;
    Region memory = region(duct_footprint(1024, frame_bytes));
    struct duct *duct = duct_init(memory.get(), 1024, frame_bytes);

    std::mt19937 random{1};
    bool silent = false;            /* takes frames and forgets them               */
    bool leaderless = false;        /* answers that nobody leads                   */
    bool shuffle = false;           /* answers in any order                        */
    unsigned busy_percent = 0;      /* answers BUSY instead                        */
    unsigned hold_percent = 0;      /* leaves a question for a later call          */
    unsigned lose_percent = 0;      /* executes, and loses the reply               */
    bool forgets = false;           /* keeps no answer for a retry                 */
    std::optional<Answer> scripted; /* answers every command with this          */
    std::map<uint16_t, std::map<std::string, std::string>> table; /* by group   */
    std::map<std::string, int64_t> ttl;
    uint64_t executed = 0;
    int64_t ticks = 0; /* GET of a key that starts with "tick" counts up: other clients' writes  */
    std::vector<wire_command> seen_heads; /* of executed commands, pointers dead */

    size_t waiting() const
    {
        return questions.size();
    }

    /* Takes what came and answers what it likes. Returns how much it did. */
    size_t turn()
    {
        size_t work = receive();
        std::deque<Question> later;
        std::vector<std::pair<Question, Answer>> answers;
        for (Question &question : questions) {
            if (chance(hold_percent))
                later.push_back(question);
            else if (std::optional<Answer> answer = decide(question))
                answers.emplace_back(question, *answer);
        }
        questions = later;
        if (shuffle)
            std::shuffle(answers.begin(), answers.end(), random);
        for (auto &[question, answer] : answers)
            if (!chance(lose_percent))
                reply(question, answer);
        flush();
        return work + answers.size();
    }

  private:
    std::deque<Question> questions;
    std::map<uint64_t, uint64_t> next_sequence;           /* by session */
    std::map<std::pair<uint64_t, uint64_t>, Answer> kept; /* by session, sequence */
    std::map<uint64_t, uint64_t> session_of_nonce;
    std::map<uint64_t, std::pair<wire_assembly, std::string>> pieces; /* by id */
    uint64_t frame_sequence = 0, piece_id = 0;

    bool chance(unsigned percent)
    {
        return random() % 100 < percent;
    }

    size_t receive()
    {
        frame frames[32];
        size_t total = 0;
        while (uint32_t count = duct_receive(duct, DUCT_LANE, frames, 32)) {
            for (uint32_t i = 0; i < count && !silent; i++)
                take(frames[i]);
            duct_free(duct, DUCT_LANE, frames, count);
            total += count;
        }
        return total;
    }

    void take(const frame &frame)
    {
        wire_frame header;
        wire_view view;
        uint32_t offset = WIRE_FRAME_BYTES;
        ASSERT_EQ(wire_frame_decode(frame.data, frame.bytes, &header), WIRE_OK);
        EXPECT_EQ(header.from, WIRE_NODE_CLIENT);
        for (;;) {
            ASSERT_EQ(wire_message_next(frame.data, frame.bytes, &offset, &view), WIRE_OK);
            if (view.kind == 0)
                return;
            if (view.kind == WIRE_FRAGMENT)
                take_piece(view);
            else
                take_request(view);
        }
    }

    void take_piece(const wire_view &view)
    {
        wire_fragment fragment;
        ASSERT_EQ(wire_get_fragment(&view, &fragment), WIRE_OK);
        auto [at, fresh] = pieces.try_emplace(fragment.id);
        auto &[assembly, buffer] = at->second;
        if (fresh) {
            buffer.resize(fragment.total);
            wire_assembly_begin(&assembly, &fragment, reinterpret_cast<uint8_t *>(buffer.data()));
        }
        ASSERT_EQ(wire_assembly_add(&assembly, &fragment), WIRE_OK);
        wire_view whole;
        if (assembly.missing_bytes != 0)
            return;
        ASSERT_EQ(wire_assembly_view(&assembly, &whole), WIRE_OK);
        take_request(whole);
        pieces.erase(at);
    }

    void take_request(const wire_view &view)
    {
        wire_request request;
        ASSERT_EQ(wire_get_request(&view, &request), WIRE_OK);
        const uint8_t *at = request.commands;
        for (uint32_t i = 0; i < request.count; i++) {
            Question question = {request.client, request.session, 0,
                                 request.route,  request.group,   ""};
            uint32_t bytes;
            const uint8_t *body = wire_next_command(&at, &question.sequence, &bytes);
            question.body.assign(reinterpret_cast<const char *>(body), bytes);
            questions.push_back(question);
        }
    }

    std::optional<Answer> decide(const Question &question)
    {
        wire_command command;
        EXPECT_EQ(wire_command_decode(reinterpret_cast<const uint8_t *>(question.body.data()),
                                      static_cast<uint32_t>(question.body.size()), &command),
                  WIRE_OK);
        if (leaderless)
            return Answer{WIRE_NOT_LEADER, WIRE_NIL, 0, ""};
        if (chance(busy_percent))
            return Answer{WIRE_BUSY, WIRE_NIL, 0, ""};
        if (command.op == WIRE_OP_REGISTER) {
            uint64_t session = 1000 + session_of_nonce.size();
            session = session_of_nonce.try_emplace(static_cast<uint64_t>(command.argument), session)
                          .first->second;
            next_sequence.try_emplace(session, 1);
            return answer_integer(static_cast<int64_t>(session));
        }
        if (question.session == 0) {
            EXPECT_GT(command.op, WIRE_OP_WRITE_LAST);
            return execute(question.group, command);
        }
        uint64_t &next = next_sequence.at(question.session);
        auto key = std::make_pair(question.session, question.sequence);
        if (question.sequence > next)
            return Answer{WIRE_OUT_OF_ORDER, WIRE_INTEGER, static_cast<int64_t>(next), ""};
        if (question.sequence == next) {
            next++;
            kept[key] = execute(question.group, command);
        } else if (forgets) {
            return Answer{WIRE_REPLY_GONE, WIRE_NIL, 0, ""};
        }
        return kept.at(key);
    }

    static std::string text(const uint8_t *data, uint32_t bytes)
    {
        return std::string(reinterpret_cast<const char *>(data), bytes);
    }

    static Answer bytes_or_nil(const std::map<std::string, std::string> &keys,
                               const std::string &key)
    {
        auto at = keys.find(key);
        return at == keys.end() ? Answer{} : Answer{WIRE_DONE, WIRE_BYTES, 0, at->second};
    }

    Answer execute(uint16_t group, const wire_command &command)
    {
        executed++;
        seen_heads.push_back(command);
        if (scripted.has_value())
            return *scripted;
        auto &keys = table[group];
        std::string key = text(command.key, command.key_bytes);
        std::string value = text(command.value, command.value_bytes);
        bool present = keys.count(key) != 0;
        switch (command.op) {
        case WIRE_OP_GET:
            if (key.rfind("tick", 0) == 0)
                return {WIRE_DONE, WIRE_BYTES, 0, std::to_string(++ticks)};
            return bytes_or_nil(keys, key);
        case WIRE_OP_SET:
            return set(keys, key, value, command);
        case WIRE_OP_DEL:
            ttl.erase(key);
            return answer_integer(static_cast<int64_t>(keys.erase(key)));
        case WIRE_OP_INCRBY:
            return add(keys, key, command.argument);
        case WIRE_OP_APPEND:
            keys[key] += value;
            return answer_integer(static_cast<int64_t>(keys[key].size()));
        case WIRE_OP_CAS: {
            bool same = present && keys[key] == text(command.old, command.old_bytes);
            if (same)
                keys[key] = value;
            return answer_integer(same);
        }
        case WIRE_OP_EXPIRE:
            if (present)
                ttl[key] = command.argument;
            return answer_integer(present);
        case WIRE_OP_PERSIST:
            return answer_integer(static_cast<int64_t>(ttl.erase(key)));
        case WIRE_OP_MSET:
            for (uint32_t at = 0; at < command.value_bytes;) {
                uint32_t k = load_u32(command.value + at), v = load_u32(command.value + at + 4);
                keys[text(command.value + at + 8, k)] = text(command.value + at + 8 + k, v);
                at += 8 + k + v;
            }
            return {WIRE_DONE, WIRE_STATUS_OK, 0, ""};
        case WIRE_OP_EXISTS:
            return answer_integer(present);
        case WIRE_OP_STRLEN:
            return answer_integer(static_cast<int64_t>(present ? keys[key].size() : 0));
        case WIRE_OP_TTL:
            return answer_integer(!present ? -2 : ttl.count(key) == 0 ? -1 : ttl[key]);
        case WIRE_OP_SIZE:
            return answer_integer(static_cast<int64_t>(keys.size()));
        case WIRE_OP_SCAN:
            return scan(keys, command);
        default:
            return {WIRE_BAD_COMMAND, WIRE_NIL, 0, ""};
        }
    }

    Answer set(std::map<std::string, std::string> &keys, const std::string &key,
               const std::string &value, const wire_command &command)
    {
        Answer old = bytes_or_nil(keys, key);
        bool present = old.type == WIRE_BYTES;
        bool refused = (command.flags & WIRE_SET_IF_ABSENT && present) ||
                       (command.flags & WIRE_SET_IF_PRESENT && !present);
        if (!refused) {
            keys[key] = value;
            if (command.argument != 0)
                ttl[key] = command.argument;
            else if (!(command.flags & WIRE_SET_KEEP_TTL))
                ttl.erase(key);
        }
        if (command.flags & WIRE_SET_RETURN_OLD)
            return old;
        return refused ? Answer{} : Answer{WIRE_DONE, WIRE_STATUS_OK, 0, ""};
    }

    static Answer add(std::map<std::string, std::string> &keys, const std::string &key,
                      int64_t amount)
    {
        std::string &number = keys.try_emplace(key, "0").first->second;
        char *end;
        int64_t sum = strtoll(number.c_str(), &end, 10);
        if (*end != '\0')
            return {WIRE_WRONG_TYPE, WIRE_NIL, 0, ""};
        number = std::to_string(sum + amount);
        return answer_integer(sum + amount);
    }

    /* The cursor is the number of keys seen so far; the pattern must be "*" or a whole key. */
    static Answer scan(const std::map<std::string, std::string> &keys, const wire_command &command)
    {
        Answer answer = {WIRE_DONE, WIRE_BYTES, 0, ""};
        uint32_t count = load_u32(command.value);
        std::string pattern = text(command.value + 4, command.value_bytes - 4);
        int64_t at = 0, end = command.argument + count;
        for (const auto &[key, value] : keys) {
            if (at >= command.argument && at < end && (pattern == "*" || pattern == key)) {
                uint32_t bytes = static_cast<uint32_t>(key.size());
                answer.bytes.append(reinterpret_cast<const char *>(&bytes), 4).append(key);
            }
            at++;
        }
        answer.integer = at > end ? end : 0;
        return answer;
    }

    struct Outgoing {
        std::string bytes = std::string(frame_bytes, '\0');
        wire_writer writer;
    };
    std::deque<Outgoing> outbox; /* what the duct has no room for yet */

    void flush()
    {
        frame frame = {};
        for (; !outbox.empty() && duct_take(duct, DUCT_LANE, &frame, 1) == 1; outbox.pop_front()) {
            frame.bytes = outbox.front().writer.bytes;
            memcpy(frame.data, outbox.front().bytes.data(), frame.bytes);
            duct_send(duct, DUCT_LANE, &frame, 1);
        }
    }

    wire_writer *begin()
    {
        outbox.emplace_back();
        Outgoing &out = outbox.back();
        wire_frame header = {};
        header.from = 1;
        header.sequence = ++frame_sequence;
        wire_frame_begin(&out.writer, out.bytes.data(), frame_bytes, &header);
        return &out.writer;
    }

    void reply(const Question &question, const Answer &answer)
    {
        wire_reply reply = {};
        reply.group = question.group;
        reply.leader = leaderless ? WIRE_NODE_CLIENT : 1;
        reply.client = question.client;
        reply.session = question.session;
        reply.route = question.route;
        wire_result result = {};
        result.status = answer.status;
        result.type = answer.type;
        result.integer = answer.integer;
        result.value = reinterpret_cast<const uint8_t *>(answer.bytes.data());
        result.value_bytes = static_cast<uint32_t>(answer.bytes.size());
        wire_writer *writer = begin();
        if (wire_put_reply(writer, &reply) && wire_put_result(writer, question.sequence, &result))
            return;
        outbox.pop_back();
        uint8_t head[WIRE_REPLY_HEAD_BYTES];
        wire_cut cut;
        wire_reply_head(head, &reply, question.sequence, &result);
        wire_cut_begin(&cut, static_cast<uint64_t>(question.route) << 32 | ++piece_id, head,
                       sizeof head, result.value, result.value_bytes, frame_bytes);
        for (uint32_t k = 0; k < cut.count; k++)
            ASSERT_TRUE(wire_put_fragment(begin(), &cut, k));
    }
};

#endif
