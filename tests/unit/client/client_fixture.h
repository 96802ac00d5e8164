// A client machine, a clock, and eyes to see what it sends.
#ifndef TESTS_UNIT_CLIENT_CLIENT_FIXTURE_H
#define TESTS_UNIT_CLIENT_CLIENT_FIXTURE_H

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

extern "C" {
#include "protocols/client/client.h"
}

using Bytes = std::vector<uint8_t>;

constexpr uint64_t kMs = 1000000;
constexpr uint32_t kFrameBytes = 1472;

inline client_config default_config()
{
    client_config config = {};
    config.client = 0xC0FFEE;
    config.cluster = 5;
    config.seed = 1;
    config.route = 9;
    config.group = 4;
    config.target_count = 3;
    for (uint16_t i = 0; i < 3; i++)
        config.target[i] = static_cast<uint16_t>(i + 1);
    config.window = 16;
    config.command_bytes_max = 4096;
    config.reply_bytes_max = 8192;
    config.retry_ns = 20 * kMs;
    config.retry_max_ns = 200 * kMs;
    config.deadline_ns = 1000 * kMs;
    return config;
}

// One command as it left.
struct Sent {
    uint16_t target;
    uint64_t session;
    uint64_t sequence;
    uint8_t op;
    std::string key;
    int64_t argument;
    bool nonce() const
    {
        return sequence >> 63 != 0;
    }
};

class ClientFixture : public testing::Test
{
  protected:
    void start(const client_config &config)
    {
        config_ = config;
        size_t bytes = client_footprint(&config);
        ASSERT_NE(bytes, 0u);
        memory_.reset(new (std::align_val_t(64)) uint8_t[bytes]);
        memset(memory_.get(), 0xEE, bytes); // init must not rely on zeros
        client_ = client_init(memory_.get(), &config, now_);
        frame_sequence_ = 0;
    }
    bool submit(uint8_t op, const std::string &key, uint64_t cookie, const std::string &value = "")
    {
        wire_command command = {};
        command.op = op;
        command.key_bytes = static_cast<uint16_t>(key.size());
        command.key = reinterpret_cast<const uint8_t *>(key.data());
        command.value_bytes = static_cast<uint32_t>(value.size());
        command.value = reinterpret_cast<const uint8_t *>(value.data());
        return client_submit(client_, &command, cookie, now_);
    }
    bool set(uint64_t cookie)
    {
        return submit(WIRE_OP_SET, "w" + std::to_string(cookie), cookie, "four");
    }
    bool get(uint64_t cookie)
    {
        return submit(WIRE_OP_GET, "r" + std::to_string(cookie), cookie);
    }

    // Everything that leaves now, command by command; frames are counted, pieces counted apart.
    std::vector<Sent> emit()
    {
        std::vector<Sent> sent;
        uint8_t payload[kFrameBytes];
        uint32_t bytes;
        uint16_t target;
        while (client_emit(client_, payload, sizeof payload, now_, &bytes, &target)) {
            frames_++;
            wire_frame frame;
            EXPECT_EQ(wire_frame_decode(payload, bytes, &frame), WIRE_OK);
            EXPECT_EQ(frame.from, WIRE_NODE_CLIENT);
            EXPECT_EQ(frame.cluster, config_.cluster);
            EXPECT_EQ(frame.sequence, frame_sequence_ + 1);
            frame_sequence_ = frame.sequence;
            uint32_t offset = WIRE_FRAME_BYTES;
            wire_view view;
            while (wire_message_next(payload, bytes, &offset, &view) == WIRE_OK && view.kind != 0) {
                EXPECT_EQ(view.group, config_.group);
                if (view.kind == WIRE_FRAGMENT)
                    read_piece(view);
                else
                    read_request(view, target, sent);
            }
        }
        return sent;
    }

    // A result to be put into a reply.
    struct Answer {
        uint64_t sequence;
        uint8_t status;
        int64_t integer;
    };
    std::vector<client_completion> reply(uint64_t session, const std::vector<Answer> &answers,
                                         uint16_t leader = WIRE_NODE_CLIENT)
    {
        uint8_t payload[kFrameBytes];
        wire_writer writer;
        wire_frame header = {};
        wire_frame_begin(&writer, payload, sizeof payload, &header);
        wire_reply reply = {};
        reply.group = config_.group;
        reply.client = config_.client;
        reply.session = session;
        reply.leader = leader;
        EXPECT_TRUE(wire_put_reply(&writer, &reply));
        for (const Answer &answer : answers) {
            wire_result result = {};
            result.status = answer.status;
            result.type = WIRE_INTEGER;
            result.integer = answer.integer;
            EXPECT_TRUE(wire_put_result(&writer, answer.sequence, &result));
        }
        return receive(payload, writer.bytes);
    }
    std::vector<client_completion> receive(const uint8_t *payload, uint32_t bytes)
    {
        std::vector<client_completion> all;
        uint32_t offset = WIRE_FRAME_BYTES;
        wire_view view;
        while (wire_message_next(payload, bytes, &offset, &view) == WIRE_OK && view.kind != 0) {
            client_completion completions[CLIENT_WINDOW_MAX];
            uint32_t count = client_receive(client_, &view, now_, completions, CLIENT_WINDOW_MAX);
            all.insert(all.end(), completions, completions + count);
        }
        return all;
    }
    std::vector<client_completion> tick()
    {
        client_completion completions[CLIENT_WINDOW_MAX];
        uint32_t count = client_tick(client_, now_, completions, CLIENT_WINDOW_MAX);
        return std::vector<client_completion>(completions, completions + count);
    }
    // Submits a write, answers the registration with the given session, and returns the write as it
    // leaves.
    void open_session(uint64_t session)
    {
        set(1000);
        std::vector<Sent> sent = emit();
        ASSERT_EQ(sent.size(), 1u);
        ASSERT_EQ(sent[0].op, WIRE_OP_REGISTER);
        reply(0, {{sent[0].sequence, WIRE_DONE, static_cast<int64_t>(session)}});
        sent = emit();
        ASSERT_EQ(sent.size(), 1u);
        ASSERT_EQ(sent[0].sequence, 1u);
        ASSERT_EQ(reply(session, {{1, WIRE_DONE, 0}}).size(), 1u);
    }
    uint64_t counter(enum client_event event) const
    {
        return client_counters(client_)[event];
    }

    client_config config_ = {};
    client *client_ = nullptr;
    uint64_t now_ = 1000 * kMs;
    uint32_t frames_ = 0;
    uint32_t pieces_ = 0;
    std::set<uint64_t> piece_ids_;

  private:
    struct Free {
        void operator()(uint8_t *memory) const
        {
            operator delete[](memory, std::align_val_t(64));
        }
    };
    void read_piece(const wire_view &view)
    {
        wire_fragment fragment;
        ASSERT_EQ(wire_get_fragment(&view, &fragment), WIRE_OK);
        EXPECT_EQ(fragment.kind, WIRE_REQUEST);
        piece_ids_.insert(fragment.id);
        pieces_++;
    }
    void read_request(const wire_view &view, uint16_t target, std::vector<Sent> &sent)
    {
        wire_request request;
        ASSERT_EQ(wire_get_request(&view, &request), WIRE_OK);
        EXPECT_EQ(request.client, config_.client);
        EXPECT_EQ(request.route, config_.route);
        EXPECT_GT(request.count, 0u);
        const uint8_t *at = request.commands;
        for (uint32_t i = 0; i < request.count; i++) {
            Sent one = {};
            uint32_t bytes;
            const uint8_t *body = wire_next_command(&at, &one.sequence, &bytes);
            wire_command command;
            ASSERT_EQ(wire_command_decode(body, bytes, &command), WIRE_OK);
            one.target = target;
            one.session = request.session;
            one.op = command.op;
            one.key.assign(command.key, command.key + command.key_bytes);
            one.argument = command.argument;
            sent.push_back(one);
        }
    }
    std::unique_ptr<uint8_t[], Free> memory_;
    uint64_t frame_sequence_ = 0;
};

#endif
